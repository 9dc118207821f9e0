"""The server falls silent in the middle of the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults import outcomes
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Stall(Fault):
    """`stall@3`: what comes before the position arrives, then nothing, for as long as the client waits."""

    name = "stall"
    kind = "body"
    summary = "silence in the middle of the body, until the client's timeout"
    positions = "any"
    outcomes: ClassVar = outcomes.calls(
        create=f"{outcomes.TIMEOUT} ← httpx2.ReadTimeout, after 3 requests",
        raw=("httpx2.ReadTimeout (bare)", "openai.APITimeoutError"),
    )
    source: ClassVar[str] = "rows 13, 28, 51"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (*before, End("timeout", phase="read"))
