"""Cassettes that are opened, played and closed in this process, under new paths in every round."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import measuring, traffic
from benchmarks.bench import FLOOR, Bench, Works
from benchmarks.contenders import OURS, Contender
from benchmarks.traffic import Workload

SLOW = "takes minutes; --full measures it"
LATER, NEVER = 0, -1
"""Rounds of a recorder that takes minutes: one, in a full run; and of one that takes a quarter of an hour: none."""


@dataclass(frozen=True, slots=True)
class Replaying:
    """A workload over the bare SDK with the same answers ready, each as one block: the floor.

    Attributes:
        goal: at most so many times the floor.
        theirs: rounds of the other recorders, where they are not as many as ours.
    """

    text: str
    workload: Callable[[], Workload]
    goal: float | None = None
    theirs: Mapping[str, int] = field(default_factory=dict)

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints the multiples."""
        workload = self.workload()
        works: Works = {
            FLOOR: (bench.rounds, lambda: measuring.cpu(lambda: traffic.bare(workload))),
            "floor, piece by piece": (3, lambda: measuring.cpu(lambda: traffic.bare(workload, whole=False))),
        }
        for contender in bench.contenders:
            rounds = self.theirs.get(contender.name, bench.rounds)
            if rounds == NEVER or (rounds == LATER and not bench.full):
                bench.unmeasured(scenario, contender.name, SLOW if rounds == LATER else "takes a quarter of an hour")
                continue
            folder = bench.new_folder()
            try:
                contender.prepare(folder, workload)
                _check(contender, bench.copy_of(folder), workload)
            except Exception as error:
                if contender is OURS:
                    raise
                bench.unmeasured(scenario, contender.name, f"{type(error).__name__}: {error}"[:120])
                continue
            works[contender.name] = (max(1, min(rounds, bench.rounds)), _timed(bench, contender, folder, workload))
        bench.compare(scenario, works, self.goal)

    def ours(self, bench: Bench) -> Callable[[], Any]:
        """Our part, ready to be run once."""
        workload = self.workload()
        folder = bench.new_folder()
        OURS.prepare(folder, workload)
        _check(OURS, bench.copy_of(folder), workload)
        copy = bench.copy_of(folder)
        return lambda: OURS.replay(copy, workload)


def _timed(bench: Bench, contender: Contender, folder: Path, workload: Workload) -> Callable[[], float]:
    def timed() -> float:
        copy = bench.copy_of(folder)
        try:
            return measuring.cpu(lambda: contender.replay(copy, workload))
        finally:
            shutil.rmtree(copy)

    return timed


def _check(contender: Contender, folder: Path, workload: Workload) -> None:
    """Replays some answers, so that a recorder that answers wrongly is not called fast; and warms it up."""
    some = Workload(
        [asks[:20] for asks in workload.cassettes[:20]], [asks[:20] for asks in workload.asked[:20]]
    )  # fmt: skip
    if contender.replay(folder, some) != some.texts:
        raise AssertionError(f"{contender.name} gives other answers than it recorded")
