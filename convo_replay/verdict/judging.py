"""The verdict on a fault run: its outcome (design.md §5), and what is wrong with the client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from convo_replay.verdict import telling
from convo_replay.verdict.blame import is_deliberate, is_fault
from convo_replay.verdict.case import Case, status_of
from convo_replay.verdict.evidence import Expected, Outcome, Run
from convo_replay.verdict.judgement import Judgement

__all__ = ["GOOD", "Judgement", "Verdict", "judge", "outcome_of"]

GOOD: Final[Mapping[Expected, tuple[Outcome, ...]]] = {
    "": ("recovered", "raised"),
    "recovered": ("recovered",),
    "raised": ("raised",),
    "handled": ("recovered", "handled"),
}
"""The outcomes that a run may have, by what was declared with `expect=`."""


@dataclass(frozen=True)
class Verdict:
    """What a client did about its faults. `str()` is what a user reads; the caller adds how to run it again.

    Attributes:
        outcome: see design.md §5.
        expected: what was declared.
        findings: errors first.
        spec: the plan of the run, as a spec.
        notes: what happened, one line per attempt.
    """

    outcome: Outcome
    expected: Expected
    findings: tuple[Judgement, ...]
    spec: str
    notes: tuple[str, ...] = ()
    reason: str = ""
    """Why it is this outcome, one sentence."""

    @property
    def allowed(self) -> bool:
        """Whether the outcome is one of those that were to be had."""
        return self.outcome in GOOD[self.expected]

    @property
    def good(self) -> bool:
        """Whether the run passes: an outcome that is allowed, and no finding that is an error."""
        return self.allowed and all(finding.level != "error" for finding in self.findings)

    def through(self, change: Callable[[str], str]) -> Verdict:
        """The same with each of its texts changed: a key in an exception of the application is not repeated."""
        return replace(
            self,
            findings=tuple(
                [
                    replace(one, message=change(one.message), evidence=tuple(map(change, one.evidence)))
                    for one in self.findings
                ]
            ),
            notes=tuple(map(change, self.notes)),
            reason=change(self.reason),
        )

    def __str__(self) -> str:
        return telling.verdict(
            outcome=self.outcome,
            allowed=GOOD[self.expected],
            expected=self.expected,
            reason=self.reason,
            findings=self.findings,
            notes=self.notes,
        )


def judge(
    run: Run,
    *,
    raised: BaseException | None,
    expected: Expected = "",
    ignore: Sequence[str] = (),
    redact: Callable[[str], str] = str,
) -> Verdict:
    """The verdict on a run that is over.

    Args:
        raised: what the test, or the block, ended with; `None` where it passed.
        expected: the outcome that was declared.
        ignore: names of rules that say nothing.
        redact: what its texts go through: they quote exceptions of the application.
    """
    case = Case(run, expected)
    outcome = outcome_of(case, raised)
    case = Case(run, expected, outcome, case.read)
    findings = _without_superseded(_found(case))
    kept = sorted((one for one in findings if one.rule not in ignore), key=lambda one: one.level != "error")
    return Verdict(
        outcome,
        expected,
        tuple(kept),
        str(run.plan),
        tuple(telling.notes(case)),
        telling.reason(case, raised, redact),
    ).through(redact)


def outcome_of(case: Case, raised: BaseException | None) -> Outcome:
    """How the run ended."""
    run = case.run
    if not run.fired:
        return "not-fired"
    if case.diverged:
        return "diverged"
    if run.hung or run.stopped:
        return "crashed"
    all_fired = len(run.fired) >= len(run.plan.specs)
    if raised is not None and not is_fault(raised, run) and not (_is_silent(case) and is_deliberate(raised)):
        return "crashed"
    if raised is None and case.unanswered and case.expected != "handled":
        return "silent"
    if not all_fired and not (run.plan.drawn and raised is not None):
        return "not-fired"
    if raised is not None or (case.asserted and case.expected != "handled"):
        return "raised"
    return "handled" if case.unanswered or case.asserted else "recovered"


def _is_silent(case: Case) -> bool:
    """Whether a turn went without an answer and nothing was raised for it: who notices raises something of his own."""
    return any(
        question.last.state != "raised" and not (question.last.by_sdk and (status_of(question.last) or 0) >= 400)
        for question in case.unanswered
    )


def _found(case: Case) -> list[Judgement]:
    from convo_replay.verdict.catalogue import all_rules

    if case.outcome == "not-fired":
        return []
    return [finding for _, check in all_rules().values() for finding in check(case)]


def _without_superseded(findings: Iterable[Judgement]) -> list[Judgement]:
    """Without those that another finding about the same turn says better."""
    from convo_replay.verdict.catalogue import all_rules

    known = list(findings)
    said = {(finding.rule, finding.turn) for finding in known}
    rules = all_rules()
    return [
        finding
        for finding in known
        if not any((better, finding.turn) in said for better in rules[finding.rule][0].yields_to)
    ]
