"""Response bodies: event streams, JSON, lines of JSON, text, bytes, each redacted as what it is.

A body is what it looks like, not what its content type says: gateways answer errors of a stream as
JSON and streams as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convo_replay import sse
from convo_replay.bodies import parse_json
from convo_replay.exchange import Chunk
from convo_replay.redaction import json_text, streams
from convo_replay.redaction.values import Values

_BOM = b"\xef\xbb\xbf"
_STREAM_STARTS = (b"data:", b"event:", b": ", b"id:", b"retry:", _BOM + b"data:", _BOM + b"event:")


def redact(chunks: Sequence[Chunk], content_type: str, values: Values) -> list[Chunk]:
    """The chunks of a redacted body; the given ones where nothing changed."""
    body = b"".join([chunk.data for chunk in chunks])
    if not body:
        return list(chunks)
    if b"redacted-" in body:
        values.sight(body.decode("utf-8", "replace"))
    if content_type.lower().startswith("text/event-stream") or body.lstrip(b"\r\n").startswith(_STREAM_STARTS):
        raws = [event.raw for event in sse.split(body)]
        return _rechunked(chunks, raws, _events(raws, values))
    lines = body.splitlines(keepends=True) if body[:1] == b"{" else []
    if len(lines) > 1 and lines[0].rstrip().endswith(b"}") and lines[1][:1] == b"{":
        return _rechunked(chunks, lines, _lines(lines, values))
    made = _document(body, values)
    return list(chunks) if made == body else [Chunk(chunks[-1].at, made)]


def _events(raws: Sequence[bytes], values: Values) -> list[bytes]:
    datas = [_data(raw) for raw in raws]
    made = []
    for raw, data, new in zip(raws, datas, _together(datas, values), strict=True):
        if data is None and b"data:" in raw:
            made.append(values.data(raw))  # no UTF-8
            continue
        lines = streams.lines(raw if new == data else streams.with_data(raw, new or ""))
        made.append(b"".join([start + (text if start else values.data(text)) + end for start, text, end in lines]))
    return made


def _lines(lines: Sequence[bytes], values: Values) -> list[bytes]:
    try:
        texts = [line.decode("utf-8") for line in lines]
    except UnicodeDecodeError:
        return [values.data(line) for line in lines]
    return [(new or "").encode() for new in _together(texts, values)]


def _document(body: bytes, values: Values) -> bytes:
    try:
        value = parse_json(body)
    except ValueError:
        return values.data(body)
    # A list may be a stream in one array: Gemini without `alt=sse`.
    made = values.value(value, values.joined(value) if isinstance(value, list) else None)
    return body if made is value else json_text.edit(body.decode("utf-8"), value, made).encode()


def _together(datas: Sequence[str | None], values: Values) -> list[str | None]:
    """The data of events, redacted as one stream."""
    parsed = [_parsed(data) for data in datas]
    pieces = values.joined([value for value, _ in parsed])
    made: list[str | None] = []
    for data, (value, tail) in zip(datas, parsed, strict=True):
        if data is None:
            made.append(None)
        elif value is None:
            made.append(values.string(data))
        else:
            new = values.value(value, pieces)
            text, closers, rest = tail or (data, "", "")
            if new is not value:
                text = json_text.edit(text + closers, value, new).removesuffix(closers)
            made.append(text + values.string(rest))
    return made


_Tail = tuple[str, str, str]


def _parsed(data: str | None) -> tuple[Any, _Tail | None]:
    if not data or data[0] not in "{[":
        return None, None
    try:
        return parse_json(data.encode("utf-8")), None
    except ValueError:
        pass
    tail = json_text.completed(data)  # the last event of a stream that broke inside it
    if tail is None:
        return None, None
    try:
        return parse_json((tail[0] + tail[1]).encode("utf-8")), tail
    except ValueError:
        return None, None


def _data(raw: bytes) -> str | None:
    found = [text for start, text, _ in streams.lines(raw) if start]
    try:
        return b"\n".join(found).decode("utf-8") if found else None
    except UnicodeDecodeError:
        return None


def _rechunked(chunks: Sequence[Chunk], raws: Sequence[bytes], made: Sequence[bytes]) -> list[Chunk]:
    """`chunks` with new contents: an event goes with the chunk that held its last byte."""
    if all(a == b for a, b in zip(raws, made, strict=True)):
        return list(chunks)
    rebuilt = []
    taken, arrived, at = 0, 0, 0
    for chunk in chunks:
        arrived += len(chunk.data)
        parts = []
        while at < len(raws) and taken + len(raws[at]) <= arrived:
            taken += len(raws[at])
            parts.append(made[at])
            at += 1
        if parts:
            rebuilt.append(Chunk(chunk.at, b"".join(parts)))
    return rebuilt
