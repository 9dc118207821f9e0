"""Whether an event stream holds anything to redact, told at a tenth of the price of redacting it.

Nearly all events of a stream are one event with another piece of text in it, and nearly all streams hold nothing.
So an event is taken apart into what it shares with the one before it and its piece; the pieces are joined by
address (streams.py), and what is left of the stream is searched once. Only where something may be there is the
stream parsed event by event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import orjson

from convo_replay.redaction import logprobs, opaque, streams

_PIECE = re.compile(
    r'(.*"(?:text|thinking|partial_json|content|reasoning_content|reasoning|refusal|arguments|delta|signature)":\s?")'
    r'((?:[^"\\]|\\.)*)'
    r'(".*)',
    re.DOTALL,
)
_INSIDE = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_COUNTED = ((re.compile(r'"sequence_number":\s?\d+'), '"sequence_number":0'),
            (re.compile(r'"obfuscation":\s?"[A-Za-z0-9]*"'), '"obfuscation":""'))  # fmt: skip
"""What differs from event to event and says nothing."""
_DATA = re.compile(r"^data: ?(.*)", re.MULTILINE)
_MOST_SHAPES = 200
"""Of a stream; with more of them there is nothing to win."""

_NOWHERE: dict[str, Any] = {"type": "redacted_thinking"}


def may_hold(
    body: bytes, searched: Callable[[str], bool], identifies: Callable[[str], bool], is_placed: Callable[[Any], bool]
) -> bool:
    """Whether anything in the stream `body` may have to be redacted; generous.

    Args:
        searched: whether anything could be found in a text.
        identifies: whether an opaque value has to be replaced.
        is_placed: whether an event holds a value that is known by its place.
    """
    if logprobs.may_hold(body):
        return True
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return True
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    for pattern, instead in _COUNTED:
        text = pattern.sub(instead, text)
    skim = _Skim(is_placed)
    if not skim.take(text.split("\n\n")):
        return True
    others = skim.others
    for address, parts in skim.pieces.items():
        whole = "".join(parts)
        if whole and address[-1] in opaque.FIELDS:
            if identifies(whole):
                return True
            # In an opaque field may stand a text after all; where it is base64, nobody looks inside.
            whole = "" if opaque.is_opaque(str(address[-1]), whole, _NOWHERE) else whole
        others[whole] = None
    return searched("\n".join(others))


class _Skim:
    """A stream taken apart.

    Attributes:
        pieces: by address.
        others: every other text, once.
    """

    def __init__(self, is_placed: Callable[[Any], bool]) -> None:
        self.pieces: dict[streams.Address, list[str]] = {}
        self.others: dict[str, None] = {}
        self._is_placed = is_placed
        self._shapes: dict[tuple[str, str], list[str] | None] = {}

    def take(self, runs: list[str]) -> bool:
        """`False` where an event holds more than its text says, or is written in a way of its own."""
        before, after, parts = "", "", None
        for run in runs:
            if parts is not None and run.startswith(before) and run.endswith(after):
                piece = run[len(before) : len(run) - len(after)]
                if len(run) >= len(before) + len(after) and _is_string(piece):
                    parts.append(_unescaped(piece))
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
            self._shapes[shape] = self._parts(before + after) if len(self._shapes) <= _MOST_SHAPES else None
        return self._shapes[shape]

    def _parts(self, run: str) -> list[str] | None:
        value = _value(run)
        pieces = streams.Survey(value).pieces
        if len(pieces) != 1 or pieces[0].text or self._is_placed(value):
            return None
        self.others[run] = None
        return self.pieces.setdefault(pieces[0].address, [])

    def _event(self, run: str) -> bool:
        """An event of which there are few."""
        self.others[run] = None
        value = _value(run)
        if value is None:
            return not _opens(run)
        for piece in streams.Survey(value).pieces:
            self.pieces.setdefault(piece.address, []).append(piece.text)
        return not self._is_placed(value)


def _is_string(piece: str) -> bool:
    """Whether this is the inside of a JSON string."""
    return ('"' not in piece and "\\" not in piece) or _INSIDE.fullmatch(piece) is not None


def _unescaped(piece: str) -> str:
    return piece if "\\" not in piece else str(json.loads(f'"{piece}"', strict=False))


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
