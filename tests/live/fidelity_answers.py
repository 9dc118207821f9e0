"""What the model answers in the comparison with sockets: text, then a tool call; whole, and as events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from live.fidelity_clients import MODELS


def as_events(events: Sequence[dict[str, Any]], *, named: bool) -> list[bytes]:
    texts = [json.dumps(event, separators=(",", ":")) for event in events]
    return [
        (f"event: {event['type']}\n" if named else "").encode() + f"data: {text}\n\n".encode()
        for event, text in zip(events, texts, strict=True)
    ]


def anthropic_message(content: list[dict[str, Any]], stop: str | None, tokens: int) -> dict[str, Any]:
    return {"id": "msg_01Fidelity", "type": "message", "role": "assistant", "model": MODELS["anthropic"],
            "content": content, "stop_reason": stop, "stop_sequence": None,
            "usage": {"input_tokens": 25, "output_tokens": tokens}}  # fmt: skip


def anthropic_answers() -> tuple[bytes, list[bytes]]:
    tool = {"type": "tool_use", "id": "toolu_01Fidelity", "name": "get_weather"}
    whole = anthropic_message([{"type": "text", "text": "I'll look it up. ☀️"}, {**tool, "input": {"city": "Paris"}}],
                              "tool_use", 41)  # fmt: skip

    def delta(index: int, kind: str, key: str, text: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: text}}

    stream = [
        {"type": "message_start", "message": anthropic_message([], None, 1)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *[delta(0, "text_delta", "text", text) for text in ("I'll ", "look it ", "up. ", "☀️")],
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {**tool, "input": {}}},
        *[delta(1, "input_json_delta", "partial_json", text) for text in ("", '{"city": ', '"Paris"}')],
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
         "usage": {"output_tokens": 41}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return json.dumps(whole).encode(), as_events(stream, named=True)


def openai_answers() -> tuple[bytes, list[bytes]]:
    about = {"id": "chatcmpl-Fidelity", "created": 1790000000, "model": MODELS["openai"]}
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    tool = {"id": "call_Fidelity", "type": "function", "function": function}
    message = {"role": "assistant", "content": "I'll look it up. ☀️", "tool_calls": [tool], "refusal": None}
    usage = {"prompt_tokens": 25, "completion_tokens": 41, "total_tokens": 66}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    whole = {**about, "object": "chat.completion", "usage": usage, "choices": [choice]}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**about, "object": "chat.completion.chunk", "choices": [choice]}

    stream = [
        chunk({"role": "assistant", "content": ""}),
        *[chunk({"content": text}) for text in ("I'll ", "look it ", "up. ", "☀️")],
        chunk({"tool_calls": [{"index": 0, **tool, "function": {"name": "get_weather", "arguments": ""}}]}),
        *[chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}) for text in ('{"city": ', '"Paris"}')],
        chunk({}, "tool_calls"),
        {**chunk({}), "choices": [], "usage": usage},
    ]
    return json.dumps(whole).encode(), [*as_events(stream, named=False), b"data: [DONE]\n\n"]


ANSWERS = {"anthropic": anthropic_answers, "openai": openai_answers}
"""By SDK: gives the body of a whole answer, and the events of a streamed one."""
