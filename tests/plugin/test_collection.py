"""What happens while tests are collected: names, stand-ins, and nothing else."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def test_two_tests_on_one_path_are_an_error_that_names_both(project):
    project.ini("convo_cassette_dir = tapes")
    for folder in ("a", "b"):
        project.write(f"{folder}/test_it.py", "import pytest\n@pytest.mark.convo\ndef test_one(): pass")
    result = project.run("--import-mode=importlib")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*b/test_it.py::test_one: has the same cassette as a/test_it.py::test_one: *tapes*"])
    project.write("b/test_it.py", "import pytest\n@pytest.mark.convo(cassette='x.yaml')\ndef test_one(): pass")
    project.run("--import-mode=importlib").assert_outcomes(passed=2)


def test_cassette_dir(project):
    project.ini("convo_cassette_dir = tapes")
    project.write("tests/test_it.py", "from agent import ask\ndef test_one(convo): ask('x')")
    project.run("--convo-record=once").assert_outcomes(passed=1)
    assert project.cassettes() == ["tapes/test_it/test_one.yaml"]


def test_collect_only_opens_nothing(project):
    project.write("test_it.py", "from agent import ask\ndef test_one(convo): ask('x')")
    project.write("cassettes/test_it/test_one.yaml", "no cassette")
    result = project.run("--collect-only", "--convo-record=all")
    assert result.ret == 0
    assert project.sent() == []


def test_items_that_are_no_functions(project):
    project.write(
        "conftest.py",
        """
import pytest

class Item(pytest.Item):
    def runtest(self): pass

class File(pytest.File):
    def collect(self):
        yield Item.from_parent(self, name="item")

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".txt2":
        return File.from_parent(parent, path=file_path)

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.convo)
""",
    )
    project.write("a.txt2", "")
    project.write("doc.py", '"""\n>>> 1 + 1\n2\n"""')
    project.write("test_doc.txt", ">>> 1 + 1\n2\n")
    project.run("--doctest-modules").assert_outcomes(passed=3)


@pytest.mark.parametrize("mode", ["none", "once"])
def test_missing_keys_are_stood_in_for_where_nothing_is_recorded(project, monkeypatch, mode):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-the-environment")
    project.write(
        "conftest.py",
        """
import os
print("at import", os.environ.get("OPENAI_API_KEY"), os.environ["ANTHROPIC_API_KEY"])

def pytest_configure(config):
    config.add_cleanup(lambda: print("at the end", os.environ.get("OPENAI_API_KEY")))
""",
    )
    project.write(
        "test_it.py",
        f"import os\ndef test_one(): assert ('OPENAI_API_KEY' in os.environ) == ({mode!r} == 'none')",
    )
    result = project.run("-s", f"--convo-record={mode}")
    result.assert_outcomes(passed=1)
    if mode == "none":
        assert "at import None" not in result.stdout.str()
    result.stdout.fnmatch_lines(["at import * from-the-environment"])
