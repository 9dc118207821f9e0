"""There is no connection to the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults import outcomes
from convo_replay.faults.fault import Fault, word

_ENDS = {
    "refused": End("refused"),
    "dns": End("dns"),
    "tls": End("tls", detail="self-signed"),
    "not-tls": End("tls", detail="not-tls"),
}


def _from(cause: str) -> dict[str, str]:
    return outcomes.every(f"{outcomes.CONNECTION} ← httpx2.ConnectError ← {cause}, after 3 requests")


@dataclass(frozen=True)
class Connect(Fault):
    """`connect:refused`, `connect:dns`: the request never leaves the machine."""

    how: str = word(
        choices=tuple(_ENDS),
        help="refused: nobody listens; dns: the name is not known; tls: a self-signed certificate; "
        "not-tls: the server speaks something else",
    )

    name = "connect"
    kind = "connect"
    summary = "there is no connection"
    whole = True
    outcomes: ClassVar = outcomes.by_word(
        refused=_from("ConnectionRefusedError"),
        dns=_from("socket.gaierror"),
        tls=_from("ssl.SSLCertVerificationError"),
        not_tls=_from("ssl.SSLError"),
    )
    source: ClassVar[str] = "rows 1-3"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (_ENDS[self.how],)
