"""`--convo-scan`: all cassettes of the project, once per run, whoever wrote them and whichever tests ran."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from convo_replay.pytest_scan import _commands, _folders, _named, _received, _sent
from convo_replay.scanning import Hit

pytest_plugins = ["pytester"]

KEY = "sk-ant-api03-" + "Ex4mple" * 13
ORGANIZATION = "org-" + "Ex4mpl" * 4
OLD = """
interactions:
- request: {{body: "", headers: {{}}, method: GET, uri: "https://example.com/{0}"}}
  response:
    body: {{string: "it is {1}"}}
    headers: {{content-type: [text/plain]}}
    status: {{code: 200, message: OK}}
version: 1
"""
TESTS = """
import pytest
from agent import ask

@pytest.fixture(scope="session")
def convo_config():
    return {"secrets": ["Projekt Nachtigall"]}

def test_one(convo):
    ask("one")

@pytest.mark.convo(cassette="kept/two.yaml", redact={"openai-organization": "keep"})
def test_two():
    ask("ORGANIZATION")
""".replace("ORGANIZATION", ORGANIZATION)


@pytest.fixture
def old(project):
    project.write("test_it.py", TESTS)
    for folder in ("vendored/cassettes", "env/lib/cassettes", "node_modules/x/cassettes"):
        project.write(f"{folder}/old.yaml", OLD.format("a", f"{KEY} of Projekt Nachtigall"))
    project.write("env/pyvenv.cfg", "")
    project.write("elsewhere/recorded/b.yaml", OLD.format("b", f"{ORGANIZATION} of Projekt Nachtigall"))
    return project


def section(result: pytest.RunResult) -> list[str]:
    lines = result.stdout.str().splitlines()
    begins = next(at for at, line in enumerate(lines) if line.strip("=") == " convo scan ")
    ends = next(at for at, line in enumerate(lines[begins + 1 :], begins + 1) if line.startswith("==="))
    return lines[begins + 1 : ends]


def test_what_lies_in_any_cassettes_folder_fails_the_run(old):
    old.ini("convo_scan = true")
    result = old.run("--convo-record=once")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert section(result) == [
        "vendored/cassettes/old.yaml",
        "  anthropic-key: exchanges[0].response.body",
        "  secret: exchanges[0].response.body",
        "3 cassettes searched; found in 1: anthropic-key 1, secret 1",
        "to fix: convo-replay scan --fix vendored/cassettes/old.yaml",
        "to be fixed by hand, or recorded again: vendored/cassettes/old.yaml",
        "`scan` does not know what `secrets=` of a test names",
        "what may stay: convo_redact = CLASS=keep in the ini file (docs/redaction.md)",
    ]
    assert KEY not in result.stdout.str()
    # Spread over workers: searched once, with what the tests' markers say; and the ini file's own folder, with its own.
    (old.path / "vendored/cassettes/old.yaml").unlink()
    old.ini("convo_cassette_dir = elsewhere/recorded")
    result = old.run("-n1", "--convo-scan", "--convo-record=once", plugins=("xdist",))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert section(result)[:4] == [
        "elsewhere/recorded/b.yaml",
        "  openai-organization: exchanges[0].response.body",
        "  secret: exchanges[0].response.body",
        "4 cassettes searched; found in 1: openai-organization 1, secret 1",
    ]
    # What the ini file keeps may stay; no command is named that could not find what the tests say is secret.
    old.ini("convo_redact = openai-organization=keep", "convo_cassette_dir = elsewhere/recorded")
    result = old.run("--convo-scan")
    assert section(result)[1:4] == [
        "  secret: exchanges[0].response.body",
        "4 cassettes searched; found in 1: secret 1",
        "to be fixed by hand, or recorded again: elsewhere/recorded/b.yaml",
    ]
    (old.path / "elsewhere/recorded/b.yaml").unlink()
    result = old.run("--convo-scan", "--convo-record=once")
    assert (result.ret, section(result)) == (0, ["3 cassettes searched, nothing found"])


SAYING = """
import re
import pytest
from agent import ask

def numbers(text):
    return [match.span() for match in re.finditer("Akte [0-9]+", text)]

@pytest.fixture(scope="session")
def convo_config():
    return {"secrets": [re.compile("PROJEKT (nacht|tag)igall", re.IGNORECASE), numbers]}

def test_one(convo):
    ask("one")
"""


def test_what_tests_say_is_secret_is_looked_for_wherever_they_run(project):
    project.write("test_it.py", SAYING)
    for name, text in (("a", "Projekt Nachtigall"), ("b", "Akte 4711"), ("c", "Projekt Amsel")):
        project.write(f"kept/cassettes/{name}.yaml", OLD.format("x", text))
    found = ["kept/cassettes/a.yaml", "  secret: exchanges[0].response.body"]
    result = project.run("--convo-scan", "--convo-record=once")
    assert section(result)[:5] == [
        *found,
        "kept/cassettes/b.yaml",
        "  secret: exchanges[0].response.body",
        "4 cassettes searched; found in 2: secret 2",
    ]
    result = project.run("-n2", "--convo-scan", plugins=("xdist",))
    assert section(result)[:3] == [
        *found,
        "4 cassettes searched without the function of secrets= (1), which cannot be sent from the workers "
        "(-n 0 asks them); found in 1: secret 1",
    ]


class _Looking:
    """Says where something is, and cannot be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Looking)

    def __call__(self, text: str) -> list[tuple[int, int]]:
        return []


def test_of_a_function_only_that_it_is_there_leaves_a_worker():
    patterns = [re.compile(r"(?i)a\d"), re.compile("b .", re.VERBOSE | re.DOTALL | re.ASCII)]
    sent = _sent(["x", "\ud800", *patterns, _Looking("hunter2-hunter2"), partial(_Looking, "hunter2-hunter2"), _named])
    secrets, functions = _received(sent)
    assert secrets == ["x", "\ud800", *patterns]
    assert len(set(functions)) == 3
    assert "hunter2" not in sent
    assert _received("") == ([], [])


def test_without_tests_it_searches_all_the_same(old):
    (old.path / "test_it.py").unlink()
    result = old.run("--convo-scan")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert section(result)[0] == "vendored/cassettes/old.yaml"
    (old.path / "vendored/cassettes/old.yaml").unlink()
    assert old.run("--convo-scan").ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("args", [(), ("--convo-scan", "--collect-only")], ids=["not asked for", "--collect-only"])
def test_it_searches_when_it_is_asked_for_and_tests_run(old, args):
    result = old.run(*args, "-k", "no such test")
    assert "convo scan" not in result.stdout.str()


def test_a_wrong_ini_value_is_named(project):
    project.ini("convo_scan = maybe")
    project.write("test_it.py", "def test_one(): pass")
    project.run().stderr.fnmatch_lines(["ERROR: *pytest.ini: convo_scan: expected true or false*"])


def test_folders_of_cassettes_are_looked_for_where_pytest_would_look(tmp_path):
    for name in ("cassettes", "a/cassettes/cassettes", "build/cassettes", ".git/cassettes", "a/b/c/cassettes", "d"):
        (tmp_path / name).mkdir(parents=True)
    found = [path.relative_to(tmp_path).as_posix() for path in _folders(tmp_path, [".*", "build", "cassettes"])]
    assert sorted(found) == ["a/b/c/cassettes", "a/cassettes", "cassettes"]


def test_a_command_keeps_what_may_stay_in_its_files():
    def hits(name, *classes):
        return [Hit(Path(name), 0, cls, "response.body", True, "warn", 1) for cls in classes]

    found = {Path("a.yaml"): hits("a.yaml", "email"), Path("b.yaml"): hits("b.yaml", "machine", "secret")}
    found[Path("c.yaml")] = hits("c.yaml", "phone")
    assert list(_commands(found, {Path("b.yaml"): ("email",), Path("a.yaml"): (), Path("c.yaml"): ()}))[:3] == [
        "to fix: convo-replay scan --fix a.yaml c.yaml",
        "to fix: convo-replay scan --fix --keep email b.yaml",
        "to be fixed by hand, or recorded again: b.yaml",
    ]


NAMES = {
    "one": (["a b.yaml"], "'a b.yaml'"),
    "many in one folder": ([f"c/{n}.yaml" for n in range(9)], "c"),
    "many in many": ([f"t/{n}/x.yaml" for n in range(9)], "t"),
}


@pytest.mark.parametrize(("files", "named"), NAMES.values(), ids=NAMES)
def test_a_command_names_files_or_the_folders_of_many(files, named):
    assert _named(Path(file) for file in files) == named
