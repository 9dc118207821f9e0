"""Exchanges → the text of a cassette and its blobs. Pure: nothing is written here (design.md §4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..exchange import END_KINDS, Binary, Blob, Body, Chunk, End, Exchange, Head, Headers, Json, Part, Parts, Text
from ..sse import Event, split
from . import event_lines, history, response_bodies, yaml_writer
from .model import Cassette, Written, media_of, milliseconds, stored, text
from .response_bodies import is_event_stream
from .yaml_writer import Plain, Seconds, Tall

VERSION = 1
OPENING = f'convo_replay: {VERSION}  # whole if its last line is "..."'
"""The first line. A file that begins so and has no such end was cut off."""
CLOSING = "..."

_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z\Z")


def dump(cassette: Cassette, *, in_order: bool = False) -> Written:
    """The bytes of a cassette's file, and its blobs. What it holds is `stored(x)` of each exchange.

    Args:
        in_order: keep the order of keys in requests where it differs from that of the turn before. It means
            nothing, and costs a copy of the history each time.

    Raises:
        ValueError, TypeError: a value that is none of JSON's, or an end of no known kind.
    """
    blobs: dict[str, bytes] = {}
    prefixes = history.Prefixes()
    made: list[dict[str, Any]] = []
    for index, exchange in enumerate(cassette.exchanges):
        canonical = stored(exchange)
        made.append(_exchange(canonical, index, cassette.exchanges, prefixes, blobs, in_order))
    rest: dict[str, Any] = {}
    if cassette.clients:
        rest["clients"] = {text(name): text(version) for name, version in cassette.clients.items()}
    if not cassette.resendable:
        rest["resendable"] = False
    rest.update(cassette.extra)
    rest["exchanges"] = yaml_writer.Block(made)
    return Written(f"{OPENING}\n{yaml_writer.render(rest)}{CLOSING}\n".encode(), blobs)


def _exchange(
    exchange: Exchange,
    index: int,
    others: list[Exchange],
    prefixes: history.Prefixes,
    blobs: dict[str, bytes],
    in_order: bool,
) -> dict[str, Any]:
    extra = dict(exchange.extra or {})
    made: dict[str, Any] = Tall()
    if exchange.test:
        made["test"] = text(exchange.test)
    if exchange.recorded:
        recorded = text(exchange.recorded)
        made["recorded"] = Plain(recorded) if _TIMESTAMP.match(recorded) else recorded
    if exchange.outcome:
        made["outcome"] = text(exchange.outcome)
    if exchange.after:
        made["after"] = text(exchange.after)
    request_extra, response_extra = dict(extra.pop("request", {})), extra.pop("response", {})
    inside = {key: request_extra.pop(key) for key in ("blob", "parts") if key in request_extra}
    made.update(extra)
    request: dict[str, Any] = Tall({"method": text(exchange.request.method), "url": text(exchange.request.url)})
    if exchange.request.headers:
        request["headers"] = _headers(exchange.request.headers)
    request.update(request_extra)
    body = exchange.request.body
    if isinstance(body, Json) and prefixes.digests.holds(body.value):
        base, keep = -1, 0
        if isinstance(body.value, dict):
            base, keep = prefixes.place(index, exchange.test, body.value)
        before = others[base].request.json if keep else None
        if in_order and before is not None and not history.keeps_order(body.value, before):
            keep = 0
        request["json"] = history.write(body.value, before, index - base, keep, prefixes.digests)
    else:
        request.update(_with(inside, _request_body(body)))
        request.pop("format", None)  # of the JSON that is there no more
    made["request"] = request
    made["response"] = _response(exchange, response_extra, blobs)
    return made


def _headers(headers: Headers) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in headers:
        before = made.get(name)
        made[name] = value if before is None else [*before, value] if isinstance(before, list) else [before, value]
    return made


def _request_body(body: Body) -> dict[str, Any]:
    if body is None:
        return {}
    if isinstance(body, Json):
        return {"json_text": response_bodies.json_bytes(body.value, "compact+ascii").decode()}
    if isinstance(body, Parts):
        return {"parts": yaml_writer.Block([_part(part) for part in body.parts])}
    return _plain_body(body)


def _plain_body(body: Text | Binary | Blob) -> dict[str, Any]:
    if isinstance(body, Text):
        return {"text": text(body.text)}
    if isinstance(body, Binary):
        return {"base64": response_bodies.wrapped(body.data)}
    made: dict[str, Any] = {"sha256": body.sha256, "size": body.size}
    if body.type:
        made["type"] = text(body.type)
    if body.starts:
        made["starts"] = body.starts
    return {"blob": made}


def _part(part: Part) -> dict[str, Any]:
    made: dict[str, Any] = {"name": text(part.name)}
    if part.filename is not None:
        made["filename"] = text(part.filename)
    if part.type:
        made["type"] = text(part.type)
    return {**made, **_plain_body(part.body)}


def _response(exchange: Exchange, extra: Mapping[str, Any], blobs: dict[str, bytes]) -> dict[str, Any]:
    extra = dict(extra)
    end_extra = extra.pop("end", {})
    inside = {"blob": extra.pop("blob")} if "blob" in extra else {}
    made: dict[str, Any] = {}
    head, end = exchange.head, exchange.end
    if head is not None:
        made = Tall({"status": head.status})
        if head.reason:
            made["reason"] = head.reason
        if head.http:
            made["http"] = head.http
        if head.headers:
            made["headers"] = _headers(head.headers)
        if head.at:
            made["head"] = Seconds(head.at)
    if end.at:
        made["took"] = Seconds(end.at)
    if end.kind not in END_KINDS:
        raise ValueError(f"an end of kind {end.kind!r}; there are {' '.join(END_KINDS)}")
    if end != End("complete", end.at) or end_extra:
        made["end"] = _end(end) | end_extra
    made.update(extra)
    body = exchange.body
    if body and is_event_stream(body, media_of(exchange.steps)):
        made.update(_stream(exchange, head))
    else:
        keys, files = response_bodies.write(body, media_of(exchange.steps))
        made.update(_with(inside, keys))
        blobs.update(files)
    return made


def _with(extra: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The keys of a body, with what was unknown in its `blob` or in each of its `parts`."""
    if "blob" in extra and "blob" in body:
        body["blob"] = {**body["blob"], **extra["blob"]}
    parts = extra.get("parts", ())
    if parts and len(parts) == len(body.get("parts", ())):
        made = [
            {**{key: item for key, item in more.items() if key != "blob"}, **_with(more, part)}
            for part, more in zip(body["parts"], parts, strict=True)
        ]
        body["parts"] = yaml_writer.Block(made)
    return body


def _end(end: End) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": end.kind}
    if end.phase:
        made["phase"] = end.phase
    if end.detail:
        made["detail"] = end.detail
    return made


def _stream(exchange: Exchange, head: Head | None) -> dict[str, Any]:
    chunks = [step for step in exchange.steps if isinstance(step, Chunk)]
    events: list[Event] = split(exchange.body)
    framing = event_lines.framing_of(events)
    started = milliseconds(head.at) if head else 0
    lines = event_lines.write(events, [milliseconds(chunk.at) for chunk in chunks], started, framing)
    return {"framing": framing, "sse": lines} if framing else {"sse": lines}
