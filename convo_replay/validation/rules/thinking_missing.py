"""A7: with manual thinking, the assistant turn of an open tool loop starts with its thinking.

Only of models that take a budget. The 400 is reported many times, until Feb 2026 and of models up to 4.5
(mastra #7799, n8n #22550, kilocode #5219, Roo-Code #11238). The page "Extended thinking" has since promised
"graceful degradation": the API turns thinking off for such a request. No recorded 200 shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import capabilities
from convo_replay.validation.final_turn import THINKING, final_turn, loop_start
from convo_replay.validation.findings import Finding, Rule

_TEXT = (
    "messages.{n}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kind}`. When `thinking` is "
    "enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` "
    "and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid this "
    "requirement, disable `thinking`."
)

RULE = Rule(
    name="thinking-missing",
    number="A7",
    format="anthropic",
    severity="error",
    summary="With thinking enabled, the assistant turn that asked for tools comes back with its thinking in front.",
    why="The request enables thinking with a budget, and answers tools that the model asked for; but the assistant "
    "turn it answers does not start with a thinking block. Usually the client kept only text and tool calls, or "
    "switched thinking on in the middle of a tool loop. Send the whole content of the answer back as it was "
    "received, and switch thinking on or off only after the loop is over. (Pages of 2026 say that the API may answer "
    "such a request without thinking instead of rejecting it; that is not what was asked for either.)",
    source="mastra #7799, n8n #22550, kilocode #5219 (the text); platform.claude.com build-with-claude/"
    "extended-thinking (graceful degradation)",
    api_error=_TEXT.format(n="N", kind="tool_use"),
)


def check(asked: Asked) -> Iterator[Finding]:
    if asked.thinking != "enabled":
        return
    model = capabilities(asked.model)
    if model is None or not model.budget:
        return
    turn = final_turn(asked)
    if turn is None:
        return
    message = asked.messages[turn.start]
    kind = message.types[0] if message.types else ""
    if not kind or kind in THINKING or kind == "compaction":
        return
    first = loop_start(asked, turn.start)
    if first != turn.start and asked.messages[first].types[:1] and asked.messages[first].types[0] in THINKING:
        # Without interleaving, only the first answer of a loop holds thinking.
        received = asked.answers.get(turn.start)
        began = received[0] if isinstance(received, list) and received else None
        if not (isinstance(began, dict) and wire.string(began.get("type")) in THINKING):
            return
    where = ("messages", turn.start) if message.plain else ("messages", turn.start, "content", 0)
    yield RULE.found(
        where,
        f"expected the assistant turn to start with its thinking block (thinking is enabled), sent `{kind}` first",
        api_error=_TEXT.format(n=turn.start, kind=kind),
    )
