"""An error event whose data is no JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, End, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class ErrorText(Fault):
    """`error_text@4`: `event: error` with a line of text, as a proxy writes it that knows no JSON; then the end."""

    name = "error_text"
    kind = "stream"
    summary = "an error event with plain text in the stream, which ends there"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw=("anthropic.APIStatusError (status 200)", outcomes.BARE))
    source: ClassVar[str] = "row 35"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.inserted(before, (End(),), Chunk(0.0, pieces.event("error", "upstream connect error")))
