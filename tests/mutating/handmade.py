"""Conversations written by hand, so that every operator has something to change where there is no corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from mutating.drafts import spelled

WEATHER = "toolu_01A09q90qw90lq917835lq9a"
TIME = "toolu_01B09q90qw90lq917835lq9b"
SIGNATURE = (
    "EqoBCkgIARABGAIiQL2UoU0b1OHYi+yCHpBY7U6FQW8/FcoLewocJQPa2HnmLM+NECy50y44F/kD4SULFXi57buI9fAvyBwtyjlOiO0SDE3+"
)

Blocks = list[dict[str, Any]]


def recordings() -> dict[str, list[Exchange]]:
    """By name: each a conversation of the Messages API or of chat completions, once plain and once streamed."""
    found = {}
    for streamed in (False, True):
        how = "streamed" if streamed else "plain"
        for name, turns in _CONVERSATIONS.items():
            found[f"{name}, {how}"] = list(_anthropic(turns, streamed))
        for name, turns in _CHATS.items():
            found[f"{name}, {how}"] = list(_chat(turns, streamed))
    return found


# --- the Messages API --------------------------------------------------------------------------------


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _call(ident: str, name: str, **input: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": input}


def _result(ident: str, text: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": text}


_TOOLS: Blocks = [
    {
        "name": name,
        "description": f"Tells the {what} in a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    for name, what in (("get_weather", "weather"), ("get_time", "time"))
]
_LOOK = "I look up both, the weather and the time in Paris, and then tell you."
_THOUGHT = {"type": "thinking", "thinking": "Both tools are needed, and both take the city.", "signature": SIGNATURE}
_SEARCH = {"type": "server_tool_use", "id": "srvtoolu_01Wv5G9GkE3LcVbEzZL4yS1a", "input": {"query": "weather"}}

_CONVERSATIONS: dict[str, tuple[dict[str, Any], list[Blocks]]] = {
    # Parameters, then the turns: user's, model's, user's …
    "two tools": (
        {"model": "claude-sonnet-4-5-20250929", "tools": _TOOLS, "system": "Be brief."},
        [
            [_text("How are the weather and the time in Paris?")],
            [_text(_LOOK), _call(WEATHER, "get_weather", city="Paris"), _call(TIME, "get_time", city="Paris")],
            [_result(WEATHER, "sunny"), _result(TIME, "14:00")],
            [_text("It is sunny in Paris, and the time is two in the afternoon.")],
            [_text("Thank you.")],
            [_text("You are welcome. Is there more that you would like to know?")],
        ],
    ),
    "thinking": (
        {
            "model": "claude-sonnet-4-5-20250929",
            "tools": _TOOLS,
            "max_tokens": 4096,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
        },
        [
            [_text("How are the weather and the time in Paris?")],
            [_THOUGHT, _call(WEATHER, "get_weather", city="Paris"), _call(TIME, "get_time", city="Paris")],
            [_result(WEATHER, "sunny"), _result(TIME, "14:00")],
            [_text("It is sunny in Paris, and the time is two in the afternoon.")],
        ],
    ),
    "web search": (
        {
            "model": "claude-sonnet-4-5-20250929",
            "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}],
        },
        [
            [_text("How is the weather in Paris?")],
            [
                _text("I search the web for that."),
                {**_SEARCH, "name": "web_search"},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": _SEARCH["id"],
                    "content": [
                        {
                            "type": "web_search_result",
                            "title": "Paris",
                            "url": "https://example.com/paris",
                            "encrypted_content": SIGNATURE,
                            "page_age": None,
                        }
                    ],
                },
                _text("It is sunny in Paris today, says the first page that I found."),
            ],
            [_text("And tomorrow?")],
            [_text("Tomorrow it will rain in Paris, says the same page.")],
        ],
    ),
    "tool search": (
        {
            "model": "claude-sonnet-4-5-20250929",
            "tools": [
                {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
                *({**tool, "defer_loading": True} for tool in _TOOLS),
            ],
        },
        [
            [_text("How is the weather in Paris?")],
            [
                {**_SEARCH, "name": "tool_search_tool_bm25"},
                {
                    "type": "tool_search_tool_result",
                    "tool_use_id": _SEARCH["id"],
                    "content": {
                        "type": "tool_search_tool_search_result",
                        "tool_references": [{"type": "tool_reference", "tool_name": "get_weather"}],
                    },
                },
                _call(WEATHER, "get_weather", city="Paris"),
            ],
            [_result(WEATHER, "sunny")],
            [_text("It is sunny in Paris.")],
        ],
    ),
}


def _anthropic(conversation: tuple[dict[str, Any], list[Blocks]], streamed: bool) -> Iterator[Exchange]:
    parameters, turns = conversation
    messages = [{"role": ("user", "assistant")[at % 2], "content": blocks} for at, blocks in enumerate(turns)]
    headers = (("anthropic-version", "2023-06-01"), ("content-type", "application/json"))
    for at in range(1, len(turns), 2):
        body = {"max_tokens": 1024, **parameters, "messages": messages[:at], "stream": streamed}
        request = Request("POST", "https://api.anthropic.com/v1/messages", headers, Json(body))
        message = {
            "id": f"msg_01Handmade0000000000000{at}",
            "type": "message",
            "role": "assistant",
            "model": parameters["model"],
            "content": turns[at],
            "stop_reason": "tool_use" if any(block["type"] == "tool_use" for block in turns[at]) else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100 + at, "output_tokens": 20},
        }
        yield _answered(request, b"".join(_events(message)) if streamed else json.dumps(message).encode(), streamed)


def _events(message: dict[str, Any]) -> Iterator[bytes]:
    start = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 100, "output_tokens": 1}}
    yield _event("message_start", message=start)
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        first, deltas = _streamed(block)
        yield _event("content_block_start", index=index, content_block=first)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=stop, usage={"output_tokens": 20})
    yield _event("message_stop")


def _streamed(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a block is at its start, and its deltas."""
    if block["type"] == "text":
        return _text(""), [{"type": "text_delta", "text": part} for part in _parts(block["text"])]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": part} for part in _parts(block["thinking"])]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signature]
    if "input" in block:
        parts = ["", *_parts(json.dumps(block["input"]))]
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return block, []


def _event(type: str, **data: Any) -> bytes:
    return spelled({"type": type, **data}, type)


def _parts(text: str) -> Sequence[str]:
    size = max(len(text) // 3, 1)
    return [text[at : at + size] for at in range(0, len(text), size)]


# --- chat completions --------------------------------------------------------------------------------


def _asked(ident: str, name: str) -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}


_CHATS: dict[str, list[dict[str, Any]]] = {
    "two functions": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How are the weather and the time in Paris?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                _asked("call_abc123abc123abc123abc1", "get_weather"),
                _asked("call_def456def456", "get_time"),
            ],
        },
        {"role": "tool", "tool_call_id": "call_abc123abc123abc123abc1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_def456def456", "content": "14:00"},
        {"role": "assistant", "content": "It is sunny in Paris, and the time is two in the afternoon."},
        {"role": "user", "content": "Thank you."},
        {"role": "assistant", "content": "You are welcome. Is there more that you would like to know?"},
    ],
}


def _chat(messages: list[dict[str, Any]], streamed: bool) -> Iterator[Exchange]:
    tools = [
        {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}} for tool in _TOOLS
    ]
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        body = {"model": "gpt-5.5", "messages": messages[:at], "tools": tools}
        if streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        request = Request("POST", "https://api.openai.com/v1/chat/completions", (), Json(body))
        head = {"id": f"chatcmpl-handmade{at}", "created": 1790000000, "model": "gpt-5.5-2026-04-23"}
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        usage = {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60}
        if streamed:
            answer = b"".join(_chunks({**head, "object": "chat.completion.chunk"}, message, reason, usage))
        else:
            choice = {"index": 0, "message": {"refusal": None, **message}, "finish_reason": reason, "logprobs": None}
            answer = json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        yield _answered(request, answer, streamed)


def _chunks(head: dict[str, Any], message: dict[str, Any], reason: str, usage: dict[str, Any]) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return spelled({**head, "choices": [choice], "usage": None})

    yield chunk({"role": "assistant", "content": "" if message["content"] else None, "refusal": None})
    for part in _parts(message["content"] or ""):
        yield chunk({"content": part})
    for index, call in enumerate(message.get("tool_calls", ())):
        yield chunk({"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]})
        for part in _parts(call["function"]["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield chunk({}, reason)
    yield spelled({**head, "choices": [], "usage": usage})
    yield spelled("[DONE]")


def _answered(request: Request, body: bytes, streamed: bool) -> Exchange:
    type = "text/event-stream; charset=UTF-8" if streamed else "application/json"
    return Exchange(request, (Head(200, (("content-type", type),)), Chunk(0.0, body), End()))
