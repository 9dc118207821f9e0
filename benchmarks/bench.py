"""One run: who takes part, where its files are, and the figures as they are printed."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import measuring
from benchmarks.contenders import OURS, Contender
from benchmarks.measuring import Spread

FLOOR = "floor"

Works = dict[str, tuple[int, Callable[[], float]]]
"""Rounds and the measurement, by the name of who is measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one contender costs in one scenario, and whether that is what it should be.

    Attributes:
        spread: `None` where it was not measured; `note` says why.
        goal: at most so much; `None` where nothing is asked for.
        at_least: whether more is better: at least so much.
    """

    scenario: str
    contender: str
    spread: Spread | None
    unit: str = "×"
    goal: float | None = None
    note: str = ""
    at_least: bool = False

    @property
    def missed(self) -> bool:
        if self.goal is None or self.spread is None:
            return False
        return self.spread.median < self.goal if self.at_least else self.spread.median > self.goal

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return f"goal {self.goal:g}: {'MISSED' if self.missed else 'met'}"

    @property
    def cell(self) -> str:
        """As it stands in a table of docs/performance.md."""
        if self.spread is None:
            return "–"
        few = f"{short(self.spread.least)}–{short(self.spread.most)}"
        return f"{short(self.spread.median)} {self.unit}" + (f" ({few})" if self.spread.count > 1 else " (k = 1)")

    def __str__(self) -> str:
        if self.spread is None:
            return f"  {self.contender:<24} {self.note}"
        spread = self.spread
        most = f"[{short(spread.least)}–{short(spread.most)}]"
        figure = f"{short(spread.median):>7} {self.unit:<2} {most:<16} k={spread.count:<3}"
        return f"  {self.contender:<24} {figure} {self.verdict}{self.note}".rstrip()


def short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


@dataclass(slots=True)
class Bench:
    """Attributes:
    folder: where cassettes are written; each scenario takes folders of its own.
    contenders: ours first.
    rounds: those that count, for the floor and for ours.
    full: also what takes minutes.
    """

    folder: Path
    contenders: Sequence[Contender]
    rounds: int
    full: bool
    figures: list[Figure] = field(default_factory=list)
    floors: dict[str, str] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def add(self, figure: Figure) -> None:
        """Prints a figure and keeps it."""
        self.figures.append(figure)
        print(figure, flush=True)

    def _floor(self, scenario: str, text: str) -> None:
        self.floors[scenario] = text
        print(f"  {FLOOR:<24} {text:>10}")

    def unmeasured(self, scenario: str, contender: str, why: str) -> None:
        self.add(Figure(scenario, contender, None, note=f"not measured: {why}"))

    def table(self) -> str:
        """The figures as Markdown."""
        names = [contender.name for contender in self.contenders]
        rows = [["scenario", "floor", "goal", *names], ["---"] * (3 + len(names))]
        for scenario in dict.fromkeys(figure.scenario for figure in self.figures):
            cells = {figure.contender: figure for figure in self.figures if figure.scenario == scenario}
            goal = cells[OURS.name]
            rows.append([
                f"`{scenario}`",
                self.floors.get(scenario, ""),
                f"{goal.goal:g} {goal.unit}" if goal.goal is not None else "",
                *(cells[name].cell if name in cells else "" for name in names),
            ])  # fmt: skip
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def new_folder(self) -> Path:
        """A path where nothing is yet."""
        return self.folder / str(next(self._count))

    def copy_of(self, folder: Path) -> Path:
        """The same files under paths that nobody has opened."""
        copy = self.new_folder()
        shutil.copytree(folder, copy)
        return copy

    def compare(self, scenario: str, works: Works, goal: float | None) -> None:
        """Measures in turn, and prints each as a multiple of the floor."""
        measured = measuring.interleaved(works)
        self._floor(scenario, f"{1000 * Spread.of(measured[FLOOR]).median:.0f} ms")
        for name in list(works)[1:]:
            spread = measuring.ratios(measured[name], measured[FLOOR])
            self.add(Figure(scenario, name, spread, goal=goal if name == OURS.name else None))

    def subtract(self, scenario: str, works: Works, unit: str, goal: float, scale: float = 1) -> None:
        """Measures in turn, and prints how much each is above the floor; also the least of each above its least."""
        measured = {name: [scale * each for each in taken] for name, taken in measuring.interleaved(works).items()}
        floor = measured[FLOOR]
        self._floor(scenario, f"{short(Spread.of(floor).median)} {unit}")
        for name in list(works)[1:]:
            spread = measuring.differences(measured[name], floor)
            note = f"  (least over least: {short(min(measured[name]) - min(floor))})"
            self.add(Figure(scenario, name, spread, unit, goal if name == OURS.name else None, note))
