"""The beginning of a known value at the end of a text: an answer that broke off inside it.

A pattern still finds what is left of a long key; of a value that is known because the environment or a header
holds it, the first characters look like nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.redaction.classes import BY_NAME, classify

_BEGINS = 8
"""Characters of a value that are told from what stands there by chance …"""
_BEGINS_AS_MANY = 16
"""… and of one that begins like all of its kind (`sk-ant-api03-`)."""
_LEAST = 12


class Halves:
    """The values that may be cut in two."""

    def __init__(self) -> None:
        self._values: list[tuple[str, str]] = []

    def add(self, value: str, cls: str) -> None:
        """`value`, of class `cls`, is a known one."""
        item = BY_NAME.get(cls)
        begins = _BEGINS if classify(value) is None else _BEGINS_AS_MANY
        if len(value) >= max(_LEAST, begins + 1) and item is not None and item.severity == "error":
            self._values.append((value, value[:begins]))

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """(offset, value) where `text` ends inside a value."""
        size = len(text)
        for value, begins in self._values:
            at = text.rfind(begins, max(size - len(value) + 1, 0))
            if at >= 0 and value.startswith(text[at:]):
                yield at, value

    def may_hold(self, text: str) -> bool:
        """Whether one may begin anywhere in `text`, of which it is the JSON text."""
        return any(begins in text for _, begins in self._values)
