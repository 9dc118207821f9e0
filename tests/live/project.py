"""A user's project in a directory of its own, and what pytest says of it in another process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import forking

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


@dataclass(frozen=True)
class Outcome:
    """What a run of pytest in another process said."""

    code: int
    output: str
    tests: dict[str, list[tuple[str, str]]]
    """By test name: each `failure`, `error` or `skipped`, with its text. Empty where it passed."""

    def of(self, kind: str) -> list[str]:
        return [name for name, said in self.tests.items() if any(each == kind for each, _ in said)]

    @property
    def passed(self) -> list[str]:
        return [name for name, said in self.tests.items() if not said]


class Project:
    """A user's project in a directory of its own, and pytest run in it with the plugin."""

    def __init__(self, directory: Path, compiled: Path) -> None:
        self.directory = directory
        self.compiled = compiled
        """Where compiled modules go: shared by the runs of a session, which is half of their time."""
        (directory / "pytest.ini").write_text("[pytest]\n")

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments: str, plugins: str = "", also: Sequence[str] = (), **environment: str) -> Outcome:
        """pytest with our plugin and `plugins` (modules, by blanks): what else is installed takes seconds to import.

        `also` are modules that are imported before it starts (`forking.popen`).
        """
        named = [part for name in f"convo_replay.plugin {plugins}".split() for part in ("-p", name)]
        report = self.directory / "report.xml"
        report.unlink(missing_ok=True)
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = forking.run(
            ["-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *named, *arguments],
            cwd=self.directory, timeout=120, also=also,
            env={**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                 "PYTHONPYCACHEPREFIX": str(self.compiled), "PYTHONDONTWRITEBYTECODE": "", **environment},
        )  # fmt: skip
        tests: dict[str, list[tuple[str, str]]] = {}
        if report.exists():
            for case in ElementTree.parse(report).iter("testcase"):
                said = tests.setdefault(case.get("name", ""), [])
                said += [(child.tag, (child.get("message") or "") + "\n" + (child.text or "")) for child in case
                         if child.tag in ("failure", "error", "skipped")]  # fmt: skip
        return Outcome(done.returncode, done.stdout + done.stderr, tests)
