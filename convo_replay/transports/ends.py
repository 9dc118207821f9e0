"""How an HTTP library says that an exchange broke, and the same words for replay.

One table for httpx and httpx2, whose exceptions have the same names; read in both directions.
"""

from __future__ import annotations

import socket
import ssl
from types import ModuleType

from convo_replay.exchange import End, EndKind

_ENDS: dict[str, tuple[EndKind, str]] = {
    "ConnectTimeout": ("timeout", "connect"),
    "ReadTimeout": ("timeout", "read"),
    "WriteTimeout": ("timeout", "write"),
    "PoolTimeout": ("timeout", "pool"),
    "ConnectError": ("refused", ""),
    "ReadError": ("reset", ""),
    "WriteError": ("reset", "write"),
    "CloseError": ("reset", "close"),
    "RemoteProtocolError": ("truncated", ""),
    "DecodingError": ("undecodable", ""),
    "ProxyError": ("refused", "proxy"),
}
_NEVER_SENT = frozenset({"UnsupportedProtocol", "LocalProtocolError", "InvalidURL", "CookieConflict", "StreamError"})


def end_of(error: BaseException) -> tuple[EndKind, str, str] | None:
    """Kind, phase and detail of the `End` that an exception stands for; `None` where nothing was sent.

    Anything that is no exception of the library (a cancellation, an exception of the application)
    is the client leaving.
    """
    names = [cls.__name__ for cls in type(error).__mro__]
    if any(name in _NEVER_SENT for name in names):
        return None
    for name in names:
        if name in _ENDS:
            kind, phase = _ENDS[name]
            if name == "ConnectError":
                return _of_connecting(error)
            return kind, phase, str(error)
    return "cancelled", "", ""


def _of_connecting(error: BaseException) -> tuple[EndKind, str, str]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            break
        if isinstance(seen, socket.gaierror):
            return "dns", "", str(error)
        if isinstance(seen, ssl.SSLError):
            return "tls", "", str(error) or str(seen)  # trio's client says nothing itself
        seen = seen.__cause__ or seen.__context__
    return "refused", "", str(error)


_NAMES: dict[tuple[EndKind, str], str] = {
    **{ends: name for name, ends in _ENDS.items()},
    ("dns", ""): "ConnectError",
    ("tls", ""): "ConnectError",
    ("timeout", ""): "ReadTimeout",
}


def error_of(end: End, module: ModuleType, core: ModuleType | None) -> Exception | None:
    """The library's exception for a recorded end, with its text; `None` for a complete one.

    `core` is the httpcore that belongs to `module`: its exception of the same name becomes the cause.
    """
    if end.kind in ("complete", "cancelled"):
        return None
    name = _NAMES.get((end.kind, end.phase)) or _NAMES[(end.kind, "")]
    made: Exception = getattr(module, name)(end.detail)
    cause = getattr(core, name, None) if core is not None else None
    if isinstance(cause, type) and issubclass(cause, Exception):
        made.__cause__ = cause(end.detail)
    return made
