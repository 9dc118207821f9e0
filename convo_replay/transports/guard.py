"""No request slips out: a guard where HTTP libraries connect.

What we do not intercept (a user's own httpcore pool, `urllib.request`, an aiohttp session, a client
over a connection that was open before the cassette was) meets this guard. It sits on the libraries,
never on sockets: databases and brokers are none of its business. Each library is guarded twice: at
the *entrance*, where the target's URL is known, and at the *connection*, where bytes would leave.
The entrance alone would refuse what another tool answers below it (a mock, a vcrpy cassette); the
connection alone knows an address at best, or only that of a proxy, and is not passed on the second
request of a kept-alive connection. So the entrance notes the target, and whoever is about to touch
the network asks about what was noted, once per request. httpcore's pool and aiohttp's connector ask
at the entrance itself, as what they hand out may be a warm connection.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConvoFailure
from .patching import Patches

Decide = Callable[[str, str, int | None, str | None], ConvoFailure | None]
"""`(scheme, host, port, url)` of a request about to leave → what to raise, or `None` to let it pass.

`scheme` is `http` or `https` (`tcp` where the library did not say); `url` is `None` where only the
address is known, and otherwise as the application wrote it: its query may hold a key.
"""

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(slots=True)
class _Target:
    scheme: str
    host: str
    port: int | None
    url: str | None = None
    passed: bool = False
    """`decide` has let it pass: not asked again for the same request."""


_permitted: ContextVar[bool] = ContextVar("convo_replay_permitted", default=False)
_target: ContextVar[_Target | None] = ContextVar("convo_replay_target", default=None)


@contextmanager
def permitted() -> Generator[None]:
    """Requests made inside (this thread, task, and tasks it starts) pass the guard unasked: our own forwarding."""
    token = _permitted.set(True)
    try:
        yield
    finally:
        _permitted.reset(token)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its text alone: 127.0.0.0/8, ::1, `localhost`, names under `.localhost`."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_permitted() -> bool:
    """Whether what is sent here and now is our own forwarding."""
    return _permitted.get()


def install(patches: Patches, decide: Decide) -> Guard:
    """Guard every HTTP library that is imported, now or later, until `patches` is undone.

    Requests to loopback pass; for any other `decide` is asked, before a name is resolved or a
    socket opened, and what it returns is raised out of the application's call. Gives the guard for
    whoever stands where it cannot see.
    """
    guard = Guard(decide)
    for core in ("httpcore", "httpcore2"):
        patches.when_imported(f"{core}._sync.connection_pool", _put(patches, "ConnectionPool", guard.pool))
        patches.when_imported(f"{core}._async.connection_pool", _put(patches, "AsyncConnectionPool", guard.async_pool))
        for backend, owner in (("sync", "SyncBackend"), ("anyio", "AnyIOBackend"), ("trio", "TrioBackend")):
            wrap = guard.connect_tcp if backend == "sync" else guard.async_connect_tcp
            patches.when_imported(f"{core}._backends.{backend}", _put(patches, owner, wrap))
    connection = unpatched("HTTPConnection")
    patches.put(connection, "putrequest", guard.putrequest)
    patches.put(connection, "connect", guard.connect)

    def urllib3_connections(module: ModuleType) -> None:
        patches.put(module.HTTPConnection, "connect", guard.connect)
        patches.put(module.HTTPSConnection, "connect", guard.connect)

    patches.when_imported("urllib3.connection", urllib3_connections)
    patches.when_imported("urllib3.connectionpool", _put(patches, "HTTPConnectionPool", guard.urlopen))
    patches.when_imported("aiohttp.connector", _put(patches, "TCPConnector", guard.connector))
    return guard


_METHOD = {
    "ConnectionPool": "handle_request",
    "AsyncConnectionPool": "handle_async_request",
    "SyncBackend": "connect_tcp",
    "AnyIOBackend": "connect_tcp",
    "TrioBackend": "connect_tcp",
    "HTTPConnectionPool": "urlopen",
    "TCPConnector": "connect",
}


def _put(patches: Patches, owner: str, wrap: Callable[[Any], Any]) -> Callable[[ModuleType], None]:
    def when_imported(module: ModuleType) -> None:
        patches.put(getattr(module, owner), _METHOD[owner], wrap)

    return when_imported


def unpatched(name: str) -> Any:
    """A connection class of `http.client`. While a vcrpy cassette is in use that name is vcrpy's own class."""
    found = getattr(http.client, name)
    if found.__module__ == "http.client":
        return found
    return getattr(sys.modules.get("vcr.patch"), f"_{name}", found)


class Guard:
    """The replacements. Each takes the original and returns what stands in its place."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide

    def about_to_leave(self, connection: Any, url: str | None) -> None:
        """Ask about a request on a connection of `http.client`, whose `url` is known, or only its address."""
        __tracebackhide__ = True
        address = _of_http_client(connection, None)
        if is_loopback(address.host):
            address = _Target(address.scheme, connection.host, connection.port)  # what it goes through, if anything
        if url is None:
            self.ask(address)
            return
        with _noted(_of_url(url)):
            self.ask(address)

    def ask_about(self, url: str) -> None:
        """Ask about a request to `url`."""
        __tracebackhide__ = True
        with _noted(_of_url(url)) as target:
            self.ask(target)

    def ask(self, address: _Target) -> None:
        """Raise where the request noted, or else the connection to `address`, may not leave."""
        __tracebackhide__ = True
        if _permitted.get():
            return
        noted = _target.get()
        if noted is not None and noted.passed:
            return
        asked = address if noted is None or is_loopback(noted.host) else noted
        if is_loopback(asked.host):
            return
        failure = self._decide(asked.scheme, asked.host, asked.port, asked.url)
        if failure is not None:
            raise failure
        if noted is not None:
            noted.passed = True

    # httpcore, httpcore2

    def pool(self, original: Any) -> Any:
        own = _is_of_httpcore(original)

        def handle_request(pool: Any, request: Any) -> Any:
            __tracebackhide__ = True
            with _noted(_of_httpcore_request(request)) as target:
                if own and _reaches_network(pool):
                    self.ask(target)
                return original(pool, request)

        return handle_request

    def async_pool(self, original: Any) -> Any:
        own = _is_of_httpcore(original)

        async def handle_async_request(pool: Any, request: Any) -> Any:
            __tracebackhide__ = True
            with _noted(_of_httpcore_request(request)) as target:
                if own and _reaches_network(pool):
                    self.ask(target)
                return await original(pool, request)

        return handle_async_request

    def connect_tcp(self, original: Any) -> Any:
        def connect_tcp(backend: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self.ask(_Target("tcp", host, port))
            return original(backend, host, port, *args, **kwargs)

        return connect_tcp

    def async_connect_tcp(self, original: Any) -> Any:
        async def connect_tcp(backend: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self.ask(_Target("tcp", host, port))
            return await original(backend, host, port, *args, **kwargs)

        return connect_tcp

    # http.client, urllib3 (whose connections are http.client's)

    def putrequest(self, original: Any) -> Any:
        def putrequest(connection: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if not _is_unix(connection):
                self.ask(_of_http_client(connection, url))
            return original(connection, method, url, *args, **kwargs)

        return putrequest

    def connect(self, original: Any) -> Any:
        def connect(connection: Any) -> Any:
            __tracebackhide__ = True
            address = _of_http_client(connection, None)
            if is_loopback(address.host):
                address = _Target(address.scheme, connection.host, connection.port)  # what it goes through, if anything
            noted = _target.get()
            # Noted, as the `connect` of a subclass calls that of its base.
            with _noted(noted or address):
                # Not idle: `putrequest` has been passed, and knew the URL.
                if noted is not None or getattr(connection, "_HTTPConnection__state", "Idle") == "Idle":
                    self.ask(address)
                return original(connection)

        return connect

    def urlopen(self, original: Any) -> Any:
        def urlopen(pool: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            full = url if "://" in url else f"{pool.scheme}://{_host_and_port(pool.scheme, pool.host, pool.port)}{url}"
            with _noted(_of_url(full)):
                return original(pool, method, url, *args, **kwargs)

        return urlopen

    # aiohttp

    def connector(self, original: Any) -> Any:
        async def connect(connector: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with _noted(_of_url(str(req.url))) as target:
                self.ask(_of_url(str(req.proxy)) if req.proxy is not None else target)
                return await original(connector, req, *args, **kwargs)

        return connect


@contextmanager
def _noted(target: _Target) -> Generator[_Target]:
    token = _target.set(target)
    try:
        yield target
    finally:
        _target.reset(token)


def _of_url(url: str) -> _Target:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return _Target(parts.scheme, parts.hostname or "", port or _PORTS.get(parts.scheme), url)


def _of_httpcore_request(request: Any) -> _Target:
    url = request.url
    scheme, host = url.scheme.decode("ascii"), url.host.decode("ascii", "replace")
    text = f"{scheme}://{_host_and_port(scheme, host, url.port)}{url.target.decode('ascii', 'replace')}"
    return _Target(scheme, host, url.port or _PORTS.get(scheme), text)


def url_of(connection: Any, target: str) -> str:
    """The URL of a request on a connection of `http.client`, from its request target."""
    return _of_http_client(connection, target).url or target


def _of_http_client(connection: Any, url: str | None) -> _Target:
    if url is not None and "://" in url.partition("?")[0]:
        return _of_url(url)  # through a forwarding proxy
    tunnelled = getattr(connection, "_tunnel_host", None)
    host = tunnelled or connection.host
    port = (getattr(connection, "_tunnel_port", None) if tunnelled else connection.port) or connection.default_port
    scheme = "https" if connection.default_port == _PORTS["https"] else "http"
    full = None if url is None else f"{scheme}://{_host_and_port(scheme, host, port)}{url}"
    return _Target(scheme, host, port, full)


def _host_and_port(scheme: str, host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return name if port is None or port == _PORTS.get(scheme) else f"{name}:{port}"


def _is_of_httpcore(function: Any) -> bool:
    # Somebody's mock answers instead: only what it lets through to a connection is ours to judge.
    return str(getattr(function, "__module__", "")).partition(".")[0] in ("httpcore", "httpcore2")


def _reaches_network(pool: Any) -> bool:
    """Whether a pool uses the library's own backends; a scripted one of the user's has no network behind it."""
    if getattr(pool, "_uds", None) is not None:
        return False
    connect_tcp = getattr(type(getattr(pool, "_network_backend", None)), "connect_tcp", None)
    return _is_of_httpcore(connect_tcp) and not connect_tcp.__module__.endswith(".mock")


def _is_unix(connection: Any) -> bool:
    family = getattr(getattr(connection, "sock", None), "family", None)
    return family is not None and family == getattr(socket, "AF_UNIX", None)
