"""Response bodies: event streams, JSON, lines of JSON, text, bytes, each redacted as what it is.

A body is what it looks like, not what its content type says: gateways answer errors of a stream as
JSON and streams as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convo_replay import sse
from convo_replay.bodies import parse_json
from convo_replay.exchange import Chunk, Head
from convo_replay.redaction import json_text, opaque, streams

if TYPE_CHECKING:
    from convo_replay.redaction.redactor import Redactor

_STREAM_STARTS = (b"data:", b"event:", b": ", b"id:", b"retry:", b"\xef\xbb\xbfdata:", b"\xef\xbb\xbfevent:")


def redact(head: Head | None, chunks: Sequence[Chunk], redactor: Redactor) -> list[Chunk]:
    """The chunks of a redacted body; the given ones where nothing changed."""
    body = b"".join([chunk.data for chunk in chunks])
    if not body:
        return list(chunks)
    kind = next((value for name, value in head.headers if name.lower() == "content-type"), "") if head else ""
    if kind.lower().startswith("text/event-stream") or body.lstrip(b"\r\n").startswith(_STREAM_STARTS):
        raws = [event.raw for event in sse.split(body)]
        return _rechunked(chunks, raws, events(raws, redactor))
    lines = body.splitlines(keepends=True)
    if body[:1] == b"{" and len(lines) > 1 and lines[0].rstrip().endswith(b"}") and lines[1][:1] == b"{":
        return _rechunked(chunks, lines, records(lines, redactor))
    made = document(body, redactor)
    return list(chunks) if made == body else [Chunk(chunks[-1].at, made)]


def events(raws: Sequence[bytes], redactor: Redactor) -> list[bytes]:
    """The events of a stream, as raw bytes, redacted together."""
    datas = [_data(raw) for raw in raws]
    made = _together(datas, redactor)
    return [_event(raw, data, new, redactor) for raw, data, new in zip(raws, datas, made, strict=True)]


def records(lines: Sequence[bytes], redactor: Redactor) -> list[bytes]:
    """Lines of JSON, redacted together like the events of a stream."""
    made = []
    for line in lines:
        try:
            made.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            return [redactor._bytes(line) for line in lines]
    return [new.encode() for new in _together(made, redactor)]


def document(body: bytes, redactor: Redactor) -> bytes:
    """A body that is one JSON document, or text, or bytes."""
    try:
        value = parse_json(body)
    except ValueError:
        return redactor._bytes(body)
    pieces = None
    if isinstance(value, list):  # a stream in one array: Gemini without `alt=sse`
        pieces = joined(value, redactor)
    made = redactor._value(value, pieces)
    return body if made is value else json_text.edit(body.decode("utf-8"), value, made).encode()


def joined(values: Sequence[Any], redactor: Redactor) -> dict[tuple[int, str], str]:
    """(id of the object, field) → text, for every piece in `values` of a value that comes in pieces."""
    groups: dict[tuple[Any, ...], list[streams.Piece]] = {}
    for value in values:
        for piece in streams.pieces(value):
            groups.setdefault(piece.address, []).append(piece)
    made: dict[tuple[int, str], str] = {}
    for group in groups.values():
        texts = [piece.text for piece in group]
        if all(
            not text or opaque.is_opaque(piece.field, text, piece.owner)
            for piece, text in zip(group, texts, strict=True)
        ) and any(texts):
            becomes = _opaque_pieces(texts, redactor)
        else:
            becomes = streams.write_back(texts, redactor._spans)
        for piece, text in zip(group, becomes, strict=True):
            made[id(piece.owner), piece.field] = piece.text if text == piece.text else text
    return made


def _opaque_pieces(texts: list[str], redactor: Redactor) -> list[str]:
    whole = "".join(texts)
    made = redactor._whole(whole)
    if made == whole:
        return [redactor._whole(text) if text else text for text in texts]
    parts, at = [], 0
    for text in texts:
        parts.append(made[at : at + len(text)])
        at += len(text)
    return parts


def _together(datas: Sequence[str | None], redactor: Redactor) -> list[str]:
    values: list[Any] = []
    tails: list[tuple[str, str, str] | None] = []
    for data in datas:
        tail = None
        value: Any = None
        if data is not None and data[:1] in "{[" and data:
            try:
                value = parse_json(data.encode("utf-8"))
            except (ValueError, UnicodeEncodeError):
                tail = json_text.completed(data)  # cut in the middle: the last event of a broken stream
                if tail is not None:
                    value = _value_of(tail[0] + tail[1])
                    tail = None if value is None else tail
        values.append(value)
        tails.append(tail)
    pieces = joined(values, redactor)
    made: list[str] = []
    for data, value, tail in zip(datas, values, tails, strict=True):
        if data is None:
            made.append("")
        elif value is None:
            made.append(redactor._string(data))
        else:
            new = redactor._value(value, pieces)
            if tail is None:
                made.append(data if new is value else json_text.edit(data, value, new))
            else:
                text, closers, rest = tail
                source = text if new is value else json_text.edit(text + closers, value, new)[: -len(closers)]
                made.append(source + redactor._string(rest))
    return made


def _value_of(text: str) -> Any:
    try:
        return parse_json(text.encode("utf-8"))
    except (ValueError, UnicodeEncodeError):
        return None


def _data(raw: bytes) -> str | None:
    lines = [content for prefix, content, _ in streams.data_lines(raw) if prefix]
    if not lines:
        return None
    try:
        return b"\n".join(lines).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _event(raw: bytes, data: str | None, new: str, redactor: Redactor) -> bytes:
    if data is None:
        return redactor._bytes(raw)
    if new != data:
        raw = streams.with_data(raw, new)
    others = [(prefix, content, end) for prefix, content, end in streams.data_lines(raw)]
    made = [prefix + (content if prefix else redactor._bytes(content)) + end for prefix, content, end in others]
    return b"".join(made)


def _rechunked(chunks: Sequence[Chunk], raws: Sequence[bytes], made: Sequence[bytes]) -> list[Chunk]:
    """`chunks` with new contents: an event goes with the chunk that held its last byte."""
    if all(a == b for a, b in zip(raws, made, strict=True)):
        return list(chunks)
    rebuilt = []
    position, arrived, at = 0, 0, 0
    for chunk in chunks:
        arrived += len(chunk.data)
        parts = []
        while at < len(raws) and position + len(raws[at]) <= arrived:
            position += len(raws[at])
            parts.append(made[at])
            at += 1
        if parts:
            rebuilt.append(Chunk(chunk.at, b"".join(parts)))
    return rebuilt
