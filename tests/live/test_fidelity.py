"""What an application sees under a fault in-process is what it sees of a real socket (docs/fidelity.md).

A sample runs with every run of the tests; `make fidelity` (`CONVO_FIDELITY=1`) runs all of it: every fault, both SDKs
in both generations, sync and async, each of the calls.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from filelock import FileLock

from convo_replay.faults.catalogue import catalogue
from convo_replay.faults.fault import Fault
from convo_replay.faults.specs import parse
from live.callers import OLD
from live.fidelity_specs import SAMPLE, SPECS
from live.project import ROOT

ALL = bool(os.environ.get("CONVO_FIDELITY"))
RUNNER = Path(__file__).with_name("fidelity.py")
DOCUMENT = ROOT / "docs" / "fidelity.md"
GENERATION = {"sample": (172, 20), "all": (1954, 278)}
"""Cells run and not applicable, for the two SDKs of a generation."""

pytestmark = [
    pytest.mark.skipif(OLD, reason="the runner is started with the older SDKs from here"),
    pytest.mark.skipif(sys.platform != "linux", reason="what a full queue and a reset do is Linux's"),
]


@dataclass(frozen=True)
class Cell:
    """One fault, one call of one SDK, and what came of it on both sides."""

    told: dict[str, Any]

    @cached_property
    def name(self) -> str:
        told = self.told
        return f"{told['spec']} {told['sdk']} {told['version']} {told['call']} {told['mode']}"

    def __getitem__(self, key: str) -> Any:
        return self.told[key]

    @property
    def ran(self) -> bool:
        return "n/a" not in self.told

    @cached_property
    def differences(self) -> list[tuple[str, str, str]]:
        """What differs, how it is on the socket, how in-process; of chains, from the first difference on."""
        found = []
        for what, (real, played) in self.told.get("differs", {}).items():
            if what in ("outer", "chain"):
                real, played = from_difference(real, played)
                found.append((what, chain(real), chain(played)))
            else:
                found.append((what, json.dumps(real), json.dumps(played)))
        return found


def from_difference(one: Sequence[Any], other: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[same:], other[same:]


def chain(links: Sequence[Any]) -> str:
    if links and isinstance(links[0], str):  # the outermost: class and text
        return ": ".join(links)
    return " ← ".join(f"{cls.rpartition('.')[2]}: {text}" if text else cls.rpartition(".")[2] for cls, text, _ in links)


def tables() -> dict[str, list[list[str]]]:
    """The tables of the document, by the heading that they stand under."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            found.setdefault(heading, []).append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    return {heading: rows[2:] for heading, rows in found.items()}


@dataclass(frozen=True)
class Known:
    """A row of the document's table of differences."""

    cells: str
    what: str
    socket: str
    played: str
    reason: str

    def is_of(self, cell: Cell, what: str, real: str, played: str) -> bool:
        return (
            what == self.what
            and any(fnmatchcase(cell.name, pattern) for pattern in self.cells.split("`, `"))
            and fnmatchcase(real, self.socket)
            and fnmatchcase(played, self.played)
        )


def known() -> list[Known]:
    return [Known(*row) for row in tables()["Differences"]]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """Every cell of the run, once for all workers of xdist."""
    here = tmp_path_factory.getbasetemp()
    found = (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / "fidelity.jsonl"
    with FileLock(found.with_suffix(".lock")):
        if not found.exists():
            found.write_text(run(), encoding="utf-8")
    return [Cell(json.loads(line)) for line in found.read_text(encoding="utf-8").splitlines()]


def run() -> str:
    """What the runners say: both generations at the same time, one server for both."""
    from faulty_server import FaultyServer

    pythons = [sys.executable]
    old = os.environ.get("CONVO_OLD_SDK_PYTHON") or str(ROOT / ".venv-old" / "bin" / "python")
    if ALL and Path(old).exists():
        pythons.append(old)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    specs = SPECS if ALL else SAMPLE
    with FaultyServer() as server:
        running = [
            subprocess.Popen(
                [python, str(RUNNER), json.dumps(server.ports), json.dumps(specs), f"k{place}-"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for place, python in enumerate(pythons, 1)
        ]
        said = [process.communicate() for process in running]
    for process, (_, errors) in zip(running, said, strict=True):
        assert process.returncode == 0, errors[-4000:]
    return "".join(out for out, _ in said)


def test_what_is_compared(cells: list[Cell], capsys: pytest.CaptureFixture[str]):
    """Nothing is left out by accident."""
    ran, none = GENERATION["all" if ALL else "sample"]
    generations = Counter(cell["version"].split(".")[0] for cell in cells if cell["sdk"] == "openai")
    counted = Counter(cell.ran for cell in cells)
    skipped = (2 - len(generations)) * (ran + none) if ALL else 0
    with capsys.disabled():
        print(f"\nfidelity: {counted[True]} cells run, {counted[False]} n/a, {skipped} skipped")
    assert (counted[True], counted[False]) == (ran * len(generations), none * len(generations))
    both, neither = (2 * each for each in GENERATION["all"])
    assert f"{both:,} cells run, {neither} are not applicable" in DOCUMENT.read_text(encoding="utf-8")


def test_every_fault_is_compared():
    plans = [plan for text in SPECS for plan in parse(text.format(n=9, mid=50))]
    compared = {(spec.fault.name, word_of(spec.fault)) for plan in plans for spec in plan.specs}
    ours = {name: fault for name, fault in catalogue().items() if fault.__module__.startswith("convo_replay.")}
    there_are = {
        (name, str(word))
        for name, fault in ours.items()
        for one in fields(fault)
        if one.metadata.get("word")
        for word in one.metadata["choices"]
    }
    assert {name for name, _ in compared} == set(ours)
    assert there_are - compared == set()


def test_outer_class_and_text_are_equal(cells: list[Cell]):
    """No exception from this, and so of the number of requests and of the exception's attributes."""
    different = {
        cell.name: difference
        for cell in cells
        for difference in cell.differences
        if difference[0] in ("outer", "requests", "attributes")
    }
    assert different == {}


def test_other_differences_are_documented(cells: list[Cell]):
    rows = known()
    unknown = [
        (cell.name, *difference)
        for cell in cells
        for difference in cell.differences
        if difference[0] not in ("outer", "requests", "attributes")
        and not any(row.is_of(cell, *difference) for row in rows)
    ]
    assert unknown == []


def test_documented_differences_exist(cells: list[Cell]):
    if not ALL:
        pytest.skip("needs all cells: make fidelity")
    gone = [row for row in known() if not any(row.is_of(cell, *found) for cell in cells for found in cell.differences)]
    assert gone == []


def test_the_server_saw_what_the_client_sent(cells: list[Cell]):
    """Each client asked for something, and what it asked arrived, but where it had nowhere to arrive."""
    ran = [cell for cell in cells if cell.ran]
    assert [cell.name for cell in ran if not cell["socket"]["requests"]] == []
    lost = {cell.name: cell["socket"] for cell in ran if cell["socket"]["counted"] != cell["socket"]["reached"]}
    assert lost == {}


def test_retries_come_on_connections_of_both_kinds(cells: list[Cell]):
    """On one that is still open, and on new ones: that neither shows is part of what is compared."""
    came = {
        spec: {(cell["socket"]["requests"], cell["socket"]["connections"]) for cell in cells if cell["spec"] == spec}
        for spec in ("429x*", "disconnect:resetx*")
    }
    assert came == {"429x*": {(3, 1), (3, 3)}, "disconnect:resetx*": {(3, 3)}}


# What the catalogue says


def word_of(fault: Fault) -> str:
    return next((str(getattr(fault, one.name)) for one in fields(fault) if one.metadata.get("word")), "")


def outcome(cell: Cell) -> str | None:
    """What the catalogue says of a cell, where that is one of the ordinary case: one fault in the middle."""
    text = cell["spec"]
    if "+" in text or "=" in text or text.endswith(("@0", "@1", "@b0", "@{n}", "x2", "x3")):
        return None
    (plan,) = parse(text.format(n=9, mid=50))
    fault = plan.specs[0].fault
    call = f"{cell['sdk']} {cell['call']}"
    if fault.name == "status" and f"{word_of(fault)} {call}" not in fault.outcomes:
        return None  # any number is one: the catalogue speaks of those that the providers document
    return fault.outcomes.get(f"{word_of(fault)} {call}") or fault.outcomes.get(call) or ""


def holds(said: str, cell: Cell) -> bool:
    """Whether the first clause of an outcome is what happened."""
    real, same = cell["socket"], cell["as_recorded"]
    for_ever = cell["spec"].endswith("x*")
    if for_ever and f"{cell['spec']}: " in said:
        said = said.partition(f"{cell['spec']}: ")[2]
    said = said.partition(";")[0]
    chain, _, requests = said.partition(", after ")
    expected, *causes = [each.partition(" (")[0] for each in chain.split(" ← ")]
    if requests and not for_ever:
        return not real["error"] and same["events"] and same["final"] and real["requests"] == 2
    kind = re.split("[:,]", expected)[0]
    if kind in ("normal", "silent", "result"):
        whole = same["final"] and (same["events"] or (kind == "normal" and cell["call"] == "stream"))
        more_is_said = kind == "normal" and expected != "normal"
        return not real["error"] and (more_is_said or whole == (kind == "normal"))
    classes = [cls.replace("json.decoder.", "json.").removeprefix("builtins.") for cls, _, _ in real["error"]]
    following = iter(classes[1:])
    return (
        classes[:1] == [expected]
        and all(cause in following for cause in causes)
        and (not requests or real["requests"] == int(requests.split()[0]))
    )


def test_the_catalogue_says_what_happens(cells: list[Cell]):
    """`convo-replay faults`, for the SDKs that it speaks of."""
    said = {
        cell.name: (text, cell["socket"], cell["as_recorded"])
        for cell in cells
        if cell.ran and cell["version"] in (anthropic.__version__, openai.__version__)
        if (text := outcome(cell)) is not None and not holds(text, cell)
    }
    assert said == {}
