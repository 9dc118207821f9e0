"""`max_tokens` up to what a model can write. Models without a known limit are left alone."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, capabilities, severity_at
from convo_replay.validation.findings import Finding, Rule

_TEXT = "max_tokens: {n} > {most}, which is the maximum allowed number of output tokens for {model}"

RULE = Rule(
    name="max-tokens-limit",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="`max_tokens` is not larger than what the model can write.",
    why="Each model writes at most so many tokens in one answer, and a larger `max_tokens` is rejected, not cut. It "
    "comes about when a configuration made for a newer model is used with an older or smaller one. Lower `max_tokens` "
    "to the model's limit.",
    source="platform.claude.com about-claude/models/overview (2024-2026); the text as quoted in public issues",
    api_error=_TEXT.format(n="N", most="M", model="MODEL"),
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    sent = asked.body.get("max_tokens")
    if not isinstance(sent, int) or sent <= 4096:
        return
    model = capabilities(asked.model)
    if model is not None and 0 < model.output < sent:
        yield RULE.found(
            ("max_tokens",),
            f"expected at most {model.output} for {asked.model.name}, sent {sent}",
            api_error=_TEXT.format(n=sent, most=model.output, model=asked.model.name),
            severity=severity_at(asked.request),
        )
