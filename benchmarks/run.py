"""Seconds, as ratios of things measured in turn in one process, so that a slow moment hits both.

    python -m benchmarks.run [TURNS …]        default: 200 400 800

Exits 1 where a limit is missed: replay at most 1.5 × the bare SDK over a mock transport; loading 4
times the turns at most 4.8 × the time; the plugin at most 5 ms over bare pytest.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import conversation
from convo_replay import cassette

ROUNDS = 7


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of this process for one call."""
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def interleaved(rounds: int, *works: Callable[[], float]) -> list[float]:
    """The median of each, measured round by round. A first round warms up and does not count."""
    taken = [[work() for work in works] for _ in range(rounds + 1)][1:]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def start_up(*arguments: str) -> float:
    """CPU seconds of a pytest that collects one file without tests in it."""
    # As on a user's machine, where what was compiled once is kept.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    before = _children()
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "test_nothing.py").write_text("")
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=directory, env=environment, capture_output=True, check=False,
        )  # fmt: skip
    return _children() - before


def _children() -> float:
    """CPU seconds of the processes that have ended; wall-clock seconds where the system does not count."""
    try:
        import resource
    except ImportError:
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(sizes: Sequence[int]) -> int:
    failed = []

    def check(what: str, measured: float, limit: float, unit: str = "×") -> None:
        good = measured <= limit
        print(f"{'ok  ' if good else 'FAIL'}  {what}: {measured:.2f} {unit} (at most {limit:g} {unit})", flush=True)
        if not good:
            failed.append(what)

    with tempfile.TemporaryDirectory() as directory:
        paths = {turns: Path(directory) / f"{turns}.yaml" for turns in sizes}
        for turns, path in paths.items():
            conversation.record(path, turns)
            print(f"      {turns} turns: {path.stat().st_size:,} bytes, {path.stat().st_size / turns:,.0f} a turn")
        loading = [lambda path=path: seconds(lambda: cassette.load(path)) for path in paths.values()]
        loads = interleaved(ROUNDS, *loading)
        for turns, taken in zip(paths, loads, strict=True):
            print(f"      {turns} turns: loaded in {taken * 1000:.1f} ms")
        check(f"load, {sizes[-1]} turns over {sizes[0]}", loads[-1] / loads[0], 1.2 * sizes[-1] / sizes[0])
        for turns, path in paths.items():
            rounds = max(1, min(5, 1200 // turns))
            ours, bare = interleaved(
                rounds,
                lambda path=path, turns=turns: seconds(lambda: conversation.replay(path, turns)),
                lambda turns=turns: seconds(lambda: conversation.bare(turns)),
            )
            print(f"      {turns} turns: replayed in {ours:.2f} s, bare {bare:.2f} s")
            check(f"replay, {turns} turns, over the bare SDK", ours / bare, 1.5)
    ours, bare = interleaved(15, lambda: start_up("-p", "convo_replay.plugin"), start_up)
    check("plugin start-up over bare pytest", (ours - bare) * 1000, 5, "ms")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or [200, 400, 800]))
