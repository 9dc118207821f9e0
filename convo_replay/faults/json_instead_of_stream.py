"""The whole answer at once, where a stream was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import find, wire


@dataclass(frozen=True)
class JsonInsteadOfStream(Fault):
    """`json_instead_of_stream`: what the call without `stream` would have answered; a gateway overlooked the flag."""

    name = "json_instead_of_stream"
    kind = "body"
    summary = "the answer as one JSON document, where a stream was asked for"
    whole = True
    outcomes: ClassVar = outcomes.calls(raw="silent: no events", stream=outcomes.ASSERTION)
    source: ClassVar[str] = "row 39"

    def fits(self, exchange: Exchange) -> str:
        if said := fitting.wants_stream(exchange):
            return said
        provider = find(exchange.request)
        return "" if provider and provider.reply(exchange).message else "wants a stream that a provider can read"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        provider = find(exchange.request)
        message = provider.reply(exchange).message if provider else {}
        return pieces.with_body(after, wire.dump(message).encode(), content_type="application/json")
