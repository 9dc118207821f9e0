"""A client does not repeat a request that was refused for what it says."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict.asking_again import is_final
from convo_replay.verdict.case import Case, status_of
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import followed

RULE = Rule(
    name="non-retryable-retried",
    levels=("error",),
    summary="The same request was sent again after an answer that no repetition changes.",
    threshold="any 4xx but 408, 409, 425, 429; and whatever has `x-should-retry: false`. Not where `x-should-retry: "
    "true`, nor with other credentials or to another server",
    why="400, 401, 403, 404, 413, 422 say something about the request itself: it will be refused as often as it is "
    "sent. Users wait longer for the same error, and repeated 401s get keys blocked. It comes about where a retry "
    "decorator catches Exception, or the SDK's APIError as a whole.",
    todo="retry what can change (connection errors, 408, 409, 429, 5xx), and raise the rest at once",
    source="protocol.md §4.1, §4.2",
)


def check(case: Case) -> Iterator[Judgement]:
    for question in case.questions:
        vain = [(before, after) for before, after in question.retries if is_final(before)]
        if vain:
            before, after = vain[0]
            times = "once" if len(vain) == 1 else f"{len(vain)} times"
            why = (
                " with `x-should-retry: false`"
                if (before.exchange and before.exchange.header("x-should-retry"))
                else ""
            )
            yield RULE.found(
                question.turn,
                after.number,
                f"sent the same request again {times} after {status_of(before)}{why}",
                [followed(one, two) for one, two in vain[:3]],
            )
