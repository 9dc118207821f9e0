"""A tool is run when its input is whole."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.providers.reply import ToolUse
from convo_replay.validation.findings import value
from convo_replay.verdict import histories
from convo_replay.verdict.case import Case, Question, messages
from convo_replay.verdict.evidence import Attempt
from convo_replay.verdict.judgement import Judgement, Rule

RULE = Rule(
    name="tool-ran-on-partial-input",
    levels=("error",),
    summary="A request answers a tool call whose input never arrived whole.",
    threshold="the input differs from the recorded one, or is no JSON, and no other attempt had brought it. Not where "
    "the result is an error (`is_error`, or a text that begins so)",
    why="The stream broke off inside a tool call. anthropic's helper fills `input` while the JSON arrives, so half a "
    "path or half a query looks like a whole one; an empty input looks like {}. The tool was run with that, and what "
    "it did (a file written, a mail sent) was not what the model asked for.",
    todo="run a tool after its block has ended and stop_reason says tool_use (chat completions: finish_reason "
    "tool_calls), with an input that parses; else ask again",
    source="protocol.md §2.1 (eager_input_streaming), §4.4, row 49",
)


def check(case: Case) -> Iterator[Judgement]:
    for question in case.faulted:
        for attempt in question.hit:
            found = _ran(case, question, attempt)
            if found is not None:
                yield found
                break


def _ran(case: Case, question: Question, attempt: Attempt) -> Judgement | None:
    if attempt.exchange is None or attempt.exchange.head is None:
        return None
    delivered = case.delivered(attempt)
    if delivered.how == "same" or not delivered.reply.tool_uses:
        return None
    known = len(messages(attempt))
    for at, use in enumerate(delivered.reply.tool_uses):
        whole = histories.same_use(use, at, delivered.recorded.tool_uses)
        if not use.id or whole is None or _is_whole(use, whole):
            continue
        for request in case.run.attempts:
            if not histories.is_after(case, request, attempt) or len(messages(request)) <= known:
                continue
            if _brought(case, question, whole, attempt, request):
                break
            result = next((one for one in histories.results(request) if one.id == use.id and one.at >= known), None)
            if result is not None and not result.failed and not _had_it_whole(request, result, whole):
                return RULE.found(
                    question.turn,
                    attempt.number,
                    f"ran `{use.name or whole.name}` on an input that broke off",
                    [
                        f"{use.id}: its input came as {value(use.raw_input)}, whole it is {value(whole.raw_input)}",
                        f"messages[{result.at}] of a later request holds its result: {value(result.content)}",
                    ],
                )
    return None


def _is_whole(use: ToolUse, whole: ToolUse) -> bool:
    return bool(use.input == whole.input) and wire.parse(use.raw_input or "{}") is not None


def _had_it_whole(request: Attempt, result: histories.Result, whole: ToolUse) -> bool:
    """Whether the client put the input together all the same: it sends it back as it was recorded."""
    sent = messages(request)[result.asked] if result.asked >= 0 else None
    return any(
        block.get("type") == "tool_use" and block.get("id") == result.id and block.get("input") == whole.input
        for block in histories.blocks(sent)
    )


def _brought(case: Case, question: Question, whole: ToolUse, partial: Attempt, request: Attempt) -> bool:
    """Whether another attempt had brought the whole input before a request."""
    return any(
        one is not partial
        and one.exchange is not None
        and histories.is_after(case, request, one)
        and case.delivered(one).how != "no"
        and any(use.id == whole.id and _is_whole(use, whole) for use in case.delivered(one).reply.tool_uses)
        for one in question.attempts
    )
