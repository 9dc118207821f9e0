"""A client that was told when to come back waits that long."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict.asking_again import asked_to_wait
from convo_replay.verdict.case import Case, gap
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import followed

TOLERANCE = 0.01
"""Seconds that a clock may be off."""

RULE = Rule(
    name="retry-after-ignored",
    levels=("error",),
    summary="The next attempt came before the time that `retry-after` (or `retry-after-ms`) asked for.",
    threshold=f"earlier by more than {TOLERANCE * 1000:g} ms; 0, negative and unreadable values ask for nothing",
    why="The server says when it will have room again. Who comes earlier is refused again, and in many systems each "
    "early request counts against the limit: the client keeps itself locked out. It comes about where an application "
    "has a retry loop of its own around an SDK with max_retries=0, or a backoff that looks at the number of the "
    "attempt alone.",
    todo="wait as long as the header says: let the SDK retry, or read `error.response.headers['retry-after']`",
    source="RFC 9110 §10.2.3; protocol.md §4.2",
    yields_to=frozenset({"retry-storm", "non-retryable-retried"}),
)


def check(case: Case) -> Iterator[Judgement]:
    for question in case.questions:
        early = [
            (before, after, asked)
            for before, after in question.retries
            if (asked := asked_to_wait(before)) and gap(before, after) < asked - TOLERANCE
        ]
        if early:
            before, after, asked = early[0]
            yield RULE.found(
                question.turn,
                after.number,
                f"asked again after {gap(before, after):.2f} s, where the answer asked for {asked:g} s",
                [f"{followed(one, two)}, which asked for {time:g} s" for one, two, time in early[:3]],
            )
