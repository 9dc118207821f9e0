"""A first chunk without choices, as Azure sends it (protocol.md §2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire

_CHUNK = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}


@dataclass(frozen=True)
class ChoicesEmpty(Fault):
    """`choices_empty`: one chunk more before the others, its `choices` are an empty list."""

    name = "choices_empty"
    kind = "stream"
    summary = "a first chunk without choices"
    outcomes: ClassVar = outcomes.calls(raw=("", "normal, and a chunk more"), stream=("", "normal"))
    source: ClassVar[str] = "row 54"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange) or fitting.wants_format(exchange, "openai_chat")

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        skipped, chunk, rest = pieces.parted(after)
        first = () if chunk is None else (chunk,)
        return (*pieces.unframed(skipped), Chunk(0.0, pieces.event(None, wire.dump(_CHUNK))), *first, *rest)
