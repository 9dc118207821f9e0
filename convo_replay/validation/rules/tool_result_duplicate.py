"""A `tool_use` has one `tool_result`."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, shown, value

RULE = Rule(
    name="tool-result-duplicate",
    number="A4",
    format="anthropic",
    severity="error",
    summary="A tool_use is answered by one tool_result.",
    why="Two results name the same tool_use: a call was run twice, a placeholder for a cancelled call and the real "
    "result that came late were both kept, or a converter made one result of each part of its content. Send one "
    "tool_result with all of the content in it.",
    source="the API's answer as quoted in BerriAI/litellm (tests of its Messages adapter) and in reports about goose",
    api_error="messages.N.content.M: each tool_use must have a single result. Found multiple `tool_result` blocks "
    "with id: ID",
    needs=frozenset({"tool_result"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    for span in asked.spans:
        if span.role != "user" or span.end <= asked.new or sum([len(message.results) for message in span.messages]) < 2:
            continue
        seen: dict[str, tuple[int, int]] = {}
        for index, at, ident in span.results():
            if not ident:
                continue
            first = seen.setdefault(ident, (index, at))
            if first != (index, at) and index >= asked.new:
                place = shown(("messages", first[0], "content", first[1]))
                yield RULE.found(
                    ("messages", index, "content", at),
                    f"expected one `tool_result` for {value(ident)}, sent another one at {place}",
                    api_error=f"messages.{index}.content.{at}: each tool_use must have a single result. Found multiple "
                    f"`tool_result` blocks with id: {ident}",
                )
