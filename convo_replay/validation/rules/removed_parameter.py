"""A26: parameters that version 2026-10-21 has removed."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, severity_at
from convo_replay.validation.findings import Finding, Rule, value

REMOVED = ("temperature", "top_p", "top_k")

RULE = Rule(
    name="removed-parameter",
    number="A26",
    format="anthropic",
    severity="error",
    summary="Since API version 2026-10-21 there is no `temperature`, `top_p` or `top_k`.",
    why="The request is sent with API version 2026-10-21 or later, which SDKs from 2.0 on send by themselves, and "
    "holds a parameter that this version does not know any more; not even its default value is accepted. Leave it "
    "out. Who needs it sends `anthropic-version: 2023-06-01` with a model up to 4.6.",
    source="platform.claude.com api/versioning, api/migration-2026-10-21; the text as quoted in public releases "
    "(MinusPod)",
    api_error="temperature: Extra inputs are not permitted",
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    if not asked.since_2026_10_21:
        return
    for name in REMOVED:
        if asked.body.get(name) is not None:
            yield RULE.found(
                (name,),
                f"expected no `{name}` (removed in version 2026-10-21), sent {value(asked.body[name])}",
                api_error=f"{name}: Extra inputs are not permitted",
                severity=severity_at(asked.request),
            )
