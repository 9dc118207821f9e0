"""The same bytes in other pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, End, Exchange, Head, Steps
from convo_replay.faults import fitting, outcomes
from convo_replay.faults.fault import Fault, word


@dataclass(frozen=True)
class Rechunk(Fault):
    """`rechunk`: one byte at a time; `rechunk:7`: seven. Characters and events are cut anywhere."""

    size: int = word(1, help="bytes of a chunk")

    name = "rechunk"
    kind = "benign"
    summary = "the body in chunks of one byte, or of N"
    outcomes: ClassVar = outcomes.every("normal")
    source: ClassVar[str] = "row 52"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise ValueError(f"rechunk: size is {self.size}, expected 1 or more")

    @classmethod
    def samples(cls) -> tuple[Rechunk, ...]:
        return (cls(), cls(7), cls(4096))

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_body(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        made: list[Head | Chunk | End] = []
        rest = b""
        for step in after:
            if isinstance(step, Chunk) and not step.at:
                rest += step.data
                whole = len(rest) - len(rest) % self.size
                made += [Chunk(0.0, rest[at : at + self.size]) for at in range(0, whole, self.size)]
                rest = rest[whole:]
                continue
            if rest:
                made.append(Chunk(0.0, rest))
                rest = b""
            if isinstance(step, Chunk):
                data = step.data
                made += [Chunk(step.at, data[: self.size])]
                made += [Chunk(0.0, data[at : at + self.size]) for at in range(self.size, len(data), self.size)]
            else:
                made.append(step)
        return tuple(made)
