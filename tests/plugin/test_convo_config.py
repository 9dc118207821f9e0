"""The `convo_config` fixture: overridable at any scope, with a dict or a `Config`."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TEST = """
def test_it(convo):
    assert convo.config.repeats is True
    assert convo.config.max_requests == 3
"""


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
@pytest.mark.parametrize("value", ["{'repeats': True, 'max_requests': 3}", "Config(repeats=True, max_requests=3)"])
def test_any_scope_a_dict_or_a_config(project, scope, value):
    project.write(
        "conftest.py",
        f"import pytest\nfrom convo_replay.config import Config\n"
        f"@pytest.fixture(scope='{scope}')\ndef convo_config(): return {value}\n",
    )
    project.write("test_it.py", TEST)
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{'colour': 1}", "convo_config: there is no setting 'colour'; there are *record*"),
        ("{'cassette': 'x'}", "convo_config: there is no setting 'cassette'"),
        ("{'timing': 'slow'}", "convo_config: timing: *"),
        ("None", "convo_config: expected a dict or a Config, got NoneType"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_one_is_an_error_of_the_set_up(project, value, says):
    project.write("conftest.py", f"import pytest\n@pytest.fixture\ndef convo_config(): return {value}\n")
    project.write("test_it.py", "def test_it(convo): pass\ndef test_other(): pass")
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"E*{says}*"])


def test_it_may_build_on_other_fixtures_and_on_itself(project):
    project.write(
        "conftest.py",
        "import pytest\n@pytest.fixture(scope='session')\ndef convo_config(): return {'repeats': True}\n"
        "@pytest.fixture\ndef limit(): return 3\n",
    )
    project.write(
        "test_it.py",
        "import pytest\n@pytest.fixture\ndef convo_config(convo_config, limit):\n"
        "    return {**convo_config, 'max_requests': limit}\n" + TEST,
    )
    project.run().assert_outcomes(passed=1)
