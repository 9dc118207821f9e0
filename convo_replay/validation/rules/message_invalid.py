"""Roles and contents of chat messages, as far as a schema cannot say it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, Severity, value
from convo_replay.validation.messages import Message

RULE = Rule(
    name="message-invalid",
    number="O3",
    format="openai_chat",
    severity="error",
    summary="A chat message has a role that the model takes, and content, or what may stand in its place.",
    why="Only an assistant message may come without content, and only where it has tool_calls, function_call, "
    "refusal or audio; a tool message holds text alone; tool_calls is absent rather than empty; o1-mini and "
    "o1-preview take no system or developer message. Usually an SDK's answer was copied field by field, an empty "
    "text was left out, or one list of messages is sent to several models.",
    source="openai 3.54.0, types/chat/*_message_param.py; answers of the API of 2026-08-30 quoted in public test "
    "suites",
    api_error="Invalid value for 'content': expected a string, got null.",
)
_STANDS_IN = ("tool_calls", "function_call", "refusal", "audio")
_OWN = frozenset({"role", "content", "name", *_STANDS_IN, "annotations"})
_NO_TEXT = frozenset({"image_url", "input_audio", "file"})
_WITHOUT_SYSTEM = re.compile(r"(?:openai/)?o1-(mini|preview)(-\d{4}-\d{2}-\d{2})?")
_OPENAI = (".openai.com", ".openai.azure.com")


def check(asked: Asked) -> Iterator[Finding]:
    without_system = _WITHOUT_SYSTEM.fullmatch(asked.model.name) is not None
    for index, message in asked.fresh:
        if without_system and message.role in ("system", "developer"):
            yield _role_unsupported(asked, index, message.role)
        elif message.role == "assistant":
            yield from _assistant(asked, index, message)
        elif message.role == "tool" and not _NO_TEXT.isdisjoint(message.types):
            yield _no_text(asked, index, message)


def _role_unsupported(asked: Asked, index: int, role: str) -> Finding:
    return RULE.found(
        ("messages", index, "role"),
        f"expected `user` or `assistant` as role with {asked.model.name}, sent {value(role)}",
        api_error=f"Unsupported value: 'messages[{index}].role' does not support '{role}' with this model.",
        severity=_severity(asked),
    )


def _assistant(asked: Asked, index: int, message: Message) -> Iterator[Finding]:
    sent = message.value
    if sent.get("tool_calls") == []:
        words = "empty array. Expected an array with minimum length 1, but got an empty array instead."
        yield RULE.found(
            ("messages", index, "tool_calls"),
            "expected at least one call in `tool_calls`, or no `tool_calls`, sent []",
            api_error=f"Invalid 'messages[{index}].tool_calls': {words}",
            severity=_severity(asked),
        )
    elif (
        sent.get("content") is None
        and not any(sent.get(key) is not None for key in _STANDS_IN)
        and not any(_is_content(key, sent) for key in sent)
    ):
        yield RULE.found(
            ("messages", index, "content"),
            "expected `content`, or `tool_calls`, `refusal` or `audio` in its place, sent "
            f"{'null' if 'content' in sent else 'none'}",
            api_error=RULE.api_error,
        )


def _is_content(key: str, sent: Mapping[str, Any]) -> bool:
    """Whether a field that gateways know besides may be content: `images`, or reasoning beside a null."""
    return key not in _OWN and ("content" in sent or not key.startswith("reasoning"))


def _no_text(asked: Asked, index: int, message: Message) -> Finding:
    at = next(at for at, kind in enumerate(message.types) if kind in _NO_TEXT)
    return RULE.found(
        ("messages", index, "content", at),
        f"expected text in a `tool` message, sent a part of type {value(message.types[at])}",
        severity=_severity(asked),
    )


def _severity(asked: Asked) -> Severity:
    """Gateways take more than OpenAI's own hosts."""
    host = wire.address(asked.request)[0]
    return RULE.severity if f".{host}".endswith(_OPENAI) else "warn"
