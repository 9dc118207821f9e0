"""The stream, and then the stream again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Repeat(Fault):
    """`repeat`: all events twice, as after a retry inside a gateway."""

    name = "repeat"
    kind = "stream"
    summary = "the whole stream twice"
    outcomes: ClassVar = outcomes.calls(
        raw=("silent: all events twice", "normal: nothing is read after [DONE]"),
        stream=("silent: the text doubled", "normal: nothing is read after [DONE]"),
    )
    source: ClassVar[str] = "row 44"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        again = [Chunk(0.0, step.data) for step in after if isinstance(step, Chunk)]
        return (*pieces.unframed(after[:-1]), *again, pieces.end_of(after))
