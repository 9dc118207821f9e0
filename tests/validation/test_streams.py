"""Streams as they should be, as they may be, and as they break: what is told of each, and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Headers, Json, Request
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Severity
from convo_replay.validation.responses import Read, read

VENDOR = {
    "anthropic": "https://api.anthropic.com/v1/messages",
    "openai_chat": "https://api.openai.com/v1/chat/completions",
}
GATEWAY = {"anthropic": "https://gate.example/v1/messages", "openai_chat": "https://gate.example/v1/chat/completions"}
TYPE = (("content-type", "text/event-stream"),)
Told = list[tuple[str, Severity, tuple[Any, ...]]]


def answered(
    format: str,
    body: bytes,
    *,
    url: str = "",
    headers: Headers = TYPE,
    end: EndKind = "complete",
    status: int = 200,
    sent: dict[str, Any] | None = None,
    betas: str = "",
) -> Read:
    """What is read where a request that asks for a stream is answered with `body`."""
    asked = {"model": "m", "stream": True, "messages": [], **(sent or {})}
    said = (("anthropic-version", "2023-06-01"), *((("anthropic-beta", betas),) if betas else ()))
    request = Request("POST", url or VENDOR[format], said, Json(asked))
    steps = (Head(status, headers), *([Chunk(0.0, body)] if body else ()), End(end))
    return read(Exchange(request, steps), Asked(request, format, []))


def told(read: Read) -> Told:
    return [(finding.rule, finding.severity, finding.where) for finding in read.findings]


def event(data: Any, name: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    name = data["type"] if name is None and isinstance(data, dict) else name
    return f"event: {name}\ndata: {text}\n\n".encode() if name else f"data: {text}\n\n".encode()


def delta(index: int, kind: str, key: str, part: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: part}}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


USAGE = {"input_tokens": 9, "output_tokens": 1}
MESSAGE: list[dict[str, Any]] = [
    {"type": "message_start", "message": {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": USAGE,
    }},
    start(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", "thinking", "Hm."),
    delta(0, "signature_delta", "signature", "c2ln"),
    stop(0),
    start(1, type="text", text=""),  # 5
    delta(1, "text_delta", "text", "Hel"),
    delta(1, "text_delta", "text", "lo"),
    stop(1),
    start(2, type="tool_use", id="toolu_01", name="look", input={}),  # 9
    delta(2, "input_json_delta", "partial_json", ""),
    delta(2, "input_json_delta", "partial_json", '{"city": "Par'),
    delta(2, "input_json_delta", "partial_json", 'is"}'),
    stop(2),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},  # 15
]  # fmt: skip
TEXT = {"type": "text", "text": "x"}
PING = {"type": "ping"}
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
EVENTS = [event(data) for data in MESSAGE]


def with_(at: int, *instead: Any, of: int = 1) -> bytes:
    """The stream with other events in place of `of` events from `at` on."""
    given = [part if isinstance(part, bytes) else event(part) for part in instead]
    return b"".join([*EVENTS[:at], *given, *EVENTS[at + of :]])


def changed(at: int, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The stream with one event's data changed."""
    data = json.loads(json.dumps(MESSAGE[at]))
    change(data)
    return with_(at, data)


def stopped(reason: str) -> bytes:
    return event({**MESSAGE[14], "delta": {"stop_reason": reason}})


WHOLE = b"".join(EVENTS)
REDACTED = event(start(0, type="redacted_thinking", data="ZGF0YQ=="))


def broken(rule: str, *where: Any, severity: Severity = "error") -> Told:
    return [(rule, severity, where)]


def warned(rule: str, *where: Any) -> Told:
    return broken(rule, *where, severity="warn")


def invalid(at: int) -> Told:
    return broken("stream-data-invalid", "events", at)


COUNTED = {
    "input_tokens": 9, "cache_read_input_tokens": 70, "output_tokens": 1, "server_tool_use": {"web_search_requests": 2}
}  # fmt: skip


def counting(**usage: Any) -> bytes:
    """The stream with counters at its start, and others at its end."""
    begins = event({**MESSAGE[0], "message": {**MESSAGE[0]["message"], "usage": COUNTED}})
    return begins + b"".join(EVENTS[1:14]) + event({**MESSAGE[14], "usage": {"output_tokens": 9, **usage}}) + EVENTS[15]


LEGAL = {
    "as it should be": WHOLE,
    "pings": with_(3, EVENTS[3], PING, PING).replace(EVENTS[14], EVENTS[14] + event(PING)),
    "a ping after the end": WHOLE + event(PING),
    "a ping without data": with_(4, b"event: ping\n\n", b"event: ping\ndata:\n\n", EVENTS[4]),
    "comments": b": hello\n\n" + WHOLE.replace(b"\n\n", b"\n\n: wait\n\n"),
    "blank lines": WHOLE.replace(b"\n\n", b"\n\n\n"),
    "crlf": WHOLE.replace(b"\n", b"\r\n"),
    "cr": WHOLE.replace(b"\n", b"\r"),
    "no space": WHOLE.replace(b": ", b":", 3).replace(b"data: ", b"data:"),
    "lines of data": WHOLE.replace(b', "index"', b',\ndata: "index"'),
    "id and retry": WHOLE.replace(b"event: ", b"id: 1\nretry: 10\nevent: "),
    "growing usage": with_(14, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 3}}, EVENTS[14]),
    "usage that says only what is new": changed(0, lambda data: data["message"].update(usage=COUNTED)),
    "usage that is the same": b"".join([EVENTS[0].replace(json.dumps(USAGE).encode(), json.dumps(COUNTED).encode()),
        *EVENTS[1:14], EVENTS[14].replace(b'{"output_tokens": 9}', json.dumps(COUNTED).encode()), EVENTS[15]]),
    "usage of the last of several iterations": changed(14, lambda data: data["usage"].update(
        input_tokens=3, iterations=[{"type": "compaction", "input_tokens": 9}, {"type": "message"}])),
    "empty deltas": with_(7, delta(1, "text_delta", "text", ""), EVENTS[7], delta(1, "text_delta", "text", "")),
    "the same delta twice": with_(7, EVENTS[7], EVENTS[7]),
    "no input": with_(11, of=2),
    "no deltas": with_(6, of=2),
    "a whole input in the start": with_(9, start(2, type="tool_use", id="toolu_01", name="look", input={"a": 1}), of=4),
    "thinking omitted": with_(2),
    "cut within thinking": b"".join([*EVENTS[:3], EVENTS[4], stopped("max_tokens"), EVENTS[15]]),
    "a whole block": b"".join([EVENTS[0], REDACTED, EVENTS[4], stopped("end_turn"), EVENTS[15]]),
    "no blocks": EVENTS[0] + stopped("end_turn") + EVENTS[15],
}  # fmt: skip


@pytest.mark.parametrize("body", LEGAL.values(), ids=LEGAL)
def test_nothing_is_told_of_a_legal_stream(body: bytes) -> None:
    for url in (VENDOR["anthropic"], GATEWAY["anthropic"]):
        read = answered("anthropic", body, url=url)
        assert told(read) == []
        assert read.reply is not None
        assert read.reply.complete


@pytest.mark.parametrize("headers", [(), (("content-type", "text/plain"),)], ids=["no type", "another type"])
def test_a_stream_is_known_without_its_content_type(headers: Headers) -> None:
    assert told(answered("anthropic", WHOLE, headers=headers)) == []
    assert told(answered("anthropic", with_(15), headers=headers)) == broken("stream-unterminated")


UNTERMINATED = broken("stream-unterminated")
BROKEN: dict[str, tuple[bytes, Told]] = {
    "24 end after a delta": (b"".join(EVENTS[:7]), UNTERMINATED),
    "24 end after a block": (b"".join(EVENTS[:9]), UNTERMINATED),
    "24 end within an event": (b"".join(EVENTS)[:-20], UNTERMINATED),
    "24 last event without its blank line": (b"".join(EVENTS)[:-1], UNTERMINATED),
    "24 a start alone": (EVENTS[0], UNTERMINATED),
    "24 half an event": (EVENTS[0][:-40], UNTERMINATED),
    "24 pings alone": (event(PING), UNTERMINATED),
    "25 no message_stop": (with_(15), UNTERMINATED),
    "30 half a document": (with_(6, event('{"type": "content_block_delta", "ind', "content_block_delta")), invalid(6)),
    "30 no message_start to read": (with_(0, event("{", "message_start")), invalid(0)),
    "30 no block start to read": (with_(5, event("{", "content_block_start")), invalid(5)),
    "30 no fragment to read": (with_(11, event("{", "content_block_delta")), invalid(11)),
    "30 no block stop to read": (with_(8, event("{", "content_block_stop")), invalid(8)),
    "30 no message_delta to read": (with_(14, event("{", "message_delta")), invalid(14)),
    "30 no message_stop to read": (with_(15, event("{", "message_stop")), invalid(15)),
    "30 a document of another kind": (with_(6, event("[1]", "content_block_delta")), invalid(6)),
    "31 empty data": (with_(6, b"event: content_block_delta\ndata:\n\n"), invalid(6)),
    "31 no data": (with_(6, b"event: content_block_delta\n\n"), invalid(6)),
    "32 null": (with_(6, event("null", "content_block_delta")), invalid(6)),
    "33 no utf-8": (WHOLE.replace(b"Hel", b"H\xffl"), invalid(6)),
    "33 a cut character": (WHOLE.replace(b"Hel", b"H\xe2\x82"), invalid(6)),
    "34 an error": (b"".join([*EVENTS[:7], event(ERROR)]), warned("stream-error", "events", 7)),
    "34 an error first": (event(ERROR), warned("stream-error", "events", 0)),
    "34 an error last": (WHOLE + event(ERROR), warned("stream-error", "events", 16)),
    "35 an error without JSON": (b"".join([*EVENTS[:7], event("overloaded", "error")]), invalid(7)),
    "35 an error without data": (b"".join([*EVENTS[:7], b"event: error\n\n"]),
        [*invalid(7), *UNTERMINATED]),
    "37 an error without its line": (b"".join([*EVENTS[:7], event({"error": {"message": "no"}}, "")]),
        broken("stream-error-unnamed", "events", 7)),
    "37 a typed error without its line": (b"".join([*EVENTS[:7], event(ERROR, "")]),
        broken("stream-error-unnamed", "events", 7)),
    "38 no lines": (b"".join(event(data, "") for data in MESSAGE), broken("stream-event-unnamed", "events", 0)),
    "38 one without": (with_(6, event(MESSAGE[6], "")), broken("stream-event-unnamed", "events", 6)),
    "42 a decoded part": (WHOLE[:700], UNTERMINATED),
    "43 a fragment twice": (with_(12, EVENTS[12], EVENTS[12]), broken("stream-tool-json", "events", 14)),
    "43 a fragment less": (with_(11), broken("stream-tool-json", "events", 12)),
    "44 the stream twice": (WHOLE + WHOLE, broken("stream-duplicate", "events", 16)),
    "45 two message_starts": (with_(0, EVENTS[0], EVENTS[0]), broken("stream-duplicate", "events", 1)),
    "45 two message_stops": (WHOLE + EVENTS[15], broken("stream-duplicate", "events", 16)),
    "45 two block starts": (with_(5, EVENTS[5], EVENTS[5]), broken("stream-duplicate", "events", 6)),
    "45 two block stops": (with_(8, EVENTS[8], EVENTS[8]), broken("stream-duplicate", "events", 9)),
    "45 a block twice": (with_(9, *EVENTS[5:9], EVENTS[9]), broken("stream-duplicate", "events", 9)),
    "45 two signatures": (with_(3, EVENTS[3], EVENTS[3]), broken("stream-duplicate", "events", 4, "delta")),
    "46 no message_start": (with_(0), broken("stream-order", "events", 0)),
    "47 an unopened index": (with_(6, {**MESSAGE[6], "index": 7}), broken("stream-index", "events", 6, "index")),
    "47 no block start": (with_(5), broken("stream-index", "events", 5, "index")),
    "47 no first block start": (with_(1), broken("stream-index", "events", 1, "index")),
    "a negative index": (with_(6, {**MESSAGE[6], "index": -1}), broken("stream-index", "events", 6, "index")),
    "the stop of another block": (with_(8, stop(5)), broken("stream-index", "events", 8, "index")),
    "a gap": (EVENTS[0] + b"".join(event({**data, "index": data["index"] + 1}) for data in MESSAGE[1:14])
        + EVENTS[14] + EVENTS[15], broken("stream-index", "events", 1, "index")),
    "a gap later": (b"".join(EVENTS[:9]) + b"".join(event({**data, "index": 4}) for data in MESSAGE[9:14])
        + EVENTS[14] + EVENTS[15], broken("stream-index", "events", 9, "index")),
    "48 a delta of another block": (with_(6, delta(1, "thinking_delta", "thinking", "x")),
        broken("stream-delta-mismatch", "events", 6, "delta")),
    "48 a delta for a whole block": (b"".join([EVENTS[0], REDACTED, event(delta(0, "text_delta", "text", "x")),
        EVENTS[4], stopped("end_turn"), EVENTS[15]]),
        broken("stream-delta-mismatch", "events", 2, "delta")),
    "49 no JSON": (with_(12, delta(2, "input_json_delta", "partial_json", 'is"}}')),
        broken("stream-tool-json", "events", 13)),
    "49 cut JSON": (with_(12), broken("stream-tool-json", "events", 12)),
    "49 JSON of another kind": (with_(11, delta(2, "input_json_delta", "partial_json", "[1]"), of=2),
        broken("stream-tool-json", "events", 12)),
    "50 no usage": (changed(14, lambda data: data.pop("usage")), broken("stream-usage-missing", "events", 14)),
    "50 no output_tokens": (changed(14, lambda data: data["usage"].clear()),
        broken("stream-usage-missing", "events", 14, "usage")),
    "53 a byte order mark": (b"\xef\xbb\xbf" + WHOLE, broken("stream-bom", "events", 0)),
    "a block without a stop": (with_(8), broken("stream-order", "events", 8)),
    "the last block without a stop": (with_(13), broken("stream-order", "events", 13)),
    "blocks interleaved": (b"".join(EVENTS[n] for n in (0, 1, 2, 3, 4, 5, 6, 9, 7, 10, 8, 11, 12, 13, 14, 15)),
        broken("stream-order", "events", 7)),
    "a delta after its block's stop": (b"".join(EVENTS[n] for n in (0, 1, 2, 3, 4, 5, 6, 8, 7, *range(9, 16))),
        broken("stream-order", "events", 8)),
    "a delta for a block before": (with_(6, {**MESSAGE[6], "index": 0, "delta": MESSAGE[2]["delta"]}),
        broken("stream-order", "events", 6)),
    "a block after message_delta": (b"".join([*EVENTS[:9], EVENTS[14], *EVENTS[9:14], EVENTS[15]]),
        broken("stream-order", "events", 10)),
    "message_delta before the blocks end": (b"".join([*EVENTS[:13], EVENTS[14], EVENTS[13], EVENTS[15]]),
        broken("stream-order", "events", 13)),
    "no message_delta": (with_(14), broken("stream-order", "events", 14)),
    "message_delta after message_stop": (b"".join([*EVENTS[:14], EVENTS[15], EVENTS[14]]),
        [*broken("stream-order", "events", 14), *broken("stream-after-end", "events", 15)]),
    "a block after the end": (WHOLE + b"".join(EVENTS[5:6]), broken("stream-after-end", "events", 16)),
    "an event after an error": (event(ERROR) + EVENTS[0],
        [*warned("stream-error", "events", 0), *broken("stream-after-end", "events", 1)]),
    "[DONE] after the end": (WHOLE + event("[DONE]", ""), warned("stream-after-end", "events", 16)),
    "thinking after the signature": (with_(3, EVENTS[3], EVENTS[2]), broken("stream-order", "events", 4, "delta")),
    "no signature": (with_(3), broken("stream-signature-missing", "events", 3)),
    "another name than type": (with_(6, event(MESSAGE[6], "message_delta")),
        broken("stream-event-mismatch", "events", 6, "type")),
    "no type": (with_(6, event({"index": 1, "delta": MESSAGE[6]["delta"]}, "content_block_delta")),
        broken("stream-event-mismatch", "events", 6)),
    "a message that is not empty": (changed(0, lambda data: data["message"]["content"].append(TEXT)),
        broken("stream-message-start", "events", 0, "message", "content")),
    "a message that has stopped": (changed(0, lambda data: data["message"].update(stop_reason="end_turn")),
        warned("stream-message-start", "events", 0, "message", "stop_reason")),
    "a block that is not empty": (changed(5, lambda data: data["content_block"].update(text="Oh")),
        broken("stream-block-start", "events", 5, "content_block", "text")),
    "an input that is there": (changed(9, lambda data: data["content_block"].update(input={"a": 1})),
        broken("stream-block-start", "events", 9, "content_block", "input")),
    "no reason to stop": (changed(14, lambda data: data["delta"].update(stop_reason=None)),
        broken("stream-stop-reason-missing", "events", 14, "delta")),
    "falling usage": (with_(14, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 30}}, EVENTS[14]),
        warned("stream-usage-falls", "events", 15, "usage", "output_tokens")),
    "falling output": (changed(14, lambda data: data["usage"].update(output_tokens=0)),
        warned("stream-usage-falls", "events", 14, "usage", "output_tokens")),
    "falling input": (changed(14, lambda data: data["usage"].update(input_tokens=0)),
        warned("stream-usage-falls", "events", 14, "usage", "input_tokens")),
    "a falling cache": (counting(cache_read_input_tokens=69),
        warned("stream-usage-falls", "events", 14, "usage", "cache_read_input_tokens")),
    "falling searches": (counting(server_tool_use={"web_search_requests": 1}),
        warned("stream-usage-falls", "events", 14, "usage", "server_tool_use", "web_search_requests")),
    "half a document and no stop": (b"".join([*EVENTS[:6], event("{", "content_block_delta"), EVENTS[7], *EVENTS[9:]]),
        [*invalid(6), *broken("stream-order", "events", 8)]),
    "an unsigned block before the one that was cut": (with_(3).replace(EVENTS[14], stopped("max_tokens")),
        broken("stream-signature-missing", "events", 3)),
    "an unknown block": (b"".join([EVENTS[0], event(start(0, type="musing")), EVENTS[3], EVENTS[3], EVENTS[2],
        EVENTS[4], stopped("end_turn"), EVENTS[15]]), warned("unknown-block", "events", 1, "content_block")),
    "an unknown event": (with_(6, {"type": "content_block_pause", "index": 1}, EVENTS[6]),
        warned("unknown-event", "events", 6)),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_a_stream_is_told_once_and_where(body: bytes, expected: Told) -> None:
    assert told(answered("anthropic", body)) == expected


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n\r\n", b"\r\r"], ids=["lf", "crlf", "cr"])
def test_what_the_end_cut_is_quoted(ending: bytes) -> None:
    end = ending[: len(ending) // 2]
    whole, half = WHOLE.replace(b"\n", end), WHOLE[:-1].replace(b"\n", end)
    assert told(answered("anthropic", whole)) == []
    (finding,) = answered("anthropic", half).findings
    assert "after 15 events and an event without its blank line" in finding.message
    assert "message_stop" in finding.message


CUT = with_(12, of=1).replace(EVENTS[14], stopped("max_tokens"))
OTHER_TOOL = {"tools": [{"name": "another", "input_schema": {}, "eager_input_streaming": True}]}
TOOL = {"tools": [{"name": "look", "input_schema": {}, "eager_input_streaming": True}]}


@pytest.mark.parametrize(
    ("body", "sent", "betas", "severity"),
    [
        pytest.param(CUT, {}, "", "info", id="max_tokens"),
        pytest.param(with_(12), TOOL, "", "info", id="eager"),
        pytest.param(with_(12), {}, "fine-grained-tool-streaming-2025-05-14", "info", id="beta"),
        pytest.param(with_(12), OTHER_TOOL, "", "error", id="another tool"),
        pytest.param(
            CUT.replace(EVENTS[13], EVENTS[13] + event(start(3, type="text", text="")) + event(stop(3))),
            {}, "", "error", id="max_tokens in a later block",
        ),
    ],
)  # fmt: skip
def test_tool_input_may_be_cut(body: bytes, sent: dict[str, Any], betas: str, severity: Severity) -> None:
    assert told(answered("anthropic", body, sent=sent, betas=betas)) == [("stream-tool-json", severity, ("events", 12))]


@pytest.mark.parametrize("format", VENDOR)
def test_what_the_client_left_unread_is_not_missed(format: str) -> None:
    events = EVENTS if format == "anthropic" else CHUNKS
    for reads in range(len(events) + 1):
        assert told(answered(format, b"".join(events[:reads]) + b"data: half", end="cancelled")) == []


def test_what_the_client_read_is_judged_though_it_left() -> None:
    body = b"".join([*EVENTS[:5], *EVENTS[6:9]])
    assert told(answered("anthropic", body, end="cancelled")) == broken("stream-index", "events", 5, "index")


@pytest.mark.parametrize("format", VENDOR)
@pytest.mark.parametrize("end", ["truncated", "reset", "timeout"])
def test_a_connection_that_broke_is_an_outcome(format: str, end: EndKind) -> None:
    assert told(answered(format, b"data: half", end=end)) == []


@pytest.mark.parametrize("format", VENDOR)
def test_41_a_stream_that_cannot_be_decompressed(format: str) -> None:
    events = EVENTS if format == "anthropic" else CHUNKS
    read = answered(format, b"".join(events[:3]), end="undecodable", headers=(*TYPE, ("content-encoding", "gzip")))
    assert told(read) == broken("stream-undecodable")


NOT_EVENTS = {
    "HTML": (b"<!doctype html><html>Sign in</html>", "text/html"),
    "HTML as a stream": (b"<html>\n\nSign in</html>\n\n", "text/event-stream"),
    "nothing": (b"", "text/event-stream"),
    "nothing of no type": (b"", ""),
    "comments alone": (b": hello\n\n: hello\n\n", "text/event-stream"),
    "JSON": (b'{"id": "x", "choices": [], "content": []}', "application/json"),
    "JSON as a stream": (b'{"id": "x", "choices": [], "content": []}', "text/event-stream"),
    "an error": (b'{"type": "error", "error": {"type": "api_error", "message": "no"}}', "application/json"),
    "broken JSON": (b'{"id": ', "application/json"),
}


@pytest.mark.parametrize("format", VENDOR)
@pytest.mark.parametrize(("body", "type"), NOT_EVENTS.values(), ids=NOT_EVENTS)
def test_39_what_is_no_stream(format: str, body: bytes, type: str) -> None:
    findings = told(answered(format, body, headers=(("content-type", type),)))
    assert findings[:1] == broken("stream-not-events")
    assert not [finding for finding in findings[1:] if finding[0].startswith("stream-")]


# Chat completions


BASE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.5"}


def chunk(delta: dict[str, Any] | None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    if delta is None:
        del choice["delta"]
        choice["content_filter_results"] = {}
    return {**BASE, "choices": [choice], **more}


def call(arguments: str, index: int | None = 0, **first: Any) -> dict[str, Any]:
    function = {"arguments": arguments}
    if "name" in first:
        function["name"] = first.pop("name")
    return {"tool_calls": [{**({} if index is None else {"index": index}), **first, "function": function}]}


FIRST = {"id": "call_1", "type": "function", "name": "look"}
COUNTED = chunk({}, usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}) | {"choices": []}
CHAT: list[Any] = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
    chunk(call("", **FIRST)),
    chunk(call('{"city": "Par')),
    chunk(call('is"}')),  # 5
    chunk({}, "tool_calls"),
    COUNTED,
    "[DONE]",
]
CHUNKS = [event(data, "") for data in CHAT]
INCLUDED = {"stream_options": {"include_usage": True}}


def chat(at: int, *instead: Any, of: int = 1) -> bytes:
    given = [part if isinstance(part, bytes) else event(part, "") for part in instead]
    return b"".join([*CHUNKS[:at], *given, *CHUNKS[at + of :]])


CHAT_WHOLE = b"".join(CHUNKS)
CHAT_ERROR = {"error": {"message": "no", "code": 502}}

CHAT_LEGAL = {
    "as it should be": CHAT_WHOLE,
    "comments": b": OPENROUTER PROCESSING\n\n" + CHAT_WHOLE,
    "crlf": CHAT_WHOLE.replace(b"\n", b"\r\n"),
    "no space": CHAT_WHOLE.replace(b"data: ", b"data:"),
    "lines of data": CHAT_WHOLE.replace(b', "choices"', b',\ndata: "choices"'),
    "Azure: no choices first": event(dict.fromkeys(BASE, "") | {"created": 0, "choices": []}, "") + CHAT_WHOLE,
    "Azure: annotations alone": chat(2, CHUNKS[2], chunk(None)),
    "empty deltas": chat(2, CHUNKS[2], chunk({}), chunk({"content": ""})),
    "the role in each": b"".join(CHUNKS).replace(b'"delta": {"content"', b'"delta": {"role": "assistant", "content"'),
    "usage: null": CHAT_WHOLE.replace(b', "choices": [{', b', "usage": null, "choices": [{'),
    "obfuscation": CHAT_WHOLE.replace(b', "choices": [{', b', "obfuscation": "x1", "choices": [{'),
    "content with the end": chat(6, chunk({"content": "!"}, "tool_calls")),
    "choices interleaved": chat(
        6, chunk({"role": "assistant", "content": "Hi"}, index=1), CHUNKS[6], chunk({"content": "!"}, index=1),
        chunk({}, "stop", index=1),
    ),
    "calls interleaved": chat(
        5, chunk(call("{", 1, id="call_2", type="function", name="look")), CHUNKS[5], chunk(call("}", 1))
    ),
    "no arguments": chat(4, of=2),
    "annotations after the end": chat(7, chunk({"content": "", "annotations": [{"type": "url_citation"}]}), CHUNKS[7]),
    "a whole call": chat(3, chunk(call("{}", **FIRST)), of=3),
    "text in the usage chunk": CHAT_WHOLE.replace(b'"choices": []', b'"choices": [], "x": 1').replace(b', "x": 1', b""),
}  # fmt: skip


@pytest.mark.parametrize("body", CHAT_LEGAL.values(), ids=CHAT_LEGAL)
def test_nothing_is_told_of_legal_chunks(body: bytes) -> None:
    for url in (VENDOR["openai_chat"], GATEWAY["openai_chat"]):
        read = answered("openai_chat", body, url=url, sent=INCLUDED)
        assert told(read) == []
        assert read.reply is not None
        assert read.reply.complete


CALL = ("events", 3, "choices", 0, "delta", "tool_calls", 0)
CHAT_BROKEN: dict[str, tuple[bytes, Told]] = {
    "24 end within the text": (b"".join(CHUNKS[:3]), UNTERMINATED),
    "24 half a chunk": (CHUNKS[0][:-1], UNTERMINATED),
    "24 half a chunk after comments": (b": wait\n\n" + CHUNKS[0][:-9], UNTERMINATED),
    "24 half a long chunk": (event(chunk({"role": "assistant", "content": "long " * 300}), "")[:-9], UNTERMINATED),
    "24 end within an event": (CHAT_WHOLE[:-40], UNTERMINATED),
    "25 no [DONE]": (chat(8), UNTERMINATED),
    "25 [DONE] without its blank line": (CHAT_WHOLE[:-1], UNTERMINATED),
    "30 half a document": (chat(1, b'data: {"id"\n\n'), invalid(1)),
    "30 no role to read": (chat(0, b'data: {"id"\n\n'), invalid(0)),
    "30 no call to read": (chat(3, b'data: {"id"\n\n'), invalid(3)),
    "30 no end to read": (chat(6, b'data: {"id"\n\n'), invalid(6)),
    "31 empty data": (chat(1, b"data:\n\n"), invalid(1)),
    "32 null": (chat(1, b"data: null\n\n"), invalid(1)),
    "33 no utf-8": (CHAT_WHOLE.replace(b"Hel", b"H\xffl"), invalid(1)),
    "34 an error event": (b"".join([*CHUNKS[:2], event(CHAT_ERROR, "error")]),
        warned("stream-error", "events", 2)),
    "35 an error without JSON": (b"".join([*CHUNKS[:2], event("no", "error")]), invalid(2)),
    "37 an error": (b"".join([*CHUNKS[:2], event(CHAT_ERROR, "")]), warned("stream-error", "events", 2)),
    "37 an error with choices": (b"".join([*CHUNKS[:2], event(chunk({}, "error", **CHAT_ERROR), ""), CHUNKS[8]]),
        warned("stream-error", "events", 2)),
    "42 a decoded part": (CHAT_WHOLE[:700], UNTERMINATED),
    "43 a fragment twice": (chat(5, CHUNKS[5], CHUNKS[5]), broken(
        "stream-tool-json", "events", 6, "choices", 0, "delta", "tool_calls", 0, "function", "arguments")),
    "43 a fragment less": (chat(4), broken(
        "stream-tool-json", "events", 4, "choices", 0, "delta", "tool_calls", 0, "function", "arguments")),
    "44 the stream twice": (CHAT_WHOLE + CHAT_WHOLE, broken("stream-after-end", "events", 9)),
    "45 two [DONE]s": (CHAT_WHOLE + CHUNKS[8], broken("stream-duplicate", "events", 9)),
    "a chunk after [DONE]": (CHAT_WHOLE + CHUNKS[1], broken("stream-after-end", "events", 9)),
    "53 a byte order mark": (b"\xef\xbb\xbf" + CHAT_WHOLE, broken("stream-bom", "events", 0)),
    "[DONE] alone": (CHUNKS[8], [*UNTERMINATED, ("stream-usage-missing", "warn", ())]),
    "54 null for choices": (chat(7, {**COUNTED, "choices": None}),
        broken("stream-choices-null", "events", 7, "choices")),
    "no usage": (chat(7), warned("stream-usage-missing")),
    "no role": (chat(0), broken("stream-role-missing", "events", 0, "choices", 0, "delta")),
    "no finish_reason": (chat(6), UNTERMINATED),
    "two finish_reasons": (chat(6, CHUNKS[6], chunk({}, "stop")),
        warned("stream-duplicate", "events", 7, "choices", 0, "finish_reason")),
    "the same finish_reason twice": (chat(6, CHUNKS[6], CHUNKS[6]),
        broken("stream-duplicate", "events", 7, "choices", 0, "finish_reason", severity="info")),
    "text after finish_reason": (chat(7, chunk({"content": "!"}), CHUNKS[7]),
        broken("stream-after-end", "events", 7, "choices", 0, "delta")),
    "text after the usage": (chat(8, chunk({"content": "!"}), CHUNKS[8]),
        [*warned("stream-order", "events", 8),
         *broken("stream-after-end", "events", 8, "choices", 0, "delta")]),
    "a call without index": (chat(3, chunk(call("{}", None, **FIRST)), of=3), broken("stream-tool-call", *CALL)),
    "a call without id": (chat(3, chunk(call("", name="look", type="function"))), broken("stream-tool-call", *CALL)),
    "a call without name": (chat(3, chunk(call("", id="call_1", type="function"))), broken("stream-tool-call", *CALL)),
    "a call without a start": (chat(3), broken("stream-tool-call", *CALL)),
    "a call of index 1": (chat(3, chunk(call("{}", 1, **FIRST)), of=3), broken("stream-tool-call", *CALL, "index")),
    "a name again": (chat(4, chunk(call('{"city": "Par', name="look"))),
        broken("stream-tool-call", "events", 4, "choices", 0, "delta", "tool_calls", 0)),
    "another id": (chat(2, {**CHAT[2], "id": "chatcmpl-2"}), warned("stream-identity", "events", 2, "id")),
    "another id from there on": (b"".join(CHUNKS[:2]) + b"".join(CHUNKS[2:]).replace(b"chatcmpl-1", b"chatcmpl-2"),
        warned("stream-identity", "events", 2, "id")),
    "much text after finish_reason": (chat(7, *[chunk({"content": "!"})] * 3, CHUNKS[7]),
        broken("stream-after-end", "events", 7, "choices", 0, "delta")),
    "30 the first of two calls": (chat(4, b'data: {"id"\n\n', chunk(call("{}", 1, **FIRST)), of=2).replace(
        CHUNKS[3], b""), invalid(3)),
    "another model": (chat(7, {**COUNTED, "model": "gpt-1"}),
        warned("stream-identity", "events", 7, "model")),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CHAT_BROKEN.values(), ids=CHAT_BROKEN)
def test_what_breaks_a_stream_of_chunks(body: bytes, expected: Told) -> None:
    assert told(answered("openai_chat", body, sent=INCLUDED)) == expected


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_arguments_may_be_cut(finish: str) -> None:
    body = chat(5, chunk({}, finish), of=2)
    assert [(rule, severity) for rule, severity, _ in told(answered("openai_chat", body))] == [
        ("stream-tool-json", "info")
    ]


# Hostile bytes


@pytest.mark.parametrize("format", VENDOR)
@pytest.mark.parametrize(
    "value",
    [None, True, -1, 1.5, 10**30, "x", "", [], [[]], {}, {"type": []}, {"type": {}}, {"a": {"b": [None] * 9}}],
    ids=repr,
)
def test_a_value_of_any_kind_in_any_place_is_no_exception(format: str, value: Any) -> None:
    source: list[Any] = MESSAGE if format == "anthropic" else CHAT[:-1]
    for at, data in enumerate(source):
        for path in _paths(data):
            broken = json.loads(json.dumps(data))
            place = broken
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            events = [*source[:at], broken, *source[at + 1 :]]
            names = [wrong["type"] if format == "anthropic" else "" for wrong in source]
            body = b"".join(event(each, name) for each, name in zip(events, names, strict=True))
            read = answered(format, body)
            assert len(read.findings) < 60


def _paths(value: Any) -> list[tuple[Any, ...]]:
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(key, *rest) for key in keys for rest in ((), *_paths(value[key]))]


@pytest.mark.parametrize("format", VENDOR)
@pytest.mark.parametrize(
    "unit",
    [
        b"event: content_block_start\ndata: {}\n\n",
        b"data: {\n\n",
        b"data:\n\n",
        b"event: content_block_delta\n\n",
        b"data: null\n\n",
        b"\xff\n\n",
        b"data: \xff\n\n",
        b"data: [DONE]\n\n",
        b"data: " + b"[" * 1100 + b"\n\n",
        EVENTS[1],
        EVENTS[7],
        EVENTS[8],
    ],
    ids=lambda unit: unit[:30].decode("latin-1").replace("\n", " ").strip(),
)
def test_many_broken_events_are_told_in_few_findings(format: str, unit: bytes) -> None:
    read = answered(format, unit * (30_000 // len(unit)))
    assert 1 <= len(read.findings) <= 90
