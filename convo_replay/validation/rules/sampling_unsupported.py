"""Before version 2026-10-21: which sampling parameters a model takes.

From 4.7 on none but the defaults ("What's new in Claude Opus 4.7" and later pages; the texts are quoted in many
public issues). Opus 4.1 and 4.5, 4.6: not `temperature` and `top_p` together. With manual thinking: `temperature`
1 only. Version 2026-10-21 has none at all: `removed-parameter`.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, capabilities, severity_at
from convo_replay.validation.findings import Finding, Rule, value
from convo_replay.validation.rules.removed_parameter import REMOVED

_DEPRECATED = "`{name}` is deprecated for this model."

RULE = Rule(
    name="sampling-unsupported",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="Models from 4.7 on take no `temperature`, `top_p`, `top_k`; 4.1 to 4.6 not `temperature` with `top_p`.",
    why="Models from 4.7 on have no sampling parameters: any value but the default is rejected. Those before take "
    "either `temperature` or `top_p`, and with thinking enabled only `temperature` 1. Frameworks like to send their "
    "defaults for all of them. Leave the parameters out.",
    source="platform.claude.com about-claude/models/whats-new-claude-4-7, models/haiku-5-5/whats-new-haiku-5-5; texts "
    "as quoted in public issues",
    api_error=_DEPRECATED.format(name="temperature"),
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    body = asked.body
    sent = [name for name in REMOVED if body.get(name) is not None]
    if not sent or asked.since_2026_10_21:
        return
    model = capabilities(asked.model)
    if model is None:
        return
    if not model.sampling:
        for name in sent:
            if name == "top_k" or body[name] != 1:
                yield RULE.found(
                    (name,),
                    f"expected no `{name}` for {asked.model.name}, sent {value(body[name])}",
                    api_error=_DEPRECATED.format(name=name),
                    severity=severity_at(asked.request),
                )
        return
    if model.one_sampling and "temperature" in sent and "top_p" in sent:
        yield RULE.found(
            ("top_p",),
            f"expected either `temperature` or `top_p` for {asked.model.name}, sent both",
            api_error="`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
            severity=severity_at(asked.request),
        )
    if asked.thinking == "enabled" and "temperature" in sent and body["temperature"] != 1:
        yield RULE.found(
            ("temperature",),
            f"expected `temperature` 1 or none (thinking is enabled), sent {value(body['temperature'])}",
            api_error="`temperature` may only be set to 1 when thinking is enabled.",
            severity=severity_at(asked.request),
        )
