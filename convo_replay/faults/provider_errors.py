"""What a provider says when it fails: bodies, headers, events of a stream, pages of what stands before it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from convo_replay.exchange import Exchange, Headers
from convo_replay.faults import pieces
from convo_replay.providers import Provider, find, wire

PAGE_TYPE = "text/html; charset=UTF-8"
PAGE_HEADERS: Headers = (("server", "cloudflare"), ("cf-ray", "8f2e1c0a9b7d4e63-FRA"))
_PHRASES = {
    # Those that HTTPStatus does not know, or not in each version of Python.
    413: "Content Too Large",
    422: "Unprocessable Content",
    520: "Web server is returning an unknown error",
    522: "Connection timed out",
    524: "A timeout occurred",
    529: "Overloaded",
}
_UNKNOWN = ({"error": {"type": "invalid_request_error"}}, {"error": {"type": "server_error"}})


def phrase(status: int) -> str:
    """`Bad Gateway`; of a status that has no name, what its class is called."""
    if status in _PHRASES:
        return _PHRASES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Server error" if status >= 500 else "Error"


def page(status: int) -> bytes:
    """The HTML page of a proxy in front of the API."""
    title = f"{status} {phrase(status)}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


def body(exchange: Exchange, status: int, kind: str = "") -> dict[str, Any]:
    """The JSON body of an error: the provider's, for a status that it does not know that of its class."""
    bodies = _bodies(find(exchange.request))
    known = wire.mapping(bodies.get(status))
    like = known or wire.mapping(bodies.get(500 if status >= 500 else 400)) or _UNKNOWN[status >= 500]
    said = _typed(like, kind, "" if known else phrase(status))
    if "request_id" in said:
        said["request_id"] = dict(headers(exchange, status)).get("request-id")
    return said


def headers(exchange: Exchange, status: int) -> Headers:
    """The headers of an error beside its content type: what the provider's `error_headers` says, where it has one."""
    given = getattr(find(exchange.request), "error_headers", None)
    try:
        found = wire.mapping(dict(given(status))) if callable(given) else {}
    except Exception:
        return ()
    return tuple((str(name).lower(), str(value)) for name, value in found.items())


def event(exchange: Exchange, kind: str = "") -> bytes:
    """An error in a stream, in the stream's own notation: `event: error` where events have names, else a chunk.

    Args:
        kind: the error's `type`; the provider's own for an overloaded server where it is empty.
    """
    bodies = _bodies(find(exchange.request))
    named = pieces.is_named(exchange)
    known = [wire.mapping(bodies[status]) for status in (529, 500, 503, *sorted(bodies)) if status in bodies]
    of_kind = [one for one in known if kind in ("", wire.mapping(one.get("error")).get("type"))]
    like = (of_kind or known or [{"type": "error", "error": {}} if named else {"error": {}}])[0]
    text = "" if of_kind else kind or "Overloaded"
    said = _typed({key: value for key, value in like.items() if key != "request_id"}, kind, text)
    return pieces.event("error" if named else None, wire.dump(said))


def _bodies(provider: Provider | None) -> Mapping[int, Mapping[str, Any]]:
    given = getattr(provider, "error_bodies", None)
    return given if isinstance(given, Mapping) else {}


def _typed(like: Mapping[str, Any], kind: str, text: str) -> dict[str, Any]:
    """The body with another type and text, where they are given."""
    new = {key: value for key, value in (("type", kind), ("message", text)) if value}
    error = like.get("error")
    if isinstance(error, Mapping) or new:
        return {**like, "error": {**(error if isinstance(error, Mapping) else {}), **new}}
    return dict(like)
