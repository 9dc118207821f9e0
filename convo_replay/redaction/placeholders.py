"""Placeholders: what stands in a cassette where a secret or an identifying value stood.

`redacted-CLASS-N`, e.g. `redacted-anthropic-key-1`: numbered per conversation by first appearance in
its class, never derived from the value, so that a cassette says *which* values were equal and nothing
else. An opaque field (a thinking signature …) is replaced whole by base64 text of its own length whose
decoded bytes repeat `redacted-opaque-N`.

Two recordings of one conversation may number differently: a fingerprint takes a placeholder as its
class alone (`classes_only`), and which stood for which is compared by a one-to-one mapping (matching.py).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

MARK = "redacted-"
PLACEHOLDER = re.compile(r"redacted-((?!redacted-)[a-z](?:(?!redacted-)[a-z0-9-]){0,47}?)-(\d+)")
OPAQUE_MARK = "cmVkYWN0ZWQtb3BhcXVlL"
"""How base64 of `redacted-opaque-` begins, whatever the number."""
OPAQUE = re.compile(OPAQUE_MARK + r"[A-Za-z0-9]+={0,2}")
OPAQUE_CLASS = "opaque"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder in a text: `text[start:end]`, its class and number."""

    start: int
    end: int
    cls: str
    number: int


def make(cls: str, number: int) -> str:
    """`redacted-CLASS-NUMBER`."""
    return f"{MARK}{cls}-{number}"


def make_opaque(original: str, number: int) -> str:
    """Base64 text as long as `original`, with its padding; decodes to `redacted-opaque-NUMBER ` repeated."""
    body = original.rstrip("=")
    unit = f"{MARK}{OPAQUE_CLASS}-{number} ".encode()
    filler = base64.b64encode(unit * (len(body) // (len(unit) // 3 * 4) + 2)).decode()
    return filler[: len(body)] + original[len(body) :]


def places(text: str) -> list[Placeholder]:
    """The placeholders in `text`, in order, plain and opaque ones, with where they stand."""
    if MARK not in text and OPAQUE_MARK not in text:
        return []
    placed = [
        Placeholder(match.start(), match.end(), match[1], int(match[2][:9])) for match in PLACEHOLDER.finditer(text)
    ]
    if OPAQUE_MARK in text:
        for match in OPAQUE.finditer(text):
            placed.append(Placeholder(match.start(), match.end(), OPAQUE_CLASS, _opaque_number(match[0])))
        placed.sort(key=lambda place: place.start)
    return placed


def found(text: str) -> list[str]:
    """The placeholders in `text`, in order, each as often as it stands there."""
    return [text[place.start : place.end] for place in places(text)]


def classes_only(text: str) -> str:
    """`text` with each placeholder as its class alone: `redacted-anthropic-key`, `redacted-opaque`."""
    if MARK in text:
        text = PLACEHOLDER.sub(lambda match: MARK + match[1], text)
    if OPAQUE_MARK in text:
        text = OPAQUE.sub(MARK + OPAQUE_CLASS, text)
    return text


def _opaque_number(text: str) -> int:
    stem = text.rstrip("=")
    try:
        decoded = base64.b64decode(stem[: len(stem) // 4 * 4])
    except (ValueError, binascii.Error):
        return 0
    match = re.match(rb"redacted-opaque-(\d{1,9})", decoded)
    return int(match[1]) if match else 0
