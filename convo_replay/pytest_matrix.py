"""The fault runs of a session in the terminal and in `--convo-report`; where tests are distributed, in the controller.

Registered when a fault is asked for. What became of a run comes with its report, through xdist as well.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from convo_replay.reporting.faults import Told

NAME = "convo_replay_matrix"


class Matrix:
    """Collects what reports say of fault runs."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        said = config.getoption("--convo-report", default=None)
        self.path = Path(config.invocation_params.dir, os.path.expanduser(said)) if said else None  # noqa: PTH111
        self.runs: dict[str, Told] = {}
        self.unfit: dict[str, list[str]] = {}
        self.notes: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = getattr(report, "convo_fault", None)
        if told is not None:
            self.runs[told["id"]] = told

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})
        self.know(output.get("convo_unfit", {}), output.get("convo_fault_notes", ()))

    def know(self, unfit: dict[str, list[str]], notes: Any) -> None:
        """Takes what collection has found out, in this process or in a worker."""
        self.unfit.update(unfit)
        self.notes += [note for note in notes if note not in self.notes]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unfit and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.path is None or self.config.option.collectonly:
            return
        from convo_replay.reporting import faults

        try:
            faults.write(self.path, self.runs.values(), self.unfit)
        except OSError as error:
            self.notes.append(f"--convo-report: {self.path} could not be written: {error.strerror or error}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not (self.runs or self.unfit or self.notes):
            return
        from convo_replay.reporting import faults

        runs, terminal = list(self.runs.values()), terminalreporter
        terminal.section("convo faults")
        width = terminal._tw.fullwidth
        for line in faults.matrix(runs, width, everything=terminal.verbosity > 0):
            terminal.write_line(line)
        bad = any(map(faults.is_bad, runs))
        if runs:
            terminal.write_line(faults.summary(runs), red=bad, green=not bad)
        for line in faults.failing(runs):
            terminal.write_line(line)
        for line in (*faults.notes(runs), *self.notes):
            terminal.write_line(line, yellow=True)
        for line in faults.unfit_lines(self.unfit):
            terminal.write_line(line, red=True)
        if self.path is not None and self.path.is_file() and not self.config.option.collectonly:
            terminal.write_line(f"report: {self.path}")


def of(config: pytest.Config) -> Matrix | None:
    """The session's matrix, made when it is first needed; `None` in a worker of xdist, where nobody sees it."""
    if hasattr(config, "workerinput"):
        return None
    found = config.pluginmanager.get_plugin(NAME)
    if found is None:
        found = Matrix(config)
        config.pluginmanager.register(found, NAME)
    assert isinstance(found, Matrix)
    return found
