"""Streams in which a planted value is split: in two and in three at every position, and character by character.

One stream has a block (a choice, an item, a call) for each way to split, each with a value of its own, so that no
block is found only because another one made its value known.
"""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from live.planted import Kind, all_escaped
from live.planted_asks import (
    SSE,
    Answer,
    Ask,
    block_events,
    chunk,
    claude,
    data_events,
    gpt,
    http,
    message_events,
    named_events,
    response_object,
    text_block,
    thinking_block,
    tokens,
    tool_block,
    user,
)

BEFORE, AFTER = "It is ", ", noted.¶"
Pieces = Sequence[str]


def in_two(text: str) -> Iterator[Pieces]:
    for at in range(1, len(text)):
        yield text[:at], text[at:]


def in_three(text: str) -> Iterator[Pieces]:
    dice = random.Random(len(text))
    for at in range(1, len(text) - 1):
        for other in {at + 1, dice.randrange(at + 1, len(text))}:
            yield text[:at], text[at:other], text[other:]


def by_ones(text: str) -> Iterator[Pieces]:
    yield tuple(text)


def with_nothing_between(text: str) -> Iterator[Pieces]:
    for at in range(1, len(text), 5):
        yield text[:at], "", "", text[at:]


SPLITS: dict[str, Callable[[str], Iterator[Pieces]]] = {
    "in two": in_two, "in three": in_three, "by ones": by_ones, "with empty deltas": with_nothing_between,
}  # fmt: skip


@dataclass(frozen=True)
class Grammar:
    """How a format streams. `written` is how a text stands in it, `make` the request with its answer."""

    make: Callable[[list[Pieces]], Ask]
    written: Callable[[str], str] = lambda text: text
    most: int = 10_000
    """Blocks that one stream may have."""


def in_json(text: str) -> str:
    return json.dumps({"note": text, "n": 1})


def in_json_twice(text: str) -> str:
    return json.dumps({"note": json.dumps({"inner": text})})


def in_json_escaped(text: str) -> str:
    return f'{{"note": "{all_escaped(text)}"}}'


def claude_streamed(blocks: list[list[dict[str, Any]]], stop: str = "end_turn") -> Ask:
    return claude(Answer(message_events(*blocks, stop=stop), SSE), stream=True)


def texts(all_pieces: list[Pieces]) -> Ask:
    return claude_streamed([text_block(n, pieces) for n, pieces in enumerate(all_pieces)])


def thoughts(all_pieces: list[Pieces]) -> Ask:
    return claude_streamed([thinking_block(n, pieces) for n, pieces in enumerate(all_pieces)])


def inputs(all_pieces: list[Pieces]) -> Ask:
    return claude_streamed([tool_block(n, pieces) for n, pieces in enumerate(all_pieces)], "tool_use")


def server_inputs(all_pieces: list[Pieces]) -> Ask:
    return claude_streamed([tool_block(n, pieces, "server_tool_use") for n, pieces in enumerate(all_pieces)])


def compactions(all_pieces: list[Pieces]) -> Ask:
    empty = {"type": "compaction", "content": None}
    return claude_streamed([
        block_events(n, empty, [{"type": "compaction_delta", "content": piece} for piece in pieces])
        for n, pieces in enumerate(all_pieces)
    ])  # fmt: skip


def in_turn(all_pieces: list[Pieces]) -> Iterator[tuple[int, str]]:
    for n, pieces in enumerate(all_pieces):
        for piece in pieces:
            yield n, piece


def chat(field: str) -> Callable[[list[Pieces]], Ask]:
    def make(all_pieces: list[Pieces]) -> Ask:
        events = [chunk({field: piece}, n) for n, piece in in_turn(all_pieces)]
        ends = [chunk({}, n, "stop") for n in range(len(all_pieces))]
        return gpt(Answer(data_events(*events, *ends), SSE), stream=True, n=len(all_pieces))

    return make


def chat_calls(all_pieces: list[Pieces]) -> Ask:
    def named(n: int) -> dict[str, Any]:
        call = {"id": f"call_Ab{n:04}", "type": "function", "function": {"name": "note", "arguments": ""}}
        return chunk({"tool_calls": [{"index": n, **call}]})

    events: list[dict[str, Any]] = []
    for n, pieces in enumerate(all_pieces):
        events.append(named(n))
        events += [chunk({"tool_calls": [{"index": n, "function": {"arguments": piece}}]}) for piece in pieces]
    return gpt(Answer(data_events(*events, chunk({}, finish="tool_calls")), SSE), stream=True)


def chat_logprobs(all_pieces: list[Pieces]) -> Ask:
    events = [chunk({"content": piece}, n, logprobs={"content": tokens(piece, len(piece) or 1), "refusal": None})
              for n, piece in in_turn(all_pieces)]  # fmt: skip
    return gpt(Answer(data_events(*events), SSE), stream=True, logprobs=True)


def responses(kind: str, **fixed: Any) -> Callable[[list[Pieces]], Ask]:
    def make(all_pieces: list[Pieces]) -> Ask:
        events: list[dict[str, Any]] = [{"type": "response.created", "response": response_object("")}]
        for n, piece in in_turn(all_pieces):
            where = {"item_id": f"item_{n:04}", "output_index": n, **fixed}
            events.append({"type": f"response.{kind}.delta", **where, "delta": piece})
        events.append({"type": "response.completed", "response": response_object("")})
        numbered = [{**event, "sequence_number": n} for n, event in enumerate(events)]
        asked = {"model": "gpt-5.5", "input": "Hello", "stream": True}
        return Ask("openai", "responses.create", Answer(named_events(*numbered), SSE), asked)

    return make


def gemini(all_pieces: list[Pieces]) -> Ask:
    events = [
        {"candidates": [{"content": {"parts": [{"text": piece}], "role": "model"}, "index": n}]}
        for n, piece in in_turn(all_pieces)
    ]
    path = "/v1beta/models/gemini-3-pro:streamGenerateContent"
    answer = Answer([f"data: {json.dumps(event)}\r\n\r\n".encode() for event in events], SSE)
    return http("POST", path, answer, json={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})


def ollama(all_pieces: list[Pieces]) -> Ask:
    (pieces,) = all_pieces
    lines = [{"model": "llama", "message": {"role": "assistant", "content": piece}, "done": False} for piece in pieces]
    answer = Answer([json.dumps(line).encode() + b"\n" for line in lines], [("content-type", "application/x-ndjson")])
    return http("POST", "/api/chat", answer, json={"model": "llama", **user("Hello")})


def frame(event: dict[str, Any]) -> bytes:
    """A message of `application/vnd.amazon.eventstream`: two lengths, a checksum, headers, the payload, a checksum."""
    inner = base64.b64encode(json.dumps(event).encode()).decode()
    payload = json.dumps({"bytes": inner, "p": "abcdefgh"}).encode()
    headers = b""
    for name, value in ((":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")):
        headers += bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()
    start = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start += struct.pack(">I", zlib.crc32(start))
    return start + headers + payload + struct.pack(">I", zlib.crc32(start + headers + payload))


def frames(data: bytes) -> Iterator[dict[str, Any]]:
    """The events of frames whose lengths and checksums are right."""
    while data:
        length, size = struct.unpack(">II", data[:8])
        whole, data = data[:length], data[length:]
        if struct.unpack(">I", whole[8:12])[0] != zlib.crc32(whole[:8]):
            raise ValueError("checksum of the prelude")
        if struct.unpack(">I", whole[-4:])[0] != zlib.crc32(whole[:-4]):
            raise ValueError("checksum of the message")
        yield json.loads(base64.b64decode(json.loads(whole[12 + size : -4])["bytes"]))


def bedrock(all_pieces: list[Pieces]) -> Ask:
    raws = message_events(*[text_block(n, pieces) for n, pieces in enumerate(all_pieces)])
    events = [json.loads(raw.split(b"\ndata: ")[1]) for raw in raws]
    answer = Answer(list(map(frame, events)), [("content-type", "application/vnd.amazon.eventstream")])
    path = "/model/eu.anthropic.claude-sonnet-4-6/invoke-with-response-stream"
    return http("POST", path, answer, json={"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, **user("x")})


GRAMMARS: dict[str, Grammar] = {
    "anthropic text": Grammar(texts),
    "anthropic thinking": Grammar(thoughts),
    "anthropic input": Grammar(inputs, in_json),
    "anthropic input, JSON in a string": Grammar(inputs, in_json_twice),
    "anthropic input, escaped": Grammar(inputs, in_json_escaped),
    "anthropic server tool": Grammar(server_inputs, in_json),
    "anthropic compaction": Grammar(compactions),
    "chat content": Grammar(chat("content"), most=100),
    "chat refusal": Grammar(chat("refusal"), most=100),
    "chat reasoning": Grammar(chat("reasoning_content"), most=100),
    "chat arguments": Grammar(chat_calls, in_json),
    "chat logprobs": Grammar(chat_logprobs, most=100),
    "responses text": Grammar(responses("output_text", content_index=0)),
    "responses arguments": Grammar(responses("function_call_arguments"), in_json),
    "responses reasoning": Grammar(responses("reasoning_summary_text", summary_index=0)),
    "Gemini": Grammar(gemini),
    "Bedrock": Grammar(bedrock),
    "JSON lines": Grammar(ollama, most=1),
}


def streams(
    kind: Kind, grammar: Grammar, split: Callable[[str], Iterator[Pieces]], seed: str = "", stride: int = 1
) -> Iterator[tuple[list[str], list[str], Ask]]:
    """Values, whole texts as they are written, and the request whose answer says them split."""
    ways = len(list(split(grammar.written(BEFORE + kind.text(kind.value(f"{seed}0")) + AFTER))))
    values, wholes, split_texts = [], [], []
    for n in range(0, ways, stride):
        value = kind.value(f"{seed}{n}")
        whole = grammar.written(BEFORE + kind.text(value) + AFTER)
        ways_of_this = list(split(whole))
        values.append(value)
        wholes.append(whole)
        split_texts.append(ways_of_this[min(n, len(ways_of_this) - 1)])
        if len(values) == grammar.most:
            yield values, wholes, grammar.make(split_texts)
            values, wholes, split_texts = [], [], []
    if values:
        yield values, wholes, grammar.make(split_texts)
