"""No trust store is read in replay, and none is skipped afterwards.

Every client of httpx and httpx2 builds a TLS context when it is made: 20 ms for the trust store
alone, most of what a replayed test costs. While a cassette replays, `create_ssl_context` returns a
context that builds the real one on first touch, ALPN apart: httpcore sets that outside of what
closes the socket when a trust store cannot be read. It may be touched: a client can outlive the
cassette, or forward to a host that `passthrough` names, and then speaks TLS as it would have without
us, against the trust store that the environment named when the client was made. Each client gets a
context of its own, as httpcore2 sets ALPN on it before every connection.

It fails closed. The object is a client context without a single authority in it: what bypasses the
delegation (C code that takes the struct) trusts nobody.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from convo_replay.transports.patching import Patches

_lock = threading.RLock()


class _LazyContext(ssl.SSLContext):
    """A client context whose trust store is read when somebody wants anything from it."""

    def __new__(cls, build: Callable[[], ssl.SSLContext]) -> _LazyContext:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        own = object.__getattribute__(self, "__dict__")
        own["build"] = build
        return self

    def __init__(self, build: Callable[[], ssl.SSLContext]) -> None:
        """Nothing is set here: setting an attribute asks for the real context."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        own = object.__getattribute__(self, "__dict__")
        with _lock:
            if "real" in own:
                own["real"].set_alpn_protocols(alpn_protocols)
            else:
                own["alpn"] = list(alpn_protocols)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name == "set_alpn_protocols":
            return super().__getattribute__(name)
        return getattr(_real(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_real(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_real(self), name)


def _real(context: _LazyContext) -> ssl.SSLContext:
    own = object.__getattribute__(context, "__dict__")
    with _lock:
        if "real" not in own:
            built = own["build"]()
            if "alpn" in own:
                built.set_alpn_protocols(own["alpn"])
            own["real"] = built
    real: ssl.SSLContext = own["real"]
    return real


def install(patches: Patches) -> None:
    """Make the TLS contexts of httpx and httpx2 lazy, imported now or later, until `patches` is undone."""
    met: list[ModuleType] = []

    def make_lazy(module: ModuleType) -> None:
        if not any(module is other for other in met):  # `alias_httpx()` makes the two names one module
            met.append(module)
            patches.put(module, "create_ssl_context", _lazily)

    for name in ("httpx", "httpx2"):
        patches.when_imported(f"{name}._transports.default", make_lazy)


def _lazily(original: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    def create_ssl_context(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        plain = not args and kwargs.keys() <= {"verify", "cert", "trust_env"}
        if not plain or kwargs.get("verify", True) is not True or kwargs.get("cert") is not None:
            return original(*args, **kwargs)
        named = _named_authorities() if kwargs.get("trust_env", True) else None

        def build() -> ssl.SSLContext:
            if named is None or named == _named_authorities():
                return original(**kwargs)
            # The environment has changed since; httpx 0.28 and httpx2 2.16 (`_config.py`, `_ssl.py`) read it so.
            file, directory = named
            if file or directory:
                return ssl.create_default_context(cafile=file or None, capath=None if file else directory)
            return original(**{**kwargs, "trust_env": False})

        return _LazyContext(build)

    return create_ssl_context


def _named_authorities() -> tuple[str, str]:
    return os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
