"""Width and height of an image from its first bytes: PNG, JPEG, GIF, WebP. Nothing here raises."""

from __future__ import annotations

import base64
import binascii
import struct

Size = tuple[int, int]

_FIRST = 64 << 10  # characters of base64 that are decoded at first
_MORE = 1 << 20  # and where the size stands behind a colour profile or a preview
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length


def size_of_base64(data: str) -> Size | None:
    """Width and height in pixels, `None` where the data is no image of these formats, or is cut short."""
    size = size_of(_decoded(data, _FIRST))
    if size is None and len(data) > _FIRST and data.startswith("/9j/"):
        size = size_of(_decoded(data, _MORE))
    return size


def size_of(data: bytes) -> Size | None:
    """Width and height in pixels of the image that begins with these bytes."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return _pair(">II", data, 16)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _pair("<HH", data, 6)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
    except (struct.error, IndexError):
        pass
    return None


def _pair(format: str, data: bytes, at: int) -> Size:
    first, second = struct.unpack_from(format, data, at)
    return int(first), int(second)


def _decoded(data: str, most: int) -> bytes:
    try:
        return base64.b64decode(data[: most & ~3].encode("ascii", "replace"))
    except (binascii.Error, ValueError):
        return b""


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = _pair("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _jpeg(data: bytes) -> Size | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _SOF:
            height, width = _pair(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    return None
