"""A JSON document that is no object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, pieces
from convo_replay.faults.fault import Fault, word

_VALUES = {"null": b"null", "list": b"[]", "string": b'"ok"'}


@dataclass(frozen=True)
class JsonValue(Fault):
    """`json_value:null`, `json_value:list`, `json_value:string`."""

    what: str = word(choices=tuple(_VALUES), help='null; list: []; string: "ok"')

    name = "json_value"
    kind = "body"
    summary = "200 with null, a list or a string"
    whole = True
    outcomes: ClassVar = outcomes.calls(
        create="result: None, a list or a str", raw="silent: no events", stream=outcomes.ASSERTION
    )
    source: ClassVar[str] = "rows 18, 39"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.answer(200, "application/json", _VALUES[self.what])
