"""Response bodies: event streams, frames, JSON, lines of JSON, text, bytes, each redacted as what it is.

A body is what it looks like, not what its content type says: gateways answer errors of a stream as
JSON and streams as text.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import reduce
from operator import getitem
from typing import Any

import orjson

from convo_replay import sse
from convo_replay.bodies import parse_json
from convo_replay.exchange import Chunk
from convo_replay.redaction import frames, json_text, logprobs, opaque, placed, placeholders, skimming, streams
from convo_replay.redaction.values import Joined, Pieces, Values

_BOM = b"\xef\xbb\xbf"
_STREAM_STARTS = (b"data:", b"event:", b": ", b"id:", b"retry:", _BOM + b"data:", _BOM + b"event:")


def redact(chunks: Sequence[Chunk], content_type: str, values: Values) -> list[Chunk]:
    """The chunks of a redacted body; the given ones where nothing changed."""
    body = b"".join([chunk.data for chunk in chunks])
    if not body:
        return list(chunks)
    if frames.begins(body):
        values.sight(body.decode("latin-1"))
        framed = _frames(body, values)
        if framed is not None:
            return _rechunked(chunks, *framed)
    if content_type.lower().startswith("text/event-stream") or body.lstrip(b"\r\n").startswith(_STREAM_STARTS):
        if not skimming.may_hold(body, values):
            return list(chunks)
        events = sse.split(body)
        return _rechunked(chunks, [event.raw for event in events], _events(events, values))
    if placeholders.may_hold_bytes(body):
        values.sight(body.decode("utf-8", "replace"))
    lines = body.splitlines(keepends=True) if body[:1] == b"{" else []
    if len(lines) > 1 and lines[0].rstrip().endswith(b"}") and lines[1][:1] == b"{":
        return _rechunked(chunks, lines, _lines(lines, values))
    made = _document(body, values)
    return list(chunks) if made == body else [Chunk(chunks[-1].at, made)]


def _events(events: Sequence[sse.Event], values: Values) -> Sequence[bytes]:
    raws = [event.raw for event in events]
    datas = [_data(event) for event in events]
    parsed = [_parsed(data) for data in datas]
    pieces, touched = _joined([value for value, _ in parsed], b"".join(raws), values)
    clean: set[bytes] = set()
    made = []
    for at, (raw, data, (value, tail)) in enumerate(zip(raws, datas, parsed, strict=True)):
        if data is None and b"data:" in raw:
            made.append(values.data(raw))  # no UTF-8
            continue
        # What stands around the data is the same in nearly all events.
        around = raw if data is None or value is None else raw.replace(data.encode("utf-8", "surrogatepass"), b"", 1)
        if around in clean and tail is None and value is not None and at not in touched:
            made.append(raw)
            continue
        new = None if data is None else _edited(data, value, tail, pieces, values)
        lines = streams.lines(raw if new is None or new == data else streams.with_data(raw, new))
        texts = [text if start else values.data(text) for start, text, _ in lines]
        if all(text is was for text, (_, was, _) in zip(texts, lines, strict=True)):
            clean.add(around)
        made.append(b"".join([start + text + end for text, (start, _, end) in zip(texts, lines, strict=True)]))
    return made


def _joined(events: Sequence[Any], body: bytes, values: Values, kinds: Sequence[str] = ()) -> Joined:
    pieces, touched = values.joined(events, kinds, tokens=logprobs.may_hold(body))
    made = dict(pieces)
    for at, event in enumerate(events):
        held = _placed(event, values)
        if held:
            made.update(held)
            touched.add(at)
    return Joined(made, touched)


def _placed(value: Any, values: Values) -> dict[tuple[int, str], Any]:
    """What becomes of the values that are known by their place."""
    made: dict[tuple[int, str], Any] = {}
    for path, cls in placed.found(None, value, response=True):
        owner, key = reduce(getitem, path[:-1], value), str(path[-1])
        if values.policy(cls) == "placeholder" and placeholders.PLACEHOLDER.fullmatch(owner[key]) is None:
            made[id(owner), key] = values.place(cls, owner[key])
    return made


def _lines(lines: Sequence[bytes], values: Values) -> list[bytes]:
    try:
        texts = [line.decode("utf-8") for line in lines]
    except UnicodeDecodeError:
        return [values.data(line) for line in lines]
    parsed = [_parsed(text) for text in texts]
    pieces, touched = _joined([value for value, _ in parsed], b"".join(lines), values)
    return [
        line
        if at not in touched and value is not None and tail is None
        else _edited(text, value, tail, pieces, values).encode()
        for at, (line, text, (value, tail)) in enumerate(zip(lines, texts, parsed, strict=True))
    ]


def _document(body: bytes, values: Values) -> bytes:
    text, tokens = _utf8(body), logprobs.may_hold(body)
    if text is None:
        return values.data(body)
    plain = body[:1] == b"{" and not tokens
    if plain and not opaque.may_hold(text) and not values.may_find(text) and not _may_be_placed(text, values):
        return body
    try:
        value = parse_json(body)
    except ValueError:
        return values.data(body)
    if plain and not placed.is_placed(value, values):
        made = values.part(value, body)
        return body if made is value else _text(text, value, made).encode()
    # A list may be a stream in one array: Gemini without `alt=sse`.
    if isinstance(value, list):
        pieces = _joined(value, body, values).pieces
    else:
        pieces = logprobs.changes([value], values.spans) if tokens else {}
        pieces = {**pieces, **_placed(value, values)}
    made = values.value(value, pieces)
    return body if made is value else _text(text, value, made).encode()


def _may_be_placed(text: str, values: Values) -> bool:
    if not placed.may_hold(text):
        return False
    try:
        return placed.is_placed(orjson.loads(text), values)
    except ValueError:  # lone surrogates
        return True


def _text(source: str, value: Any, made: Any) -> str:
    try:
        return json_text.edit(source, value, made, numbers="logprobs" in source)
    except ValueError:  # written in a way that cannot be kept
        return json.dumps(made, ensure_ascii=source.isascii(), separators=(",", ":"))


def _edited(data: str, value: Any, tail: _Tail | None, pieces: Pieces, values: Values) -> str:
    """The data of one event, of the value `value` (`None` where it is no JSON)."""
    if value is None:
        return values.string(data)
    new = values.value(value, pieces)
    text, closers, rest = tail or (data, "", "")
    if new is not value:
        text = _text(text + closers, value, new).removesuffix(closers)
    return text + values.string(rest)


def _frames(body: bytes, values: Values) -> tuple[list[bytes], list[bytes]] | None:
    """The frames of a Bedrock stream, as they came and redacted; `None` where `body` is none."""
    parsed = frames.parse(body)
    if parsed is None:
        return None
    found, rest = parsed
    texts = [_utf8(frame.payload) for frame in found]
    payloads = [_parsed(text)[0] for text in texts]
    inner = [_inner(payload) for payload in payloads]
    datas = [_parsed(text)[0] for text in inner]
    told = [payload if data is None else data for payload, data in zip(payloads, datas, strict=True)]
    kinds = [frame.text(":event-type") or "" for frame in found]
    pieces = dict(_joined(told, "".join([*inner, *filter(None, texts)]).encode(), values, kinds).pieces)
    made = []
    for frame, text, payload, event, data in zip(found, texts, payloads, inner, datas, strict=True):
        if text is None or payload is None:
            made.append(frames.edited(frame, values.data(frame.payload), values.string).raw)
            continue
        if data is not None:
            new = _edited(event, data, None, pieces, values)
            held = payload["bytes"]
            pieces[id(payload), "bytes"] = held if new == event else b64encode(new.encode()).decode()
        edited = _edited(text, payload, None, pieces, values)
        made.append(frames.edited(frame, edited.encode(), values.string).raw)
    raws = [frame.raw for frame in found]
    return ([*raws, rest], [*made, values.data(rest)]) if rest else (raws, made)


def _inner(payload: Any) -> str:
    """The event that a frame of `invoke-with-response-stream` carries in base64; empty for other frames."""
    held = payload.get("bytes") if isinstance(payload, dict) else None
    if not isinstance(held, str):
        return ""
    try:
        return b64decode(held, validate=True).decode("utf-8")
    except ValueError:
        return ""


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


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


def _data(event: sse.Event) -> str | None:
    """The event's data, `None` where it has none or where its bytes are no UTF-8."""
    data = event.data
    if data is not None and "\ufffd" in data:
        try:
            event.raw.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return data


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
