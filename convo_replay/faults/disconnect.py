"""The connection ends when the request has been sent, before the headers of the answer are complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults import outcomes
from convo_replay.faults.fault import Fault, word

_ENDS = {
    "eof": End("truncated"),
    "reset": End("reset"),
    "half": End("truncated", phase="half"),
    "garbage": End("truncated", phase="garbage"),
}


def _from(cause: str) -> dict[str, str]:
    return outcomes.every(f"{outcomes.CONNECTION} ← httpx2.{cause}, after 3 requests")


@dataclass(frozen=True)
class Disconnect(Fault):
    """`disconnect:eof`: the server took the request, and hangs up."""

    how: str = word(
        choices=tuple(_ENDS), help="eof: FIN; reset: RST; half: in the middle of the headers; garbage: bytes, no HTTP"
    )

    name = "disconnect"
    kind = "head"
    summary = "the connection ends before the headers"
    whole = True
    outcomes: ClassVar = outcomes.by_word(
        eof=_from("RemoteProtocolError"),
        reset=_from("ReadError"),
        half=_from("RemoteProtocolError"),
        garbage=_from("RemoteProtocolError"),
    )
    source: ClassVar[str] = "rows 6-8"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (_ENDS[self.how],)
