"""A8: with thinking off, the assistant turn that the answer continues holds no thinking.

The 400 is reported of direct calls to models up to 4.5 (forgecode #1853 and #1195, vscode #282326, until Dec
2025), all of them in tool loops; thinking in earlier turns is accepted (and in the corpus). The page "Extended
thinking" has since promised that such blocks are dropped; no recorded 200 shows it. Models that think where the
request says nothing are left alone unless it says `disabled`.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import capabilities
from convo_replay.validation.final_turn import final_turn
from convo_replay.validation.findings import Finding, Rule

_TEXT = (
    "messages.{n}.content.{m}: When thinking is disabled, an `assistant` message in the final position cannot contain "
    "`thinking`. To use thinking blocks, enable `thinking` in your request."
)

RULE = Rule(
    name="thinking-not-enabled",
    number="A8",
    format="anthropic",
    severity="error",
    summary="With thinking off, the assistant turn that asked for tools is sent back without thinking.",
    why="The turn that this request goes on from was made with thinking, and the request has thinking off or leaves "
    "the `thinking` parameter out: one parameter was lost between two requests of one tool loop. Send the same "
    "`thinking` on every request until the loop is over. (Pages of 2026 say that the API may drop the blocks instead "
    "of rejecting them; the model then goes on without what it had thought.)",
    source="tailcallhq/forgecode #1853, #1195, microsoft/vscode #282326 (the text); platform.claude.com "
    "build-with-claude/extended-thinking (graceful degradation)",
    api_error=_TEXT.format(n="N", m="M"),
)


def check(asked: Asked) -> Iterator[Finding]:
    if asked.thinking not in ("", "disabled") or (not asked.thinking and asked.body.get("thinking")):
        return
    model = capabilities(asked.model)
    if model is None or (not asked.thinking and model.thinks):
        return
    turn = final_turn(asked)
    if turn is None:
        return
    for index in range(turn.start, turn.end + 1):
        for at in asked.messages[index].thinking[:1]:
            said = '"disabled"' if asked.thinking else "not set"
            yield RULE.found(
                ("messages", index, "content", at),
                f"expected no thinking in the assistant turn that the answer continues (`thinking` is {said}), "
                f"sent a `{asked.messages[index].types[at]}` block",
                api_error=_TEXT.format(n=index, m=at),
            )
            return
