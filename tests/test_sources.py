"""A cassette of vcrpy's is played where it lies; what is new is recorded beside it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import httpx
import pytest

from convo_replay import CassetteError, CassetteMiss, use_cassette
from convo_replay.cassette import load
from convo_replay.cli import main
from convo_replay.config import Config
from convo_replay.conversation import Conversation
from convo_replay.exchange import Blob, Exchange, Json, Request
from convo_replay.reporting.transcript import transcript

HOST = "api.example.test"
INTERACTION = {
    "request": {"method": "GET", "uri": f"https://{HOST}/a", "body": None, "headers": {}},
    "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "old"}},
}


@pytest.fixture(params=["old.yaml", "old.json"])
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / request.param
    path.write_text(json.dumps({"version": 1, "interactions": [INTERACTION]}))
    return path


LIVE = httpx.MockTransport(lambda request: httpx.Response(200, text=f"live {request.url.path}"))


def ask(path: str) -> str:
    with httpx.Client(transport=LIVE) as client:
        return client.get(f"https://{HOST}{path}").text


def run(path: Path, mode: str, *asked: str) -> list[str]:
    with use_cassette(path, record=mode, intercept=HOST):
        return [ask(each) for each in asked]


def test_what_is_new_is_recorded_beside_it_and_replays(old: Path):
    before = old.read_bytes()
    assert run(old, "new_episodes", "/a", "/b") == ["old", "live /b"]
    assert run(old, "none", "/b", "/a") == ["live /b", "old"]
    assert old.read_bytes() == before
    beside = load(old.with_name("old.convo.yaml" if old.suffix == ".yaml" else "old.json.convo.yaml"))
    assert beside.format == "convo"
    assert [exchange.request.url for exchange in beside.exchanges] == [f"https://{HOST}/b"]


def test_once_plays_only(old: Path):
    with pytest.raises(CassetteMiss):
        run(old, "once", "/a", "/b")
    assert [path.name for path in old.parent.iterdir()] == [old.name]


@pytest.mark.parametrize("mode", ["rewrite", "all"])
def test_what_is_recorded_anew_is_what_replays(old: Path, mode: str):
    before = old.read_bytes()
    assert run(old, mode, "/a") == ["live /a"]
    assert run(old, "none", "/a") == ["live /a"]
    assert old.read_bytes() == before


@pytest.mark.parametrize("mode", ["rewrite", "all"])
def test_what_is_recorded_anew_supersedes_the_old_answer(old: Path, mode: str):
    run(old, mode, "/a")
    with pytest.raises(CassetteMiss):
        run(old, "none", "/a", "/a")


def test_a_further_answer_comes_after_the_old_one(old: Path):
    for _ in range(2):
        assert run(old, "new_episodes", "/a", "/a", "/b") == ["old", "live /a", "live /b"]
    assert run(old, "none", "/a", "/b", "/a") == ["old", "live /b", "live /a"]


def test_a_miss_names_the_mode_that_adds_to_it(old: Path):
    with pytest.raises(CassetteMiss, match='record="new_episodes"'):
        run(old, "none", "/b")


def test_further_cassettes_are_played_and_not_written(old: Path, tmp_path: Path):
    before = old.read_bytes()
    conversation = Conversation(tmp_path / "mine.yaml", Config(record="new_episodes", intercept=(HOST,)), also=[old])
    conversation.open()
    assert [ask("/a"), ask("/b")] == ["old", "live /b"]
    conversation.close()
    assert [exchange.request.url for exchange in load(tmp_path / "mine.yaml").exchanges] == [f"https://{HOST}/b"]
    assert old.read_bytes() == before


@pytest.mark.parametrize(
    ("encoding", "pack", "kind"),
    [("gzip", gzip.compress, Json), ("deflate", zlib.compress, Json), ("x-none", bytes, Json), ("gzip", bytes, Json)],
    ids=["gzip", "deflate", "unknown", "stale"],
)
def test_a_compressed_request_is_recorded_and_redacted_as_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, pack: Callable[[bytes], bytes], kind: type
):
    key = "vault-0123456789abcdefghij"
    monkeypatch.setenv("SOME_API_KEY", key)
    for mode in ("once", "none"):
        with (
            use_cassette(tmp_path / "a.yaml", record=mode, intercept=HOST) as convo,
            httpx.Client(transport=LIVE) as client,
        ):
            body = pack(json.dumps({"text": f"the key is {key}"}).encode())
            assert (
                client.post(f"https://{HOST}/a", content=body, headers={"content-encoding": encoding}).text == "live /a"
            )
            assert isinstance(convo.exchanges[0].request.body, kind)
    assert key not in (tmp_path / "a.yaml").read_text()


def test_of_a_compressed_request_that_nothing_unpacks_the_hash_is_kept(tmp_path: Path):
    for mode in ("once", "none"):
        with (
            use_cassette(tmp_path / "a.yaml", record=mode, intercept=HOST) as convo,
            httpx.Client(transport=LIVE) as client,
        ):
            client.post(f"https://{HOST}/a", content=b"\x1f\x8bbroken", headers={"content-encoding": "gzip"})
            assert isinstance(convo.exchanges[0].request.body, Blob)


KEY = "sk-ant-api03-" + "Leaky0_" * 13 + "-AA"


def test_what_a_foreign_cassette_holds_is_played_as_it_is_and_shown_redacted(tmp_path: Path, capsys):
    path = tmp_path / "leaky.yaml"
    url = "https://api.anthropic.com/v1/messages"
    asked = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": f"say {KEY}"}]}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": f"it is {KEY}"}]}
    headers = {"content-type": ["application/json"], "set-cookie": ["session=0123456789abcdef0123456789"]}
    recorded = {"request": {"method": "POST", "uri": url, "body": json.dumps(asked), "headers": {}},
                "response": {"status": {"code": 200, "message": "OK"}, "headers": headers,
                             "body": {"string": json.dumps(answer)}}}  # fmt: skip
    path.write_text(json.dumps({"version": 1, "interactions": [recorded]}))
    with use_cassette(path) as convo, httpx.Client() as client:
        response = client.post(url, json=asked)
        assert response.json() == answer
        assert response.headers["set-cookie"] == headers["set-cookie"][0]
        assert "redacted-anthropic-key-1" in convo.turns[0].response.text
        seen = [repr(astuple(convo.exchanges[0])), transcript(convo.exchanges)]
    with pytest.raises(CassetteMiss) as miss, use_cassette(path), httpx.Client() as client:
        client.post(url, json={**asked, "messages": [{"role": "user", "content": "something else"}]})
    assert main(["show", str(path), "--turn", "0"]) == 0
    for text in (*seen, str(miss.value), capsys.readouterr().out):
        assert KEY not in text
        assert "0123456789abcdef" not in text


def test_headers_are_compared_as_our_cassettes_keep_them(old: Path):
    path = old.with_name("headers.yaml")
    mine = {
        **INTERACTION,
        "request": {**INTERACTION["request"], "headers": {"user-agent": ["other"], "accept": ["a/b"]}},
    }
    path.write_text(json.dumps({"version": 1, "interactions": [mine]}))
    with use_cassette(path, match_on=["method", "path", "headers"]), httpx.Client(transport=LIVE):
        assert httpx.get(f"https://{HOST}/a").text == "old"


@pytest.mark.parametrize("recorded", ["", "?key=REDACTED", "?alt=sse", "?alt=sse&key=x"])
def test_a_key_that_vcrpys_filters_took_out_of_the_url_is_not_missed(tmp_path: Path, recorded: str):
    path = tmp_path / "filtered.yaml"
    mine = {**INTERACTION, "request": {**INTERACTION["request"], "uri": f"https://{HOST}/a{recorded}"}}
    path.write_text(json.dumps({"version": 1, "interactions": [mine]}))
    query = {"key": "AIzaSyD-0123456789abcdefghijklmnopqrstu", **({"alt": "sse"} if "alt" in recorded else {})}
    with use_cassette(path), httpx.Client(transport=httpx.HTTPTransport()) as client:
        assert client.get(f"https://{HOST}/a", params=query).text == "old"
    with pytest.raises(CassetteMiss), use_cassette(path), httpx.Client() as client:
        client.get(f"https://{HOST}/a", params={**query, "page_token": "x"})


def test_a_mock_in_place_of_the_transport_answers_for_itself(old: Path, monkeypatch: pytest.MonkeyPatch):
    def mocked(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="mocked", request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", mocked)  # as pytest-httpx does
    with use_cassette(old):
        assert httpx.get(f"https://{HOST}/a").text == "mocked"
    with use_cassette(old, intercept=HOST):
        assert httpx.get(f"https://{HOST}/a").text == "old"


def test_a_matcher_may_assert(old: Path):
    def by_path(recorded: Request, sent: Request) -> None:
        assert recorded.url == sent.url

    with use_cassette(old, match_on=["method", by_path], intercept=HOST) as convo:
        assert ask("/a") == "old"
        with pytest.raises(CassetteMiss, match="nearest recorded: exchanges"):
            ask("/b")
        convo.failure = None


class Broken:
    def request(self, request: Request) -> Request | None:
        return replace(request, headers=())

    def exchange(self, exchange: Exchange) -> Exchange | None:
        raise KeyError("a bug")


def test_a_filter_that_raises_throws_no_recording_away(tmp_path: Path):
    path = tmp_path / "new.yaml"
    conversation = Conversation(path, Config(record="once", intercept=(HOST,)), filters=Broken())
    conversation.open()
    assert ask("/a") == "live /a"
    with pytest.raises(CassetteError, match="a bug") as caught:
        conversation.close()
    kept = Path(str(caught.value).partition("what was recorded is in ")[2].partition(":")[0])
    assert [exchange.request.url for exchange in load(kept).exchanges] == [f"https://{HOST}/a"]


def test_a_key_that_a_filter_takes_out_is_not_left_elsewhere(tmp_path: Path):
    key = "sk-live-0123456789abcdefghij"
    live = httpx.MockTransport(lambda request: httpx.Response(200, text=f"key {key} is wrong"))

    class NoHeaders(WithoutQuery):
        def request(self, request: Request) -> Request | None:
            return replace(request, headers=())

    conversation = Conversation(tmp_path / "a.yaml", Config(record="once", intercept=(HOST,)), filters=NoHeaders())
    conversation.open()
    with httpx.Client(transport=live) as client:
        client.get(f"https://{HOST}/a", headers={"authorization": f"Bearer {key}"})
    conversation.close()
    assert key not in (tmp_path / "a.yaml").read_text()


def test_a_cassette_named_as_json_that_is_not_there_yet_is_recorded_as_ours_beside(tmp_path: Path):
    assert run(tmp_path / "a.json", "once", "/a") == ["live /a"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json.convo.yaml"]
    assert run(tmp_path / "a.json", "none", "/a") == ["live /a"]


class WithoutQuery:
    def request(self, request: Request) -> Request | None:
        return None if "/ignored" in request.url else replace(request, url=request.url.partition("?")[0])

    def exchange(self, exchange: Exchange) -> Exchange | None:
        request = self.request(exchange.request)
        return None if request is None or request.url.endswith("/dropped") else replace(exchange, request=request)


def test_filters_see_what_is_recorded_and_what_is_played(tmp_path: Path):
    path = tmp_path / "filtered.yaml"
    for mode in ("once", "none"):
        conversation = Conversation(path, Config(record=mode, intercept=(HOST,)), filters=WithoutQuery())
        conversation.open()
        assert ask(f"/a?{mode}") == "live /a"
        assert ask("/ignored") == "live /ignored"
        if mode == "once":
            assert ask("/dropped") == "live /dropped"
        conversation.close()
        assert [exchange.request.url for exchange in load(path).exchanges] == [f"https://{HOST}/a"]


def test_equal_json_that_was_written_differently_is_told_apart_where_vcrpy_recorded_it(tmp_path: Path):
    path = tmp_path / "spaces.yaml"
    bodies = ['{"a": 1, "b": 2}', '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a":1,"b":2}']
    interactions = [
        {"request": {"method": "POST", "uri": f"https://{HOST}/a", "body": body, "headers": {}},
         "response": {**INTERACTION["response"], "body": {"string": f"answer {number}"}}}
        for number, body in enumerate(bodies)
    ]  # fmt: skip
    path.write_text(json.dumps({"version": 1, "interactions": interactions}))
    with use_cassette(path), httpx.Client() as client:
        answers = [client.post(f"https://{HOST}/a", content=bodies[number]).text for number in (2, 3, 0, 1)]
    assert answers == ["answer 2", "answer 1", "answer 0", "answer 3"]
