"""Placeholders on both sides: recorded ones as wildcards, and which stands for which.

Matching depends neither on the environment nor on which key was live (design.md §7.1). A value that
the recording environment knew as a secret is unknown to another, and stands in the live request as
plain text; what it was there must then be the same wherever the placeholder occurs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from convo_replay.matching import ID_KEYS, Fingerprints
from convo_replay.normalizing import normalized
from convo_replay.redaction.classes import BY_NAME
from convo_replay.redaction.placeholders import OPAQUE_CLASS, places

_OF_SEVERAL_LINES = "redacted-private-key-"
# The file of a key ends with a line break; what stands in its place need not.
_LAST_BREAK = re.compile(
    rf"({_OF_SEVERAL_LINES}\d+)(?:\r?\n|(?:\\{{1,4}}r)?\\{{1,4}}n|\\{{1,8}}(?:x0|u000)[aA]|(?:%(?:25)?0[Dd])?%(?:25)?0[Aa])"
)


def wildcard_pairs(stored: Any, live: Any, rules: Fingerprints) -> list[tuple[str, str]] | None:
    """Whether a stored value equals a live, *unredacted* one when placeholders match any text of their class.

    Returns the pairs (placeholder, live text) it took, or `None` where the values differ.
    """
    pairs: list[tuple[str, str]] = []
    fits = _wild(rules.normalized(stored), rules.normalized(live), pairs, rules.preset, {}, {})
    return pairs if fits else None


def _wild(
    a: Any,
    b: Any,
    pairs: list[tuple[str, str]],
    preset: bool,
    ids_a: dict[str, int],
    ids_b: dict[str, int],
    key: str = "",
) -> bool:
    if isinstance(a, dict):
        names = _same_names(a, b, pairs) if isinstance(b, dict) and len(a) == len(b) else None
        return names is not None and all(
            _wild(a[name], b[theirs], pairs, preset, ids_a, ids_b, name) for name, theirs in names
        )
    if isinstance(a, (list, tuple)):
        return (
            isinstance(b, (list, tuple))
            and len(a) == len(b)
            and all(_wild(x, y, pairs, preset, ids_a, ids_b) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, str):
        if not isinstance(b, str):
            return False
        if preset and key in ID_KEYS and a != b:
            return ids_a.setdefault(a, len(ids_a)) == ids_b.setdefault(b, len(ids_b))
        return _wild_text(a, b, pairs) or (preset and _wild_text(normalized(a), normalized(b), pairs))
    return type(a) is type(b) and bool(a == b)


def _same_names(a: dict[str, Any], b: dict[str, Any], pairs: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """Each key of a stored object with the live one that it stands for: itself, or one in a placeholder's place."""
    if a.keys() == b.keys():
        return [(name, name) for name in sorted(a)]
    wild = [name for name in a if name not in b]
    left = [name for name in b if name not in a]
    if not all(_wild_text(name, theirs, pairs) for name, theirs in zip(wild, left, strict=True)):
        return None
    return [*((name, name) for name in sorted(a.keys() & b.keys())), *zip(wild, left, strict=True)]


def _wild_text(stored: str, live: str, pairs: list[tuple[str, str]]) -> bool:
    if stored == live:
        return True
    taken = _taken(stored, live)
    if taken is None and _OF_SEVERAL_LINES in stored:
        taken = _taken(_LAST_BREAK.sub(r"\1", stored), live)
    pairs += taken or ()
    return taken is not None


def _taken(stored: str, live: str) -> list[tuple[str, str]] | None:
    """Each placeholder of a text with what stands in its place in `live`; `None` where that cannot be."""
    placed = places(stored)
    if not placed:
        return None
    literals: list[str] = []
    at = 0
    for place in placed:
        literals.append(stored[at : place.start])
        at = place.end
    tail = stored[at:]
    if not live.startswith(literals[0]):
        return None
    at = len(literals[0])
    spans: list[tuple[int, int]] = []
    for literal in literals[1:]:
        where = live.find(literal, at)
        if where < 0:
            return None
        spans.append((at, where))
        at = where + len(literal)
    end = len(live) - len(tail)
    if end < at or not live.endswith(tail):
        return None
    spans.append((at, end))
    texts = [live[start:end] for start, end in spans]
    if not all(_may_be(place.cls, text) for place, text in zip(placed, texts, strict=True)):
        return None
    return [(stored[place.start : place.end], text) for place, text in zip(placed, texts, strict=True)]


_SHAPES = {
    "email": re.compile(r"[^\s@,;]+@[^\s@,;]+"),
    "phone": re.compile(r"[+(]{0,2}\d[\d\s().+/\u2010-\u2015-]*"),
    "user-name": re.compile(r"[^\s/\\,;:]{1,64}(?: [^\s/\\,;:]{1,64}){0,2}"),
}
_NOTHING = frozenset({"none", "null", "nil", "undefined", "dummy", "placeholder", "redacted", "unknown"})
"""What a program writes for a value that is not set, or a person for one that does not matter."""
_BEGINS = {"private-key": "-----BEGIN", "env": "{", "secret": "{"}
"""How a value of a class begins that may be of any length."""
_WORDS = {"env": 6, "secret": 6, "password": 6, "named-secret": 6, "url-password": 6}
"""Words of what somebody makes up for one: a pass phrase has several, no sentence of a prompt is one."""


def _may_be(cls: str, text: str) -> bool:
    """Whether a text may stand in the place of a value of a class: another key, none, another address.

    A key is whatever somebody has for one (`dummy`, `not set`), in a word or two; a person is told by the look.
    """
    if not text or text.lower() in _NOTHING or cls == OPAQUE_CLASS:  # base64 may come in lines
        return True
    if cls in _SHAPES:
        return _SHAPES[cls].fullmatch(text) is not None
    if cls in _BEGINS and text.lstrip().startswith(_BEGINS[cls]):
        return True
    if cls == "cookie" and "=" in text:
        return True
    known = BY_NAME.get(cls)
    words = 1 if known is not None and known.severity != "error" else _WORDS.get(cls, 2)
    return len(text.split(None, words)) <= words


PERSONAL = frozenset({"email", "phone"})
"""Classes whose values tell one person from another."""


class Pairing:
    """Which recorded placeholder stands for which live value: one-to-one, as a conversation goes on.

    Two people are never one, nor one two. Keys may be: where none is set, each reads like the other.
    """

    def __init__(self) -> None:
        self._live_of: dict[str, str] = {}
        self._stored_of: dict[str, str] = {}
        self._people: tuple[dict[str, str], dict[str, str]] = {}, {}
        self._personal: dict[str, bool] = {}

    def fits(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether these pairs (stored, live) go with each other and with what was paired so far, one to one."""
        return self.agrees(pairs) and _is_function([(live, stored) for stored, live in pairs], self._stored_of)

    def agrees(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether no placeholder stands for two values."""
        return _is_function(pairs, self._live_of)

    def tells_people_apart(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether those that name people fit one to one."""
        people = self._named(pairs)
        live_of, stored_of = self._people
        turned = [(live, stored) for stored, live in people]
        return not people or (_is_function(people, live_of) and _is_function(turned, stored_of))

    def _named(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        # A placeholder that the application sends back says nothing about whom it names.
        return [(stored, live) for stored, live in pairs if stored != live and self.is_personal(stored)]

    def is_personal(self, placeholder: str) -> bool:
        """Whether a placeholder names a person."""
        found = self._personal.get(placeholder)
        if found is None:
            found = self._personal[placeholder] = any(place.cls in PERSONAL for place in places(placeholder))
        return found

    def take(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Remembers pairs that were played."""
        for told, (live_of, stored_of) in (
            (pairs, (self._live_of, self._stored_of)),
            (self._named(pairs), self._people),
        ):
            for stored, live in told:
                live_of.setdefault(stored, live)
                stored_of.setdefault(live, stored)


def _is_function(pairs: Sequence[tuple[str, str]], known: Mapping[str, str]) -> bool:
    here: dict[str, str] = {}
    return all(known.get(a, b) == b and here.setdefault(a, b) == b for a, b in pairs)
