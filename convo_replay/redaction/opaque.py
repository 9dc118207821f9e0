"""Opaque fields: signed or encrypted by the provider, sent back byte for byte, never edited in part.

They may hold identifying data in clear all the same: 33 of 195 recorded thinking signatures carry the
organization's UUID inside their base64. Such a field is replaced whole.

Source: protocol.md §5, "never alter".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

FIELDS = frozenset(
    [
        "signature",
        "data",
        "encrypted_content",
        "encrypted_index",
        "encrypted_stdout",
        "thoughtSignature",
        "thought_signature",
        "redactedContent",
        "encrypted_thinking",
    ]
)
MARKS = ("ignature", "encrypted", "redacted")
"""JSON text without any of these holds no opaque field."""
_DATA_OF = frozenset({"redacted_thinking", "reasoning.encrypted"})
# Some are several runs, each with its padding: `gAAAA…=.x7Kd…`.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:={1,2}\.[A-Za-z0-9+/_-]+)*={0,2}")
_RUN = re.compile(r"[A-Za-z0-9+/_-]+")
_QUOTED = re.compile(r'"([A-Za-z0-9+/_.=-]{16,}+)"')
UUID = re.compile(rb"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_EMAIL = re.compile(
    rb"[A-Za-z0-9._%+-]{3,64}@[A-Za-z0-9-]{3,63}(?:\.[A-Za-z0-9-]{2,63}){0,4}\.[A-Za-z]{2,12}(?![A-Za-z])"
)
_STANDARD = bytes.maketrans(b"-_", b"+/")


def may_hold(text: str) -> bool:
    """Whether opaque fields may be in a value with this JSON text; cheap."""
    for mark in MARKS:  # noqa: SIM110, a generator takes three times as long
        if mark in text:
            return True
    return False


def is_opaque(field: str, value: str, owner: Mapping[str, Any]) -> bool:
    """Whether `owner[field]`, a string, is an opaque value: by its name, and base64 by its look."""
    if field not in FIELDS:
        return False
    kind = owner.get("type")
    if field == "data" and not (isinstance(kind, str) and kind in _DATA_OF):
        return False
    return _BASE64.fullmatch(value) is not None


def without(text: str, values: Iterable[str]) -> str:
    """JSON text without the opaque values that stand in it, each as often as it is given; in one pass.

    One that stands there more often is a text somewhere, too, and stays.
    """
    given, there = Counter(values), Counter(_QUOTED.findall(text))
    return _QUOTED.sub(lambda match: '""' if given[match[1]] == there[match[1]] else match[0], text) if given else text


def decoded(value: str) -> bytes:
    """The bytes of base64 text in either alphabet, of each run between paddings."""
    runs = []
    for run in _RUN.findall(value):
        whole = run[: len(run) - 1 if len(run) % 4 == 1 else len(run)].encode().translate(_STANDARD)
        try:
            runs.append(base64.b64decode(whole + b"=" * (-len(whole) % 4)))
        except (ValueError, binascii.Error):
            continue
    return b" ".join(runs)


def identifies(data: bytes) -> bool:
    """Whether a UUID or an e-mail address stands in `data` in clear."""
    return UUID.search(data) is not None or (b"@" in data and _EMAIL.search(data) is not None)
