"""Taking an answer apart and putting it together: what faults have in common.

Chunks are changed one by one, so that the waits that another fault of the run put before them stay.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Steps
from convo_replay.providers import wire

_LINE_END = re.compile(rb"\r\n|\n|\r")
_FRAMING = ("content-length", "transfer-encoding", "content-encoding")


def head_of(steps: Steps) -> Head | None:
    first = steps[0] if steps else None
    return first if isinstance(first, Head) else None


def end_of(steps: Steps) -> End:
    last = steps[-1] if steps else None
    return last if isinstance(last, End) else End()


def body_of(steps: Steps) -> bytes:
    return b"".join([step.data for step in steps if isinstance(step, Chunk)])


def check_header(fault: str, setting: str, value: str) -> None:
    """Whether a setting may stand in a header.

    Raises:
        ValueError: it may not.
    """
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{fault}: {setting} is {value!r}, which no header can hold: expected printable ASCII")


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
    for step in steps:
        if not isinstance(step, Chunk):
            made.append(step)
            continue
        data = b"".join([raw for one in sse.split(step.data) if (raw := change(one)) is not None])
        if data:
            made.append(step if data == step.data else Chunk(step.at, data))
    return steps if tuple(made) == steps else unframed(tuple(made))


def parted(after: Steps) -> tuple[Steps, Chunk | None, Steps]:
    """What comes before the first event that a client is handed, its chunk (`None` where none is left), the rest."""
    for at, step in enumerate(after):
        if isinstance(step, Chunk) and any(one.dispatched for one in sse.split(step.data)):
            return after[:at], step, after[at + 1 :]
    return after, None, ()


def next_event(before: Steps, after: Steps, change: Callable[[sse.Event], bytes]) -> Steps:
    """The first event of `after` that a client is handed, changed; as it is where none is left."""
    skipped, chunk, rest = parted(after)
    if chunk is None:
        return (*before, *after)
    data = b"".join([change(one) if one.dispatched else one.raw for one in sse.split(chunk.data)])
    return (*unframed(before), *skipped, Chunk(chunk.at, data), *rest)


def inserted(before: Steps, after: Steps, *chunks: Chunk) -> Steps:
    """Something more between the two halves."""
    return (*unframed(before), *chunks, *after)


def before_each_event(steps: Steps, chunk: Chunk, *, from_start: bool = True) -> Steps:
    """One chunk more before each event that a client is handed; a byte order mark stays the first of all.

    Args:
        from_start: whether the first chunk is the body's first one; elsewhere there is no byte order mark.
    """
    made: list[Head | Chunk | End] = []
    for step in steps:
        if isinstance(step, Chunk) and any(one.dispatched for one in sse.split(step.data)):
            first = from_start and not any(isinstance(one, Chunk) for one in made)
            mark = sse.BOM if first and step.data.startswith(sse.BOM) else b""
            made += [Chunk(chunk.at, mark + chunk.data), Chunk(step.at, step.data[len(mark) :])]
        else:
            made.append(step)
    return unframed(tuple(made))


def with_line_ends(steps: Steps, line_end: bytes) -> Steps:
    """Every line of the body ends so."""
    return tuple(
        Chunk(step.at, _LINE_END.sub(line_end, step.data)) if isinstance(step, Chunk) else step
        for step in unframed(steps)
    )


def is_named(exchange: Exchange) -> bool:
    """Whether the stream's events have names (`event:` lines), as those of the Messages API do."""
    found = sse.received(exchange.body)
    return any(name is not None for name, _ in found)


def kind_of(one: sse.Event) -> str:
    """The `type` of an event, of its name or its data."""
    return one.event or wire.string(wire.mapping(wire.parse(one.data)).get("type"))
