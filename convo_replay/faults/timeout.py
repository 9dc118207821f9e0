"""The client's own clock runs out before anything of the answer is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults import outcomes
from convo_replay.faults.fault import Fault, word


def _from(cause: str) -> dict[str, str]:
    return outcomes.every(f"{outcomes.TIMEOUT} ← httpx2.{cause}, after 3 requests")


@dataclass(frozen=True)
class Timeout(Fault):
    """`timeout:read`: silence, for as long as the client waits (its own setting, on the virtual clock)."""

    phase: str = word(
        choices=("connect", "read", "write", "pool"),
        help="connect: no connection, or no TLS handshake; read: no answer; write: the request is not taken; "
        "pool: no connection is free",
    )

    name = "timeout"
    kind = "head"
    summary = "silence until the client's timeout"
    whole = True
    outcomes: ClassVar = outcomes.by_word(
        connect=_from("ConnectTimeout"),
        read=_from("ReadTimeout"),
        write=_from("WriteTimeout"),
        pool=_from("PoolTimeout"),
    )
    source: ClassVar[str] = "rows 4, 5"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (End("timeout", phase=self.phase),)
