"""`redact`: marker, `convo_config` and ini say what becomes of a class."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

ORGANIZATION, PROJECT, USER = "org-" + "Ex4mpl" * 4, "proj_" + "Ex4mpl" * 4, "user-" + "Ex4mpl" * 4
TESTS = f"""
import pytest
from agent import ask

ALL = "{ORGANIZATION} {PROJECT} {USER}"

@pytest.fixture(scope="module")
def convo_config():
    return {{"redact": {{"openai-project": "keep"}}}}

def test_by_ini_and_convo_config(convo):
    ask(ALL)

@pytest.mark.convo(redact={{"openai-user": "keep"}})
class TestMarked:
    @pytest.mark.convo(redact={{"openai-project": "placeholder"}})
    def test_both(self):
        ask(ALL)
"""


def test_what_each_layer_says_of_a_class_holds(project):
    project.write("test_it.py", TESTS)
    project.ini("convo_redact = openai-organization=keep")
    project.run("--convo-record=once").assert_outcomes(passed=2)
    one, both = [(project.path / path).read_text() for path in sorted(project.cassettes(), reverse=True)]
    assert [value in one for value in (ORGANIZATION, PROJECT, USER)] == [True, True, False]
    assert [value in both for value in (ORGANIZATION, PROJECT, USER)] == [True, False, True]
    project.run().assert_outcomes(passed=2)


def test_a_wrong_line_of_the_ini_file_is_named(project):
    project.write("test_it.py", "def test_one(): pass")
    project.ini("convo_redact =", "    request-id=keep", "    jwt=keep")
    project.run().stderr.fnmatch_lines(["ERROR: *pytest.ini: convo_redact: jwt gives access and cannot be kept*"])


@pytest.mark.parametrize(("said", "told"), [("'jwt': 'keep'", "jwt gives access"), ("'jot': 'keep'", "near it: jwt")])
def test_a_wrong_marker_is_named(project, said, told):
    project.write("test_it.py", f"import pytest\n@pytest.mark.convo(redact={{{said}}})\ndef test_one(): pass")
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*test_it.py::test_one: @pytest.mark.convo: redact: *{told}*"])
