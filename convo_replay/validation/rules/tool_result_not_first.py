"""Tool results come first in their user turn."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, shown
from convo_replay.validation.rules import tool_result_missing

RULE = Rule(
    name="tool-result-not-first",
    number="A3",
    format="anthropic",
    severity="error",
    summary="The tool_result blocks of a user turn stand before anything else in it.",
    why="The result of a tool is there, but text or an image stands before it, in the same message or in a user "
    "message before that, which the API merges into one turn. It then reads the turn as one without results. Put all "
    "tool_result blocks first, and what the user has to add after them.",
    source="platform.claude.com agents-and-tools/tool-use/handle-tool-calls",
    api_error=tool_result_missing.RULE.api_error,
    needs=frozenset({"tool_result"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    for span, after in tool_loop.asking(asked):
        given = tool_loop.answers(after)
        if given.before is None or not given.late:
            continue
        place, at, kind = given.before
        counted = not tool_loop.compares_ids(asked)
        where = shown(("messages", place, "content", at))
        for index, message in enumerate(span.messages, span.start):
            late = [ident for _, ident in message.uses if ident in given.late or (counted and ident not in given.first)]
            if late:
                yield RULE.found(
                    ("messages", index),
                    f"expected the `tool_result` for {tool_loop.listed(late)} before anything else of the next turn, "
                    f"sent `{kind}` at {where} before it",
                    api_error=tool_result_missing.words(index, late),
                )
