"""A first chunk whose choices are null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire

_CHUNK = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": "", "choices": None}


@dataclass(frozen=True)
class ChoicesNull(Fault):
    """`choices_null`: one chunk more before the others, its `choices` are null."""

    name = "choices_null"
    kind = "stream"
    summary = "a first chunk whose choices are null"
    outcomes: ClassVar = outcomes.calls(raw=("", "normal, and a chunk more"), stream=("", "TypeError (bare)"))
    source: ClassVar[str] = "row 54"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange) or fitting.wants_format(exchange, "openai_chat")

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        skipped, chunk, rest = pieces.parted(after)
        first = () if chunk is None else (chunk,)
        return (*pieces.unframed(skipped), Chunk(0.0, pieces.event(None, wire.dump(_CHUNK))), *first, *rest)
