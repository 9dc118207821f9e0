"""The connection ends in the middle of the body, in one of the ways in which connections end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults import outcomes, pieces
from convo_replay.faults.fault import Fault, word

MISSING = 100
"""Bytes that are announced beyond a body of which nothing is cut off."""
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
        end = _ENDS[self.how]
        if self.how == "length":
            end = replace(end, detail=_missing(pieces.body_of(before), pieces.body_of(after), exchange))
        return (*before, end)


def _missing(sent: bytes, rest: bytes, exchange: Exchange) -> str:
    """What h11 says where a body ends before it is whole; one that is whole was announced to be longer."""
    announced = max(len(sent) + len(rest), len(exchange.body))
    if announced <= len(sent):
        announced = len(sent) + MISSING
    return (
        "peer closed connection without sending complete message body "
        f"(received {len(sent)} bytes, expected {announced})"
    )
