"""`--convo-record`, `convo_record`, marker and `convo_config`: which of them is heard, and what each mode does."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TEST = """
import pytest
from agent import ask

@pytest.mark.convo
def test_one():
    assert ask("one") == "Answer to: one"
"""


def test_a_recording_replays_without_the_network(project):
    project.write("test_it.py", TEST)
    recording = project.run("--convo-record=once")
    recording.assert_outcomes(passed=1)
    assert project.sent() == ["one"]
    assert project.cassettes() == ["cassettes/test_it/test_one.yaml"]
    replaying = project.run()
    replaying.assert_outcomes(passed=1)
    assert project.sent() == []
    assert "convo:" not in replaying.stdout.str()
    assert "= convo =" not in replaying.stdout.str()


def test_a_recording_run_says_what_it_calls_and_what_it_called(project):
    project.write("test_it.py", TEST)
    result = project.run("--convo-record=new_episodes", "--convo-max-requests=7")
    result.stdout.fnmatch_lines(
        [
            "convo: recording (new_episodes): live requests may be made, at most 7",
            "*= convo =*",
            "1 live request* in 1 turn*, * tokens in, * tokens out",
        ]
    )


def test_without_a_cassette_a_test_fails_and_says_how_to_record(project):
    project.write("test_it.py", TEST)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   CassetteMiss: turns[[]0[]] *", "*test_it.py::test_one*--convo-record=once*"])
    assert project.sent() == []
    assert project.cassettes() == []


CONVO_CONFIG = "import pytest\n@pytest.fixture\ndef convo_config(): return {'record': 'once'}"


@pytest.mark.parametrize("ci", [False, True])
def test_in_ci_only_what_is_said_explicitly_records(project, monkeypatch, ci):
    if ci:
        monkeypatch.setenv("CI", "true")
    project.write("a/test_marker.py", TEST.replace("convo\n", "convo(record='once')\n").replace("one", "marker"))
    project.write("b/conftest.py", CONVO_CONFIG)
    project.write("b/test_convo_config.py", TEST.replace("one", "config"))
    project.write("c/test_ini.py", TEST.replace("one", "ini"))
    recorded = project.run("a", "b")
    recorded.assert_outcomes(passed=1 if ci else 2, failed=1 if ci else 0)
    recorded.stdout.fnmatch_lines(["convo: tests that record by their marker: 1 (once); at most 200 live requests"])
    assert project.sent() == (["marker"] if ci else ["marker", "config"])
    project.ini("convo_record = once")
    project.run("c").assert_outcomes(passed=0 if ci else 1, failed=1 if ci else 0)
    project.sent()
    project.run("b", "c", "--convo-record=rewrite").assert_outcomes(passed=2)
    assert project.sent() == ["config", "ini"]


def test_precedence(project):
    project.write(
        "test_it.py",
        """
import pytest

@pytest.fixture
def convo_config(request):
    said = request.node.get_closest_marker("config_says")
    return {"record": said.args[0]} if said else {}

@pytest.mark.convo(record="once")
@pytest.mark.config_says("new_episodes")
def test_marker(convo):
    print("heard", convo.record)

@pytest.mark.config_says("new_episodes")
def test_config(convo):
    print("heard", convo.record)

def test_ini(convo):
    print("heard", convo.record)
""",
    )
    project.ini("convo_record = all", "markers = config_says")
    for args, heard in [([], ["once", "new_episodes", "all"]), (["--convo-record=none"], ["none"] * 3)]:
        result = project.run(*args)
        result.assert_outcomes(passed=3)
        assert [line.split()[1] for line in result.outlines if line.startswith("heard ")] == heard


def test_rewrite_replaces_and_live_keeps_no_cassette(project):
    project.write("test_it.py", TEST)
    project.run("--convo-record=live").assert_outcomes(passed=1)
    assert project.cassettes() == []
    project.run("--convo-record=once").assert_outcomes(passed=1)
    project.write("test_it.py", TEST.replace("one", "two").replace("test_two", "test_one"))
    project.run("--convo-record=once").assert_outcomes(failed=1)
    project.run("--convo-record=rewrite").assert_outcomes(passed=1)
    project.sent()
    project.run().assert_outcomes(passed=1)
    assert project.sent() == []


def test_a_failing_test_keeps_the_cassette_and_says_how_to_accept(project):
    project.write("test_it.py", TEST)
    project.run("--convo-record=once").assert_outcomes(passed=1)
    cassette = project.path / "cassettes/test_it/test_one.yaml"
    before = cassette.read_bytes()
    project.write("test_it.py", TEST.replace('== "Answer', '!= "Answer'))
    result = project.run("--convo-record=rewrite")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*convo-replay accept *test_one.new.yaml"])
    assert cassette.read_bytes() == before
    assert cassette.with_name("test_one.new.yaml").exists()


@pytest.mark.parametrize("how", ["skip", "xfail"])
def test_skip_and_xfail_are_no_failures(project, how):
    text = "pytest.skip('no')" if how == "skip" else "pytest.xfail('no')"
    project.write("test_it.py", TEST + f"    {text}\n")
    project.run("--convo-record=once")
    assert "outcome: failed" not in (project.path / "cassettes/test_it/test_one.yaml").read_text()


def test_a_failing_test_without_a_cassette_is_saved_as_failed(project):
    project.write("test_it.py", TEST + "    assert 0\n")
    project.run("--convo-record=once").assert_outcomes(failed=1)
    assert "outcome: failed" in (project.path / "cassettes/test_it/test_one.yaml").read_text()


def test_an_interrupted_test_has_not_passed(project):
    project.write("test_it.py", TEST + "    raise KeyboardInterrupt\n")
    project.run("--convo-record=once")
    assert "outcome: failed" in (project.path / "cassettes/test_it/test_one.yaml").read_text()


@pytest.mark.parametrize(
    ("args", "ini", "says"),
    [
        (["--convo-record=sometimes"], "", "*--convo-record*invalid choice: 'sometimes'*once*"),
        ([], "convo_record = sometimes", "*pytest.ini: convo_record: expected one of none once *, got 'sometimes'"),
        ([], "convo_unplayed = maybe", "*pytest.ini: convo_unplayed: expected one of error warn ignore, got 'maybe'"),
        ([], "convo_max_requests = many", "*pytest.ini: convo_max_requests: expected a number*, got 'many'"),
        (["--convo-max-requests=-1"], "", "*--convo-max-requests: invalid count value: '-1'"),
    ],
)
def test_a_wrong_value_is_a_usage_error(project, args, ini, says):
    project.write("test_it.py", TEST)
    project.ini(ini)
    result = project.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])
