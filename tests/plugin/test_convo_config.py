"""The `convo_config` fixture: overridable at any scope, with a dict or a `Config`."""

from __future__ import annotations

pytest_plugins = ["pytester"]

TEST = """
def test_it(convo):
    assert convo.config.repeats is True
    assert convo.config.max_requests == 3
"""


def test_any_scope_a_dict_or_a_config(project):
    values = {"dict": "{'repeats': True, 'max_requests': 3}", "config": "Config(repeats=True, max_requests=3)"}
    for name, value in values.items():
        for scope in ("function", "class", "module", "package", "session"):
            project.write(
                f"{name}_{scope}/conftest.py",
                f"import pytest\nfrom convo_replay.config import Config\n"
                f"@pytest.fixture(scope='{scope}')\ndef convo_config(): return {value}\n",
            )
            project.write(f"{name}_{scope}/test_{name}_{scope}.py", TEST)
    project.run().assert_outcomes(passed=10)


WRONG = {
    "{'colour': 1}": "convo_config: there is no setting 'colour'; there are *record*",
    "{'cassette': 'x'}": "convo_config: there is no setting 'cassette'*",
    "{'timing': 'slow'}": "convo_config: timing: *",
    "None": "convo_config: expected a dict or a Config, got NoneType",
    "1 / 0": "ZeroDivisionError: division by zero",
}


def test_a_wrong_one_is_an_error_of_the_set_up(project):
    for number, value in enumerate(WRONG):
        fixture = f"import pytest\n@pytest.fixture\ndef convo_config(): return {value}\n"
        project.write(f"test_{number}.py", f"{fixture}def test_it(convo): pass\ndef test_other(): pass\n")
    result = project.run()
    result.assert_outcomes(passed=len(WRONG), errors=len(WRONG))
    for says in WRONG.values():
        result.stdout.fnmatch_lines([f"*{says}"])


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
