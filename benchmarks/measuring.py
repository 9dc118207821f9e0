"""CPU time, as ratios of things measured in turn in one process, so that a slow moment hits all of them."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, the least and the greatest."""

    median: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        return cls(statistics.median(figures), min(figures), max(figures), len(figures))


def cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of this process for one call, begun with an empty garbage collector."""
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


WARM = 5


def interleaved(works: Mapping[str, tuple[int, Callable[[], float]]]) -> dict[str, list[float]]:
    """What each work measures, in rounds: A B C A B C …

    A round that does not count goes first, for what has at least `WARM` rounds. What is asked for fewer rounds than
    the others takes part in the first ones.

    Args:
        works: number of rounds and the measurement, by name.
    """
    measured: dict[str, list[float]] = {name: [] for name in works}
    for number in range(max(rounds for rounds, _ in works.values()) + 1):
        for name, (rounds, work) in works.items():
            if number == 0:
                if rounds >= WARM:
                    work()
            elif number <= rounds:
                measured[name].append(work())
    return measured


def ratios(measured: Sequence[float], floor: Sequence[float]) -> Spread:
    """Each round's figure over the floor's of the same round."""
    return Spread.of([one / other for one, other in zip(measured, floor, strict=False)])


def differences(measured: Sequence[float], floor: Sequence[float]) -> Spread:
    """Each round's figure less the floor's of the same round."""
    return Spread.of([one - other for one, other in zip(measured, floor, strict=False)])


def children() -> float:
    """CPU seconds of the processes that have ended; wall-clock seconds where the system does not count."""
    try:
        import resource
    except ImportError:
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_memory() -> float:
    """The most memory this process has held so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage also counts what the parent held when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1024 / (1024 if sys.platform == "darwin" else 1)
