"""Whether what stands at the place of a password or of a signature in a URL is one.

Asked by the patterns of the table (classes/places.py), which find such places in any text.
"""

from __future__ import annotations

import re

_DUMMY = re.compile(
    r"(?i:user|username|pass|passwd|password|pwd|token|secret|key|changeme|x{3,}|\*+|\.{2,}|…"
    r"|(?:your|my|the|db)[-_]?(?:pass|password|passwd|token|secret|key))|[<{\[$%].*"
)
_BEFORE_PARAMETER = re.compile(
    r"(?:[?&;]|&amp;|\\u0026|%26|%3[FB]|(?P<header>,\s*)"
    r"|(?:^|[^A-Za-z0-9]|\\u[0-9a-f]{4}|%[0-9A-F]{2})X-(?:Amz|Goog|Ms|Oss|Cos|Obs)-)$",
    re.IGNORECASE,
)
_HEX = re.compile(r"[0-9a-f]{64}")
LEAST_COOKIE = 16
LEAST_SIGNATURE = 20
"""Characters: an MD5 in base64 has 24, an HMAC-SHA1 28; percent-encoded more."""


def is_password(match: re.Match[str]) -> bool:
    """Whether the password of a URL is more than a word that says where one would stand."""
    return _DUMMY.fullmatch(match["value"]) is None


def is_cookie(match: re.Match[str]) -> bool:
    """Whether any of the pairs of a cookie is more than a setting (`theme=dark`)."""
    values = [pair.partition("=")[2] for pair in match["value"].split(";")]
    return any(len(value) >= LEAST_COOKIE and _is_mixed(value) for value in values)


def _is_mixed(value: str) -> bool:
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def is_token(match: re.Match[str]) -> bool:
    """Whether a user without a password is a token: letters and digits mixed."""
    return _is_mixed(match["value"])


def is_signature(match: re.Match[str]) -> bool:
    """Whether it is a parameter of a URL, or part of a header that signs a request, and long enough."""
    text, start, value = match.string, match.start(), match["value"]
    if text[max(0, start - 1) : start] in ("s", "S"):  # anchors leave out the letter that has two cases
        start -= 1
    before = _BEFORE_PARAMETER.search(text, max(0, start - 16), start)
    if before is None or len(value) < LEAST_SIGNATURE or not any(char.isdigit() for char in value):
        return False
    return before["header"] is None or _HEX.fullmatch(value) is not None
