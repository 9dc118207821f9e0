"""Blocks of the assistant stand in assistant messages, tool results in user messages."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, shown

RULE = Rule(
    name="block-misplaced",
    number="§1.2",
    format="anthropic",
    severity="error",
    summary="What the assistant makes stands in assistant messages, tool_result in user messages.",
    why="The block is well formed, but in a message of the wrong role: tool results were appended to the assistant's "
    "content, or a stored conversation was split at the wrong place. The assistant's turn holds text, thinking, "
    "tool_use and the blocks of server tools; the user's next turn holds the tool_result blocks.",
    source="protocol.md §1.2; answers of the API quoted by router-for-me/CLIProxyAPI, dust-tt/dust and others",
    api_error="messages.N: `tool_result` blocks can only be in `user` messages",
)
_ASSISTANT = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "thinking", "redacted_thinking"})
_THINKING = frozenset({"thinking", "redacted_thinking"})


def check(asked: Asked) -> Iterator[Finding]:
    for index, message in asked.fresh:
        if message.role == "assistant":
            for at, _ in message.results[:1]:
                yield _found(index, at, "tool_result", "user")
        elif message.role == "user" and not message.plain:
            for at, kind in enumerate(message.types):
                if kind in _ASSISTANT:
                    yield _found(index, at, kind, "assistant")
                    break


def _found(index: int, at: int, kind: str, role: str) -> Finding:
    words = (
        f"messages.{index}.content: thinking blocks may only be in `{role}` messages"
        if kind in _THINKING
        else f"messages.{index}: `{kind}` blocks can only be in `{role}` messages"
    )
    return RULE.found(
        ("messages", index),
        f"expected `{kind}` in `{role}` messages only, sent one at {shown(('messages', index, 'content', at))}",
        api_error=words,
    )
