"""A recorded conversation under other circumstances: another model or version, thinking on, alone.

A rule about a parameter fires for some models and versions only, and few recordings have just these. So a real
conversation is moved there first, and kept legal on the way; the edit comes after that.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from convo_replay.exchange import Chunk, End, Exchange, Json, Request
from convo_replay.providers import find
from mutating.drafts import Stream, data, kind

SAMPLING = ("temperature", "top_p", "top_k")
_NO_PREFILL = ("claude-opus-4-6", "claude-opus-4-7", "claude-opus-5", "claude-sonnet-4-6", "claude-fable-5")


def moved(conversation: Sequence[Exchange], given: Mapping[str, Any]) -> list[Exchange] | None:
    """The conversation under the circumstances of `given`; `None` where it would not be legal there.

    Keys of `given`: `model`, `version`, `betas`, `thinking` (the parameter), `thinks` (each assistant turn
    begins with a thinking block, sent and received), `max_tokens`, `alone` (its last exchange, without the
    earlier ones), `system` (text of the top level), `tool_choice`, `needs` (keys that the body must have).
    """
    exchanges = list(conversation[-1:]) if given.get("alone") else list(conversation)
    out = []
    for exchange in exchanges:
        provider = find(exchange.request)
        if provider is None or provider.name != "anthropic" or not provider.generates(exchange.request):
            out.append(exchange)
            continue
        request = _request(exchange.request, given)
        if request is None:
            return None
        if given.get("thinks"):
            exchange = _thoughtful(exchange)
        out.append(replace(exchange, request=request))
    return out


def _request(request: Request, given: Mapping[str, Any]) -> Request | None:
    body = copy.deepcopy(request.json)
    messages = body["messages"]
    if any(not body.get(key) for key in given.get("needs", ())):
        return None
    if "model" in given:
        if "/v1/messages" not in request.url:
            return None  # the URL names the model
        body["model"] = given["model"]
        if not _fits(messages, given):
            return None
        body.pop("thinking", None)
        body.pop("context_management", None)
        body.get("output_config", {}).pop("effort", None)
        body.get("output_config", {None: None}) or body.pop("output_config")
        if body.get("tool_choice", {}).get("type") in ("any", "tool"):
            body.pop("tool_choice")
    if "thinking" in given:
        body["thinking"] = dict(given["thinking"])
        body["max_tokens"] = given.get("max_tokens", 4096)
    if given.get("version", "") >= "2026" or "thinking" in given:
        for name in SAMPLING:
            body.pop(name, None)
    for key in ("system", "tool_choice"):
        if key in given:
            body[key] = copy.deepcopy(given[key])
    if given.get("thinks"):
        for index, message in enumerate(messages):
            if message["role"] == "assistant":
                message["content"] = think(message["content"], index)
    return replace(request, headers=_headers(request, given), body=Json(body))


def _fits(messages: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> bool:
    if any(message["role"] == "system" for message in messages):
        return False
    if str(given["model"]).startswith(_NO_PREFILL) and messages and messages[-1]["role"] == "assistant":
        return False
    thinks = any(
        block.get("type") in ("thinking", "redacted_thinking", "document", "compaction")
        for message in messages
        if message["role"] == "assistant" and isinstance(message["content"], list)
        for block in message["content"]
    )
    return not thinks


def _headers(request: Request, given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = dict(request.headers)
    if "version" in given:
        headers["anthropic-version"] = given["version"]
    if "betas" in given:
        headers["anthropic-beta"] = given["betas"]
    return tuple(headers.items())


def thought(index: int) -> dict[str, Any]:
    """A thinking block for the assistant message at that place."""
    signature = base64.b64encode(hashlib.sha512(str(index).encode()).digest()).decode()
    return {
        "type": "thinking",
        "thinking": f"Step {index}: what is asked for, and which tool tells it.",
        "signature": signature,
    }


def think(content: Any, index: int) -> list[Any]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [thought(index), *blocks]


def _thoughtful(exchange: Exchange) -> Exchange:
    """The answer with a thinking block at its beginning."""
    index = len(exchange.request.json["messages"])
    head = exchange.head
    if head is None or not 200 <= head.status < 300:
        return exchange
    if exchange.is_stream or kind(Stream(exchange).events[0] if exchange.body else b"") == "message_start":
        stream = Stream(exchange)
        for at in range(len(stream.events)):
            value = data(stream.events[at])
            if isinstance(value.get("index"), int):
                stream.change(at, index=value["index"] + 1)
        block = thought(index)
        starts = stream.of("message_start")
        for place, value in enumerate(_streamed(block), starts[0] + 1 if starts else 0):
            stream.insert(place, value, value["type"])
        return stream.finished()
    try:
        value = exchange.response_json()
    except ValueError:
        return exchange
    if not isinstance(value.get("content"), list):
        return exchange
    body = json.dumps({**value, "content": [thought(index), *value["content"]]}).encode()
    return replace(exchange, steps=(head, Chunk(0.0, body), End()))


def _streamed(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    deltas = [
        {"type": "thinking_delta", "thinking": block["thinking"]},
        {"type": "signature_delta", "signature": block["signature"]},
    ]
    return [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]
