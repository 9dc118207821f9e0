"""An event that says null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class NullData(Fault):
    """`null_data@3`: event 3 keeps its name, and its data is `null`."""

    name = "null_data"
    kind = "stream"
    summary = "an event whose data is null"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw="result: yields None", stream=("TypeError (bare)", "AttributeError (bare)"))
    source: ClassVar[str] = "row 32"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.next_event(before, after, lambda event: pieces.event(event.event, "null"))
