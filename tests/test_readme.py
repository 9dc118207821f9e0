"""Every Python example of README.md and docs/ does what it says. The notation is in CONTRIBUTING.md."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import forking

ROOT = Path(__file__).resolve().parent.parent
HOWS = ("test", "fails", "script", "file", "skip")

FENCE = re.compile(
    r"(?:^<!--\s*run:\s*(?P<how>.*?)\s*-->\s*\n)?^```python[^\n]*\n(?P<code>.*?)^```[^\S\n]*$"
    r"(?:\n+<!-- prints -->\n```text\n(?P<prints>.*?)^```\s*$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """One Python block: where it stands, how it is run, and what its directory holds before."""

    page: str
    line: int
    code: str
    how: str
    name: str
    copies: tuple[tuple[str, str], ...] = ()
    before: tuple[Example, ...] = field(default=(), repr=False)
    prints: str = ""

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"


def examples(page: str, text: str) -> list[Example]:
    """The Python blocks of a page.

    Raises:
        ValueError: a block does not say how it is run, or says what there is not.
    """
    found: list[Example] = []
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start("code"))
        words = shlex.split(block["how"] or "")
        if not words or words[0] not in HOWS:
            raise ValueError(f"{page}:{line}: expected `<!-- run: {'|'.join(HOWS)} … -->` before the block")
        how, rest = words[0], words[1:]
        named = dict(word.partition("=")[::2] for word in rest if "=" in word) if how != "skip" else {}
        name = named.pop("name", "test_example.py" if how in ("test", "fails") else "example.py")
        copies = tuple((source, target) for target, source in named.items())
        before = tuple(other for other in found if other.how == "file")
        found.append(Example(page, line, block["code"], how, name, copies, before, block["prints"] or ""))
    return found


def _all() -> list[Example]:
    pages = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.exists()]
    return [found for page in pages for found in examples(page.relative_to(ROOT).as_posix(), page.read_text("utf-8"))]


def run(example: Example, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run it as its reader would, in a directory of its own, with a network that leads nowhere."""
    for block in (*example.before, example):
        (directory / block.name).write_text(block.code, "utf-8")
        for source, target in block.copies:
            (directory / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, directory / target)
    (directory / "pytest.ini").write_text("[pytest]\n")
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **nowhere, "NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": path}
    command = [example.name]
    if example.how in ("test", "fails"):
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        plugins = ("convo_replay.plugin", "syrupy")
        command = ["-m", "pytest", "-q", *(part for name in ("no:cacheprovider", *plugins) for part in ("-p", name))]
        command.append(example.name)
    return forking.run(command, cwd=directory, env=environment, timeout=120, also=forking.SDKS)


@pytest.mark.parametrize("example", _all(), ids=lambda example: example.id)
def test_the_example_does_what_it_says(example, tmp_path):
    ast.parse(example.code, f"{example.page}:{example.line}")
    if example.how in ("file", "skip"):
        return
    ran = run(example, tmp_path)
    expected = 1 if example.how == "fails" else 0
    assert ran.returncode == expected, f"{example.id}\n{ran.stdout}\n{ran.stderr}"
    assert prints(example, ran.stdout), f"{example.id} does not print what stands below it:\n{ran.stdout}"


def prints(example: Example, output: str) -> bool:
    """Whether the output has what the page shows of it, however lines are broken; a line `…` leaves something out."""
    said = " ".join(output.replace("\nE ", "\n").split())
    for part in re.split(r"^…$", example.prints, flags=re.MULTILINE):
        at = said.find(words := " ".join(part.split()))
        if at < 0:
            return False
        said = said[at + len(words) :]
    return True


@pytest.mark.parametrize(
    ("shown", "fits"),
    [("2 passed", True), (". [100%]\n…\npassed", True), ("2\nfailed", False), ("passed\n…\n.", False)],
)
def test_what_a_block_prints_is_compared(tmp_path, shown, fits):
    code = "def test_1():\n    pass\n\ndef test_2():\n    pass\n"
    text = f"<!-- run: test -->\n```python\n{code}```\n\n<!-- prints -->\n```text\n{shown}\n```\n"
    [example] = examples("page.md", text)
    assert example.prints == f"{shown}\n"
    assert prints(example, "..  [100%]\n2 passed") is fits


PAGE = """\
<!-- run: file name=agent.py -->
```python
ANSWER = 42
```

<!-- run: test cassettes/a.yaml=LICENSE -->
```python
from pathlib import Path
from agent import ANSWER

def test_answer():
    assert ANSWER == 42 and Path("cassettes/a.yaml").exists()
```

<!-- run: fails -->
```python
def test_wrong():
    assert False
```

<!-- run: script -->
```python
import agent
```
"""


def test_the_blocks_of_a_page_are_found_and_run(tmp_path):
    ran = []
    for number, example in enumerate(examples("page.md", PAGE)):
        directory = tmp_path / str(number)
        directory.mkdir()
        ran.append((example.id, example.how, run(example, directory).returncode if example.how != "file" else None))
    assert ran == [
        ("page.md:2", "file", None), ("page.md:7", "test", 0), ("page.md:16", "fails", 1), ("page.md:22", "script", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("page", ["```python\nx\n```\n", "<!-- run: tset -->\n```python\nx\n```\n"])
def test_a_block_that_does_not_say_how_it_is_run_is_an_error(page):
    with pytest.raises(ValueError, match=r"page.md:\d: expected `<!-- run: test"):
        examples("page.md", page)


SAME_AS = re.compile(r"^<!--\s*same as (?P<file>\S+)\s*-->\s*\n```\w+\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)


def test_a_file_that_a_page_shows_is_that_file():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = [block for page in pages for block in SAME_AS.finditer(page.read_text("utf-8"))]
    assert shown
    for block in shown:
        assert block["text"] == (ROOT / block["file"]).read_text("utf-8")
