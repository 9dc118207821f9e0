"""Redaction of values: strings, JSON values, opaque fields, pieces of streamed values.

What holds nothing to redact is returned itself, so that nothing is copied and `is` tells. Placeholders
are named and numbered here; while a probe is set nothing is, and what would have been is listed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from convo_replay.redaction import opaque, placeholders, streams
from convo_replay.redaction.classes import BY_NAME, Policy
from convo_replay.redaction.detect import Detector, Secret

SHORT = 64
"""Characters of a text that is searched once and then remembered by itself."""
_MOST_CLEAN = 50_000
_ROUNDS = 4  # a replacement may complete a user's pattern; what is still found then stays for the gate

Span = tuple[int, int, str]
"""(start, end, placeholder)."""
Pieces = Mapping[tuple[int, str], str]
"""(id of an object, field) → what the string there becomes, where that was decided in a joined value."""


class Values:
    """What one conversation knows as secrets, and the placeholders it gave them.

    Args:
        secrets: as in `Detector`.
        redact: class → what becomes of it, where that is not what the table says.
    """

    def __init__(self, secrets: Sequence[Secret] = (), redact: Mapping[str, Policy] | None = None) -> None:
        self.redact: Mapping[str, Policy] = redact or {}
        self.detector = Detector(secrets, [name for name, policy in self.redact.items() if policy == "keep"])
        self.resendable = True
        self.probe: list[str] | None = None
        """Classes found, while only looking."""
        self.local: dict[str, str] = {}
        """Value → class of what is looked for in the response at hand only."""
        self.lock = threading.RLock()
        self._names: dict[tuple[str, str], str] = {}
        self._stands_for: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}
        self._opaque: dict[str, str] = {}
        self._clean: set[str] = set()

    def __repr__(self) -> str:
        return f"<Values: {len(self._names)} placeholders>"

    def policy(self, cls: str) -> Policy:
        """What becomes of a value of this class."""
        return self.redact.get(cls) or BY_NAME[cls].policy

    def learn(self, value: str, cls: str) -> None:
        """`value` is a secret from now on."""
        if self.detector.learn(value, cls):
            self._clean.clear()

    def string(self, text: str) -> str:
        """`text` with placeholders."""
        if text in self._clean and not self.local:
            return text
        for _ in range(_ROUNDS):
            found = self.spans(text)
            if not found:
                break
            text = _replaced(text, found)
        if len(text) <= SHORT and len(self._clean) < _MOST_CLEAN and self.probe is None:
            self._clean.add(text)
        return text

    def spans(self, text: str) -> list[Span]:
        """What is to be replaced in `text`, in order and apart from each other."""
        self.sight(text)
        found = self.detector.find(text, self.local)
        return [(finding.start, finding.end, self.place(finding.cls, finding.value)) for finding in found]

    def data(self, data: bytes) -> bytes:
        """Bytes of an unknown kind, as the text they may be."""
        try:
            text, encoding = data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            text, encoding = data.decode("latin-1"), "latin-1"
        made = self.string(text)
        return data if made is text else made.encode(encoding)

    def value(self, value: Any, pieces: Pieces | None = None) -> Any:
        """A JSON value."""
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, list):
            items = [self.value(item, pieces) if isinstance(item, (str, dict, list)) else item for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        if not isinstance(value, dict):
            return value
        made: dict[str, Any] = {}
        changed = False
        for key, held in value.items():
            out = held
            if isinstance(held, str):
                out = self._field(value, key, held, pieces)
            elif isinstance(held, (dict, list)):
                out = self.value(held, pieces)
            if out is not held:
                changed = True
                if _is_bound(key, value):
                    self.resendable = False
            name = self.string(key)
            changed = changed or name is not key
            made[name] = out
        return made if changed else value

    def _field(self, owner: dict[str, Any], key: str, held: str, pieces: Pieces | None) -> str:
        if pieces is not None and (id(owner), key) in pieces:
            return pieces[id(owner), key]
        return self.whole(held) if opaque.is_opaque(key, held, owner) else self.string(held)

    def whole(self, text: str) -> str:
        """An opaque value: itself, or what stands for the whole of it."""
        made = self._opaque.get(text)
        if made is None:
            if not self._identifies(text):
                return text
            if self.probe is not None:
                self.probe.append(placeholders.OPAQUE_CLASS)
                return placeholders.make_opaque(text, 0)
            made = self._opaque[text] = placeholders.make_opaque(text, self._next(placeholders.OPAQUE_CLASS))
        elif self.probe is not None:
            self.probe.append(placeholders.OPAQUE_CLASS)
        self.resendable = False
        return made

    def _identifies(self, text: str) -> bool:
        if text.startswith(placeholders.OPAQUE_MARK):
            self.sight(text)
            return False
        data = opaque.decoded(text)
        known = self.detector.known(text) or self.detector.find(data.decode("latin-1"), custom=False)
        return bool(known) or opaque.identifies(data)

    def joined(self, values: Sequence[Any]) -> tuple[Pieces, bool]:
        """What becomes of the pieces in `values`, decided in the values they make up, and whether any changes."""
        groups: dict[tuple[Any, ...], list[streams.Piece]] = {}
        for value in values:
            for piece in streams.pieces(value):
                groups.setdefault(piece.address, []).append(piece)
        made: dict[tuple[int, str], str] = {}
        changed = False
        for group in groups.values():
            texts = [piece.text for piece in group]
            if _is_opaque(group, "".join(texts)):
                becomes = self._opaque_pieces(texts)
            else:
                becomes = streams.write_back(texts, self.spans)
            same = texts == becomes
            changed = changed or not same
            for piece, text in zip(group, becomes, strict=True):
                made[id(piece.owner), piece.field] = piece.text if same or text == piece.text else text
        return made, changed

    def may_hold(self, text: str) -> bool:
        """Whether anything could be found in `text`, of which it is the JSON text; generous."""
        if self.detector.may_hold(text) or any(value in text for value in self.local):
            return True
        return any(field in text for field in opaque.FIELDS)

    def _opaque_pieces(self, texts: list[str]) -> list[str]:
        whole = "".join(texts)
        made = self.whole(whole)
        if made == whole:
            return [self.whole(text) if text else text for text in texts]
        parts, at = [], 0
        for text in texts:
            parts.append(made[at : at + len(text)])
            at += len(text)
        return parts

    def place(self, cls: str, value: str) -> str:
        """The placeholder of a value: one for each pair of class and value."""
        if self.probe is not None:
            self.probe.append(cls)
            return placeholders.make(cls, 0)
        name = self._names.get((cls, value))
        if name is None:
            name = self._names[cls, value] = placeholders.make(cls, self._next(cls))
            self._stands_for[name] = (cls, value)
        return name

    def value_of(self, placeholder: str) -> str | None:
        """The value that a placeholder of this conversation stands for; `None` for one of a cassette."""
        key = self._stands_for.get(placeholder)
        return None if key is None else key[1]

    def adopt(self, placeholder: str, recorded: str) -> bool:
        """From now on the value of `placeholder` is called what a cassette calls it; `False` if there is none."""
        key = self._stands_for.pop(placeholder, None)
        if key is None:
            return False
        self._names[key] = recorded
        self._stands_for[recorded] = key
        return True

    def sight(self, text: str) -> None:
        """Numbers that occur in `text` are taken: a new placeholder never looks like one met before."""
        if placeholders.may_hold(text):
            for place in placeholders.places(text):
                if place.number > self._numbers.get(place.cls, 0):
                    self._numbers[place.cls] = place.number

    def _next(self, cls: str) -> int:
        number = self._numbers[cls] = self._numbers.get(cls, 0) + 1
        return number


def _is_opaque(group: Sequence[streams.Piece], whole: str) -> bool:
    """Whether the pieces make up an opaque value, or each of them is one."""
    first = group[0]
    if opaque.is_opaque(first.field, whole, first.owner):
        return True
    filled = [piece for piece in group if piece.text]
    return bool(filled) and all(opaque.is_opaque(piece.field, piece.text, piece.owner) for piece in filled)


def _replaced(text: str, found: Sequence[Span]) -> str:
    parts, at = [], 0
    for start, end, replacement in found:
        parts += [text[at:start], replacement]
        at = end
    return "".join([*parts, text[at:]])


def _is_bound(key: str, owner: Mapping[str, Any]) -> bool:
    """Whether a signature or an encrypted twin binds `owner[key]` (protocol.md §5, "never alter")."""
    return (key == "thinking" and isinstance(owner[key], str)) or owner.get("type") in (
        "compaction",
        "compaction_delta",
    )
