"""What is validated: an agent's conversation as the API accepts it, and what grows in one direction.

Everything is made of plain values; nothing imports an SDK or the validator.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request

MESSAGES = "https://api.anthropic.com/v1/messages"
CHAT = "https://api.openai.com/v1/chat/completions"
MODEL, CHAT_MODEL = "claude-sonnet-4-6", "gpt-5.5"
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "query": {"type": "string"}},
    "required": ["path", "query"],
}
NAMES = ("read_file", "search", "run_tests", "edit", "list_files", "fetch", "plan", "ask")
TOOLS = [{"name": name, "description": f"What {name} does. " * 12, "input_schema": SCHEMA} for name in NAMES]
SIGNATURE = base64.b64encode(bytes(range(64)) * 3).decode()


# --- one conversation ------------------------------------------------------------------------------


def conversation(turns: int) -> list[Exchange]:
    """A streamed tool loop with thinking; each request repeats all turns before it, with the same messages."""
    history: list[Any] = [{"role": "user", "content": "Make the tests of this project pass, and say what was wrong."}]
    exchanges = []
    for number in range(turns):
        answer = _answer(number)
        exchanges.append(exchange(asked(history[:]), streamed(answer, "tool_use")))
        history += [
            {"role": "assistant", "content": answer},
            {"role": "user", "content": [_result(f"toolu_{number:024}", f"{number}: " + "1 failed, 7 passed. " * 24)]},
        ]
    return exchanges


def asked(messages: Sequence[Any], **more: Any) -> dict[str, Any]:
    """A request's body."""
    thinking = {"type": "enabled", "budget_tokens": 2048}
    settings = {"model": MODEL, "max_tokens": 4096, "stream": True, "tools": TOOLS, "thinking": thinking}
    return {**settings, "messages": list(messages), **more}


def exchange(body: Any, events: Sequence[Any], *, url: str = MESSAGES, version: str = "2026-10-21") -> Exchange:
    """A request and the stream that answers it; an event is a JSON value, or text as it stands in the stream."""
    named = url == MESSAGES
    pieces = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        name = f"event: {event.get('type')}\n" if named and isinstance(event, dict) else ""
        pieces.append(f"{name}data: {data}\n\n".encode("utf-8", "surrogatepass"))
    head = Head(200, (("content-type", "text/event-stream; charset=utf-8"),))
    headers = (("anthropic-version", version),) if named else ()
    return Exchange(Request("POST", url, headers, Json(body)), (head, Chunk(0.1, b"".join(pieces)), End("complete", 1)))


def streamed(content: Sequence[dict[str, Any]], stop: str = "end_turn") -> list[dict[str, Any]]:
    """The events of a stream that gives these blocks, a piece of 16 characters at a time."""
    usage = {"input_tokens": 900, "output_tokens": 1}
    message = {
        "id": "msg_01AbCdEfGhJkLmNpQrStUvWx", "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, block in enumerate(content):
        empty, deltas = _pieces(block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    last = {"stop_reason": stop, "stop_sequence": None}
    return [*events, {"type": "message_delta", "delta": last, "usage": {"output_tokens": 99}}, {"type": "message_stop"}]


def stream(events: int) -> Exchange:
    """One exchange whose stream has so many events."""
    text = "".join(f"{number:015} " for number in range(events - 5))
    return exchange(asked([{"role": "user", "content": "Go on."}]), streamed([{"type": "text", "text": text}]))


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        parts = [{"type": "text_delta", "text": part} for part in _cut(block["text"])]
        return {"type": "text", "text": ""}, parts
    if block["type"] == "thinking":
        parts = [{"type": "thinking_delta", "thinking": part} for part in _cut(block["thinking"])]
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            *parts, {"type": "signature_delta", "signature": block["signature"]},
        ]  # fmt: skip
    if "input" not in block:
        return block, []
    parts = [{"type": "input_json_delta", "partial_json": part} for part in ("", *_cut(json.dumps(block["input"])))]
    return {**block, "input": {}}, parts


def _cut(text: str) -> list[str]:
    return [text[start : start + 16] for start in range(0, len(text), 16)]


def _answer(number: int) -> list[dict[str, Any]]:
    """An assistant's turn of about 1.2 kB."""
    thought = f"{number}: one test fails, so its file comes first, and then what it imports. " * 3
    path = f"src/package/module_{number:03}.py"
    return [
        {"type": "thinking", "thinking": thought, "signature": SIGNATURE},
        {"type": "text", "text": f"I look at {path}, where the error says that a name is missing. " * 2},
        _use(f"toolu_{number:024}", NAMES[number % len(NAMES)], path),
    ]


def _use(ident: str, name: str = "read_file", path: str = "a") -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": {"path": path, "query": "def main"}}


def _result(ident: str, text: str = "done") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": text}


# --- what grows ------------------------------------------------------------------------------------


def _one(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def _talk(number: int) -> list[dict[str, Any]]:
    return [_one("assistant" if at % 2 else "user", f"message {at}") for at in range(2 * number + 1)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _sent(messages: Iterable[Any], **more: Any) -> list[Exchange]:
    return [exchange(asked(list(messages), **more), streamed([_text("ok")]))]


def _came(events: Sequence[Any]) -> list[Exchange]:
    return [exchange(asked([_one("user", "hello")]), events)]


def _chat(messages: Sequence[Any], chunks: Sequence[Any] = (), **more: Any) -> list[Exchange]:
    ended = [*chunks, _chunk({}, finish="stop"), "[DONE]"]
    return [exchange({"model": CHAT_MODEL, "stream": True, "messages": messages, **more}, ended, url=CHAT)]


def _chunk(delta: Any, *, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": CHAT_MODEL, "choices": [choice]}


def _nested(depth: int, leaf: Any) -> Any:
    value = leaf
    for at in range(depth):
        value = {"a": value} if at % 2 else [value]
    return value


def _deep_schema(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def _uses(number: int) -> list[dict[str, Any]]:
    return [_use(f"toolu_{at:024}") for at in range(number)]


def _results(number: int) -> list[dict[str, Any]]:
    return [_result(f"toolu_{at:024}") for at in range(number)]


def _looped(number: int) -> list[Exchange]:
    used = [
        message
        for at in range(number)
        for message in (_one("assistant", [_use(f"toolu_{at:024}")]), _one("user", [_result(f"toolu_{at:024}")]))
    ]
    return _sent([_one("user", "go"), *used], thinking={"type": "disabled"})


def _calls(number: int) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": "{}"}
    return [{"id": f"call_{at}", "type": "function", "function": function} for at in range(number)]


def _answered_again(number: int) -> list[Exchange]:
    body = asked([_one("user", "hello")])
    same = [exchange(body, streamed([_text(f"answer {at}")])) for at in range(number)]
    return [*same, *_sent([*body["messages"], _one("assistant", "another answer"), _one("user", "go on")])]


def _branches(number: int) -> list[Exchange]:
    begin = _talk(3)
    return [each for at in range(number) for each in _sent([*begin[:-1], _one("user", f"branch {at}")])]


def _starts(number: int) -> list[dict[str, Any]]:
    block = {"type": "content_block_start", "content_block": _text("")}
    return [{**block, "index": at} for at in range(number)]


def _delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _around(middle: Sequence[Any]) -> list[Any]:
    """A stream's first event, these, and its last two."""
    whole = streamed([])
    return [whole[0], *middle, *whole[1:]]


KINDS: dict[str, Callable[[int], list[Exchange]]] = {
    # Requests that are as they should be.
    "turns": conversation,
    "messages": lambda n: _sent(_talk(n)),
    "user messages in a row": lambda n: _sent(_one("user", f"part {at}") for at in range(n)),
    "blocks": lambda n: _sent([_one("user", [_text(f"block {at}") for at in range(n)])]),
    "tool calls of one turn": lambda n: _sent(
        [_one("user", "go"), _one("assistant", _uses(n)), _one("user", _results(n))], thinking={"type": "disabled"}
    ),
    "tool calls of many turns": _looped,
    "thinking blocks": lambda n: _sent(
        [_one("user", "go"), _one("assistant", [_answer(at)[0] for at in range(n)]), _one("user", "go on")]
    ),
    "tools": lambda n: _sent(_talk(1), tools=[{**TOOLS[0], "name": f"tool_{at}"} for at in range(n)]),
    "a tool's schema": lambda n: _sent(
        _talk(1),
        tools=[{"name": "f", "input_schema": {"type": "object", "properties": {f"p{at}": {} for at in range(n)}}}],
    ),
    "a deep tool's schema": lambda n: _sent(_talk(1), tools=[{"name": "f", "input_schema": _deep_schema(n)}]),
    "a deep tool's input": lambda n: _sent(
        [
            _one("user", "go"),
            _one("assistant", [{**_use("toolu_1"), "input": {"a": _nested(n, 1)}}]),
            _one("user", [_result("toolu_1")]),
        ],
        thinking={"type": "disabled"},
    ),
    "a long text": lambda n: _sent([_one("user", "word " * n)]),
    "a long system prompt": lambda n: _sent(_talk(1), system="word " * n),
    "results in a result": lambda n: _sent(
        [
            _one("user", "go"),
            _one("assistant", [_use("toolu_1")]),
            _one("user", [{**_result("toolu_1"), "content": [_text("x")] * n}]),
        ],
        thinking={"type": "disabled"},
    ),
    "branches of one beginning": _branches,
    "answers to one request": _answered_again,
    "chat: messages": lambda n: _chat(_talk(n)),
    "chat: tool calls": lambda n: _chat(
        [
            _one("user", "go"),
            {"role": "assistant", "content": None, "tool_calls": _calls(n)},
            *({"role": "tool", "tool_call_id": f"call_{at}", "content": "x"} for at in range(n)),
        ]
    ),
    # Requests that break a rule in every part.
    "unanswered tool calls": lambda n: _sent([_one("user", "go"), _one("assistant", _uses(n)), _one("user", "so")]),
    "results without a call": lambda n: _sent([_one("user", _results(n))]),
    "results of one call": lambda n: _sent(
        [_one("user", "go"), _one("assistant", [_use("toolu_1")]), _one("user", [_result("toolu_1")] * n)]
    ),
    "calls with one id": lambda n: _sent(
        [_one("user", "go"), _one("assistant", [_use("toolu_1")] * n), _one("user", [_result("toolu_1")])]
    ),
    "empty texts": lambda n: _sent([_one("user", [_text("")] * n)]),
    "cache marks": lambda n: _sent([_one("user", [{**_text("a"), "cache_control": {"type": "ephemeral"}}] * n)]),
    "blocks of an unknown type": lambda n: _sent([_one("user", [{"type": f"new_{at}"} for at in range(n)])]),
    "blocks that lack something": lambda n: _sent([_one("user", [{"type": "text"} for _ in range(n)])]),
    "blocks with unknown fields": lambda n: _sent([_one("user", [{**_text("a"), f"f{at}": 1} for at in range(n)])]),
    "unknown fields of a block": lambda n: _sent([_one("user", [{**_text("a"), **{f"f{at}": 1 for at in range(n)}}])]),
    "unknown fields of the request": lambda n: _sent(_talk(1), **{f"f{at}": 1 for at in range(n)}),
    "messages that are none": lambda n: _sent([None, 7, "x", [], {}] * n),
    "system messages": lambda n: _sent([_one("system", "x") for _ in range(n)]),
    "chat: results without a call": lambda n: _chat(
        [{"role": "tool", "tool_call_id": f"call_{at}", "content": "x"} for at in range(n)]
    ),
    "chat: unanswered calls": lambda n: _chat(
        [_one("user", "go"), {"role": "assistant", "tool_calls": _calls(n)}, _one("user", "so")]
    ),
    # Streams.
    "deltas": lambda n: [stream(n + 6)],
    "pieces of a tool's input": lambda n: _came(
        streamed([{**_use("toolu_1"), "input": {"path": "x" * 16 * n, "query": "y"}}], "tool_use")
    ),
    "blocks of a stream": lambda n: _came(streamed([_text(f"block {at}") for at in range(n)])),
    "pings": lambda n: _came(_around([{"type": "ping"}] * n)),
    "open blocks": lambda n: _came(_around(_starts(n))),
    "deltas without a block": lambda n: _came(_around([_delta(at, type="text_delta", text="a") for at in range(n)])),
    "deltas that do not fit": lambda n: _came(
        _around([*_starts(1), *[_delta(0, type="input_json_delta", partial_json="{")] * n])
    ),
    "events of an unknown type": lambda n: _came(_around([{"type": f"new_{at}"} for at in range(n)])),
    "events that are no JSON": lambda n: _came(_around(["{"] * n)),
    "events after the end": lambda n: _came([*_around([]), *[{"type": "message_stop"}] * n]),
    "beginnings": lambda n: _came(streamed([])[:1] * n),
    "usage events": lambda n: _came([*_around([])[:1], *[streamed([])[-2]] * n, {"type": "message_stop"}]),
    "chat: pieces": lambda n: _chat([_one("user", "go")], [_chunk({"content": f"{at} "}) for at in range(n)]),
    "chat: choices": lambda n: _chat([_one("user", "go")], [_chunk({"content": "a"}, index=at) for at in range(n)]),
    "chat: pieces of arguments": lambda n: _chat(
        [_one("user", "go")],
        [
            _chunk({"tool_calls": [{"index": 0, **_calls(1)[0]}]}),
            *[_chunk({"tool_calls": [{"index": 0, "function": {"arguments": " "}}]})] * n,
        ],
    ),
    "chat: calls of a stream": lambda n: _chat(
        [_one("user", "go")], [_chunk({"tool_calls": [{"index": at, **call}]}) for at, call in enumerate(_calls(n))]
    ),
}
"""Exchanges whose size is a number, by what grows; each has one thing `n` times."""
