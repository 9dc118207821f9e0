"""An answer without a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Empty(Fault):
    """`empty`: the status and headers as recorded, and no byte more."""

    name = "empty"
    kind = "body"
    summary = "the headers of the answer, and an empty body"
    whole = True
    outcomes: ClassVar = outcomes.calls(create=outcomes.BARE, raw="silent: no events", stream=outcomes.ASSERTION)
    source: ClassVar[str] = "rows 14, 39"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_body(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.with_body(after, b"")
