"""A12: which kinds of thinking a model takes.

Each model has its row in `capabilities.py`. That `enabled` is rejected holds for "Claude 4.7 and later
models"; for one younger than the table it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, Capabilities, capabilities, severity_at
from convo_replay.validation.findings import Finding, Rule

_ADAPTIVE = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
_HIGH_AT_MOST = ("xhigh", "max")
_NOT_BETWEEN_TOOLS = ("budget_tokens", "display", "block_binding")

RULE = Rule(
    name="thinking-unsupported",
    number="A12",
    format="anthropic",
    severity="error",
    summary="A model takes only its own kinds of thinking: `enabled`, `adaptive`, `disabled`, `between_tools`.",
    why="Models differ: up to 4.5 they take `enabled` with a budget, 4.6 takes that and `adaptive`, later ones only "
    "`adaptive`; the newest always think and refuse `disabled`. A request that was written for one model fails when "
    "only the name of the model is changed. Leave `thinking` out, or send the kind that the finding names; "
    "`output_config.effort` sets how much a newer model thinks.",
    source="platform.claude.com build-with-claude/thinking-troubleshooting (table by model), api/errors, "
    "models/sonnet-5-5/whats-new-sonnet-5-5",
    api_error=f'"thinking.type.enabled" is not supported for this model. {_ADAPTIVE}',
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    kind = asked.thinking
    if not kind:
        return
    model = capabilities(asked.model)
    where = ("thinking", "type")
    name = asked.model.name
    if kind == "enabled" and (asked.model.at_least(4, 7) if model is None else not model.budget and model.adaptive):
        yield RULE.found(
            where,
            f'expected thinking "adaptive" ({name} takes no budget), sent "enabled"',
            api_error=RULE.api_error,
            severity="warn" if model is None else severity_at(asked.request),
        )
    elif model is None:
        return
    elif kind == "adaptive" and not model.adaptive:
        yield RULE.found(
            where,
            f'expected thinking "enabled" with a budget, or none ({name} knows no adaptive thinking), sent "adaptive"',
            api_error="adaptive thinking is not supported on this model",
            severity=severity_at(asked.request),
        )
    elif kind == "disabled":
        yield from _disabled(asked, model)
    elif kind == "between_tools":
        yield from _between_tools(asked, model)


def _disabled(asked: Asked, model: Capabilities) -> Iterator[Finding]:
    effort = _effort(asked)
    if model.off == "accepted" or (model.off == "to_high" and effort not in _HIGH_AT_MOST):
        return
    text = '"thinking.type.disabled" is not supported for this model. '
    instead = 'no `thinking`, or "adaptive" with a low effort'
    if model.off == "to_high":
        instead = 'an effort of "high" or below'
        text = (
            f"output_config.effort '{effort}' is not supported when thinking is disabled on this model. "
            "Use effort 'high' or below, or enable thinking."
        )
    elif model.off == "between_tools":
        instead = '"between_tools"'
        text += (
            'Use "thinking.type.between_tools" for the lowest thinking setting, or "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    elif model.off == "rejected_or_budget":
        text += (
            'Thinking defaults to adaptive mode when not specified; use "thinking.type.enabled" with "budget_tokens" '
            "for extended thinking."
        )
    else:
        text += _ADAPTIVE
    sent = f'"disabled" with effort "{effort}"' if model.off == "to_high" else '"disabled"'
    yield RULE.found(
        ("thinking", "type"),
        f"expected {instead} for {asked.model.name}, sent {sent}",
        api_error=text,
        severity=severity_at(asked.request),
    )


def _between_tools(asked: Asked, model: Capabilities) -> Iterator[Finding]:
    if not model.between_tools:
        yield RULE.found(
            ("thinking", "type"),
            f'expected thinking "adaptive", or none ({asked.model.name} does not know "between_tools")',
            api_error='"thinking.type.between_tools" is not supported for this model.',
            severity=severity_at(asked.request),
        )
    elif (effort := _effort(asked)) in _HIGH_AT_MOST:
        yield RULE.found(
            ("thinking", "type"),
            f'expected an effort of "high" or below with thinking "between_tools", sent "{effort}"',
            api_error=f"output_config.effort '{effort}' is not supported when thinking is disabled on this model. "
            "Use effort 'high' or below.",
        )
    else:
        for key in _NOT_BETWEEN_TOOLS:
            if wire.mapping(asked.body.get("thinking")).get(key) is not None:
                yield RULE.found(
                    ("thinking", key),
                    f'expected no `{key}` with thinking "between_tools", sent one',
                    api_error=f"thinking.between_tools.{key}: Extra inputs are not permitted",
                )


def _effort(asked: Asked) -> str:
    return wire.string(wire.mapping(asked.body.get("output_config")).get("effort"))
