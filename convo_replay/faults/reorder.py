"""Two events that change places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Reorder(Fault):
    """`reorder@3`: event 4 comes before event 3."""

    name = "reorder"
    kind = "stream"
    summary = "an event after the one that follows it"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(
        raw="silent: another order",
        stream=(
            "silent: deltas in another order; IndexError (bare) where one comes before its block",
            "silent: deltas in another order",
        ),
    )
    source: ClassVar[str] = "rows 46, 47"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        skipped, first, rest = pieces.parted(after)
        between, second, left = pieces.parted(rest)
        if first is None or second is None:
            return (*before, *after)
        return (*pieces.unframed(before), *skipped, second, *between, first, *left)
