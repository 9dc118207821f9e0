"""A client notices that a stream ended before its end."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.findings import value
from convo_replay.verdict.case import Case
from convo_replay.verdict.judgement import Judgement, Rule
from convo_replay.verdict.telling import got

_SHOWN = 60  # characters

RULE = Rule(
    name="truncated-stream-accepted",
    levels=("error",),
    summary="The test passed with the beginning of an answer, after its stream was cut.",
    threshold='the outcome is silent, and what came is the beginning of what was recorded. Not with expect="handled"',
    why="When a connection closes cleanly in the middle of a stream, neither SDK raises anything: the iterator just "
    "ends, the message has no stop_reason. Half an answer is shown as a whole one, a tool call that never came is not "
    "made, and the history holds a turn that the model did not finish. Where the connection broke the SDK raises, and "
    "the application has swallowed that.",
    todo="use an answer only if its stop_reason (chat completions: finish_reason) is set, else raise or ask again",
    source="protocol.md §4.4, rows 24, 26-28, 42",
)


def check(case: Case) -> Iterator[Judgement]:
    if case.outcome != "silent":
        return
    for question in case.unanswered:
        delivered = case.delivered(question.last)
        if delivered.broken != "cut":
            continue
        stop = delivered.reply.stop_reason
        text = delivered.reply.text
        tools = [use.name or use.id for use in delivered.recorded.tool_uses[len(delivered.reply.tool_uses) :]]
        evidence = [f"it got {got(case, question.last)}", f"stop_reason is {value(stop)[1:-1] if stop else 'not set'}"]
        if text:
            evidence.append(f"the text ends {value(text[-_SHOWN:])}")
        if tools:
            evidence.append(f"tools that were never asked for: {value(tools)}")
        said = "took the beginning of an answer for the whole of it"
        if question.last.state == "raised":
            said = "the stream broke off, and the test passed"
        yield RULE.found(question.turn, question.last.number, said, evidence)
