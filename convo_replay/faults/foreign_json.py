"""JSON with status 200 that is not the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, pieces, provider_errors
from convo_replay.faults.fault import Fault, word
from convo_replay.providers import wire


@dataclass(frozen=True)
class ForeignJson(Fault):
    """`foreign_json`: somebody else's object; `foreign_json:error`: the provider's error body, with status 200."""

    what: str = word("object", choices=("object", "error"), help="object: no key of an answer; error: an error body")

    name = "foreign_json"
    kind = "body"
    summary = "200 with JSON that is no answer"
    whole = True
    outcomes: ClassVar = outcomes.calls(
        create="result: an object without the attributes of an answer",
        raw="silent: no events",
        stream=outcomes.ASSERTION,
    )
    source: ClassVar[str] = "rows 17, 39"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        value = provider_errors.body(exchange, 500) if self.what == "error" else {"status": "ok", "result": None}
        return pieces.answer(200, "application/json", wire.dump(value).encode())
