"""The beginning of a known value at the end of a text: an answer that broke off inside it.

A pattern may still find what is left of a long key. Of a value that is known because the environment or a header
holds it, or because the whole of it stood in the conversation before, the first characters look like nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.redaction.classes import BY_NAME, classify

BEGINS = 8
"""Characters of a value that are told from what stands there by chance …"""
_BEGINS_AS_MANY = 16
"""… and of one that begins like all of its kind (`sk-ant-api03-`)."""
_LEAST = 12
_TOLD = frozenset({"email"})
"""Classes of values that give no access, and of which a half tells whom they name."""
_MOST = 256
"""Values of a conversation."""


class Halves:
    """The values that may be cut in two."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, str]] = {}

    def add(self, value: str, cls: str) -> bool:
        """`value`, of class `cls`, is a known one; whether it may be cut in two, and was not known so far."""
        item = BY_NAME.get(cls)
        begins = BEGINS if cls in _TOLD or classify(value) is None else _BEGINS_AS_MANY
        if len(value) < max(_LEAST, begins + 1) or item is None or len(self._values) >= _MOST:
            return False
        if (item.severity != "error" and cls not in _TOLD) or value in self._values:
            return False
        self._values[value] = value[:begins], cls
        return True

    def __bool__(self) -> bool:
        return bool(self._values)

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """(offset, class) where `text` ends inside a value."""
        size = len(text)
        for value, (begins, cls) in self._values.items():
            at = text.rfind(begins, max(size - len(value) + 1, 0))
            if at >= 0 and value.startswith(text[at:]):
                yield at, cls

    def may_hold(self, text: str) -> bool:
        """Whether one may begin anywhere in `text`, of which it is the JSON text."""
        return any(begins in text for begins, _ in self._values.values())
