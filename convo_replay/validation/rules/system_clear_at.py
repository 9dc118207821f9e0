"""A21: a `system` message with `clear_at: next_user_message` holds text and nothing else.

That it is sent again verbatim is a matter of comparing turns. Without its beta header the field is rejected
as unknown, which recordings without headers do not show.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.messages import Message

SCOPED = "next_user_message"
_SCOPE = "on a turn-scoped system message (clear_at: 'next_user_message')"

RULE = Rule(
    name="system-clear-at",
    number="A21",
    format="anthropic",
    severity="error",
    summary="A message with `clear_at` has the role `system`, and is plain text if it is cleared.",
    why="`clear_at: next_user_message` makes a system message vanish once a later user message exists. What vanishes "
    "may not carry anything that stays: no change of the tools, no `output_config`, no cache breakpoint. Put those "
    "into a system message of its own, and the breakpoint on the user turn before. The field means nothing on other "
    "roles.",
    source="platform.claude.com build-with-claude/mid-conversation-system-messages (turn-scoped, the texts)",
    api_error="messages.N: a turn-scoped system message supports text blocks only (clear_at: 'next_user_message')",
)


def check(asked: Asked) -> Iterator[Finding]:
    for index, message in asked.fresh:
        if isinstance(message.value, dict) and message.value.get("clear_at"):
            yield from _message(index, message)


def _message(index: int, message: Message) -> Iterator[Finding]:
    where = ("messages", index)
    path = f"messages.{index}"
    if message.role != "system":
        if message.role:
            yield RULE.found(
                (*where, "clear_at"),
                f"expected `clear_at` on `system` messages only, sent it on one of role `{message.role}`",
                api_error=f"{path}.clear_at: clear_at is only permitted on role 'system' messages",
            )
        return
    if message.value.get("clear_at") != SCOPED:
        return
    other = next((kind for kind in message.types if kind and kind != "text"), "")
    if other:
        yield RULE.found(
            where,
            f"expected only text in a message that is cleared, sent a `{other}` block",
            api_error=f"{path}: a turn-scoped system message supports text blocks only (clear_at: '{SCOPED}')",
        )
    if wire.mapping(message.value.get("output_config")):
        yield RULE.found(
            where,
            "expected no `output_config` in a message that is cleared",
            api_error=f"{path}: output_config is not permitted {_SCOPE}",
        )
    for at, block in enumerate(message.blocks):
        if block.get("cache_control"):
            yield RULE.found(
                (*where, "content", at),
                "expected no `cache_control` in a message that is cleared",
                api_error=f"{path}.content.{at}: cache_control is not permitted {_SCOPE}",
            )
