"""What is told of a stream without parsing it: never less than what redacting it shows."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from convo_replay.exchange import Chunk
from convo_replay.redaction import Redactor, responses, skimming
from corpus import index, needs_corpus
from published import exchanges

ALL = bool(os.environ.get("CONVO_CORPUS_ALL"))
SECRET = "Zq8vLw3Rt6Yb1Nc5Pd2K"


def _values(*secrets: str) -> Any:
    return Redactor(secrets=list(secrets))._values


def _skimmed(body: bytes, values: Any) -> bool:
    return skimming.may_hold(body, values)


def _redacted(body: bytes, values: Any, monkeypatch: pytest.MonkeyPatch) -> bytes:
    with monkeypatch.context() as patch:
        patch.setattr(skimming, "may_hold", lambda *_: True)
        return b"".join([chunk.data for chunk in responses.redact([Chunk(0, body)], "text/event-stream", values)])


@needs_corpus
def test_a_published_stream_is_left_alone_only_where_nothing_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left = count = 0
    for row in index()[:: 1 if ALL else 8]:
        for exchange in exchanges(row):
            if exchange.is_stream:
                count += 1
                if not _skimmed(exchange.body, _values()):
                    left += 1
                    assert _redacted(exchange.body, _values(), monkeypatch) == exchange.body, row["path"]
    assert left > 0.8 * count > 40


def _stream(*datas: Any, before: str = "", end: str = "\n\n") -> bytes:
    return "".join(
        f"{before}data: {data if isinstance(data, str) else json.dumps(data)}{end}" for data in datas
    ).encode()


def _delta(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}, **more}


def _chat(text: str, **more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": text}}], **more}


HALVES = (SECRET[:9], SECRET[9:])
HOLDING: dict[str, bytes] = {
    "in one delta": _stream(_delta("a"), _delta(SECRET), _delta("b")),
    "in two": _stream(_delta("a"), *map(_delta, HALVES), _delta("b")),
    "in two, another between": _stream(_delta(HALVES[0]), {"type": "ping"}, _delta(HALVES[1])),
    "in two, chat": _stream(_chat("a"), *map(_chat, HALVES), "[DONE]"),
    "in two shapes": _stream(_chat(HALVES[0]), _chat(HALVES[1], usage=None)),
    "with a first piece of its own": _stream(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": HALVES[0]}},
        _delta(HALVES[1]),
    ),
    "two pieces an event": _stream(
        *[{"choices": [{"index": 0, "delta": {"content": half, "reasoning_content": "x"}}]} for half in HALVES]
    ),
    "escaped": _stream(*[json.dumps(_delta(half)).replace("R", "\\u0052") for half in HALVES]),
    "numbered": _stream(*[_delta(half, sequence_number=at) for at, half in enumerate(HALVES)]),
    "padded": _stream(*[_delta(half, obfuscation="a" * at) for at, half in enumerate(HALVES)]),
    "with carriage returns": _stream(*map(_delta, HALVES), end="\r\n\r\n"),
    "with a byte order mark": b"\xef\xbb\xbf" + _stream(*map(_delta, HALVES)),
    "named events": _stream(*map(_delta, HALVES), before="event: content_block_delta\n"),
    "in a comment": b": " + SECRET.encode() + b"\n\n" + _stream(_delta("a")),
    "in an id": b"id: " + SECRET.encode() + b"\n" + _stream(_delta("a")),
    "in a name": b"event: " + SECRET.encode() + b"\n" + _stream(_delta("a")),
    "in another field": _stream({"type": "message_start", "message": {"model": SECRET}}, _delta("a")),
    "beside a piece": _stream(_delta("a", model=SECRET), _delta("b", model=SECRET)),
    "as a key": _stream(_delta("a", **{SECRET: 1})),
    "over lines of data": b'data: {"type": "x",\ndata: "text": "' + SECRET.encode() + b'"}\n\n',
    "cut": _stream(*map(_delta, HALVES))[:-8],
    "no JSON": _stream("it is " + SECRET),
    "not UTF-8": b"data: \xff" + SECRET.encode() + b"\n\n",
    "by its place": _stream(_delta("a"), {"type": "response.created", "response": {"user": "ada"}}),
    "by its name": _stream(_delta("a"), {"type": "x", "api_key": "q7Rw9Zt2Lk4Xv8Bn1Mc6"}),
    "an escape that is none": _stream(_delta("a")) + _stream(json.dumps(_delta("@q " + SECRET)).replace("@", "\\")),
    "as the escapes of a row": _stream(*[json.dumps(_delta(char)).replace("R", "\\u0052") for char in f"\n{SECRET}"]),
    "half of it": _stream(_delta("it is "), _delta(SECRET[:12])),
    "log probabilities": _stream(
        *[
            {"choices": [{"delta": {}, "logprobs": {"content": [{"token": half, "bytes": [*half.encode()]}]}}]}
            for half in HALVES
        ]
    ),
}


@pytest.mark.parametrize("name", HOLDING)
def test_a_stream_that_holds_something_is_never_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = HOLDING[name]
    assert _redacted(body, _values(SECRET), monkeypatch) != body
    assert _skimmed(body, _values(SECRET))
    made = b"".join([chunk.data for chunk in responses.redact([Chunk(0, body)], "text/event-stream", _values(SECRET))])
    assert made == _redacted(body, _values(SECRET), monkeypatch)


@pytest.mark.parametrize("name", ["in two", "in two, chat", "numbered", "named events", "two pieces an event"])
def test_a_stream_that_holds_nothing_is(name: str) -> None:
    assert not _skimmed(HOLDING[name], _values())


def test_wherever_it_stands_in_a_row_of_events() -> None:
    pieces = [f"{number:015} " * 3 for number in range(160)]  # more than two windows
    assert not _skimmed(_stream(*map(_delta, pieces)), _values(SECRET))
    for at in range(len(pieces)):
        split = [*pieces[:at], *HALVES, *pieces[at:]]
        assert _skimmed(_stream(*map(_delta, split)), _values(SECRET)), at


def _many(text: str) -> bytes:
    return _stream(_delta("a"), {"type": "content_block_stop", "index": 0, "said": text}, _delta("b"))


def test_what_was_nothing_in_one_stream_may_be_something_in_the_next() -> None:
    values = _values()
    assert not _skimmed(_many(SECRET), values)
    assert not _skimmed(_many(SECRET), values)
    values.local = {SECRET: "request-id"}
    assert _skimmed(_many(SECRET), values)
    values.local = {}
    assert not _skimmed(_many(SECRET), values)
    values.learn(SECRET, "api-key")
    assert _skimmed(_many(SECRET), values)


def test_numbers_of_placeholders_in_a_stream_are_taken() -> None:
    values = _values()
    for number in (3, 7):
        assert not _skimmed(_many(f"redacted-email-{number}@example.com"), values)
        assert values.place("email", f"{number}@b.c") == f"redacted-email-{number + 1}@example.com"
    assert not _skimmed(_stream(_delta("redacted-jwt-4"), _delta("b")), values)
    assert values.place("jwt", SECRET) == "redacted-jwt-5"
