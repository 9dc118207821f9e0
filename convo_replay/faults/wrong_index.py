"""An event of a block that was never opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire

_DELTA = {"type": "content_block_delta", "index": 99, "delta": {"type": "text_delta", "text": "?"}}


@dataclass(frozen=True)
class WrongIndex(Fault):
    """`wrong_index@3`: a delta for block 99 comes in between; gateways count blocks wrongly (protocol.md §2.4)."""

    name = "wrong_index"
    kind = "stream"
    summary = "a delta for a block that was never opened"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw=("silent: an event more", ""), stream=("IndexError (bare)", ""))
    source: ClassVar[str] = "row 47"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange) or fitting.wants_format(exchange, "anthropic")

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        chunk = Chunk(0.0, pieces.event("content_block_delta", wire.dump(_DELTA)))
        return pieces.inserted(before, after, chunk)
