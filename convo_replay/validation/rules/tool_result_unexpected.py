"""A `tool_result` answers a `tool_use` of the turn right before it."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked
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
)


def check(asked: Asked) -> Iterator[Finding]:
    for span in asked.spans:
        if span.role != "user" or span.end <= asked.new:
            continue
        known: frozenset[str] | None = None
        said, severity = "", RULE.severity
        for index, at, ident in span.results():
            if not ident or index < asked.new:
                continue
            if known is None:
                known = tool_loop.asked_before(asked, span.start)
                if known is None:
                    break
                listed = tool_loop.listed(sorted(known))
                if known and not tool_loop.compares_ids(asked) and len(known) == len(list(span.results())):
                    severity = "warn"
                said = f"that turn asks for {listed}" if known else "that turn asks for no tool"
            if ident not in known:
                yield RULE.found(
                    ("messages", index, "content", at),
                    f"expected the id of a `tool_use` of the turn before, sent {value(ident)}; {said}",
                    api_error=f"messages.{index}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{ident}. Each `tool_result` block must have a corresponding `tool_use` block in the previous "
                    "message.",
                    severity=severity,
                )
