"""A client stops asking at some time."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict.case import Case, Question
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import got

MOST = 20
"""Attempts of one turn within a window."""
WINDOW = 60.0
"""Seconds."""

RULE = Rule(
    name="retry-storm",
    levels=("error",),
    summary="One question was asked over and over.",
    threshold=f"more than {MOST} attempts of a turn within {WINDOW:g} s; or the run was stopped, at 10,000 waits or "
    "1,000 attempts. Hops of a redirect do not count",
    why="A loop without an end, or retries inside retries: three of the SDK times five of tenacity times three of a "
    "queue are 45 requests for one question. While a service is overloaded, all its clients do that at once, and it "
    "does not come back.",
    todo="retry in one place only (max_retries=0 in the SDK, or none around it), with a limit on attempts",
    source="AWS Builders' Library, Timeouts, retries and backoff with jitter; protocol.md §4.2",
    yields_to=frozenset({"non-retryable-retried"}),
)


def check(case: Case) -> Iterator[Judgement]:
    worst = max(case.questions, key=lambda question: len(question.tries), default=None)
    for question in case.questions:
        stopped = bool(case.run.stopped) and question is worst
        seconds = _busiest(question)
        if seconds is None and not stopped:
            continue
        tries = question.tries
        said = f"asked {len(tries)} times" if seconds is None else f"asked {MOST + 1} times within {seconds:.2f} s"
        waits = sum(len(attempt.waits) for attempt in tries)
        yield RULE.found(
            question.turn,
            tries[-1].number,
            said + (", and the run was stopped" if stopped else ""),
            [
                f"{len(tries)} attempts and {waits} waits in all",
                f"each was answered like the last: {got(case, tries[-1])}",
            ],
        )
    if case.run.stopped and worst is None:
        yield RULE.found(None, None, "the run was stopped: more waits than a client makes that comes to an end")


def _busiest(question: Question) -> float | None:
    """The least time in which the question was asked more often than it may be; `None`: it never was."""
    began = [attempt.began for attempt in question.tries]
    spans = [later - first for first, later in zip(began, began[MOST:], strict=False)]
    shortest = min(spans, default=None)
    return shortest if shortest is not None and shortest <= WINDOW else None
