"""A delta that a client cannot place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault, word
from convo_replay.providers import wire


@dataclass(frozen=True)
class UnknownDelta(Fault):
    """`unknown_delta@3`: of a new type; `unknown_delta:unfit@3`: of a known type that the open block cannot have.

    It names the block that is open at the position; where none is, nothing changes. In chat completions, where a delta
    is an object of keys, it is one with a new key; none is unfit there.
    """

    what: str = word("new", choices=("new", "unfit"), help="new: of an unknown type; unfit: not of the block's")

    name = "unknown_delta"
    kind = "stream"
    summary = "a delta of an unknown type, or one that does not fit its block"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(
        raw="normal, and an event more", stream=("normal", "normal, and a key more in the message")
    )
    source: ClassVar[str] = "row 48"

    def fits(self, exchange: Exchange) -> str:
        formats = ("anthropic", "openai_chat") if self.what == "new" else ("anthropic",)
        return fitting.wants_stream(exchange) or fitting.wants_format(exchange, *formats)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        if fitting.wire_format(exchange) == "openai_chat":
            return pieces.inserted(before, after, Chunk(0.0, pieces.event(None, wire.dump(_chunk(exchange)))))
        opened = _open_block(before)
        if opened is None:
            return (*before, *after)
        index, kind = opened
        delta = {"type": "note_delta", "note": "?"}
        if self.what == "unfit":
            text = {"type": "text_delta", "text": "?"}
            delta = {"type": "thinking_delta", "thinking": "?"} if kind == "text" else text
        data = {"type": "content_block_delta", "index": index, "delta": delta}
        return pieces.inserted(before, after, Chunk(0.0, pieces.event("content_block_delta", wire.dump(data))))


def _open_block(before: Steps) -> tuple[int, str] | None:
    """Index and type of the block that was started last and is not stopped."""
    started: tuple[int, str] | None = None
    for event in sse.split(pieces.body_of(before)):
        data = wire.mapping(wire.parse(event.data))
        index = data.get("index")
        if data.get("type") == "content_block_start" and isinstance(index, int):
            started = index, wire.string(wire.mapping(data.get("content_block")).get("type"))
        elif data.get("type") == "content_block_stop":
            started = None
    return started


def _chunk(exchange: Exchange) -> dict[str, object]:
    """A chunk like the first of the stream, with a delta of a key that nobody knows."""
    first = next((wire.parse(event.data) for event in sse.split(exchange.body) if event.dispatched), None)
    same = {key: value for key, value in wire.mapping(first).items() if key not in ("choices", "usage")}
    return {**same, "choices": [{"index": 0, "delta": {"note": "?"}, "finish_reason": None}]}
