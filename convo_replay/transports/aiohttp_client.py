"""aiohttp: its connector hands out the connection that a request is to go over.

A recorded response comes from a connection that leads nowhere and is fed the bytes of a server, so
that aiohttp parses it, follows its redirects and raises its own errors. A live one comes over the
real connection, whose bytes are noted as they arrive.
"""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from convo_replay.call import Call
from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Exchange
from convo_replay.player import Play
from convo_replay.transports import guard
from convo_replay.transports.http1 import (
    ResponseReader,
    SocketPlayed,
    Written,
    end_of,
    error_of,
    is_of_connecting,
    without_head,
)
from convo_replay.transports.playing import async_sleep
from convo_replay.transports.routing import may_be_ours, routed
from convo_replay.transports.script import Answer

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.verdict.evidence import Attempt


async def connect(original: Callable[[], Awaitable[Any]], connector: Any, req: Any, timeout: Any = None) -> Any:
    """Stands in for `connector.connect(req, traces, timeout)`, which is `original()`."""
    __tracebackhide__ = True
    headers = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in req.headers.items()]
    body = _known(req)
    if body is None:
        if not may_be_ours(req.method, str(req.url), headers):
            return await original()  # a stream may wait for what the server answers
        body = await _read(req)
    found = routed(req.method, str(req.url), headers, body)
    if found is None:
        return await original()
    conversation, decision = found
    if isinstance(decision, Play):
        if decision.attempt is not None:
            return await _attempted(decision.exchange, decision.attempt, conversation, connector, req, timeout)
        return await _played(decision.exchange, conversation, connector, req)
    return await _noted(original, decision, req.method)


def _known(req: Any) -> bytes | None:
    """The body of a request, where it is there already."""
    body = req.body
    if not body:
        return b""
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    return bytes(body._value) if isinstance(body, payload.BytesPayload) else None


async def _read(req: Any) -> bytes:
    """The body of a request, which can still be sent afterwards."""
    collected = _Collected()
    await req.body.write(collected)
    data = bytes(collected.data)
    # `body` may be a property that would change the headers, which say already how this is sent.
    setattr(req, "_body" if "_body" in dir(type(req)) else "body", payload.BytesIOPayload(io.BytesIO(data)))
    return data


class _Collected(AbstractStreamWriter):
    """Takes what a payload writes."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.data += chunk

    async def write_eof(self, chunk: bytes = b"") -> None:
        self.data += chunk

    async def drain(self) -> None:
        pass

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        pass

    def enable_chunking(self) -> None:
        pass

    async def write_headers(self, status_line: str, headers: Any) -> None:
        pass


# --- recording ------------------------------------------------------------------------------------


async def _noted(original: Callable[[], Awaitable[Any]], call: Call, method: str) -> Any:
    noted = ResponseReader(call, method.encode())
    try:
        with guard.permitted():
            connection = await original()
    except BaseException as error:
        noted.end(*end_of(error, connecting=True))
        raise
    protocol = connection.protocol
    protocol.__class__ = _Noting
    protocol.noted = noted
    protocol.transport.set_protocol(protocol)  # uvloop keeps the methods it calls
    return connection


class _Noting(ResponseHandler):
    """A live connection while a response comes over it."""

    noted: ResponseReader

    def data_received(self, data: bytes) -> None:
        if data:
            self.noted.feed(data)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is None:
            self.noted.feed(b"")
        else:
            self._ended(exc)
        super().connection_lost(exc)

    def _on_read_timeout(self) -> None:
        self.noted.end("timeout", "read", "Timeout on reading data from socket")
        super()._on_read_timeout()

    def close(self) -> None:
        self.noted.end("cancelled")
        super().close()

    def abort(self) -> None:
        self.noted.end("cancelled")
        super().abort()

    def _ended(self, error: BaseException) -> None:
        self.noted.end(*end_of(error, connecting=False))


# --- playing --------------------------------------------------------------------------------------


async def _played(exchange: Exchange, conversation: Conversation, connector: Any, req: Any) -> Connection:
    played = SocketPlayed(exchange, conversation)
    if exchange.head is None and is_of_connecting(exchange.end):
        try:
            async for _ in played.async_chunks():
                pass
        except OSError as error:
            made = _of_connector(error, req)
            if made is error:
                raise
            raise made from error
    loop = asyncio.get_running_loop()
    protocol = _Playing(loop, exchange, played, req.method)
    return Connection(connector, req.connection_key, protocol, loop)


async def _attempted(
    exchange: Exchange, attempt: Attempt, conversation: Conversation, connector: Any, req: Any, timeout: Any
) -> Connection:
    """As `_played`, in a fault run."""
    script = Answer(exchange, req.method, conversation, attempt)
    if is_of_connecting(exchange.end):
        error = error_of(exchange.end)
        if isinstance(error, TimeoutError):
            limits = [limit for limit in (timeout.connect, timeout.sock_connect) if limit] if timeout else []
            await script.async_wait_in_vain(min(limits, default=None))
            error = await _timed_out()
        made = _of_connector(error, req)
        script.ended("raised", made)
        if made is error:
            raise error
        raise made from error
    loop = asyncio.get_running_loop()
    script.expects((timeout.sock_read or timeout.total) if timeout else None)
    protocol = _Attempted(loop, script)
    return Connection(connector, req.connection_key, protocol, loop)


async def _timed_out() -> TimeoutError:
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)
    except TimeoutError as error:
        return error
    return TimeoutError()


def _of_connector(error: OSError, req: Any) -> Exception:
    """What aiohttp's connector makes of an exception of the system."""
    if isinstance(error, TimeoutError):
        return error  # the session names it
    if isinstance(error, ssl.SSLCertVerificationError):
        return aiohttp.ClientConnectorCertificateError(req.connection_key, error)
    if isinstance(error, ssl.SSLError):
        return aiohttp.ClientConnectorSSLError(req.connection_key, error)
    if isinstance(error, socket.gaierror) and hasattr(aiohttp, "ClientConnectorDNSError"):
        return aiohttp.ClientConnectorDNSError(req.connection_key, error)
    return aiohttp.ClientConnectorError(req.connection_key, error)


class _Fed(ResponseHandler):
    """A connection that leads nowhere, on which a response arrives."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.transport = _Nowhere(self)
        self.force_close()  # no other request goes over it
        self._feeding: asyncio.Task[None] | None = None

    def set_response_params(self, **params: Any) -> None:
        super().set_response_params(**params)
        self._feeding = self._loop.create_task(self._feed_all())

    async def _feed_all(self) -> None:
        lost: OSError | None = None
        try:
            await self._feed()
        except TimeoutError:
            self._on_read_timeout()
        except OSError as error:
            lost = error
        except ConvoFailure as failure:
            self.set_exception(failure)
            if self._payload is not None:
                self._payload.set_exception(failure)
        if lost is not None:  # outside of the handler, or it would be the context of what follows
            self.connection_lost(lost)

    async def _feed(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        if self._feeding is not None and self._feeding is not asyncio.current_task(self._loop):
            self._feeding.cancel()


class _Playing(_Fed):
    """A recorded response."""

    def __init__(self, loop: asyncio.AbstractEventLoop, exchange: Exchange, played: SocketPlayed, method: str) -> None:
        super().__init__(loop)
        self._exchange = exchange
        self._played = played
        self._method = method

    async def _feed(self) -> None:
        exchange, played = self._exchange, self._played
        await async_sleep(played.until_head())
        written = Written(exchange, self._method) if exchange.head is not None else None
        self.data_received(written.head if written else without_head(exchange.end))
        async for data in played.async_chunks():
            # Once per turn of the loop, so that who reads gets one event at a time.
            await asyncio.sleep(0)
            if written is not None and (piece := written.chunk(data)):
                self.data_received(piece)
        if written is not None and written.last:
            self.data_received(written.last)
        if exchange.end.kind != "complete" or written is None:
            self.connection_lost(None)


class _Attempted(_Fed):
    """A response of a fault run."""

    def __init__(self, loop: asyncio.AbstractEventLoop, script: Answer) -> None:
        super().__init__(loop)
        self._script = script

    async def _feed(self) -> None:
        script = self._script
        while True:
            await asyncio.sleep(0)
            await self._wait()
            data = script.take(1 << 16)
            if not data:
                break
            payload = self._payload
            self.data_received(data)
            if self.transport is None or self.transport.is_closing():  # aiohttp could not read it
                self.connection_lost(None)
                if payload is not None and not payload.is_eof() and payload.exception() is None:
                    await script.async_silence(None)  # and did not tell who reads the body: until the total timeout
                return
        if script.end.kind != "complete":
            self.connection_lost(None)

    async def _wait(self) -> None:
        """Until the next piece, or until aiohttp's own timer has stopped us."""
        script = self._script
        if script.is_hurried and script.is_over(self._read_timeout):
            raise TimeoutError
        await script.async_wait(self._read_timeout)

    def _on_read_timeout(self) -> None:
        super()._on_read_timeout()
        self._script.ended("raised", self.exception())

    def stop(self) -> None:
        self._script.ended("left")
        super().stop()


class _Nowhere(asyncio.Transport):
    """Takes a request that is known already."""

    def __init__(self, protocol: _Fed) -> None:
        super().__init__()
        self._protocol = protocol
        self._closing = False

    def write(self, data: Any) -> None:
        pass

    def writelines(self, list_of_data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self._protocol.stop()

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0
