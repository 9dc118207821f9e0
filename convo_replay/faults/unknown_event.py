"""An event of a type that did not exist when the client was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire

_EVENTS = {
    "anthropic": ("content_block_note", {"type": "content_block_note", "index": 0, "note": {"type": "note"}}),
    "openai_chat": (None, {"id": "", "object": "chat.completion.note", "created": 0, "model": "", "choices": []}),
}


@dataclass(frozen=True)
class UnknownEvent(Fault):
    """`unknown_event@3`: the API may add types at any time; a client ignores what it does not know."""

    name = "unknown_event"
    kind = "stream"
    summary = "an event of an unknown type"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw="normal, and an event more", stream="normal")
    source: ClassVar[str] = "row 48"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange) or fitting.wants_format(exchange, *_EVENTS)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        name, data = _EVENTS.get(fitting.wire_format(exchange), _EVENTS["anthropic"])
        return pieces.inserted(before, after, Chunk(0.0, pieces.event(name, wire.dump(data))))
