"""A Claude that is known, where Claudes alone are served."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="unknown-model",
    number="§6",
    format="anthropic",
    severity="warn",
    summary="A request to the vendor's own API names a model whose family and version can be read.",
    why="The name is none that convo_replay can read: a new family, or a slip. What depends on the model (thinking, "
    "prefill, effort) is not looked at then. If it is new, update convo_replay.",
    source="anthropic 2.12.0, types/model.py",
)


def check(asked: Asked) -> Iterator[Finding]:
    model = asked.model
    if wire.address(asked.request)[0] != "api.anthropic.com" or not model.name or model.known:
        return
    if model.family not in ("mythos", "instant"):  # claude-mythos-preview, claude-instant-1
        yield RULE.found(("model",), f"expected a model that is known, sent {value(model.name)}")
