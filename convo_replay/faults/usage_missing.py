"""An answer that does not say what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire


@dataclass(frozen=True)
class UsageMissing(Fault):
    """`usage_missing`: without `usage`; in a stream without that of `message_delta`, or of the last chunk."""

    name = "usage_missing"
    kind = "stream"
    summary = "no usage at the end of the answer"
    outcomes: ClassVar = outcomes.calls(
        create="result: usage is None",
        raw="silent: no usage",
        stream=("AttributeError (bare)", "silent: no usage"),
    )
    source: ClassVar[str] = "row 50"

    def fits(self, exchange: Exchange) -> str:
        changed = self.apply((), exchange.steps, exchange) != exchange.steps
        return "" if changed else f"wants an answer that ends with its usage; it is {fitting.described(exchange)}"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        if fitting.wants_stream(exchange):
            answer = wire.mapping(wire.parse(pieces.body_of(after)))
            if not answer.pop("usage", None):
                return after
            return pieces.with_body(after, wire.dump(answer).encode())
        return pieces.each_event(after, _without_usage)


def _without_usage(event: sse.Event) -> bytes | None:
    data = wire.mapping(wire.parse(event.data)) if b"usage" in event.raw else {}
    if data.get("type") == "message_start" or not data.pop("usage", None):
        return event.raw
    if data.get("choices") == []:
        return None
    return pieces.event(event.event, wire.dump(data))
