"""Server-sent events: bytes → events → bytes, lossless.

A recorder needs what a client throws away: comments, blank lines, the exact spelling of each field, an
event that was cut in the middle. So an event here is a *run of bytes* first (`raw`), and what the
specification says about it second. The raws of a body joined are the body, whatever the bytes are, and
chunk boundaries never show: any chunking gives the same events.

An event ends with its blank line. A blank line on its own is an event without fields; a comment
followed by a blank line is one without data; what follows the last blank line is an event that is not
`terminated`, which a conforming client drops.

Source: WHATWG HTML, 9.2.5 and 9.2.6 (event stream syntax and interpretation).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

BOM = b"\xef\xbb\xbf"
# A CR at the end of the buffer may be half of a CRLF; the caller holds such a match back.
_BREAK = rb"(?:\r\n|\n|\r(?!\n))"
_EVENT_END = re.compile(_BREAK + _BREAK)
_LEADING_BREAK = re.compile(_BREAK)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_TAIL = 3  # a break pair is at most four bytes: three of them may already have been searched in vain


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Attributes:
        raw: its exact bytes, with the blank line that ends it.
        event: the value of its last `event:` field, `None` where it has none.
        data: the values of its `data:` fields joined by line feeds, `None` where it has none.
        comment: its comments (without the colon and one space) joined by line feeds, or `None`.
        id: the value of its last `id:` field, or `None`.
        terminated: whether its blank line arrived.
    """

    raw: bytes
    event: str | None = None
    data: str | None = None
    comment: str | None = None
    id: str | None = None
    terminated: bool = True

    @property
    def dispatched(self) -> bool:
        """Whether a client that follows the specification hands it to the application."""
        return self.terminated and self.data is not None


def split(body: bytes) -> list[Event]:
    """All events of a whole body, the unterminated rest included."""
    decoder = Decoder()
    return [*decoder.feed(body), *decoder.finish()]


def received(body: bytes) -> list[tuple[str | None, str | None]]:
    """Name and data of the terminated events that have either, as `split` gives them, at a fifth of its price.

    Those with data are the ones that a client hands to the application (`Event.dispatched`).
    """
    if b"\r" in body or body.startswith(BOM):
        return [
            (event.event, event.data)
            for event in split(body)
            if event.terminated and not (event.event is None and event.data is None)
        ]
    runs = body.decode("utf-8", "replace").split("\n\n")
    del runs[-1]
    found: list[tuple[str | None, str | None]] = []
    for run in runs:
        # How nearly every event is written.
        if run[:7] == "event: ":
            name, _, data = run[7:].partition("\ndata: ")
            if data and "\n" not in data and "\n" not in name:
                found.append((name, data))
                continue
        elif run[:6] == "data: " and "\n" not in run:
            found.append((None, run[6:]))
            continue
        event = _parse(run.encode(), first=False, terminated=True)
        if event.event is not None or event.data is not None:
            found.append((event.event, event.data))
    return found


@dataclass(slots=True)
class Decoder:
    """Events from chunks, as they arrive. `feed` each chunk, then `finish` once."""

    _buffer: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _at_start: bool = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete with this chunk."""
        self._buffer += chunk
        return self._take(final=False)

    def finish(self) -> list[Event]:
        """What the end of the stream completes; last, where bytes remain, the unterminated rest."""
        events = self._take(final=True)
        if self._buffer:
            events.append(_parse(bytes(self._buffer), first=self._at_start, terminated=False))
            self._buffer.clear()
        return events

    def _take(self, *, final: bool) -> list[Event]:
        buffer, events, start, size = self._buffer, [], 0, len(self._buffer)
        searched = self._searched
        while start < size:
            text = start
            if self._at_start:
                if not final and size < len(BOM) and BOM.startswith(buffer):
                    break
                if buffer.startswith(BOM):
                    text += len(BOM)
            found = _LEADING_BREAK.match(buffer, text) or _EVENT_END.search(buffer, max(text, searched))
            if found is None:
                searched = max(start, size - _TAIL)
                break
            end = found.end()
            if end == size and buffer[end - 1] == 0x0D and not final:
                searched = max(start, size - _TAIL)
                break
            events.append(_parse(bytes(buffer[start:end]), first=self._at_start, terminated=True))
            self._at_start = False
            start = end
        del buffer[:start]
        self._searched = max(0, searched - start)
        return events


def _parse(raw: bytes, *, first: bool, terminated: bool) -> Event:
    name: str | None = None
    ident: str | None = None
    data: list[str] = []
    comments: list[str] = []
    text = raw[len(BOM) :] if first and raw.startswith(BOM) else raw
    lines = text.split(b"\n") if b"\r" not in text else _LINE_END.split(text)
    for line in lines:
        key, colon, rest = line.partition(b":")
        if not colon and not key:
            continue
        value = (rest[1:] if rest[:1] == b" " else rest).decode("utf-8", "replace")
        if key == b"data":
            data.append(value)
        elif key == b"event":
            name = value
        elif not key:
            comments.append(value)
        elif key == b"id":
            ident = value
    return Event(
        raw,
        name,
        "\n".join(data) if data else None,
        "\n".join(comments) if comments else None,
        ident,
        terminated,
    )
