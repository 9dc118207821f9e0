"""Where the CPU time of a scenario goes: samples of the stack, each counted for the stage that is innermost in it.

    python -m benchmarks.stages [NAME …]

Sampled by a timer of CPU time, every few milliseconds, so that what is called often is not made slower than what is
not. What a library does counts for us where we called it, but for the network below us. Not on Windows, which has no
such timer.
"""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import convo_replay
from benchmarks.bench import Bench
from benchmarks.contenders import OURS
from benchmarks.run import chosen
from benchmarks.scenarios import Recording, Replaying

PACKAGE = Path(str(convo_replay.__file__)).parent
SDK = "the SDK and its HTTP client"
# The first that a path begins with, from the folder of the package.
STAGES = {
    "cassette/writing": "writing the cassette",
    "cassette/yaml_writer": "writing the cassette",
    "cassette/event_lines": "reading or writing events",
    "cassette": "reading the cassette",
    "keeping": "writing the cassette",
    "sources": "reading the cassette",
    "redaction": "redaction",
    "body_reader": "reading request bodies",
    "bodies": "reading request bodies",
    "matching": "matching",
    "normalizing": "matching",
    "pairing": "matching",
    "player": "matching",
    "sse": "reading or writing events",
    "transports/playing": "playing and recording",
    "transports/recording": "playing and recording",
    "call": "playing and recording",
    "transports": "standing in the way",
    "validat": "validation",
    "providers": "validation",  # answers are put together for it
}
OTHERS = "opening, deciding and closing"
RUNS = 10
NETWORK = ("httpcore2", "h11", "anyio", "_transports")
LIBRARIES = ("anthropic", "httpx2", "pydantic", *NETWORK)


def stage_of(filename: str) -> str | None:
    """The stage of a file; `None` for a library that counts for whoever calls it."""
    path = Path(filename)
    if path.is_relative_to(PACKAGE):
        inside = path.relative_to(PACKAGE).as_posix()
        return next((stage for start, stage in STAGES.items() if inside.startswith(start)), OTHERS)
    return SDK if any(part in NETWORK for part in path.parts) else None


def sampled(work: Callable[[], Any]) -> Counter[str]:
    """How many samples fell into each stage."""
    stages: Counter[str] = Counter()
    known: dict[str, str | None] = {}

    def sample(_signal: int, frame: FrameType | None) -> None:
        is_sdk = False
        while frame is not None:
            name = frame.f_code.co_filename
            if name not in known:
                known[name] = stage_of(name)
            if (stage := known[name]) is not None:
                stages[stage] += 1
                return
            is_sdk = is_sdk or any(library in name for library in LIBRARIES)
            frame = frame.f_back
        stages[SDK if is_sdk else "the benchmark"] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return stages


def table(found: Mapping[str, tuple[float, Counter[str]]]) -> str:
    """Milliseconds by stage and scenario, as Markdown; the last row is the whole."""
    stages = sum((samples for _, samples in found.values()), Counter[str]())
    rows = [["ms of CPU", *(f"`{name}`" for name in found)], ["---"] * (1 + len(found))]
    rows += [
        [stage, *(f"{taken * samples[stage] / samples.total():.0f}" for taken, samples in found.values())]
        for stage, _ in stages.most_common()
    ]
    rows.append(["together", *(f"{taken:.0f}" for taken, _ in found.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    found: dict[str, tuple[float, Counter[str]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), [OURS], 1, False)
        for name, scenario in chosen(sys.argv[1:]).items():
            if not isinstance(scenario, Replaying | Recording):
                continue
            stages: Counter[str] = Counter()
            taken = 0.0
            for _ in range(RUNS):
                work = scenario.ours(bench)
                gc.collect()
                started = time.process_time()
                stages += sampled(work)
                taken += time.process_time() - started
            found[name] = 1000 * taken / RUNS, stages
            print(f"{name}: {stages.total()} samples", flush=True)
    print(f"\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
