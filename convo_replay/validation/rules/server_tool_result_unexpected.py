"""A server tool's result stands after the use that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import tool_loop
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="server-tool-result-unexpected",
    number="A5",
    format="anthropic",
    severity="error",
    summary="A server tool's result block stands after its server_tool_use.",
    why="The result of a server tool (web_search_tool_result, advisor_tool_result …) is sent back without the "
    "server_tool_use before it: the use was dropped or turned into a tool_use when the answer was stored, or history "
    "was trimmed between the two. Send the assistant's content back as it came, both blocks of it.",
    source="anthropics/claude-code #64383, #80439",
    api_error="messages.N.content.M: unexpected `tool_use_id` found in `advisor_tool_result` blocks: ID. Each "
    "`advisor_tool_result` block must have a corresponding `server_tool_use` block before it.",
)


def check(asked: Asked) -> Iterator[Finding]:
    if not any(kind.endswith("_tool_result") for kind in asked.kinds):
        return
    earlier = _Earlier(asked)
    for index, message in asked.fresh:
        if message.role != "assistant":
            continue
        results = list(tool_loop.server_results(message))
        if not results:
            continue
        known = {ident: at for at, ident, _ in tool_loop.server_uses(message)}
        missing = [result for result in results if known.get(result[1], result[0]) >= result[0]]
        if not missing or "compaction" in message.types:
            continue
        earlier.read(index)
        if earlier.summarized:
            return
        for at, ident, kind in missing:
            if ident not in earlier.uses:
                owner = "mcp_tool_use" if kind == "mcp_tool_result" else "server_tool_use"
                yield RULE.found(
                    ("messages", index, "content", at),
                    f"expected a `{owner}` with the id {value(ident)} before this `{kind}`, sent none",
                    api_error=f"messages.{index}.content.{at}: unexpected `tool_use_id` found in `{kind}` blocks: "
                    f"{ident}. Each `{kind}` block must have a corresponding `{owner}` block before it.",
                )


class _Earlier:
    """The server tools used before a message; read as far as it is asked for."""

    def __init__(self, asked: Asked) -> None:
        self.uses: set[str] = set()
        self.summarized = tool_loop.continues_thread(asked)
        """Whether a part of the history is not in the request, but with the API or in a summary."""
        self._messages = asked.messages
        self._read = 0

    def read(self, end: int) -> None:
        for message in self._messages[self._read : end]:
            self.summarized |= "compaction" in message.types
            self.uses.update(ident for _, ident, _ in tool_loop.server_uses(message))
        self._read = end
