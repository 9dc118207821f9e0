"""Beside other plugins: xdist, asyncio, anyio, pytest-recording, randomly, reruns."""

from __future__ import annotations

import pytest

from modes import RECORDING

pytest_plugins = ["pytester"]

MANY = """
import asyncio, pytest
from agent import ask, ask_async

pytestmark = pytest.mark.convo(cassette="cassettes/all.yaml")

@pytest.mark.parametrize("n", range(4))
def test_sync(n):
    assert ask(f"sync {n}") == f"Answer to: sync {n}"

class TestA:
    @pytest.mark.parametrize("n", range(4))
    def test_method(self, n):
        assert ask(f"method {n}") == f"Answer to: method {n}"

@pytest.mark.asyncio
async def test_strict():
    answers = await asyncio.gather(*[ask_async(f"strict {n}") for n in range(5)])
    assert answers == [f"Answer to: strict {n}" for n in range(5)]

@pytest.mark.anyio
async def test_anyio(anyio_backend):
    assert await ask_async("anyio") == "Answer to: anyio"
"""


@pytest.mark.parametrize("mode", RECORDING)
def test_workers_write_one_file_and_none_is_lost(project, mode):
    project.write("test_it.py", MANY)
    result = project.run(f"--convo-record={mode}", "-n2", plugins=("asyncio", "anyio"))
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(["*= convo =*", "15 live requests in 15 turns*"])
    project.sent()
    project.run(plugins=("asyncio", "anyio", "randomly")).assert_outcomes(passed=11)
    assert project.sent() == []


def test_each_test_alone_replays_from_a_shared_file(project):
    project.write("test_it.py", MANY)
    project.run("--convo-record=once", plugins=("asyncio", "anyio")).assert_outcomes(passed=11)
    project.sent()
    for name, count in {"test_anyio": 2, "test_sync and 3": 1, "test_strict": 1}.items():
        result = project.run("-k", name, plugins=("asyncio", "anyio"))
        result.assert_outcomes(passed=count, deselected=11 - count)
    assert project.sent() == []


def test_xdist_groups_do_not_change_the_owner(project):
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask

@pytest.mark.convo
@pytest.mark.xdist_group("g")
@pytest.mark.parametrize("mail", ["a@b.c"])
def test_it(mail): ask(mail)
""",
    )
    project.run("--convo-record=once", "-n2", "--dist=loadgroup").assert_outcomes(passed=1)
    text = (project.path / project.cassettes()[0]).read_text()
    assert "test: test_it.py::test_it[a@b.c]\n" in text.replace('"', "")
    project.run("-n2").assert_outcomes(passed=1)


def test_asyncio_auto_mode_and_function_fixtures_belong_to_the_test(project):
    project.ini("asyncio_mode = auto")
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask_async

@pytest.fixture
async def early(request):
    yield await ask_async("set-up")
    await ask_async("tear-down")

@pytest.mark.convo
async def test_it(early):
    assert await ask_async("call") == "Answer to: call"
""",
    )
    project.run("--convo-record=once", plugins=("asyncio",)).assert_outcomes(passed=1)
    assert project.cassettes() == ["cassettes/test_it/test_it.yaml"]
    assert project.sent() == ["set-up", "call", "tear-down"]
    project.run(plugins=("asyncio",)).assert_outcomes(passed=1)
    assert project.sent() == []


def test_beside_pytest_recording(project):
    pytest.importorskip("pytest_recording")
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask

@pytest.mark.convo
def test_ours():
    assert ask("ours") == "Answer to: ours"

@pytest.mark.vcr
@pytest.mark.default_cassette("theirs.yaml")
def test_theirs():
    assert ask("theirs") == "Answer to: theirs"
""",
    )
    recorded = project.run("--convo-record=once", "--record-mode=once", plugins=("recording",))
    recorded.assert_outcomes(passed=2)
    assert project.cassettes() == ["cassettes/test_it/test_ours.yaml", "cassettes/test_it/theirs.yaml"]
    project.sent()
    replayed = project.run("--block-network", plugins=("recording",))
    replayed.assert_outcomes(passed=2)
    assert project.sent() == []


def test_a_test_that_runs_again_rewinds(project):
    project.write(
        "conftest.py",
        """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(3):
        if hasattr(item, "_initrequest"):
            item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""",
    )
    project.write("test_it.py", "from agent import ask\ndef test_one(convo): assert ask('x') == 'Answer to: x'")
    project.run("--convo-record=once").assert_outcomes(passed=1)
    project.sent()
    project.run().assert_outcomes(passed=1)
    assert project.sent() == []


def test_fixtures_of_a_test_are_inside_and_its_xunit_set_up_too(project):
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask

@pytest.fixture(autouse=True)
def around(request):
    ask("set-up")
    request.addfinalizer(lambda: ask("finalizer"))
    yield
    ask("tear-down")

@pytest.mark.convo
class TestA:
    def setup_method(self):
        ask("setup_method")
    def teardown_method(self):
        ask("teardown_method")
    def test_it(self):
        ask("call")
""",
    )
    project.run("--convo-record=once").assert_outcomes(passed=1)
    assert sorted(project.sent()) == ["call", "finalizer", "set-up", "setup_method", "tear-down", "teardown_method"]
    assert project.cassettes() == ["cassettes/test_it/TestA.test_it.yaml"]
    project.run().assert_outcomes(passed=1)
    assert project.sent() == []


def test_convo_taken_by_name_at_run_time(project):
    project.write(
        "test_it.py",
        """
from agent import ask
def test_it(request):
    convo = request.getfixturevalue("convo")
    assert ask("x") == "Answer to: x"
    assert len(convo.turns) == 1
""",
    )
    project.run("--convo-record=once").assert_outcomes(passed=1)
    project.sent()
    project.run().assert_outcomes(passed=1)
    assert project.sent() == []
