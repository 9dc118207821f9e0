"""A stream that ends in good order, without its last word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import find


@dataclass(frozen=True)
class NoTerminal(Fault):
    """`no_terminal`: everything but `message_stop`, or `[DONE]`; some gateways never send it (protocol.md §2.4)."""

    name = "no_terminal"
    kind = "stream"
    summary = "the stream without its terminal event"
    outcomes: ClassVar = outcomes.calls(raw=("silent: an event less", "normal"), stream="normal")
    source: ClassVar[str] = "row 25"

    def fits(self, exchange: Exchange) -> str:
        if said := fitting.wants_stream(exchange):
            return said
        return "" if self.apply((), exchange.steps, exchange) != exchange.steps else "wants a stream that was ended"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        provider = find(exchange.request)
        if provider is None:
            return after
        for at, step in enumerate(after):
            if isinstance(step, Chunk) and any(provider.ends(one) for one in sse.split(step.data)):
                return (*pieces.unframed(after[:at]), pieces.end_of(after))
        return after
