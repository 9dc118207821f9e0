"""Planted secrets: every kind in every place, and in streams split at every position."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any
from urllib.parse import quote

import pytest

from convo_replay.exchange import (
    Binary,
    Body,
    Chunk,
    End,
    Exchange,
    Head,
    Json,
    Part,
    Parts,
    Request,
    Step,
    Steps,
    Text,
)
from convo_replay.redaction import Redactor, leaks
from convo_replay.redaction.classes import CLASSES, classify

KINDS: dict[str, str] = {
    **{f"{item.name}-{n}": item.example for n, item in enumerate(CLASSES) if classify(item.example)},
    "config": 'näh/"quoted\\back\ttab',
    "config-plain": "tiger-stripe",
    "config-pattern": "CUST-00042",
    "config-function": "<<<inner>>>",
    "env": "correct-horse-7-battery",
    "env-url": "p@ss/w0rd!x",
    "bearer": "sk-litellm-master",
    "basic": "opensesame!",
    "organization": "a1b2c3d4-0000-4000-8000-0123456789ab",
}
ALL = os.environ.get("CONVO_PLANTED") == "all"
EVERYWHERE = ("anthropic-key-3", "config", "config-pattern", "config-function", "env-url", "organization")
HEADERS = (
    ("authorization", "Bearer sk-litellm-master"),
    ("proxy-authorization", "Basic " + base64.b64encode(b"ada:opensesame!").decode()),
    ("anthropic-organization-id", "a1b2c3d4-0000-4000-8000-0123456789ab"),
)


def _angles(text: str) -> Iterator[tuple[int, int]]:
    start = text.find("<<<")
    if start >= 0 and text.find(">>>", start) >= 0:
        yield start, text.find(">>>", start) + 3


def _redactor() -> Redactor:
    environ = {"DB_PASSWORD": KINDS["env"], "DB_URL": "pg://ada:p%40ss%2Fw0rd%21x@db/x"}
    redactor = Redactor(environ, [KINDS["config"], "tiger-stripe", re.compile(r"CUST-\d{5}"), _angles])
    redactor.learn_request(Request("GET", "https://x.example.com", HEADERS))
    return redactor


def _ask(body: Body, url: str = "https://api.example.com/v1/messages") -> Exchange:
    return Exchange(Request("POST", url, HEADERS, body), (End("refused"),))


def _messages(*content: Any) -> Exchange:
    return _ask(Json({"messages": [{"role": "user", "content": item} for item in content]}))


def _answer(value: Any, **how: Any) -> Exchange:
    data = json.dumps(value, **how).encode()
    return _got(Head(200, (("content-type", "application/json"),)), Chunk(0.1, data), End())


def _stream(*events: Any, fields: str = "data: ") -> Exchange:
    raws = [f"{fields}{event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events]
    steps: Steps = (Head(200, (("content-type", "text/event-stream"),)), *[Chunk(0.1, raw) for raw in raws], End())
    return Exchange(Request("GET", "https://x"), steps)


def _got(*steps: Step) -> Exchange:
    return Exchange(Request("GET", "https://x"), steps)


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _signature(clear: str) -> str:
    return base64.b64encode(b"\1\2" + clear.encode() + b"\0\0\0\0").decode()


PLACES: dict[str, Callable[[str], Exchange]] = {
    "prompt": lambda s: _messages(f"use {s} please"),
    "content block": lambda s: _messages([{"type": "text", "text": s}]),
    "system": lambda s: _ask(Json({"system": f"key: {s}", "messages": []})),
    "tool result": lambda s: _messages([{"type": "tool_result", "content": [{"type": "text", "text": f"\n{s}\n"}]}]),
    "tool description": lambda s: _ask(Json({"tools": [{"name": "t", "description": s}]})),
    "tool input": lambda s: _messages([{"type": "tool_use", "input": {"deep": [{"er": [s]}]}}]),
    "object key": lambda s: _messages([{"type": "tool_use", "input": {s: 1}}]),
    "top-level key": lambda s: _ask(Json({s: 1})),
    "arguments": lambda s: _messages({"tool_calls": [{"function": {"arguments": json.dumps({"k": s})}}]}),
    "arguments twice": lambda s: _messages({"arguments": json.dumps({"k": json.dumps([s])})}),
    "image url": lambda s: _messages([{"type": "image", "source": {"url": f"https://x/{_quoted(s)}"}}]),
    "thinking": lambda s: _messages([{"type": "thinking", "thinking": f"so {s}", "signature": "c2ln" * 20}]),
    "signature": lambda s: _messages([{"type": "thinking", "thinking": "", "signature": _signature(s)}]),
    "user id": lambda s: _ask(Json({"metadata": {"user_id": s}})),
    "list body": lambda s: _ask(Json([s])),
    "string body": lambda s: _ask(Json(s)),
    "form body": lambda s: _ask(Text(f"a=b&c={_quoted(s)}")),
    "binary body": lambda s: _ask(Binary(b"\0" + s.encode() + b"\0\0")),
    "part": lambda s: _ask(Parts((Part("file", Text(f"x\n{s}\n"), f"{_quoted(s)}.txt"),))),
    "path": lambda s: _ask(None, f"https://api.example.com/v1/{_quoted(s)}/x"),
    "query": lambda s: _ask(None, f"https://api.example.com/v1?q={_quoted(s)}"),
    "answer": lambda s: _answer({"content": [{"type": "text", "text": f"it is {s}"}]}),
    "answer, ascii, indented": lambda s: _answer({"é": "ü\"", "text": f"it is {s} é"}, indent=2),
    "answer, utf-8": lambda s: _answer({"text": f"it is {s} é"}, ensure_ascii=False),
    "error body": lambda s: _answer({"error": {"message": f"bad key {s}"}}),
    "text body": lambda s: _got(Head(502), Chunk(0, f"<p>{s}</p>".encode()), End()),
    "response header": lambda s: _got(Head(302, (("location", f"https://y/{_quoted(s)}"),)), End()),
    "exception text": lambda s: _got(End("refused", 0.1, detail=f"cannot reach {s}")),
    "event": lambda s: _stream({"type": "message_start", "message": {"id": "msg_1", "model": f"a {s}"}}, "[DONE]"),
    "text event": lambda s: _stream("not json: " + s.replace("\t", " ").replace("\n", "\ndata: "), "[DONE]"),
    "comment": lambda s: _stream("x", fields=f": {s}\ndata: "),
    "cut event": lambda s: _cut(s),
    "lines of json": lambda s: _lines(s),
    "gemini array": lambda s: _answer([_gemini(s[:7]), _gemini(s[7:])]),
}  # fmt: skip


def _gemini(text: str) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]}


def _cut(secret: str) -> Exchange:
    whole = _stream(*_anthropic([f"it is {secret[:9]}", secret[9:]])).body
    return Exchange(
        Request("GET", "https://x"),
        (Head(200, (("content-type", "text/event-stream"),)), Chunk(0.1, whole[:-8]), End("reset")),
    )


def _lines(secret: str) -> Exchange:
    lines = "".join(json.dumps({"model": "m", "response": piece}) + "\n" for piece in (secret[:5], secret[5:], ""))
    return Exchange(Request("GET", "https://x"), (Head(200), Chunk(0.1, lines.encode()), End()))


def _anthropic(pieces: list[str]) -> list[dict[str, Any]]:
    return [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces]


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_survives_in_any_place(place: str) -> None:
    for kind, secret in KINDS.items():
        if (place == "text event" and "\t" in secret) or (place == "comment" and "\n" in secret):
            continue  # a field of an event holds no tab, and a comment no line break
        redactor = _redactor()
        redacted = redactor.exchange(PLACES[place](secret))
        shown = _everything(redacted)
        for form in {secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], quote(secret, safe="")}:
            assert form not in shown, kind
        assert leaks([redacted], redactor) == [], kind
        assert redactor.exchange(redacted) == redacted, kind
        assert secret not in repr(redactor), kind


def _everything(exchange: Exchange) -> str:
    request = exchange.request
    body = exchange.body.decode("utf-8", "replace")
    texts = [repr(astuple(request)), body, repr(exchange.head and astuple(exchange.head)), exchange.end.detail]
    texts.append(json.dumps(request.json, ensure_ascii=False))
    for event in body.split("\n\n"):
        texts.append(event)
    return "\n".join(texts)


def _block(kind: str, field: str) -> Callable[[str], dict[str, Any]]:
    return lambda piece: {"type": "content_block_delta", "index": 1, "delta": {"type": kind, field: piece}}


def _chat(field: str, index: int = 0) -> Callable[[str], dict[str, Any]]:
    return lambda piece: {"id": "chatcmpl-1", "choices": [{"index": index, "delta": {field: piece}}]}


def _chat_arguments(piece: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 1, "function": {"arguments": piece}}]}}]}


def _responses(kind: str, **where: Any) -> Callable[[str], dict[str, Any]]:
    return lambda piece: {"type": f"response.{kind}.delta", **where, "delta": piece}


GRAMMARS: dict[str, tuple[Callable[[str], dict[str, Any]], list[str | int]]] = {
    "anthropic text": (_block("text_delta", "text"), ["delta", "text"]),
    "anthropic thinking": (_block("thinking_delta", "thinking"), ["delta", "thinking"]),
    "anthropic arguments": (_block("input_json_delta", "partial_json"), ["delta", "partial_json"]),
    "anthropic compaction": (_block("compaction_delta", "content"), ["delta", "content"]),
    "chat content": (_chat("content"), ["choices", 0, "delta", "content"]),
    "chat refusal": (_chat("refusal", 3), ["choices", 0, "delta", "refusal"]),
    "chat reasoning": (_chat("reasoning_content"), ["choices", 0, "delta", "reasoning_content"]),
    "a gateway's own": (_chat("thoughts_of_model"), ["choices", 0, "delta", "thoughts_of_model"]),
    "chat arguments": (_chat_arguments, ["choices", 0, "delta", "tool_calls", 0, "function", "arguments"]),
    "completions": (lambda piece: {"choices": [{"index": 0, "text": piece}]}, ["choices", 0, "text"]),
    "responses text": (_responses("output_text", output_index=0, content_index=0), ["delta"]),
    "responses arguments": (_responses("function_call_arguments", item_id="fc_1"), ["delta"]),
    "gemini": (_gemini, ["candidates", 0, "content", "parts", 0, "text"]),
}


def _events(make: Callable[[str], dict[str, Any]], pieces: list[str]) -> list[bytes]:
    return [b"data: " + json.dumps(make(piece)).encode() + b"\n\n" for piece in pieces]


def _accumulated(raws: list[bytes], path: list[str | int]) -> str:
    text = ""
    for raw in raws:
        value = json.loads(raw.removeprefix(b"data: "))
        for step in path:
            value = value[step]
        text += value
    return text


def _redact_stream(redactor: Redactor, raws: list[bytes]) -> list[bytes]:
    head = Head(200, (("content-type", "text/event-stream"),))
    made = redactor.steps((head, *[Chunk(0.0, raw) for raw in raws], End()))
    return [step.data for step in made if isinstance(step, Chunk)]


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_secret_split_anywhere_is_one_secret(grammar: str) -> None:
    """At every position of each kind with CONVO_PLANTED=all; else of each kind some, and every one of some kinds."""
    make, path = GRAMMARS[grammar]
    for number, (kind, secret) in enumerate(KINDS.items()):
        text = f"it is {secret} é."
        redactor = _redactor()
        expected = redactor.text(text)
        assert secret not in expected
        step = 1 if ALL or (kind in EVERYWHERE and grammar in ("anthropic text", "chat arguments")) else 11
        for cut in range(number % step, len(text) + 1, step):
            raws = _events(make, [text[:cut], "", text[cut:]])
            made = _redact_stream(redactor, raws)
            assert len(made) == len(raws)
            assert _accumulated(made, path) == expected, (kind, cut)
            assert _redact_stream(redactor, made) == made, (kind, cut)


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_secret_in_many_deltas(grammar: str) -> None:
    text = f"a {KINDS['anthropic-key-3']} b {KINDS['env']} c {KINDS['env']}"
    make, path = GRAMMARS[grammar]
    for size in (1, 2, 5, 13):
        raws = _events(make, [text[at : at + size] for at in range(0, len(text), size)])
        made = _redact_stream(_redactor(), raws)
        assert len(made) == len(raws), size
        assert _accumulated(made, path) == _redactor().text(text), size


def test_the_placeholder_stands_whole_in_the_first_delta_touched() -> None:
    raws = _events(GRAMMARS["anthropic text"][0], ["a tiger", "-str", "ipe b", " c"])
    made = _redact_stream(_redactor(), raws)
    assert [json.loads(raw[6:])["delta"]["text"] for raw in made] == ["a redacted-secret-1", "", " b", " c"]
    assert made[3] is raws[3] or made[3] == raws[3]


def test_blocks_are_apart() -> None:
    def delta(index: int, text: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}

    exchange = _stream(delta(0, "tiger-"), delta(1, "stripe"), delta(0, "cub"), delta(1, "d"))
    assert _redactor().exchange(exchange).body == exchange.body


def test_text_of_a_block_start_goes_on_in_its_deltas() -> None:
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a tiger-"}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "stripe b"}}
    made = _redactor().exchange(_stream(start, delta)).body
    assert b"tiger" not in made
    assert b'"a redacted-secret-1"' in made
    assert b'" b"' in made
