"""What is asked and answered: the calls of an application, and what the server says to them, format by format."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

MODEL = "claude-sonnet-4-6"
JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream; charset=utf-8"),)
SIGNATURE = base64.b64encode(bytes(range(7, 250)) * 2).decode()


@dataclass(frozen=True)
class Answer:
    """What the server says; `chunks` are written one by one."""

    chunks: Sequence[bytes]
    headers: Sequence[tuple[str, str]] = JSON
    status: int = 200
    end: str = "complete"


@dataclass(frozen=True)
class Ask:
    """One call. `api` is `anthropic` or `openai` with a method of the SDK, or `raw` with a method of HTTP.

    `path` follows the base URL of a raw request; `arguments` go to the method.
    """

    api: str
    method: str
    answer: Answer
    arguments: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    base: str = "data"
    """The port that is asked, as the server names it."""
    userinfo: str = ""


Place = Generator[Ask, str, None]


# Answers.


def as_json(value: Any, status: int = 200, headers: Sequence[tuple[str, str]] = (), **layout: Any) -> Answer:
    layout = layout or {"separators": (",", ":"), "ensure_ascii": False}
    return Answer([json.dumps(value, **layout).encode()], [*JSON, *headers], status)


def message(*content: Any, **more: Any) -> dict[str, Any]:
    return {"id": "msg_01AbCdEfGhJkLmNpQrStUvWx", "type": "message", "role": "assistant", "model": MODEL,
            "content": list(content) or [{"type": "text", "text": "Noted."}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 4, "output_tokens": 2}, **more}  # fmt: skip


def completion(text: str = "Noted.", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, "refusal": None}, "finish_reason": "stop"}
    return {"id": "chatcmpl-AbCdEfGh", "object": "chat.completion", "created": 1795392000, "model": "gpt-5.5",
            "choices": [{**choice, **more}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}}  # fmt: skip


def named_events(*events: dict[str, Any]) -> list[bytes]:
    dumped = [json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in events]
    return [f"event: {event['type']}\ndata: {data}\n\n".encode() for event, data in zip(events, dumped, strict=True)]


def data_events(*events: Any) -> list[bytes]:
    return [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]


def block_events(index: int, block: dict[str, Any], deltas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


def message_events(*blocks: list[dict[str, Any]], stop: str = "end_turn") -> list[bytes]:
    """A whole stream of the Messages API, one event a piece."""
    opening = message(stop_reason=None) | {"content": []}
    delta = {"stop_reason": stop, "stop_sequence": None}
    return named_events(
        {"type": "message_start", "message": opening}, *[event for block in blocks for event in block],
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}, {"type": "message_stop"},
    )  # fmt: skip


def text_block(index: int, pieces: Sequence[str]) -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block_events(index, {"type": "text", "text": ""}, deltas)


def thinking_block(index: int, pieces: Sequence[str]) -> list[dict[str, Any]]:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    return block_events(index, empty, [*deltas, {"type": "signature_delta", "signature": SIGNATURE}])


def tool_block(index: int, pieces: Sequence[str], kind: str = "tool_use") -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]
    block = {"type": kind, "id": f"toolu_01AbCdEfGh{index:04}", "name": "note", "input": {}}
    return block_events(index, block, deltas)


def chunk(delta: dict[str, Any], index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-AbCdEfGh", "object": "chat.completion.chunk", "created": 1795392000, "model": "gpt-5.5",
            "choices": [{"index": index, "delta": delta, "finish_reason": finish, **more}]}  # fmt: skip


def chat_events(*deltas: dict[str, Any]) -> list[bytes]:
    start = chunk({"role": "assistant", "content": ""})
    return data_events(start, *[chunk(delta) for delta in deltas], chunk({}, finish="stop"))


def pieces(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


# Requests.


def claude(answer: Answer | None = None, **arguments: Any) -> Ask:
    given = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}], **arguments}
    return Ask("anthropic", "messages.create", answer or as_json(message()), given)


def claude_stream(events: list[bytes], **arguments: Any) -> Ask:
    return claude(Answer(events, SSE), stream=True, **arguments)


def claude_raw(body: dict[str, Any], answer: Answer | None = None, **options: Any) -> Ask:
    given = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}], **body}
    return Ask("raw", "POST", answer or as_json(message()), {"json": given, **options}, "/v1/messages")


def gpt(answer: Answer | None = None, **arguments: Any) -> Ask:
    given = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello"}], **arguments}
    return Ask("openai", "chat.completions.create", answer or as_json(completion()), given)


def http(method: str, path: str, answer: Answer | None = None, **arguments: Any) -> Ask:
    return Ask("raw", method, answer or as_json({"ok": True}), arguments, path)


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def used(tool_input: Any, result: Any) -> dict[str, Any]:
    """Arguments of the second turn of a tool loop."""
    return {
        "tools": [{"name": "note", "description": "Notes it.", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Note it."},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_01AbCdEfGh", "name": "note", "input": tool_input}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01AbCdEfGh", "content": result}]},
        ],
    }  # fmt: skip


def called(arguments: str, result: str = "done") -> dict[str, Any]:
    call = {"id": "call_AbCdEfGh", "type": "function", "function": {"name": "note", "arguments": arguments}}
    return {
        "messages": [
            {"role": "user", "content": "Note it."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_AbCdEfGh", "content": result},
        ]
    }


def tool(**more: Any) -> dict[str, Any]:
    return {"tools": [{"name": "note", "description": "Notes it.", "input_schema": {"type": "object"}, **more}]}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def tokens(text: str, size: int = 3) -> list[dict[str, Any]]:
    return [{"token": piece, "logprob": -0.1, "bytes": list(piece.encode()),
             "top_logprobs": [{"token": piece, "logprob": -0.1, "bytes": list(piece.encode())}]}
            for piece in pieces(text, size)]  # fmt: skip


def response_object(text: str) -> dict[str, Any]:
    item = {"id": "msg_68AbCdEf", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}  # fmt: skip
    return {"id": "resp_68AbCdEf", "object": "response", "created_at": 1795392000, "status": "completed",
            "model": "gpt-5.5", "output": [item], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}  # fmt: skip
