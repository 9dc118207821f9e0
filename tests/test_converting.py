"""vcrpy's cassettes as ours and back: what is kept, what is taken out, what is never written."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
import yaml

import corpus
from convo_replay import use_cassette
from convo_replay.cassette import Cassette, load, loads, stored, update, yaml_reader
from convo_replay.converting import convert
from convo_replay.errors import CassetteError, LeakFound
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.redaction import Redactor, leaks, leaks_in_text
from convo_replay.transports.tokens import is_token_endpoint

SCHEMA = json.loads((resources.files("convo_replay.cassette") / "schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
URL = "https://api.anthropic.com/v1/messages"
ASKED = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": f"Is {KEY} a key? ☀"}]}
ANSWER = f'event: message_start\ndata: {{"type": "message_start", "t": "{KEY}"}}\n\n'


def vcr_file(path: Path, *interactions: dict[str, Any], **more: Any) -> Path:
    path.write_text(yaml.safe_dump({"interactions": list(interactions), "version": 1, **more}), encoding="utf-8")
    return path


def interaction(body: Any = None, answer: Any = ANSWER, **more: Any) -> dict[str, Any]:
    return {
        "request": {
            "method": "POST", "uri": URL, "body": json.dumps(body or ASKED, ensure_ascii=False),
            "headers": {"X-Api-Key": [KEY], "Anthropic-Version": ["2023-06-01"], "Content-Type": ["application/json"]},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {
                "Content-Type": ["text/event-stream"], "Request-Id": ["req_011CTabcdefghijklmnopqrs"],
                "Set-Cookie": ["a=b", "c=d"], "Via": ["1.1 google"],
            },
            "body": {"string": answer},
        },
        **more,
    }  # fmt: skip


def ours(path: Path, *exchanges: Exchange, **more: Any) -> Path:
    update(path, lambda _: Cassette(exchanges=[stored(one) for one in exchanges], **more))
    return path


def exchange(answer: bytes = b"{}", url: str = URL, **more: Any) -> Exchange:
    head = Head(200, (("content-type", "application/json"),), 0.25)
    return Exchange(Request("POST", url, (), Json(ASKED)), (head, Chunk(0.5, answer), End("complete", 0.5)), **more)


def test_of_vcrpy_ours_is_made_sanitized(tmp_path: Path) -> None:
    src = vcr_file(tmp_path / "old.yaml", interaction(recorded_at="2026-01-02T03:04:05Z"))
    dst = tmp_path / "new" / "test_a.yaml"
    assert convert(src, dst) == []
    assert KEY not in dst.read_text(encoding="utf-8")
    VALIDATOR.validate(yaml_reader.read(dst.read_bytes(), "dst.yaml").value)
    cassette = load(dst)
    (made,) = cassette.exchanges
    assert (cassette.format, made.test, made.recorded) == ("convo", "", "2026-01-02T03:04:05Z")
    assert made.request.headers == (("anthropic-version", "2023-06-01"),)
    assert made.request.json["messages"][0]["content"] == "Is redacted-anthropic-key-1 a key? ☀"
    assert made.body.decode() == ANSWER.replace(KEY, "redacted-anthropic-key-1")
    assert made.head is not None
    assert made.head.headers == (("content-type", "text/event-stream"), ("request-id", "req_REDACTED1"))

    # A key in the request is said again in the answer; its placeholder is one there, too.
    for messages, answer in ((ASKED["messages"], ANSWER.encode()), (made.request.json["messages"], made.body)):
        with use_cassette(dst, validate="off"), httpx2.Client() as client:
            played = client.post(URL, json={**ASKED, "messages": messages}, headers={"x-api-key": "another"})
        assert played.content == answer


def test_of_ours_vcrpy_s_is_made_sanitized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "tok-0123456789abcdef")
    answer = b'{"a": "tok-0123456789abcdef", "b": 1}'
    src = ours(tmp_path / "ours.yaml", exchange(answer, test="tests/test_a.py::test_b"), exchange(answer))
    dst = tmp_path / "vcr.yaml"
    assert convert(src, dst) == ["times of 2 exchange(s)", "the tests that 1 exchange(s) belong to"]
    assert "tok-0123456789abcdef" not in dst.read_text(encoding="utf-8")
    assert KEY not in dst.read_text(encoding="utf-8")
    cassette = load(dst)
    assert cassette.format == "vcrpy"
    assert [one.body for one in cassette.exchanges] == [answer.replace(b"tok-0123456789abcdef", b"redacted-env-1")] * 2


def test_what_a_later_exchange_gives_away_is_found_in_the_earlier_ones(tmp_path: Path) -> None:
    secret = "hunter2-hunter2-hunter2"
    early = interaction(answer=json.dumps({"echo": secret}))
    early["request"]["headers"] = {}
    late = interaction()
    late["request"]["headers"] = {"Authorization": [f"Bearer {secret}"]}
    dst = tmp_path / "ours.yaml"
    convert(vcr_file(tmp_path / "vcr.yaml", early, late), dst)
    assert secret not in dst.read_text(encoding="utf-8")


def test_token_endpoints_are_left_out_as_in_a_recording(tmp_path: Path) -> None:
    item = interaction(answer='{"access_token": "opaque-98f7a6s5d4f3a2s1d"}')
    item["request"] |= {"uri": "https://oauth2.googleapis.com/token", "body": "refresh_token=1//0gAbCdEfGhIjKlMnOp"}
    src = vcr_file(tmp_path / "src.yaml", item, interaction())
    lines = convert(src, tmp_path / "dst.yaml")
    assert lines == ["exchanges[0]: a token endpoint, which is never recorded, left out"]
    assert [one.request.url for one in load(tmp_path / "dst.yaml").exchanges] == [URL]
    assert convert(src, tmp_path / "off.yaml", sanitize="off") == []
    assert len(load(tmp_path / "off.yaml").exchanges) == 2


def test_placeholders_stay_what_they_are(tmp_path: Path) -> None:
    body = {"a": "redacted-api-key-1 and redacted-api-key-7"}
    src = ours(tmp_path / "a.yaml", exchange(json.dumps(body).encode()))
    convert(src, tmp_path / "b.yaml")
    convert(tmp_path / "b.yaml", tmp_path / "c.yaml")
    assert load(tmp_path / "c.yaml").exchanges[0].response_json() == body


def test_with_sanitize_off_everything_is_kept(tmp_path: Path) -> None:
    src = vcr_file(tmp_path / "old.yaml", interaction())
    convert(src, tmp_path / "ours.yaml", sanitize="off")
    convert(tmp_path / "ours.yaml", tmp_path / "back.yaml", sanitize="off")
    assert load(tmp_path / "back.yaml").exchanges == load(src).exchanges
    assert KEY in (tmp_path / "back.yaml").read_text(encoding="utf-8")


def test_sanitize_off_is_refused_in_a_git_work_tree(tmp_path: Path) -> None:
    src = vcr_file(tmp_path / "old.yaml", interaction())
    (tmp_path / "project" / ".git").mkdir(parents=True)
    dst = tmp_path / "project" / "cassettes" / "a.yaml"
    with pytest.raises(CassetteError, match="refused inside a git work tree"):
        convert(src, dst, sanitize="off")
    assert not dst.parent.exists()
    convert(src, dst)


@pytest.mark.parametrize("make", [vcr_file, ours], ids=["vcrpy", "ours"])
def test_what_would_leak_is_not_written(make: Any, tmp_path: Path) -> None:
    """Nothing redacts the version of HTTP; the gate looks at the whole text of the file."""
    item: Any = exchange()
    if make is vcr_file:
        item = interaction()
        item["response"]["http_version"] = KEY
    else:
        item = replace(item, steps=(replace(item.head, http=KEY), *item.steps[1:]))
    src = make(tmp_path / "src.yaml", item)
    dst = tmp_path / "dst.yaml"
    with pytest.raises(LeakFound) as caught:
        convert(src, dst)
    assert str(dst) in str(caught.value)
    assert KEY not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["src.yaml"]


def test_a_test_s_name_is_not_written_and_so_no_leak(tmp_path: Path) -> None:
    src = ours(tmp_path / "src.yaml", exchange(test=f"test_a[{KEY}]"))
    convert(src, tmp_path / "dst.yaml")
    assert KEY not in (tmp_path / "dst.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("there", ["a file", "a cassette", "a folder", "a dangling link"])
def test_what_is_there_is_not_overwritten(there: str, tmp_path: Path) -> None:
    src = vcr_file(tmp_path / "old.yaml", interaction())
    dst = tmp_path / "dst.yaml"
    if there == "a folder":
        dst.mkdir()
    elif there == "a dangling link":
        dst.symlink_to(tmp_path / "nowhere.yaml")
    else:
        dst.write_bytes(b"mine" if there == "a file" else src.read_bytes())
    before = dst.read_bytes() if dst.is_file() else b""
    with pytest.raises(CassetteError, match="there is a file of this name already, which is not overwritten"):
        convert(src, dst)
    assert (dst.read_bytes() if dst.is_file() else b"") == before
    assert not (tmp_path / "nowhere.yaml").exists()


def test_the_source_stays_as_it_is_and_cannot_be_the_target(tmp_path: Path) -> None:
    src = vcr_file(tmp_path / "old.yaml", interaction())
    before = src.read_bytes()
    with pytest.raises(CassetteError, match="not overwritten"):
        convert(src, src)
    convert(src, tmp_path / "dst.yaml")
    assert src.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"a: [", b"a: 1\n", b"interactions:\n- request: {}\n  response: {}\n"])
def test_what_cannot_be_read_makes_nothing(data: bytes, tmp_path: Path) -> None:
    src = tmp_path / "src.yaml"
    src.write_bytes(data)
    with pytest.raises(CassetteError, match=r"src\.yaml"):
        convert(src, tmp_path / "dst.yaml")
    assert not (tmp_path / "dst.yaml").exists()


def test_what_cannot_be_read_is_not_sanitized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("brotli", "brotlicffi"):
        monkeypatch.setitem(sys.modules, name, None)
    item = interaction(answer=b"\x0b\x02\x80hello\x03")
    item["response"]["headers"]["Content-Encoding"] = ["br"]
    src = vcr_file(tmp_path / "src.yaml", interaction(), item)
    with pytest.raises(CassetteError, match=r"interactions\[1\]\.response: compressed \(br\), .*; install brotli"):
        convert(src, tmp_path / "dst.yaml")
    convert(src, tmp_path / "dst.yaml", sanitize="off")
    assert load(tmp_path / "dst.yaml").exchanges[1].steps == load(src).exchanges[1].steps


def test_another_word_for_sanitize(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sanitize: expected 'on' or 'off', got 'no'"):
        convert(tmp_path / "a", tmp_path / "b", sanitize="no")


def test_keys_that_only_one_format_has_are_named_and_left(tmp_path: Path) -> None:
    src = vcr_file(tmp_path / "vcr.yaml", interaction(mine=1), metadata={"a": 1})
    assert convert(src, tmp_path / "ours.yaml") == ["keys: metadata, exchanges[0].mine"]
    made = load(tmp_path / "ours.yaml")
    made.exchanges[0] = Exchange(
        made.exchanges[0].request, made.exchanges[0].steps, extra={"response": {"x": 1}, "y": 2}
    )
    made.extra["z"] = 3
    update(tmp_path / "more.yaml", lambda _: made)
    lines = convert(tmp_path / "more.yaml", tmp_path / "back.yaml")
    assert lines == ["keys: z, exchanges[0].y, exchanges[0].response.x"]


def test_a_large_upload_is_kept_by_its_hash(tmp_path: Path) -> None:
    item = interaction()
    item["request"] |= {"body": b"\xff" * 1_100_000, "headers": {"content-type": ["image/png"]}}
    lines = convert(vcr_file(tmp_path / "vcr.yaml", item), tmp_path / "ours.yaml")
    assert lines == ["exchanges[0]: the body of the request, but for its hash"]
    lines = convert(tmp_path / "ours.yaml", tmp_path / "back.yaml")
    assert lines == ["exchanges[0]: the body of the request, of which the hash alone is known"]


def test_blobs_go_both_ways(tmp_path: Path) -> None:
    picture = random.Random(1).randbytes(100_000)
    item = interaction(answer=picture)
    item["response"]["headers"]["Content-Type"] = ["image/png"]
    convert(vcr_file(tmp_path / "vcr.yaml", item), tmp_path / "a" / "ours.yaml")
    (blob,) = (tmp_path / "a" / "_blobs").iterdir()
    assert blob.read_bytes() == picture
    assert load(tmp_path / "a" / "ours.yaml").exchanges[0].body == picture
    convert(tmp_path / "a" / "ours.yaml", tmp_path / "b" / "back.yaml")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["back.yaml"]
    assert load(tmp_path / "b" / "back.yaml").exchanges[0].body == picture
    blob.unlink()
    with pytest.raises(CassetteError, match="cannot be read"):
        convert(tmp_path / "a" / "ours.yaml", tmp_path / "c.yaml")


_ROWS = corpus.index("vcrpy-yaml")
_EVERY = 1 if os.environ.get("CONVO_CORPUS_ALL") else 25


@corpus.needs_corpus
def test_published_recordings_go_both_ways(tmp_path: Path) -> None:
    """All of them where CONVO_CORPUS_ALL is set (a minute), every 25th otherwise."""
    assert corpus.CORPUS is not None
    by_bytes = count = 0
    for number, row in enumerate(_ROWS[::_EVERY]):
        src, dst, back = corpus.CORPUS / row["path"], tmp_path / f"{number}.yaml", tmp_path / f"{number}.back.yaml"
        convert(src, dst, sanitize="off")
        convert(dst, back, sanitize="off")
        for one, other in zip(load(src).exchanges, load(back).exchanges, strict=True):
            added = {("content-type", "application/json")}
            assert set(other.request.headers) - added == set(one.request.headers) - added, src
            assert (one.request.method, one.request.url, one.request.body) == (
                other.request.method, other.request.url, other.request.body,
            ), src  # fmt: skip
            assert one.steps == other.steps, src
        for was, is_now in zip(_written_bodies(src), _written_bodies(back), strict=False):
            if was and isinstance(was, str):  # none and an empty one are the same bytes
                count += 1
                by_bytes += was == is_now
    assert by_bytes >= 0.98 * count, "all but those whose keys `$base` puts in another order"


def _written_bodies(path: Path) -> list[Any]:
    """The requests' bodies as PyYAML reads them; none where Python's tags forbid it."""
    try:
        value = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return []
    return [item["request"].get("body") for item in value["interactions"]]


@corpus.needs_corpus
def test_published_recordings_go_both_ways_sanitized(tmp_path: Path) -> None:
    assert corpus.CORPUS is not None
    for number, row in enumerate(_ROWS[5::_EVERY]):
        src, dst, back = corpus.CORPUS / row["path"], tmp_path / f"{number}.yaml", tmp_path / f"{number}.back.yaml"
        convert(src, dst)
        convert(dst, back)
        before = load(src).exchanges
        redactor = Redactor()
        redactor.reserve(before)
        for _ in range(2):
            before = [redactor.exchange(one) for one in before]
        before = [one for one in before if not is_token_endpoint(one.request.method, one.request.url)]
        after = load(back).exchanges
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert (one.request.method, one.request.url, one.request.body) == (
                other.request.method, other.request.url, other.request.body,
            ), src  # fmt: skip
            assert one.steps == other.steps, src
        data = back.read_bytes()
        assert leaks_in_text(data, redactor) == []
        assert leaks([redactor.exchange(one) for one in loads(data, "x").exchanges], redactor) == []
