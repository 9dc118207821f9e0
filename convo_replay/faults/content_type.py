"""The right body under the wrong label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault, word


@dataclass(frozen=True)
class ContentType(Fault):
    """`content_type:text/plain`, `content_type:none`: the answer as recorded, with another `content-type`."""

    type: str = word(help="the media type, none for no header: text/plain")

    name = "content_type"
    kind = "body"
    summary = "the answer under another content-type, or without one"
    outcomes: ClassVar = outcomes.every("normal")
    source: ClassVar[str] = "rows 16, 40"

    def __post_init__(self) -> None:
        super().__post_init__()
        pieces.check_header("content_type", "type", self.type)

    @classmethod
    def samples(cls) -> tuple[ContentType, ...]:
        return (cls("text/plain"), cls("none"), cls("text/html"))

    def fits(self, exchange: Exchange) -> str:
        if exchange.content_type == self._type.lower():
            return f"wants an answer of another type; the recorded one is {fitting.described(exchange)}"
        return fitting.wants_body(exchange)

    @property
    def _type(self) -> str:
        return "" if self.type == "none" else self.type

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        head = pieces.head_of(after)
        return (pieces.with_headers(head, content_type=self._type or None), *after[1:]) if head else after
