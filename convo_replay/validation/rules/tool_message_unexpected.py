"""A `tool` message answers a call of the assistant message before it."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="tool-message-unexpected",
    number="O2",
    format="openai_chat",
    severity="error",
    summary="A tool message follows the assistant message whose tool_calls it answers.",
    why="The answer of a tool stands where none was asked for: the assistant message was saved without its "
    "tool_calls, history was trimmed and the call is gone while its answer is left, or the id was changed on the "
    "way. Keep the assistant message with tool_calls, the tool messages after it, and the ids as they came.",
    source="miurla/morphic #136; prism-php/prism #175",
    api_error="Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
    "'tool_calls'.",
    needs=frozenset({"tool"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    run: _Run | None = None
    for index, message in asked.fresh:
        if message.role != "tool":
            run = None
            continue
        run = run or _Run(asked, index)
        ident = message.results[0][1] if message.results else ""
        if not run.calls:
            yield RULE.found(
                ("messages", index, "role"),
                f"expected an assistant message with `tool_calls` before a `tool` message, sent {run.before}",
                api_error=RULE.api_error,
            )
        elif ident and ident not in run.calls and "" not in run.calls:
            yield RULE.found(
                ("messages", index, "tool_call_id"),
                f"expected the id of a call of the assistant message before, sent {value(ident)}, not {run.listed}",
                api_error=f"Invalid parameter: 'tool_call_id' of '{ident}' not found in 'tool_calls' of previous "
                "message.",
            )


class _Run:
    """The `tool` messages in a row that a message belongs to: which calls they may answer."""

    def __init__(self, asked: Asked, index: int) -> None:
        index -= 1
        while index >= 0 and asked.messages[index].role == "tool":
            index -= 1
        uses = asked.messages[index].uses if index >= 0 else ()
        self.calls = frozenset(ident for _, ident in uses)
        """Their ids; a call without one has an empty one."""
        self.listed = tool_loop.listed([ident for _, ident in uses])
        self.before = f"one with the role {value(asked.messages[index].role)} without" if index >= 0 else "none"
