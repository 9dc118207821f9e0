"""A server that is busy for a long time, and keeps the connection open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault

_COMMENT = b": keep-alive\n\n"
_EVERY = 15.0
_COUNT = 40


@dataclass(frozen=True)
class Keepalive(Fault):
    """`keepalive@3`: a comment every 15 seconds for ten minutes, then the rest; no read timeout ever fires."""

    name = "keepalive"
    kind = "stream"
    summary = "ten minutes of comments in the stream, then on"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw="normal")
    source: ClassVar[str] = "rows 29, 52, §4.2"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.inserted(before, after, *[Chunk(_EVERY, _COMMENT)] * _COUNT)
