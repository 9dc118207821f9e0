"""Comments between events, as gateways send them to keep a connection open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault

_COMMENT = Chunk(0.0, b": OPENROUTER PROCESSING\n\n")


@dataclass(frozen=True)
class Comments(Fault):
    """`comments`: one before each event."""

    name = "comments"
    kind = "benign"
    summary = "a comment before each event"
    outcomes: ClassVar = outcomes.calls(raw="normal")
    source: ClassVar[str] = "row 52"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.before_each_event(after, _COMMENT)
