"""An event stream as lines a reviewer can read, one per event: `+SECONDS NAME DATA`.

`NAME` is the `event:` field, `-` where there is none, `:` for a comment, and `=` for an event that the
notation cannot rebuild byte for byte: its data is then the raw text as a JSON string. Which of these
applies is found by rebuilding the event and comparing bytes, so it is proved for each one. `framing`
says how the stream as a whole is spelled: `""` (`data: x`, line feeds), `crlf`, or `nospace` (`data:x`).

Times are whole milliseconds here; `+SECONDS` counts from the line before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ..sse import Event

FRAMINGS = ("", "crlf", "nospace")
_NAME = re.compile(r"[!-~]+\Z")
_MARKS = ("-", ":", "=")
# What a YAML block can hold on one line: printable, and no line break of Unicode's.
_UNSAFE = re.compile("[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LINE = re.compile(r"^\+([0-9]{1,12}(?:\.[0-9]+)?) (\S+)(?: ([^\n]*))?$", re.MULTILINE)


Line = tuple[str, str, str]
"""Seconds, name and data of a line."""


def framing_of(events: Sequence[Event]) -> str:
    """The framing that rebuilds most events; `""` where none is better."""
    sample = [event for event in events if event.dispatched][:64]
    rebuilt = {framing: sum(_line(event, framing) is not None for event in sample) for framing in FRAMINGS}
    return max(FRAMINGS, key=lambda framing: rebuilt[framing])


def write(events: Sequence[Event], times: Sequence[int], head: int, framing: str) -> str:
    """The lines of `events`; `times` and `head` are milliseconds from the start of the request."""
    lines: list[str] = []
    before = head
    for event, at in zip(events, times, strict=True):
        passed = max(0, at - before)
        before += passed
        rest = _line(event, framing)
        if rest is None:
            raw = json.dumps(event.raw.decode("utf-8"), ensure_ascii=False)
            rest = "= " + _UNSAFE.sub(_escaped, raw)
        lines.append(f"+{passed // 1000}.{passed % 1000:03d} {rest}\n")
    return "".join(lines)


def read(text: str, framing: str, head: int) -> list[tuple[int, bytes]]:
    """Pairs of (milliseconds from the start of the request, raw bytes).

    Raises:
        BadLine: a line that is none of these; it knows its index.
    """
    return rebuilt(taken_apart(text, framing), framing, head)


def taken_apart(text: str, framing: str) -> list[Line]:
    """The lines as they stand there.

    Raises:
        BadLine: one that is none; it knows its index.
    """
    if framing not in FRAMINGS:
        raise BadLine(0, f"framing is one of {' '.join(FRAMINGS[1:])}")
    found: list[Line] = _LINE.findall(text)
    if len(found) != text.count("\n") + (text[-1:] not in ("", "\n")):
        lines = text.split("\n")
        wrong = next(index for index, line in enumerate(lines) if _LINE.fullmatch(line) is None)
        raise BadLine(wrong, "expected `+SECONDS NAME DATA`, got another line")
    return found


def rebuilt(lines: Sequence[Line], framing: str, head: int) -> list[tuple[int, bytes]]:
    """As `read`."""
    made: list[tuple[int, bytes]] = []
    at = head
    passed: dict[str, int] = {}
    for seconds, name, data in lines:
        step = passed.get(seconds)
        if step is None:
            step = passed[seconds] = _milliseconds(seconds)
        at += step
        if data and not framing and name not in _MARKS:  # nearly every one
            made.append((at, f"event: {name}\ndata: {data}\n\n".encode()))
        elif name == "=":
            try:
                raw = json.loads(data)
                made.append((at, raw.encode("utf-8")))
            except (ValueError, AttributeError):
                raise BadLine(len(made), "after `=` expected the raw text as a JSON string, got other text") from None
        else:
            if not data and name != ":":
                raise BadLine(len(made), "expected data after the name, got none")
            made.append((at, _raw(name, data, framing)))
    return made


def last_of(lines: Sequence[Line], head: int) -> int | None:
    """When the last of lines came, in milliseconds; `None` where one may be wrong, or says more than its data."""
    known: dict[str, int] = {}
    at = head
    for seconds, name, data in lines:
        if not data or name == "=":
            return None
        step = known.get(seconds)
        if step is None:
            step = known[seconds] = _milliseconds(seconds)
        at += step
    return at


class BadLine(ValueError):
    """A line of a stream that cannot be read. `index` counts from 0."""

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        super().__init__(reason)


def _milliseconds(seconds: str) -> int:
    whole, _, part = seconds.partition(".")
    return int(whole) * 1000 + (int(part) if len(part) == 3 else round(float(f"0.{part or 0}") * 1000))


def _raw(name: str, data: str, framing: str) -> bytes:
    if not framing and name not in _MARKS:
        return f"event: {name}\ndata: {data}\n\n".encode()
    eol = "\r\n" if framing == "crlf" else "\n"
    sep = ":" if framing == "nospace" else ": "
    if name == ":":
        text = f"{sep if data else ':'}{data}{eol}{eol}"
    elif name == "-":
        text = f"data{sep}{data}{eol}{eol}"
    else:
        text = f"event{sep}{name}{eol}data{sep}{data}{eol}{eol}"
    return text.encode("utf-8")


def _line(event: Event, framing: str) -> str | None:
    """`NAME DATA`, or `None` where this does not rebuild the event byte for byte."""
    if event.data:
        name, data = event.event or "-", event.data
        if event.event is not None and (event.event in _MARKS or not _NAME.match(event.event)):
            return None
    elif event.comment is not None and event.data is None:
        name, data = ":", event.comment
    else:
        return None
    if "\n" in data or _UNSAFE.search(data) or _raw(name, data, framing) != event.raw:
        return None
    return f"{name} {data}" if data else name


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
