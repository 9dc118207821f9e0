"""Taking an answer apart and putting it together: what faults have in common.

Chunks are changed one by one, so that the waits that another fault of the run put before them stay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Steps
from convo_replay.providers import wire

_FRAMING = ("content-length", "transfer-encoding", "content-encoding")


def head_of(steps: Steps) -> Head | None:
    first = steps[0] if steps else None
    return first if isinstance(first, Head) else None


def end_of(steps: Steps) -> End:
    last = steps[-1] if steps else None
    return last if isinstance(last, End) else End()


def body_of(steps: Steps) -> bytes:
    return b"".join([step.data for step in steps if isinstance(step, Chunk)])


def answer(status: int, content_type: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> Steps:
    """A whole answer; without a body where there is none."""
    given = (("content-type", content_type), *headers) if content_type else tuple(headers)
    return (Head(status, given), *((Chunk(0.0, body),) if body else ()), End())


def with_headers(head: Head, **headers: str | None) -> Head:
    """The head with these headers (`_` for `-`), `None` for no such header; what frames another body is left out."""
    new = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = [(name, value) for name, value in head.headers if name not in _FRAMING and name not in new]
    added = [(name, value) for name, value in new.items() if value is not None]
    return dataclasses.replace(head, headers=(*added, *kept))


def with_body(steps: Steps, body: bytes, **headers: str | None) -> Steps:
    """The answer with another body in one chunk, complete."""
    head = head_of(steps) or Head(200)
    return (with_headers(head, **headers), *((Chunk(0.0, body),) if body else ()), End())


def unframed(steps: Steps) -> Steps:
    """Without the headers that frame the body as it was recorded."""
    return tuple(with_headers(step) if isinstance(step, Head) else step for step in steps)


def event(name: str | None, data: str) -> bytes:
    """An event as it is written: with an `event:` line where it has a name, a `data:` line for each line of data."""
    lines = [f"event: {name}"] if name is not None else []
    lines += [f"data: {line}".rstrip(" ") for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogatepass")


def each_event(steps: Steps, change: Callable[[sse.Event], bytes | None]) -> Steps:
    """Every event of the chunks changed; `None` takes it away, and its chunk where that is empty then."""
    made: list[Head | Chunk | End] = []
    for step in unframed(steps):
        if not isinstance(step, Chunk):
            made.append(step)
            continue
        data = b"".join([raw for one in sse.split(step.data) if (raw := change(one)) is not None])
        if data == step.data:
            made.append(step)
        elif data:
            made.append(Chunk(step.at, data))
    return tuple(made)


def next_event(before: Steps, after: Steps, change: Callable[[sse.Event], bytes]) -> Steps:
    """The first event of `after` that a client is handed, changed; as it is where none is left."""
    for at, step in enumerate(after):
        if isinstance(step, Chunk):
            events = sse.split(step.data)
            place = next((place for place, one in enumerate(events) if one.dispatched), None)
            if place is not None:
                raws = [change(one) if place == at_ else one.raw for at_, one in enumerate(events)]
                return (*unframed(before), *after[:at], Chunk(step.at, b"".join(raws)), *after[at + 1 :])
    return (*before, *after)


def is_named(exchange: Exchange) -> bool:
    """Whether the stream's events have names (`event:` lines), as those of the Messages API do."""
    found = sse.received(exchange.body)
    return any(name is not None for name, _ in found)


def kind_of(one: sse.Event) -> str:
    """The `type` of an event, of its name or its data."""
    return one.event or wire.string(wire.mapping(wire.parse(one.data)).get("type"))
