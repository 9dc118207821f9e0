"""What became of the fault runs of a session: a matrix of tests and faults for people, a file for programs.

The file is described in docs/report-format.md.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from convo_replay import __version__

VERSION = 1
SHOWN_TESTS = 25
"""Rows of the matrix; beyond them tests that are good under each of their faults are only counted."""
_SHOWN_WARNINGS = 3  # of one rule
_SHOWN_FAILURES = 20


class Finding(TypedDict):
    """One thing that is wrong with the client."""

    rule: str
    level: Literal["error", "warn"]
    turn: int | None
    attempt: int | None
    message: str
    evidence: list[str]


class Told(TypedDict):
    """One fault run."""

    id: str
    test: str
    spec: str
    asked: str
    by: Literal["marker", "command line", "inject"]
    place: int
    result: Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
    outcome: str
    good: bool | None
    expected: str
    reason: str
    findings: list[Finding]
    again: str


Unfit = Mapping[str, Sequence[str]]
"""Specs of the command line that fit no test, each with what some tests say."""


def ordered(runs: Iterable[Told]) -> list[Told]:
    """As they were collected, the injected ones last: the same in whatever order and processes they ran."""
    return sorted(runs, key=lambda run: (run["place"] < 0, run["place"], run["id"]))


def is_bad(run: Told) -> bool:
    """Whether a run makes the session fail."""
    return run["result"] in ("failed", "error")


def document(runs: Iterable[Told], unfit: Unfit) -> dict[str, object]:
    """What `--convo-report` writes."""
    told = ordered(runs)
    return {
        "convo_replay_report": VERSION,
        "convo_replay": __version__,
        "summary": {
            "tests": len({run["test"] for run in told}),
            "runs": sum(run["good"] is not None for run in told),
            "good": sum(bool(run["good"]) for run in told),
            "results": dict(sorted(Counter(run["result"] for run in told).items())),
            "outcomes": dict(sorted(Counter(run["outcome"] for run in told).items())),
        },
        "unfit": [{"spec": spec, "reasons": list(reasons)} for spec, reasons in unfit.items()],
        "runs": [{name: value for name, value in each.items() if name != "place"} for each in told],
    }


def write(path: Path, runs: Iterable[Told], unfit: Unfit) -> None:
    """Writes the report.

    Raises:
        OSError: it cannot be written.
    """
    path.write_text(json.dumps(document(runs, unfit), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# --- the matrix ------------------------------------------------------------------------------------


def matrix(runs: Iterable[Told], width: int, *, everything: bool = False) -> Iterator[str]:
    """Lines of at most `width` columns where names allow it: tests down, faults across, a cell for each pair.

    Args:
        everything: every test has its row, however many there are.
    """
    told = [run for run in ordered(runs) if run["outcome"] != "unrecorded"]
    rows: dict[str, dict[str, list[Told]]] = {}
    columns: dict[str, None] = {}
    for run in told:
        columns.setdefault(run["asked"])
        rows.setdefault(run["test"], {}).setdefault(run["asked"], []).append(run)
    shown = list(rows)
    if not everything and len(rows) > SHOWN_TESTS:
        shown = [test for test, cells in rows.items() if any(is_bad(run) for cell in cells.values() for run in cell)]
        shown = shown[:SHOWN_TESTS]
    if shown:
        yield from _table({test: {name: _cell(cell) for name, cell in rows[test].items()} for test in shown},
                          list(columns), width)  # fmt: skip
    hidden = [test for test in rows if test not in set(shown)]
    if hidden:
        bad = sum(any(is_bad(run) for cell in rows[test].values() for run in cell) for test in hidden)
        good = len(hidden) - bad
        lines = [f"{bad} more with failures"] if bad else []
        lines += [f"{good} {'more ' if shown else ''}without a failure"] if good else []
        yield f"tests: {', '.join(lines)} (-v shows all)"


def _cell(runs: Sequence[Told]) -> str:
    if len(runs) == 1:
        run = runs[0]
        said = run["outcome"] if run["result"] not in ("xfailed", "xpassed") else run["result"]
        return f"{said}!" if is_bad(run) else said
    said = f"{sum(bool(run['good']) for run in runs)}/{len(runs)}"
    return f"{said}!" if any(map(is_bad, runs)) else said


def _table(rows: Mapping[str, Mapping[str, str]], columns: Sequence[str], width: int) -> Iterator[str]:
    """As many columns side by side as fit; the rest below, with the tests' names again."""
    names = {test: _shortened(test, max(width * 2 // 5, 20)) for test in rows}
    first = max(map(len, names.values()))
    titles = {name: _shortened(name, max(width - first - 2, 12)) for name in columns}
    widths = {name: max(len(titles[name]), *(len(cells.get(name, "")) for cells in rows.values())) for name in columns}
    blocks: list[list[str]] = [[]]
    for name in columns:
        if blocks[-1] and first + sum(widths[each] + 2 for each in (*blocks[-1], name)) > width:
            blocks.append([])
        blocks[-1].append(name)
    for block in blocks:
        yield " " * first + "".join(f"  {titles[name]:>{widths[name]}}" for name in block)
        for test, cells in rows.items():
            if any(name in cells for name in block):
                line = f"{names[test]:<{first}}" + "".join(f"  {cells.get(name, ''):>{widths[name]}}" for name in block)
                yield line.rstrip()


def _shortened(text: str, width: int) -> str:
    """The end of a name tells more than its beginning."""
    return text if len(text) <= width else f"...{text[3 - width :]}"


# --- what is said below it --------------------------------------------------------------------------


def failing(runs: Iterable[Told]) -> Iterator[str]:
    """The runs that failed: for each test and fault the positions, the outcome, the rules."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for run in ordered(runs):
        if is_bad(run):
            found = dict.fromkeys(each["rule"] for each in run["findings"] if each["level"] == "error")
            said = run["outcome"] + (f": {', '.join(found)}" if found else "")
            said += f"; expected {run['expected']}" if run["expected"] else ""
            groups.setdefault((run["test"], run["asked"], said), []).append(run["spec"])
    test = ""
    for count, ((owner, _, said), specs) in enumerate(groups.items()):
        if count == _SHOWN_FAILURES:
            yield f"... and {sum(map(len, list(groups.values())[count:]))} more failing runs"
            return
        if owner != test:
            test = owner
            yield test
        yield f"  {ranges(specs)}  {said}"


def ranges(specs: Sequence[str]) -> str:
    """`cut:eof@3-5,9` for the specs of one fault at several positions; equal texts before a last number are joined."""
    by_stem: dict[str, list[int]] = {}
    for spec in specs:
        found = _LAST_NUMBER.fullmatch(spec)
        if found is None:
            by_stem.setdefault(spec, [])
        else:
            by_stem.setdefault(found[1], []).append(int(found[2]))
    return " ".join(stem + ",".join(_runs(sorted(numbers))) for stem, numbers in by_stem.items())


_LAST_NUMBER = re.compile(r"(.*@(?:t\d+\.)?b?)(\d+)", re.DOTALL)


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    start = 0
    for at, number in enumerate(numbers):
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            yield str(number) if numbers[start] == number else f"{numbers[start]}-{number}"
            start = at + 1


def summary(runs: Iterable[Told]) -> str:
    """One line: how many runs, what came of them."""
    told = list(runs)
    judged = [run for run in told if run["good"] is not None]
    outcomes = Counter(run["outcome"] for run in told if run["outcome"] not in ("n/a", "unrecorded"))
    parts = [f"{count} {outcome}" for outcome, count in sorted(outcomes.items(), key=lambda one: (-one[1], one[0]))]
    bad = sum(map(is_bad, told))
    left = sum(run["outcome"] == "n/a" for run in told)
    text = f"{len(judged)} fault run{'' if len(judged) == 1 else 's'}"
    text += f": {', '.join(parts)}" if parts else ""
    text += f"; {bad} failed" if bad else ""
    return text + (f"; {left} n/a" if left else "")


def notes(runs: Iterable[Told]) -> Iterator[str]:
    """What is to be known of runs that did not fail: warnings, and tests that have no recording."""
    told = ordered(runs)
    by_rule: dict[str, list[str]] = {}
    for run in told:
        for finding in run["findings"]:
            if finding["level"] == "warn" and not is_bad(run):
                by_rule.setdefault(finding["rule"], []).append(f"{run['id']}: {finding['message'].splitlines()[0]}")
    for rule, lines in sorted(by_rule.items()):
        yield from (f"verdict warns: {rule}: {line}" for line in lines[:_SHOWN_WARNINGS])
        if len(lines) > _SHOWN_WARNINGS:
            yield f"verdict warns: {rule}: {len(lines) - _SHOWN_WARNINGS} more"
    missing = [run["test"] for run in told if run["outcome"] == "unrecorded"]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        why = "a fault run breaks what is recorded, and records nothing itself"
        yield f"record first: {missing[0]}{more}: {why}"


def unfit_lines(unfit: Unfit) -> Iterator[str]:
    """What is said of specs of the command line that fit no test."""
    for spec, reasons in unfit.items():
        yield f"--convo-faults: {spec} fits no test that was collected, so the run fails"
        yield from (f"  {line}" for reason in reasons for line in reason.splitlines())
        if not reasons:
            yield "  there was no test with a conversation"
