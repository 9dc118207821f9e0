"""A miss fails one test, once, with our text on top, wherever it happens and whoever swallows it."""

from __future__ import annotations

import re

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import asyncio, contextlib, threading, unittest
import pytest
from agent import ask, ask_async

finalized = []

@pytest.fixture(autouse=True)
def witness(request):
    yield
    print("finalized", request.node.name)

@pytest.fixture
def asking_in_setup():
    ask("in set-up")

@pytest.fixture
def swallowing_in_setup():
    with contextlib.suppress(BaseException):
        ask("in set-up")

@pytest.fixture
def asking_in_teardown():
    yield
    ask("in teardown")

@pytest.fixture
def swallowing_in_teardown():
    yield
    with contextlib.suppress(BaseException):
        ask("in teardown")

@pytest.fixture
def failing_in_teardown():
    yield
    assert 0, "the fixture's own"
"""

TESTS = {
    "plain": """
@pytest.mark.convo
def test_it():
    ask("x")
""",
    "suppressed": """
@pytest.mark.convo
def test_it():
    with contextlib.suppress(Exception):
        ask("x")
""",
    "swallowed": """
@pytest.mark.convo
def test_it():
    with contextlib.suppress(BaseException):
        ask("x")
""",
    "swallowed, then another error": """
@pytest.mark.convo
def test_it():
    with contextlib.suppress(BaseException):
        ask("x")
    assert 1 == 2
""",
    "swallowed, then skipped": """
@pytest.mark.convo
def test_it():
    with contextlib.suppress(BaseException):
        ask("x")
    pytest.skip("no answer")
""",
    "again in a teardown": """
@pytest.mark.convo
def test_it(asking_in_teardown):
    ask("x")
""",
    "thread": """
@pytest.mark.convo
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it():
    thread = threading.Thread(target=ask, args=("x",))
    thread.start()
    thread.join()
""",
    "gather": """
@pytest.mark.convo
@pytest.mark.asyncio
async def test_it():
    await asyncio.gather(ask_async("x"), ask_async("y"), return_exceptions=True)
""",
    "task group": """
@pytest.mark.convo
@pytest.mark.asyncio
async def test_it():
    async with asyncio.TaskGroup() as group:
        group.create_task(ask_async("x"))
        group.create_task(asyncio.sleep(0))
""",
    "a task that nobody awaits": """
@pytest.mark.convo
@pytest.mark.asyncio
async def test_it():
    task = asyncio.create_task(ask_async("x"))
    await asyncio.wait([task])
""",
    "anyio": """
@pytest.mark.convo
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_it(anyio_backend):
    import anyio
    async with anyio.create_task_group() as group:
        group.start_soon(ask_async, "x")
""",
    "given": """
from hypothesis import given, settings, strategies
@pytest.mark.convo
@given(strategies.integers())
@settings(database=None)
def test_it(number):
    ask(str(number))
""",
    "class": """
@pytest.mark.convo
class TestA:
    def test_it(self):
        ask("x")
""",
    "unittest": """
@pytest.mark.convo
class TestA(unittest.TestCase):
    def test_it(self):
        ask("x")
""",
    "unittest, swallowed": """
@pytest.mark.convo
class TestA(unittest.TestCase):
    def test_it(self):
        with contextlib.suppress(BaseException):
            ask("x")
        self.assertEqual(1, 2)
""",
    "parametrized": """
@pytest.mark.convo
@pytest.mark.parametrize("word", ["x"])
def test_it(word):
    ask(word)
""",
}


@pytest.mark.parametrize("where", TESTS)
def test_it_fails_the_call_phase_once(project, where):
    project.write("test_it.py", HEAD + TESTS[where])
    result = project.run(plugins=("asyncio", "anyio", "hypothesispytest"))
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    assert re.search(r"^_+ .*test_it.* _+\nE   CassetteMiss: turns\[0\] ", out, re.M), "our text is on top"
    assert re.search(r"^(test_it|agent)\.py:\d+: in ", out, re.M), "and says where the call was made"
    assert re.search(r"^FAILED .*test_it.* - CassetteMiss: turns\[0\]", out, re.M)
    assert "site-packages" not in out.partition("= short test summary")[0].partition("= FAILURES =")[2]
    assert "finalized test_it" in out
    assert project.sent() == []


@pytest.mark.parametrize(
    ("fixture", "phase", "also"),
    [
        ("asking_in_setup", "setup", {}),
        ("swallowing_in_setup", "setup", {}),
        ("asking_in_teardown", "teardown", {"passed": 1}),
        ("swallowing_in_teardown", "teardown", {"passed": 1}),
        ("asking_in_teardown, failing_in_teardown", "teardown", {"passed": 1}),
    ],
)
def test_in_a_fixture_that_phase_fails_once(project, fixture, phase, also):
    project.write("test_it.py", HEAD + f"@pytest.mark.convo\ndef test_it({fixture}): pass\n")
    result = project.run()
    result.assert_outcomes(errors=1, **also)
    out = result.stdout.str()
    assert re.search(rf"^_+ ERROR at {phase} of test_it _+\nE   CassetteMiss: turns\[0\] ", out, re.M)
    assert "finalized test_it" in out
    assert ("the fixture's own" in out) == ("failing" in fixture)


def test_another_error_of_the_phase_is_shown_below(project):
    project.write("test_it.py", HEAD + TESTS["swallowed, then another error"])
    project.run().stdout.fnmatch_lines(["E   CassetteMiss: *", "E *raised, too:", ">*assert 1 == 2", "E*assert 1 == 2"])


def test_the_next_test_is_not_touched(project):
    project.write(
        "test_it.py", HEAD + TESTS["swallowed"] + "def test_after(): pass\n@pytest.mark.convo\ndef test_c(): pass"
    )
    project.run().assert_outcomes(failed=1, passed=2)


def test_xfail_stands(project):
    project.write("test_it.py", HEAD + "@pytest.mark.xfail(strict=True)" + TESTS["swallowed"])
    project.run().assert_outcomes(xfailed=1)


def test_it_is_raised_as_what_it_is(project):
    project.write(
        "test_it.py",
        HEAD
        + """
import convo_replay.errors as errors

@pytest.mark.convo
def test_it():
    with pytest.raises(errors.CassetteMiss) as caught:
        ask("x")
    assert isinstance(caught.value, pytest.fail.Exception)
    assert not isinstance(caught.value, Exception)
    print("so far")
""",
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["so far"])


@pytest.mark.parametrize("style", ["long", "short", "line", "native", "no"])
def test_traceback_styles(project, style):
    project.write("test_it.py", HEAD + TESTS["plain"])
    result = project.run(f"--tb={style}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*CassetteMiss: turns[[]0[]]*"])


def test_a_bad_cassette_is_an_error_by_its_text(project):
    project.write("test_it.py", HEAD + TESTS["plain"])
    project.write("cassettes/test_it/test_it.yaml", "convo_replay: 1\nexchanges: [\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["CassetteError: *test_it.yaml*"])
    assert "conversation.py" not in result.stdout.str()


def test_a_leak_is_an_error_of_the_teardown(project):
    project.write(
        "test_it.py",
        HEAD
        + """
import dataclasses
from convo_replay.exchange import Json
KEY = "sk-ant-api03-" + "Ab3dEf9hIj" * 8

def put_a_key_in(exchange):
    body = Json({**exchange.request.json, "system": KEY})
    return dataclasses.replace(exchange, request=dataclasses.replace(exchange.request, body=body))

@pytest.mark.convo(record="once", before_record=[put_a_key_in])
def test_it():
    ask("x")
""",
    )
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "LeakFound: *"])
    assert "Ab3dEf9hIj" not in result.stdout.str()
    assert project.cassettes() == []


def test_unplayed_error_fails_the_teardown(project):
    project.write("test_it.py", HEAD + "@pytest.mark.convo\ndef test_it():\n    ask('x')\n    ask('y')")
    project.run("--convo-record=once").assert_outcomes(passed=1)
    project.write("test_it.py", HEAD + "@pytest.mark.convo\ndef test_it():\n    ask('x')")
    result = project.run()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*= convo =*", "*1 recorded exchange* not asked for*"])
    project.ini("convo_unplayed = ignore")
    assert "not asked for" not in project.run().stdout.str()
    project.ini("convo_unplayed = error")
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "E   ConvoFailure: *not asked for*"])
