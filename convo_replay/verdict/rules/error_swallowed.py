"""A client tells somebody that it has no answer."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict.case import Case
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import got

RULE = Rule(
    name="error-swallowed",
    levels=("error",),
    summary="The test passed though the request failed.",
    threshold="the outcome is silent after an error status, a failed connection, an error event in the stream, or a "
    'page in place of the answer. Not with expect="handled"',
    why="The failure was caught and nothing came of it: an empty answer, None, a line in a log that nobody reads. The "
    "caller goes on as if the model had answered. It comes about with `except Exception: pass` around the call; and "
    "with gateways' errors in a stream that the SDK itself drops.",
    todo="let the exception through, or return something that callers must look at; where the user is told, declare "
    'expect="handled"',
    source="protocol.md §4.1, §4.4, rows 1-15, 34, 35, 37",
)


def check(case: Case) -> Iterator[Judgement]:
    if case.outcome != "silent":
        return
    for question in case.unanswered:
        if case.delivered(question.last).broken in ("failed", "error"):
            yield RULE.found(
                question.turn,
                question.last.number,
                "the request failed, and the test passed",
                [
                    f"it got {got(case, question.last)}",
                    _tried(len(question.tries)),
                ],
            )


def _tried(count: int) -> str:
    return "it asked once" if count == 1 else f"it asked {count} times"
