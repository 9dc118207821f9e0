"""Each `tool_use` is answered in the next turn."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked, Span
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="tool-result-missing",
    number="A2",
    format="anthropic",
    severity="error",
    summary="Each tool_use of an assistant turn has a tool_result in the user turn right after it.",
    why="The model asked for tools, and the next turn goes on without the result of one of them: a tool failed or "
    "was cancelled and nothing was sent for it, one of several parallel calls was forgotten, history was trimmed "
    "between call and result, or the user's next text was sent in place of the results. Send a tool_result for every "
    "tool_use, with is_error: true where the tool did not run. Results may be spread over several user messages in a "
    "row; the API merges them.",
    source="platform.claude.com agents-and-tools/tool-use/handle-tool-calls; anthropics/claude-code #2697",
    api_error="messages.N: `tool_use` ids were found without `tool_result` blocks immediately after: ID. Each "
    "`tool_use` block must have a corresponding `tool_result` block in the next message.",
    needs=frozenset({"tool_use"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    for span, after in tool_loop.asking(asked):
        given = tool_loop.answers(after)
        enough = after is not None and _enough(asked, span, after)
        for index, message in enumerate(span.messages, span.start):
            missing = [use for _, use in message.uses if use and use not in given.first and use not in given.late]
            if missing:
                yield RULE.found(
                    ("messages", index),
                    _said(missing, span, after),
                    api_error=words(index, missing),
                    severity="warn" if enough else None,
                )


def _enough(asked: Asked, span: Span, after: Span) -> bool:
    """Whether an API that counts results and compares no ids is content."""
    return not tool_loop.compares_ids(asked) and len(list(after.results())) == len(list(span.uses()))


def words(index: int, idents: list[str]) -> str:
    """The API's words; the same where results come too late (A3)."""
    listed = tool_loop.listed(idents)
    return RULE.api_error.replace("messages.N", f"messages.{index}", 1).replace("ID", listed, 1)


def _said(missing: list[str], span: Span, after: Span | None) -> str:
    idents = tool_loop.listed(missing)
    if after is None:
        return (
            f"expected a user message with a `tool_result` for {idents} next, sent none after messages[{span.end - 1}]"
        )
    return f"expected a `tool_result` for {idents} at the start of messages[{after.start}], sent none"
