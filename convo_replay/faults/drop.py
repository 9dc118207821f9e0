"""An event that is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Drop(Fault):
    """`drop@3`: the stream without event 3."""

    name = "drop"
    kind = "stream"
    summary = "an event is missing"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(
        raw="silent: an event less",
        stream=(
            "silent: a delta less; AssertionError (bare) without message_start, IndexError (bare) without a start",
            "silent: a delta less",
        ),
    )
    source: ClassVar[str] = "rows 46, 47"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        skipped, chunk, rest = pieces.parted(after)
        return (*pieces.unframed(before), *skipped, *rest) if chunk is not None else (*before, *after)
