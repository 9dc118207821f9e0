"""A byte that is no UTF-8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces, positions
from convo_replay.faults.fault import Fault

_BYTE = b"\xff"


@dataclass(frozen=True)
class BadUtf8(Fault):
    """`bad_utf8`: in a string in the middle of the body; `bad_utf8@3`: in event 3; `bad_utf8@b120`: at that byte."""

    name = "bad_utf8"
    kind = "body"
    summary = "a byte in the body that is no UTF-8"
    positions = "any"
    position_needed = False
    outcomes: ClassVar = outcomes.every("UnicodeDecodeError (bare)")
    source: ClassVar[str] = "rows 20, 33"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_body(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        if not before:
            chunks = [at for at, step in enumerate(after) if isinstance(step, Chunk)]
            middle = chunks[len(chunks) // 2] if chunks else 0
            before, after = after[:middle], after[middle:]
            if len(chunks) == 1 and isinstance(after[0], Chunk):
                return (*pieces.unframed(before), Chunk(after[0].at, _in_string(after[0].data)), *after[1:])
        elif not _between_events(before) or not positions.events(exchange):
            return pieces.inserted(before, after, Chunk(0.0, _BYTE))
        return pieces.next_event(before, after, lambda event: _in_last_string(event))


def _between_events(before: Steps) -> bool:
    body = pieces.body_of(before)
    return not body or not sse.split(body) or sse.split(body)[-1].terminated


def _in_string(data: bytes) -> bytes:
    """At the first quotation mark after the middle."""
    at = data.find(b'"', len(data) // 2)
    at = len(data) // 2 if at < 0 else at
    return data[:at] + _BYTE + data[at:]


def _in_last_string(event: sse.Event) -> bytes:
    """At the last quotation mark of its data; where it has none, at its end."""
    at = event.raw.rfind(b'"')
    at = len(event.raw.rstrip()) if at < 0 else at
    return event.raw[:at] + _BYTE + event.raw[at:]
