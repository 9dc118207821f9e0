"""A `tool_result` answers a `tool_use` of the turn right before it."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked, Span
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="tool-result-unexpected",
    number="A4",
    format="anthropic",
    severity="error",
    summary="Each tool_result names a tool_use of the assistant turn right before it.",
    why="The result is of a tool that the assistant's last turn did not ask for: the assistant turn was saved as "
    "text only, history was trimmed and the call is gone while its result is left, the id was changed on the way, or "
    "the result is sent a second time later on. Keep call and result together when you trim, and pass ids on as they "
    "came.",
    source="vercel/ai #17366; anthropics/claude-code #13460",
    api_error="messages.N.content.M: unexpected `tool_use_id` found in `tool_result` blocks: ID. Each `tool_result` "
    "block must have a corresponding `tool_use` block in the previous message.",
    needs=frozenset({"tool_result"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    for span in asked.spans:
        if span.role == "user" and span.end > asked.new and not _is_fine(asked, span):
            yield from _unexpected(asked, span)


def _is_fine(asked: Asked, span: Span) -> bool:
    """Whether the message before asks for all of it, or there is no result: the most common cases, at little cost."""
    before = asked.messages[span.start - 1].uses if span.start else ()
    return all(
        not message.results or {ident for _, ident in message.results}.issubset([ident for _, ident in before])
        for message in span.messages
    )


def _unexpected(asked: Asked, span: Span) -> Iterator[Finding]:
    known = tool_loop.asked_before(asked, span.start)
    if known is None:
        return
    results = list(span.results())
    counted = known and len(known) == len(results) and not tool_loop.compares_ids(asked)
    named = tool_loop.listed(sorted(filter(None, known))) or "a tool without an id"
    asks = f"asks for {named}" if known else "asks for no tool"
    for index, at, ident in results:
        if ident and ident not in known and index >= asked.new:
            yield RULE.found(
                ("messages", index, "content", at),
                f"expected the id of a `tool_use` of the turn before, sent {value(ident)}; that turn {asks}",
                api_error=f"messages.{index}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{ident}. Each `tool_result` block must have a corresponding `tool_use` block in the previous "
                "message.",
                severity="warn" if counted else None,
            )
