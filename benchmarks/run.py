"""CPU time against the floor: the bare SDK over a mock transport with ready bytes.

    python -m benchmarks.run [NAME …]             all of them, or those that begin so
    python -m benchmarks.run --check              exits 1 where a goal is missed
    python -m benchmarks.run --profile NAME       where our time goes
    python -m benchmarks.run --ours               without the other recorders

Every figure is the median of rounds that are measured in turn (floor, ours, theirs, floor, …), with the
least and the greatest in brackets. Each round opens copies of the cassettes under new paths.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import itertools
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic

from benchmarks import measuring, traffic
from benchmarks.contenders import OURS, VCRPY, Contender, installed
from benchmarks.measuring import Spread
from benchmarks.traffic import Workload
from tests.upstream import Upstream

FLOOR = "floor"
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one contender, and whether ours is what it should be."""

    scenario: str
    contender: str
    spread: Spread | None
    unit: str = "×"
    goal: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        return self.goal is not None and self.spread is not None and self.spread.median > self.goal

    def __str__(self) -> str:
        if self.spread is None:
            return f"  {self.contender:<22} {self.note}"
        s = self.spread
        figure = f"{_figure(s.median):>7} {self.unit:<2} [{_figure(s.least)}–{_figure(s.most)}] k={s.count}"
        goal = f"goal {self.goal:g}: {'MISSED' if self.missed else 'met'}" if self.goal is not None else ""
        return f"  {self.contender:<22} {figure:<34} {goal}{self.note}".rstrip()


def _figure(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


@dataclass(slots=True)
class Bench:
    """What the scenarios share: who takes part, a folder, and what is printed."""

    folder: Path
    contenders: Sequence[Contender]
    rounds: int = ROUNDS
    lines: list[Line] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def add(self, line: Line) -> None:
        self.lines.append(line)
        print(line, flush=True)

    def head(self, scenario: str, text: str) -> None:
        print(f"\n{scenario}: {text}", flush=True)

    def new_folder(self) -> Path:
        return self.folder / str(next(self._count))

    def copy_of(self, folder: Path) -> Path:
        copy = self.new_folder()
        shutil.copytree(folder, copy)
        return copy


# --- replay ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replay:
    """A workload that is replayed from cassettes; opening them is part of it.

    Attributes:
        goal: at most so many times the floor.
        theirs: rounds for other recorders by name, where they are not as many as ours: 0 takes one out.
    """

    text: str
    workload: Callable[[], Workload]
    goal: float | None
    theirs: dict[str, int] = field(default_factory=dict)
    why: str = "takes too long to wait for"

    def __call__(self, bench: Bench, scenario: str) -> None:
        workload = self.workload()
        works = {
            FLOOR: (bench.rounds, lambda: measuring.cpu(lambda: traffic.bare(workload))),
            "floor in pieces": (bench.rounds, lambda: measuring.cpu(lambda: traffic.bare(workload, whole=False))),
        }
        for contender in bench.contenders:
            rounds = self.theirs.get(contender.name, bench.rounds)
            if not rounds:
                bench.add(Line(scenario, contender.name, None, note=f"not measured: {self.why}"))
                continue
            folder = bench.new_folder()
            try:
                contender.prepare(folder, workload)
                _checked(contender, bench.copy_of(folder), workload)
            except Exception as error:
                if contender is OURS:
                    raise
                bench.add(Line(scenario, contender.name, None, note=f"fails: {type(error).__name__}: {error}"[:150]))
                continue
            works[contender.name] = (rounds, self._timed(bench, contender, folder, workload))
        measured = measuring.interleaved(works)
        floor = measured[FLOOR]
        print(f"  {FLOOR:<22} {1000 * Spread.of(floor).median:.0f} ms of CPU, each body in one block")
        for name in list(works)[1:]:
            goal = self.goal if name == OURS.name else None
            bench.add(Line(scenario, name, measuring.ratios(measured[name], floor), goal=goal))

    @staticmethod
    def _timed(bench: Bench, contender: Contender, folder: Path, workload: Workload) -> Callable[[], float]:
        def timed() -> float:
            copy = bench.copy_of(folder)
            try:
                return measuring.cpu(lambda: contender.replay(copy, workload))
            finally:
                shutil.rmtree(copy)

        return timed

    def profile(self, bench: Bench) -> Callable[[], Any]:
        workload = self.workload()
        folder = bench.new_folder()
        OURS.prepare(folder, workload)
        OURS.replay(bench.copy_of(folder), workload)
        copy = bench.copy_of(folder)
        return lambda: OURS.replay(copy, workload)


def _checked(contender: Contender, folder: Path, workload: Workload) -> None:
    """Replays the workload's first answers, so that a recorder that answers wrongly is not called fast."""
    first = Workload([asks[:20] for asks in workload.cassettes[:20]], [asks[:20] for asks in workload.asked[:20]])
    if contender.replay(folder, first) != first.texts:
        raise AssertionError("answers are not those that were recorded")


# --- memory, start-up, recording -------------------------------------------------------------------


def memory(bench: Bench, scenario: str, turns: int = 200) -> None:
    workload = traffic.conversation(turns)

    def peak(*arguments: str) -> Callable[[], float]:
        command = [sys.executable, "-m", "benchmarks.memory", str(turns), *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return lambda: float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    works = {FLOOR: (3, peak())}
    for contender in bench.contenders:
        if contender is VCRPY:
            bench.add(Line(scenario, contender.name, None, note="not measured: takes too long to wait for"))
            continue
        folder = bench.new_folder()
        contender.prepare(folder, workload)
        works[contender.name] = (3, peak(contender.name, str(folder)))
    measured = measuring.interleaved(works)
    print(f"  {FLOOR:<22} {Spread.of(measured[FLOOR]).median:.0f} MB at the peak")
    for name in list(works)[1:]:
        spread = measuring.differences(measured[name], measured[FLOOR])
        bench.add(Line(scenario, name, spread, "MB", 10 if name == OURS.name else None))


def start_up(bench: Bench, scenario: str) -> None:
    works: dict[str, tuple[int, Callable[[], float]]] = {FLOOR: (3 * bench.rounds, measuring.start_up)}
    for contender in bench.contenders:
        rounds = 3 * bench.rounds if contender is OURS else 5
        works[contender.name] = (rounds, lambda plugin=contender.plugin: measuring.start_up("-p", plugin))  # type: ignore[misc]
    measured = measuring.interleaved(works)
    print(f"  {FLOOR:<22} {1000 * Spread.of(measured[FLOOR]).median:.0f} ms of CPU")
    for contender in bench.contenders:
        spread = measuring.differences(
            [1000 * one for one in measured[contender.name]], [1000 * one for one in measured[FLOOR]]
        )
        bench.add(Line(scenario, contender.name, spread, "ms", 3 if contender is OURS else None))


@contextlib.contextmanager
def _upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    try:
        yield upstream
    finally:
        upstream.close()


def _call(upstream: Upstream, number: int, scenario: str = "deltas,n=6") -> Iterator[None]:
    """Streams `number` separate answers from the server; yields at the first event of each."""
    with anthropic.Anthropic(api_key=traffic.KEY, base_url=upstream.url(scenario), max_retries=0) as client:
        for nth in range(number):
            question = [{"role": "user", "content": f"Question {nth:06}: " + "what about this? " * 8}]
            with client.messages.stream(
                model="claude-x",
                max_tokens=99,
                messages=question,
                tools=traffic.TOOLS,  # type: ignore[arg-type]
            ) as stream:
                for event in stream:
                    if event.type == "message_start":
                        yield
                stream.get_final_text()


def _records(bench: Bench, contender: Contender, upstream: Upstream, number: int) -> None:
    path = bench.new_folder() / "recorded.yaml"
    path.parent.mkdir(parents=True)
    with contender.recording(path, f"127.0.0.1:{upstream.port}", number):
        for _ in _call(upstream, number):
            pass
    assert path.exists()


def record(bench: Bench, scenario: str, number: int = 200) -> None:
    with _upstream() as upstream:
        works: dict[str, tuple[int, Callable[[], float]]] = {
            FLOOR: (bench.rounds, lambda: measuring.cpu(lambda: list(_call(upstream, number))))
        }
        for contender in bench.contenders:
            works[contender.name] = (
                bench.rounds if contender is OURS else 5,
                lambda c=contender: measuring.cpu(lambda: _records(bench, c, upstream, number)),  # type: ignore[misc]
            )
        measured = measuring.interleaved(works)
    print(f"  {FLOOR:<22} {1000 * Spread.of(measured[FLOOR]).median:.0f} ms of CPU in this process")
    for contender in bench.contenders:
        spread = measuring.ratios(measured[contender.name], measured[FLOOR])
        bench.add(Line(scenario, contender.name, spread, goal=1.3 if contender is OURS else None))


def _profile_record(bench: Bench) -> Callable[[], Any]:
    upstream = Upstream()
    _records(bench, OURS, upstream, 5)

    def work() -> None:
        _records(bench, OURS, upstream, 200)
        upstream.close()

    return work


PATIENCE = 2.0
"""Seconds that the server waits for the first event to arrive before it sends the others all the same."""


def _first_event(upstream: Upstream, lock: str) -> float:
    """Wall-clock milliseconds from the call to its first event, while the server holds the second one back."""
    arrived = threading.Event()

    def let_go() -> None:
        arrived.wait(PATIENCE)
        upstream.ack(lock, 1 << 30)

    watcher = threading.Thread(target=let_go)
    watcher.start()
    started = time.perf_counter()
    try:
        for _ in _call(upstream, 1, f"deltas,n=20,lock={lock}"):
            taken = time.perf_counter() - started
            arrived.set()
    finally:
        arrived.set()
        watcher.join()
    return 1000 * taken


def first_event(bench: Bench, scenario: str) -> None:
    with _upstream() as upstream:

        def recorded(contender: Contender) -> float:
            path = bench.new_folder() / "recorded.yaml"
            path.parent.mkdir(parents=True)
            with contender.recording(path, f"127.0.0.1:{upstream.port}", 1):
                return _first_event(upstream, path.parent.name)

        works: dict[str, tuple[int, Callable[[], float]]] = {
            FLOOR: (3 * bench.rounds, lambda: _first_event(upstream, f"bare{next(bench._count)}"))
        }
        for contender in bench.contenders:
            rounds = 3 * bench.rounds if contender is OURS else 1
            works[contender.name] = (rounds, lambda c=contender: recorded(c))  # type: ignore[misc]
        measured = measuring.interleaved(works)
    print(f"  {FLOOR:<22} {Spread.of(measured[FLOOR]).median:.1f} ms, wall clock")
    for contender in bench.contenders:
        if min(measured[contender.name]) >= 1000 * PATIENCE:
            bench.add(Line(scenario, contender.name, None, note="only when the whole stream has ended"))
            continue
        spread = measuring.differences(measured[contender.name], measured[FLOOR])
        bench.add(Line(scenario, contender.name, spread, "ms", 5 if contender is OURS else None))


# --- all of them -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Other:
    """A scenario that is no replay."""

    text: str
    work: Callable[[Bench, str], None]
    profile: Callable[[Bench], Callable[[], Any]] | None = None

    def __call__(self, bench: Bench, scenario: str) -> None:
        self.work(bench, scenario)


SCENARIOS: dict[str, Replay | Other] = {
    "start-up": Other("pytest of an empty file, with the plugin over without", start_up),
    "small": Replay(
        "200 cassettes of one exchange, a new client each", lambda: traffic.small(200), 1.2,
        {"vcrpy": 3, "cassetter": 3},
    ),
    "streams": Replay(
        "100 streams of 300 events, in one cassette", lambda: traffic.streams(100, 300), 1.1,
        {"vcrpy": 5, "cassetter": 5},
    ),
    "turns-50": Replay("one conversation of 50 turns", lambda: traffic.conversation(50), None, {"vcrpy": 3}),
    "turns-100": Replay(
        "one conversation of 100 turns", lambda: traffic.conversation(100), None, {"vcrpy": 1, "cassetter": 3}
    ),
    "turns-200": Replay(
        "one conversation of 200 turns", lambda: traffic.conversation(200), 1.3, {"vcrpy": 1, "cassetter": 1}
    ),
    "turns-400": Replay(
        "one conversation of 400 turns", lambda: traffic.conversation(400), None, {"vcrpy": 0, "cassetter": 1}
    ),
    "random-500": Replay(
        "500 exchanges of one file, in random order", lambda: traffic.shuffled(500), None,
        {"vcrpy": 1, "cassetter": 3},
    ),
    "random-2000": Replay(
        "2,000 exchanges of one file, in random order", lambda: traffic.shuffled(2000), 1.4,
        {"vcrpy": 0, "cassetter": 1},
    ),
    "record": Other("200 streamed exchanges from a server in another process, saved", record, _profile_record),
    "first-event": Other("the first event of a stream that then waits, while it is recorded", first_event),
    "memory": Other("peak memory of a process that replays 200 turns", memory),
}  # fmt: skip


def chosen(names: Sequence[str]) -> dict[str, Replay | Other]:
    """The scenarios that begin with one of the names; all where there is none."""
    for name in names:
        if not any(key.startswith(name) for key in SCENARIOS):
            raise SystemExit(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    return {key: each for key, each in SCENARIOS.items() if not names or any(key.startswith(n) for n in names)}


def profile(bench: Bench, name: str) -> None:
    """Prints the 25 functions that take most time in our part of a scenario, twice over."""
    for scenario, each in chosen([name]).items():
        if each.profile is None:
            print(f"{scenario} has no profile")
            continue
        work = each.profile(bench)
        profiler = cProfile.Profile()
        profiler.runcall(work)
        print(f"\n{scenario}: {each.text}")
        for order in ("tottime", "cumtime"):
            pstats.Stats(profiler).sort_stats(order).print_stats(25)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="CPU time against the bare SDK.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among {', '.join(SCENARIOS)}; or how they begin")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--ours", action="store_true", help="leave out the other recorders")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count (default {ROUNDS})")
    parser.add_argument("--profile", metavar="NAME", help="where our time goes in that scenario")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), [OURS] if options.ours else installed(), options.rounds)
        if options.profile:
            profile(bench, options.profile)
            return 0
        print(
            f"Python {sys.version.split()[0]}, anthropic {anthropic.__version__}, {os.cpu_count()} cores; "
            + ", ".join(f"{each.name} {each.version}" for each in bench.contenders)
        )
        for name, each in chosen(options.names).items():
            bench.head(name, each.text)
            each(bench, name)
        missed = [line for line in bench.lines if line.missed]
        print(f"\n{sum(line.goal is not None for line in bench.lines) - len(missed)} goals met, {len(missed)} missed")
        for line in missed:
            assert line.spread
            print(f"  {line.scenario}: {_figure(line.spread.median)} {line.unit}, goal {line.goal:g}")
        return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
