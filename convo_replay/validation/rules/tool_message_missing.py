"""Each tool call is answered by a `tool` message right after it."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="tool-message-missing",
    number="O1",
    format="openai_chat",
    severity="error",
    summary="An assistant message with tool_calls is followed by a tool message for each of them.",
    why="The model asked for tools, and a message of another role comes before the last of them is answered, or "
    "nothing follows: a call failed or was cancelled and nothing was sent for it, one of several parallel calls was "
    "forgotten, or history was trimmed between call and answer. Send one message with role tool for each "
    "tool_call_id, in any order, right after the assistant's. OpenAI names the message that came instead "
    "(messages.[N].role), DeepSeek says (insufficient tool messages following tool_calls message).",
    source="BerriAI/litellm #28995; thinkinaixyz/deepchat #1078; tensorzero/tensorzero #4880",
    api_error="An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: ID",
)


def check(asked: Asked) -> Iterator[Finding]:
    messages = asked.messages
    start = _first(asked)
    for index in range(start, len(messages)):
        uses = messages[index].uses
        if not uses:
            continue
        given: set[str] = set()
        end = index + 1
        while end < len(messages) and messages[end].role == "tool":
            given.update(ident for _, ident in messages[end].results)
            end += 1
        missing = [ident for _, ident in uses if ident and ident not in given]
        if missing and end >= asked.new:
            listed = tool_loop.listed(missing)
            instead = f"one with the role {value(messages[end].role)}" if end < len(messages) else "nothing"
            yield RULE.found(
                ("messages", index),
                f"expected a `tool` message for {listed} after messages[{index}], sent {instead}",
                api_error=RULE.api_error.replace("ID", listed, 1),
            )


def _first(asked: Asked) -> int:
    """Where to start: at the last call that an earlier request knew, too; what follows it can be new."""
    index = min(asked.new, len(asked.messages)) - 1
    while index > 0 and asked.messages[index].role == "tool":
        index -= 1
    return max(index, 0)
