"""A byte order mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Bom(Fault):
    """`bom`: the stream begins with U+FEFF. The specification of event streams says to skip it."""

    name = "bom"
    kind = "stream"
    summary = "a byte order mark before the first event"
    outcomes: ClassVar = outcomes.calls(
        raw="silent: the first event is lost", stream=(outcomes.ASSERTION, "silent: the first chunk is lost")
    )
    source: ClassVar[str] = "row 53"

    def fits(self, exchange: Exchange) -> str:
        if exchange.body.startswith(sse.BOM):
            return "wants a stream that does not begin with a byte order mark"
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        first = next((at for at, step in enumerate(after) if isinstance(step, Chunk)), None)
        if first is None:
            return after
        step = after[first]
        data = step.data if isinstance(step, Chunk) else b""
        return (*pieces.unframed(after[:first]), Chunk(0.0, sse.BOM + data), *after[first + 1 :])
