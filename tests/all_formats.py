"""Every recording of the corpus as exchanges, whichever recorder wrote it.

vcrpy's cassettes are read by the project itself; the other formats of the corpus by the standard library here.
An answer that was kept without its request gets an empty request to the vendor's endpoint.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

import corpus
from convo_replay import CassetteError
from convo_replay.cassette import loads
from convo_replay.exchange import Chunk, End, Exchange, Head, Headers, Json, Request, Text

Row = dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """One file of the corpus.

    Attributes:
        path: below the corpus.
        row: of the index.
        exchanges: in recorded order; empty where `reason` says why it could not be read.
        response_only: no request was kept.
    """

    path: str
    row: Row
    exchanges: list[Exchange] = field(default_factory=list)
    reason: str = ""

    @property
    def response_only(self) -> bool:
        return any(said.get("response_only") for said in self.row["exchanges"])


@functools.cache
def recordings() -> tuple[Recording, ...]:
    """All files of the corpus, in the index's order; read once per process."""
    return tuple(map(read, corpus.index()))


def skipped(read: tuple[Recording, ...]) -> Counter[str]:
    """How many files could not be read, by reason."""
    return Counter(recording.reason for recording in read if recording.reason)


def read(row: Row) -> Recording:
    """One file of the corpus, by its row of the index."""
    reader = _READERS.get(row["format"])
    if reader is None:
        return Recording(row["path"], row, reason=f"format {row['format']}")
    try:
        return Recording(row["path"], row, list(reader(row, corpus.read(row))))
    except CassetteError as error:
        return Recording(row["path"], row, reason=f"refused by the reader: {error.reason}")


def _vcrpy(row: Row, data: bytes) -> Iterator[Exchange]:
    yield from loads(data, row["path"]).exchanges


def _go_vcr(row: Row, data: bytes) -> Iterator[Exchange]:
    loaded = yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for interaction in loaded["interactions"]:
        asked, answered = interaction["request"], interaction["response"]
        sent = Request(asked["method"], asked["url"], _headers(asked["headers"]), _body(asked["body"].encode()))
        yield _exchange(sent, answered["code"], _headers(answered["headers"]), answered["body"].encode())


def _dd_json(row: Row, data: bytes) -> Iterator[Exchange]:
    loaded = json.loads(data)
    asked, answered = loaded["request"], loaded["response"]
    sent = Request(asked["method"], asked["url"], _headers(asked["headers"]), _body(_bytes(asked["body"])))
    yield _exchange(sent, answered["status"]["code"], _headers(answered["headers"]), _bytes(answered["body"]))


def _httprr(row: Row, data: bytes) -> Iterator[Exchange]:
    """A line of two lengths, then a raw request and a raw response of these lengths; and again."""
    rest = data.partition(b"\n")[2]
    while rest:
        lengths, _, rest = rest.partition(b"\n")
        asked, answered = map(int, lengths.split())
        first, headers, body = _raw_http(rest[:asked])
        status, answer_headers, answer = _raw_http(rest[asked : asked + answered])
        rest = rest[asked + answered :]
        method, url, _ = first.split(" ", 2)
        yield _exchange(Request(method, url, headers, _body(body)), int(status.split()[1]), answer_headers, answer)


def _raw_http(message: bytes) -> tuple[str, Headers, bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    if any(name == "transfer-encoding" and "chunked" in value for name, value in headers):
        body = b"".join(_dechunked(body))
    return first, headers, body


def _dechunked(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        yield body[:length]
        body = body[length + 2 :] if length else b""


def _bare(type: str) -> Callable[[Row, bytes], Iterator[Exchange]]:
    def reader(row: Row, data: bytes) -> Iterator[Exchange]:
        (said,) = row["exchanges"]
        request = Request(said["method"], f"https://{said['host']}{said['endpoint']}", (), Json({"messages": []}))
        yield _exchange(request, said["status"], (("content-type", type),), data)

    return reader


_READERS: Mapping[str, Callable[[Row, bytes], Iterator[Exchange]]] = {
    "vcrpy-yaml": _vcrpy,
    "go-vcr-yaml": _go_vcr,
    "httprr": _httprr,
    "dd-json": _dd_json,
    "bare-response-json": _bare("application/json"),
    "bare-sse": _bare("text/event-stream"),
}


def _exchange(request: Request, status: int, headers: Headers, body: bytes) -> Exchange:
    return Exchange(request, (Head(status, headers), Chunk(0.0, _decoded(body)), End()))


def _headers(value: Mapping[str, Any] | None) -> Headers:
    fields = [(name, [said] if isinstance(said, str) else said) for name, said in (value or {}).items()]
    return tuple((name.lower(), text) for name, values in fields for text in values)


def _bytes(value: Any) -> bytes:
    if isinstance(value, Mapping):
        return base64.b64decode(value["base64_string"]) if "base64_string" in value else _bytes(value.get("string"))
    return value.encode() if isinstance(value, str) else json.dumps(value).encode() if value is not None else b""


def _body(data: bytes) -> Json | Text | None:
    try:
        return Json(json.loads(data))
    except ValueError:
        return Text(data.decode("utf-8", "replace")) if data else None


def _decoded(body: bytes) -> bytes:
    """Most recordings hold the body plain, whatever its content-encoding says."""
    if body[:2] != b"\x1f\x8b":
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return body
