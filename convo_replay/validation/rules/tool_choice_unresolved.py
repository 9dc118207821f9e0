"""`tool_choice` goes with `tools`, and names one of them; tools have different names."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="tool-choice-unresolved",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="`tool_choice` is sent with `tools`, and names a tool that is among them.",
    why="The request says which tools may be used, but sends none, or forces one that it does not send. Usually the "
    "list of tools was filtered and the choice was kept. Leave `tool_choice` out with the tools, or name one that is "
    "sent.",
    source="texts as quoted in public issues",
    api_error="tool_choice may only be specified while providing tools.",
)


def check(asked: Asked) -> Iterator[Finding]:
    choice = wire.mapping(asked.body.get("tool_choice"))
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool"):
        return
    tools = wire.items(asked.body.get("tools"))
    if not tools:
        if not asked.body.get("mcp_servers") and not _adds_tools(asked):
            yield RULE.found(
                ("tool_choice",), f'expected tools with `tool_choice` "{kind}", sent none', api_error=RULE.api_error
            )
        return
    name = choice.get("name")
    if kind == "tool" and isinstance(name, str) and name not in asked.tools:
        toolset = any("toolset" in wire.string(wire.mapping(tool).get("type")) for tool in tools)
        if not toolset and not _adds_tools(asked):
            yield RULE.found(
                ("tool_choice", "name"),
                f"expected the name of a tool in `tools`, sent `{name}`",
                api_error=f"Tool '{name}' not found in provided tools",
            )


def _adds_tools(asked: Asked) -> bool:
    """Whether a message may define a tool."""
    return any("tool_addition" in message.types for message in asked.messages)
