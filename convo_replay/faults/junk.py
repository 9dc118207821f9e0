"""Something more after the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Junk(Fault):
    """`junk`: after the last event one more of the kind of the first, whose data is no JSON."""

    name = "junk"
    kind = "stream"
    summary = "an event that is no JSON after the end of the stream"
    outcomes: ClassVar = outcomes.calls(raw=(outcomes.BARE, "normal: nothing is read after [DONE]"))
    source: ClassVar[str] = "row 51"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        names = [name for name, data in sse.received(exchange.body) if data is not None]
        chunk = Chunk(0.0, pieces.event(names[0] if names else None, "<html>504 Gateway Time-out</html>"))
        return (*pieces.unframed(after[:-1]), chunk, pieces.end_of(after))
