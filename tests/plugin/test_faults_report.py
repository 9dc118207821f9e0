"""The matrix at the end of a run, and the file: as functions of what the runs say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from convo_replay.reporting import faults
from convo_replay.reporting.faults import Told

DOCS = Path(__file__).parents[2] / "docs" / "report-format.md"
TURN_OUT = {"recovered": True, "raised": True, "handled": True, "silent": False, "crashed": False, "not-fired": False}


def run(test: str, spec: str, outcome: str = "recovered", *, asked: str = "", place: int = 0, **more: Any) -> Told:
    good = TURN_OUT.get(outcome)
    result = "skipped" if good is None else "passed" if good else "failed"
    told: dict[str, Any] = {
        "id": f"{test}[{spec}]", "test": test, "spec": spec, "asked": asked or spec, "by": "marker", "place": place,
        "result": result, "outcome": outcome, "good": good, "expected": "", "reason": "", "findings": [],
        "again": f"pytest '{test}[{spec}]'",
    }  # fmt: skip
    return told | more  # type: ignore[return-value]


def finding(rule: str, level: str = "error") -> dict[str, Any]:
    return {"rule": rule, "level": level, "turn": 0, "attempt": 1, "message": f"of {rule}", "evidence": ["a", "b"]}


def cuts(test: str, count: int, silent: range = range(0), first: int = 0) -> list[Told]:
    found = [finding("truncated-stream-accepted")]
    return [
        run(test, f"cut:eof@{n}", "silent", asked="cut:eof@*", place=first + n, findings=found)
        if n in silent
        else run(test, f"cut:eof@{n}", asked="cut:eof@*", place=first + n)
        for n in range(count)
    ]


THREE = [
    run("test_weather.py::test_paris", "429", place=0),
    *cuts("test_weather.py::test_paris", 18, first=1),
    run("test_agent.py::TestLoop::test_a_loop_of_tools_with_a_name", "429", "raised", place=30),
    *cuts("test_agent.py::TestLoop::test_a_loop_of_tools_with_a_name", 18, range(4, 9), first=31),
    run("test_plain.py::test_text", "429", "crashed", place=60),
    run("test_plain.py::test_text", "cut:eof@*", "n/a", place=61, reason="turns[0] is no stream"),
    run("test_new.py::test_new", "faults", "unrecorded", place=62, asked=""),
]


def test_a_matrix_of_three_tests():
    assert list(faults.matrix(THREE, 80)) == [
        "                                        429  cut:eof@*",
        "test_weather.py::test_paris       recovered      18/18",
        "...t_a_loop_of_tools_with_a_name     raised     13/18!",
        "test_plain.py::test_text           crashed!        n/a",
    ]
    assert faults.summary(THREE) == "39 fault runs: 32 recovered, 5 silent, 1 crashed, 1 raised; 6 failed; 1 n/a"
    assert list(faults.failing(THREE)) == [
        "test_agent.py::TestLoop::test_a_loop_of_tools_with_a_name",
        "  cut:eof@4-8  silent: truncated-stream-accepted",
        "test_plain.py::test_text",
        "  429  crashed",
    ]


def many(bad: int = 2) -> list[Told]:
    specs = (
        "429",
        "529",
        "status:503x3",
        "connect:refused",
        "timeout:read",
        "error:overloaded_error@4",
        "html",
        "gzip:crc",
    )
    return [
        run(f"tests/test_agents.py::test_number_{n}", spec, "silent" if n < bad and spec == "html" else "recovered",
            place=n * 10 + at)
        for n in range(200)
        for at, spec in enumerate(specs)
    ]  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_matrix_of_two_hundred_tests(width):
    lines = list(faults.matrix(many(), width))
    assert max(map(len, lines)) <= width
    assert lines[-1] == "tests: 198 more without a failure (-v shows all)"
    rows = [line.split() for line in lines]
    assert sum(row[1:].count("silent!") for row in rows if row[0].endswith("test_number_1")) == 1
    assert sum(row[1:].count("recovered") for row in rows if row[0].endswith("test_number_1")) == 7
    assert len(lines) < 20
    assert len(list(faults.matrix(many(), width, everything=True))) > 200
    assert list(faults.matrix(many(0), width)) == ["tests: 200 without a failure (-v shows all)"]
    assert (
        list(faults.matrix(many(100), width))[-1]
        == "tests: 75 more with failures, 100 more without a failure (-v shows all)"
    )
    assert list(faults.failing(many(100)))[-1] == "... and 80 more failing runs"


def test_it_is_the_same_in_any_order():
    assert list(faults.matrix(THREE[::-1], 80)) == list(faults.matrix(THREE, 80))
    assert faults.document(THREE[::-1], {}) == faults.document(THREE, {})


@pytest.mark.parametrize(
    ("specs", "shown"),
    [
        (["429"], "429"),
        (["cut:eof@3"], "cut:eof@3"),
        ([f"cut:eof@{n}" for n in (1, 2, 3, 7, 9, 10)], "cut:eof@1-3,7,9-10"),
        (["cut:eof@t0.1", "cut:eof@t0.2", "cut:eof@t1.0"], "cut:eof@t0.1-2 cut:eof@t1.0"),
        (["cut:eof@b10", "cut:eof@b11", "cut:eof@b9"], "cut:eof@b9-11"),
        (["cut:eof@1x2", "cut:eof@2x2"], "cut:eof@1x2 cut:eof@2x2"),
        (["429@t0", "429@t1"], "429@t0 429@t1"),
    ],
)
def test_positions_are_told_as_ranges(specs, shown):
    assert faults.ranges(specs) == shown


def test_warnings_are_told_a_few_of_each_rule():
    runs = [run(f"test_a.py::test_{n}", "429", place=n, findings=[finding("gave-up", "warn")]) for n in range(6)]
    runs.append(run("test_a.py::test_b", "429", "silent", place=9, findings=[finding("no-backoff", "warn")]))
    runs.append(run("test_a.py::test_c", "faults", "unrecorded", place=10))
    assert list(faults.notes(runs)) == [
        *(f"verdict warns: gave-up: test_a.py::test_{n}[429]: of gave-up" for n in range(3)),
        "verdict warns: gave-up: 3 more",
        "record first: test_a.py::test_c: a fault run breaks what is recorded, and records nothing itself",
    ]


def test_the_file_is_as_documented(tmp_path):
    text = DOCS.read_text(encoding="utf-8")
    schema = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    path = tmp_path / "report.json"
    faults.write(path, THREE, {"cut:eof@t9.1": ["test_a.py::test_a: there is no t9"]})
    written = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(written, schema)
    assert written["summary"] == {
        "tests": 4,
        "runs": 39,
        "good": 33,
        "results": {"failed": 6, "passed": 33, "skipped": 2},
        "outcomes": {"crashed": 1, "n/a": 1, "raised": 1, "recovered": 32, "silent": 5, "unrecorded": 1},
    }
    for name in (*written, *written["summary"], *written["runs"][0], *finding("x")):
        assert f"`{name}`" in text
