"""The conversation that is measured: a streamed chat of `turns` turns through the anthropic SDK.

Each request repeats all turns before it, as an agent's do, so that whatever walks the history once
per turn shows as a square. The model is a mock transport in the same process: what is measured is
the SDK and us, not a socket.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2

import convo_replay

HOST = "api.anthropic.com"
ANSWER = 'The answer to that is a sentence or two of ordinary length, with a little ünïcode ☀️ and "quotes".'
TOOLS = [{"name": "lookup", "description": "d" * 400, "input_schema": {"type": "object", "properties": {}}}]


def _events(number: int) -> bytes:
    usage = {"input_tokens": 10, "output_tokens": 1}
    message: dict[str, Any] = {"id": f"msg_{number:06}", "type": "message", "role": "assistant", "model": "claude-x",
                               "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    text = f"{number:06} {ANSWER}"
    pieces = [text[start : start + 20] for start in range(0, len(text), 20)]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    lines = (f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events)
    return "".join(lines).encode()


def _model() -> httpx2.MockTransport:
    count = iter(range(1_000_000))

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, stream=httpx2.ByteStream(_events(next(count)))
        )

    return httpx2.MockTransport(answer)


def converse(turns: int, transport: httpx2.BaseTransport | None = None) -> list[str]:
    """The texts of all answers, asked for one after the other."""
    texts = []
    messages: list[Any] = []
    with (
        httpx2.Client(transport=transport, trust_env=False) as http,
        anthropic.Anthropic(api_key="sk-ant-benchmark", http_client=http, max_retries=0) as client,
    ):
        for number in range(turns):
            messages.append({"role": "user", "content": f"Question {number:06}: " + "what about this? " * 8})
            with client.messages.stream(model="claude-x", max_tokens=99, messages=messages, tools=TOOLS) as stream:
                texts.append(stream.get_final_text())
            messages.append({"role": "assistant", "content": texts[-1]})
    return texts


def bare(turns: int) -> list[str]:
    """The conversation without us, over a mock transport."""
    return converse(turns, _model())


def record(cassette: Path, turns: int) -> list[str]:
    """The conversation, recorded into a new cassette. A mock transport is recorded as it is named."""
    with convo_replay.use_cassette(cassette, record="all", intercept=[HOST], max_requests=turns):
        return converse(turns, _model())


def replay(cassette: Path, turns: int) -> list[str]:
    """The conversation, replayed."""
    with convo_replay.use_cassette(cassette):
        return converse(turns)
