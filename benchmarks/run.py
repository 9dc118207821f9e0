"""CPU time against the floor: the bare SDK over a mock transport with ready bytes.

    python -m benchmarks.run [NAME …]         all scenarios, or those that begin so: `turns`, `record`
    python -m benchmarks.run --ours           without the other recorders
    python -m benchmarks.run --full           also what takes minutes
    python -m benchmarks.run --check          exits 1 where a goal is missed
    python -m benchmarks.run --markdown       prints them as docs/performance.md has them, too
    python -m benchmarks.run --profile NAME   where our time goes

Each figure is the median of `k` rounds in which everybody is measured in turn, with the least and the
greatest in brackets. Other recorders take part where they are installed.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anthropic
import httpx2

from benchmarks.bench import Bench, short
from benchmarks.contenders import OURS, installed
from benchmarks.scenarios import SCENARIOS, Recording, Replaying, Scanning, Scenario, StartUp, Tests, Validating


def chosen(names: Sequence[str]) -> dict[str, Scenario]:
    """The scenarios that have one of the names or begin with it; all where there is no name."""
    found: dict[str, Scenario] = {}
    for name in names or [""]:
        of_that_name = [name] if name in SCENARIOS else [key for key in SCENARIOS if key.startswith(name)]
        if not of_that_name:
            raise SystemExit(f"expected a scenario, got {name!r}; there are {', '.join(SCENARIOS)}")
        found |= {key: SCENARIOS[key] for key in of_that_name}
    return found


def profile(bench: Bench, name: str) -> None:
    """Prints the functions that take most time in our part of a scenario, by themselves and with what they call."""
    for key, scenario in chosen([name]).items():
        match scenario:
            case StartUp() | Tests():
                stats = scenario.profile(bench)
            case Replaying() | Recording():
                profiler = cProfile.Profile()
                profiler.runcall(scenario.ours(bench))
                stats = pstats.Stats(profiler)
            case Validating() | Scanning():
                stats = scenario.profile()
            case _:
                raise SystemExit(f"{key} has no profile")
        print(f"\n{key}: {scenario.text}")
        for order in ("tottime", "cumtime"):
            stats.sort_stats(order).print_stats(25)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="CPU time against the bare SDK.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among {', '.join(SCENARIOS)}; or how they begin")
    parser.add_argument("--ours", action="store_true", help="leave out the other recorders")
    parser.add_argument("--full", action="store_true", help="also measure what takes minutes")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--markdown", action="store_true", help="print the figures as a table, too")
    parser.add_argument("--rounds", type=int, default=5, metavar="K", help="rounds that count (default 5)")
    parser.add_argument("--profile", metavar="NAME", help="show where our time goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), [OURS] if options.ours else installed(), options.rounds, options.full)
        if options.profile is not None:
            profile(bench, options.profile)
            return 0
        print(
            f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, "
            f"anthropic {anthropic.__version__}, httpx2 {httpx2.__version__}, "
            + ", ".join(f"{each.name} {each.version}" for each in bench.contenders)
        )
        for name, scenario in chosen(options.names).items():
            print(f"\n{name}: {scenario.text}", flush=True)
            scenario.measure(bench, name)
        missed = [figure for figure in bench.figures if figure.missed]
        asked_for = sum(figure.goal is not None for figure in bench.figures)
        print(f"\n{asked_for - len(missed)} of {asked_for} goals met")
        for figure in missed:
            assert figure.spread
            print(f"  missed: {figure.scenario}, {short(figure.spread.median)} {figure.unit}, goal {figure.goal:g}")
        if options.markdown:
            print(f"\n{bench.table()}")
        return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
