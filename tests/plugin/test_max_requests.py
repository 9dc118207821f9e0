"""`--convo-max-requests`, `convo_max_requests`: how many live requests a session may make, over all its workers."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest
from agent import ask

@pytest.mark.convo
@pytest.mark.parametrize("n", range(6))
def test_it(n):
    ask(str(n))
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_the_limit_holds_for_the_session(project, workers):
    project.write("test_it.py", TESTS)
    result = project.run("--convo-record=once", "--convo-max-requests=4", *workers)
    result.assert_outcomes(passed=4, failed=2)
    assert len(project.sent()) == 4
    result.stdout.fnmatch_lines(["*max_requests is 4*", "4 live requests in 4 turns*"])


def test_ini_and_the_command_line_before_it(project):
    project.write("test_it.py", TESTS)
    project.ini("convo_max_requests = 2")
    project.run("--convo-record=all").assert_outcomes(passed=2, failed=4)
    project.run("--convo-record=all", "--convo-max-requests=5").assert_outcomes(passed=5, failed=1)


def test_convo_config_limits_its_tests_on_the_common_count(project):
    project.write("test_a.py", TESTS)
    limit = "\n@pytest.fixture\ndef convo_config(): return {'max_requests': 8}\n"
    project.write("test_b.py", TESTS + limit)
    project.run("--convo-record=once").assert_outcomes(passed=8, failed=4)
