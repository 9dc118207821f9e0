"""The server says that there is nothing to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class NoContent(Fault):
    """`no_content`: 204."""

    name = "no_content"
    kind = "status"
    summary = "204, without a body"
    whole = True
    outcomes: ClassVar = outcomes.calls(create='result: ""', raw="silent: no events", stream=outcomes.ASSERTION)
    source: ClassVar[str] = "row 19"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.answer(204, "", b"")
