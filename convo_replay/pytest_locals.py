"""Under `--showlocals`: tracebacks without frames of ours, whose locals are what was sent and received, keys and all.

Without it a traceback shows lines of source, and ours stay. Imported when it is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

NAME = "convo_replay_locals"


class Hidden:
    """Marks our modules before a report is made; by then those that take part are imported."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        hide()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        hide()
        return (yield)


def hide() -> None:
    """pytest leaves out frames of a module that says so."""
    for name, module in list(sys.modules.items()):
        if name.startswith("convo_replay."):
            vars(module).setdefault("__tracebackhide__", True)
