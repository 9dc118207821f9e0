"""Which answers a fault fits; that none raises whatever was recorded; and providers of other packages."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from convo_replay import providers
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Step, Steps
from convo_replay.faults import positions
from convo_replay.faults.catalogue import catalogue
from convo_replay.faults.fault import Fault
from convo_replay.faults.status import Status
from convo_replay.providers.anthropic import Anthropic
from fault_cases import (
    ANTHROPIC,
    CHAT_EVENTS,
    CHAT_JSON,
    EXCHANGES,
    MESSAGE_JSON,
    MESSAGES_EVENTS,
    OPENAI,
    PING,
    answer,
    body,
    broken,
    chunk,
    delivered,
    made,
    named,
    stream,
)

MS, MJ, CS, CJ = EXCHANGES.values()  # a Messages stream and JSON, a chat stream and JSON
M, C = MESSAGES_EVENTS, CHAT_EVENTS
SAMPLES = [sample for fault in catalogue().values() for sample in fault.samples()]

# --- what fits ------------------------------------------------------------------------------------

STREAM_ONLY = {
    "bom", "comments", "cr", "crlf", "drop", "duplicate", "empty_data", "error", "error_text", "error_unnamed", "junk",
    "json_instead_of_stream", "keepalive", "malformed", "multiline", "no_terminal", "null_data", "reorder", "repeat",
    "slow", "unknown_delta", "unknown_event", "unnamed", "pings", "wrong_index", "choices_empty", "choices_null",
}  # fmt: skip
UNFIT = {
    "anthropic stream": {"truncated_json", "choices_empty", "choices_null"},
    "openai stream": {"truncated_json", "pings", "unknown_block", "unknown_delta:unfit", "unnamed", "wrong_index"},
    "anthropic JSON": STREAM_ONLY,
    "openai JSON": STREAM_ONLY | {"unknown_block"},
}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_fault_fits_and_changes_the_answer_or_says_what_it_wants(sample: Fault) -> None:
    for name, exchange in EXCHANGES.items():
        said = sample.fits(exchange)
        unfit = {sample.name, str(sample)} & UNFIT[name]
        assert bool(said) == bool(unfit), f"{sample} on {name}: {said or 'fits'}"
        if said:
            assert said.startswith("wants ")
            assert "\n" not in said
            continue
        count = positions.events(exchange)
        places: list[Any] = [None] if sample.positions == "none" or not sample.position_needed else []
        if sample.positions != "none":
            places += [2, count - 3] if count else []
            places += ["b0", "b17"] if sample.positions == "any" else []
        for place in places:
            steps = broken(sample, exchange, place)
            well_formed(steps)
            if sample.kind != "benign":
                assert steps != exchange.steps, (str(sample), name, place)
            elif positions.events(exchange):
                assert delivered(steps) == delivered(exchange.steps)
                assert steps[-1] == End()
            else:
                assert body(steps) == exchange.body


def well_formed(steps: Steps) -> None:
    """`Head? Chunk* End`, no chunk empty."""
    rest: tuple[Step, ...] = steps[1:] if isinstance(steps[0], Head) else steps
    assert all(isinstance(step, Chunk) and step.data for step in rest[:-1])
    assert isinstance(rest[-1], End)
    head = steps[0]
    assert not isinstance(head, Head) or "content-length" not in dict(head.headers)


NOTHING_THERE = [
    ("malformed@13", MS), ("drop@9", CS), ("duplicate@13", MS), ("reorder@12", MS), ("empty_data@9", CS),
    ("null_data@13", MS),
    ("reorder@1", stream(ANTHROPIC, M[0], PING, PING)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "exchange"), NOTHING_THERE)
def test_nothing_is_changed_where_nothing_is(text: str, exchange: Exchange) -> None:
    assert made(text, exchange) == exchange.steps


def test_comments_between_events_are_no_events() -> None:
    comment = b": waiting\n\n"
    recorded = stream(OPENAI, C[0], comment, *C[1:])
    for text, events in (("drop@1", [C[2]]), ("duplicate@1", [C[1], C[1]]), ("reorder@1", [C[2], C[1]])):
        chunks = [step.data for step in made(text, recorded) if isinstance(step, Chunk)]
        assert chunks[: 2 + len(events)] == [C[0], comment, *events]


SPARSE: list[tuple[str, Exchange]] = [
    ("no answer", Exchange(MS.request, (End("refused"),))),
    ("no body", answer(ANTHROPIC, b"")),
    ("no JSON", answer(OPENAI, b"<html>", content_type="text/html")),
    ("an error", answer(ANTHROPIC, {"type": "error", "error": None}, status=500)),
    ("odd JSON", answer(OPENAI, {"choices": [None, {"message": {"tool_calls": [7, {"function": "x"}]}}]})),
    ("odd content", answer(ANTHROPIC, {"content": [None, {"type": "tool_use", "input": None}]})),
    ("a list", answer(ANTHROPIC, b"[1]")),
    ("frames", answer(ANTHROPIC, b"\x00\x01\xff", content_type="application/vnd.amazon.eventstream")),
    ("no events", stream(ANTHROPIC, b": hello\n\n")),
    ("odd events", stream(ANTHROPIC, b"event: x\ndata: 1\n\n", b'data: {"index": "a"}\n\n', b"data: {")),
    ("odd chunks", stream(OPENAI, chunk({"tool_calls": [7, {"function": {"name": "f"}}]}))),
    ("cut", stream(ANTHROPIC, *M[:5], end=End("reset"))),
    ("CRLF", stream(ANTHROPIC, *[one.replace(b"\n", b"\r\n") for one in M])),
    ("no provider", dataclasses.replace(MS, request=Request("POST", "https://x.example/ask", (), Json({"q": "x"})))),
    ("a tool without input", stream(ANTHROPIC, *M[:8], *M[10:])),
]  # fmt: skip


@pytest.mark.parametrize(("what", "exchange"), SPARSE, ids=[what for what, _ in SPARSE])
def test_no_fault_raises_whatever_was_recorded(what: str, exchange: Exchange) -> None:
    for sample in SAMPLES:
        if sample.fits(exchange):
            continue
        if sample.positions == "none" or not sample.position_needed:
            well_formed(broken(sample, exchange))
        if sample.positions != "none":
            for place in range(positions.events(exchange) + 1):
                well_formed(broken(sample, exchange, place))


def test_what_a_fault_wants_is_said_of_what_is_there() -> None:
    refused = Exchange(MS.request, (End("refused"),))
    whole = stream(ANTHROPIC, M[6], M[10])
    for text, exchange, said in [
        ("html", refused, ""),
        ("malformed@1", MJ, "an event stream; the recorded answer is 200 application/json"),
        ("gzip:crc", refused, "an answer with a body; the recorded one is none (the recorded attempt ended refused)"),
        ("empty", answer(OPENAI, b""), "an answer with a body; the recorded one is 200 application/json"),
        ("rechunk", answer(OPENAI, b""), "an answer with a body; the recorded one is 200 application/json"),
        ("bad_utf8", refused, "an answer with a body; the recorded one is none (the recorded attempt ended refused)"),
        ("truncated_json", MS, "a JSON answer; the recorded one is 200 text/event-stream"),
        ("unknown_tool", stream(ANTHROPIC, *M[:6]), "an answer with a tool call; the recorded one has none"),
        ("tool_arguments", whole, "a tool call whose input comes in fragments; this one's came whole"),
        ("tool_truncated", whole, "a tool call with an input; this one's is empty, or came whole"),
        ("pings", CS, "the Messages API; this turn speaks chat completions"),
        ("content_type:application/json", MJ, "an answer of another type; the recorded one is 200 application/json"),
        ("usage_missing", stream(OPENAI, *C[:7]), "an answer that ends with its usage; it is 200 text/event-stream"),
        ("no_terminal", stream(OPENAI, *C[:3]), "a stream that was ended"),
    ]:
        assert named(text)[0].fits(exchange) == (f"wants {said}" if said else "")


# --- providers of other packages ------------------------------------------------------------------


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Exchange]:
    """Makes a provider the only one there is; the exchange is one of its streams."""

    def only(provider: Any, *events: bytes) -> Exchange:
        monkeypatch.setattr(providers, "providers", lambda: (provider,))
        return stream("https://gw.example/ask", *(events or M))

    return only


class Gateway(Anthropic):
    """Speaks the Messages API in its own words, or in none."""

    name = "gateway"
    error_bodies = {503: {"fault": {"text": "busy"}}}  # type: ignore[assignment]  # noqa: RUF012

    def generates(self, request: Request) -> bool:
        return True

    def error_headers(self, status: int) -> dict[str, str]:
        return {"X-Gateway": str(status)}


def test_a_provider_from_outside_says_how_it_fails(outside: Callable[..., Exchange]) -> None:
    exchange = outside(Gateway())
    head, part, _ = made("503", exchange)
    assert isinstance(head, Head)
    assert isinstance(part, Chunk)
    assert ("x-gateway", "503") in head.headers
    assert json.loads(part.data) == {"fault": {"text": "busy"}}
    assert json.loads(body(made("429", exchange)))["error"]["type"] == "invalid_request_error"
    assert made("error@1", exchange)[2] == Chunk(0.0, b'event: error\ndata: {"fault":{"text":"busy"}}\n\n')


class Foreign(Gateway):
    """Another wire format: no `format` that we know, nothing said about errors, and a method that raises."""

    format = ""
    error_bodies = {}  # noqa: RUF012

    def error_headers(self, status: int) -> dict[str, str]:
        raise KeyError(status)


def test_another_wire_format_gets_what_needs_none(outside: Callable[..., Exchange]) -> None:
    exchange = outside(Foreign(), *C)
    assert json.loads(body(made("500", exchange))) == {
        "error": {"type": "server_error", "message": "Internal Server Error"}
    }
    assert made("error:busy@1", exchange)[2] == Chunk(0.0, b'data: {"error":{"type":"busy","message":"busy"}}\n\n')
    for text in ("tool_arguments", "wrong_index@1", "unknown_event@1", "choices_null"):
        assert "this turn speaks a format that its provider does not name" in named(text)[0].fits(exchange)
    for text in ("malformed@1", "drop@1", "crlf", "html", "cut:eof@1"):
        assert named(text)[0].fits(exchange) == ""


def test_every_fault_is_pure() -> None:
    for sample in SAMPLES:
        for exchange in EXCHANGES.values():
            if not sample.fits(exchange):
                place = 2 if sample.positions != "none" and positions.events(exchange) else None
                assert broken(sample, exchange, place) == broken(sample, exchange, place)
    assert [delivered(one.steps) for one in (MS, CS)] == [
        delivered(stream(ANTHROPIC, *M).steps),
        delivered(stream(OPENAI, *C).steps),
    ]
    assert (answer(ANTHROPIC, MESSAGE_JSON), answer(OPENAI, CHAT_JSON)) == (MJ, CJ)


@pytest.mark.parametrize("code", [0, 200, 204, 299, 1000])
def test_a_status_that_is_none(code: int) -> None:
    with pytest.raises(ValueError, match="expected 300 to 999"):
        Status(code)
