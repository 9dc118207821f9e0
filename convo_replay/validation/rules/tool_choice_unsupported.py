"""A11: models that always think cannot be forced to use a tool.

Fable 5.1 and 5.2, Mythos 5.1 and 5.2, Opus 5.5, Sonnet 5.5; not Fable 5, Mythos 5, Opus 5. Of Haiku 5.5 and
Mythos Preview no page that was read says it.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, capabilities, severity_at
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.rules.tool_choice_with_thinking import FORCED

RULE = Rule(
    name="tool-choice-unsupported",
    number="A11",
    format="anthropic",
    severity="error",
    summary="Models that always think take `tool_choice` `auto` and `none` only.",
    why="This model thinks before every answer, so it cannot be made to start with a tool call. Code that forces a "
    "tool, for instance to get structured output, worked with the model before. Keep `auto`, say in the prompt when "
    "to call the tool, and set `strict: true` on it or use `output_config.format`.",
    source="platform.claude.com api/errors, models/opus-5-5/whats-new-opus-5-5, "
    "models/sonnet-5-5/whats-new-sonnet-5-5, models/fable-5-2/whats-new-fable-5-2",
    api_error='tool_choice: type "tool" and "any" are not supported for this model.',
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    choice = wire.mapping(asked.body.get("tool_choice")).get("type")
    if choice not in FORCED:
        return
    model = capabilities(asked.model)
    if model is not None and model.forced_tools is False:
        yield RULE.found(
            ("tool_choice",),
            f'expected `tool_choice` "auto" or "none" ({asked.model.name} takes no other), sent "{choice}"',
            api_error=RULE.api_error,
            severity=severity_at(asked.request),
        )
