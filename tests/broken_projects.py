"""Recordings without a recording run, and a small client of its own, for projects whose answers are broken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CLIENT = '''
import json, time
import httpx

URL = "https://api.anthropic.com/v1/messages"

def _body(text):
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-opus-4-7", "max_tokens": 64, "stream": True, "messages": messages}

def _words(lines):
    words, whole = [], False
    for line in lines:
        if line.startswith("data: "):
            event = json.loads(line[6:])
            if event["type"] == "content_block_delta":
                words.append(event["delta"]["text"])
            whole = whole or event["type"] == "message_stop"
    return " ".join(words), whole

def ask(text="hi", tries=1):
    """The answer; `tries` > 1: of a client that asks again, and knows half an answer."""
    for attempt in range(tries):
        try:
            with httpx.stream("POST", URL, json=_body(text)) as response:
                response.raise_for_status()
                answer, whole = _words(response.iter_lines())
            if whole or tries == 1:
                return answer
        except httpx.HTTPError:
            if attempt + 1 == tries:
                raise
        time.sleep(2.0 ** attempt)
    raise RuntimeError("half an answer")

async def ask_async(text="hi"):
    async with httpx.AsyncClient() as client, client.stream("POST", URL, json=_body(text)) as response:
        response.raise_for_status()
        return _words([line async for line in response.aiter_lines()])[0]
'''


def stream(words: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of an answer: five, and one for each word."""
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-7", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1},
    }  # fmt: skip
    text = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}} for w in words.split()
    ]
    done = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *text,
        {"type": "content_block_stop", "index": 0},
        done | {"usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    return [(str(event["type"]), event) for event in events]


def cassette(test: str, turns: Mapping[str, str]) -> str:
    """A cassette of ours: streamed turns, each a user text and the words of its answer."""
    lines = ["convo_replay: 1", "exchanges:"]
    for text, words in turns.items():
        body = {
            "model": "claude-opus-4-7", "max_tokens": 64, "stream": True,
            "messages": [{"role": "user", "content": text}],
        }  # fmt: skip
        lines += [
            f"  - test: {test}",
            "    request:",
            "      method: POST",
            '      url: "https://api.anthropic.com/v1/messages"',
            f"      json: {json.dumps(body)}",
            "    response:",
            "      status: 200",
            "      headers: {content-type: text/event-stream; charset=utf-8}",
            "      took: 1.0",
            "      sse: |",
            *(f"        +0.010 {name} {json.dumps(data)}" for name, data in stream(words)),
        ]
    return "\n".join(lines) + "\n"


def record(project: Any, module: str, *tests: str, **turns: str) -> None:
    """Writes the cassettes of tests (`TestA.test_it[x]`); one turn, `hi`, unless turns are named."""
    for test in tests:
        owner = f"{module}.py::{test.replace('.', '::')}"
        project.write(f"cassettes/{module}/{test}.yaml", cassette(owner, turns or {"hi": "a b c"}))
