"""Requests and answers of the Messages API in one line each, for tests of validation."""

from __future__ import annotations

import json
from typing import Any

from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Json, Request

API = "https://api.anthropic.com/v1/messages"


def asked(*messages: Any, url: str = API, version: str = "2026-10-21", **other: Any) -> Request:
    """A request of these messages."""
    body = {"model": "claude-sonnet-5-5", "max_tokens": 64, "messages": list(messages)} | other
    return Request("POST", url, (("anthropic-version", version),), Json(body))


def answer(*content: Any, stop: str = "end_turn", **other: Any) -> dict[str, Any]:
    """A message of these blocks; a string is a text block."""
    blocks = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": blocks,
        "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 5},
    } | other  # fmt: skip


def exchange(request: Request, given: Any, *, status: int | None = 200, end: EndKind = "complete") -> Exchange:
    """The request with its answer: bytes are a stream, anything else is JSON. No status: it was refused."""
    if status is None:
        return Exchange(request, (End("refused", 0.1),))
    kind = "text/event-stream" if isinstance(given, bytes) else "application/json"
    data = given if isinstance(given, bytes) else json.dumps(given, separators=(",", ":")).encode()
    return Exchange(request, (Head(status, (("content-type", kind),), 0.1), Chunk(0.2, data), End(end, 0.3)))
