"""A20: where a message of role `system` may stand, and which models know it.

As the page "Mid-conversation system messages" puts it (copy of Oct 2026). Several in a row are judged as one.
Messages with empty content that only set the effort may stand anywhere. Which models: see `capabilities.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, capabilities, severity_at
from convo_replay.validation.final_turn import is_server_result
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.messages import Message

CHANGES = ("tool_addition", "tool_removal")

RULE = Rule(
    name="system-misplaced",
    number="A20",
    format="anthropic",
    severity="error",
    summary="A `system` message follows a user turn, and an assistant turn or nothing follows it.",
    why="Instructions in the middle of a conversation stand right after a user turn (or after an assistant turn that "
    "ends with the result of a server tool) and right before an assistant turn, or last. They may not come first: the "
    "first instructions belong into the `system` parameter, as clients that were written for other APIs do not know. "
    "Nor may they come between a tool call and its result: put them after the message with the results. Models up to "
    "4.7, and Sonnet 5, do not know the role at all.",
    source="platform.claude.com build-with-claude/mid-conversation-system-messages; texts as quoted in public issues "
    "(litellm, 9router)",
    api_error="messages.0: use the top-level 'system' parameter for the initial system prompt",
    severities=TRANSLATED,
    needs=frozenset({"system"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    messages = asked.messages
    at = max(asked.new - 1, 0)
    while at > 0 and messages[at].role == "system" and messages[at - 1].role == "system":
        at -= 1
    model = capabilities(asked.model)
    unknown_role = model is not None and model.system_role is False
    while at < len(messages):
        if messages[at].role != "system":
            at += 1
            continue
        start = at
        while at < len(messages) and messages[at].role == "system":
            at += 1
        if unknown_role:
            yield RULE.found(
                ("messages", start),
                f"expected no message of role `system` ({asked.model.name} does not know it), sent one",
                api_error="role 'system' is not supported on this model",
                severity=severity_at(asked.request),
            )
        elif any(not _sets_effort_only(message) for message in messages[start:at]):
            yield from _placed(messages, start, at)


def _placed(messages: list[Message], start: int, end: int) -> Iterator[Finding]:
    where = ("messages", start)
    if start == 0:
        yield RULE.found(
            where,
            "expected a user message first, sent one of role `system`",
            api_error=RULE.api_error,
        )
        return
    before = messages[start - 1]
    paused = before.role == "assistant" and bool(before.types) and is_server_result(before.types[-1])
    if before.role == "assistant" and not paused:
        uses = " that asks for tools" if before.uses else ""
        yield RULE.found(where, f"expected a user turn before the `system` message, sent an assistant turn{uses}")
    elif end < len(messages) and messages[end].role == "user":
        yield RULE.found(where, "expected an assistant turn, or nothing, after the `system` message, sent a user turn")
    elif paused and any(kind in CHANGES for message in messages[start:end] for kind in message.types):
        yield RULE.found(
            where, "expected only text in the `system` message after a paused turn, sent a change of the tools"
        )


def _sets_effort_only(message: Message) -> bool:
    value = wire.mapping(message.value)
    return not value.get("content") and bool(wire.mapping(value.get("output_config")).get("effort"))
