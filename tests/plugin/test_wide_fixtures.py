"""Class, module, package and session fixtures that talk to the API have conversations of their own."""

from __future__ import annotations

import pytest

from modes import RECORDING

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest
from agent import ask

@pytest.fixture(scope="session", params=["a", "b/c"])
def session_param(request):
    return ask(f"session {request.param}")

@pytest.fixture(scope="session")
def session_fixture():
    yield ask("session set-up")
    ask("session tear-down")

@pytest.fixture(scope="session")
def quiet():
    yield
"""
MODULE = """
import pytest
from agent import ask

@pytest.fixture(scope="module")
def module_fixture(session_fixture):
    return ask("module")

@pytest.fixture(scope="class")
def class_fixture(request):
    yield ask(request.cls.__name__)
    ask("class ends")

class TestA:
    @pytest.mark.convo
    def test_one(self, class_fixture, module_fixture, quiet):
        assert class_fixture == "Answer to: TestA"
        assert ask("one") == "Answer to: one"

    @pytest.mark.convo
    def test_two(self, class_fixture):
        assert ask("two") == "Answer to: two"

class TestB:
    @pytest.mark.convo
    def test_three(self, class_fixture, module_fixture):
        assert class_fixture == "Answer to: TestB"
        assert ask("three") == "Answer to: three"

def test_without_convo(session_fixture):
    assert session_fixture == "Answer to: session set-up"

@pytest.mark.convo
def test_params(session_param):
    assert ask("four").endswith("four")

@pytest.mark.convo
def test_dynamic(request):
    assert request.getfixturevalue("session_fixture") == "Answer to: session set-up"
    assert ask("five").endswith("five")
"""


@pytest.fixture
def recorded(project):
    project.write("tests/conftest.py", CONFTEST)
    project.write("tests/test_it.py", MODULE)
    project.run("--convo-record=once").assert_outcomes(passed=7)
    return project


def test_their_cassettes_lie_beside_what_defines_them(recorded):
    assert [name for name in recorded.cassettes() if "/test_it/Test" not in name and "/test_it/test_" not in name] == [
        "tests/cassettes/conftest/session_fixture.yaml",
        "tests/cassettes/conftest/session_param[a].yaml",
        "tests/cassettes/conftest/session_param[b%2Fc].yaml",
        "tests/cassettes/test_it/class_fixture.yaml",
        "tests/cassettes/test_it/module_fixture.yaml",
    ]
    text = (recorded.path / "tests/cassettes/conftest/session_fixture.yaml").read_text()
    assert text.count("test: fixture:tests/conftest.py::session_fixture") == 2
    assert "session tear-down" in text
    for test in (recorded.path / "tests/cassettes/test_it").glob("*test_*.yaml"):
        assert "session" not in test.read_text()


def test_they_replay_whichever_test_comes_first(recorded):
    recorded.sent()
    for args in (
        ["-k", "test_three"],
        ["-k", "test_dynamic"],
        ["-k", "test_params"],
        ["-n2"],
        ["-p", "randomly"],
        ["tests/test_it.py::test_dynamic", "tests/test_it.py::TestB", "tests/test_it.py::TestA::test_two"],
    ):
        result = recorded.run(*args)
        assert result.ret == 0, args
        assert recorded.sent() == [], args
        assert "not asked for" not in result.stdout.str(), args


@pytest.mark.parametrize("mode", RECORDING)
def test_workers_that_record_the_same_fixture_leave_one_recording(project, mode):
    project.write("tests/conftest.py", CONFTEST)
    project.write("tests/test_it.py", MODULE)
    project.run(f"--convo-record={mode}", "-n2").assert_outcomes(passed=7)
    project.sent()
    result = project.run()
    result.assert_outcomes(passed=7)
    assert project.sent() == []
    assert "not asked for" not in result.stdout.str()


FAILING = """
import contextlib, pytest
from agent import ask

@pytest.fixture(scope="module")
def other():
    yield
    open("finalized.txt", "a").write("other {name}\\n")

@pytest.fixture(scope="module")
def wide(other):
    {before}
    yield
    {after}

@pytest.mark.convo
def test_one_{name}(wide): pass

@pytest.mark.convo
def test_two_{name}(wide): pass
"""
SWALLOWED = "with contextlib.suppress(BaseException): ask('x')"


def test_a_miss_in_one_is_an_error_of_the_tests_that_need_it(project):
    cases = [("ask('x')", ""), (SWALLOWED, ""), ("", "ask('x')"), ("", SWALLOWED)]
    for name, (before, after) in enumerate(cases):
        project.write(f"test_{name}.py", FAILING.format(before=before, after=after, name=name))
    result = project.run()
    result.assert_outcomes(errors=2 + 2 + 1 + 1, passed=2 + 2)
    for phase in ("setup of test_one_0", "setup of test_two_0", "setup of test_one_1", "setup of test_two_1"):
        result.stdout.fnmatch_lines([f"*ERROR at {phase} *", "E   CassetteMiss: turns[[]0[]] *"])
    for phase in ("teardown of test_two_2", "teardown of test_two_3"):
        result.stdout.fnmatch_lines([f"*ERROR at {phase} *", "E   CassetteMiss: turns[[]0[]] *"])
    finalized = (project.path / "finalized.txt").read_text().split("\n")
    assert sorted(finalized) == ["", "other 0", "other 1", "other 2", "other 3"]
    assert project.sent() == []


def test_a_miss_in_an_xunit_set_up(project):
    project.write(
        "test_it.py",
        """
import unittest, pytest
from agent import ask

pytestmark = pytest.mark.convo

def setup_module():
    ask("module")

class TestA:
    @classmethod
    def setup_class(cls):
        cls.answer = ask("class")
    def test_it(self):
        assert self.answer == "Answer to: class"

class TestB(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.answer = ask("unittest class")
    def setUp(self):
        self.own = ask("set-up")
    def test_it(self):
        assert self.answer == "Answer to: unittest class"
        assert self.own == "Answer to: set-up"
""",
    )
    project.run("--convo-record=once").assert_outcomes(passed=2)
    assert project.cassettes() == [
        "cassettes/test_it/TestB.test_it.yaml",
        "cassettes/test_it/setUpClass.yaml",
        "cassettes/test_it/setup_class.yaml",
        "cassettes/test_it/setup_module.yaml",
    ]
    project.sent()
    project.run("-k", "TestB").assert_outcomes(passed=1)
    assert project.sent() == []


ASYNC = """
import pytest, pytest_asyncio
from agent import ask_async

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide():
    yield await ask_async("set-up")
    await ask_async("tear-down")

@pytest_asyncio.fixture
async def narrow():
    yield await ask_async("narrow set-up")
    await ask_async("narrow tear-down")

@pytest.mark.convo
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("word", ["a", "b"])
async def test_it(wide, narrow, word, convo):
    assert await ask_async(word) == f"Answer to: {word}"
    assert (wide, narrow) == ("Answer to: set-up", "Answer to: narrow set-up")
    assert len(convo.turns) == (1 if NARROW_OUTSIDE else 2)
"""
ANYIO = """
import pytest
from agent import ask_async

pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.fixture(scope="module")
async def wide(anyio_backend):
    yield await ask_async("set-up")
    await ask_async("tear-down")

@pytest.fixture
async def narrow(anyio_backend):
    yield await ask_async("narrow set-up")
    await ask_async("narrow tear-down")

@pytest.mark.convo
@pytest.mark.parametrize("word", ["a", "b"])
async def test_it(wide, narrow, word, convo):
    assert await ask_async(word) == f"Answer to: {word}"
    assert (wide, narrow) == ("Answer to: set-up", "Answer to: narrow set-up")
    assert len(convo.turns) == 2
"""


@pytest.mark.parametrize(
    ("plugin", "text", "count"), [("asyncio", ASYNC.replace("NARROW_OUTSIDE", "False"), 2), ("anyio", ANYIO, 4)]
)
def test_async_fixtures(project, plugin, text, count):
    project.write("test_it.py", text)
    project.run("--convo-record=once", plugins=(plugin,)).assert_outcomes(passed=count)
    # Under anyio the fixture stands on `anyio_backend`: one instance, and one cassette, for each.
    wide = [name for name in project.cassettes() if name.startswith("cassettes/test_it/wide")]
    assert len(wide) == (2 if plugin == "anyio" else 1)
    assert all("tear-down" in (project.path / name).read_text() for name in wide)
    narrow = [name for name in project.cassettes() if "test_it[" in name]
    assert len(narrow) == count
    assert all("narrow tear-down" in (project.path / name).read_text() for name in narrow)
    project.sent()
    project.run("-k", "b", plugins=(plugin,)).assert_outcomes(passed=count // 2, deselected=count // 2)
    assert project.sent() == []


def test_a_wide_fixture_in_an_event_loop_that_the_test_has_started(project):
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask_async

@pytest.fixture
async def narrow(anyio_backend):
    await ask_async("narrow")

@pytest.fixture(scope="module")
async def late(anyio_backend):
    return await ask_async("late")

@pytest.fixture
def asks_late(narrow, request):
    return request.getfixturevalue("late")

@pytest.mark.convo
@pytest.mark.anyio
async def test_it(narrow, asks_late, convo):
    assert [turn.response.text for turn in convo.turns] == ["Answer to: narrow"]
""",
    )
    project.run("--convo-record=once", plugins=("anyio",)).assert_outcomes(passed=2)
    assert "cassettes/test_it/late[trio].yaml" in project.cassettes()


def test_settings_come_from_a_convo_config_that_is_as_wide(project):
    project.write(
        "tests/conftest.py",
        """
import pytest
from agent import ask

@pytest.fixture(scope="session")
def convo_config():
    return {"record": "once"}

@pytest.fixture(scope="session")
def wide():
    return ask("wide")
""",
    )
    project.write(
        "tests/test_it.py",
        """
import pytest
from agent import ask

@pytest.fixture
def convo_config():
    return {}

@pytest.mark.convo
def test_it(wide, convo):
    assert convo.record == "none"
""",
    )
    project.run().assert_outcomes(passed=1)
    assert project.sent() == ["wide"]
    assert project.cassettes() == ["tests/cassettes/conftest/wide.yaml"]


def test_fixtures_that_convo_config_is_made_of(project):
    project.write(
        "conftest.py",
        """
import pytest
from agent import ask

@pytest.fixture(scope="session")
def base():
    return ask("base")

@pytest.fixture(scope="session")
def settings(base):
    return {"repeats": True}

@pytest.fixture(scope="session")
def convo_config(settings):
    return settings

@pytest.fixture(scope="session")
def wide():
    return [ask("wide"), ask("wide")]
""",
    )
    project.write("test_a.py", "def test_a(settings, convo): pass")
    project.write("test_b.py", "def test_b(convo, wide): assert convo.config.repeats")
    project.run("--convo-record=once").assert_outcomes(passed=2)
    project.sent()
    for name in ("test_a.py", "test_b.py"):
        project.run(name).assert_outcomes(passed=1)
    assert project.sent() == []


STANDING_ON = """
import pytest
from agent import ask

@pytest.fixture(scope="module", params=["x", "y"])
def base(request):
    return request.param

@pytest.fixture(scope="module")
def derived(base):
    yield ask(f"derived of {base}")
    ask("derived ends")

@pytest.mark.convo
def test_a(derived, base):
    assert derived == f"Answer to: derived of {base}"
"""


@pytest.mark.parametrize("mode", RECORDING)
def test_an_instance_for_each_parameter_of_what_a_fixture_stands_on(project, mode):
    project.write("test_it.py", STANDING_ON)
    project.run(f"--convo-record={mode}").assert_outcomes(passed=2)
    assert len(project.sent()) == 4
    assert project.cassettes() == [f"cassettes/test_it/derived[{param}].yaml" for param in "xy"]
    project.run("test_it.py::test_a[y]").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=2)
    assert project.sent() == []
