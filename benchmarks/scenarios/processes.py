"""What is measured from outside: whole processes of pytest, and the memory of one."""

from __future__ import annotations

import os
import pstats
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measuring, traffic
from benchmarks.bench import FLOOR, Bench, Works
from benchmarks.contenders import OURS, VCRPY, Contender
from benchmarks.scenarios.replaying import SLOW


def _run(arguments: Sequence[str], folder: Path | None = None) -> str:
    """The output of `python …`, in an environment where what was compiled once is kept, as on a user's machine."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"python {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _pytests(folder: Path, *plugins: str) -> Callable[[], float]:
    """CPU seconds of a pytest in a folder."""

    def measured() -> float:
        before = measuring.children()
        _run(_pytest(*plugins), folder)
        return measuring.children() - before

    return measured


def _pytest(*plugins: str) -> list[str]:
    return ["-m", "pytest", "-q", "-p", "no:cacheprovider", *(word for each in plugins for word in ("-p", each))]


def _profiled(folder: Path) -> pstats.Stats:
    _run(_pytest(OURS.plugin), folder)  # compiles what is compiled once
    _run(["-m", "cProfile", "-o", "profile", *_pytest(OURS.plugin)], folder)
    return pstats.Stats(str(folder / "profile"))


@dataclass(frozen=True, slots=True)
class StartUp:
    """What a plugin costs a run that does not use it: pytest over one trivial test."""

    text: str
    goal: float

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints CPU milliseconds above pytest without the plugin."""
        folder = self._written(bench)
        many = 7 * bench.rounds
        works: Works = {FLOOR: (many, _pytests(folder))}
        for contender in bench.contenders:
            works[contender.name] = (many if contender is OURS else 3, _pytests(folder, contender.plugin))
        if VCRPY in bench.contenders:
            # pytest-recording imports vcrpy at the first test with a cassette.
            works["vcrpy, imported"] = (3, _pytests(folder, VCRPY.plugin, "vcr.cassette"))
        bench.subtract(scenario, works, "ms", self.goal, scale=1000)

    def profile(self, bench: Bench) -> pstats.Stats:
        """A whole run of pytest with our plugin."""
        return _profiled(self._written(bench))

    @staticmethod
    def _written(bench: Bench) -> Path:
        folder = bench.new_folder()
        folder.mkdir(parents=True)
        # Not an empty file: pytest ends that with an error, as a pytest that could not load the plugin does.
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        return folder


TESTS = """\
import pytest
from benchmarks import traffic

ASKS = [asks[0] for asks in traffic.small({number}).asked]

@pytest.mark.parametrize("number", range({number}))
{mark}
def test_small(number):
    with traffic.client(http_client={http_client}) as client:
        assert ASKS[number].put(client) == ASKS[number].text
"""
READY = "traffic.ready(ASKS[number:number + 1], whole=True)"
MARKS = {"convo_replay": "@pytest.mark.convo", "vcrpy": "@pytest.mark.vcr", "cassetter": "@pytest.mark.vcr"}


@dataclass(frozen=True, slots=True)
class Tests:
    """A run of pytest whose tests have a cassette and a client each, the imports of pytest and the SDK included."""

    text: str
    number: int
    goal: float

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints the multiples of the same run over ready bytes."""
        floor = bench.new_folder()
        self._write(floor, "", READY)
        works: Works = {FLOOR: (bench.rounds, _pytests(floor))}
        for contender in bench.contenders:
            rounds = bench.rounds if contender is OURS else 1
            works[contender.name] = (rounds, _pytests(self._written(bench, contender), contender.plugin))
        bench.compare(scenario, works, self.goal)

    def profile(self, bench: Bench) -> pstats.Stats:
        """A whole run of pytest with our plugin."""
        return _profiled(self._written(bench, OURS))

    def _written(self, bench: Bench, contender: Contender) -> Path:
        """A folder with the tests and their cassettes."""
        folder, recorded = bench.new_folder(), bench.new_folder()
        self._write(folder, MARKS[contender.name], "None")
        contender.prepare(recorded, traffic.small(self.number))
        cassettes = folder / "cassettes" / "test_small"
        cassettes.mkdir(parents=True)
        for number in range(self.number):
            (recorded / f"{number}.yaml").rename(cassettes / f"test_small[{number}].yaml")
        return folder

    def _write(self, folder: Path, mark: str, http_client: str) -> None:
        folder.mkdir(parents=True)
        (folder / "test_small.py").write_text(TESTS.format(number=self.number, mark=mark, http_client=http_client))


FAULTS = """\
import anthropic
import httpx2
import pytest
from benchmarks import traffic

ASK = traffic.streams(1, {events}).asked[0][0]
RUNS = range({floor})

{mark}
def test_cut({convo}):
    with traffic.client(http_client={http_client}) as client:
        try:
            ASK.put(client)
        except (anthropic.APIError, httpx2.TransportError, AssertionError, RuntimeError):
            pass
"""


@dataclass(frozen=True, slots=True)
class FaultRuns:
    """A run of pytest that cuts one stream between all its events, in two ways; in it each cut is a test."""

    text: str
    events: int
    goal: float | None = None

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints the multiples of as many tests that read the whole stream from ready bytes."""
        floor = bench.new_folder()
        each = '@pytest.mark.parametrize("convo", RUNS)'
        self._write(floor, each, "traffic.ready([ASK], whole=True)", 2 * self.events + 1)
        works: Works = {
            FLOOR: (bench.rounds, _pytests(floor)),
            OURS.name: (bench.rounds, _pytests(self._written(bench), OURS.plugin)),
        }
        bench.compare(scenario, works, self.goal)

    def profile(self, bench: Bench) -> pstats.Stats:
        """A whole run of pytest with our plugin."""
        return _profiled(self._written(bench))

    def _written(self, bench: Bench) -> Path:
        folder, recorded = bench.new_folder(), bench.new_folder()
        mark = '@pytest.mark.convo(faults="cut:eof@* cut:reset@*", expect="handled")'
        self._write(folder, mark, "None", 0)
        OURS.prepare(recorded, traffic.streams(1, self.events))
        cassettes = folder / "cassettes" / "test_faults"
        cassettes.mkdir(parents=True)
        (recorded / "0.yaml").rename(cassettes / "test_cut.yaml")
        return folder

    def _write(self, folder: Path, mark: str, http_client: str, floor: int) -> None:
        folder.mkdir(parents=True)
        text = FAULTS.format(events=self.events, mark=mark, http_client=http_client, floor=floor, convo="convo")
        (folder / "test_faults.py").write_text(text)


@dataclass(frozen=True, slots=True)
class Memory:
    """The most that a process holds which replays one conversation; the recorder's own modules are part of it."""

    text: str
    turns: int
    goal: float

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints MB above a process that has only the SDK."""
        workload = traffic.conversation(self.turns)

        def peak(*arguments: str) -> Callable[[], float]:
            return lambda: float(_run(["-m", "benchmarks.memory", str(self.turns), *arguments]))

        works: Works = {FLOOR: (bench.rounds, peak()), "floor, with httpcore2": (1, peak("httpcore2"))}
        for contender in bench.contenders:
            if contender is not OURS and not bench.full:
                bench.unmeasured(scenario, contender.name, SLOW)
                continue
            folder = bench.new_folder()
            contender.prepare(folder, workload)
            works[contender.name] = (
                bench.rounds if contender is OURS else 1,
                peak(contender.name, str(folder)),
            )
        bench.subtract(scenario, works, "MB", self.goal)
