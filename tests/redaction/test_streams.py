"""A value that comes in pieces is one value, and the same as in the turn that the client sends back."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import pytest

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Head, Json, Request
from convo_replay.redaction import Redactor
from convo_replay.redaction.placeholders import found

KNOWN = 'näh/"quoted\\back\ttab 😀 end'
KEY = "sk-ant-api03-" + "Ex4mple" * 5
KINDS: dict[str, str] = {
    "key": KEY,
    "github": "ghp_" + "Ex4mple9" * 5,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLWV4YW1wbGU",
    "known": KNOWN,
    "address": "ada.lovelace" + "@" + "acme-corp.com",
    "url": "postgres://ada:" + "s3cr3tPa55w0rd" + "@db.acme.io/x",
    "password in text": "export DB_PASSWORD=" + "tR5x-9Qm2!vK7w" + " now",
    "password in code": 'connect(user="ada", password="' + "tR5x9Qm2vK7wLz44" + '")',
    "base64": base64.b64encode(f"token {KEY} end".encode()).decode(),
    "base64 twice": base64.b64encode(base64.b64encode(f"token {KEY} end".encode())).decode(),
    "hex": KEY.encode().hex(),
    "percent": "https://x.acme.io/?a=" + "".join(f"%{byte:02X}" for byte in KEY.encode()),
    "private key": "-----BEGIN " + "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkq\n" * 3 + "-----END PRIVATE KEY-----",
}  # fmt: skip
ALL = os.environ.get("CONVO_PLANTED") == "all"
"""Every position for every kind, not for a few."""


def _redactor() -> Redactor:
    return Redactor(secrets=[KNOWN])


def _anthropic(kind: str, field: str) -> Callable[[str], dict[str, Any]]:
    return lambda piece: {"type": "content_block_delta", "index": 1, "delta": {"type": kind, field: piece}}


def _chat(delta: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    return lambda piece: {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta(piece)}]}


def _bedrock(delta: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    return lambda piece: {"contentBlockIndex": 0, "delta": delta(piece), "p": "abc"}


Event = Callable[[str], dict[str, Any]]
Path = tuple[str | int, ...]
TEXTS: dict[str, tuple[Event, Path]] = {
    "text": (_anthropic("text_delta", "text"), ("delta", "text")),
    "thinking": (_anthropic("thinking_delta", "thinking"), ("delta", "thinking")),
    "chat": (_chat(lambda piece: {"content": piece}), ("choices", 0, "delta", "content")),
    "responses": (
        lambda piece: {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece},
        ("delta",),
    ),
    "gemini": (
        lambda piece: {"candidates": [{"content": {"parts": [{"text": piece}], "role": "model"}}]},
        ("candidates", 0, "content", "parts", 0, "text"),
    ),
    "bedrock": (_bedrock(lambda piece: {"text": piece}), ("delta", "text")),
    "cohere": (
        lambda piece: {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}},
        ("delta", "message", "content", "text"),
    ),
    "assistants": (
        lambda piece: {
            "object": "thread.message.delta",
            "delta": {"content": [{"index": 0, "type": "text", "text": {"value": piece}}]},
        },
        ("delta", "content", 0, "text", "value"),
    ),
    "vercel": (lambda piece: {"type": "text-delta", "textDelta": piece}, ("textDelta",)),
    "dify": (lambda piece: {"event": "message", "answer": piece}, ("answer",)),
    "mcp": (
        lambda piece: {"method": "notifications/progress", "params": {"progress": 1, "message": piece}},
        ("params", "message"),
    ),
    "patches": (
        lambda piece: {"ops": [{"op": "add", "path": "/streamed_output_str/-", "value": piece}]}, ("ops", 0, "value"),
    ),
    "legacy": (lambda piece: {"type": "completion", "completion": piece}, ("completion",)),
}  # fmt: skip
ARGUMENTS: dict[str, tuple[Event, Path]] = {
    "partial_json": (_anthropic("input_json_delta", "partial_json"), ("delta", "partial_json")),
    "chat arguments": (
        _chat(lambda piece: {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
        ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
    ),
    "responses arguments": (
        lambda piece: {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": piece},
        ("delta",),
    ),
    "bedrock arguments": (_bedrock(lambda piece: {"toolUse": {"input": piece}}), ("delta", "toolUse", "input")),
}  # fmt: skip


def _streamed(event: Event, pieces: Sequence[str], **how: Any) -> list[bytes]:
    return [b"event: e\ndata: " + json.dumps(event(piece), **how).encode() + b"\n\n" for piece in pieces]


def _played(redactor: Redactor, raws: Sequence[bytes], path: Path) -> str:
    """The value that a client joins from the redacted stream; event by event nothing else has changed."""
    steps = redactor.steps(
        (Head(200, (("content-type", "text/event-stream"),)), *[Chunk(0, raw) for raw in raws], End())
    )
    chunks = [step.data for step in steps if isinstance(step, Chunk)]
    assert len(chunks) == len(raws)
    pieces = []
    for chunk, raw in zip(chunks, raws, strict=True):
        (event,), (was,) = sse.split(chunk), sse.split(raw)
        assert event.event == was.event
        assert event.terminated
        value, before = json.loads(event.data or ""), json.loads(was.data or "")
        pieces.append(reduce(lambda held, step: held[step], path, value))
        owner = reduce(lambda held, step: held[step], path[:-1], value)
        owner[path[-1]] = reduce(lambda held, step: held[step], path, before)
        assert value == before
    return "".join(pieces)


def _sent(redactor: Redactor, block: Any) -> Any:
    body = {"messages": [{"role": "assistant", "content": [block]}]}
    return redactor.request(Request("POST", "https://x.example.com", (), Json(body))).json["messages"][0]["content"][0]


def _cuts(text: str, step: int = 1) -> list[list[str]]:
    """The text in two pieces at every position or at every `step`th, and in pieces of one and five characters."""
    halves = [[text[:cut], text[cut:]] for cut in range(0, len(text) + 1, 1 if ALL else step)]
    return halves + [[text[at : at + size] for at in range(0, len(text), size)] for size in (1, 5)]


@pytest.mark.parametrize("grammar", TEXTS)
def test_a_text_is_the_text_that_is_sent_back(grammar: str) -> None:
    event, path = TEXTS[grammar]
    for kind, secret in KINDS.items():
        text = f"it is {secret} é."
        redactor = _redactor()
        back = _sent(redactor, {"type": "text", "text": text})["text"]
        assert found(back), kind
        for pieces in _cuts(text, 5 if grammar == "text" else 29):
            assert _played(redactor, _streamed(event, pieces), path) == back, kind


@pytest.mark.parametrize("grammar", ARGUMENTS)
def test_arguments_are_the_input_that_is_sent_back(grammar: str) -> None:
    event, path = ARGUMENTS[grammar]
    for kind, secret in KINDS.items():
        for ascii in (True, False):
            given = {"a": 1, "deep": [{"note": f"it is {secret} é."}], "b": [True, "x"]}
            text = json.dumps(given, ensure_ascii=ascii)
            redactor = _redactor()
            back = _sent(redactor, {"type": "tool_use", "input": given})["input"]
            quoted = _sent(redactor, {"function": {"arguments": text}})["function"]["arguments"]
            assert json.loads(quoted) == back, kind
            assert found(back["deep"][0]["note"]), kind
            for pieces in _cuts(text, 11 if grammar == "partial_json" else 61):
                assert _played(redactor, _streamed(event, pieces, ensure_ascii=ascii), path) == quoted, kind


@pytest.mark.parametrize("kind", ["key", "known"])
def test_at_every_position(kind: str) -> None:
    given = {"note": f"it is {KINDS[kind]} é."}
    text = json.dumps(given)
    redactor = _redactor()
    expected = redactor.text(text)
    event, path = ARGUMENTS["partial_json"]
    for pieces in _cuts(text):
        assert _played(redactor, _streamed(event, pieces), path) == expected


def test_arguments_that_are_escaped_throughout() -> None:
    text = '{"note": "' + "".join(f"\\u{ord(char):04x}" for char in f"it is {KEY}") + '"}'
    event, path = ARGUMENTS["partial_json"]
    for pieces in _cuts(text, 7):
        joined = _played(_redactor(), _streamed(event, pieces), path)
        assert json.loads(joined) == {"note": "it is redacted-anthropic-key-1"}


def test_json_in_arguments_is_searched_by_its_values() -> None:
    event, path = ARGUMENTS["partial_json"]
    for kind, secret in KINDS.items():
        text = json.dumps({"body": json.dumps({"inner": json.dumps([secret])})})
        redactor = _redactor()
        expected = redactor.text(secret)
        for pieces in _cuts(text, 41):
            joined = _played(redactor, _streamed(event, pieces), path)
            assert json.loads(json.loads(json.loads(joined)["body"])["inner"]) == [expected], kind


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_arguments_that_were_cut_are_searched_as_far_as_they_came(size: int) -> None:
    text = json.dumps({"a": "x", "note": f"{KNOWN} and {KEY} and more"})[:-11]
    event, path = ARGUMENTS["partial_json"]
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    redactor = _redactor()
    assert redactor.text(KNOWN) == "redacted-secret-1"
    joined = _played(redactor, _streamed(event, pieces), path)
    assert joined == '{"a": "x", "note": "redacted-secret-1 and redacted-anthropic-key-1'


def test_only_the_deltas_that_hold_it_are_edited() -> None:
    text = json.dumps({"first": "before \\ it ", "second": f"a {KEY} b {KEY} c", "third": 'plain "text"'})
    event, _path = ARGUMENTS["partial_json"]
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    steps = _redactor().steps((Head(200), *[Chunk(0, raw) for raw in _streamed(event, pieces)], End()))
    made = [json.loads(s.data.split(b"data: ")[1])["delta"]["partial_json"] for s in steps if isinstance(s, Chunk)]
    name = "redacted-anthropic-key-1"
    assert "".join(made) == text.replace(KEY, name)
    assert [name in piece for piece in made].count(True) == 2
    first, last = text.index(KEY) // 7, (text.rindex(KEY) + len(KEY) - 1) // 7
    assert made[:first] == pieces[:first]
    assert made[last + 1 :] == pieces[last + 1 :]


HALVES = json.dumps(KNOWN)[1:-1].encode()


@pytest.mark.parametrize("cut", range(1, len(HALVES)))
def test_a_character_whose_halves_come_in_two_deltas(cut: int) -> None:
    """JSON lets an event end between the two escapes that make up one character."""
    before, after = HALVES[:cut], HALVES[cut:]
    for text in (before, after):
        try:
            json.loads(b'"' + text + b'"')
        except ValueError:
            return
    event = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}\n\n'
    steps = _redactor().steps((Head(200), Chunk(0, event % before), Chunk(0, event % after), End()))
    made = [json.loads(step.data[6:])["delta"]["text"] for step in steps if isinstance(step, Chunk)]
    assert made == ["redacted-secret-1", ""]


SECRET = "tR5x9Qm2vK7wLz44"


@pytest.mark.parametrize("name", ["password", "api_key", "clientSecret"])
def test_a_value_under_a_telling_name(name: str) -> None:
    """In arguments, in the input that is sent back, and from then on wherever it stands."""
    given = {"user": "ada", name: SECRET, "note": "as ever"}
    text = json.dumps(given)
    event, path = ARGUMENTS["partial_json"]
    for pieces in _cuts(text, 5):
        redactor = _redactor()
        joined = json.loads(_played(redactor, _streamed(event, pieces), path))
        assert joined == {**given, name: "redacted-named-secret-1"}
        assert _sent(redactor, {"type": "tool_use", "input": given})["input"] == joined
        assert _sent(redactor, {"type": "text", "text": f"it was {SECRET}"})["text"] == "it was redacted-named-secret-1"


def test_what_a_stream_tells_at_its_end_is_found_at_its_beginning() -> None:
    """Two values of one stream: what stands beside the second one makes it known in the first."""
    text, _ = TEXTS["text"]
    arguments, _ = ARGUMENTS["partial_json"]
    for end in ({**arguments(json.dumps({"token": SECRET})), "index": 2}, {"deep": [{"apiKey": SECRET}]}):
        pieces = [text(f"I use {SECRET[:5]}"), text(SECRET[5:]), end]
        raws = [b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces]
        steps = _redactor().steps((Head(200), *[Chunk(0, raw) for raw in raws], End()))
        made = b"".join(step.data for step in steps if isinstance(step, Chunk))
        assert SECRET[5:].encode() not in made
        assert made.count(b"redacted-named-secret-1") == 2


def test_a_value_known_by_its_place_beside_one_that_is_split() -> None:
    text, _ = TEXTS["text"]
    pieces = [{**text(KEY[:20]), "request_id": "ada"}, {**text(KEY[20:]), "request_id": "ada"}]
    pieces += [text(" x"), {**text(" y"), "request_id": "ada"}]
    raws = [b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces]
    steps = _redactor().steps((Head(200), *[Chunk(0, raw) for raw in raws], End()))
    made = [json.loads(step.data[6:]) for step in steps if isinstance(step, Chunk)]
    assert [event["delta"]["text"] for event in made] == ["redacted-anthropic-key-1", "", " x", " y"]
    assert [event.get("request_id") for event in made] == ["req_REDACTED1"] * 2 + [None, "req_REDACTED1"]


@pytest.mark.parametrize("where", ["model", "own", "list", "key", "comment", "event", "token"])
def test_what_stands_beside_the_deltas_is_searched(where: str) -> None:
    """In one event of many that are alike otherwise."""
    plain = b'event: e\ndata: {"model":"m","delta":{"text":"a"},"tags":["b"],"token":"none"}\n\n'
    edits = {
        "model": (b'"m"', b'"%b"'), "own": (b'"m"', b'"m","own":"%b"'), "list": (b'"b"', b'"b","%b"'),
        "key": (b'"tags"', b'"%b"'), "comment": (b"event: e\n", b": %b\n"), "event": (b"event: e", b"event: %b"),
        "token": (b'"none"', b'"%b"'),
    }  # fmt: skip
    old, new = edits[where]
    secret, name = (SECRET, "redacted-named-secret-1") if where == "token" else (KEY, "redacted-anthropic-key-1")
    raws = [plain] * 600
    raws[317] = plain.replace(old, new % secret.encode())
    steps = _redactor().steps((Head(200), *[Chunk(0, raw) for raw in raws], End()))
    made = [step.data for step in steps if isinstance(step, Chunk)]
    assert made[317] == plain.replace(old, new % name.encode())
    assert [raw for raw in made if raw != plain] == [made[317]]


def test_texts_searched_together_are_found_as_each_by_itself() -> None:
    values = Redactor(secrets=[KNOWN])._values
    for kind, secret in KINDS.items():
        others = [f"nothing in number {n}" for n in range(40)]
        alone, before, after = secret, f"so {secret}", f"{secret} so"
        texts = [*others[:7], alone, *others[7:20], before, *others[20:], after]
        assert values._found(set(texts)) == {alone, before, after}, kind


def test_a_search_costs_what_the_text_costs_not_what_the_events_do() -> None:
    """Counted in texts searched: ten times the events, not one text more for each."""

    def searched(count: int) -> int:
        event, _ = TEXTS["chat"]
        raws = [b"data: " + json.dumps(event(f"word{n} ")).encode() + b"\n\n" for n in range(count)]
        redactor = _redactor()
        redactor.steps((Head(200), *[Chunk(0, raw) for raw in raws], End()))
        return redactor.scanned

    assert searched(2000) == searched(20)


def test_base64_of_a_secret_over_deltas_stays_base64() -> None:
    """Of a known one and of one that only its shape tells."""
    for secret in (KNOWN, KEY):
        text = "begin " + base64.b64encode(f"token {secret} end of it".encode()).decode() + " end"
        event, path = TEXTS["text"]
        redactor = _redactor()
        expected = redactor.text(text)
        assert len(expected) == len(text)
        assert secret.encode() not in base64.b64decode(expected.split()[1])
        for pieces in _cuts(text)[::5]:
            assert _played(redactor, _streamed(event, pieces), path) == expected


NUMBERS = {
    "phone": 4930123456789,
    "list": [4930123456789, 1],
    "minus": -4930123456789,
    "text": "4930123456789",
    "n": 17,
}
NUMBERS_BECOME = {
    "phone": "00-555-0000001", "list": ["00-555-0000001", 1], "minus": "-00-555-0000001", "text": "00-555-0000001",
    "n": 17,
}  # fmt: skip


ASKED: list[Any] = [[], ["4930123456789"], [re.compile(r"\b\d{13}\b")]]


@pytest.mark.parametrize("secrets", ASKED, ids=["by its name", "known", "by a pattern"])
def test_a_number_that_is_a_secret_becomes_a_string(secrets: list[Any]) -> None:
    text = json.dumps(NUMBERS)
    becomes = json.dumps(NUMBERS_BECOME)
    if secrets:
        becomes = becomes.replace("00-555-0000001", "redacted-secret-1")
    event, path = ARGUMENTS["partial_json"]
    for pieces in _cuts(text, 7):
        assert _played(Redactor(secrets=secrets), _streamed(event, pieces), path) == becomes
    redactor = Redactor(secrets=secrets)
    made = redactor.steps((Head(200), Chunk(0, text.encode()), End()))
    assert made[1] == Chunk(0, becomes.encode())
    assert redactor.steps(made) == made
    assert redactor.text(text) == becomes
    assert redactor.value(NUMBERS) == json.loads(becomes)
