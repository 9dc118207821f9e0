"""A JSON document that breaks off, in an answer that is complete as far as HTTP knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire


@dataclass(frozen=True)
class TruncatedJson(Fault):
    """`truncated_json`: the first half of the document, as a proxy passes it on that was cut off itself."""

    name = "truncated_json"
    kind = "body"
    summary = "a complete answer with half of its JSON"
    outcomes: ClassVar = outcomes.calls(create=outcomes.BARE)
    source: ClassVar[str] = "row 14"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_json(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        body = pieces.body_of(after).rstrip()
        half = body[: len(body) // 2]
        return pieces.with_body(after, half if wire.parse(half) is None else b"{" + half)
