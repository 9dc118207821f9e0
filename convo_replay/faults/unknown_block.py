"""A content block of a type that did not exist when the client was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire


@dataclass(frozen=True)
class UnknownBlock(Fault):
    """`unknown_block`: one more block after the last, with start and stop; in a JSON answer one more in `content`."""

    name = "unknown_block"
    kind = "stream"
    summary = "a content block of an unknown type after the others"
    outcomes: ClassVar = outcomes.calls(
        create=("normal, and a block more", ""),
        raw=("normal, and two events more", ""),
        stream=("normal, and a block more", ""),
    )
    source: ClassVar[str] = "row 48"

    def fits(self, exchange: Exchange) -> str:
        if said := fitting.wants_format(exchange, "anthropic"):
            return said
        changed = self.apply((), exchange.steps, exchange) != exchange.steps
        return "" if changed else f"wants an answer with content blocks; it is {fitting.described(exchange)}"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        stops = [
            (at, index) for at, step in enumerate(after) if isinstance(step, Chunk)
            for index in _stopped(step.data)
        ]  # fmt: skip
        if stops:
            at, index = stops[-1]
            start = {"type": "content_block_start", "index": index + 1, "content_block": {"type": "note", "note": "?"}}
            stop = {"type": "content_block_stop", "index": index + 1}
            new = [Chunk(0.0, pieces.event(str(one["type"]), wire.dump(one))) for one in (start, stop)]
            return (*pieces.unframed(after[: at + 1]), *new, *after[at + 1 :])
        message = wire.mapping(wire.parse(pieces.body_of(after)))
        if not isinstance(message.get("content"), list):
            return after
        message["content"].append({"type": "note", "note": "?"})
        return pieces.with_body(after, wire.dump(message).encode())


def _stopped(data: bytes) -> list[int]:
    found = [wire.mapping(wire.parse(event.data)) for event in sse.split(data) if event.dispatched]
    indexes = [one.get("index") for one in found if one.get("type") == "content_block_stop"]
    return [index for index in indexes if isinstance(index, int)]
