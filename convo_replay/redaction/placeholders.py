"""Placeholders: what stands in a cassette where a secret or an identifying value stood.

`redacted-CLASS-N`, e.g. `redacted-anthropic-key-1`; where programs look at the shape of a value, its class
says how its placeholder looks (`shape`): `redacted-email-1@example.com`, `req_REDACTED1`. Numbered per
conversation by first appearance in its class, never derived from the value, so that a cassette says *which*
values were equal and nothing else. An opaque field (a thinking signature …) is replaced whole by base64 text
of its own length whose decoded bytes repeat `redacted-opaque-N`.

Two recordings of one conversation may number differently: a fingerprint takes a placeholder as its
class alone (`classes_only`), and which stood for which is compared by a one-to-one mapping (matching.py).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from convo_replay.redaction.classes import BY_NAME

MARK = "redacted-"
OPAQUE_MARK = "cmVkYWN0ZWQtb3BhcXVlL"
"""How base64 of `redacted-opaque-` begins, whatever the number."""
OPAQUE = re.compile(OPAQUE_MARK + r"[A-Za-z0-9]+={0,2}")
OPAQUE_CLASS = "opaque"
LEAST_OPAQUE = 28
"""Characters of base64 that hold `redacted-opaque-N` with its number."""

_NUMBER = re.compile(r"\{n(?::0(\d+)d)?\}")
_NOBODY = "5ec2e7ed-0000-400"
"""How each that looks like a UUID begins, but for those of accounts."""
_SHAPED = tuple(
    (name, shape) for name, item in BY_NAME.items() for shape in (item.shape, *dict(item.shapes).values()) if shape
)


def _pattern_of(shape: str) -> str:
    before, width, after = _NUMBER.split(shape)
    return f"{re.escape(before)}(\\d{f'{{{width},}}' if width else '+'}){re.escape(after)}"


_ANY = r"redacted-((?!redacted-)[a-z](?:(?!redacted-)[a-z0-9-]){0,47}?)-(\d+)"
PLACEHOLDER = re.compile("|".join([*(_pattern_of(shape) for _, shape in _SHAPED), _ANY]))
"""Any placeholder but an opaque one."""
MARKS = tuple(dict.fromkeys([MARK, "REDACTED", *(
    _NOBODY if shape.startswith(_NOBODY) else _NUMBER.split(shape)[0]
    for _, shape in _SHAPED if MARK not in shape and "REDACTED" not in shape
), OPAQUE_MARK]))  # fmt: skip
"""A text without any of these holds no placeholder."""

_BYTE_MARKS = tuple(mark.encode() for mark in MARKS)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder in a text: `text[start:end]`, its class and number."""

    start: int
    end: int
    cls: str
    number: int


def make(cls: str, number: int, value: str = "") -> str:
    """The placeholder of a class: `redacted-CLASS-NUMBER`, or in the shape that the class has for such a value."""
    item = BY_NAME.get(cls)
    if item is None or not item.shape:
        return f"{MARK}{cls}-{number}"
    shape = next((shape for begins, shape in item.shapes if re.match(begins, value)), item.shape)
    return shape.format(n=number)


_BREAKS = re.compile(r"\s+|\\+[rn]")


def make_opaque(original: str, number: int) -> str:
    """Base64 text as long as `original`, with its padding; decodes to `redacted-opaque-NUMBER ` repeated.

    At least `LEAST_OPAQUE` characters: less could not be told from other base64. What was broken into lines comes in
    one, so that the number of lines says nothing.
    """
    original = _BREAKS.sub("", original)
    body = original.rstrip("=")
    if len(body) < LEAST_OPAQUE:
        original = body = "=" * LEAST_OPAQUE
    unit = f"{MARK}{OPAQUE_CLASS}-{number} ".encode()
    filler = base64.b64encode(unit * (len(body) // (len(unit) // 3 * 4) + 2)).decode()
    return filler[: len(body)] + original[len(body) :]


def may_hold(text: str) -> bool:
    """Whether a placeholder may stand in `text`; cheap."""
    for mark in MARKS:  # noqa: SIM110, a generator takes three times as long; this is asked of every text
        if mark in text:
            return True
    return False


def may_hold_bytes(data: bytes) -> bool:
    """`may_hold` for text in UTF-8."""
    for mark in _BYTE_MARKS:  # noqa: SIM110
        if mark in data:
            return True
    return False


def places(text: str) -> list[Placeholder]:
    """The placeholders in `text`, in order, plain and opaque ones, with where they stand."""
    if not may_hold(text):
        return []
    placed = [Placeholder(match.start(), match.end(), *_read(match)) for match in PLACEHOLDER.finditer(text)]
    if OPAQUE_MARK in text:
        for match in OPAQUE.finditer(text):
            placed.append(Placeholder(match.start(), match.end(), OPAQUE_CLASS, _opaque_number(match[0])))
        placed.sort(key=lambda place: place.start)
    return placed


def _read(match: re.Match[str]) -> tuple[str, int]:
    """The class and the number of a match of `PLACEHOLDER`."""
    at = match.lastindex or 0
    if at > len(_SHAPED):
        return match[at - 1], int(match[at][:9])
    return _SHAPED[at - 1][0], int(match[at][-9:])


def found(text: str) -> list[str]:
    """The placeholders in `text`, in order, each as often as it stands there."""
    return [text[place.start : place.end] for place in places(text)]


def classes_only(text: str) -> str:
    """`text` with each placeholder as its class alone: `redacted-anthropic-key`, `redacted-opaque`."""
    if not may_hold(text):
        return text
    text = PLACEHOLDER.sub(lambda match: MARK + _read(match)[0], text)
    return OPAQUE.sub(MARK + OPAQUE_CLASS, text) if OPAQUE_MARK in text else text


def replaced(text: str, values: dict[str, str]) -> str:
    """`text` with the placeholders that `values` knows replaced by what it says."""
    return "".join(_replaced(text, values)) if may_hold(text) else text


def _replaced(text: str, values: dict[str, str]) -> Iterator[str]:
    at = 0
    for place in places(text):
        value = values.get(text[place.start : place.end])
        if value is not None and place.start >= at:
            yield text[at : place.start]
            yield value
            at = place.end
    yield text[at:]


def _opaque_number(text: str) -> int:
    stem = text.rstrip("=")
    try:
        decoded = base64.b64decode(stem[: len(stem) // 4 * 4])
    except (ValueError, binascii.Error):
        return 0
    match = re.match(rb"redacted-opaque-(\d{1,9})", decoded)
    return int(match[1]) if match else 0
