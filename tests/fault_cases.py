"""Recorded answers for tests of faults: the Messages API and chat completions, as a stream and as JSON."""

from __future__ import annotations

import json
from typing import Any

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Steps
from convo_replay.faults import parse, positions
from convo_replay.faults.fault import Fault
from convo_replay.faults.specs import Where

ANTHROPIC = "https://api.anthropic.com/v1/messages"
OPENAI = "https://api.openai.com/v1/chat/completions"


def event(kind: str, **data: Any) -> bytes:
    """An event of the Messages API."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data}, ensure_ascii=False)}\n\n".encode()


def delta(index: int, kind: str, **data: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **data})


def chunk(part: dict[str, Any] | None, finish: str | None = None, **data: Any) -> bytes:
    """A chunk of a chat completion; without choices where there is no delta."""
    choices = [] if part is None else [{"index": 0, "delta": part, "finish_reason": finish}]
    same = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    return f"data: {json.dumps({**same, 'choices': choices, **data}, ensure_ascii=False)}\n\n".encode()


def arguments(text: str, **first: Any) -> bytes:
    """A chunk with a fragment of a tool call's arguments."""
    name = {"name": first.pop("name")} if "name" in first else {}
    return chunk({"tool_calls": [{"index": 0, **first, "function": {**name, "arguments": text}}]})


MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
    "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
}  # fmt: skip
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}

MESSAGES_EVENTS = [
    event("message_start", message=MESSAGE),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    PING,
    delta(0, "text_delta", text="Let me "),
    delta(0, "text_delta", text="look é."),
    event("content_block_stop", index=0),
    event("content_block_start", index=1, content_block=TOOL),
    delta(1, "input_json_delta", partial_json=""),
    delta(1, "input_json_delta", partial_json='{"city": '),
    delta(1, "input_json_delta", partial_json='"Paris", "days": 2}'),
    event("content_block_stop", index=1),
    event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 20}),
    event("message_stop"),
]
CHAT_EVENTS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Let me "}),
    chunk({"content": "look é."}),
    arguments("", id="call_1", type="function", name="get_weather"),
    arguments('{"city": '),
    arguments('"Paris"}'),
    chunk({}, "tool_calls"),
    chunk(None, usage={"prompt_tokens": 3, "completion_tokens": 4}),
    b"data: [DONE]\n\n",
]
MESSAGE_JSON = {
    **MESSAGE,
    "content": [{"type": "text", "text": "Look."}, {**TOOL, "input": {"city": "Paris", "days": 2}}],
    "stop_reason": "tool_use",
}
CHAT_JSON = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-x",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "Look.", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}},
        ]}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}  # fmt: skip


def stream(url: str, *events: bytes, end: End | None = None) -> Exchange:
    """A recorded event stream."""
    request = Request("POST", url, (), Json({"model": "m", "stream": True, "messages": []}))
    head = Head(200, (("content-type", "text/event-stream"), ("request-id", "req_1")))
    return Exchange(request, (head, *(Chunk(0.0, one) for one in events), end or End()))


def answer(url: str, body: Any, *, status: int = 200, content_type: str = "application/json") -> Exchange:
    """A recorded answer in one chunk: bytes as they are, anything else as compact JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    request = Request("POST", url, (), Json({"model": "m", "messages": []}))
    head = Head(status, (("content-type", content_type),))
    return Exchange(request, (head, *((Chunk(0.0, data),) if data else ()), End()))


EXCHANGES = {
    "anthropic stream": stream(ANTHROPIC, *MESSAGES_EVENTS),
    "anthropic JSON": answer(ANTHROPIC, MESSAGE_JSON),
    "openai stream": stream(OPENAI, *CHAT_EVENTS),
    "openai JSON": answer(OPENAI, CHAT_JSON),
}


def broken(fault: Fault, exchange: Exchange, position: int | str | None = None) -> Steps:
    """The steps that a fault makes of an answer, at a position as specs write it."""
    steps = positions.layout(exchange).steps
    return fault.apply(*positions.split(steps, Where.of(position)), exchange)


def body(steps: Steps) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Chunk))


def delivered(steps: Steps) -> list[tuple[str | None, Any]]:
    """What a client is handed: names and parsed data of dispatched events, pings left out."""
    found = [(one.event, one.data or "") for one in sse.split(body(steps)) if one.dispatched and one.event != "ping"]
    return [(name, data if data == "[DONE]" else json.loads(data)) for name, data in found]


def named(text: str) -> tuple[Fault, int | str | None]:
    """The fault and the position of a spec."""
    (plan,) = parse(text)
    where = plan.specs[0].where
    return plan.specs[0].fault, str(where) or None


def made(text: str, exchange: Exchange) -> Steps:
    """What a spec makes of an answer."""
    fault, place = named(text)
    return broken(fault, exchange, place)
