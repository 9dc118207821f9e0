"""What a cassette is in memory, and the one form of an exchange that a file can hold exactly."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..exchange import Chunk, End, Exchange, Head, Headers, Step
from ..sse import split
from .response_bodies import is_event_stream


@dataclass(slots=True)
class Cassette:
    """A file's content.

    Attributes:
        clients: names and versions of the client libraries that recorded it.
        resendable: `False` where an edit or a replaced signature means the API would refuse a request.
        exchanges: by start of the request.
        extra: keys of the file that this version does not know; they survive a save.
        format: which format it was read from.
    """

    clients: dict[str, str] = field(default_factory=dict)
    resendable: bool = True
    exchanges: list[Exchange] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    format: Literal["convo", "vcrpy"] = "convo"


@dataclass(frozen=True, slots=True)
class Written:
    """What a save puts on disk: the file, and the blobs it names by their path from its folder."""

    text: bytes
    blobs: Mapping[str, bytes] = field(default_factory=dict)


class UnknownKeys(UserWarning):
    """A cassette has keys that this version does not know. They are kept when it is saved."""


def stored(exchange: Exchange) -> Exchange:
    """The form in which a cassette holds an exchange: `load(dump(x)) == x` for x in it. Idempotent.

    One event per chunk, any other body in one chunk at the end's time; times in whole milliseconds that
    never run back; header names in lower case, a repeated header's values together.
    """
    request = replace(exchange.request, headers=_headers(exchange.request.headers))
    head = exchange.head
    end = exchange.end
    steps: list[Step] = []
    clock = 0
    if head is not None:
        clock = milliseconds(head.at)
        http = "" if head.http == "HTTP/1.1" else text(head.http)
        steps.append(Head(head.status, _headers(head.headers), clock / 1000, text(head.reason), http))
    chunks = [step for step in exchange.steps if isinstance(step, Chunk) and step.data]
    body = b"".join([chunk.data for chunk in chunks])
    finished = max(clock, milliseconds(end.at), *(milliseconds(chunk.at) for chunk in chunks), 0)
    if not body:
        pass
    elif is_event_stream(body, media_of(steps)):
        arrivals: list[tuple[int, int]] = []  # bytes so far, milliseconds
        size = 0
        for chunk in chunks:
            size += len(chunk.data)
            arrivals.append((size, milliseconds(chunk.at)))
        done, nth = 0, 0
        for event in split(body):
            done += len(event.raw)
            while arrivals[nth][0] < done:
                nth += 1
            clock = max(clock, arrivals[nth][1])
            steps.append(Chunk(clock / 1000, event.raw))
    else:
        steps.append(Chunk(finished / 1000, body))
    steps.append(End(end.kind, finished / 1000, text(end.phase), text(end.detail)))
    return replace(exchange, request=request, steps=tuple(steps))


def media_of(steps: list[Step] | tuple[Step, ...]) -> str:
    """The response's media type in lower case, without parameters."""
    head = steps[0] if steps else None
    if not isinstance(head, Head):
        return ""
    value = next((value for name, value in head.headers if name == "content-type"), "")
    return value.partition(";")[0].strip().lower()


def milliseconds(seconds: float) -> int:
    """Whole milliseconds; 0 for what is no time."""
    return max(0, round(seconds * 1000)) if math.isfinite(seconds) else 0


def text(value: str) -> str:
    """Text that a file can hold: a lone surrogate becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", value) if not value.isascii() else value


_SURROGATE = re.compile("[\ud800-\udfff]")


def _headers(headers: Headers) -> Headers:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(text(name).lower(), []).append(text(value))
    return tuple((name, value) for name, several in values.items() for value in several)
