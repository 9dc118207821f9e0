"""What was said stays in the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convo_replay.verdict import histories
from convo_replay.verdict.case import Case, history_of, is_branch, messages
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.judgement import Judgement, Level, Rule

RULE = Rule(
    name="turn-lost",
    levels=("error", "warn"),
    summary="After a fault, a request lacks messages that the conversation had.",
    threshold="it holds a part of what a recorded request holds, in order, and is none of the recorded ones; or what "
    "follows a question that failed comes without an answer in between. A warning where a recorded branch answers it. "
    'With expect="handled" a question that was never answered may be dropped',
    why="The client dropped a turn on its way through the error: it popped the last message and then some, built the "
    "history anew from what it had stored, or went on with the next question though the one before was not answered. "
    "The model does not know what was said, and answers something else.",
    todo="change the history only once an answer is whole, and ask again with the same messages",
    source="protocol.md §3 (A1, A2)",
    yields_to=frozenset(
        {"tool-ran-on-partial-input", "partial-turn-sent-back", "tool-ran-twice", "thinking-lost-on-retry"}
    ),
)


def check(case: Case) -> Iterator[Judgement]:
    requests = histories.later(case)
    if not requests:
        return
    recorded = [[histories.written(one) for one in history_of(turn.request)] for turn in case.run.turns]
    told = case.unanswered if case.expected == "handled" else []
    asked = [len(messages(question.hit[0])) - 1 for question in told]
    dropped = [{place, place + 1} for place in asked]
    for request in requests:
        sent = histories.history(request)
        fault = histories.fault_before(case, request)
        if not sent or fault is None or sent in recorded:
            continue
        level: Level = "warn" if is_branch(request) else "error"
        lost = next((found for known in recorded if (found := _lost(sent, known, dropped))), None)
        if lost:
            places = ", ".join(f"messages[{at}]" for at in lost[:5])
            yield RULE.found(
                fault.turn,
                fault.number,
                f"sent a history without {len(lost)} of its messages",
                [f"recorded and not sent: {places}", f"sent: {len(sent)} messages, recorded: {len(sent) + len(lost)}"],
                level=level,
            )
            return
        place = _unanswered(case, request, sent)
        if place is not None:
            yield RULE.found(
                fault.turn,
                fault.number,
                "went on without the answer to the question before",
                [f"messages[{place}] follows the question of a turn that failed, with no answer in between"],
                level=level,
            )
            return


def _lost(sent: Sequence[str], recorded: Sequence[str], dropped: Sequence[set[int]]) -> list[int]:
    """Which messages of a recorded request are missing, where the sent ones are the rest of it; else none.

    Args:
        dropped: questions of which the user was told that there is no answer, each with its answer: both may be left
            out together.
    """
    missing: list[int] = []
    at = 0
    for index, message in enumerate(recorded):
        if at < len(sent) and sent[at] == message:
            at += 1
        else:
            missing.append(index)
    for pair in dropped:
        if pair <= set(missing):
            missing = [index for index in missing if index not in pair]
    return missing if at == len(sent) else []


def _unanswered(case: Case, request: Attempt, sent: Sequence[str]) -> int | None:
    """Where a message follows the question of a faulted turn, though an answer should."""
    following = messages(request)
    for question in case.faulted:
        asked = histories.history(question.hit[0])
        goes_on = asked and len(sent) > len(asked) and list(sent[: len(asked)]) == asked
        if goes_on and histories.role(following[len(asked)]) not in ("assistant", "system", "developer"):
            return len(asked)
    return None
