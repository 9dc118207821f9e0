"""A run per fault: what becomes of a test whose answers are broken, by what its client does."""

from __future__ import annotations

import json

import pytest

from broken_projects import CLIENT, record

pytest_plugins = ["pytester"]

TESTS = """
import unittest
import httpx, pytest
from client import ask, ask_async

convo = pytest.mark.convo

@convo(faults=["429", "connect:refused", "cut:reset@3", "cut:eof@*"])
def test_recovers(): assert ask(tries=2) == "a b c"

@convo(faults="429 connect:refused cut:reset@3")
def test_raises():
    ask("one")
    ask("two")

@convo(faults="cut:eof@3")
def test_accepts(): ask()

@convo(faults="cut:eof@3", expect="handled")
def test_declares(): ask()

@convo(faults="429", expect="recovered")
def test_gives_up(): ask()

@convo(faults="cut:eof@3")
def test_asserts(): assert ask() == "a b c"

@convo(faults="429")
def test_asks_nothing(): pass

@convo(faults="cut:eof@3")
@pytest.mark.xfail(strict=True)
def test_known():
    if ask() == "a b c":
        raise ValueError("the plain run fails, too")

@convo(faults="429")
def test_skips():
    try:
        ask()
    except httpx.HTTPStatusError:
        pytest.skip("no answer today")

@pytest.fixture
def answer(): return ask()

@convo(faults="429")
def test_in_set_up(answer): assert answer == "a b c"

@convo(faults="429")
def test_fails_anyway():
    ask()
    raise ValueError("without a fault")

@convo(faults="429")
class TestA:
    count = 0
    def test_it(self):
        self.count += 1
        assert self.count == 1
        ask()

@convo(faults="429 cut:eof@3")
class TestU(unittest.TestCase):
    def setUp(self): self.said = "a b c"
    def test_it(self): self.assertEqual(ask(), self.said)

@convo(faults="429")
@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["hi"])
async def test_async(text): await ask_async(text)

@pytest.mark.convo
def test_injected(convo):
    convo.inject("500")
    with pytest.raises(httpx.HTTPStatusError):
        ask()
    convo.expect("handled")

@pytest.mark.convo
def test_injected_and_expected(convo):
    convo.inject("500")
    with pytest.raises(httpx.HTTPStatusError):
        ask()

@pytest.mark.convo
def test_injected_and_wrapped(convo):
    convo.inject("cut:eof@3")
    with pytest.raises(RuntimeError):
        if ask() != "a b c":
            raise RuntimeError("half an answer")

@pytest.mark.convo
def test_injected_and_swallowed(convo):
    convo.inject("500")
    try:
        ask()
    except httpx.HTTPStatusError:
        pass
    with pytest.raises(ZeroDivisionError):
        1 / 0
"""
NOTHING_TO_BREAK = """
import pytest

@pytest.fixture(scope="module")
def convo_config(): return {"record": "rewrite"}

@pytest.mark.convo(faults="429")
def test_none(): pass

@pytest.mark.convo(faults="429", record="all")
def test_all(): pass

@pytest.mark.convo(faults="429")
def test_by_config(): pass
"""
RECORDED = (
    "test_recovers", "test_accepts", "test_declares", "test_gives_up", "test_asserts",
    "test_asks_nothing", "test_known", "test_skips", "test_in_set_up", "test_fails_anyway", "TestA.test_it",
    "TestU.test_it", "test_async[hi]", "test_injected", "test_injected_and_expected", "test_injected_and_wrapped",
    "test_injected_and_swallowed",
)  # fmt: skip
BECAME = {
    "test_recovers[429]": "passed recovered",
    "test_recovers[connect:refused]": "passed recovered",
    "test_recovers[cut:reset@3]": "passed recovered",
    **{f"test_recovers[cut:eof@{n}]": "passed recovered" for n in range(8)},
    "test_raises[429]": "passed raised",
    "test_raises[connect:refused]": "passed raised",
    "test_raises[cut:reset@3]": "passed raised",
    "test_accepts[cut:eof@3]": "failed silent truncated-stream-accepted",
    "test_declares[cut:eof@3]": "passed handled",
    "test_gives_up[429]": "failed raised",
    "test_asserts[cut:eof@3]": "failed crashed",
    "test_asks_nothing[429]": "failed not-fired",
    "test_known[cut:eof@3]": "xfailed silent truncated-stream-accepted",
    "test_skips[429]": "skipped skipped",
    "test_in_set_up[429]": "skipped raised",
    "test_fails_anyway[429]": "skipped skipped",
    "TestA::test_it[429]": "passed raised",
    "TestU::test_it[429]": "passed raised",
    "TestU::test_it[cut:eof@3]": "failed crashed",
    "test_async[hi-429]": "passed raised",
    "test_none[faults]": "skipped unrecorded",
    "test_all[faults]": "skipped unrecorded",
    "test_by_config[429]": "skipped unrecorded",
    "test_injected": "passed handled",
    "test_injected_and_expected": "passed raised",
    "test_injected_and_wrapped": "passed raised",
    "test_injected_and_swallowed": "failed silent error-swallowed",
}


def became(report: dict) -> dict[str, str]:
    told = {}
    for run in report["runs"]:
        rules = [each["rule"] for each in run["findings"] if each["level"] == "error"]
        told[run["id"].partition("::")[2]] = " ".join([run["result"], run["outcome"], *rules])
    return told


@pytest.fixture
def project(project):
    project.write("client.py", CLIENT)
    project.ini("convo_retry_modules = client", "asyncio_default_fixture_loop_scope = function")
    return project


def test_what_becomes_of_a_run_is_what_the_client_did(project):
    project.write("test_it.py", TESTS)
    project.write("test_new.py", NOTHING_TO_BREAK)
    record(project, "test_it", *RECORDED)
    record(project, "test_it", "test_raises", one="a b c", two="d")
    record(project, "test_new", "test_all", "test_by_config")
    before = {path: path.read_bytes() for path in project.path.glob("cassettes/test_it/*")}
    result = project.run("--convo-report=report.json", plugins=("asyncio",))
    out = result.stdout.str()
    assert became(json.loads((project.path / "report.json").read_text())) == BECAME
    counts = result.parseoutcomes()
    failed = sum(text.startswith("failed") for text in BECAME.values())
    assert counts["failed"] == failed + 1  # test_fails_anyway without a fault
    assert counts["skipped"] == sum(text.startswith("skipped") for text in BECAME.values())
    assert counts["xfailed"] == 2
    assert {path: path.read_bytes() for path in project.path.glob("cassettes/test_it/*")} == before
    for lines in (
        ["*_ test_accepts[[]cut:eof@3[]] _*", "E   ConvoFailure: silent*", "E *truncated-stream-accepted*",
         "E   this run again: pytest 'test_it.py::test_accepts[[]cut:eof@3[]]'"],
        ["*_ test_gives_up[[]429[]] _*", "E   ConvoFailure: raised*", "E *raised, too:", "E  *httpx.*Error: *"],
        ["*_ test_asserts[[]cut:eof@3[]] _*", "E   ConvoFailure: crashed*", "E *raised, too:", "E   Assert*a b c*"],
        ["*_ test_injected_and_swallowed _*", "E   ConvoFailure: silent*", "E   this run again: pytest *swallowed*"],
        ["SKIPPED * test_it.py:*: raised in a fixture's set-up: HTTPStatusError*"],
        ["SKIPPED * the test fails without a fault*"],
        ["SKIPPED *record first: there is none of this test in *pytest test_new.py::test_none --convo-record=once"],
        ["SKIPPED *record first: mode 'all' plays no recording*"],
        ["SKIPPED *record first: mode 'rewrite' plays no recording*"],
        ["*= convo faults =*", "*429  connect:refused*", "test_it.py::test_recovers *recovered*"],
        ["test_it.py::test_recovers *8/8", "test_it.py::test_accepts *silent!"],
        ["*test_it.py::test_gives_up", "  429  raised; expected recovered"],
        ["FAILED test_it.py::test_accepts[[]cut:eof@3[]] - ConvoFailure: silent*"],
    ):  # fmt: skip
        result.stdout.fnmatch_lines(lines)
    assert out.count("were not asked for") == 1  # by test_asks_nothing
    assert "convo_replay/" not in out.replace("convo_replay/plugin", "")
