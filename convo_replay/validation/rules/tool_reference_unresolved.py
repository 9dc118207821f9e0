"""A23: what names a tool names one that is defined.

`tool_reference` blocks in results of tools and of the tool search; `tool_addition` and `tool_removal` in `system`
messages. Tools of an MCP server or a toolset have no names in the request: with one of those, references by name
are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule
from convo_replay.validation.messages import Message

_FOUND = "Tool reference '{name}' not found in available tools"
_CHANGE = "references a tool or MCP server that is not defined at that position (tool_reference_unresolved)"

RULE = Rule(
    name="tool-reference-unresolved",
    number="A23",
    format="anthropic",
    severity="error",
    summary="Every tool that a reference or a tool change names is in `tools`, or was defined earlier.",
    why="The history refers to a tool that this request does not define. The references of a tool search stay in the "
    "history, and the API checks them on every request: a tool that later leaves `tools` (an MCP server that went "
    "away, a shorter list for a subagent) breaks all that follow. Keep sending the definition, with `defer_loading: true` if the "
    "model need not see it, or drop the turn that refers to it.",
    source="anthropic 2.12.0, types/tool_reference_unresolved_error_details.py; platform.claude.com build-with-claude/"
    "mid-conversation-system-messages; anthropics/claude-code issues (the text)",
    api_error=_FOUND.format(name="NAME"),
)


def check(asked: Asked) -> Iterator[Finding]:
    for index, message in asked.fresh:
        if message.role == "system":
            yield from _changes(asked, index, message)
            continue
        for at, _ in message.results:
            if at < len(message.blocks):
                yield from _references(
                    asked, ("messages", index, "content", at, "content"), message.blocks[at].get("content")
                )
        if "tool_search_tool_result" in message.types:
            for at, kind in enumerate(message.types):
                if kind == "tool_search_tool_result":
                    held = wire.mapping(message.blocks[at].get("content")).get("tool_references")
                    yield from _references(
                        asked, ("messages", index, "content", at, "content", "tool_references"), held
                    )


def _references(asked: Asked, where: Path, held: Any) -> Iterator[Finding]:
    for at, block in enumerate(wire.items(held)):
        if not isinstance(block, dict) or block.get("type") != "tool_reference":
            continue
        name = block.get("tool_name")
        if isinstance(name, str) and name and not _defined(asked, name):
            yield RULE.found(
                (*where, at),
                f"expected the name of a tool in `tools`, sent `{name}`",
                api_error=_FOUND.format(name=name),
            )


def _changes(asked: Asked, index: int, message: Message) -> Iterator[Finding]:
    for at, kind in enumerate(message.types):
        if kind not in ("tool_addition", "tool_removal"):
            continue
        tool = wire.mapping(message.blocks[at].get("tool"))
        name, server = wire.string(tool.get("name")), wire.string(tool.get("server_name"))
        if tool.get("type") == "tool_reference" and name and not _defined(asked, name, index, at):
            named = f"tool `{name}`"
        elif tool.get("type") in ("mcp_tool_reference", "mcp_toolset_reference") and server not in _servers(asked):
            named = f"MCP server `{server}`"
        else:
            continue
        yield RULE.found(
            ("messages", index, "content", at),
            f"expected a `{kind}` of something that is defined, sent one of the {named}",
            api_error=f"messages.{index}.content.{at}: {_CHANGE}",
        )


def _defined(asked: Asked, name: str, before: int | None = None, at: int = 0) -> bool:
    """Whether a tool of that name is in `tools`, may be behind a toolset, or was added before that place."""
    if name in asked.tools:
        return True
    if any("toolset" in wire.string(wire.mapping(tool).get("type")) for tool in wire.items(asked.body.get("tools"))):
        return True
    for index, message in enumerate(asked.messages if before is None else asked.messages[: before + 1]):
        if message.role != "system":
            continue
        for place, block in enumerate(message.blocks):
            if index == before and place >= at:
                break
            tool = wire.mapping(block.get("tool"))
            definition = wire.mapping(tool.get("definition")) if tool.get("type") == "tool_definition" else {}
            if definition.get("name") == name or "toolset" in wire.string(definition.get("type")):
                return True
    return False


def _servers(asked: Asked) -> set[str]:
    """Names of MCP servers, as far as the request names them."""
    listed = [wire.mapping(server).get("name") for server in wire.items(asked.body.get("mcp_servers"))]
    listed += [wire.mapping(tool).get("mcp_server_name") for tool in wire.items(asked.body.get("tools"))]
    return {name for name in listed if isinstance(name, str)}
