"""Placeholders: what stands in a cassette where a secret or an identifying value stood.

`redacted-CLASS-N`, e.g. `redacted-anthropic-key-1`: numbered per conversation by first appearance in
its class, never derived from the value, so that a cassette says *which* values were equal and nothing
else. An opaque field (a thinking signature …) is replaced whole by base64 text of its own length whose
decoded bytes repeat `redacted-opaque-N`.

Two recordings of one conversation may number differently: a fingerprint takes a placeholder as its
class alone (`classes_only`), and what it stood for is compared by a one-to-one mapping (`Pairing`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
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


def found(text: str) -> list[Placeholder]:
    """The placeholders in `text`, in order, plain and opaque ones."""
    if MARK not in text and OPAQUE_MARK not in text:
        return []
    places = [
        Placeholder(match.start(), match.end(), match[1], int(match[2][:9])) for match in PLACEHOLDER.finditer(text)
    ]
    if OPAQUE_MARK in text:
        for match in OPAQUE.finditer(text):
            places.append(Placeholder(match.start(), match.end(), OPAQUE_CLASS, _opaque_number(match[0])))
        places.sort(key=lambda place: place.start)
    return places


def classes_only(text: str) -> str:
    """`text` with each placeholder as its class alone: `redacted-anthropic-key`, `redacted-opaque`."""
    if MARK in text:
        text = PLACEHOLDER.sub(lambda match: MARK + match[1], text)
    if OPAQUE_MARK in text:
        text = OPAQUE.sub(MARK + OPAQUE_CLASS, text)
    return text


def wildcard(stored: str) -> re.Pattern[str]:
    """A pattern (for `fullmatch`) that takes `stored` literally and its placeholders as any text.

    Groups are named `w0 w1 …` in order of first appearance (`wildcards(stored)` names them); the same
    placeholder twice must stand for the same text. Every literal stretch is taken at its first
    occurrence (atomic groups), so matching is linear in the text for each placeholder.
    """
    places = found(stored)
    names: dict[str, str] = {}
    parts = [re.escape(stored[: places[0].start] if places else stored)]
    for at, place in enumerate(places):
        value = stored[place.start : place.end]
        last = at + 1 == len(places)
        literal = re.escape(stored[place.end : None if last else places[at + 1].start])
        if value in names:
            parts.append(f"(?P={names[value]}){literal}")
            continue
        names[value] = f"w{len(names)}"
        group = f"(?P<{names[value]}>.*?)"
        parts.append(f"{group}{literal}" if last else f"(?>{group}{literal})")
    return re.compile("".join(parts), re.DOTALL)


def wildcards(stored: str) -> tuple[str, ...]:
    """The distinct placeholders of `stored` in order of first appearance: what `w0 w1 …` stand for."""
    return tuple(dict.fromkeys(stored[place.start : place.end] for place in found(stored)))


def correspond(stored: str, live: str) -> list[tuple[str, str]] | None:
    """Pairs (stored placeholder, live text) under which `stored` reads as `live`, or `None` if none do."""
    if stored == live:
        return []
    if classes_only(stored) == classes_only(live):
        ours, theirs = found(stored), found(live)
        return [(stored[a.start : a.end], live[b.start : b.end]) for a, b in zip(ours, theirs, strict=True)]
    match = wildcard(stored).fullmatch(live)
    if match is None:
        return None
    return [(name, match[f"w{at}"]) for at, name in enumerate(wildcards(stored))]


class Pairing:
    """Stored placeholder ↔ live text, one-to-one, as a conversation has mapped them so far.

    A placeholder that meets itself fits always: a client sends back what it was given.
    """

    __slots__ = ("_live", "_stored")

    def __init__(self) -> None:
        self._live: dict[str, str] = {}
        self._stored: dict[str, str] = {}

    def fits(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether `pairs` agree with each other and with what is mapped; nothing is kept."""
        return self._extended(pairs) is not None

    def accept(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Maps all of `pairs`, or none of them where one does not fit."""
        added = self._extended(pairs)
        if added is None:
            return False
        for stored, live in added.items():
            self._live[stored] = live
            self._stored[live] = stored
        return True

    def copy(self) -> Pairing:
        """One to try with: changing it leaves this one as it is."""
        twin = Pairing()
        twin._live = dict(self._live)
        twin._stored = dict(self._stored)
        return twin

    def _extended(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str] | None:
        added: dict[str, str] = {}
        back: dict[str, str] = {}
        for stored, live in pairs:
            if stored == live:
                continue
            if self._live.get(stored, added.get(stored, live)) != live:
                return None
            if self._stored.get(live, back.get(live, stored)) != stored:
                return None
            if stored not in self._live:
                added[stored] = live
                back[live] = stored
        return added

    def __len__(self) -> int:
        return len(self._live)

    def __repr__(self) -> str:
        return f"<Pairing of {len(self)}>"


def _opaque_number(text: str) -> int:
    stem = text.rstrip("=")
    try:
        decoded = base64.b64decode(stem[: len(stem) // 4 * 4])
    except (ValueError, binascii.Error):
        return 0
    match = re.match(rb"redacted-opaque-(\d{1,9})", decoded)
    return int(match[1]) if match else 0
