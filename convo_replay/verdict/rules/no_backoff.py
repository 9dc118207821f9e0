"""A client lets time pass before it asks again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convo_replay.verdict.asking_again import asked_to_wait, is_final
from convo_replay.verdict.case import IMMEDIATE, Case, pause
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import followed

RULE = Rule(
    name="no-backoff",
    levels=("error", "warn"),
    summary="Attempts followed each other at once.",
    threshold=f"less than {IMMEDIATE:g} s of waiting after a failed attempt: two or more in a row are an error, one is "
    "a warning (not where the conversation was started over)",
    why="What failed a moment ago fails again a moment later: the attempts are used up before the server has had time "
    "to recover, and all clients that do so keep it down. It comes about in a bare `for` loop around a call, and with "
    "tenacity's @retry without a `wait`.",
    todo="wait longer each time, with some randomness (the SDKs: 0.5 s, doubled up to 8 s, less up to a quarter)",
    source="protocol.md §4.2",
    yields_to=frozenset({"retry-storm", "retry-after-ignored", "non-retryable-retried"}),
)


def check(case: Case) -> Iterator[Judgement]:
    for question in case.questions:
        at_once = [
            (before, after)
            for before, after in question.retries
            if pause(before, after) < IMMEDIATE and asked_to_wait(before) is None and not is_final(before)
        ]
        if not at_once:
            continue
        row = _longest(at_once)
        several = len(row) > 1
        if not several and _started_over(case, *row[0]):
            continue
        yield RULE.found(
            question.turn,
            row[0][1].number,
            f"asked again {len(row)} times in a row without waiting" if several else "asked again without waiting",
            [followed(before, after) for before, after in row[:3]],
            level="error" if several else "warn",
        )


def _started_over(case: Case, before: Attempt, after: Attempt) -> bool:
    """Whether the client asked something earlier once more in between: it did not just repeat the last request."""
    return any(one.again and before.began <= one.began < after.began for one in case.run.attempts if one is not before)


def _longest(pairs: Sequence[tuple[Attempt, Attempt]]) -> list[tuple[Attempt, Attempt]]:
    """The most of them that follow each other."""
    best: list[tuple[Attempt, Attempt]] = []
    row: list[tuple[Attempt, Attempt]] = []
    for pair in pairs:
        row = [*row, pair] if row and row[-1][1] is pair[0] else [pair]
        best = max(best, row, key=len)
    return best
