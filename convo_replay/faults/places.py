"""Where in one recorded answer a fault can stand, and what to say where it cannot."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import replace

from convo_replay.exchange import Chunk, End, Exchange, Head, Steps
from convo_replay.faults import asking
from convo_replay.faults.positions import Layout, apply, layout
from convo_replay.faults.specs import Spec, Where

BYTE_POSITIONS = 256
"""How many runs `@b*` makes of a body, where it has no more events than that."""
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class NoFit(ValueError):
    """A fault cannot hit what was recorded; says which, where, and what would fit."""


def places(spec: Spec, exchange: Exchange, turn: str) -> list[Where]:
    """The positions that a spec stands for in one answer, each of which makes a difference; never empty.

    Args:
        turn: as it is written in a spec, `t1`, for what is said.

    Raises:
        NoFit: there is none; without the spec's name.
        asking.BrokenFault: the fault raised.
    """
    where, laid, misfit = spec.where, layout(exchange), asking.fits(spec.fault, exchange)
    if where.position is None:
        misfit = misfit or ("" if changes(spec, where, exchange) else "that is how it was recorded")
        if misfit:
            raise NoFit(misfit)
        return [where]
    if exchange.head is None:
        raise NoFit(f"has no answer in which a position could be: it ended {exchange.end.kind}")
    if not where.bytes and not laid.ends:
        said = "has no events" if laid.streamed else "is not streamed"
        bytes_ = _range(spec, exchange, [replace(where, position=k, bytes=True) for k in (0, laid.size)], turn)
        raise NoFit(f"{said}; bytes fit: {bytes_}" if spec.fault.positions != "events" and bytes_ else said)
    if misfit:
        raise NoFit(misfit)
    if where.position == "*":
        numbers: Iterable[int] = _bytes(laid) if where.bytes else range(laid.events)
        found = [one for number in numbers if changes(spec, one := replace(where, position=number), exchange)]
        if not found:
            raise NoFit("is the same with it, at every position")
        return found
    last = laid.size if where.bytes else laid.events
    if where.position > last or not changes(spec, where, exchange):
        fits = _range(spec, exchange, [replace(where, position=0), replace(where, position=last)], "")
        holds = f"the body has {last} bytes" if where.bytes else f"the stream has {last} events"
        if where.position <= last and fits:
            holds = f"there it changes nothing, {holds}"
        raise NoFit(f"{holds}: {fits or 'it is the same with the fault, wherever it stands'}")
    return [where]


def changes(spec: Spec, where: Where, exchange: Exchange) -> bool:
    """Whether the answer is another one with the fault there. Those that nobody may notice are taken at their word."""
    if spec.fault.kind == "benign":
        return True
    return _differ(apply([replace(spec, where=where)], exchange), layout(exchange))


def _differ(made: Steps, laid: Layout) -> bool:
    """Whether a client can see the difference, as far as that depends on no client."""
    known = laid.steps
    if _edges(made) != _edges(known) or any(step.at for step in made):
        return True
    body, recorded = _body(made), _body(known)
    if body == recorded:
        return False
    if not recorded.startswith(body):
        return True
    if laid.streamed:
        # What is left out behind the last event, a comment or half an event, was never handed to anybody.
        return bool(laid.ends) and len(body) < laid.ends[-1]
    return body.rstrip() != recorded.rstrip()


def _edges(steps: Steps) -> tuple[object, ...]:
    first = steps[0] if steps else None
    last = steps[-1] if steps else None
    head = None
    if isinstance(first, Head):
        head = (first.status, first.reason, [pair for pair in first.headers if pair[0] not in _FRAMING])
    return head, (last.kind, last.phase) if isinstance(last, End) else None


def _body(steps: Steps) -> bytes:
    return b"".join([step.data for step in steps if isinstance(step, Chunk)])


def _range(spec: Spec, exchange: Exchange, ends: list[Where], turn: str) -> str:
    """The first and the last position that make a difference, as they are written in a spec."""
    first, last = ends
    assert isinstance(first.position, int)
    assert isinstance(last.position, int)
    numbers = range(first.position, last.position + 1)
    at = replace(first, turn=None)
    low = next((one for one in numbers if changes(spec, replace(at, position=one), exchange)), None)
    if low is None:
        return ""
    high = next(one for one in reversed(numbers) if changes(spec, replace(at, position=one), exchange))
    begin = replace(at, position=low)
    shown = f"@{turn}.{begin}" if turn else str(begin)
    return shown if low == high else f"{shown} to {replace(at, position=high)}"


def _bytes(laid: Layout) -> list[int]:
    """Both ends and every event boundary; filled up evenly where they are few."""
    fixed = sorted({0, *laid.ends, laid.size})
    missing = min(BYTE_POSITIONS, laid.size + 1) - len(fixed)
    # The widest part is cut into one more, again and again: parts of a gap are always of equal width.
    gaps = [(float(start - until), start, until, 1) for start, until in itertools.pairwise(fixed)]
    heapq.heapify(gaps)
    made: list[int] = []
    for _ in range(missing):
        _, start, until, parts = gaps[0]
        heapq.heapreplace(gaps, ((start - until) / (parts + 1), start, until, parts + 1))
    for _, start, until, parts in gaps:
        made += [start + (until - start) * part // parts for part in range(1, parts)]
    return sorted({*fixed, *made})
