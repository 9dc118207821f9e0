"""`@pytest.mark.convo(…)`: where it may stand, what it may say, and what is said about a wrong one."""

from __future__ import annotations

import pytest

from broken_projects import record

pytest_plugins = ["pytester"]


def test_function_class_module_and_the_fixture_alone_mark_a_test(project):
    text = """
import pytest
from agent import ask

{module}

{cls}
class TestA:
    {function}
    def test_it(self{fixture}):
        assert ask("one") == "Answer to: one"
"""
    variants = {
        "module": "pytestmark = pytest.mark.convo",
        "cls": "@pytest.mark.convo",
        "function": "@pytest.mark.convo",
        "fixture": ", convo",
    }
    for name, line in variants.items():
        filled = dict.fromkeys(variants, "") | {name: line}
        project.write(f"test_{name}.py", text.format(**filled))
    project.run("--convo-record=once").assert_outcomes(passed=4)
    assert project.cassettes() == [f"cassettes/test_{name}/TestA.test_it.yaml" for name in sorted(variants)]
    project.sent()
    project.run().assert_outcomes(passed=4)
    assert project.sent() == []


def test_stacked_markers_merge_and_the_nearest_wins(project):
    project.write(
        "test_it.py",
        """
import pytest

pytestmark = pytest.mark.convo(record="once", repeats=True, unplayed="ignore")

@pytest.mark.convo(unplayed="error", timing=2)
class TestA:
    @pytest.mark.convo(record="all")
    @pytest.mark.convo(record="live", timing="recorded")
    def test_it(self, convo):
        config = convo.config
        assert (config.record, config.repeats, config.unplayed, config.timing) == ("live", True, "error", "recorded")

@pytest.mark.parametrize("mode", [pytest.param("none", marks=pytest.mark.convo(record="none")), "once"])
def test_params(convo, mode):
    assert convo.record == mode
""",
    )
    project.run().assert_outcomes(passed=3)


def test_a_named_cassette_lies_beside_the_test_file_and_may_be_shared(project):
    project.write(
        "sub/test_it.py",
        """
import pytest
from agent import ask

pytestmark = pytest.mark.convo(cassette="shared/talk.yaml")

@pytest.mark.parametrize("word", ["a", "b"])
def test_it(convo, word):
    assert ask(word) == f"Answer to: {word}"
    assert convo.cassette_path.name == "talk.yaml"
""",
    )
    project.run("--convo-record=once").assert_outcomes(passed=2)
    assert project.cassettes() == ["sub/shared/talk.yaml"]
    project.run("-k", "b]").assert_outcomes(passed=1)


WRONG = {
    "'weather.yaml'": "expected settings by name, got the positional argument 'weather.yaml'",
    "fault=['429']": "there is no setting 'fault'; there are *cassette*unplayed",
    "expect='silent'": "expect: expected one of recovered raised handled, got 'silent'",
    "faults='cut:oef@3'": "faults: *cut:oef*eof*",
    "faults=[429]": "faults: *429*",
    "faults='cut:eof@8'": "faults: *cut:eof@8*0 to 7",
    "faults='cut:eof@t4.1'": "faults: *cut:eof@t4.1*@t0",
    "faults='429 cut:eof'": "faults: *cut:eof*needs a position*",
    "faults='tool_arguments'": "faults: *tool_arguments*wants*tool call*",
    "max_requests=3": "there is no setting 'max_requests'",
    "record='sometimes'": "record: expected one of none once *, got 'sometimes'",
    "match_on=['colour']": "match_on: *'colour' is no matcher*",
    "cassette=7": "cassette: expected a path, got 7",
}


def test_a_wrong_marker_is_a_collection_error_that_names_the_test(project):
    for number, marker in enumerate(WRONG):
        project.write(f"test_{number}.py", f"import pytest\n@pytest.mark.convo({marker})\ndef test_one(): pass")
        record(project, f"test_{number}", "test_one")
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=len(WRONG))
    for number, says in enumerate(WRONG.values()):
        result.stdout.fnmatch_lines([f"*test_{number}.py::test_one: @pytest.mark.convo: {says}*"])


def test_a_secret_in_a_wrong_marker_is_not_shown(project):
    project.write("test_it.py", "import pytest\n@pytest.mark.convo(secrets=[12345678])\ndef test_one(): pass")
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert ", got" not in result.stdout.str()


def test_a_marker_that_comes_after_collection_counts(project):
    project.write(
        "conftest.py",
        """
import pytest
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.convo(record="all") if "good" in item.name else pytest.mark.convo("bad"))
""",
    )
    project.write("test_it.py", "from agent import ask\ndef test_good(): ask('one')\ndef test_bad(): pass")
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_it.py::test_bad: @pytest.mark.convo: expected settings by name*"])
    assert project.cassettes() == ["cassettes/test_it/test_good.yaml"]
