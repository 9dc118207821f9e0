"""A client notices that an answer is not what the protocol allows."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict import histories
from convo_replay.verdict.case import Case, Question
from convo_replay.verdict.completion import Delivered
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import got

_HIDDEN = frozenset({"benign", "tools"})
"""Faults after which another answer is no damage: a tool that does not exist is an answer."""

RULE = Rule(
    name="malformed-event-ignored",
    levels=("error", "warn"),
    summary="The test passed with an answer of which an event was malformed, missing, doubled or out of order.",
    threshold="an error where the stream's own order shows it; a warning where nobody could have seen it (a lost "
    'delta): then the outcome is recovered. Not with expect="handled"',
    why="SDKs skip what they cannot place: events without a name, deltas of another block, a page in place of events. "
    "The answer lacks a part or has it twice, and looks whole. Gateways and proxies that rewrite streams cause it.",
    todo="check that a message began and ended, that blocks are numbered in order and that stop_reason is set; what "
    "nobody can see (the warning) only a comparison with the recording shows",
    source="protocol.md §4.4, rows 30-32, 38, 39, 43-48, 53",
)


def check(case: Case) -> Iterator[Judgement]:
    if case.outcome == "silent":
        for question in case.unanswered:
            delivered = case.delivered(question.last)
            if delivered.broken == "malformed":
                evidence = list(delivered.damage[:3]) or [f"it got {got(case, question.last)}"]
                yield RULE.found(
                    question.turn, question.last.number, "the answer was damaged, and the test passed", evidence
                )
    if case.outcome == "recovered" and case.expected != "handled":
        for question in case.faulted:
            answer = question.answer
            if answer is not None and _unseen(case.delivered(answer)):
                yield _told(question, answer, case.delivered(answer))
    if case.outcome == "diverged" and case.expected != "handled":
        yield from _passed_on(case)


def _passed_on(case: Case) -> Iterator[Judgement]:
    """A damaged answer that was sent back, so that nothing recorded fits what follows."""
    requests = histories.later(case)
    for question in case.faulted:
        for attempt in question.hit:
            delivered = case.delivered(attempt)
            if not (_unseen(delivered) or delivered.broken == "malformed") or not _is_of_events(attempt):
                continue
            if any(_sends_back(delivered, attempt, request) for request in requests):
                yield _told(question, attempt, delivered)


def _told(question: Question, attempt: Attempt, delivered: Delivered) -> Judgement:
    seen = bool(delivered.damage)
    message = "took a damaged answer as it came" if seen else "the answer lacks something, and nothing in it shows that"
    hit = " + ".join(map(str, attempt.faults))
    evidence = list(delivered.damage[:3]) or [f"{hit}: other content than was recorded, in a stream that is in order"]
    return RULE.found(question.turn, attempt.number, message, evidence, level=None if seen else "warn")


def _unseen(delivered: Delivered) -> bool:
    return delivered.how == "unseen" and _is_of_events(delivered.attempt)


def _is_of_events(attempt: Attempt) -> bool:
    return any(spec.fault.kind not in _HIDDEN for spec in attempt.faults)


def _sends_back(delivered: Delivered, attempt: Attempt, request: Attempt) -> bool:
    found = histories.answer_sent(attempt, request)
    if found is None:
        return False
    content = delivered.reply.content
    return histories.says_the_same(found[1], content) or histories.is_part(found[1], content)
