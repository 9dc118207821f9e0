"""Earlier computer tools that newer models take on Bedrock only.

Opus, Sonnet and Haiku 5.5, Fable and Mythos 5.2 ("What's new in …" of each). Their pages name the tool that came
right before; the older ones had been rejected before that.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import platform
from convo_replay.validation.findings import Finding, Rule

_TOOLS = ("computer_20251124", "computer_20250124", "computer_20241022")
_MODELS = {
    ("opus", (5, 5)), ("sonnet", (5, 5)), ("haiku", (5, 5)), ("fable", (5, 2)), ("mythos", (5, 2)),
}  # fmt: skip

RULE = Rule(
    name="tool-type-unsupported",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="Models from 5.5 on (Fable and Mythos from 5.2 on) use computers by `computer_toolset_20260801` only.",
    why="The request declares an earlier computer tool, which this model takes on Bedrock only. Declare "
    "`computer_toolset_20260801` instead, drop the beta header, and answer the tool's single actions by their "
    "`toolset_name`.",
    source="platform.claude.com models/opus-5-5/whats-new-opus-5-5, models/sonnet-5-5/whats-new-sonnet-5-5, "
    "models/haiku-5-5/whats-new-haiku-5-5, models/fable-5-2/whats-new-fable-5-2",
    api_error="'claude-opus-5-5' does not support tool types: computer_20251124.",
)


def check(asked: Asked) -> Iterator[Finding]:
    if (asked.model.family, asked.model.version) not in _MODELS or platform(asked.request) not in ("direct", "google"):
        return
    for at, tool in enumerate(wire.items(asked.body.get("tools"))):
        kind = wire.mapping(tool).get("type")
        if kind in _TOOLS:
            yield RULE.found(
                ("tools", at),
                f"expected `computer_toolset_20260801` for {asked.model.name}, sent `{kind}`",
                api_error=f"'{asked.model.name}' does not support tool types: {kind}.",
            )
