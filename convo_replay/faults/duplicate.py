"""An event that comes twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Duplicate(Fault):
    """`duplicate@3`: event 3, and event 3 again."""

    name = "duplicate"
    kind = "stream"
    summary = "an event twice"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw="silent: an event more", stream="silent: the text of a delta doubled")
    source: ClassVar[str] = "rows 43, 45"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        skipped, chunk, rest = pieces.parted(after)
        if chunk is None:
            return (*before, *after)
        return (*pieces.unframed(before), *skipped, chunk, Chunk(0.0, chunk.data), *rest)
