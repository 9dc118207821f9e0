"""A tool that was run is not run again for the same call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from convo_replay.validation.findings import value
from convo_replay.verdict import histories
from convo_replay.verdict.case import Case, messages
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.histories import Result
from convo_replay.verdict.judgement import Judgement, Level, Rule

RULE = Rule(
    name="tool-ran-twice",
    levels=("error", "warn"),
    summary="A tool call was answered twice.",
    threshold="an error where the second result is another one, or one request holds both; a warning where the "
    "conversation was started over, and the same tools were answered anew",
    why="After a failure the client went back too far: to the tool, or to the start of the conversation, though the "
    "tool had done its work. What it does is done twice: a mail is sent, a card charged, a row added. It comes about "
    "where a retry is put around the whole loop, in place of around the one call that failed.",
    todo="keep results by the id of the call, and ask again with the history as it is",
    source="platform.claude.com agents-and-tools/tool-use (tool_use_id)",
    yields_to=frozenset({"tool-ran-on-partial-input"}),
)

_Call = tuple[str, int, str]
"""The first message of a conversation, where the call stands in it, its id: gateways number calls anew each time."""


@dataclass(slots=True)
class _Answered:
    """A result that was sent."""

    by: Attempt
    result: Result


def check(case: Case) -> Iterator[Judgement]:
    known: dict[_Call, _Answered] = {}
    broken = False
    for attempt in case.run.attempts:
        fault = histories.fault_before(case, attempt) if broken else None
        for call, result in _new_results(attempt):
            before = known.get(call)
            known[call] = _Answered(attempt, result)
            if fault is None or before is None or before.by is attempt:
                continue
            level = _level(case, before, attempt, result)
            if level is not None:
                yield _found(fault, before.result, result, level)
                return
        if fault is not None and (found := _both_in_one(attempt, fault)) is not None:
            yield found
            return
        broken = broken or bool(attempt.faults)


def _level(case: Case, before: _Answered, attempt: Attempt, result: Result) -> Level | None:
    if result.content != before.result.content:
        return "error"
    asked = histories.history(attempt)[: result.asked]
    again = (
        one
        for one in case.run.attempts
        if histories.is_after(case, one, before.by)
        and histories.is_after(case, attempt, one)
        and one.exchange is not None
        and one.exchange.head is not None
        and histories.history(one) == asked
    )
    return "warn" if any(use.id == result.id for one in again for use in case.delivered(one).reply.tool_uses) else None


def _new_results(attempt: Attempt) -> Iterator[tuple[_Call, Result]]:
    """The results that follow the last answer in a request."""
    history = messages(attempt)
    for result in histories.results_of(attempt.request, last=True):
        if result.id and result.asked >= 0:
            yield (histories.written(history[0]), result.asked, result.id), result


def _both_in_one(attempt: Attempt, fault: Attempt) -> Judgement | None:
    found = list(histories.results(attempt))
    count = Counter((result.asked, result.id) for result in found if result.id)
    twice = next((call for call, times in count.items() if times > 1), None)
    if twice is None:
        return None
    if attempt.recorded is not None:
        recorded = (result.id for result in histories.results_of(attempt.recorded.request))
        if Counter(recorded)[twice[1]] >= count[twice]:
            return None
    first, second = [result for result in found if (result.asked, result.id) == twice][:2]
    return _found(fault, first, second, "error")


def _found(fault: Attempt, first: Result, second: Result, level: Level) -> Judgement:
    same = "the same result as before" if first.content == second.content else "another result than before"
    return RULE.found(
        fault.turn,
        fault.number,
        f"answered the tool call {second.id} a second time",
        [
            f"{second.id}: {same}, in messages[{second.at}]",
            *(
                [f"first {value(first.content)}, then {value(second.content)}"]
                if first.content != second.content
                else []
            ),
        ],
        level=level,
    )
