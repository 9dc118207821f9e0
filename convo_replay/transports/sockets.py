"""Sockets that do what a `Script` says, below the streams of httpcore's backends."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable
from typing import Any

from convo_replay.transports.http1 import error_of
from convo_replay.transports.script import Script

ADDRESS = "127.0.0.1"
"""What every name resolves to."""


class Socket:
    """What the library's sync stream reads from and writes to."""

    family = socket.AF_INET

    def __init__(self, script: Script) -> None:
        self._script = script
        self._timeout: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def setsockopt(self, *_: Any) -> None:
        pass

    def send(self, data: Any) -> int:
        if self._script.is_deaf:
            self._script.silence(self._timeout)
        return len(data)

    def recv(self, size: int) -> bytes:
        self._script.wait(self._timeout)
        return self._script.take(size)

    def fileno(self) -> int:
        return -1

    def getsockname(self) -> tuple[str, int]:
        return ADDRESS, 0

    getpeername = getsockname

    def close(self) -> None:
        pass


class _Transport(asyncio.Transport):
    """What anyio's stream on asyncio writes to."""

    def __init__(self, script: Script) -> None:
        super().__init__({"socket": Socket(script)})
        self._closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    abort = close


@functools.cache
def asyncio_stream() -> Callable[[Script, float | None], Any]:
    """anyio's own stream over a transport that does what a script says."""
    from anyio._backends._asyncio import SocketStream, StreamProtocol

    class Stream(SocketStream):
        script: Script
        timeout: float | None

        async def receive(self, max_bytes: int = 65536) -> bytes:
            protocol = self._protocol
            if not protocol.read_queue and not protocol.exception and not protocol.is_at_eof:
                await self.script.async_wait(self.timeout)
                try:
                    data = self.script.take(max_bytes)
                except OSError as error:
                    protocol.connection_lost(error)
                else:
                    if data:
                        protocol.data_received(data)
                    else:
                        protocol.eof_received()
            return await super().receive(max_bytes)

        async def send(self, item: bytes) -> None:
            if self.script.is_deaf:
                await self.script.async_silence(self.timeout)
            await super().send(item)

    def stream(script: Script, timeout: float | None) -> Any:
        transport, protocol = _Transport(script), StreamProtocol()
        protocol.connection_made(transport)
        made = Stream(transport, protocol)
        made.script, made.timeout = script, timeout
        return made

    return stream


@functools.cache
def trio_socket() -> Callable[[Script, float | None], Any]:
    """A socket for trio's own stream."""
    import trio

    class TrioSocket(trio.socket.SocketType):
        type = trio.socket.SOCK_STREAM
        did_shutdown_SHUT_WR = False
        family = trio.socket.AF_INET
        proto = 0

        def __init__(self, script: Script, timeout: float | None) -> None:
            super().__init__()
            self._script = script
            self._timeout = timeout

        def setsockopt(self, *_: Any) -> None:
            pass

        def fileno(self) -> int:
            return -1

        def is_readable(self) -> bool:
            return True

        def getsockname(self) -> tuple[str, int]:
            return ADDRESS, 0

        getpeername = getsockname

        def close(self) -> None:
            pass

        async def connect(self, address: Any) -> None:
            await trio.lowlevel.checkpoint()
            if self._script.is_unreachable:
                await self._script.async_silence(self._timeout)
            error = error_of(self._script.end)
            raise OSError(error.errno, f"Error connecting to {address!r}: {error.strerror}")

        async def send(self, data: Any, *_: Any) -> int:
            await trio.lowlevel.checkpoint()
            if self._script.is_deaf:
                await self._script.async_silence(self._timeout)
            return len(data)

        async def recv(self, size: int, *_: Any) -> bytes:
            await self._script.async_wait(self._timeout)
            await trio.lowlevel.checkpoint()
            return self._script.take(size)

    return TrioSocket


class Refusing:
    """A TLS context, and what it makes of a connection, with which no handshake succeeds."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def wrap_socket(self, *_: Any, **__: Any) -> Any:
        raise self._error

    def wrap_bio(self, *_: Any, **__: Any) -> Any:
        return self

    def do_handshake(self) -> None:
        raise self._error

    async def wrap(self, *_: Any, **__: Any) -> Any:
        raise self._error
