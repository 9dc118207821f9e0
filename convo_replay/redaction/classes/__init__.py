"""The one table of what is redacted: class, policy, how it is recognized, placeholder, example, source.

docs/redaction.md shows this table to users.
"""

from __future__ import annotations

import re

from convo_replay.redaction.classes.credentials import CREDENTIALS
from convo_replay.redaction.classes.entry import Check, Class, Policy, Severity, trie
from convo_replay.redaction.classes.identities import IDENTITIES
from convo_replay.redaction.classes.places import PLACES

__all__ = [
    "ANCHORS",
    "BY_NAME",
    "CLASSES",
    "DENSE",
    "LOOSE",
    "SEARCHED",
    "Check",
    "Class",
    "Policy",
    "Severity",
    "by_anchor",
    "classify",
]

CLASSES: tuple[Class, ...] = (*CREDENTIALS, *PLACES, *IDENTITIES)
BY_NAME: dict[str, Class] = {item.name: item for item in reversed(CLASSES)}
"""Each class by its name; of several entries of one name the first."""

SEARCHED = tuple(item for item in CLASSES if item.pattern and not item.anchors)
"""What has no anchor: looked for in the whole of every text."""

Anchors = dict[str, tuple[Class, ...]]


def by_anchor(classes: tuple[Class, ...] = CLASSES) -> Anchors:
    """Anchor → its classes, in the order of the table.

    An anchor that another begins with takes over its entries: each place of a text is tried once.
    """
    entries = [(anchor, item) for item in classes if item.pattern for anchor in item.anchors]
    anchors = {anchor for anchor, _ in entries}
    shortest = {a: min((b for b in anchors if a.startswith(b)), key=len) for a in anchors}
    table: dict[str, list[Class]] = {}
    for anchor, item in entries:
        items = table.setdefault(shortest[anchor], [])
        if item not in items:
            items.append(item)
    return {anchor: tuple(items) for anchor, items in table.items()}


ANCHORS = by_anchor()
DENSE = by_anchor(tuple(item for item in CLASSES if item.dense))
"""Anchors that are looked for in runs of the characters of keys."""
LOOSE = by_anchor(tuple(item for item in CLASSES if not item.dense))
"""Anchors that are looked for everywhere."""


_AT_START = re.compile(trie(ANCHORS))
_ORDER = {anchor: number for number, anchor in enumerate(ANCHORS)}
_INSIDE = tuple(anchor for anchor, items in ANCHORS.items() if any(item.before for item in items))
"""Anchors that something may stand before."""


def classify(value: str) -> str | None:
    """The class whose pattern takes the whole of `value`, or `None`."""
    start = _AT_START.match(value)
    found = {anchor for anchor in _INSIDE if anchor in value}
    if start is not None:
        found.add(start[0])
    for anchor in sorted(found, key=_ORDER.__getitem__) if len(found) > 1 else found:
        for item in ANCHORS[anchor]:
            if not item.before and (start is None or start[0] != anchor):
                continue
            match = item.regex.match(value)
            if match is None or match.end() != len(value) or "value" in item.regex.groupindex:
                continue
            if item.check is None or item.check(match):
                return item.name
    return None
