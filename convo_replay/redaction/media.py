"""Pictures, documents and sounds in base64 inside of a JSON text: megabytes in which nothing is looked for.

Nobody looks for texts in the bytes of a medium (encodings.py), and what is looked for in a text has characters that
base64 does not have, or stands by itself. So a text that may hold something is asked without them.
"""

from __future__ import annotations

from convo_replay.redaction import encodings

_LEAST = 8192
"""Characters of a text, and half of those of a medium, for which looking for it is worth it."""
_KEPT = 64
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_HEAD = ";base64,"


def without(text: str) -> str:
    """A JSON text with both ends of each medium only, which is a whole string or the end of one (`data:…;base64,…`)."""
    if len(text) < _LEAST:
        return text
    made = [_shortened(part) if len(part) >= _LEAST // 2 else part for part in text.split('"')]
    return '"'.join(made)


def _shortened(part: str) -> str:
    """A string without the inside of the medium that it is."""
    head = part.find(_HEAD, 0, 100)
    start = 0 if head < 0 else head + len(_HEAD)
    if not encodings.is_medium(part, start, len(part)) or not part.isascii():
        return part
    if part[start:].encode().translate(None, _BASE64):
        return part
    return part[: start + _KEPT] + part[-_KEPT:]
