"""A call of a tool that does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, tool_calls
from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class UnknownTool(Fault):
    """`unknown_tool`: the first call names a tool that the request did not offer."""

    name = "unknown_tool"
    kind = "tools"
    summary = "a tool call with the name of no tool"
    outcomes: ClassVar = outcomes.every("result: the name of no tool")
    source: ClassVar[str] = "§3"

    def fits(self, exchange: Exchange) -> str:
        return tool_calls.wants_call(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        call = tool_calls.find(after, exchange)
        if call is None:
            return after
        return tool_calls.changed(after, [call.name], [f"{call.name.value}_that_does_not_exist"])
