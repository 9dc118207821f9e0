"""An assistant turn is sent back as it was received."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import echo
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.rules.thinking_modified import is_latest

_SHOWN = 3  # changes in one message

RULE = Rule(
    name="turn-altered",
    number="§3",
    format="",
    severity="warn",
    summary="An assistant turn is sent back as it was received.",
    why="The model's turn comes back changed: a block or a tool call is missing, texts are merged or cut, blocks "
    "stand in another order, the input of a tool was rebuilt, a field such as caller or citations is gone. The API "
    "takes most of this, but the model then reads something it has not said, prompt caching misses, and other rules "
    "may break (tool-result-missing, thinking-missing). Store the answer's content as it is. What SDKs add (null "
    "fields, cache_control) is no change.",
    source="platform.claude.com build-with-claude/preserved-thinking/prefix-checks (send each assistant turn back "
    "exactly as the API returned it)",
)


def check(asked: Asked) -> Iterator[Finding]:
    for index, changes, tools in echo.sent_back(asked):
        latest = asked.format == "anthropic" and is_latest(asked, index)
        told = [change for change in changes if _is_told(change, latest, tools)]
        told.sort(key=lambda change: change.minor)
        if told:
            said = " and ".join(change.said for change in told[:_SHOWN])
            more = f" and {len(told) - _SHOWN} more changes" if len(told) > _SHOWN else ""
            yield RULE.found(
                told[0].where,
                f"expected the assistant turn of messages[{index}] as it was received, sent it {said}{more}",
            )


def _is_told(change: echo.Change, latest: bool, tools: bool) -> bool:
    if not change.thinking:
        return True
    # Thinking may be left out of a turn that no tool result follows; what else is done to the latest one is A6.
    return tools if change.gone else not latest
