"""Reading what came off the wire without trusting its shape.

A gateway may answer HTML with status 200, `choices: null`, a number where a string belongs, or
half a document. Nothing here raises; what does not fit is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from convo_replay.exchange import Blob, Exchange, Request

_SSE_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")  # no JSON document begins so
FRAMES = "application/vnd.amazon.eventstream"
"""The media type of Bedrock's streams: binary frames, which are kept and not read (protocol.md §7)."""
_SHOWN_ERROR = 500  # characters of an error body that is no JSON


def parse(text: str | bytes | None) -> Any:
    """The JSON value, or `None` where the text is no JSON document."""
    if not text:
        return None
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:
        return json.loads(text)  # lone surrogates, NaN, integers beyond 64 bits
    except (ValueError, RecursionError):
        return None


Event = tuple[str | None, str, Any]
"""The name of an event, its data, and the JSON value of that, `None` where it is no JSON document."""


def events(received: Iterable[tuple[str | None, str | None]]) -> list[Event]:
    """What a client is handed of a stream (`sse.received`), parsed. Events without data are left out."""
    found: list[Event] = []
    loads, add = orjson.loads, found.append
    for name, data in received:
        if data is not None:
            try:
                add((name, data, loads(data)))
            except ValueError:
                add((name, data, parse(data)))
    return found


def dump(value: Any) -> str:
    """Compact JSON of a parsed value."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # lone surrogates, integers beyond 64 bits, other types
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def address(request: Request) -> tuple[str, str]:
    """Host and path of the URL in lower case; the path without its last slash."""
    try:
        parts = urlsplit(request.url)
        return parts.hostname or "", parts.path.rstrip("/").lower()
    except ValueError:
        return "", SplitResult("", "", request.url, "", "").path.lower()


def has_history(request: Request, key: str) -> bool:
    """Whether the JSON body has a list under `key`."""
    return isinstance(mapping(request.json).get(key), list)


def sends_history(request: Request, key: str) -> bool:
    """The same, also of a body so large that it is kept by its hash, while it is at hand."""
    body = request.body
    value = body.value if isinstance(body, Blob) else request.json
    return isinstance(mapping(value).get(key), list)


def is_events(exchange: Exchange, body: bytes) -> bool:
    """Whether the body is an event stream, also where the content type does not say so."""
    return exchange.is_stream or body[:64].lstrip().startswith(_SSE_STARTS)


def error_in(value: Any, exchange: Exchange, body: bytes) -> dict[str, Any] | None:
    """The error object of a JSON answer; for an error status there always is one."""
    if isinstance(value, list) and value:
        value = value[0]
    answer = mapping(value)
    error = answer.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str) and error:
        return {"message": error}
    if (exchange.status or 0) < 400:
        return None
    if "detail" in answer:
        detail = answer["detail"]
        return {"message": detail if isinstance(detail, str) else dump(detail)}
    return answer or {"message": body[: 4 * _SHOWN_ERROR].decode("utf-8", "replace")[:_SHOWN_ERROR]}
