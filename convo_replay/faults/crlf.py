"""Lines that end with CRLF, as the specification of event streams allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Crlf(Fault):
    """`crlf`: every line of the stream ends with CRLF."""

    name = "crlf"
    kind = "benign"
    summary = "line ends are CRLF"
    outcomes: ClassVar = outcomes.calls(raw="normal")
    source: ClassVar[str] = "row 52"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.with_line_ends(after, b"\r\n")
