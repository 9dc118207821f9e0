"""More pings than were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault

_PING = Chunk(0.0, b'event: ping\ndata: {"type": "ping"}\n\n')


@dataclass(frozen=True)
class Pings(Fault):
    """`pings`: one before each event but the first; the SDK hands none of them to the application."""

    name = "pings"
    kind = "benign"
    summary = "a ping before each event but the first"
    outcomes: ClassVar = outcomes.calls(raw=("normal", ""))
    source: ClassVar[str] = "§2.1"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange) or fitting.wants_format(exchange, "anthropic")

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        skipped, first, rest = pieces.parted(after)
        return after if first is None else (*skipped, first, *pieces.before_each_event(rest, _PING, from_start=False))
