"""Data on several lines, as the specification of event streams allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire


@dataclass(frozen=True)
class Multiline(Fault):
    """`multiline`: a line break after the first brace of each document; the value of the JSON is the same."""

    name = "multiline"
    kind = "benign"
    summary = "the data of each event on two lines"
    outcomes: ClassVar = outcomes.calls(raw="normal")
    source: ClassVar[str] = "row 52"

    def fits(self, exchange: Exchange) -> str:
        changed = not fitting.wants_stream(exchange) and self.apply((), exchange.steps, exchange) != exchange.steps
        return "" if changed else f"wants an event stream of JSON objects; it is {fitting.described(exchange)}"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return pieces.each_event(after, _on_two_lines)


def _on_two_lines(event: sse.Event) -> bytes:
    data = event.data or ""
    if not event.dispatched or data[:1] != "{" or "\n" in data or wire.parse(data) is None:
        return event.raw
    text = f"data: {{\ndata: {data[1:]}"
    lines = event.raw.splitlines(keepends=True)
    return b"".join(
        [text.encode("utf-8", "surrogatepass") + line[len(line.rstrip(b"\r\n")) :] if line[:5] == b"data:" else line
         for line in lines]
    )  # fmt: skip
