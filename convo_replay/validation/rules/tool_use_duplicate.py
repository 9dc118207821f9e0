"""The ids of tool calls differ."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, shown, value

RULE = Rule(
    name="tool-use-duplicate",
    number="A2",
    format="anthropic",
    severity="error",
    summary="The tool_use blocks of a turn have different ids.",
    why="Two tool_use blocks have the same id, so no result can tell which one it answers. Usually a block was added "
    "twice while a stream was put together, a gateway numbers its calls per answer, or two formats of the same call "
    "(tool_calls and tool_use) were both converted. Give each call an id of its own, the same in its tool_result.",
    source="BerriAI/litellm #23510; anthropics/claude-code #20700; anomalyco/opencode #1279",
    api_error="messages.N.content.M: `tool_use` ids must be unique",
    needs=frozenset({"tool_use"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    for span in asked.spans:
        if (
            span.role != "assistant"
            or span.end <= asked.new
            or sum([len(message.uses) for message in span.messages]) < 2
        ):
            continue
        seen: dict[str, tuple[int, int]] = {}
        for index, at, ident in span.uses():
            if not ident:
                continue
            first = seen.setdefault(ident, (index, at))
            if first != (index, at) and index >= asked.new:
                place = shown(("messages", first[0], "content", first[1]))
                yield RULE.found(
                    ("messages", index, "content", at),
                    f"expected an id of its own, sent {value(ident)}, which {place} has, too",
                    api_error=f"messages.{index}.content.{at}: `tool_use` ids must be unique",
                )
