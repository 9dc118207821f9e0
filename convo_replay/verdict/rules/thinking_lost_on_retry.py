"""Thinking blocks come back on a retry as they did before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from convo_replay.exchange import Request
from convo_replay.providers import wire
from convo_replay.verdict import histories
from convo_replay.verdict.case import Case, history_of, is_branch, messages
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.judgement import Judgement, Level, Rule

RULE = Rule(
    name="thinking-lost-on-retry",
    levels=("error", "warn"),
    summary="After a fault, a request is one of the recorded ones without (some of) its thinking.",
    threshold="all else in the messages is equal, and the model is the same. A warning where a recorded branch "
    "answers it",
    why="The API wants the thinking blocks of an open tool loop back, unmodified (DeepSeek: reasoning_content). The "
    "client keeps them on its normal way and loses them on the way through an error: it retries from a store that has "
    "texts and tools only, or a signature that came last in the stream was cut off with it.",
    todo="keep the content list of each answer as it was received, and retry with that",
    source="protocol.md §3 (A6, A7), §2.4 (DeepSeek)",
    yields_to=frozenset({"tool-ran-on-partial-input", "partial-turn-sent-back"}),
)


def check(case: Case) -> Iterator[Judgement]:
    for request in histories.later(case):
        fault = histories.fault_before(case, request)
        found = _lost(case, request) if fault is not None else None
        if fault is None or found is None:
            continue
        at, gone = found
        level: Level = "warn" if is_branch(request) else "error"
        yield RULE.found(
            fault.turn,
            fault.number,
            "sent the model's turn back without its thinking",
            [
                f"messages[{at}]: {gone} thinking block{'' if gone == 1 else 's'} that the recorded request holds",
                *(f"the request breaks {one.rule}: {one.message}" for one in request.broken[:2]),
            ],
            level=level,
        )
        return


def _lost(case: Case, request: Attempt) -> tuple[int, int] | None:
    """The first message without its thinking, and how many blocks are missing there."""
    sent = messages(request)
    bare = [histories.without_thinking(message) for message in sent]
    known = [turn.request for turn in case.run.turns] + [one.request for one in case.run.attempts if one.faults]
    for other in known:
        theirs = history_of(other)
        if len(theirs) != len(sent) or _model(other) != _model(request.request):
            continue
        if bare != [histories.without_thinking(message) for message in theirs]:
            continue
        for at, (mine, message) in enumerate(zip(sent, theirs, strict=True)):
            missing = Counter(histories.thoughts(message)) - Counter(histories.thoughts(mine))
            if missing and not _as_it_came(case, at, mine):
                return at, missing.total()
    return None


def _as_it_came(case: Case, at: int, message: Any) -> bool:
    """Whether it was the fault that spoiled the thinking: the client has as many blocks as it was given."""
    asked = [one for one in case.run.attempts if one.exchange is not None and len(messages(one)) == at]
    if not asked or not asked[-1].faults:
        return False
    given = case.delivered(asked[-1]).reply.content
    return len(histories.thoughts(message)) >= sum(block.get("type") in histories.THINKING for block in given)


def _model(request: Request) -> str:
    return wire.string(wire.mapping(request.json).get("model"))
