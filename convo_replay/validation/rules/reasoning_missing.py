"""DeepSeek, thinking: an assistant message with tool calls comes back with its `reasoning_content`."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="reasoning-missing",
    number="§2.4",
    format="openai_chat",
    severity="error",
    summary="With DeepSeek's thinking mode, reasoning_content is sent back with the tool_calls it came with.",
    why="DeepSeek answered with reasoning_content beside its tool_calls, and the message was sent back without it: "
    "most clients of this format keep content and tool_calls only. Keep reasoning_content in the stored message. Of "
    "turns without tool_calls it may be left out.",
    source="api-docs.deepseek.com/guides/thinking_mode",
    api_error="The `reasoning_content` in the thinking mode must be passed back to the API.",
)


def check(asked: Asked) -> Iterator[Finding]:
    at_home = wire.address(asked.request)[0] == "api.deepseek.com"
    if asked.thinking == "disabled" or not (at_home or "deepseek" in asked.model.name.lower()):
        return
    for index, message in asked.fresh:
        if not message.uses or message.value.get("reasoning_content"):
            continue
        received = wire.mapping(asked.answers.get(index))
        if wire.string(received.get("reasoning_content")) and wire.items(received.get("tool_calls")):
            yield RULE.found(
                ("messages", index),
                "expected `reasoning_content` as it was received with these `tool_calls`, sent none",
                api_error=RULE.api_error,
                severity=None if at_home else "warn",
            )
