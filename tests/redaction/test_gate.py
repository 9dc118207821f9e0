"""The gate: what redaction was kept from removing is found, named by class and place, never by value."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from convo_replay.exchange import Chunk, End, Exchange, Head, Headers, Json, Request, Text
from convo_replay.redaction import Redactor, leaks, leaks_in_text

KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
UUID = "a1b2c3d4-0000-4000-8000-0123456789ab"


def _exchange(url: str = "https://x", headers: Headers = (), body: Any = None, **rest: Any) -> Exchange:
    return Exchange(Request("POST", url, headers, body), rest.pop("steps", (End(),)), **rest)


def _answer(data: str, type: str = "application/json", headers: Headers = ()) -> Exchange:
    return _exchange(steps=(Head(200, (("content-type", type), *headers)), Chunk(0.1, data.encode()), End()))


def _deltas(*pieces: str) -> str:
    made = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces]
    return "".join(f"data: {json.dumps(delta)}\n\n" for delta in made)


SPLIT = _deltas("a ", KEY[:40], KEY[40:], " b")
SIGNED = base64.b64encode(b"abc" * 9 + UUID.encode()).decode()
CASES: list[tuple[Exchange, list[tuple[str, str]]]] = [
    (_exchange(f"https://x/{KEY}"), [("anthropic-key", "request.url")]),
    (_exchange("https://x/?key=abc"), [("url-key", "request.url")]),
    (_exchange(headers=(("x-api-key", "abc"),)), [("header", "request.headers.x-api-key")]),
    (_exchange(headers=(("anthropic-beta", KEY),)), [("anthropic-key", "request.headers.anthropic-beta")]),
    (_exchange(headers=(("x-foo", "ada@lovelace.dev"),)), [("email", "request.headers.x-foo")]),
    (_answer("{}", headers=(("x-foo", KEY),)), [("anthropic-key", "response.headers.x-foo")]),
    (_exchange(body=Json({"a": [{"b": f"x {KEY}"}]})), [("anthropic-key", "request.json.a[0].b")]),
    (_exchange(body=Json({"messages": ["x", {KEY: 1}]})), [("anthropic-key", "request.json.messages[1]")]),
    (_exchange(body=Text(KEY)), [("anthropic-key", "request.body")]),
    (_exchange(test=f"t[{KEY}]"), [("anthropic-key", "test")]),
    (_answer(json.dumps({"c": ["a", KEY]})), [("anthropic-key", "response.json.c[1]")]),
    (_answer(KEY, "text/plain"), [("anthropic-key", "response.body")]),
    (_answer("{}", headers=(("request-id", "req_1"),)), [("request-id", "response.headers.request-id")]),
    (_answer("{}", headers=(("set-cookie", "a=b"),)), [("header", "response.headers.set-cookie")]),
    (_answer(SPLIT, "text/event-stream"), [("anthropic-key", f"response.sse[{at}]") for at in (1, 2)]),
    (_exchange(steps=(End("refused", detail=KEY),)), [("anthropic-key", "response.end")]),
    (_exchange(body=Json([{"signature": SIGNED}])), [("opaque", "request.json[0]")]),
]  # fmt: skip


@pytest.mark.parametrize(("exchange", "places"), CASES)
def test_a_leak_is_named_by_class_and_place(exchange: Exchange, places: list[tuple[str, str]]) -> None:
    redactor = Redactor()
    clean = _exchange(body=Json({"messages": ["hello"]}))
    expected = [(cls, f"exchanges[1].{place}") for cls, place in places]
    assert leaks([clean, exchange], redactor) == expected
    assert leaks([redactor.exchange(exchange)], redactor) == [] or exchange.test
    assert leaks([clean, exchange], redactor) == expected, "also after the redactor has seen it"
    assert KEY not in repr(expected)


def test_a_harmless_header_that_someone_put_there_is_no_leak() -> None:
    exchange = _exchange(headers=(("x-note", "kept by before_record"), ("anthropic-version", "2026-10-21")))
    assert leaks([exchange], Redactor()) == []


def test_looking_names_and_changes_nothing() -> None:
    redactor = Redactor()
    body = Json([{"type": "thinking", "thinking": KEY, "signature": "x"}])
    assert leaks([_exchange(body=body)], redactor)
    assert redactor.resendable
    assert redactor.text(KEY) == "redacted-anthropic-key-1"


def test_a_file_is_searched_as_it_is_written() -> None:
    redactor = Redactor(secrets=['quo"ted secret'])
    lines = ["a: 1", f'b: "{KEY}"', 'c: {"x":"quo\\"ted secret"}', "d: cXVvInRlZCBzZWNyZXQ=", "e: redacted-secret-1"]
    assert leaks_in_text("\n".join(lines).encode(), redactor) == [
        ("anthropic-key", "line 2"), ("secret", "line 3"), ("secret", "line 4"),
    ]  # fmt: skip
    assert leaks_in_text(b"\xff\x00 nothing", redactor) == []


def test_whom_the_name_of_a_test_names_its_source_names_too() -> None:
    assert leaks([_exchange(test="test_a.py::test_b[ada@corp.co.uk-Ada]")], Redactor()) == []
    assert leaks([_exchange(test=f"test_a.py::test_b[{KEY}]")], Redactor()) == [("anthropic-key", "exchanges[0].test")]


def test_what_was_redacted_before_is_no_reason_to_pass_it() -> None:
    redactor = Redactor()
    signed = {"type": "thinking", "thinking": "hm", "signature": "Ex4mple" * 8}
    message = {"role": "user", "content": [signed, {"type": "text", "text": "ask ada@lovelace.dev"}]}
    exchange = _exchange(body=Json({"model": "m", "messages": [message]}))
    assert leaks([redactor.exchange(exchange)], redactor) == []
    assert [cls for cls, _ in leaks([exchange], redactor)] == ["email"]
