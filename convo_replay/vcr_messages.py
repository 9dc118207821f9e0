"""Requests and responses as vcrpy hands them to a user's callables, and back.

A request is a `vcr.request.Request`, a response the dict that vcrpy's stubs build:
`{"status": {"code", "message"}, "headers": {name: [value, …]}, "body": {"string": bytes}}`. They are made from
our values, so some details of what travelled are gone: a body has no content-encoding, header names are lower
case (and looked up in any case), JSON of which only the value is known is rendered compactly, as httpx sends
it, and of an upload over 1 MB only the hash is known: its body is empty here.

Source: vcrpy 9.4, `request.py`, `stubs/httpx_stubs.py`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import vcr.request
from vcr.util import CaseInsensitiveDict

from convo_replay.bodies import body_of
from convo_replay.cassette.vcrpy_writing import request_bytes
from convo_replay.exchange import Chunk, Exchange, Head, Headers, Json, Request


class VcrRequest(vcr.request.Request):  # type: ignore[misc]
    """One of vcrpy's requests, made from one of ours. The body is rendered when somebody looks at it.

    Args:
        ours: the request.
        seen: what is made of each of its texts; nothing by default.
    """

    def __init__(self, ours: Request, seen: Callable[[str], str] | None = None) -> None:
        headers = _joined(ours.headers)
        if seen is not None:
            headers = {name: seen(value) for name, value in headers.items()}
        super().__init__(ours.method, ours.url if seen is None else seen(ours.url), None, headers)
        self.ours = ours
        self._seen = seen
        del self._body

    def __repr__(self) -> str:
        # vcrpy shows the URL, with all that is in it.
        url = urlsplit(self.uri)
        return f"<Request ({self.method}) {url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}>"

    __str__ = __repr__

    @cached_property
    def _body(self) -> Any:
        body = self.ours.body
        if isinstance(body, Json) and body.raw is not None and self._seen is None:
            made = body.raw
        else:
            made = request_bytes(body, self.ours.header("content-type") or "") or b""
        if self._seen is not None:
            made = self._seen(made.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        self.rendered = made
        return made

    @property
    def has_new_body(self) -> bool:
        """Whether somebody gave it another body."""
        held = vars(self)
        return "_body" in held and held["_body"] is not held.get("rendered")

    def __deepcopy__(self, memo: dict[int, Any]) -> VcrRequest:
        # vcrpy copies before it filters; what we made it from is shared and read-only.
        made = copy.copy(self)
        made.headers = self.headers.copy()
        return made


def _joined(headers: Headers) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, value in headers:
        if name == "host":  # requests, aiohttp and urllib3 add it where vcrpy does not see it
            continue
        made[name] = f"{made[name]}, {value}" if name in made else value
    return made


def request_of(changed: Any, like: Request) -> Request:
    """Our request after callables had it as one of vcrpy's; `like` itself where they changed nothing.

    Raises:
        TypeError: it is no request of vcrpy's, or its body is nothing that could be sent.
    """
    if not isinstance(changed, vcr.request.Request):
        raise TypeError(f"returned {type(changed).__name__}, expected vcr.request.Request or None")
    headers = {str(name).lower(): _text(value) for name, value in changed.headers.items()}
    kept = like.headers if headers == _joined(like.headers) else tuple(headers.items())
    body = like.body
    if not (isinstance(changed, VcrRequest) and changed.ours is like and not changed.has_new_body):
        body = body_of(_sent(changed.body), headers.get("content-type", ""))
    if kept is like.headers and body is like.body and (changed.method, changed.uri) == (like.method, like.url):
        return like
    return Request(changed.method, changed.uri, kept, body)


def _sent(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    if isinstance(body, (dict, list)):
        return json.dumps(body).encode()
    if hasattr(body, "read"):
        return _sent(body.read())
    raise TypeError(f"made a request body of type {type(body).__name__}, expected bytes, str or None")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def vcr_response(head: Head, body: bytes) -> dict[str, Any]:
    """A response as vcrpy gives it to callables; each time a new one, which they may change."""
    headers = CaseInsensitiveDict()
    for name, value in head.headers:
        headers.setdefault(name, []).append(value)
    message = head.reason or (HTTPStatus(head.status).phrase if head.status in _STATUSES else "")
    return {"status": {"code": head.status, "message": message}, "headers": headers, "body": {"string": body}}


_STATUSES = frozenset(HTTPStatus)


def with_response(exchange: Exchange, changed: Any) -> Exchange:
    """The exchange after callables had its response as one of vcrpy's; a new body comes as one chunk.

    Raises:
        TypeError: it is no response of vcrpy's.
    """
    head = exchange.head
    assert head is not None
    try:
        status, headers, body = changed["status"], changed["headers"], (changed.get("body") or {}).get("string")
        code, message = int(status["code"]), _text(status.get("message") or "")
        pairs = tuple([pair for name, value in headers.items() for pair in _pairs(name, value)])
        data = _sent(body.encode() if isinstance(body, str) else body)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise TypeError("returned no response; expected a dict with status, headers and body, or None") from None
    before = vcr_response(head, exchange.body)
    made = head
    if sorted(pairs) != sorted(head.headers):
        made = replace(made, headers=pairs)
    if (code, message) != (before["status"]["code"], before["status"]["message"]):
        standard = HTTPStatus(code).phrase if code in _STATUSES else ""
        made = replace(made, status=code, reason="" if message == standard else message)
    steps = tuple([made if step is head else step for step in exchange.steps])
    if data != exchange.body:
        sized = [(name, str(len(data)) if name == "content-length" else value) for name, value in made.headers]
        chunk = (Chunk(exchange.end.at, data),) if data else ()
        steps = (replace(made, headers=tuple(sized)), *chunk, exchange.end)
    return exchange if steps == exchange.steps else replace(exchange, steps=steps)


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    several = value if isinstance(value, (list, tuple)) else [value]
    return [(str(name).lower(), _text(one)) for one in several]
