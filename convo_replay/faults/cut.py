"""The connection ends in the middle of the body, in one of the ways in which connections end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults import outcomes
from convo_replay.faults.fault import Fault, word

_ENDS = {
    "reset": End("reset"),
    "eof": End(),
    "chunk": End("truncated"),
    "length": End("truncated", phase="length"),
    "garbage": End("truncated", phase="chunk"),
}


def _from(cause: str) -> dict[str, str]:
    return outcomes.calls(
        create=f"{outcomes.CONNECTION} ← httpx2.{cause}, after 3 requests",
        raw=(f"httpx2.{cause} (bare)", f"openai.APIConnectionError ← httpx2.{cause}"),
    )


@dataclass(frozen=True)
class Cut(Fault):
    """`cut:reset@5`, `cut:eof@b120`: what comes before the position arrives, then the connection is gone."""

    how: str = word(
        choices=tuple(_ENDS),
        help="reset: RST; eof: as if it were the end; chunk: chunked body without "
        "its end; length: shorter than its content-length; garbage: bad chunk header",
    )

    name = "cut"
    kind = "body"
    summary = "the connection ends in the middle of the body"
    positions = "any"
    outcomes: ClassVar = outcomes.by_word(
        reset=_from("ReadError"),
        eof=outcomes.calls(create=outcomes.BARE, raw="silent: short", stream="silent: a partial message"),
        chunk=_from("RemoteProtocolError"),
        length=_from("RemoteProtocolError"),
        garbage=_from("RemoteProtocolError"),
    )
    source: ClassVar[str] = "rows 11, 12, 14, 24-27, 51"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (*before, _ENDS[self.how])
