"""An answer that broke off is not sent back as what the model said."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.findings import value
from convo_replay.verdict import histories
from convo_replay.verdict.case import Case, Question, is_branch
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.judgement import Judgement, Level, Rule

_SHOWN = 60  # characters

RULE = Rule(
    name="partial-turn-sent-back",
    levels=("error", "warn"),
    summary="A later request holds, as the model's turn, the beginning of an answer that broke off.",
    threshold="a warning where the request is answered by a recorded branch",
    why="The model reads as its own words what it never finished: it goes on from a sentence that breaks off, a "
    "tool_use without its input, a thinking block without its signature, which the API rejects. It comes about where "
    'the history is filled while the stream arrives, or a client says "continue" after half an answer.',
    todo="drop what came and ask again; where going on from it is what you want, record that as a branch "
    "(--convo-record=new_episodes)",
    source="protocol.md §2.1, §4.4, row 24; platform.claude.com build-with-claude/streaming (error recovery)",
    yields_to=frozenset({"tool-ran-on-partial-input"}),
)


def check(case: Case) -> Iterator[Judgement]:
    requests = histories.later(case)
    if not requests:
        return
    for question in case.faulted:
        found = next((one for attempt in question.hit if (one := _sent_back(case, question, attempt, requests))), None)
        if found is not None:
            yield found


def _sent_back(case: Case, question: Question, attempt: Attempt, requests: list[Attempt]) -> Judgement | None:
    if attempt.exchange is None or attempt.exchange.head is None:
        return None
    delivered = case.delivered(attempt)
    partial = delivered.reply.content
    if delivered.how != "no" or delivered.broken not in ("cut", "error") or not partial:
        return None
    for request in requests:
        place = histories.answer_sent(attempt, request) if histories.is_after(case, request, attempt) else None
        if place is None or not histories.is_part(place[1], partial):
            continue
        if any(histories.says_the_same(place[1], whole) for whole in _whole(case, question, attempt)):
            continue
        stop = "no stop_reason" if not delivered.reply.stop_reason else "the stream broke off"
        sent = histories.text_in(place[1])
        level: Level = "warn" if is_branch(request) else "error"
        return RULE.found(
            question.turn,
            attempt.number,
            "sent the beginning of an answer back as the model's turn",
            [
                f"messages[{place[0]}] of the request after it is what came of the answer: {stop}",
                *([f"it ends {value(sent[-_SHOWN:])}"] if sent else []),
                *(f"that request breaks {one.rule}: {one.message}" for one in request.broken[:2]),
            ],
            level=level,
        )
    return None


def _whole(case: Case, question: Question, partial: Attempt) -> Iterator[list[dict[str, object]]]:
    """What the model has really said to the question, or to one like it."""
    yield case.delivered(partial).recorded.content
    for attempt in case.run.attempts:
        mine = attempt in question.attempts or is_branch(attempt)
        if mine and attempt is not partial and attempt.exchange is not None and case.delivered(attempt).how != "no":
            yield case.delivered(attempt).reply.content
