"""A tool call whose input breaks off, in an answer that ends as usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, positions, tool_calls
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire


@dataclass(frozen=True)
class ToolTruncated(Fault):
    """`tool_truncated`: the first half of the first call's arguments; nothing else says that they are not whole.

    In the JSON of the Messages API `input` is a value: it loses the last of its keys.
    """

    name = "tool_truncated"
    kind = "tools"
    summary = "the input of a tool call breaks off; the answer ends as usual"
    outcomes: ClassVar = outcomes.calls(
        create=("silent: an input without its last key", "silent: half of the arguments"),
        raw="silent: fragments are missing",
        stream=(
            "silent: a part of the input",
            f"{outcomes.BARE}; of a tool that is not strict: silent, half of the arguments",
        ),
    )
    source: ClassVar[str] = "row 49"

    def fits(self, exchange: Exchange) -> str:
        if said := tool_calls.wants_call(exchange):
            return said
        changed = self.apply((), exchange.steps, exchange) != exchange.steps
        return "" if changed else "wants a tool call with an input; this one's is empty, or came whole"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        if not positions.events(exchange):
            call = tool_calls.find(after, exchange)
            given = call.fragments[0].value if call is not None else None
            if call is not None and isinstance(given, dict):
                less = dict(list(given.items())[:-1])
                return tool_calls.changed(after, call.fragments, [less]) if given else after
        return tool_calls.rewritten(after, exchange, _halved)


def _halved(fragments: list[str]) -> list[str]:
    left = len("".join(fragments)) // 2
    if not left or wire.parse("".join(fragments)) == {}:
        return fragments
    kept = []
    for text in fragments:
        kept.append(text[:left])
        left -= len(kept[-1])
    return kept
