"""Whether an event stream holds anything to redact, told at a twentieth of the price of redacting it.

Nearly all events of a stream are one event with another piece of text in it, and nearly all streams hold nothing.
So an event is taken apart into what it shares with the one before it and its piece: of many in a row, all at once.
The pieces are joined by address (streams.py), and what is left of the stream is searched once: of events that earlier
streams of the conversation had, too, not even that. Only where something may be there is the stream parsed event by
event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from convo_replay.redaction import logprobs, opaque, placed, placeholders, streams

if TYPE_CHECKING:
    from convo_replay.redaction.values import Values

_PIECE = re.compile(
    r'(.*"(?:text|thinking|partial_json|content|reasoning_content|reasoning|refusal|arguments|delta|signature)":\s?")'
    r'((?:[^"\\]|\\.)*)'
    r'(".*)',
    re.DOTALL,
)
_INSIDE = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_COUNTED = (('"sequence_number":', re.compile(r'"sequence_number":\s?\d+'), '"sequence_number":0'),
            ('"obfuscation":', re.compile(r'"obfuscation":\s?"[A-Za-z0-9]*"'), '"obfuscation":""'))  # fmt: skip
"""What differs from event to event and says nothing."""
_DATA = re.compile(r"^data: ?(.*)", re.MULTILINE)
_MOST_SHAPES = 200
"""Of a stream; with more of them there is nothing to win."""
_MOST_REMEMBERED = 2000
_LONGEST_REMEMBERED = 1000
_FIRST_WINDOW = 4096
"""Characters in which a row of events of one shape is looked for first; then twice as many."""

_NOWHERE: dict[str, Any] = {"type": "redacted_thinking"}


_Told = tuple[str, tuple[tuple[streams.Address, str], ...]]
"""Of an event: its text without its piece, or the whole of it; its pieces with their addresses."""


class Memory:
    """What the streams of a conversation repeat.

    Attributes:
        events: whole events, and what they hold.
        shapes: (before, after) of a piece → its address; `None` where such events hold more.
        clean: texts in which nothing is found, for as long as nothing is learned.
    """

    def __init__(self) -> None:
        self.events: dict[str, _Told] = {}
        self.shapes: dict[tuple[str, str], streams.Address | None] = {}
        self.clean: set[str] = set()
        self._generation = 0

    def at(self, generation: int) -> None:
        """Forgets what may be otherwise by now, and what has become too much."""
        if self._generation != generation or len(self.clean) > _MOST_REMEMBERED:
            self.clean.clear()
            self._generation = generation
        if len(self.events) > _MOST_REMEMBERED:
            self.events.clear()
        if len(self.shapes) > _MOST_REMEMBERED:
            self.shapes.clear()


def may_hold(body: bytes, values: Values) -> bool:
    """Whether anything in the stream `body` may have to be redacted; generous.

    The numbers of placeholders in it are taken from then on.
    """
    held = logprobs.may_hold(body) or _holds(body, values)
    if held and placeholders.may_hold_bytes(body):
        values.sight(body.decode("utf-8", "replace"))
    return held


def _holds(body: bytes, values: Values) -> bool:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return True
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    skim, memory = taken(text, values), values.streamed
    if skim is None:
        return True
    wholes = {address: "".join(parts) for address, parts in skim.pieces.items()}
    fresh = [run for run in skim.others if run not in memory.clean]
    if placeholders.may_hold("\n".join([*fresh, *wholes.values()])):
        values.sight(body.decode("utf-8"))
    for address, whole in wholes.items():
        if whole and address[-1] in opaque.FIELDS:
            if values.replaces(whole):
                return True
            # In an opaque field may stand a text after all; where it is base64, nobody looks inside.
            if opaque.is_opaque(str(address[-1]), whole, _NOWHERE):
                wholes[address] = ""
    if values.local and values.is_local("\n".join([*skim.others, *wholes.values()])):
        return True
    if values.finds("\n".join(dict.fromkeys([*fresh, *wholes.values()]))):
        return True
    memory.clean.update([run for run in fresh if len(run) <= _LONGEST_REMEMBERED])
    return False


def taken(text: str, values: Values) -> Skim | None:
    """The text of a stream taken apart; `None` where an event holds more than it says, or is written in its own way."""
    for name, pattern, instead in _COUNTED:
        if name in text:
            text = pattern.sub(instead, text)
    values.streamed.at(values.detector.generation)
    skim = Skim(values)
    try:
        return skim if skim.take(text) else None
    except ValueError:  # an escape that is none
        return None


class Skim:
    """A stream taken apart.

    Attributes:
        pieces: by address.
        others: every other text, once.
    """

    def __init__(self, values: Values) -> None:
        self.pieces: dict[streams.Address, list[str]] = {}
        self.others: dict[str, None] = {}
        self._values = values
        self._memory = values.streamed
        self._shapes: dict[tuple[str, str], list[str] | None] = {}

    def take(self, text: str) -> bool:
        """`False` where an event holds more than its text says, or is written in a way of its own.

        Raises:
            ValueError: a piece holds an escape that is none.
        """
        before, after, parts = "", "", None
        at, size = 0, len(text)
        while at < size:
            end = text.find("\n\n", at)
            run = text[at:end] if end >= 0 else text[at:]
            at += len(run) + 2
            if parts is not None and run.startswith(before) and run.endswith(after):
                piece = run[len(before) : len(run) - len(after)]
                if len(run) >= len(before) + len(after) and _is_string(piece):
                    parts.append(_unescaped(piece))
                    at = _row(text, at, before, after, parts)
                    continue
            if run in self._memory.events:
                self._add(*self._memory.events[run])
                continue
            match = _PIECE.fullmatch(run)
            if match is not None:
                known = self._of_shape(match[1], match[3])
                if known is not None:
                    before, after, parts = match[1], match[3], known
                    parts.append(_unescaped(match[2]))
                    continue
            if run not in self.others and not self._event(run):
                return False
        return len(self._shapes) <= _MOST_SHAPES

    def _of_shape(self, before: str, after: str) -> list[str] | None:
        """The list that pieces of such events go to; `None` where they have other pieces, too."""
        shape = before, after
        if shape not in self._shapes:
            self._shapes[shape] = self._parts(before, after) if len(self._shapes) <= _MOST_SHAPES else None
        return self._shapes[shape]

    def _parts(self, before: str, after: str) -> list[str] | None:
        run, shapes = before + after, self._memory.shapes
        if (before, after) in shapes:
            address = shapes[before, after]
        else:
            value = _value(run)
            pieces = streams.Survey(value).pieces
            alone = len(pieces) == 1 and not pieces[0].text and not placed.is_placed(value, self._values)
            address = pieces[0].address if alone else None
            if len(run) <= _LONGEST_REMEMBERED:
                shapes[before, after] = address
        if address is None:
            return None
        self.others[run] = None
        return self.pieces.setdefault(address, [])

    def _add(self, run: str, pieces: Iterable[tuple[streams.Address, str]]) -> None:
        self.others[run] = None
        for address, text in pieces:
            self.pieces.setdefault(address, []).append(text)

    def _event(self, run: str) -> bool:
        """An event of which there are few."""
        value = _value(run)
        if value is None:
            self.others[run] = None
            return not _opens(run)
        pieces = tuple([(piece.address, piece.text) for piece in streams.Survey(value).pieces])
        self._add(run, pieces)
        if placed.is_placed(value, self._values):
            return False
        if len(run) <= _LONGEST_REMEMBERED:
            self._memory.events[run] = run, pieces
        return True


def _row(text: str, at: int, before: str, after: str, parts: list[str]) -> int:
    """Takes the pieces of the events at `text[at:]` that have one shape; where the first begins that is left."""
    if not text.startswith(before, at):
        return at
    between = f"{after}\n\n{before}"
    at += len(before)
    size = _FIRST_WINDOW
    while True:
        window = text[at : at + size]
        row = window.split(between)
        del row[-1]  # what ends it is not known
        said = "".join(row)
        count = len(row)
        if "\n" in said or '"' in said or "\\" in said:
            row = row[: next((n for n, piece in enumerate(row) if "\n" in piece or not _is_string(piece)), count)]
            said = "".join(row)
        parts.append(_unescaped(said))
        at += len(said) + len(between) * len(row)
        if not row or len(row) < count or len(window) < size:
            return at - len(before)
        size *= 2


def _is_string(piece: str) -> bool:
    """Whether this is the inside of a JSON string."""
    return ('"' not in piece and "\\" not in piece) or _INSIDE.fullmatch(piece) is not None


def _unescaped(piece: str) -> str:
    if "\\" not in piece:
        return piece
    try:
        return str(orjson.loads(f'"{piece}"'))
    except ValueError:  # half of a character
        return str(json.loads(f'"{piece}"', strict=False))


def _value(run: str) -> Any:
    """The JSON value of the data of an event, where that stands in one line; `None` for any other."""
    datas = _DATA.findall(run)
    if len(datas) != 1 or datas[0][:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(datas[0])
    except ValueError:
        return None


def _opens(run: str) -> bool:
    """Whether JSON begins in the data of an event that could not be read."""
    return any(data[:1] in ("{", "[") and data != "[DONE]" for data in _DATA.findall(run))
