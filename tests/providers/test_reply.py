"""Answers put together, from streams and from JSON, whole and broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay import sse
from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Json, Request
from convo_replay.providers import Reply, Usage, find

URLS = {"anthropic": "https://gw.example/v1/messages", "openai_chat": "https://gw.example/v1/chat/completions"}


def answered(wire_format: str, body: bytes, *, status: int = 200, type_: str = "", end: EndKind = "complete") -> Reply:
    request = Request("POST", URLS[wire_format], (), Json({"model": "m", "messages": []}))
    exchange = Exchange(request, (Head(status, (("content-type", type_),)), Chunk(0.1, body), End(end, 0.2)))
    provider = find(request)
    assert provider is not None
    return provider.reply(exchange)


def named(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def unnamed(*events: Any) -> bytes:
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return b"".join(b"data: " + line.encode("utf-8", "surrogatepass") + b"\n\n" for line in lines)


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
               "stop_reason": None, "usage": usage}  # fmt: skip
    return {"type": "message_start", "message": message}


def block(index: int | None, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int | None, kind: str, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **content}}


def halt(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def closing(stop: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    last = {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}
    return [last, {"type": "message_stop"}]


WEATHER = [
    start(input_tokens=10, output_tokens=1, cache_read_input_tokens=5, cache_creation_input_tokens=2),
    block(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="Pa"),
    {"type": "ping"},
    delta(0, "thinking_delta", thinking="ris?"),
    delta(0, "signature_delta", signature="c2ln"),
    halt(0),
    block(1, type="text", text=""),
    delta(1, "text_delta", text="Let me "),
    delta(1, "text_delta", text="look. ☀️"),
    delta(1, "citations_delta", citation={"cited_text": "a"}),
    delta(1, "citations_delta", citation={"cited_text": "b"}),
    halt(1),
    block(2, type="tool_use", id="toolu_1", name="get_weather", input={}),
    delta(2, "input_json_delta", partial_json=""),
    delta(2, "input_json_delta", partial_json='{"ci'),
    delta(2, "input_json_delta", partial_json='ty":"Paris"}'),
    halt(2),
    block(3, type="web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"type": "web_search_result"}]),
    halt(3),
    *closing("tool_use", output_tokens=42, cache_read_input_tokens=None),
]


@pytest.mark.parametrize("write", [named, unnamed], ids=["with event lines", "without"])
def test_a_stream_of_messages(write: Any) -> None:
    reply = answered("anthropic", write(*WEATHER), type_="text/event-stream; charset=utf-8")
    assert reply.complete
    assert reply.error is None
    assert (reply.id, reply.model, reply.role, reply.stop_reason) == ("msg_1", "claude-x", "assistant", "tool_use")
    assert (reply.text, reply.thinking) == ("Let me look. ☀️", "Paris?")
    assert reply.usage == Usage(10, 42, 2, 5)
    assert reply.usage.total_input_tokens == 17
    assert reply.content == [
        {"type": "thinking", "thinking": "Paris?", "signature": "c2ln"},
        {"type": "text", "text": "Let me look. ☀️", "citations": [{"cited_text": "a"}, {"cited_text": "b"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
    ]
    [use] = reply.tool_uses
    assert (use.id, use.name, use.input, use.raw_input) == (
        "toolu_1", "get_weather", {"city": "Paris"}, '{"city":"Paris"}',
    )  # fmt: skip
    assert reply.message["content"] == reply.content
    assert reply.message["usage"]["output_tokens"] == 42


def test_a_stream_and_the_json_of_its_message_read_the_same() -> None:
    streamed = answered("anthropic", named(*WEATHER))
    plain = answered("anthropic", json.dumps(streamed.message).encode(), type_="application/json")
    assert plain == streamed


# Streams that a gateway or a failure left odd → what is checked of the reply.
ODD: list[tuple[str, str, bytes, dict[str, Any]]] = [
    ("no start of the block", "anthropic", named(start(), delta(0, "text_delta", text="hi"), *closing()),
     {"text": "hi", "complete": True}),
    ("no start at all", "anthropic", named(delta(0, "text_delta", text="hi")), {"text": "hi", "complete": False}),
    ("no stops", "anthropic", named(start(), block(0, type="text", text="")), {"complete": False, "stop_reason": None}),
    ("indexes with gaps", "anthropic",
     named(block(3, type="text"), delta(3, "text_delta", text="a"), block(7, type="text"),
           delta(7, "text_delta", text="b"), *closing()), {"text": "ab", "complete": True}),
    ("index always 0", "anthropic",
     named(block(0, type="text"), delta(0, "text_delta", text="a"), halt(0), block(0, type="text"),
           delta(0, "text_delta", text="b")), {"text": "ab"}),
    ("no index", "anthropic", named(block(None, type="text"), delta(None, "text_delta", text="a")), {"text": "a"}),
    ("whole input in the start", "anthropic", named(block(0, type="tool_use", id="t", name="f", input={"a": 1})),
     {"inputs": [({"a": 1}, '{"a":1}')]}),
    ("input cut", "anthropic",
     named(block(0, type="tool_use", id="t", name="f"), delta(0, "input_json_delta", partial_json='{"a":')),
     {"inputs": [({}, '{"a":')]}),
    ("unknown block and delta", "anthropic",
     named(block(0, type="mystery", a=1), delta(0, "mystery_delta", words="x"), delta(0, "mystery_delta", words="y"),
           *closing()), {"content": [{"type": "mystery", "a": 1, "words": "xy"}]}),
    ("compaction", "anthropic",
     named(block(0, type="compaction", content=None), delta(0, "compaction_delta", content="c", encrypted_content="e")),
     {"content": [{"type": "compaction", "content": "c", "encrypted_content": "e"}]}),
    ("a second signature replaces the first, as in the SDK", "anthropic",
     named(block(0, type="thinking"), delta(0, "signature_delta", signature="a"),
           delta(0, "signature_delta", signature="b")),
     {"content": [{"type": "thinking", "thinking": "", "signature": "b"}]}),
    ("error in mid-stream", "anthropic",
     named(start(), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
     {"complete": False, "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ("extra blank lines", "anthropic", named(start(), *closing()).replace(b"\n\n", b"\n\n\n\n"), {"complete": True}),
    ("crlf, no space", "anthropic", named(start(), *closing()).replace(b": ", b":").replace(b"\n", b"\r\n"),
     {"complete": True}),
    ("cut inside an event", "anthropic", named(start(), delta(0, "text_delta", text="hi"), *closing())[:-3],
     {"text": "hi", "complete": False}),
    ("details on message_delta", "anthropic",
     named({"type": "message_delta", "delta": {"container": {"id": "c"}}, "context_management": {"applied_edits": []}}),
     {"message": {"container": {"id": "c"}, "context_management": {"applied_edits": []}, "content": [], "usage": {}}}),
    ("values of other types", "anthropic",
     b'data: [1]\n\ndata: null\n\ndata: {"type":["x"]}\n\nevent: message_start\ndata: {"message":7}\n\n'
     b'data: {"type":"content_block_delta","index":{},"delta":"x"}\n\n' + named(start(input_tokens="many")),
     {"usage": Usage(), "text": ""}),
    # Chat completions.
    ("no [DONE]", "openai_chat",
     unnamed({"id": "c", "model": "g", "choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}),
     {"text": "hi", "complete": False, "stop_reason": "stop"}),
    ("choices null, first chunk empty, comment", "openai_chat",
     b": OPENROUTER PROCESSING\n\n" + unnamed({"id": "", "model": "", "choices": []}, {"choices": None},
     {"id": "c", "model": "g", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}}]}, "[DONE]"),
     {"text": "hi", "id": "c", "model": "g", "complete": True}),
    ("padding after [DONE]", "openai_chat", b"data: [DONE]   \n\n", {"complete": True}),
    ("data without a space, crlf", "openai_chat",
     b'data:{"choices":[{"delta":{"content":"hi"}}]}\r\n\r\ndata:[DONE]\r\n\r\n', {"text": "hi", "complete": True}),
    ("calls by index", "openai_chat",
     unnamed({"choices": [{"delta": {"tool_calls": [
                 {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]}}]},
             {"choices": [{"delta": {"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "g"}}]}}]},
             {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}}]},
             {"choices": [{"delta": {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}}]},
             {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}}]}, "[DONE]"),
     {"inputs": [({"a": 1}, '{"a":1}'), ({}, "{}")], "ids": ["call_1", "call_2"]}),
    ("whole calls without id and index", "openai_chat",
     unnamed({"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]}}]},
             {"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": {"b": 2}}}]}}]}),
     {"inputs": [({"a": 1}, '{"a":1}'), ({"b": 2}, '{"b":2}')], "ids": ["", ""]}),
    ("index always 0, other ids", "openai_chat",
     unnamed({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f"}}]}}]},
             {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "y", "function": {"name": "f"}}]}}]}),
     {"ids": ["x", "y"]}),
    ("id and name in each fragment", "openai_chat",
     unnamed(*[{"choices": [{"delta": {"tool_calls": [
         {"index": 0, "id": "x", "function": {"name": "f", "arguments": part}}]}}]} for part in ('{"a"', ":1}")]),
     {"inputs": [({"a": 1}, '{"a":1}')], "ids": ["x"]}),
    ("the older function_call", "openai_chat",
     unnamed({"choices": [{"delta": {"function_call": {"name": "f", "arguments": "{}"}}}]}), {"ids": [""]}),
    ("two choices", "openai_chat",
     unnamed({"choices": [{"index": 1, "delta": {"content": "b"}}]},
             {"choices": [{"index": 0, "delta": {"content": "a"}}]}, "[DONE]"), {"text": "a"}),
    ("reasoning_content", "openai_chat", unnamed({"choices": [{"delta": {"reasoning_content": "hm"}}]}),
     {"thinking": "hm"}),
    ("reasoning", "openai_chat",
     unnamed({"choices": [{"delta": {"reasoning": "h"}}]},
             {"choices": [{"delta": {"reasoning": "m", "content": "x"}}]}),
     {"thinking": "hm", "text": "x"}),
    ("refusal", "openai_chat",
     unnamed({"choices": [{"delta": {"refusal": "No"}}]}, {"choices": [{"delta": {"refusal": "."}}]}),
     {"content": [{"type": "refusal", "refusal": "No."}], "text": ""}),
    ("content in parts", "openai_chat",
     unnamed({"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                                                 {"type": "text", "text": "x"}]}}]}), {"thinking": "hm", "text": "x"}),
    ("usage in its own chunk", "openai_chat",
     unnamed({"choices": [{"delta": {"content": "x"}}], "usage": None},
             {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3,
                                       "prompt_tokens_details": {"cached_tokens": 4}}}, "[DONE]"),
     {"usage": Usage(6, 3, 0, 4)}),
    ("error in mid-stream", "openai_chat",
     unnamed({"choices": [{"delta": {"content": "x"}, "finish_reason": "error"}],
              "error": {"code": 502, "message": "m"}}, "[DONE]"),
     {"text": "x", "complete": False, "error": {"code": 502, "message": "m"}}),
    ("json with calls", "openai_chat",
     json.dumps({"id": "c", "choices": [{"message": {"content": None, "refusal": None, "tool_calls": [
         {"id": "x", "function": {"name": "f", "arguments": '{"a":1}'}}]}, "finish_reason": "tool_calls"}]}).encode(),
     {"complete": True, "ids": ["x"], "stop_reason": "tool_calls", "inputs": [({"a": 1}, '{"a":1}')]}),
    ("json that is no completion", "openai_chat", b'{"object":"list","data":[]}', {"complete": False, "error": None}),
    ("json with choices null", "openai_chat", b'{"choices":null}', {"complete": False}),
]  # fmt: skip


@pytest.mark.parametrize(("wire_format", "body", "expected"), [case[1:] for case in ODD], ids=[case[0] for case in ODD])
def test_odd_answers(wire_format: str, body: bytes, expected: dict[str, Any]) -> None:
    reply = answered(wire_format, body)
    seen = {
        "inputs": [(use.input, use.raw_input) for use in reply.tool_uses],
        "ids": [use.id for use in reply.tool_uses],
        **{name: getattr(reply, name) for name in ("content", "text", "thinking", "complete", "error", "stop_reason")},
        **{name: getattr(reply, name) for name in ("usage", "id", "model", "message")},
    }
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize("wire_format", URLS)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, b'{"type":"error","error":{"type":"rate_limit_error","message":"m"}}',
         {"type": "rate_limit_error", "message": "m"}),
        (400, b'{"error":{"message":"m","type":null,"param":null,"code":"400"}}',
         {"message": "m", "type": None, "param": None, "code": "400"}),
        (401, b'{"error":"no"}', {"message": "no"}),
        (422, b'{"detail":"no"}', {"message": "no"}),
        (422, b'{"detail":[{"loc":[]}]}', {"message": '[{"loc":[]}]'}),
        (404, b'[{"error":{"code":404}}]', {"code": 404}),
        (403, b'{"message":"no"}', {"message": "no"}),
        (502, b"<html>Bad gateway</html>", {"message": "<html>Bad gateway</html>"}),
        (500, b"", {"message": ""}),
        (500, b"\xff\xfe" * 2000, {"message": "\ufffd" * 500}),
        (200, b'{"error":{"message":"m"}}', {"message": "m"}),
        (200, b"<html>Checking your browser</html>", None),
        (200, b"", None),
    ],
)  # fmt: skip
def test_error_bodies(wire_format: str, status: int, body: bytes, error: Any) -> None:
    reply = answered(wire_format, body, status=status)
    assert reply.error == error
    assert not reply.complete


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_the_error_bodies_that_we_make_are_read_as_errors(status: int) -> None:
    for wire_format, url in URLS.items():
        provider = find(Request("POST", url, (), Json({"messages": []})))
        assert provider is not None
        if status in provider.error_bodies:
            body = json.dumps(provider.error_bodies[status]).encode()
            assert answered(wire_format, body, status=status).error == provider.error_bodies[status]["error"]


def test_every_prefix_of_a_stream_gives_what_a_client_had_of_it() -> None:
    whole = named(*WEATHER)
    full = answered("anthropic", whole)
    for size in range(0, len(whole), 7):
        part = answered("anthropic", whole[:size], end="reset")
        assert not part.complete
        assert full.text.startswith(part.text)
        assert full.thinking.startswith(part.thinking)


@pytest.mark.parametrize(
    ("wire_format", "event", "ends"),
    [
        ("anthropic", named({"type": "message_stop"}), True),
        ("anthropic", unnamed({"type": "message_stop"}), True),
        ("anthropic", named({"type": "error", "error": {}}), True),
        ("anthropic", named({"type": "ping"}), False),
        ("anthropic", named({"type": "message_stop"})[:-1], False),
        ("anthropic", b": message_stop\n\n", False),
        ("openai_chat", unnamed("[DONE]"), True),
        ("openai_chat", unnamed('"[DONE]"'), False),
        ("openai_chat", unnamed({"choices": [{"finish_reason": "stop"}]}), False),
    ],
)
def test_what_ends_a_stream(wire_format: str, event: bytes, ends: bool) -> None:
    provider = find(Request("POST", URLS[wire_format], (), Json({"messages": []})))
    assert provider is not None
    assert provider.ends(sse.split(event)[0]) is ends


WORDS = st.sampled_from([
    "type", "index", "delta", "message", "content", "content_block", "text", "text_delta", "usage", "error", "choices",
    "tool_calls", "function", "arguments", "id", "input", "partial_json", "input_json_delta", "content_block_start",
    "content_block_delta", "message_start", "message_delta", "citation", "citations_delta", "finish_reason",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | WORDS | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)


def _shape(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return VALUES | st.fixed_dictionaries({}, optional=fields)


KINDS = st.sampled_from(["message_start", "content_block_start", "content_block_delta", "message_delta", "error"])
CALLS = VALUES | st.lists(_shape(index=VALUES, id=VALUES, function=_shape(name=VALUES, arguments=VALUES)))
EVENTS = _shape(
    type=KINDS,
    index=VALUES,
    message=VALUES,
    usage=VALUES,
    content_block=_shape(type=WORDS, text=VALUES, input=VALUES, citations=VALUES),
    delta=_shape(type=WORDS, text=VALUES, citation=VALUES, partial_json=VALUES),
    choices=st.lists(_shape(index=VALUES, delta=_shape(content=VALUES, tool_calls=CALLS), finish_reason=VALUES)),
)


@settings(max_examples=150, deadline=None)
@given(
    wire_format=st.sampled_from(sorted(URLS)),
    values=st.lists(VALUES | EVENTS, max_size=6),
    stream=st.booleans(),
    status=st.sampled_from([200, 500]),
    garbage=st.binary(max_size=40),
)
def test_no_answer_is_too_odd_to_read(
    wire_format: str, values: list[Any], stream: bool, status: int, garbage: bytes
) -> None:
    body = unnamed(*values) if stream else json.dumps(values[0] if values else {}).encode()
    for each in (body, body + garbage, garbage):
        reply = answered(wire_format, each, status=status, type_="text/event-stream" if stream else "application/json")
        assert isinstance(reply.text + reply.thinking, str)
        assert all(isinstance(part, dict) for part in reply.content)
        assert reply.error is None or not reply.complete


def test_depth_is_no_danger() -> None:
    deep = b"[" * 100_000
    for wire_format in URLS:
        assert answered(wire_format, deep).complete is False
        assert answered(wire_format, b"data: " + deep + b"\n\n").content == []
