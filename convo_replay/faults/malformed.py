"""An event whose JSON breaks off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire


@dataclass(frozen=True)
class Malformed(Fault):
    """`malformed@3`: event 3 comes with the first half of its data, the others as they are."""

    name = "malformed"
    kind = "stream"
    summary = "an event with half of its JSON"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw=outcomes.BARE)
    source: ClassVar[str] = "row 30"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.next_event(before, after, _halved)


def _halved(event: sse.Event) -> bytes:
    data = (event.data or "").replace("\n", " ")
    half = data[: len(data) // 2]
    return pieces.event(event.event, half if half and wire.parse(half) is None and half != "null" else "{" + half)
