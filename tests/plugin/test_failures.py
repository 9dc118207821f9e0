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
    with open("finalized.txt", "a") as out:
        print(request.node.nodeid, file=out)

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


def sections(out: str) -> dict[str, list[str]]:
    """What pytest shows of each failing phase, by the title of its section."""
    shown = re.split(r"^_{3,} (.+) _{3,}$", out.partition("= short test summary")[0], flags=re.M)
    by_title: dict[str, list[str]] = {}
    for title, text in zip(shown[1::2], shown[2::2], strict=True):
        by_title.setdefault(title, []).append(text.partition("\n-----")[0].strip())
    return by_title


def test_it_fails_the_call_phase_once(project):
    for number, text in enumerate(TESTS.values()):
        project.write(f"test_{number}.py", HEAD + text.replace("test_it", f"test_no_{number}_"))
    result = project.run(plugins=("asyncio", "anyio", "hypothesispytest"))
    result.assert_outcomes(failed=len(TESTS))
    out = result.stdout.str()
    finalized = (project.path / "finalized.txt").read_text()
    for number, where in enumerate(TESTS):
        titles = [title for title in sections(out) if f"test_no_{number}_" in title]
        assert len(titles) == 1, where
        (text,) = sections(out)[titles[0]]
        assert text.startswith("E   CassetteMiss: turns[0] "), f"{where}: our text is on top"
        assert re.search(r"^(test_\d+|agent)\.py:\d+: in ", text, re.M), f"{where}: where the call was made"
        assert "site-packages" not in text, where
        assert re.search(rf"^FAILED .*test_no_{number}_.* - CassetteMiss: turns\[0\]", out, re.M), where
        assert f"test_no_{number}_" in finalized, where
    assert project.sent() == []


PHASES = {
    "asking_in_setup": "ERROR at setup of",
    "swallowing_in_setup": "ERROR at setup of",
    "asking_in_teardown": "ERROR at teardown of",
    "swallowing_in_teardown": "ERROR at teardown of",
    "asking_in_teardown, failing_in_teardown": "ERROR at teardown of",
}


def test_in_a_fixture_that_phase_fails_once(project):
    tests = [f"@pytest.mark.convo\ndef test_no_{n}_({fixtures}): pass\n" for n, fixtures in enumerate(PHASES)]
    project.write("test_it.py", HEAD + "".join(tests))
    result = project.run()
    result.assert_outcomes(passed=3, errors=5)
    shown = sections(result.stdout.str())
    finalized = (project.path / "finalized.txt").read_text()
    for number, (fixtures, phase) in enumerate(PHASES.items()):
        (text,) = shown[f"{phase} test_no_{number}_"]
        assert text.startswith("E   CassetteMiss: turns[0] "), fixtures
        assert ("the fixture's own" in text) == ("failing" in fixtures)
        assert f"test_no_{number}_" in finalized


def test_another_error_of_the_phase_is_shown_below(project):
    project.write("test_it.py", HEAD + TESTS["swallowed, then another error"])
    project.run().stdout.fnmatch_lines(["E   CassetteMiss: *", "E *raised, too:", ">*assert 1 == 2", "E*assert 1 == 2"])


def test_the_next_test_is_not_touched(project):
    project.write(
        "test_it.py", HEAD + TESTS["swallowed"] + "def test_after(): pass\n@pytest.mark.convo\ndef test_c(): pass"
    )
    project.run().assert_outcomes(failed=1, passed=2)


def test_of_several_failures_each_is_shown(project):
    """hypothesis raises a group of them: one that came out of the call, one that the end of the run told."""
    project.write(
        "test_it.py",
        HEAD
        + """
from hypothesis import given, settings, strategies

@pytest.mark.convo
def test_it(convo):
    ask("x")

    @settings(database=None, derandomize=True)
    @given(strategies.booleans())
    def runs(fails):
        with convo.replay(faults="529"):
            with contextlib.suppress(Exception):
                ask("x")
            if fails:
                ask("y")

    runs()
""",
    )
    result = project.run("--convo-record=once", plugins=("hypothesispytest",))
    result.assert_outcomes(failed=1)
    (text,) = sections(result.stdout.str())["test_it"]
    first, second = text.split("The same phase raised, too:")
    assert {told.partition(": ")[2].partition(":")[0] for told in (first, second)} == {"diverged", "silent"}
    assert "fails=True" in first + second
    assert "fails=False" in first + second


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


@pytest.mark.parametrize("style", ["line", "native"])
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


def test_finalizers_that_fail_together_stop_no_other_one(project):
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask

@pytest.fixture(scope="module")
def wide():
    yield
    open("finalized.txt", "a").write("wide ")

@pytest.fixture
def outer(wide):
    yield
    open("finalized.txt", "a").write("outer ")

@pytest.fixture
def several(request, outer):
    def own():
        raise ValueError("the fixture's own")
    request.addfinalizer(lambda: open("finalized.txt", "a").write("first "))
    request.addfinalizer(lambda: ask("a"))
    request.addfinalizer(own)
    request.addfinalizer(lambda: ask("b"))

@pytest.mark.convo
def test_one(several): pass

def test_two(): pass
""",
    )
    result = project.run()
    result.assert_outcomes(passed=2, errors=1)
    assert (project.path / "finalized.txt").read_text() == "first outer wide "
    (text,) = sections(result.stdout.str())["ERROR at teardown of test_one"]
    assert text.startswith("E   CassetteMiss: turns[0] ")
    assert "the fixture's own" in text
    assert text.count("CassetteMiss") == 1
