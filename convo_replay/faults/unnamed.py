"""A stream of the Messages API without `event:` lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Unnamed(Fault):
    """`unnamed`: data alone, as gateways send it that come from chat completions (protocol.md §2.4)."""

    name = "unnamed"
    kind = "stream"
    summary = "no event: lines"
    outcomes: ClassVar = outcomes.calls(raw=("silent: no events", "normal"), stream=(outcomes.ASSERTION, "normal"))
    source: ClassVar[str] = "row 38"

    def fits(self, exchange: Exchange) -> str:
        if said := fitting.wants_stream(exchange):
            return said
        return "" if pieces.is_named(exchange) else "wants a stream whose events have names; these have none"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.each_event(after, _without_name)


def _without_name(event: sse.Event) -> bytes:
    lines = event.raw.splitlines(keepends=True)
    return b"".join([line for line in lines if not line.startswith(b"event:")])
