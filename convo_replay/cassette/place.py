"""A mapping of a cassette with its name and its lines, and what its keys may hold.

An error names the file, the line and the key (`exchanges[2].request.url`), what was expected, what came, and
what to do. It quotes only what is one of a few words or a number by its place: anything else that a recording
holds may be a secret that the gate has not seen yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import CassetteError
from .model import MOST_SECONDS, milliseconds
from .yaml_reader import Document

_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}
CORRECT = "correct it, or delete the file and record it again"
"""What to do about a file that does not say what happened: nothing overwrites it."""


class Place:
    """A mapping of the file, with its name and the lines of its keys."""

    __slots__ = ("document", "line", "name", "value")

    def __init__(self, document: Document, value: Any, name: str, line: int | None) -> None:
        self.document = document
        self.name = name
        self.line = line
        if not isinstance(value, dict):
            reason = f"{name or 'the file'}: expected a mapping, got {kind_of(value)}; {CORRECT}"
            raise CassetteError(document.path, reason, line)
        self.value: dict[str, Any] = value

    def error(self, key: str, reason: str, below: int = 0, *, do: str = CORRECT) -> CassetteError:
        """What is wrong with the value of a key, `below` lines under it."""
        line = self.document.line(self.value, key) or self.line
        name = f"{self.name}.{key}" if self.name else key
        text = f"{name}: {reason}; {do}" if do else f"{name}: {reason}"
        return CassetteError(self.document.path, text, line + below if line else None)

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of a key if it is of that kind; without `default` the key must be there."""
        if key not in self.value:
            if default is None:
                raise self.error(key, "missing")
            return default
        value = self.value[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.error(key, f"expected {_KINDS[kinds[0]]}, got {kind_of(value)}")
        return value

    def word(self, key: str, words: Sequence[str], default: str = "") -> str:
        """The value of a key that is one of a few words, `default` where it is left out."""
        if key not in self.value:
            return default
        value: str = self.get(key, str)
        if value not in words:
            one_of = f"one of {' '.join(words)}" if len(words) > 1 else words[0]
            raise self.error(key, f"expected {one_of}, got {shown(value)}")
        return value

    def seconds(self, key: str) -> float:
        """The value of a key as seconds in whole milliseconds, 0 where it is left out."""
        value = self.get(key, (float, int), 0.0)
        if not 0 <= value < MOST_SECONDS:
            raise self.error(key, f"expected seconds, at least 0, got {shown(value)}")
        return milliseconds(float(value)) / 1000

    def below(self, key: str) -> Place:
        """The mapping that a key holds."""
        name = f"{self.name}.{key}" if self.name else key
        return Place(self.document, self.get(key, dict), name, self.document.line(self.value, key) or self.line)

    def only(self, keys: tuple[str, ...]) -> str | None:
        """The one of `keys` that is there."""
        there = [key for key in keys if key in self.value]
        if len(there) > 1:
            raise self.error(there[1], f"a body is one of {' '.join(keys)}; there is {there[0]} too")
        return there[0] if there else None

    def unknown(self, known: frozenset[str]) -> dict[str, Any]:
        """The keys that are none of `known`, with their values."""
        return {key: item for key, item in self.value.items() if key not in known}


def kind_of(value: Any) -> str:
    """What a value is, without saying which."""
    return "nothing" if value is None else _KINDS.get(type(value), type(value).__name__)


def shown(value: float | str) -> str:
    """A number or a word as it stands there; what is long, or may be a secret, not."""
    if isinstance(value, str):
        from convo_replay.shown import quoted

        text = quoted(repr(value))  # before it is cut: half a key is one that nothing recognizes
    else:
        text = (
            "a huge number"
            if type(value) is int and abs(value) >= 10**20
            else f"{value:g}"
            if type(value) is float
            else str(value)
        )
    return text if len(text) <= 60 else text[:57] + "…"
