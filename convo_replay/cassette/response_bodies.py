"""The body of a response: bytes → keys of the file → the same bytes.

The most readable notation whose bytes come out equal wins: event lines, JSON by value with a word for
its layout, text, base64, and for large binaries a file of their own. Each is proved by rebuilding.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..bodies import parse_json
from ..sse import split
from . import yaml_writer

BLOB_FROM = 64 << 10
"""Bytes from which on a body that is no text gets a file of its own."""
_TEXT_UP_TO = 16 << 20  # beyond it text too goes to a file: a line of a cassette is at most 64 MB
_LAYOUTS: dict[str, dict[str, Any]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indent2": {"indent": 2},
    "indent4": {"indent": 4},
}
FORMATS = tuple(
    layout + ascii + end for layout in _LAYOUTS for ascii in ("", "+ascii") for end in ("", "+nl")
)  # fmt: skip
_EXTENSIONS = {
    "application/gzip": "gz", "application/pdf": "pdf", "application/zip": "zip", "audio/mp3": "mp3",
    "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/wav": "wav", "image/gif": "gif", "image/jpeg": "jpg",
    "image/png": "png", "image/webp": "webp", "text/html": "html", "text/plain": "txt", "video/mp4": "mp4",
    "application/json": "json",
}  # fmt: skip


def blob_name(sha256: str, type: str) -> str:
    """Where a blob lies, from the folder of the cassette: `_blobs/<sha256>.<ext>`."""
    return f"_blobs/{sha256}.{_EXTENSIONS.get(type, 'bin')}"


def is_event_stream(body: bytes, media: str) -> bool:
    """Whether a body is written as event lines. Gateways also send streams under other types."""
    if media != "text/event-stream" and not body.startswith((b"data:", b"event:")):
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return any(event.dispatched or event.comment is not None for event in split(body))


def write(body: bytes, media: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The keys that stand for a body that is no event stream, and the files they name."""
    if not body:
        return {}, {}
    if len(body) <= _TEXT_UP_TO:
        written = _as_json(body, media) or _as_text(body)
        if written is not None:
            return written, {}
    if len(body) < BLOB_FROM:
        return {"base64": wrapped(body)}, {}
    sha256 = hashlib.sha256(body).hexdigest()
    keys: dict[str, Any] = {"sha256": sha256, "size": len(body)}
    if media:
        keys["type"] = media
    keys["starts"] = body[:16].hex()
    return {"blob": keys}, {blob_name(sha256, media): body}


def wrapped(data: bytes) -> str:
    """Base64 in lines of 100, so that a change shows where it is."""
    text = base64.b64encode(data).decode()
    if len(text) <= 100:
        return text
    return "".join(f"{text[at : at + 100]}\n" for at in range(0, len(text), 100))


def unwrapped(text: str) -> bytes:
    """The bytes of a `base64:` value.

    Raises:
        ValueError: not base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("expected base64") from None


def json_bytes(value: Any, format: str) -> bytes:
    """The bytes of a JSON value in one of `FORMATS` (`""` is `compact`)."""
    words = (format or "compact").split("+")
    text = json.dumps(value, ensure_ascii="ascii" in words, **_LAYOUTS[words[0]])
    return (text + "\n" if "nl" in words else text).encode("utf-8")


def _as_json(body: bytes, media: str) -> dict[str, Any] | None:
    if "json" not in media and body.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value = parse_json(body)
    except ValueError:
        return None
    if not yaml_writer.holds(value):
        # The text of the document, as it came: a lone surrogate is an escape in it.
        written = _as_text(body)
        return None if written is None else {"json_text": written["text"]}
    for format in _candidates(body):
        if json_bytes(value, format) == body:
            return {"json": value} if format == "compact" else {"format": format, "json": value}
    return None


def _candidates(body: bytes) -> Iterable[str]:
    end = "+nl" if body.endswith(b"\n") else ""
    ascii = ("", "+ascii") if body.isascii() else ("",)
    first = body.lstrip()[:1]
    inside = body[1:2]
    layouts = ("indent2", "indent4") if first in (b"{", b"[") and inside == b"\n" else ("compact", "spaced")
    return [layout + escape + end for escape in ascii for layout in layouts]


def _as_text(body: bytes) -> dict[str, Any] | None:
    if b"\0" in body:
        return None
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return None


def read(keys: Mapping[str, Any]) -> bytes:
    """The bytes that `json`, `text`, `json_text` or `base64` stand for.

    Raises:
        ValueError: a `format` that does not exist, or no base64.
    """
    if "json" in keys:
        format = keys.get("format", "")
        if format and format not in FORMATS:
            raise ValueError(f"format is one of {' '.join(_LAYOUTS)}, each with +ascii, +nl, or both")
        return json_bytes(keys["json"], format)
    if "base64" in keys:
        return unwrapped(keys["base64"])
    return str(keys["text"] if "text" in keys else keys["json_text"]).encode("utf-8")
