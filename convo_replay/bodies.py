"""Request bodies by value: what the bytes of a request become.

A request is matched, redacted and stored by value, never by its bytes, so the value must be exact.
`orjson` is fast but turns integers beyond 64 bits into floats and keeps the last of two equal keys;
what it read counts only if it writes the same bytes back, otherwise the standard library reads again,
strictly. A body that no JSON value stands for is kept as text, as bytes, or by its hash.

"Over 1 MB" is about what is new in a body. Request *k* of a conversation repeats all earlier turns,
and the 500th may well be of 2 MB without holding anything large: a body with a message list goes by its
largest message and by what it holds beside the list.

Uploads that stream are hashed while they pass (`Upload`), never read ahead; a multipart body becomes
its parts, without the boundary, which is random.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from .exchange import Binary, Blob, Body, Json, Part, Parts, Request, Text

LARGE = 1 << 20
"""Bytes from which on a body is known by its hash alone."""
LARGEST_JSON = 32 << 20
"""Bytes of the largest JSON request read as a value: the API's own limit (protocol.md §3, A18)."""
MESSAGE_KEYS = ("messages", "input", "contents")
"""The keys that hold a conversation's history: Messages and chat formats, Responses, Gemini."""
_PART_HEAD = 64 << 10


def parse_json(data: bytes) -> Any:
    """The value of a JSON document, exactly: integers of any size, lone surrogates, no key lost.

    Raises:
        ValueError: no JSON document, or one that a value cannot stand for: a key twice in one object,
            `NaN` and `Infinity`, a number beyond the range of a double, nested too deep, no UTF-8.
    """
    try:
        value = orjson.loads(data)
        if orjson.dumps(value) == data:
            return value
    except (ValueError, TypeError):
        pass  # not necessarily bad JSON: the strict reader below decides and gives the reason
    try:
        return _STRICT.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return made


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is beyond the range of a double")
    return number


_STRICT = json.JSONDecoder(object_pairs_hook=_no_key_twice, parse_constant=_no_constant, parse_float=_finite)


def message_key(value: Any) -> str | None:
    """The key under which a request's JSON value holds its messages, or `None`."""
    if isinstance(value, dict):
        for key in MESSAGE_KEYS:
            if isinstance(value.get(key), list):
                return key
    return None


def body_of(data: bytes, content_type: str = "") -> Body:
    """What a request of these bytes holds: `None` for an empty one."""
    if len(data) <= LARGEST_JSON and data[:1] in _JSON_START:
        try:
            value = parse_json(data)  # nearly every request: nothing is copied or hashed
        except ValueError:
            pass
        else:
            if not _is_large(value, len(data)):
                return Json(value)
    upload = Upload(content_type)
    upload.feed(data)
    return upload.finish()


def whole(request: Request) -> Request:
    """The request by value, where its body is known by its hash and the value is at hand."""
    body = request.body
    return replace(request, body=Json(body.value)) if isinstance(body, Blob) and body.value is not None else request


def _is_large(value: Any, size: int) -> bool:
    if size <= LARGE:
        return False
    key = message_key(value)
    if key is None:
        return True
    sizes = [len(json.dumps(message, ensure_ascii=True)) for message in value[key]]
    return max(sizes, default=0) > LARGE or size - sum(sizes) > LARGE


@dataclass(slots=True)
class Upload:
    """A request body while it streams: `feed` each chunk as it leaves, then `finish` once.

    Holds at most what is kept in the end: 1 MB of bytes; 32 MB where it may be JSON, or is text in a multipart body:
    that is searched for secrets before it is known by a hash.
    """

    content_type: str = ""
    _whole: _Spool = field(init=False)
    _parts: _Multipart | None = field(init=False)

    def __post_init__(self) -> None:
        media, _, parameters = self.content_type.partition(";")
        media = media.strip().lower()
        boundary = _BOUNDARY.search(parameters)
        self._parts = None
        if media == "multipart/form-data" and boundary:
            self._parts = _Multipart((boundary[1] or boundary[2]).encode("utf-8", "surrogateescape"))
        may_be_json = "json" in media or media in ("", "text/plain")
        self._whole = _Spool(media, LARGEST_JSON if may_be_json else LARGE)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._whole.feed(chunk)
        if self._parts is not None:
            self._parts.feed(chunk)

    def finish(self) -> Body:
        """The body, once all bytes were fed."""
        if self._parts is not None:
            parts = self._parts.finish()
            if parts is not None:
                return parts
        if not self._whole.size:
            return None
        data = self._whole.data
        if data is not None and bytes(data.lstrip(b" \t\r\n")[:1]) in _JSON_START:
            try:
                value = parse_json(bytes(data))
            except ValueError:
                pass
            else:
                if not _is_large(value, self._whole.size):
                    return Json(value)
                return replace(self._whole.blob(), value=value)
        return self._whole.finish()


_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;,]+))', re.IGNORECASE)
_JSON_START = frozenset(bytes([byte]) for byte in b'{["-0123456789tfn')


class _Spool:
    """Bytes, hashed as they come, and kept as long as they are few."""

    def __init__(self, type: str, limit: int) -> None:
        self.type = type
        self.size = 0
        self.data: bytearray | None = bytearray()
        self._limit = limit
        self._starts = b""
        self._hash = hashlib.sha256()

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        self._hash.update(chunk)
        if len(self._starts) < 16:
            self._starts += bytes(chunk[: 16 - len(self._starts)])
        self.size += len(chunk)
        if self.data is not None:
            if self.size > self._limit or (self.size > LARGE and b"\0" in chunk):
                self.data = None
            else:
                self.data += chunk

    def blob(self) -> Blob:
        return Blob(self._hash.hexdigest(), self.size, self.type, self._starts.hex())

    def finish(self) -> Text | Binary | Blob:
        if self.data is None:
            return self.blob()
        data = bytes(self.data)
        text = None
        if b"\0" not in data:
            with contextlib.suppress(UnicodeDecodeError):
                text = data.decode("utf-8")
        if self.size > LARGE:
            return replace(self.blob(), text=text)
        return Binary(data) if text is None else Text(text)


class _Multipart:
    """`multipart/form-data` by part, in one pass over chunks of any size (RFC 7578, RFC 2046 §5.1)."""

    def __init__(self, boundary: bytes) -> None:
        self._mark = b"\r\n--" + boundary
        # The first boundary has no line break before it: one is put there.
        self._buffer = bytearray(b"\r\n")
        self._parts: list[Part] = []
        self._head: tuple[str, str | None, str] | None = None
        self._spool: _Spool | None = None
        self._step: Callable[[], bool] | None = self._preamble
        self._failed = False

    def feed(self, chunk: bytes) -> None:
        if self._step is None or self._failed:
            return
        self._buffer += chunk
        step: Callable[[], bool] | None = self._step
        while step is not None and step():
            step = self._step

    def finish(self) -> Parts | None:
        """The parts, or `None` where the bytes are no complete multipart body."""
        return None if self._failed or self._step is not None else Parts(tuple(self._parts))

    def _preamble(self) -> bool:
        if len(self._buffer) < len(self._mark):
            return False
        if not self._buffer.startswith(self._mark):
            return self._fail()
        del self._buffer[: len(self._mark)]
        self._step = self._after_mark
        return True

    def _after_mark(self) -> bool:
        if len(self._buffer) < 2:
            return False
        mark = bytes(self._buffer[:2])
        if mark == b"--":
            self._step = None
            return False
        if mark != b"\r\n":
            return self._fail()
        self._step = self._headers
        return True

    def _headers(self) -> bool:
        # The line break after the boundary is still there, so a part without headers ends at once.
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return self._fail() if len(self._buffer) > _PART_HEAD else False
        self._head = _part_head(bytes(self._buffer[:end]))
        if self._head is None:
            return self._fail()
        del self._buffer[: end + 4]
        # An empty part ends at once: its line break is the one before the boundary.
        self._spool = _Spool(self._head[2], LARGEST_JSON)
        self._step = self._content
        return True

    def _content(self) -> bool:
        assert self._spool is not None
        assert self._head is not None
        end = self._buffer.find(self._mark)
        if end < 0:
            keep = len(self._mark) - 1
            if len(self._buffer) > keep:
                self._spool.feed(bytes(self._buffer[:-keep]))
                del self._buffer[:-keep]
            return False
        self._spool.feed(bytes(self._buffer[:end]))
        del self._buffer[: end + len(self._mark)]
        name, filename, type = self._head
        self._parts.append(Part(name, self._spool.finish(), filename, type))
        self._step = self._after_mark
        return True

    def _fail(self) -> bool:
        self._failed = True
        self._buffer.clear()
        return False


_PARAMETER = re.compile(r';\s*(filename|name)="((?:[^"\\\r\n]|\\.)*)"|;\s*(filename|name)=([^\s;"]+)', re.IGNORECASE)


def _part_head(block: bytes) -> tuple[str, str | None, str] | None:
    """Name, file name and media type of a part, or `None` where it names nothing."""
    name, filename, type = None, None, ""
    try:
        lines = block.decode("utf-8").split("\r\n")
    except UnicodeDecodeError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-type":
            type = value.strip()
        elif key.strip().lower() == "content-disposition":
            for quoted, text, bare, word in _PARAMETER.findall(value):
                if (quoted or bare).lower() == "name":
                    name = text or word
                else:
                    filename = text or word
    return None if name is None else (name, filename, type)
