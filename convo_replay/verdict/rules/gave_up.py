"""A client asks again where the SDKs would."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict.asking_again import is_retryable
from convo_replay.verdict.case import Case
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import got

RULE = Rule(
    name="gave-up",
    levels=("warn",),
    summary="A failure that passes reached the test as an exception, and nobody had asked again.",
    threshold="asked once, and then 408, 409, 429, 5xx, `x-should-retry: true`, no connection, no answer, or (of what "
    "is no stream) half a body. Not where the server asks for more than 120 s, nor while a retry was waited for",
    why="One lost connection or one busy second of the server is an error for the user. Both SDKs ask twice more by "
    "themselves; an application that switches that off (max_retries=0), or that speaks HTTP itself, has to do it.",
    todo="leave the SDK its retries (max_retries=2), or retry these failures with backoff",
    source="protocol.md §4.2",
)


def check(case: Case) -> Iterator[Judgement]:
    if case.outcome != "raised":
        return
    for question in (*case.unanswered, *case.asserted):
        attempt = question.last
        if len(question.tries) > 1 or attempt.waits or not attempt.faults:
            continue
        if is_retryable(attempt, streamed=case.delivered(attempt).streamed):
            yield RULE.found(
                question.turn, attempt.number, "gave up after one attempt", [f"it got {got(case, attempt)}"]
            )
