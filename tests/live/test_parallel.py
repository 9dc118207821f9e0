"""Twelve tests in two processes record into one new file: none is lost, and each replays by itself."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml

from live.project import Project
from modes import RECORDING
from upstream import Upstream

N = 12
TESTS = """
import os
import pytest
import httpx

pytestmark = pytest.mark.convo(cassette="cassettes/shared.yaml")

def ask(text):
    return httpx.post(os.environ["UPSTREAM"] + "/v1/messages", json={
        "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}],
    }, timeout=20).json()["content"][0]["text"]

@pytest.mark.parametrize("n", range(12))
def test_number(n, convo):
    assert ask(f"Question {n}") == f"Answer to: Question {n}"
    assert ask("The same for all") == "Answer to: The same for all"
    assert ask(f"Question {n}, again") == f"Answer to: Question {n}, again"
"""


def owners(cassette: Path) -> list[str]:
    return [exchange["test"] for exchange in yaml.safe_load(cassette.read_text())["exchanges"]]


@pytest.mark.parametrize("record", RECORDING)
def test_twelve_tests_into_one_new_file(record, project: Project, upstream: Upstream):
    pytest.importorskip("xdist")
    project.write("test_shared.py", TESTS)
    environment = {"UPSTREAM": upstream.url("text,spread=0.05")}
    outcome = project.run("-n", "2", f"--convo-record={record}", plugins="xdist", **environment)
    assert len(outcome.passed) == N, outcome.output
    (cassette,) = project.directory.rglob("shared.yaml")
    found = owners(cassette)
    for n in range(N):
        assert found.count(f"test_shared.py::test_number[{n}]") == 3
    assert len(found) == 3 * N == len(upstream.log())
    upstream.stop()
    assert not list(project.directory.rglob("*.new.yaml"))
    order = [f"test_shared.py::test_number[{n}]" for n in range(N)]
    random.Random(record).shuffle(order)
    outcome = project.run(*order, **environment)
    assert len(outcome.passed) == N, outcome.output
    alone = project.run(order[0], **environment)
    assert len(alone.passed) == 1, alone.output
    assert owners(cassette) == found


@pytest.mark.parametrize("record", ["new_episodes", "all", "rewrite"])
def test_recording_one_again_keeps_the_others(record, project: Project, upstream: Upstream):
    project.write("test_shared.py", TESTS)
    environment = {"UPSTREAM": upstream.url()}
    project.run("--convo-record=once", **environment)
    (cassette,) = project.directory.rglob("shared.yaml")
    before = sorted(owners(cassette))
    upstream.clear()
    outcome = project.run(f"--convo-record={record}", "test_shared.py::test_number[3]", **environment)
    assert len(outcome.passed) == 1
    assert len(upstream.log()) == (0 if record == "new_episodes" else 3)
    assert sorted(owners(cassette)) == before


def test_once_records_only_what_is_new(project: Project, upstream: Upstream):
    project.write("test_shared.py", TESTS)
    environment = {"UPSTREAM": upstream.url()}
    project.run("--convo-record=once", "test_shared.py::test_number[3]", **environment)
    upstream.clear()
    outcome = project.run("--convo-record=once", "-k", "[3] or [4]", **environment)
    assert len(outcome.passed) == 2, outcome.output
    assert {re.findall(r"\d+", received.json["messages"][0]["content"])[0] for received in upstream.log()
            if "Question" in received.body.decode()} == {"4"}  # fmt: skip


def test_a_failing_run_leaves_the_cassette_and_keeps_the_new_one_beside_it(project: Project, upstream: Upstream):
    project.write("test_shared.py", TESTS)
    environment = {"UPSTREAM": upstream.url()}
    project.run("--convo-record=once", "test_shared.py::test_number[3]", **environment)
    (cassette,) = project.directory.rglob("shared.yaml")
    whole = cassette.read_bytes()
    project.write("test_shared.py", TESTS + "    assert False, 'fails at its end'\n")
    outcome = project.run("--convo-record=rewrite", "test_shared.py::test_number[3]", **environment)
    assert outcome.code == 1
    assert cassette.read_bytes() == whole
    assert cassette.with_name("shared.new.yaml").exists()
    assert "convo-replay accept" in outcome.output


def test_a_failing_first_run_is_saved_as_failed(project: Project, upstream: Upstream):
    project.write("test_shared.py", TESTS + "    assert False, 'fails at its end'\n")
    outcome = project.run("--convo-record=once", "test_shared.py::test_number[3]", UPSTREAM=upstream.url())
    assert outcome.code == 1
    (cassette,) = project.directory.rglob("shared.yaml")
    assert {each.get("outcome") for each in yaml.safe_load(cassette.read_text())["exchanges"]} == {"failed"}


def test_the_budget_stops_a_run(project: Project, upstream: Upstream):
    project.write("test_shared.py", TESTS)
    outcome = project.run("--convo-record=once", "--convo-max-requests=5", UPSTREAM=upstream.url())
    assert outcome.code == 1
    assert len(upstream.log()) == 5
    assert "max_requests" in outcome.output or "convo-max-requests" in outcome.output


def test_a_recording_run_says_what_it_calls_and_what_it_cost(project: Project, upstream: Upstream):
    project.write("test_shared.py", TESTS)
    outcome = project.run("--convo-record=once", UPSTREAM=upstream.url())
    assert outcome.code == 0
    assert "36" in outcome.output.rpartition("passed")[0]  # calls
    assert str(36 * 42) in outcome.output.replace(",", "")  # input tokens
