"""The controller's part under pytest-xdist: one budget for all workers, one sum of what they did."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from convo_replay.pytest_session.tally import Sums


class Controller:
    """Registered where tests are distributed; the workers run them."""

    def __init__(self) -> None:
        self._budget_file: Path | None = None
        self._sums: list[Sums] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self._budget_file is None:
            handle, name = tempfile.mkstemp(prefix="convo-budget-")
            os.close(handle)
            self._budget_file = Path(name)
        node.workerinput["convo_budget_file"] = str(self._budget_file)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        sums = getattr(node, "workeroutput", {}).get("convo_sums")
        if sums:
            self._sums.append(sums)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._sums:
            from convo_replay.pytest_session.tally import write_summary

            write_summary(terminalreporter, self._sums)

    def pytest_unconfigure(self) -> None:
        if self._budget_file is not None:
            self._budget_file.unlink(missing_ok=True)
            self._budget_file.with_name(f"{self._budget_file.name}.lock").unlink(missing_ok=True)
