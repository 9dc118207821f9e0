"""Fault runs as items: which there are, how they are selected, what the command line adds; test_marker has the rest."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from broken_projects import CLIENT, cassette, record
from convo_replay import pytest_options
from convo_replay.errors import CassetteError
from convo_replay.pytest_session import fault_runs

pytest_plugins = ["pytester"]

TESTS = """
import unittest
import pytest
from client import ask, ask_async

@pytest.mark.convo(faults=["429", "cut:eof@*"])
def test_many(): ask(tries=2)

@pytest.mark.convo(faults="cut:eof@t*.0 connect:refused+429")
def test_two_turns():
    ask("one", tries=2)
    ask("two", tries=2)

@pytest.mark.convo(faults="429")
@pytest.mark.xdist_group("group")
@pytest.mark.parametrize("text", ["hi", "429"])
def test_params(text): ask(text, tries=2)

@pytest.fixture
def said(request): return request.param

@pytest.mark.convo(faults="429")
class TestA:
    @pytest.mark.parametrize("said", ["hi"], indirect=True)
    def test_it(self, said): ask(said, tries=2)

@pytest.mark.convo(faults="429")
class TestU(unittest.TestCase):
    def test_it(self): ask(tries=2)

@pytest.mark.anyio
@pytest.mark.convo(faults="429", expect="raised")
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_async(anyio_backend): await ask_async()

@pytest.mark.convo(faults="429")
def test_missing(): pass

@pytest.mark.convo
def test_plain(): ask(tries=2)

def test_other(): pass
"""
IDS = [
    "test_many", "test_many[429]", *(f"test_many[cut:eof@{n}]" for n in range(8)),
    "test_two_turns", "test_two_turns[cut:eof@t0.0]", "test_two_turns[cut:eof@t1.0]",
    "test_two_turns[connect:refused+429]",
    "test_params[hi]", "test_params[hi-429]", "test_params[429]", "test_params[429-429]",
    "TestA::test_it[hi]", "TestA::test_it[hi-429]", "TestU::test_it", "TestU::test_it[429]",
    "test_async[asyncio]", "test_async[asyncio-429]", "test_async[trio]", "test_async[trio-429]",
    "test_missing", "test_missing[faults]", "test_plain", "test_other",
]  # fmt: skip


@pytest.fixture
def project(project):
    project.write("client.py", CLIENT)
    project.ini("convo_retry_modules = client")
    return project


@pytest.fixture
def filled(project):
    project.write("test_it.py", TESTS)
    names = ("test_many", "TestA.test_it[hi]", "TestU.test_it", "test_async[asyncio]", "test_async[trio]", "test_plain")
    record(project, "test_it", *names, "test_params[hi]")
    record(project, "test_it", "test_params[429]", **{"429": "a b"})
    record(project, "test_it", "test_two_turns", one="a b", two="c d")
    return project


def test_distributed_over_processes_there_are_the_same_runs(filled):
    result = filled.run("-n2", "--dist=loadgroup", plugins=("anyio",))
    result.assert_outcomes(passed=len(IDS) - 1, skipped=1)
    passed = re.findall(r"^PASSED test_it\.py::(\S+)", result.stdout.str(), re.MULTILINE)
    assert sorted(name.removesuffix("@group") for name in passed) == sorted(set(IDS) - {"test_missing[faults]"})
    result.stdout.fnmatch_lines(["*= convo faults =*", "test_it.py::test_many *8/8*", "* fault runs: *"])
    assert result.stdout.str().count("= convo faults =") == 1


def test_a_run_has_an_id_that_selects_it(filled):
    wanted = ["test_many[cut:eof@3]", "TestU::test_it[429]", "test_params[429-429]", "test_async[trio-429]"]
    filled.run(*(f"test_it.py::{name}" for name in wanted), plugins=("anyio",)).assert_outcomes(passed=len(wanted))


def test_what_failed_last_runs_again(filled):
    careless = TESTS.replace("def test_many(): ask(tries=2)", "def test_many(): ask()")
    filled.write("test_it.py", careless.replace("def test_other(): pass", "def test_other(): assert 0"))
    args = ("-p", "convo_replay.plugin", "-p", "anyio", "-v")
    failing = filled.pytester.runpytest_subprocess(*args)
    failing.assert_outcomes(passed=len(IDS) - 9, failed=8, skipped=1)
    shown = [re.match(r"test_it\.py::(.*) (?:PASSED|FAILED|SKIPPED)", line) for line in failing.outlines]
    assert [found[1] for found in shown if found] == IDS
    again = filled.pytester.runpytest_subprocess(*args, "--lf", "-k", "cut:eof and not 0")
    again.stdout.fnmatch_lines(["test_it.py::test_many[[]cut:eof@6[]] FAILED*"])
    counts = again.parseoutcomes()
    assert (counts["failed"], counts.get("passed", 0)) == (6, 0)


def test_specs_of_the_command_line(project):
    project.write(
        "test_it.py",
        """
import pytest
from client import ask
@pytest.mark.convo(faults=["429", "cut:eof@2"])
def test_two():
    ask("one", tries=2)
    ask("two", tries=2)
@pytest.mark.convo
def test_one(): ask(tries=2)
""",
    )
    record(project, "test_it", "test_one")
    record(project, "test_it", "test_two", one="a b", two="c d")
    options = ("--convo-faults=429 cut:eof@t1.0", "--convo-faults", "cut:reset@t7.0", "--convo-report=r.json")
    result = project.run("-n2", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=6, skipped=3)
    told = json.loads((project.path / "r.json").read_text())
    assert [(run["id"].partition("::")[2], run["by"], run["outcome"]) for run in told["runs"]] == [
        ("test_two[429]", "marker", "recovered"),
        ("test_two[cut:eof@2]", "marker", "recovered"),
        ("test_two[cut:eof@t1.0]", "command line", "recovered"),
        ("test_two[cut:reset@t7.0]", "command line", "n/a"),
        ("test_one[429]", "command line", "recovered"),
        ("test_one[cut:eof@t1.0]", "command line", "n/a"),
        ("test_one[cut:reset@t7.0]", "command line", "n/a"),
    ]
    again = told["runs"][2]["again"]
    assert again == "pytest 'test_it.py::test_two[cut:eof@t1.0]' --convo-faults=cut:eof@t1.0"
    assert [each["spec"] for each in told["unfit"]] == ["cut:reset@t7.0"]
    result.stdout.fnmatch_lines(["--convo-faults: cut:reset@t7.0 fits no test*", "  test_it.py::test_two: *"])


@pytest.mark.parametrize(
    ("faults", "report", "says"),
    [
        (["cut:oef@3"], None, "--convo-faults: .*cut:oef.*eof"),
        (["429", "cut:eof"], None, "--convo-faults: .*'cut:eof' needs a position"),
        ([" "], None, "--convo-faults: faults are a text such as .* an empty one"),
        (None, "nowhere/r.json", "--convo-report: there is no directory .*nowhere"),
        (None, "r.txt", r"--convo-report: expected a file named \*.json, got 'r.txt'"),
        (None, "folder.json", "--convo-report: folder.json is a directory"),
    ],
)
def test_the_command_line_is_checked(tmp_path, faults, report, says):
    (tmp_path / "folder.json").mkdir()
    config: Any = SimpleNamespace(
        option=SimpleNamespace(convo_faults=faults, convo_report=report),
        invocation_params=SimpleNamespace(dir=tmp_path),
    )
    with pytest.raises(pytest.UsageError, match=says):
        pytest_options.check_faults(config)


def test_it_is_checked_at_the_start(project):
    result = project.run("--convo-faults=cut:oef@3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --convo-faults: *cut:oef*"])


def test_tests_that_a_conftest_marks_late(project):
    text = "import pytest\ndef pytest_collection_modifyitems(items):\n    items[0].add_marker(pytest.mark.convo{})\n"
    project.write("conftest.py", text.format(""))
    project.write("test_it.py", "from client import ask\ndef test_one(): ask(tries=2)")
    record(project, "test_it", "test_one")
    result = project.run("--convo-faults=429 cut:eof@t9.1")
    result.assert_outcomes(passed=2, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # of the spec that fits no test
    result.stdout.fnmatch_lines(["--convo-faults: cut:eof@t9.1 fits no test*", "  test_it.py::test_one: *t9*"])
    project.write("conftest.py", text.format("(faults='429')"))
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it.py::test_one: faults='429' was marked in pytest_collection_modifyitems*"])


def test_a_cassette_is_read_once_until_it_changes(tmp_path, monkeypatch):
    cassettes, paths = fault_runs.Cassettes(), [tmp_path / f"{n}.yaml" for n in range(3)]
    for path in paths:
        path.write_text(cassette("test_it.py::test_one", {"hi": "a"}))
    first = cassettes.load(paths[0])
    assert cassettes.load(paths[0]) is first
    paths[0].write_text(cassette("test_it.py::test_one", {"ho": "a"}))
    second = cassettes.load(paths[0])
    assert [one.exchanges[0].request.json["messages"][0]["content"] for one in (first, second)] == ["hi", "ho"]
    monkeypatch.setattr(fault_runs, "_HELD_BYTES", 2 * paths[0].stat().st_size)
    held = [cassettes.load(path) for path in paths]
    assert cassettes.load(paths[2]) is held[2]
    assert cassettes.load(paths[0]) is not held[0]
    with pytest.raises(CassetteError, match="there is no such file"):
        cassettes.load(tmp_path / "none.yaml")
