"""No fault at all: the shortest example of one, and the identity that others are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Noop(Fault):
    """`noop`: the answer as it was recorded, on the path of faults."""

    name = "noop"
    kind = "benign"
    summary = "changes nothing"
    outcomes = outcomes.every("normal")

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (*before, *after)
