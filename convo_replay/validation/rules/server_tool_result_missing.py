"""A server tool's use without its result stands in the last, still open assistant turn only."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="server-tool-result-missing",
    number="A5",
    format="anthropic",
    severity="error",
    summary="A server tool's use has its result, unless its assistant turn is the last one and still open.",
    why="A server_tool_use (web search, code execution …) runs on the server, and its result comes in an assistant "
    "turn. Without it, the use may only be sent back while the turn is open: after stop_reason pause_turn as the "
    "last message, unchanged; after stop_reason tool_use with a user message that holds tool_result blocks and "
    "nothing else, and with the tool still declared. Usually the result block was dropped when the answer was "
    "stored, or the user's next text was sent while the turn was open.",
    source="platform.claude.com build-with-claude/handling-stop-reasons; anthropics/anthropic-sdk-python #1339",
    api_error="messages.N: `web_search` tool use with id `ID` was found without a corresponding "
    "`web_search_tool_result` block",
)
_RUN_CODE = "code_execution"


def check(asked: Asked) -> Iterator[Finding]:
    for span in asked.spans:
        if span.role == "user" and span.end > asked.new and not all(map(tool_loop.only_results, span.messages)):
            yield from (_found(*use, f"messages[{span.start}] goes on") for use in _open(asked, span.start))
    yield from _undeclared(asked)


def _open(asked: Asked, end: int) -> list[tuple[int, str, str]]:
    """Message, id, name: of the server tools that have no result in the open turn that ends before a message."""
    turn: list[int] = []
    for index in range(end - 1, -1, -1):
        message = asked.messages[index]
        if message.role == "user" and not tool_loop.only_results(message):
            break
        if message.role == "assistant" and not tool_loop.SERVER_USES.isdisjoint(message.types):
            turn.append(index)
    uses = [(at, ident, name) for at in turn for _, ident, name in tool_loop.server_uses(asked.messages[at])]
    if not uses:
        return []
    after = asked.messages[turn[-1] : end]
    answered = {ident for message in after for _, ident, _ in tool_loop.server_results(message)}
    return sorted(use for use in uses if use[1] not in answered)


def _undeclared(asked: Asked) -> Iterator[Finding]:
    """Of an open turn: uses of a tool that the request no longer declares, so that it cannot be completed."""
    last = next((span for span in reversed(asked.spans) if span.role == "assistant"), None)
    if last is None or (asked.messages[-1].role == "user" and not tool_loop.only_results(asked.messages[-1])):
        return
    uses = [
        (index, ident, name)
        for index, message in enumerate(last.messages, last.start)
        for _, ident, name in tool_loop.server_uses(message)
        if name
    ]
    if not uses:
        return
    answered = {ident for message in last.messages for _, ident, _ in tool_loop.server_results(message)}
    kinds = [wire.string(wire.mapping(tool).get("type")) for tool in wire.items(asked.body.get("tools"))]
    for index, ident, name in uses:
        tool = _RUN_CODE if name.endswith(_RUN_CODE) else name
        if ident in answered or tool in asked.tools or any(kind.startswith(tool) for kind in kinds):
            continue
        yield _found(index, ident, name, f"no `{tool}` tool is declared", f", but no `{tool}` tool was provided")


def _found(index: int, ident: str, name: str, because: str, ending: str = "") -> Finding:
    result = "tool_search_tool_result" if name.startswith("tool_search_tool") else f"{name or 'mcp'}_tool_result"
    return RULE.found(
        ("messages", index),
        f"expected a `{result}` for {value(ident)}, sent none, and {because}",
        api_error=f"messages.{index}: `{name}` tool use with id `{ident}` was found without a corresponding "
        f"`{result}` block{ending}"
        if name
        else "",
    )
