"""What a cassette is in memory, and the one form of an exchange that a file can hold exactly."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from ..exchange import Chunk, End, Exchange, Head, Headers, Step
from ..sse import split
from .response_bodies import is_event_stream

OUTCOMES = ("failed",)
PHASES = ("connect", "read", "write", "pool", "close", "proxy", "length", "chunk", "half", "garbage")
"""Where an exchange ended, as recorders (`transports/ends.py`) and faults say it."""
STATUSES = range(100, 1000)
"""A status has three digits (RFC 9110 §15), and the first is no zero; gateways use those from 600 on, too."""
MOST_SECONDS = 1_000_000_000


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
    never run back; header names in lower case, a repeated header's values together. What is no status is none,
    the exchange then broke there; a moment, an outcome or a phase that is none is left out.
    """
    request = replace(exchange.request, headers=_headers(exchange.request.headers))
    recorded = exchange.recorded if not exchange.recorded or is_moment(exchange.recorded) else ""
    outcome = exchange.outcome if exchange.outcome in OUTCOMES else ""
    head = exchange.head
    end = exchange.end
    if head is not None and head.status not in STATUSES:
        end = End("truncated", end.at, detail=f"the status line said {head.status}")
        exchange, head = replace(exchange, steps=(end,)), None
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
    phase = end.phase if end.phase in PHASES else ""
    steps.append(End(end.kind, finished / 1000, phase, text(end.detail)))
    return replace(exchange, request=request, steps=tuple(steps), recorded=recorded, outcome=outcome)


def is_moment(value: str) -> bool:
    """Whether a text is a date, or a date and a time, as in RFC 3339; a time may be without a zone, as vcrpy has it."""
    usual = len(value) == 20 and value[10] == "T" and value[19] == "Z" and value[7] == "-" and value[13] == ":"
    if not usual and _MOMENT.match(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:  # February 30
        return False
    return True


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?\Z"
)


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
