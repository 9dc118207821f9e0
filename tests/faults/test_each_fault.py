"""Each fault on recorded answers: the exact bytes, headers and ends that it makes of them."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from convo_replay import providers, sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Steps
from convo_replay.faults import parse
from convo_replay.faults.catalogue import catalogue
from fault_cases import (
    ANTHROPIC,
    CHAT_EVENTS,
    CHAT_JSON,
    EXCHANGES,
    MESSAGE,
    MESSAGE_JSON,
    MESSAGES_EVENTS,
    PING,
    answer,
    body,
    delivered,
    made,
    named,
    stream,
)  # fmt: skip

MS, MJ, CS, CJ = EXCHANGES.values()  # a Messages stream and JSON, a chat stream and JSON


# --- what nothing is left of ----------------------------------------------------------------------

ENDS: list[tuple[str, End]] = [
    ("connect:refused", End("refused")),
    ("connect:dns", End("dns")),
    ("connect:tls", End("tls", detail="self-signed")),
    ("connect:not-tls", End("tls", detail="not-tls")),
    ("timeout:connect", End("timeout", phase="connect")),
    ("timeout:read", End("timeout", phase="read")),
    ("timeout:write", End("timeout", phase="write")),
    ("timeout:pool", End("timeout", phase="pool")),
    ("disconnect:eof", End("truncated")),
    ("disconnect:reset", End("reset")),
    ("disconnect:half", End("truncated", phase="half")),
    ("disconnect:garbage", End("truncated", phase="garbage")),
]


@pytest.mark.parametrize(("text", "end"), ENDS, ids=[text for text, _ in ENDS])
def test_an_end_without_an_answer(text: str, end: End) -> None:
    for exchange in EXCHANGES.values():
        assert made(text, exchange) == (end,)
        assert catalogue()[text.partition(":")[0]].whole


ERRORS: list[tuple[str, Exchange, dict[str, str], dict[str, Any]]] = [
    ("429", MS, {"anthropic-ratelimit-requests-remaining": "0"}, {"type": "rate_limit_error"}),
    ("429", CJ, {"x-ratelimit-reset-tokens": "6s"}, {"code": "rate_limit_exceeded"}),
    ("529", MJ, {"request-id": "req_011CFau1t0000000000000000"}, {"type": "overloaded_error", "message": "Overloaded"}),
    ("529", CS, {}, {"type": "server_error", "message": "Overloaded."}),
    ("status:400", MS, {}, {"type": "invalid_request_error"}),
    ("418", MS, {}, {"type": "invalid_request_error", "message": "I'm a Teapot"}),
    ("599", CJ, {}, {"type": "server_error", "message": "Server error"}),
    ("429:retry_after=2", MS, {"retry-after": "2"}, {"type": "rate_limit_error"}),
    ("429:retry_after_ms=1500,should_retry=false", CS, {"retry-after-ms": "1500", "x-should-retry": "false"}, {}),
    ("429:type=enforced", MS, {}, {"type": "enforced"}),
    ("502:body=json", MS, {}, {"type": "api_error", "message": "Bad gateway"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "exchange", "headers", "error"), ERRORS, ids=[text for text, *_ in ERRORS])
def test_a_status_with_the_providers_body_and_headers(
    text: str, exchange: Exchange, headers: dict[str, str], error: dict[str, Any]
) -> None:
    head, part, end = made(text, exchange)
    assert isinstance(head, Head)
    assert isinstance(part, Chunk)
    assert (head.status, end) == (named(text)[0].code, End())  # type: ignore[attr-defined]
    assert dict(head.headers)["content-type"] == "application/json"
    assert dict(head.headers).items() >= headers.items()
    assert json.loads(part.data)["error"].items() >= error.items()
    assert len(dict(head.headers)) == len(head.headers)


def test_no_status_says_how_long_to_wait_unless_it_is_asked_to() -> None:
    for code in (400, 429, 503, 529):
        for exchange in (MS, CS):
            head = made(str(code), exchange)[0]
            assert isinstance(head, Head)
            assert not {"retry-after", "retry-after-ms", "x-should-retry"} & set(dict(head.headers))


def test_an_error_of_the_messages_api_has_the_request_id_of_its_header() -> None:
    head, part, _ = made("500", MS)
    assert isinstance(head, Head)
    assert isinstance(part, Chunk)
    assert json.loads(part.data)["request_id"] == dict(head.headers)["request-id"]


@pytest.mark.parametrize(
    ("text", "title"), [("502", "502 Bad Gateway"), ("522", "522 Connection"), ("500:body=html", "500 I")]
)
def test_a_page_of_the_proxy_before_the_api(text: str, title: str) -> None:
    head, part, end = made(text, MS)
    assert isinstance(head, Head)
    assert isinstance(part, Chunk)
    assert dict(head.headers).items() >= {"content-type": "text/html; charset=UTF-8", "server": "cloudflare"}.items()
    assert f"<title>{title}".encode() in part.data
    assert end == End()


@pytest.mark.parametrize("text", ["500:body=empty", "304", "redirect", "no_content"])
def test_answers_without_a_body(text: str) -> None:
    head, end = made(text, MS)
    assert isinstance(head, Head)
    assert not {"content-type", "content-length"} & set(dict(head.headers))
    assert end == End()


def test_a_redirect_leads_to_the_same_url() -> None:
    assert made("redirect", MS) == (Head(307, (("location", "/v1/messages"),)), End())
    beta = stream(f"{ANTHROPIC}?beta=true", *M)
    assert made("redirect:302", beta) == (Head(302, (("location", "/v1/messages?beta=true"),)), End())


@pytest.mark.parametrize("text", ["429:retry_after=%0A1", "429:retry_after_ms=%C3%A9", "content_type:a%0Db"])
def test_what_no_header_can_hold(text: str) -> None:
    with pytest.raises(ValueError, match=r"is '.*', which no header can hold: expected printable ASCII"):
        parse(text)


WHOLE = [
    ("html", "text/html; charset=UTF-8", b"<!DOCTYPE html>"),
    ("html:application/json", "application/json", b"<!DOCTYPE html>"),
    ("foreign_json", "application/json", b'{"status":"ok","result":null}'),
    ("foreign_json:error", "application/json", b'{"type":"error","error":{"type":"api_error"'),
    ("json_value:null", "application/json", b"null"),
    ("json_value:list", "application/json", b"[]"),
    ("json_value:string", "application/json", b'"ok"'),
]


@pytest.mark.parametrize(("text", "label", "begins"), WHOLE, ids=[text for text, *_ in WHOLE])
def test_two_hundred_with_something_else(text: str, label: str, begins: bytes) -> None:
    for exchange in (MS, MJ):
        head, part, end = made(text, exchange)
        assert isinstance(head, Head)
        assert isinstance(part, Chunk)
        assert (head.status, head.headers[0], end) == (200, ("content-type", label), End())
        assert part.data.startswith(begins)


# --- bodies ---------------------------------------------------------------------------------------

CUTS = [
    ("cut:reset", End("reset")), ("cut:eof", End()), ("cut:chunk", End("truncated")),
    ("cut:length", End("truncated", phase="length")), ("cut:garbage", End("truncated", phase="chunk")),
    ("stall", End("timeout", phase="read")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "end"), CUTS, ids=[text for text, _ in CUTS])
def test_a_body_that_stops(text: str, end: End) -> None:
    assert steps_of(f"{text}@3", CS) == (*CS.steps[:4], end)
    assert steps_of(f"{text}@0", MS) == (MS.steps[0], end)
    head, part, last = steps_of(f"{text}@b10", MJ)
    assert (head, part, last) == (MJ.steps[0], Chunk(0.0, MJ.body[:10]), end)


def steps_of(text: str, exchange: Exchange) -> Steps:
    """Without the words of the end."""
    *steps, end = made(text, exchange)
    assert isinstance(end, End)
    return (*steps, replace(end, detail=""))


@pytest.mark.parametrize(
    ("text", "exchange", "received", "expected"),
    [
        ("cut:length@b10", MJ, 10, len(MJ.body)),
        ("cut:length@0", CS, 0, len(CS.body)),
        (f"cut:length@b{len(MJ.body)}", MJ, len(MJ.body), len(MJ.body) + 100),
    ],
    ids=["json", "stream", "whole"],
)
def test_a_short_body_was_announced_whole(text: str, exchange: Exchange, received: int, expected: int) -> None:
    end = made(text, exchange)[-1]
    assert isinstance(end, End)
    assert end.detail.endswith(f"(received {received} bytes, expected {expected})")


def test_half_of_a_json_document() -> None:
    for exchange in (MJ, CJ):
        head, part, end = made("truncated_json", exchange)
        assert (head, end) == (exchange.steps[0], End())
        assert isinstance(part, Chunk)
        assert exchange.body.startswith(part.data)
        assert len(part.data) == len(exchange.body) // 2
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(body(made("truncated_json", answer(ANTHROPIC, b"[]"))))


def test_headers_and_no_body() -> None:
    assert made("empty", MS) == (MS.steps[0], End())
    assert made("empty", CJ) == (CJ.steps[0], End())


@pytest.mark.parametrize(("word", "header"), [("text/plain", ["text/plain"]), ("none", [])])
def test_another_content_type(word: str, header: list[str]) -> None:
    head, *rest = made(f"content_type:{word}", MS)
    assert isinstance(head, Head)
    assert [value for name, value in head.headers if name == "content-type"] == header
    assert ("request-id", "req_1") in head.headers
    assert tuple(rest) == MS.steps[1:]


def unpacked(steps: Steps) -> Iterator[bytes]:
    """What a decoder gives for each chunk, and for the end."""
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for step in steps:
        if isinstance(step, Chunk):
            yield decoder.decompress(step.data)
    yield decoder.flush()


GZIPPED = [
    # By answer: the events or bytes that a client gets before the error, and the error.
    ("corrupt", MS, b"".join(MESSAGES_EVENTS[:6]), "invalid block type"),
    ("corrupt", MJ, MJ.body[: len(MJ.body) // 2], "invalid block type"),
    ("crc", CS, CS.body, "incorrect data check"),
    ("crc", CJ, CJ.body, "incorrect data check"),
    ("plain", MS, b"", "incorrect header check"),
    ("truncated", CS, b"".join(CHAT_EVENTS[:4]), ""),
    ("truncated", CJ, CJ.body[: len(CJ.body) // 2], ""),
]


@pytest.mark.parametrize(("word", "exchange", "before", "wrong"), GZIPPED)
def test_compression_that_does_not_hold(word: str, exchange: Exchange, before: bytes, wrong: str) -> None:
    head, *rest = made(f"gzip:{word}", exchange)
    assert isinstance(head, Head)
    assert ("content-encoding", "gzip") in head.headers
    assert rest[-1] == End()
    got, error = b"", ""
    try:
        for part in unpacked((head, *rest)):
            got += part
    except zlib.error as raised:
        error = str(raised)
    assert got == before
    assert wrong in error
    assert bool(wrong) == bool(error)


def test_an_encoding_that_nobody_knows() -> None:
    head, *rest = made("gzip:unknown", MJ)
    assert isinstance(head, Head)
    assert ("content-encoding", "x-unknown") in head.headers
    assert tuple(rest) == MJ.steps[1:]


def test_a_byte_that_is_no_utf8() -> None:
    at = MESSAGES_EVENTS[3].rindex(b'"')
    assert made("bad_utf8@3", MS)[4] == Chunk(0.0, MESSAGES_EVENTS[3][:at] + b"\xff" + MESSAGES_EVENTS[3][at:])
    assert made("bad_utf8@8", CS)[9] == Chunk(0.0, b"data: [DONE]\xff\n\n")
    assert body(made("bad_utf8@b20", MJ)) == MJ.body[:20] + b"\xff" + MJ.body[20:]
    assert body(made("bad_utf8@b20", MS)) == MS.body[:20] + b"\xff" + MS.body[20:]
    for exchange in EXCHANGES.values():
        whole = body(made("bad_utf8", exchange))
        assert whole.replace(b"\xff", b"") == exchange.body
        assert len(exchange.body) // 4 < whole.index(b"\xff") < len(exchange.body) * 3 // 4


# --- streams --------------------------------------------------------------------------------------


def error_event(kind: str, text: str) -> bytes:
    """An error event of the Messages API, compact."""
    return f'event: error\ndata: {{"type":"error","error":{{"type":"{kind}","message":"{text}"}}}}\n\n'.encode()


OVERLOADED = error_event("overloaded_error", "Overloaded")
SERVER = b'data: {"error":{"message":"Overloaded.","type":"server_error","param":null,"code":null}}\n\n'
GATEWAY = (
    b'data: {"id":"gen-fault","object":"chat.completion.chunk","provider":"gateway",'
    b'"error":{"code":502,"message":"Provider returned error"},'
    b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n'
)
WRONG_INDEX = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":99,"delta":{"type":"text_delta","text":"?"}}\n\n'
)
KEEP = [b": keep-alive\n\n"] * 40
COMMENT = b": OPENROUTER PROCESSING\n\n"


def at(events: list[bytes], place: int, *new: bytes, drop: int = 1) -> list[bytes]:
    """The events with others in place of `drop` of them."""
    return [*events[:place], *new, *events[place + drop :]]


M, C = MESSAGES_EVENTS, CHAT_EVENTS
STREAMS: list[tuple[str, Exchange, list[bytes]]] = [
    ("error:overloaded_error@4", MS, [*M[:4], OVERLOADED]),
    ("error@0", MS, [OVERLOADED]),
    ("error@13", MS, [*M, OVERLOADED]),
    ("error:api_error@1", MS, [M[0], error_event("api_error", "Internal server error")]),
    ("error:odd@1", MS, [M[0], error_event("odd", "odd")]),
    ("error@2", CS, [*C[:2], SERVER]),
    ("error_text@4", MS, [*M[:4], b"event: error\ndata: upstream connect error\n\n"]),
    ("error_text@1", CS, [C[0], b"event: error\ndata: upstream connect error\n\n"]),
    ("error_unnamed@4", MS, [*M[:4], b'data: {"error":{"code":502,"message":"Provider returned error"}}\n\n']),
    ("error_unnamed@1", CS, [C[0], GATEWAY]),
    ("malformed@2", MS, at(M, 2, b'event: ping\ndata: {"type":\n\n')),
    ("malformed@8", CS, at(C, 8, b"data: [DO\n\n")),
    ("empty_data@3", MS, at(M, 3, b"event: content_block_delta\ndata:\n\n")),
    ("empty_data@1", CS, at(C, 1, b"data:\n\n")),
    ("null_data@3", MS, at(M, 3, b"event: content_block_delta\ndata: null\n\n")),
    ("null_data@1", CS, at(C, 1, b"data: null\n\n")),
    ("no_terminal", MS, M[:-1]),
    ("no_terminal", CS, C[:-1]),
    ("duplicate@3", MS, at(M, 3, M[3], M[3])),
    ("duplicate@0", CS, [C[0], *C]),
    ("drop@0", MS, M[1:]),
    ("drop@8", CS, C[:-1]),
    ("reorder@3", MS, at(M, 3, M[4], M[3], drop=2)),
    ("reorder@0", CS, [C[1], C[0], *C[2:]]),
    ("repeat", MS, [*M, *M]),
    ("repeat", CS, [*C, *C]),
    ("unnamed", MS, [one[one.index(b"data:") :] for one in M]),
    ("wrong_index@2", MS, at(M, 2, WRONG_INDEX, drop=0)),
    ("bom", MS, [sse.BOM + M[0], *M[1:]]),
    ("bom", CS, [sse.BOM + C[0], *C[1:]]),
    ("keepalive@3", MS, at(M, 3, *KEEP, drop=0)),
    ("keepalive@0", CS, [*KEEP, *C]),
    ("slow", CS, C),
    ("junk", MS, [*M, b"event: message_start\ndata: <html>504 Gateway Time-out</html>\n\n"]),
    ("junk", CS, [*C, b"data: <html>504 Gateway Time-out</html>\n\n"]),
    ("comments", CS, [part for one in C for part in (COMMENT, one)]),
    ("crlf", MS, [one.replace(b"\n", b"\r\n") for one in M]),
    ("cr", CS, [one.replace(b"\n", b"\r") for one in C]),
    ("pings", MS, [M[0], *[part for one in M[1:] for part in (PING, one)]]),
    ("multiline", CS, [one.replace(b"data: {", b"data: {\ndata: ") for one in C]),
    ("multiline", MS, [one.replace(b"data: {", b"data: {\ndata: ") for one in M]),
    ("noop", MS, M),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "exchange", "events"), STREAMS, ids=[f"{text} {one.request.url[12]}" for text, one, _ in STREAMS]
)
def test_the_events_of_a_broken_stream(text: str, exchange: Exchange, events: list[bytes]) -> None:
    assert named(text)[0].fits(exchange) == ""
    head, *chunks, end = made(text, exchange)
    assert (head, end) == (exchange.steps[0], End())
    assert [one.data for one in chunks if isinstance(one, Chunk)] == events


def test_one_byte_at_a_time() -> None:
    for size in (1, 7):
        for exchange in EXCHANGES.values():
            chunks = [step.data for step in made(f"rechunk:{size}", exchange) if isinstance(step, Chunk)]
            assert {len(one) for one in chunks[:-1]} == {size}
            assert b"".join(chunks) == exchange.body


def test_waits_lie_before_the_chunk_that_they_delay() -> None:
    slow = [step.at for step in made("slow:30", MS) if isinstance(step, Chunk)]
    assert slow == [30.0] * len(M)
    kept = [step.at for step in made("keepalive@3", MS) if isinstance(step, Chunk)]
    assert kept == [0.0] * 3 + [15.0] * 40 + [0.0] * (len(M) - 3)
    assert sum(kept) == 600


@pytest.mark.parametrize("text", ["crlf", "unnamed", "rechunk:5", "comments", "tool_arguments", "usage_missing"])
def test_waits_of_another_fault_stay(text: str) -> None:
    waiting = made("keepalive@3", MS)
    after = named(text)[0].apply((), waiting, MS)
    assert sum(step.at for step in after if isinstance(step, Chunk)) == 600


def test_events_that_a_client_has_never_heard_of() -> None:
    new = delivered(made("unknown_event@3", MS))
    assert new[2][0] == new[2][1]["type"] == "content_block_note"  # the ping does not count
    assert [*new[:2], *new[3:]] == delivered(MS.steps)
    note = delivered(made("unknown_delta@7", MS))[6]
    assert note == (
        "content_block_delta",
        {"type": "content_block_delta", "index": 1, "delta": {"type": "note_delta", "note": "?"}},
    )
    for place, kind in ((4, "thinking_delta"), (8, "text_delta")):
        assert delivered(made(f"unknown_delta:unfit@{place}", MS))[place - 1][1]["delta"]["type"] == kind
    for place in (0, 1, 6, 11, 13):  # no block is open there
        assert made(f"unknown_delta@{place}", MS) == MS.steps
    (_, data) = delivered(made("unknown_delta@2", CS))[2]
    assert (data["id"], data["choices"]) == ("c1", [{"index": 0, "delta": {"note": "?"}, "finish_reason": None}])
    (_, data) = delivered(made("unknown_event@2", CS))[2]
    assert (data["object"], data["choices"]) == ("chat.completion.note", [])


def test_a_block_that_a_client_has_never_heard_of() -> None:
    new = [data for _, data in delivered(made("unknown_block", MS))]
    assert new[10:12] == [
        {"type": "content_block_start", "index": 2, "content_block": {"type": "note", "note": "?"}},
        {"type": "content_block_stop", "index": 2},
    ]
    assert [*new[:10], *new[12:]] == [data for _, data in delivered(MS.steps)]
    blocks = json.loads(body(made("unknown_block", MJ)))["content"]
    assert blocks == [*MESSAGE_JSON["content"], {"type": "note", "note": "?"}]


def test_an_answer_that_does_not_say_what_it_cost() -> None:
    less = [data for _, data in delivered(made("usage_missing", MS))]
    assert less[0]["message"]["usage"] == MESSAGE["usage"]
    assert less[-2] == {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    assert [step.data for step in made("usage_missing", CS) if isinstance(step, Chunk)] == [*C[:7], C[8]]
    for exchange, recorded in ((MJ, MESSAGE_JSON), (CJ, CHAT_JSON)):
        left = json.loads(body(made("usage_missing", exchange)))
        assert left == {key: value for key, value in recorded.items() if key != "usage"}


@pytest.mark.parametrize(("text", "choices"), [("choices_empty", []), ("choices_null", None)])
def test_a_first_chunk_without_choices(text: str, choices: Any) -> None:
    first, *rest = delivered(made(text, CS))
    assert first[1]["choices"] == choices
    assert rest == delivered(CS.steps)


def test_json_where_a_stream_was_asked_for() -> None:
    for exchange, whole in ((MS, {"id": "msg_1", "stop_reason": "tool_use"}), (CS, {"object": "chat.completion"})):
        head, part, end = made("json_instead_of_stream", exchange)
        assert isinstance(head, Head)
        assert isinstance(part, Chunk)
        assert (dict(head.headers)["content-type"], end) == ("application/json", End())
        assert json.loads(part.data).items() >= whole.items()
    text = [
        block for block in json.loads(body(made("json_instead_of_stream", MS)))["content"] if block["type"] == "text"
    ]
    assert text[0]["text"] == "Let me look é."


# --- tool calls -----------------------------------------------------------------------------------


def call(exchange: Exchange, steps: Steps) -> tuple[str, Any]:
    """Name and input (text where it is text) of the first tool call."""
    found = providers.find(exchange.request)
    assert found is not None
    uses = found.reply(dataclasses.replace(exchange, steps=steps)).tool_uses
    return uses[0].name, uses[0].raw_input


TOOLS: list[tuple[str, Exchange, str, str]] = [
    ("tool_arguments", MS, "get_weather", '{"value": ,"city": "Paris", "days": 2}'),
    ("tool_arguments", MJ, "get_weather", json.dumps('{"value": ,"city":"Paris","days":2}')),
    ("tool_arguments", CS, "get_weather", '{"value": ,"city": "Paris"}'),
    ("tool_arguments", CJ, "get_weather", '{"value": ,"city": "Paris"}'),
    ("tool_truncated", MS, "get_weather", '{"city": "Pari'),
    ("tool_truncated", MJ, "get_weather", '{"city":"Paris"}'),
    ("tool_truncated", CS, "get_weather", '{"city": '[:8]),
    ("tool_truncated", CJ, "get_weather", '{"city":'),
    ("unknown_tool", MS, "get_weather_that_does_not_exist", '{"city": "Paris", "days": 2}'),
    ("unknown_tool", MJ, "get_weather_that_does_not_exist", '{"city":"Paris","days":2}'),
    ("unknown_tool", CS, "get_weather_that_does_not_exist", '{"city": "Paris"}'),
    ("unknown_tool", CJ, "get_weather_that_does_not_exist", '{"city": "Paris"}'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "exchange", "name", "given"), TOOLS)
def test_tool_calls(text: str, exchange: Exchange, name: str, given: str) -> None:
    steps = made(text, exchange)
    assert call(exchange, steps) == (name, given)
    assert steps[-1] == End()
    assert len(steps) == len(exchange.steps)
