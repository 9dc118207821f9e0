"""A10: with manual thinking, the model may not be forced to use a tool.

With adaptive thinking it may: opus-4-6 answers it with 200 in the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

FORCED = ("any", "tool")

RULE = Rule(
    name="tool-choice-with-thinking",
    number="A10",
    format="anthropic",
    severity="error",
    summary="With thinking enabled, `tool_choice` is `auto` or `none`.",
    why="`tool_choice` forces a tool, so the model would have to start with the call and could not think first; with "
    "`thinking` enabled the API refuses that. Often a helper for structured output adds the `tool_choice`. Leave it "
    "at `auto` and say in the prompt which tool to use, or switch thinking off for this request.",
    source="mastra #7507; platform.claude.com build-with-claude/extended-thinking",
    api_error="Thinking may not be enabled when tool_choice forces tool use.",
)


def check(asked: Asked) -> Iterator[Finding]:
    if asked.thinking != "enabled":
        return
    choice = wire.mapping(asked.body.get("tool_choice")).get("type")
    if choice in FORCED:
        yield RULE.found(
            ("tool_choice",),
            f'expected `tool_choice` "auto" or "none" (thinking is enabled), sent "{choice}"',
            api_error=RULE.api_error,
        )
