"""The verdict on a client, as the end of a test, and as what its report carries to the terminal and to xdist."""

from __future__ import annotations

import shlex
import unittest
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Skipped, XFailed

from convo_replay import errors
from convo_replay.errors import ConvoFailure
from convo_replay.pytest_session import failures, settings
from convo_replay.reporting.faults import Finding, Told

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.pytest_session.fault_runs import FaultItem
    from convo_replay.verdict.judging import Verdict

RECORD_FIRST = "record first"
"""How the reason begins why a test without a recording is skipped."""
_THE_TESTS_OWN = (Skipped, XFailed, unittest.SkipTest)


def ended_with(item: pytest.Item, raised: BaseException | None) -> BaseException | None:
    """What a test raised; unittest's tests keep theirs for the report."""
    kept = getattr(item, "_excinfo", None)
    return raised if raised is not None or not kept else kept[0].value


def verdict_of(item: pytest.Item, conversation: Conversation, raised: BaseException | None) -> Verdict | None:
    """The verdict at the end of a phase; `None` without faults, and where the test was skipped from inside, or failed
    before it asked anything.

    What unittest keeps of a test that is judged is taken from it.
    """
    ended = ended_with(item, raised)
    asked = conversation.run is not None and conversation.run.attempts
    if isinstance(ended, _THE_TESTS_OWN) or (ended is not None and not asked and conversation.failure is None):
        return None
    verdict = conversation.judge(ended)
    kept = getattr(item, "_excinfo", None)
    if verdict is not None and kept:
        kept.clear()
    return verdict


def failure(item: pytest.Item, verdict: Verdict, conversation: Conversation, fault: FaultItem | None) -> ConvoFailure:
    """A verdict that is not good, as the failure of the test, with the command that makes this run again."""
    text, stopped = str(verdict), conversation.failure
    if stopped is not None and text not in str(stopped):
        text = f"{text}\n{stopped}"
    elif stopped is not None:
        text = str(stopped)
    made = errors.failure(ConvoFailure, text)
    if isinstance(stopped, failures.Reported) and isinstance(made, failures.Reported):
        made.places = stopped.places
    made.add_note(f"this run again: {again(item, fault)}")
    return made


def again(item: pytest.Item, fault: FaultItem | None) -> str:
    """The command that makes one run again."""
    command = f"pytest {shlex.quote(_id(item))}"
    return f"{command} --convo-faults={shlex.quote(fault.spec)}" if fault is not None and fault.by_option else command


def _id(item: pytest.Item) -> str:
    return f"{item.parent.nodeid}::{item.name}" if item.parent is not None else item.nodeid


def told(item: pytest.Item, report: pytest.TestReport, verdict: Verdict | None, fault: FaultItem | None) -> Told:
    """What a report says of a fault run, in types that xdist and JSON carry."""
    reason = _reason(report)
    if verdict is not None:
        outcome: str = verdict.outcome
    elif fault is not None and fault.kind != "run":
        outcome = fault.kind
    elif reason.startswith(RECORD_FIRST):
        outcome = "unrecorded"
    else:
        outcome = "skipped" if report.skipped else "error"
    return Told(
        id=_id(item),
        test=settings.owner_of(item),
        spec=fault.spec if fault is not None else verdict.spec if verdict is not None else "",
        asked=fault.asked if fault is not None else "inject",
        by="inject" if fault is None else "command line" if fault.by_option else "marker",
        place=fault.place if fault is not None else -1,
        result=_result(report),
        outcome=outcome,
        good=verdict.good if verdict is not None else None,
        expected=verdict.expected if verdict is not None else "",
        reason=reason,
        findings=[
            Finding(
                rule=each.rule,
                level=each.level,
                turn=each.turn,
                attempt=each.attempt,
                message=each.message,
                evidence=list(each.evidence),
            )
            for each in (verdict.findings if verdict is not None else ())
        ],
        again=again(item, fault),
    )


def _result(report: pytest.TestReport) -> Any:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return "error" if report.failed and report.when == "setup" else report.outcome


def _reason(report: pytest.TestReport) -> str:
    if not report.skipped:
        return ""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
    return str(said).removeprefix("Skipped: ")
