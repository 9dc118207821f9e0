"""A23: what names a tool names one that is defined.

`tool_reference` blocks in results of tools and of the tool search; `tool_addition` and `tool_removal` in `system`
messages. Tools of an MCP server or a toolset have no names in the request: with one of those, references by name
are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule
from convo_replay.validation.messages import Message

_FOUND = "Tool reference '{name}' not found in available tools"

RULE = Rule(
    name="tool-reference-unresolved",
    number="A23",
    format="anthropic",
    severity="error",
    summary="Every tool that a reference or a tool change names is in `tools`, or was defined earlier.",
    why="The history refers to a tool that this request does not define. The references of a tool search stay in the "
    "history, and the API checks them on every request: a tool that later leaves `tools` (an MCP server that went "
    "away, a shorter list for a subagent) breaks all that follow. Keep sending the definition, with `defer_loading: "
    "true` if the model need not see it, or drop the turn that refers to it.",
    source="anthropic 2.12.0, types/tool_reference_unresolved_error_details.py; platform.claude.com build-with-claude/"
    "mid-conversation-system-messages; anthropics/claude-code issues (the text)",
    api_error=_FOUND.format(name="NAME"),
    needs=frozenset({"tool_search_tool_result", "tool_reference", "system"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    known = _Known(asked)
    for index, message in asked.fresh:
        if message.role == "system":
            yield from _changes(known, index, message)
            continue
        for at, _ in message.results:
            if at < len(message.blocks):
                held = message.blocks[at].get("content")
                yield from _references(known, ("messages", index, "content", at, "content"), held)
        if "tool_search_tool_result" in message.types:
            for at, kind in enumerate(message.types):
                if kind == "tool_search_tool_result":
                    where = ("messages", index, "content", at, "content", "tool_references")
                    held = wire.mapping(message.blocks[at].get("content")).get("tool_references")
                    yield from _references(known, where, held)


def _references(known: _Known, where: Path, held: Any) -> Iterator[Finding]:
    for at, block in enumerate(wire.items(held)):
        if not isinstance(block, dict) or block.get("type") != "tool_reference":
            continue
        name = block.get("tool_name")
        if isinstance(name, str) and name and not known.tool(name):
            yield RULE.found(
                (*where, at),
                f"expected the name of a tool in `tools`, sent `{name}`",
                api_error=_FOUND.format(name=name),
            )


def _changes(known: _Known, index: int, message: Message) -> Iterator[Finding]:
    for at, kind in enumerate(message.types):
        if kind not in ("tool_addition", "tool_removal"):
            continue
        tool = wire.mapping(message.blocks[at].get("tool"))
        name = wire.string(tool.get("name")) or wire.string(tool.get("tool_name"))
        server = wire.string(tool.get("server_name"))
        if tool.get("type") == "tool_reference" and name and not known.tool(name, (index, at)):
            named = f"tool `{name}`"
        elif tool.get("type") in ("mcp_tool_reference", "mcp_toolset_reference") and server not in known.servers:
            named = f"MCP server `{server}`"
        else:
            continue
        yield RULE.found(
            ("messages", index, "content", at),
            f"expected a `{kind}` of something that is defined, sent one of the {named}",
            api_error="tool_reference_unresolved",
        )


class _Known:
    """What a request defines, read when it is asked for."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def tool(self, name: str, before: tuple[int, int] | None = None) -> bool:
        """Whether a tool of that name is in `tools`, may be behind a toolset, or was added before that place."""
        if name in self._asked.tools or self._has_toolset:
            return True
        places = [place for place in (self._added.get(name), self._added.get("")) if place is not None]
        return bool(places) and (before is None or min(places) < before)

    @cached_property
    def servers(self) -> set[str]:
        """Names of MCP servers, as far as the request names them."""
        listed = [wire.mapping(server).get("name") for server in wire.items(self._asked.body.get("mcp_servers"))]
        listed += [wire.mapping(tool).get("mcp_server_name") for tool in wire.items(self._asked.body.get("tools"))]
        return {name for name in listed if isinstance(name, str)}

    @cached_property
    def _has_toolset(self) -> bool:
        return any(_is_toolset(tool) for tool in wire.items(self._asked.body.get("tools")))

    @cached_property
    def _added(self) -> dict[str, tuple[int, int]]:
        """Where the messages define a tool first, by its name; a toolset under the empty name."""
        found: dict[str, tuple[int, int]] = {}
        for index, message in enumerate(self._asked.messages):
            if message.role == "system" and "tool_addition" in message.types:
                for at, block in enumerate(message.blocks):
                    definition = wire.mapping(wire.mapping(block.get("tool")).get("definition"))
                    name = "" if _is_toolset(definition) else wire.string(definition.get("name"))
                    if definition:
                        found.setdefault(name, (index, at))
        return found


def _is_toolset(tool: Any) -> bool:
    return "toolset" in wire.string(wire.mapping(tool).get("type"))
