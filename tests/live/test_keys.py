"""No key reaches the file, wherever it was; and which key was live, or whether one was, matters nothing later."""

from __future__ import annotations

import json
import re
from dataclasses import astuple
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from convo_replay import Conversation, sse
from live.callers import MODEL, body, httpx, use_cassette
from upstream import COOKIE, ORGANIZATION, Upstream

ALPHABET = "aZ3kLm9QxT7vBn2YcR5sWd8FgH4jP6uE"


def secret(seed: int, length: int) -> str:
    return "".join(ALPHABET[(seed * 7 + i * (i + seed)) % len(ALPHABET)] for i in range(length))


def keys(seed: int) -> dict[str, str]:
    return {
        "ANTHROPIC_API_KEY": f"sk-ant-api03-{secret(seed, 93)}AA",
        "OPENAI_API_KEY": f"sk-proj-{secret(seed + 1, 74)}T3BlbkFJ{secret(seed + 2, 74)}",
        "GATEWAY_API_KEY": f"sk-{secret(seed + 3, 45)}4z7",
        "OPENROUTER_API_KEY": "sk-or-v1-" + "".join(f"{(seed * 31 + i * i) % 16:x}" for i in range(64)),
        "WEATHER_SERVICE_TOKEN": f"wx_{secret(seed + 4, 24)}",
        "DATABASE_PASSWORD": f"{secret(seed + 5, 18)}!",
    }


A, B = keys(1), keys(13)
SHAPED = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GATEWAY_API_KEY", "OPENROUTER_API_KEY"]
"""Known by their shape, where no environment tells them."""


def windows(text: str, size: int = 12) -> set[str]:
    """Every part of a secret that is long enough to be one."""
    core = text.rpartition("-")[2]
    return {core[i : i + size] for i in range(len(core) - size + 1)} or {core}


def assert_clean(text: str, secrets: dict[str, str]) -> None:
    for name, value in secrets.items():
        assert value not in text, f"{name} is in the file"
        found = sorted(part for part in windows(value) if part in text)
        assert not found, f"a part of {name} is in the file"


def shown(convo: Conversation) -> str:
    """What a test can read of a conversation."""
    texts = [repr([convo, convo.notes, convo.exchanges, convo.turns])]
    texts += [repr(astuple(turn.response)) for turn in convo.turns]
    for exchange in convo.exchanges:
        texts += [repr(astuple(exchange)), exchange.body.decode(), json.dumps(exchange.request.json)]
    return "\n".join(texts)


def use(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in A:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def ask(url: str, prompt: str = "Hello") -> list[Any]:
    with anthropic.Anthropic(base_url=url) as api, openai.OpenAI(base_url=url + "/v1") as other:
        message = api.messages.create(**body(prompt))
        completion = other.chat.completions.create(model=MODEL, messages=body(prompt)["messages"])
        with api.messages.stream(**body(prompt)) as stream:
            streamed = stream.get_final_message()
    return [message.content[0].text, completion.choices[0].message.content, streamed.content[0].text]


@pytest.mark.parametrize("later", [B, {}], ids=["other keys", "no keys"])
def test_keys_in_headers(later, upstream: Upstream, cassette: Path, monkeypatch):
    url = upstream.url()
    use(monkeypatch, A)
    with use_cassette(cassette, record="once"):
        recorded = ask(url)
    assert A["ANTHROPIC_API_KEY"] in str(upstream.log()[0].headers)
    assert_clean(cassette.read_text(), A)
    upstream.stop()
    use(monkeypatch, later)
    with use_cassette(cassette):
        assert ask(url) == recorded


@pytest.mark.parametrize("name", A)
def test_a_key_in_the_prompt_echoed_in_pieces(name, upstream: Upstream, cassette: Path, monkeypatch):
    """The upstream's model says what it was told, eight characters per delta."""
    url = upstream.url("echo")
    use(monkeypatch, A)
    with use_cassette(cassette, record="once") as convo:
        recorded = ask(url, f"My key is {A[name]}, keep it.")
    assert recorded == [f"My key is {A[name]}, keep it."] * 3  # the application sees what was sent
    written = cassette.read_text()
    assert_clean(written + shown(convo), A)
    upstream.stop()
    (held,) = set(re.findall(r"My key is (redacted-[\w-]+), keep", written))
    for later, said in ((A, A[name]), (B, B[name]), ({}, A[name]), ({}, held)):
        use(monkeypatch, later)
        with use_cassette(cassette) as convo:
            replayed = ask(url, f"My key is {said}, keep it.")
        # What its own request said, where it can be told for a secret.
        answer = said if later or name in SHAPED else held
        assert replayed == [f"My key is {answer}, keep it."] * 3
        assert_clean(shown(convo), A | B)
        assert cassette.read_text() == written


def test_a_key_that_only_the_answer_holds(upstream: Upstream, cassette: Path, monkeypatch):
    """Its request does not say it, so that a replay has nothing to say in its place."""
    use(monkeypatch, A)
    url = upstream.url("echo", "/v1/messages")
    with use_cassette(cassette, record="once"):
        httpx.post(url, json=body(f"It is {A['ANTHROPIC_API_KEY']}."))
    upstream.stop()
    with use_cassette(cassette, match_on=["method", "path"]):
        answer = httpx.post(url, json=body("What is it?")).json()
    assert answer["content"][0]["text"] == "It is redacted-anthropic-key-1."


@pytest.mark.parametrize("name", SHAPED)
@pytest.mark.parametrize("later", [{}, B], ids=["no keys", "other keys"])
def test_a_key_known_by_its_shape(name, later, upstream: Upstream, cassette: Path, monkeypatch):
    """Set nowhere in the environment: in a prompt that a program holds."""
    url = upstream.url("echo,piece=5")
    use(monkeypatch, B)
    with use_cassette(cassette, record="once"):
        ask(url, f"curl -H 'authorization: Bearer {A[name]}'")
    assert_clean(cassette.read_text(), A | B)
    upstream.stop()
    use(monkeypatch, later)
    with use_cassette(cassette):
        ask(url, f"curl -H 'authorization: Bearer {A[name]}'")


def test_keys_in_unusual_places(upstream: Upstream, cassette: Path, monkeypatch):
    use(monkeypatch, A)
    key = A["ANTHROPIC_API_KEY"]
    url = upstream.url("echo", "/v1/messages")
    tool = {"name": "get", "description": f"uses {key}", "input_schema": {"type": "object", key: 1}}
    requests = [
        {**body("x"), "tools": [tool]},
        {**body("x"), "system": f"Key: {key}"},
        body(json.dumps({"nested": json.dumps({"key": key})})),
        body([{"type": "text", "text": f"a {key}"}, {"type": "text", "text": f"{A['GATEWAY_API_KEY']} b"}]),
    ]
    with use_cassette(cassette, record="once"):
        for request in requests:
            httpx.post(url, json=request, params={"key": key}, headers={"x-api-key": key, "x-custom": key})
        httpx.post(url.replace("http://", f"http://user:{key}@"), json=body("y"))
    assert_clean(cassette.read_text(), A)
    upstream.stop()
    with use_cassette(cassette):
        for request in requests:
            httpx.post(url, json=request, params={"key": key}, headers={"x-api-key": key})


def test_two_keys_stay_two(upstream: Upstream, cassette: Path, monkeypatch):
    """Which answer belongs to which of two keys survives, whatever the keys are."""
    url = upstream.url("counter", "/v1/messages")

    def both(environment: dict[str, str], order: list[str]) -> dict[str, str]:
        use(monkeypatch, environment)
        pair = {"one": environment["ANTHROPIC_API_KEY"], "two": environment["ANTHROPIC_API_KEY"][:-8] + "ZZZZZZAA"}
        httpx.post(url, json=body(f"{pair['one']} then {pair['two']}"))
        return {name: httpx.post(url, json=body(pair[name])).json()["content"][0]["text"] for name in order}

    with use_cassette(cassette, record="once"):
        httpx.post(url, json=body("nothing"))
        recorded = both(A, ["one", "two"])
    upstream.stop()
    with use_cassette(cassette):
        httpx.post(url, json=body("nothing"))
        assert both(B, ["two", "one"]) == recorded


WORDS = ("Nachtigall", "SPECTRE", "4711")


def test_named_secrets(upstream: Upstream, cassette: Path):
    url = upstream.url("echo,piece=3")
    text = "Agent 007-SPECTRE knows Projekt Nachtigall and codeword-4711."

    def spans(value: str) -> list[tuple[int, int]]:
        at = value.find("codeword-4711")
        return [(at, at + len("codeword-4711"))] if at >= 0 else []

    settings = {"secrets": ["Projekt Nachtigall", re.compile(r"\d{3}-[A-Z]+"), spans]}
    with use_cassette(cassette, record="once", **settings):
        httpx.post(url + "/v1/messages", json=body(text, stream=True))
    written = cassette.read_text()
    for word in WORDS:
        assert word not in written
    upstream.stop()
    with use_cassette(cassette, **settings) as convo:
        answer = httpx.post(url + "/v1/messages", json=body(text, stream=True)).text
    deltas = [json.loads(event.data).get("delta", {}) for event in sse.split(answer.encode()) if event.data]
    assert "".join(delta.get("text", "") for delta in deltas) == text
    for word in WORDS:
        assert word not in shown(convo)


def test_a_miss_never_shows_a_key(upstream: Upstream, cassette: Path, monkeypatch):
    from convo_replay import CassetteMiss

    use(monkeypatch, A)
    url = upstream.url("echo")
    with use_cassette(cassette, record="once"), anthropic.Anthropic(base_url=url) as api:
        api.messages.create(**body(f"Use {A['ANTHROPIC_API_KEY']} for Paris"))
    with (
        pytest.raises(CassetteMiss) as caught,
        use_cassette(cassette),
        anthropic.Anthropic(base_url=url) as api,
    ):
        api.messages.create(**body(f"Use {A['ANTHROPIC_API_KEY']} for London"))
    assert "London" in str(caught.value)
    assert_clean(str(caught.value) + repr(caught.value), A)


@pytest.mark.parametrize("name", A)
def test_a_key_in_a_tool_call_and_in_thinking(name, upstream: Upstream, cassette: Path, monkeypatch):
    """In JSON that comes in fragments of five characters, at two depths, and in the thinking before it."""
    url = upstream.url("echotool,piece=5")
    use(monkeypatch, A)
    with use_cassette(cassette, record="once"), anthropic.Anthropic(base_url=url) as api:
        with api.messages.stream(**body(f"Note {A[name]}.")) as stream:
            assert A[name] in str(stream.get_final_message())
        with openai.OpenAI(base_url=url + "/v1") as other:
            list(other.chat.completions.create(model=MODEL, messages=body(f"Note {A[name]}.")["messages"], stream=True))
    assert_clean(cassette.read_text(), A)
    upstream.stop()
    use(monkeypatch, B)
    with use_cassette(cassette) as convo, anthropic.Anthropic(base_url=url) as api:
        with api.messages.stream(**body(f"Note {B[name]}.")) as stream:
            note = stream.get_final_message().content[1].input
        with openai.OpenAI(base_url=url + "/v1") as other:
            list(other.chat.completions.create(model=MODEL, messages=body(f"Note {B[name]}.")["messages"], stream=True))
    assert note["text"] == note["nested"][0] == f"Note {B[name]}."
    assert_clean(shown(convo), A | B)


def test_a_key_that_comes_back_in_the_next_turn(upstream: Upstream, cassette: Path, monkeypatch):
    """The answer holds it, and is sent back: what is replayed is what is matched."""
    url = upstream.url("echo,piece=7")

    def converse(key: str) -> None:
        messages = [{"role": "user", "content": f"The key is {key}"}]
        with anthropic.Anthropic(base_url=url) as api:
            for _ in range(3):
                with api.messages.stream(model=MODEL, max_tokens=99, messages=messages) as stream:
                    text = stream.get_final_message().content[0].text
                messages += [{"role": "assistant", "content": text}, {"role": "user", "content": f"again {text}"}]

    for environment, record in ((A, "once"), (B, "none"), ({}, "none")):
        use(monkeypatch, environment)
        with use_cassette(cassette, record=record):
            converse({**A, **environment}["ANTHROPIC_API_KEY"])
        assert_clean(cassette.read_text(), A | B)
        upstream.stop()


@pytest.mark.parametrize("when", ["set inside", "gone at the end"])
def test_an_environment_that_changes_inside(when, upstream: Upstream, cassette: Path, monkeypatch):
    """`monkeypatch.setenv` in a test runs after the fixture opened its cassette, and is undone before it closes."""
    use(monkeypatch, {} if when == "set inside" else A)
    token = A["WEATHER_SERVICE_TOKEN"]
    with use_cassette(cassette, record="once"):
        monkeypatch.setenv("WEATHER_SERVICE_TOKEN", token)
        httpx.post(upstream.url("echo", "/v1/messages"), json=body(f"Call it with {token}"))
        monkeypatch.delenv("WEATHER_SERVICE_TOKEN")
    assert_clean(cassette.read_text(), {"token": token})


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "text/html", "application/octet-stream", "image/png"]
)
def test_a_key_in_other_bodies(kind, upstream: Upstream, cassette: Path, monkeypatch):
    use(monkeypatch, A)
    key = A["ANTHROPIC_API_KEY"]
    content = json.dumps({"a": key}, indent=1) if kind == "application/json" else f"<p>{key}</p> and {key}"
    headers = {"content-type": kind, "x-say": key}
    with use_cassette(cassette, record="once", intercept=["127.0.0.1"]):
        httpx.post(upstream.url("text", "/echo"), content=content.encode(), headers=headers)
    for path in cassette.parent.rglob("*"):
        if path.is_file():
            assert_clean(path.read_bytes().decode("latin-1"), A)
    upstream.stop()
    use(monkeypatch, B)
    with use_cassette(cassette, intercept=["127.0.0.1"]):
        content = content.replace(key, B["ANTHROPIC_API_KEY"])
        assert httpx.post(upstream.url("text", "/echo"), content=content.encode(), headers=headers).status_code == 200


def test_a_key_in_a_multipart_upload(upstream: Upstream, cassette: Path, monkeypatch):
    use(monkeypatch, A)
    key = A["ANTHROPIC_API_KEY"]
    files = {"file": (f"{key}.txt", f"key={key}".encode(), "text/plain")}
    with use_cassette(cassette, record="once", intercept=["127.0.0.1"]):
        httpx.post(upstream.url("text", "/echo"), files=files, data={"purpose": key})
    assert_clean(cassette.read_text(), A)


def test_a_key_in_an_error(upstream: Upstream, cassette: Path, monkeypatch):
    """A connection that is refused, to a URL with a key in it; the exception's words are recorded."""
    use(monkeypatch, A)
    key = A["ANTHROPIC_API_KEY"]
    url = upstream.url("text", f"/v1/messages?key={key}").replace("http://", f"http://{key}@")
    upstream.stop()
    with pytest.raises(httpx.ConnectError), use_cassette(cassette, record="once"):
        httpx.post(url, json=body())
    written = "".join(path.read_text() for path in cassette.parent.rglob("*.yaml"))
    assert_clean(written, A)


def test_what_the_gate_refuses_is_not_on_the_disk(upstream: Upstream, cassette: Path, monkeypatch):
    from dataclasses import replace

    from convo_replay import Exchange, LeakFound
    from convo_replay.exchange import Json

    use(monkeypatch, A)
    key = A["ANTHROPIC_API_KEY"]

    def careless(exchange: Exchange) -> Exchange:
        return replace(exchange, request=replace(exchange.request, body=Json({"model": "m", "note": key})))

    with pytest.raises(LeakFound) as caught, use_cassette(cassette, record="once", before_record=[careless]):
        httpx.post(upstream.url("echo", "/v1/messages"), json=body())
    assert_clean(str(caught.value) + repr(caught.value), A)
    assert not [path for path in cassette.parent.rglob("*") if path.is_file() and key in path.read_text()]
    assert not cassette.exists()


def test_the_conversation_shows_no_key(upstream: Upstream, cassette: Path, monkeypatch):
    use(monkeypatch, A)
    with use_cassette(cassette, record="once") as convo:
        ask(upstream.url("echo"), f"Keys: {' '.join(A.values())}")
    assert_clean(shown(convo), A)


def test_what_the_answer_s_headers_give_away_is_gone_from_its_request(upstream: Upstream, cassette: Path):
    """In a conversation of one call, where nothing comes later that would look back."""
    url = upstream.url("echo", "/v1/messages")
    text = f"I am of {ORGANIZATION} and have {COOKIE.partition('=')[2]}."
    with use_cassette(cassette, record="once"):
        httpx.post(url, json=body(text))
    written = cassette.read_text()
    assert ORGANIZATION not in written
    assert COOKIE.partition("=")[2] not in written
    upstream.stop()
    with use_cassette(cassette):
        assert httpx.post(url, json=body(text)).status_code == 200


def test_what_is_kept_is_kept_wherever_it_stands(upstream: Upstream, cassette: Path):
    url = upstream.url("echo", "/v1/messages")
    with use_cassette(cassette, record="once", redact={"organization-id": "keep"}):
        httpx.post(url, json=body(f"I am of {ORGANIZATION}."))
    assert cassette.read_text().count(ORGANIZATION) == 3  # the header, the question, the answer


def test_a_recording_made_anew_counts_from_one(upstream: Upstream, cassette: Path):
    url = upstream.url("echo", "/v1/messages")
    for _ in range(3):
        with use_cassette(cassette, record="rewrite"):
            httpx.post(url, json=body("Write to ada@engines.co.uk."))
        written = cassette.read_text()
        assert set(re.findall(r"redacted-email-\d+|req_REDACTED\d+", written)) == {"redacted-email-1", "req_REDACTED1"}
