"""A tool call whose arguments are no JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, tool_calls
from convo_replay.faults.fault import Fault

_WRONG = '{"value": ,'


@dataclass(frozen=True)
class ToolArguments(Fault):
    """`tool_arguments`: a syntax error at the start of the first call's arguments, in fragments or in one string.

    Models write such arguments where nobody checks them (`eager_input_streaming`, gateways). In the JSON of the
    Messages API `input` is a value, which cannot be broken alone: it becomes the broken text itself, a string, as
    gateways pass it on that could not read it.
    """

    name = "tool_arguments"
    kind = "tools"
    summary = "arguments of a tool call that are no JSON"
    outcomes: ClassVar = outcomes.calls(
        create=("result: input is a str", "result: arguments that are no JSON"),
        raw="result: fragments that are no JSON",
        stream=("ValueError (bare)", "ValueError (bare); of a tool that is not strict: arguments that are no JSON"),
    )
    source: ClassVar[str] = "row 49"

    def fits(self, exchange: Exchange) -> str:
        if said := tool_calls.wants_call(exchange):
            return said
        changed = self.apply((), exchange.steps, exchange) != exchange.steps
        return "" if changed else "wants a tool call whose input comes in fragments; this one's came whole"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return tool_calls.rewritten(after, exchange, _broken)


def _broken(fragments: list[str]) -> list[str]:
    """The first fragment with something in it, its brace replaced."""
    at = next((at for at, text in enumerate(fragments) if text.strip()), 0)
    return [*fragments[:at], _WRONG + fragments[at].lstrip()[1:], *fragments[at + 1 :]]
