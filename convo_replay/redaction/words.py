"""What is made of words, and so no secret: names, settings, paths."""

from __future__ import annotations

import functools
import re

_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_VOWELS = frozenset("aeiouyAEIOUY")
_PLACE = re.compile(r"(?:~|\.{0,2})/|[A-Za-z]:[\\/]|\\\\|[A-Za-z][A-Za-z0-9+.-]*://")
_BASE64 = re.compile(r"/[A-Za-z0-9+/]{19,}={0,2}")
_STEP = 10
"""Characters of one step of a path that are looked at: what is random is seldom split into shorter ones."""
_KINDS = tuple(re.compile(chars) for chars in ("[0-9]", "[a-z]", "[A-Z]"))


def is_worded(value: str) -> bool:
    """Whether words and short numbers make up the most of a value: `my-service-key-2024`, `getToken2`."""
    pieces = _PIECES.findall(value)
    if sum(map(len, pieces)) < 3 * len(pieces):
        return False
    letters = sum(len(piece) for piece in pieces if len(piece) >= 3 and piece.isalpha() and is_word(piece))
    return letters * 2 > len(value)


@functools.lru_cache(4096)
def is_word(piece: str) -> bool:
    """Whether letters could be spoken."""
    low = piece.lower()
    vowels = sum(1 for char in low if char in _VOWELS)
    if not 0.2 <= vowels / len(low) <= 0.7:
        return False
    return re.search(r"[^aeiouy]{5}|[aeiou]{4}|[qjxz][^aeiouy]|(.)\1\1", low) is None


def is_place(value: str) -> bool:
    """Whether a value is a path or a URL; one of 64 random values in base64 begins with `/` as well."""
    if _PLACE.match(value) is None:
        return False
    if _BASE64.fullmatch(value.lstrip("~.")) is None:
        return True
    longest = max(value.split("/"), key=len)
    return len(longest) < _STEP or not all(kind.search(longest) for kind in _KINDS) or is_worded(longest)
