"""An event without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class EmptyData(Fault):
    """`empty_data@3`: event 3 keeps its name, and its `data:` is empty."""

    name = "empty_data"
    kind = "stream"
    summary = "an event with an empty data line"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw=("silent: an event less; more as for drop", outcomes.BARE))
    source: ClassVar[str] = "row 31"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.next_event(before, after, lambda event: pieces.event(event.event, ""))
