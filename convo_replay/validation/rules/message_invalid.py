"""Roles and contents of chat messages, as far as a schema cannot say it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, value
from convo_replay.validation.messages import Message

RULE = Rule(
    name="message-invalid",
    number="O3",
    format="openai_chat",
    severity="error",
    summary="A chat message has a role that the model takes, and content, or what may stand in for it.",
    why="Only an assistant message may come without content, and only where it has tool_calls, function_call, "
    "refusal or audio; a tool message holds text; tool_calls is absent rather than empty. o1-mini and o1-preview "
    "take no system or developer message. Usually an SDK's answer was copied field by field, an empty text was left "
    "out, or one list of messages is sent to several models. An unknown role is a warning: gateways take some of "
    "their own.",
    source="openai 3.54.0, types/chat/*_message_param.py; answers of the API of 2026-08-30 quoted in public test "
    "suites",
    api_error="Invalid value for 'content': expected a string, got null.",
)
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_STANDS_IN = ("tool_calls", "function_call", "refusal", "audio")
_OWN = frozenset({"role", "content", "name", "tool_calls", "function_call", "refusal", "audio", "annotations"})
_WITHOUT_SYSTEM = re.compile(r"(?:openai/)?o1-(mini|preview)(-\d{4}-\d{2}-\d{2})?")
_OPENAI = (".openai.com", ".openai.azure.com")


def check(asked: Asked) -> Iterator[Finding]:
    without_system = _WITHOUT_SYSTEM.fullmatch(asked.model.name) is not None
    for index, message in asked.fresh:
        if not isinstance(message.value, dict):
            continue
        role = message.role
        if role not in ROLES:
            if role:
                yield _role_unknown(index, role)
            continue
        if without_system and role in ("system", "developer"):
            yield _role_unsupported(asked, index, role)
        content = message.value.get("content")
        if content is None:
            yield from _content_missing(index, message)
        elif role == "tool" and isinstance(content, list):
            yield from _no_text(asked, index, message)
        if role == "assistant" and message.value.get("tool_calls") == []:
            words = "empty array. Expected an array with minimum length 1, but got an empty array instead."
            yield RULE.found(
                ("messages", index, "tool_calls"),
                "expected at least one call in `tool_calls`, or no `tool_calls`, sent []",
                api_error=f"Invalid 'messages[{index}].tool_calls': {words}",
                severity=None if _is_openai(asked) else "warn",
            )


def _role_unknown(index: int, role: str) -> Finding:
    return RULE.found(
        ("messages", index, "role"),
        f"expected one of {', '.join(ROLES)} as role, sent {value(role)}",
        api_error=f"Invalid value: '{role[:40]}'. Supported values are: 'system', 'assistant', 'user', 'function', "
        "'tool', and 'developer'.",
        severity="warn",
    )


def _role_unsupported(asked: Asked, index: int, role: str) -> Finding:
    return RULE.found(
        ("messages", index, "role"),
        f"expected `user` or `assistant` as role with {asked.model.name}, sent {value(role)}",
        api_error=f"Unsupported value: 'messages[{index}].role' does not support '{role}' with this model.",
        severity=None if _is_openai(asked) else "warn",
    )


def _content_missing(index: int, message: Message) -> Iterator[Finding]:
    sent = message.value
    if message.role == "assistant":
        # What a gateway knows besides (`reasoning_content`, `reasoning_details`, `images`) may be content, too.
        if any(sent.get(key) is not None for key in _STANDS_IN) or any(key not in _OWN for key in sent):
            return
        expected = "`content`, or `tool_calls`, `refusal` or `audio` in its place"
    elif message.role == "function":
        return  # null is allowed here
    else:
        expected = f"`content` in a `{message.role}` message"
    words = RULE.api_error
    if message.role == "developer":
        words = (
            f"Invalid type for 'messages[{index}].content': expected one of a string or array of objects, but got null "
            "instead."
            if "content" in sent
            else f"Missing required parameter: 'messages[{index}].content'."
        )
    yield RULE.found(
        ("messages", index, "content"),
        f"expected {expected}, sent {'null' if 'content' in sent else 'none'}",
        api_error=words,
    )


def _no_text(asked: Asked, index: int, message: Message) -> Iterator[Finding]:
    for at, kind in enumerate(message.types):
        if kind and kind != "text":
            yield RULE.found(
                ("messages", index, "content", at),
                f"expected text in a `tool` message, sent a part of type {value(kind)}",
                api_error="",
                severity=None if _is_openai(asked) and kind in ("image_url", "input_audio", "file") else "warn",
            )
            return


def _is_openai(asked: Asked) -> bool:
    host = wire.address(asked.request)[0]
    return f".{host}".endswith(_OPENAI)
