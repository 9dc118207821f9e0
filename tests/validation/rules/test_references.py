"""What stands for something else: compaction (A22), references to tools (A23), threads (A25)."""

from __future__ import annotations

from typing import Any

import pytest

from convo_replay.validation.rules import compaction_invalid, thread_unsupported, tool_reference_unresolved
from rule_cases import assistant, body, errors, result, said, server_result, server_use, system, tool, use, user


def compacted(content: Any = "They said hello.", **other: Any) -> dict[str, Any]:
    return {"type": "compaction", "content": content, **other}


SIGNED = compacted(signature="c2ln")
BLOCKS = {
    "on demand": ([assistant(SIGNED), user("Go on.")], []),
    "on demand, in the question": ([user(SIGNED, "Go on.")], []),
    "on demand, behind messages": ([user("Hi."), assistant(SIGNED), user("Go on.")], ["messages.1.content.0"]),
    "on demand, behind a text": ([assistant("Hi.", SIGNED), user("Go on.")], ["messages.0.content.1"]),
    "on demand, twice": ([assistant(SIGNED), user("Hi."), assistant(SIGNED), user("?")], ["messages.2.content.0"]),
    "on demand, failed later": ([assistant(SIGNED, compacted(None)), user("Go on.")], []),
    "by the API": ([user("Hi."), assistant(compacted(), "Hi!"), user("Go on.")], []),
    "by the API, again": (
        [user("Hi."), assistant(compacted(), "Hi!"), user("Go on."), assistant(compacted(), "Well."), user("?")], [],
    ),
    "by the API, between tools": (
        [user("Hi."), assistant(compacted(), server_use(), server_result(), compacted(), "So."), user("?")], [],
    ),
    "by the API, behind a text": ([user("Hi."), assistant("Hi!", compacted()), user("?")], ["messages.1.content.1"]),
    "by the API, twice": ([user("Hi."), assistant(compacted(), compacted()), user("?")], ["messages.1.content.1"]),
    "failed": ([user("Hi."), assistant("Hi!", compacted(None)), user("?")], []),
    "empty": ([user("Hi."), assistant(compacted(""), "Hi!"), user("?")], ["messages.1.content.0"]),
    "in a system message": ([user("Hi."), system(compacted())], ["messages.1.content.0"]),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "paths"), BLOCKS.values(), ids=BLOCKS.keys())
def test_where_a_compaction_block_stands(messages, paths):
    assert said(compaction_invalid.check, body(*messages)) == [("error", path) for path in paths]
    assert said(compaction_invalid.check, body(*messages), new=len(messages)) == []


def test_what_the_api_says_of_a_compaction_block():
    behind = body(user("Hi."), assistant(SIGNED), user("Go on."))
    assert "must be sent first, in place of the messages it summarizes" in errors(compaction_invalid.check, behind)[0]
    twice = body(assistant(SIGNED, SIGNED), user("Go on."))
    assert errors(compaction_invalid.check, twice) == ["compaction_block_ambiguous"]
    again = body(user("Hi."), assistant(compacted(), compacted()), user("Go on."))
    assert errors(compaction_invalid.check, again) == ["compaction_block_ambiguous"]


def reference(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "tool_name": name}


def searched(name: str) -> dict[str, Any]:
    found = {"type": "tool_search_tool_search_result", "tool_references": [reference("look"), reference(name)]}
    return {"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found}


def change(kind: str = "tool_addition", **named: Any) -> dict[str, Any]:
    return {"type": kind, "tool": {"type": "tool_reference", **named}}


def definition(name: str, **other: Any) -> dict[str, Any]:
    return {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool(name, **other)}}


TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "calendar"}
MCP = {"type": "mcp_tool_reference", "server_name": "calendar", "name": "add"}
REFERENCES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    # messages after a question, tools, paths
    "in a result": ([assistant(use()), user(result(content=[reference("look")]))], [tool()], []),
    "in a result, gone": (
        [assistant(use()), user(result(content=["x", reference("gone")]))], [tool()],
        ["messages.2.content.0.content.1"],
    ),
    "no tools at all": (
        [assistant(use()), user(result(content=[reference("look")]))], [], ["messages.2.content.0.content.0"],
    ),
    "searched": ([assistant(server_use(), searched("look")), user("?")], [tool()], []),
    "searched, gone": (
        [assistant(server_use(), searched("gone")), user("?")], [tool()],
        ["messages.1.content.1.content.tool_references.1"],
    ),
    "behind a toolset": ([assistant(server_use(), searched("gone")), user("?")], [tool(), TOOLSET], []),
    "added by a message": (
        [system(definition("late")), assistant(use()), user(result(content=[reference("late")]))], [tool()], [],
    ),
    "addition": ([system(change(name="look"))], [tool(defer_loading=True)], []),
    "addition of nothing": ([system("Now.", change(name="gone"))], [tool()], ["messages.1.content.1"]),
    "removal of nothing": ([system(change("tool_removal", name="gone"))], [tool()], ["messages.1.content.0"]),
    "removal of what was added": (
        [system(definition("late")), assistant("Yes."), user("?"), system(change("tool_removal", name="late"))],
        [tool()], [],
    ),
    "removal before it is added": (
        [system(change("tool_removal", name="late"), definition("late"))], [tool()], ["messages.1.content.0"],
    ),
    "an MCP tool": ([system({"type": "tool_addition", "tool": MCP})], [tool(), TOOLSET], []),
    "an MCP tool of nobody": ([system({"type": "tool_addition", "tool": MCP})], [tool()], ["messages.1.content.0"]),
    "an unknown kind": ([system({"type": "tool_addition", "tool": {"type": "later", "name": "x"}})], [tool()], []),
    "no tool": ([system({"type": "tool_addition"}, {"type": "tool_removal", "tool": 5})], [tool()], []),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "tools", "paths"), REFERENCES.values(), ids=REFERENCES.keys())
def test_references_name_a_tool(messages, tools, paths):
    sent = body(user("Hi."), *messages, tools=tools, model="claude-opus-5")
    assert said(tool_reference_unresolved.check, sent) == [("error", path) for path in paths]
    assert said(tool_reference_unresolved.check, sent, new=len(messages) + 1) == []


def test_what_the_api_says_of_a_reference():
    sent = body(user("Hi."), assistant(use()), user(result(content=[reference("gone")])), system(change(name="gone")))
    assert errors(tool_reference_unresolved.check, sent) == [
        "Tool reference 'gone' not found in available tools",
        "tool_reference_unresolved",
    ]


def test_an_mcp_server_is_named_by_the_request():
    sent = body(user("Hi."), system({"type": "tool_addition", "tool": MCP}), mcp_servers=[{"name": "calendar"}])
    assert said(tool_reference_unresolved.check, sent) == []


def test_threads():
    other = {"fallbacks": ["claude-opus-4-8"], "cache_control": {"type": "ephemeral"}}
    sent = body(user("Hi."), thread={"type": "create"}, **other)
    assert said(thread_unsupported.check, sent) == [("warn", "cache_control"), ("warn", "fallbacks")]
    assert said(thread_unsupported.check, body(user("Hi."), thread={"type": "create"})) == []
    assert said(thread_unsupported.check, body(user("Hi."), thread=None, **other)) == []
