"""Frames of `application/vnd.amazon.eventstream`, as Bedrock streams: bytes → frames → bytes, lossless.

A frame is its length, the length of its headers, a CRC of these eight bytes, headers, payload, and a CRC
of all before it. A payload that is edited changes lengths and checksums, so a frame is built anew, and a
reader that verifies them sees nothing wrong. What holds any frame whose checksums do not fit is no such
stream. What was cut at the end stands behind the last whole frame.

Source: Smithy 2.0, "Amazon Event Stream Specification"; botocore `eventstream.py` reads the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from zlib import crc32

_PRELUDE = struct.Struct(">III")
_LEAST = 16
"""Bytes of a frame without headers and payload."""
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; 6 (bytes) and 7 (string) say their length."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header: its name, its type, and the bytes of its value."""

    name: str
    type: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `raw`: its exact bytes."""

    headers: tuple[Header, ...]
    payload: bytes = field(repr=False)
    raw: bytes = field(repr=False)

    def text(self, name: str) -> str | None:
        """The value of the header of that name, where it is a string."""
        found = (header.value for header in self.headers if header.name == name and header.type == _STRING)
        return next((value.decode("utf-8", "replace") for value in found), None)


def begins(body: bytes) -> bool:
    """Whether `body` begins with a frame: by the checksum of its first bytes."""
    return len(body) >= _PRELUDE.size and crc32(body[:8]) == int.from_bytes(body[8:12], "big")


def parse(body: bytes) -> tuple[list[Frame], bytes] | None:
    """The frames of a body, and the beginning of a frame that was cut behind them; `None` for anything else."""
    found: list[Frame] = []
    at = 0
    while len(body) - at >= _PRELUDE.size:
        size, head, check = _PRELUDE.unpack_from(body, at)
        if check != crc32(body[at : at + 8]) or size < _LEAST + head:
            return None
        if size > len(body) - at:
            break
        raw = body[at : at + size]
        if crc32(raw[:-4]) != int.from_bytes(raw[-4:], "big"):
            return None
        headers = _headers(raw[12 : 12 + head])
        if headers is None:
            return None
        found.append(Frame(headers, raw[12 + head : -4], raw))
        at += size
    return (found, body[at:]) if found or begins(body) else None


def edited(frame: Frame, payload: bytes, string: Callable[[str], str]) -> Frame:
    """The frame with another payload, its string headers through `string`; itself where both stay."""
    headers = tuple([_edited(header, string) for header in frame.headers])
    if payload == frame.payload and headers == frame.headers:
        return frame
    return build(headers, payload)


def build(headers: tuple[Header, ...], payload: bytes) -> Frame:
    """A frame of these headers and this payload."""
    head = b"".join(map(_written, headers))
    start = struct.pack(">II", _LEAST + len(head) + len(payload), len(head))
    raw = b"".join([start, crc32(start).to_bytes(4, "big"), head, payload])
    return Frame(headers, payload, raw + crc32(raw).to_bytes(4, "big"))


def _edited(header: Header, string: Callable[[str], str]) -> Header:
    if header.type != _STRING:
        return header
    try:
        text = header.value.decode("utf-8")
    except UnicodeDecodeError:
        return header
    made = string(text)
    return header if made is text else replace(header, value=made.encode("utf-8"))


def _written(header: Header) -> bytes:
    name = header.name.encode("latin-1")
    size = b"" if header.type in _SIZES else len(header.value).to_bytes(2, "big")
    return bytes([len(name)]) + name + bytes([header.type]) + size + header.value


def _headers(data: bytes) -> tuple[Header, ...] | None:
    found, at = [], 0
    while at < len(data):
        stop = at + 1 + data[at]
        if stop >= len(data):
            return None
        name, kind = data[at + 1 : stop].decode("latin-1"), data[stop]
        at = stop + 1
        size = _SIZES.get(kind)
        if size is None:
            if kind not in (6, _STRING) or at + 2 > len(data):
                return None
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
        if at + size > len(data):
            return None
        found.append(Header(name, kind, data[at : at + size]))
        at += size
    return tuple(found)
