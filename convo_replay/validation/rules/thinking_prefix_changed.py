"""Newest models: what stands before a thinking block stays what it was when the model wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from convo_replay.providers import wire
from convo_replay.validation import likeness
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="thinking-prefix-changed",
    number="A9",
    format="anthropic",
    severity="warn",
    summary="With models that preserve thinking, system, tools and earlier messages stay as they were before it.",
    why="Since Fable 5.1 and Opus 5.5 a thinking block is bound to all that stood before it: system, tools, "
    "messages. One of these was changed after the model had written the block: a date in the system prompt, a tool "
    "that came or went, an earlier turn that was cut or rewritten. Accounts made since 31 August 2026 get a 400, for "
    "others the model forgets its thinking without a word. Build system and tools once per conversation, and add "
    "what is new at the end: as a system message, as tool_addition.",
    source="platform.claude.com build-with-claude/preserved-thinking/prefix-checks",
    api_error="messages.N.content.M: Invalid `signature` in `thinking` block. The block is bound to a different "
    "conversation.",
)
_SINCE: Final[Mapping[str, tuple[int, int]]] = {
    "fable": (5, 1),
    "mythos": (5, 1),
    "opus": (5, 5),
    "sonnet": (5, 5),
    "haiku": (5, 5),
}


def check(asked: Asked) -> Iterator[Finding]:
    since = _SINCE.get(asked.model.family)
    if since is None or not asked.origins or not asked.model.at_least(*since):
        return
    latest = next((at for at in range(len(asked.messages) - 1, -1, -1) if _has_origin(asked, at)), None)
    if latest is None:
        return
    changed = _changed(wire.mapping(asked.origins[latest].json), asked.body, latest)
    if changed is None:
        return
    said, start = changed
    for index in range(start, latest + 1):
        if asked.messages[index].thinking:
            at = asked.messages[index].thinking[0]
            yield RULE.found(
                ("messages", index, "content", at),
                f"expected what stands before this thinking block as it was when the model wrote it, sent {said}",
                api_error=RULE.api_error.replace("messages.N.content.M", f"messages.{index}.content.{at}", 1),
            )
            return


def _has_origin(asked: Asked, index: int) -> bool:
    message = asked.messages[index]
    return bool(message.thinking) and message.role == "assistant" and index in asked.origins


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], end: int) -> tuple[str, int] | None:
    """What differs between two requests in what stands before a message, and the first message that it concerns."""
    for name in ("system", "tools"):
        if not likeness.same(name, before.get(name), now.get(name)):
            return f"another `{name}`", 0
    known, sent = wire.items(before.get("messages")), wire.items(now.get("messages"))[:end]
    for index, (one, two) in enumerate(zip(known, sent, strict=False)):
        if not likeness.same("", one, two):
            return f"another messages[{index}]", index
    if len(known) != len(sent):
        return f"{len(sent)} messages in place of {len(known)}", min(len(known), len(sent))
    return None
