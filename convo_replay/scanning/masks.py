"""What somebody wrote in place of a credential: a mask, a dummy. It must say so itself; a weak password does not.

A name is not enough (`test_` before something random is a vendor's test key), nor is shortness.
"""

from __future__ import annotations

import re

from convo_replay.redaction import naming, placeholders
from convo_replay.standins import STAND_IN

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\s+(?=\S)")
_SAYS_SO = re.compile(
    r"x{3,}|\*{3,}|\.{3}|…|•{2,}|redact(?:ed)?|filter(?:ed)?|mask(?:ed)?|dummy|fake|mock(?:ed)?|placeholder|saniti[sz]ed?"
    r"|scrub(?:bed)?|hidden|removed|stand-in|change_?me|(?<![a-z])(?:test|your|sample|example|undefined|none|null)(?![a-z])",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"[<\[{].*[>\]}]", re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9]+")
_ANY_KEY = frozenset({
    "my", "some", "a", "the", "api", "key", "apikey", "token", "secret", "access", "auth", "no", "not", "needed",
    "used", "required", "unused", "anything", "empty", "na", "lm", "studio", "ollama", "foo", "bar", "value",
    "header", "string",
})  # fmt: skip
"""Words of which a value consists that names a key and is none."""


def is_mask(value: str) -> bool:
    """Whether the value of a credential, behind a scheme perhaps, is a mask or a dummy by what it says."""
    value = value.strip()
    scheme = _SCHEME.match(value)
    rest = (value[scheme.end() :] if scheme else value).strip("'\" ")
    if len(set(rest)) <= 2 or STAND_IN in rest or placeholders.PLACEHOLDER.fullmatch(rest):
        return True
    left, count = _SAYS_SO.subn(" ", rest)
    if count or _BRACKETED.fullmatch(rest):
        return not any(map(_is_random, _TOKEN.findall(left)))
    found = [word.lower() for word in _TOKEN.findall(rest)]
    return bool(found) and _ANY_KEY.issuperset(found)


def _is_random(token: str) -> bool:
    mixed = any(char.isdigit() for char in token) and any(char.isalpha() for char in token)
    return (mixed and len(token) >= 10) or naming.is_secret_value(token)
