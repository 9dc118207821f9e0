"""Tools have different names."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="tool-names-repeated",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="No two tools of a request have the same name.",
    why="Two entries of `tools` have one name, so a call could not be told apart. It comes about when tools of "
    "several sources (plugins, MCP servers) are put together, or when the list is extended on every turn. Rename one "
    "or drop it.",
    source="text as quoted in public issues",
    api_error="tools: Tool names must be unique.",
)


def check(asked: Asked) -> Iterator[Finding]:
    tools = wire.items(asked.body.get("tools"))
    if len(tools) <= len(asked.tools):
        return
    seen: set[str] = set()
    for at, tool in enumerate(tools):
        name = wire.string(wire.mapping(tool).get("name"))
        if name and name in seen:
            yield RULE.found(
                ("tools", at), f"expected a name of its own, sent `{name}` again", api_error=RULE.api_error
            )
        seen.add(name)
