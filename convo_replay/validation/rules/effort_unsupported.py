"""Levels of `output_config.effort` that a model takes.

The text is a recorded one (claude-opus-4-6 with `xhigh`, in the corpus); that of models without effort is quoted
in many public projects of Haiku 4.5. The levels by model: page "Effort".
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import LEVELS, TRANSLATED, capabilities, severity_at
from convo_replay.validation.findings import Finding, Rule

_LEVEL = "This model does not support effort level '{level}'. Supported levels: {levels}."
_NONE = "This model does not support the effort parameter."

RULE = Rule(
    name="effort-unsupported",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="A model takes only its own levels of `output_config.effort`; models up to 4.5, but Opus 4.5, take none.",
    why="Effort came with Opus 4.5 (low, medium, high), 4.6 added `max`, 4.7 added `xhigh`. A setting made for one "
    "model is rejected by an older one, and by the small models of that time. Lower the level to one that the finding "
    "names, or leave `effort` out.",
    source="platform.claude.com build-with-claude/effort; a recorded 400 of claude-opus-4-6 (pydantic-ai)",
    api_error=_LEVEL.format(level="xhigh", levels="high, low, max, medium"),
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    level = wire.mapping(asked.body.get("output_config")).get("effort")
    if level not in LEVELS:
        return
    model = capabilities(asked.model)
    if model is None or level in model.efforts:
        return
    levels = ", ".join(model.efforts)
    yield RULE.found(
        ("output_config", "effort"),
        f"expected {f'one of {levels}' if levels else 'no effort'} for {asked.model.name}, sent {level!r}",
        api_error=_LEVEL.format(level=level, levels=", ".join(sorted(model.efforts))) if levels else _NONE,
        severity=severity_at(asked.request),
    )
