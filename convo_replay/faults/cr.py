"""Lines that end with CR, as the specification of event streams allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Cr(Fault):
    """`cr`: every line of the stream ends with CR."""

    name = "cr"
    kind = "benign"
    summary = "line ends are CR"
    outcomes: ClassVar = outcomes.calls(raw="normal")
    source: ClassVar[str] = "row 52"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.with_line_ends(after, b"\r")
