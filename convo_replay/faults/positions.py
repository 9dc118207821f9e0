"""Positions in a recorded answer, and the answer cut in two there for a fault (design.md §5).

Events are the dispatched ones of the *recorded* stream: pings count, comments do not. Position `k` lies right after
the k-th of them, so 0 is the start of the body; bytes are of the body as replayed. Whatever the chunks of the
recording are, a fault sees one chunk per event (a comment, a blank line and an unterminated rest are chunks of their
own), and any other body as one chunk.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Step, Steps
from convo_replay.faults import asking

if TYPE_CHECKING:
    from convo_replay.faults.specs import Spec, Where


@dataclass(frozen=True, slots=True)
class Layout:
    """A recorded answer as faults see it.

    Attributes:
        steps: without the times of the recording.
        ends: for each dispatched event the bytes up to its end; empty where the answer is no event stream.
        size: bytes of the body.
        streamed: whether the answer is an event stream.
    """

    steps: Steps
    ends: tuple[int, ...]
    size: int
    streamed: bool

    @classmethod
    def of(cls, steps: Steps) -> Layout:
        """Any steps laid out."""
        body = b"".join([step.data for step in steps if isinstance(step, Chunk)])
        head = steps[0] if steps and isinstance(steps[0], Head) else None
        end = steps[-1] if steps and isinstance(steps[-1], End) else End()
        chunks, ends, size = [Chunk(0.0, body)] if body else [], [], 0
        streamed = head is not None and _is_stream(head, body)
        if streamed:
            events = sse.split(body)
            chunks = [Chunk(0.0, event.raw) for event in events]
            for event in events:
                size += len(event.raw)
                if event.dispatched:
                    ends.append(size)
        made: list[Step] = [replace(head, at=0.0)] if head is not None else []
        return cls((*made, *chunks, replace(end, at=0.0)), tuple(ends), len(body), streamed)

    @property
    def events(self) -> int:
        """Dispatched events."""
        return len(self.ends)

    def offset(self, where: Where) -> int:
        """The byte of the body at which a position lies.

        Raises:
            ValueError: beyond the body, or not one position.
        """
        position = where.position
        if isinstance(position, int):
            if where.bytes and position <= self.size:
                return position
            if not where.bytes and position <= self.events:
                return self.ends[position - 1] if position else 0
        raise ValueError(f"@{where} is no position of a body of {self.events} events and {self.size} bytes")


class _Same:
    """An exchange as a key: by identity, since bodies of requests have no hash."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def __hash__(self) -> int:
        return id(self.exchange)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.exchange is self.exchange


def layout(exchange: Exchange) -> Layout:
    """The exchange's answer as faults see it; worked out once."""
    return _layout(_Same(exchange))


@functools.lru_cache(maxsize=512)
def _layout(key: _Same) -> Layout:
    return Layout.of(key.exchange.steps)


def _is_stream(head: Head, body: bytes) -> bool:
    """Gateways send event streams under other types, too."""
    media = next((value for name, value in head.headers if name == "content-type"), "")
    return media.partition(";")[0].strip().lower() == "text/event-stream" or body.startswith((b"data:", b"event:"))


def events(exchange: Exchange) -> int:
    """Dispatched events of a recorded stream; 0 where the answer is none."""
    return layout(exchange).events


def size(exchange: Exchange) -> int:
    """Bytes of the body as replayed."""
    return layout(exchange).size


def split(steps: Steps, where: Where) -> tuple[Steps, Steps]:
    """What comes before a position, and what from there on; everything is after where no position is named.

    Raises:
        ValueError: the position is beyond the body.
    """
    laid = Layout.of(steps)
    return ((), laid.steps) if where.position is None else _cut(laid.steps, laid.offset(where))


def apply(specs: Sequence[Spec], exchange: Exchange) -> Steps:
    """The answer to one attempt, with all faults that hit it.

    Later positions come first, so that they do not shift earlier ones; of several at one place the one that is
    written first comes first on the wire; faults without a position come after these, as written.

    Raises:
        ValueError: a position is beyond the body; `asking.BrokenFault`: a fault raised.
    """
    laid = layout(exchange)
    steps = laid.steps
    placed = [(laid.offset(spec.where), at) for at, spec in enumerate(specs) if spec.where.position is not None]
    for offset, at in sorted(placed, reverse=True):
        steps = asking.apply(specs[at].fault, *_cut(steps, offset), exchange)
    for spec in specs:
        if spec.where.position is None:
            steps = asking.apply(spec.fault, (), steps, exchange)
    return steps


def _cut(steps: Steps, offset: int) -> tuple[Steps, Steps]:
    at = 0
    for place, step in enumerate(steps):
        if isinstance(step, Head):
            continue
        if at >= offset or isinstance(step, End):
            return steps[:place], steps[place:]
        until = at + len(step.data)
        if until > offset:
            first, second = step.data[: offset - at], step.data[offset - at :]
            return (*steps[:place], replace(step, data=first)), (Chunk(0.0, second), *steps[place + 1 :])
        at = until
    return steps, ()
