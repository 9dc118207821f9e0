"""Broken exchanges, played to httpx and httpx2 through a connection that exists in memory alone.

What the client sees of an exchange that broke is made by the library itself: its own transport, pool, h11 and
streams, over a socket that does what a `Script` says. So class, text and cause chain of its exceptions are its own,
also after an upgrade. The sockets stand where the library's backends get theirs from (`socket.create_connection`,
`anyio.connect_tcp`, `trio.open_tcp_stream`): each backend is called with a stand-in for that one module, so that
nothing is replaced for anyone else.

Private names are used; where a version does not have them, `broken` gives nothing, and `ends.error_of` makes the
exceptions.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import socket
from collections.abc import AsyncIterator, Iterator
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from convo_replay.exchange import Chunk, End, Exchange, Head, Request
from convo_replay.transports.http1 import error_of
from convo_replay.transports.playing import Played, async_sleep, sleep
from convo_replay.transports.script import Script, playable
from convo_replay.transports.sockets import ADDRESS, Refusing, Socket, asyncio_stream, trio_socket

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.transports.httpx import Library
    from convo_replay.verdict.evidence import Attempt


class _Unused:
    """The TLS context of a connection on which no TLS is spoken."""

    def set_alpn_protocols(self, protocols: Any) -> None:
        pass


# --- the library's backends over them --------------------------------------------------------------


class _Instead:
    """A module, with some names of it replaced."""

    def __init__(self, original: Any, **names: Any) -> None:
        self.__dict__.update(names)
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _with(function: Any, **names: Any) -> Any:
    """The same function, for which some global names mean something else."""
    plain = inspect.unwrap(function)
    made = FunctionType(
        plain.__code__, {**plain.__globals__, **names}, plain.__name__, plain.__defaults__, plain.__closure__
    )
    made.__kwdefaults__ = plain.__kwdefaults__
    return made


def _take_tls_for_done(stream: Any, *, is_async: bool) -> None:
    stream.__class__ = _without_tls(stream.__class__, is_async)


@functools.cache
def _without_tls(stream: Any, is_async: bool) -> type[Any]:
    """A stream class of the library that takes TLS for done."""

    def start_tls(self: Any, *_: Any, **__: Any) -> Any:
        return self

    async def async_start_tls(self: Any, *_: Any, **__: Any) -> Any:
        return self

    return type(stream.__name__, (stream,), {"start_tls": async_start_tls if is_async else start_tls})


class Backend:
    """The library's backend for sync clients, over a script."""

    def __init__(self, core: ModuleType, script: Script) -> None:
        self._core = core
        self._script = script

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> Any:
        script = self._script

        def create_connection(_: Any, timeout: float | None = None, **__: Any) -> Socket:
            if script.end.kind in ("refused", "dns"):
                raise error_of(script.end)
            if script.is_unreachable:
                script.silence(timeout)
            return Socket(script)

        backend = _submodule(self._core, "_backends.sync").SyncBackend
        stand_in = _Instead(socket, create_connection=create_connection)
        stream = _with(backend.connect_tcp, socket=stand_in)(self, host, port, timeout, None, ())
        if script.end.kind == "tls":
            stream.start_tls(Refusing(error_of(script.end)), server_hostname=host, timeout=timeout)
        _take_tls_for_done(stream, is_async=False)
        return stream


class AsyncBackend:
    """The library's backends for async clients, over a script."""

    def __init__(self, core: ModuleType, script: Script, timeouts: dict[str, float | None]) -> None:
        self._core = core
        self._script = script
        self._timeouts = timeouts

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> Any:
        library = _submodule(self._core, "_synchronization").current_async_library()
        stream = await (self._trio if library == "trio" else self._asyncio)(host, port, timeout)
        end = self._script.end
        if end.kind == "tls":
            refusing: Any = Refusing(error_of(end))
            start = type(stream).start_tls
            if library != "trio":
                anyio = importlib.import_module("anyio")
                # anyio would ask a context that is not the standard library's in a thread of its own.
                streams = _Instead(anyio.streams, tls=_Instead(anyio.streams.tls, TLSStream=refusing))
                start = _with(start, anyio=_Instead(anyio, streams=streams))
            await start(stream, refusing, host, timeout)
        _take_tls_for_done(stream, is_async=True)
        if self._script.is_hurried:
            module = importlib.import_module("trio" if library == "trio" else "anyio")
            name = "write" if self._script.is_deaf else "read"
            hurried = _Instead(module, fail_after=self._deadline(module))
            method = _with(getattr(stream, name).__func__, **{module.__name__: hurried})
            setattr(stream, name, MethodType(method, stream))
        return stream

    @property
    def _timeout(self) -> float | None:
        end = self._script.end
        return self._timeouts.get(end.phase if end.kind == "timeout" and end.phase else "read")

    def _deadline(self, module: Any) -> Any:
        """`fail_after`, where no clock is to run: over at once, or as it is."""
        return lambda seconds: module.fail_after(0 if self._script.is_over(self._timeout) else seconds)

    def _connecting_with(self, module: Any, **names: Any) -> Any:
        if self._script.is_unreachable and self._script.is_hurried:
            names["fail_after"] = self._deadline(module)
        return _Instead(module, **names)

    async def _asyncio(self, host: str, port: int, timeout: float | None) -> Any:
        import anyio

        script = self._script

        async def connect(remote_host: str, remote_port: int, **_: Any) -> Any:
            if script.end.kind == "dns":
                await anyio.lowlevel.checkpoint()
                raise error_of(script.end)
            if script.end.kind == "refused" or script.is_unreachable:
                backend = _Instead(None, connect_tcp=self._refused_by_asyncio)
                connect_tcp = _with(anyio.connect_tcp, get_async_backend=lambda: backend, getaddrinfo=_addresses)
                return await connect_tcp(remote_host, remote_port)
            return asyncio_stream()(script, self._timeout)

        stand_in = self._connecting_with(anyio, connect_tcp=connect)
        backend = _submodule(self._core, "_backends.anyio").AnyIOBackend
        return await _with(backend.connect_tcp, anyio=stand_in)(self, host, port, timeout, None, ())

    async def _refused_by_asyncio(self, host: str, port: int, *_: Any) -> Any:
        import anyio

        await anyio.lowlevel.checkpoint()
        if self._script.is_unreachable:
            await self._script.async_silence(self._timeout)
        raise OSError(error_of(self._script.end).errno, f"Connect call failed {(host, port)}")

    async def _trio(self, host: str, port: int, timeout: float | None) -> Any:
        import trio

        script = self._script

        async def connect(host: str, port: int, **_: Any) -> Any:
            if script.end.kind == "dns":
                await trio.lowlevel.checkpoint()
                raise error_of(script.end)
            made = trio_socket()(script, self._timeout)
            if script.end.kind == "refused" or script.is_unreachable:
                names = {"getaddrinfo": _addresses, "socket": lambda *_: made}
                return await _with(trio.open_tcp_stream, **names)(host, port)
            await trio.lowlevel.checkpoint()
            return trio.SocketStream(made)

        stand_in = self._connecting_with(trio, open_tcp_stream=connect)
        backend = _submodule(self._core, "_backends.trio").TrioBackend
        return await _with(backend.connect_tcp, trio=stand_in)(self, host, port, timeout, None, ())


async def _addresses(_: str, port: int, **__: Any) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ADDRESS, port))]


def _submodule(core: ModuleType, name: str) -> Any:
    return importlib.import_module(f"{core.__name__}.{name}")


# --- playing --------------------------------------------------------------------------------------


def broken(
    exchange: Exchange, library: Library, conversation: Conversation, request: Any, attempt: Attempt | None
) -> Broken | None:
    """What plays an exchange through the library's own transport; `None` where that cannot be done."""
    found = playable(exchange)
    if found is None or not is_usable(library):
        return None
    return Broken(found, library, conversation, request, attempt)


class Broken(Played):
    """One exchange being played through the library's own transport.

    Args:
        request: the library's, whose timeouts count.
        attempt: of a fault run. Where no fault hit it, it is played as it was recorded.
    """

    def __init__(
        self, exchange: Exchange, library: Library, conversation: Conversation, request: Any, attempt: Attempt | None
    ) -> None:
        super().__init__(exchange, library.module, None, conversation, is_timed=attempt is None)
        self._library = library
        self._request = request
        self._is_fault = attempt is not None and bool(attempt.faults)
        self._script = Script(exchange, request.method, conversation, attempt)
        self._timeouts: dict[str, float | None] = dict(request.extensions.get("timeout") or {})
        end = exchange.end
        self._waits_for = (end.phase or "read") if end.kind == "timeout" else ""
        self._delivered = 0

    def respond(self) -> Any:
        """The response, or what the library raises in its place."""
        sleep(self.until_head() if self._exchange.head else self._until(self._exchange.end.at))
        if self._is_fault and self._waits_for == "pool":
            self._script.wait_in_vain(self._timeouts.get("pool"))
        core = self._library.httpcore
        pool = self._pool(core.ConnectionPool, Backend(core, self._script))
        transport = self._module.HTTPTransport.__new__(self._module.HTTPTransport)
        transport._pool = pool
        response = inspect.unwrap(type(transport).handle_request)(transport, self._sent())
        response.stream = self._library.sync_stream(self._body(response.stream, pool))
        return self._as_recorded(response)

    async def async_respond(self) -> Any:
        """As `respond`."""
        await async_sleep(self.until_head() if self._exchange.head else self._until(self._exchange.end.at))
        if self._is_fault and self._waits_for == "pool":
            await self._script.async_wait_in_vain(self._timeouts.get("pool"))
        core = self._library.httpcore
        pool = self._pool(core.AsyncConnectionPool, AsyncBackend(core, self._script, self._timeouts))
        transport = self._module.AsyncHTTPTransport.__new__(self._module.AsyncHTTPTransport)
        transport._pool = pool
        response = await inspect.unwrap(type(transport).handle_async_request)(transport, self._sent())
        response.stream = self._library.async_stream(self._async_body(response.stream, pool))
        return self._as_recorded(response)

    def _pool(self, kind: Any, backend: Backend | AsyncBackend) -> Any:
        most = 0 if self._waits_for == "pool" else 1
        return kind(ssl_context=_Unused(), network_backend=backend, max_connections=most)

    def _sent(self) -> Any:
        """The request; where the wait for a connection is over, with a timeout that says so."""
        if self._waits_for != "pool":
            return self._request
        given = self._request
        extensions = {**given.extensions, "timeout": {**self._timeouts, "pool": 0.0}}
        return self._module.Request(
            given.method, given.url, headers=given.headers, stream=given.stream, extensions=extensions
        )

    def _as_recorded(self, response: Any) -> Any:
        head = self._exchange.head
        if head is not None and head.http:
            response.extensions["http_version"] = head.http.encode("ascii", "replace")
        return response

    def _body(self, stream: Any, pool: Any) -> Iterator[bytes]:
        source = iter(stream)
        try:
            while True:
                sleep(self._until(self._next_at()))
                data = next(source, None)
                if data is None:
                    return
                self._delivered += len(data)
                yield data
        finally:
            source.close()
            stream.close()
            pool.close()
            self._noted()

    async def _async_body(self, stream: Any, pool: Any) -> AsyncIterator[bytes]:
        source = aiter(stream)
        try:
            while True:
                await async_sleep(self._until(self._next_at()))
                data = await anext(source, None)
                if data is None:
                    return
                self._delivered += len(data)
                yield data
        except GeneratorExit:
            self._script.hang_up()
            with contextlib.suppress(Exception):
                async for _ in source:  # to its end: else httpcore 1 leaves generators for the collector
                    pass
            raise
        finally:
            await stream.aclose()
            await pool.aclose()
            self._noted()

    def _next_at(self) -> float:
        """When the next chunk was recorded, or the end."""
        if not self._factor:
            return 0.0
        size = 0
        for chunk in self._chunks:
            size += len(chunk.data)
            if size > self._delivered:
                return chunk.at
        return self._exchange.end.at

    def _noted(self) -> None:
        if self._delivered == len(self._exchange.body):
            self._left = 0
        self._read()


_nobody: Any = SimpleNamespace(config=SimpleNamespace(timing="none"), read=lambda _: None)


@functools.cache
def is_usable(library: Library) -> bool:
    """Whether this version of the library is built as we know it: tried once, with an answer that is reset."""
    reset = Exchange(Request("GET", "http://convo-replay.invalid/"), (Head(200), Chunk(0.0, b"-"), End("reset")))
    module, core = library.module, library.httpcore
    try:
        asked = module.Request("GET", reset.request.url)
        list(Broken(reset, library, _nobody, asked, None).respond().stream)
    except module.ReadError as error:
        cause = error.__cause__
        return (
            isinstance(cause, core.ReadError)
            and isinstance(cause.__cause__ or cause.__context__, ConnectionResetError)
            and _uses(module.AsyncHTTPTransport.handle_async_request, "_pool")
            and _uses(_submodule(core, "_backends.anyio").AnyIOBackend.connect_tcp, "connect_tcp")
        )
    except Exception:
        return False
    return False


def _uses(function: Any, name: str) -> bool:
    return name in inspect.unwrap(function).__code__.co_names
