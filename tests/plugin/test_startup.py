"""What the plugin costs and shows where nobody uses it."""

from __future__ import annotations

import pytest

from convo_replay import pytest_hooks, pytest_options
from convo_replay.config import RECORD_MODES, Config

pytest_plugins = ["pytester"]

PLAIN = "def test_one(): pass"


@pytest.fixture
def from_scratch():
    return True


def test_start_up_imports_pytest_and_the_standard_library_alone(project):
    project.write("test_it.py", PLAIN)
    project.write(
        "conftest.py",
        """
import sys
def pytest_unconfigure():
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "convo_replay")
    third = sorted({"pydantic", "yaml", "httpx", "httpx2", "orjson", "vcr", "filelock", "rich"} & set(sys.modules))
    print("loaded:", ours, third)
""",
    )
    result = project.run("-s")
    result.assert_outcomes(passed=1)
    ours = ["convo_replay", "convo_replay.plugin", "convo_replay.pytest_hooks", "convo_replay.standins"]
    assert f"loaded: {ours} []" in result.stdout.str()


def test_strict_run_without_warnings(project):
    project.write("test_it.py", PLAIN + "\nimport pytest\n@pytest.mark.convo\ndef test_two(): pass")
    result = project.run("--strict-markers", "--strict-config", "-W", "error")
    result.assert_outcomes(passed=2)


def test_help_and_markers(project):
    project.run("--markers").stdout.fnmatch_lines(["@pytest.mark.convo(cassette=, record=, *"])
    shown = project.run("--help").stdout
    shown.fnmatch_lines(["convo_replay: *", "*--convo-record=MODE*", "*--convo-max-requests=N*"])
    for name in pytest_hooks.INI:
        shown.fnmatch_lines([f"*{name} (*"])
    shown = project.run("--fixtures").stdout
    shown.fnmatch_lines(["convo_config*", "*override*", "convo *", "*running conversation*"])


def test_switched_off_it_is_inert(project):
    project.write("test_it.py", "import pytest\n@pytest.mark.convo\ndef test_one(): pass")
    result = project.run("-p", "no:convo_replay.plugin")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*Unknown pytest.mark.convo*"])
    assert "convo:" not in result.stdout.str()


@pytest.mark.parametrize("args", [["-x"], ["-n2"], ["--setup-show"]], ids=" ".join)
def test_a_session_without_convo_tests(project, args):
    project.write("test_it.py", PLAIN)
    project.run(*args).assert_outcomes(passed=1)


def test_what_the_thin_plugin_repeats_agrees_with_the_core():
    assert pytest_hooks.RECORD_MODES == RECORD_MODES
    assert Config().max_requests == pytest_hooks.DEFAULT_MAX_REQUESTS
    assert Config.model_fields["unplayed"].annotation.__args__ == pytest_options.CHOICES["convo_unplayed"]
