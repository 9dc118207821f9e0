"""A stream that drips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes
from convo_replay.faults.fault import Fault, word


@dataclass(frozen=True)
class Slow(Fault):
    """`slow`: five seconds before each event; `slow:30`: thirty. Timeouts of the SDKs are for one read, not for all."""

    seconds: float = word(5.0, help="seconds before each event")

    name = "slow"
    kind = "stream"
    summary = "a wait before each event"
    outcomes: ClassVar = outcomes.calls(raw="normal")
    source: ClassVar[str] = "row 29"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.seconds < float("inf"):
            raise ValueError(f"slow: seconds is {self.seconds:g}, expected more than 0")

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return tuple(Chunk(step.at + self.seconds, step.data) if isinstance(step, Chunk) else step for step in after)
