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
from convo_replay.transports import guard
from convo_replay.transports.http1 import ResponseReader, SocketPlayed, Written, end_of, is_of_connecting
from convo_replay.transports.playing import async_sleep
from convo_replay.transports.routing import may_be_ours, routed

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation


async def connect(original: Callable[[], Awaitable[Any]], connector: Any, req: Any) -> Any:
    """Stands in for `connector.connect(req, …)`, which is `original()`."""
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
    if isinstance(decision, Exchange):
        return await _played(decision, conversation, connector, req)
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
            raise _of_connector(error, req) from error
    loop = asyncio.get_running_loop()
    protocol = _Playing(loop, exchange, played, req.method)
    return Connection(connector, req.connection_key, protocol, loop)


def _of_connector(error: OSError, req: Any) -> Exception:
    """What aiohttp's connector makes of an exception of the system."""
    if isinstance(error, TimeoutError):
        return error  # the session names it
    if isinstance(error, ssl.SSLError):
        return aiohttp.ClientConnectorSSLError(req.connection_key, error)
    if isinstance(error, socket.gaierror) and hasattr(aiohttp, "ClientConnectorDNSError"):
        return aiohttp.ClientConnectorDNSError(req.connection_key, error)
    return aiohttp.ClientConnectorError(req.connection_key, error)


class _Playing(ResponseHandler):
    """A connection that leads nowhere, on which a recorded response arrives."""

    def __init__(self, loop: asyncio.AbstractEventLoop, exchange: Exchange, played: SocketPlayed, method: str) -> None:
        super().__init__(loop)
        self.transport = _Nowhere(self)
        self.force_close()  # no other request goes over it
        self._exchange = exchange
        self._played = played
        self._method = method
        self._feeding: asyncio.Task[None] | None = None

    def set_response_params(self, **params: Any) -> None:
        super().set_response_params(**params)
        self._feeding = self._loop.create_task(self._feed())

    async def _feed(self) -> None:
        exchange, played = self._exchange, self._played
        try:
            await async_sleep(played.until_head())
            written = Written(exchange, self._method) if exchange.head is not None else None
            if written is not None:
                self.data_received(written.head)
            async for data in played.async_chunks():
                # Once per turn of the loop, so that who reads gets one event at a time.
                await asyncio.sleep(0)
                if written is not None and (piece := written.chunk(data)):
                    self.data_received(piece)
            if written is not None and exchange.end.kind == "complete":
                if written.last:
                    self.data_received(written.last)
            else:
                self.connection_lost(None)
        except TimeoutError:
            self._on_read_timeout()
        except OSError as error:
            self.connection_lost(error)
        except ConvoFailure as failure:
            self.set_exception(failure)
            if self._payload is not None:
                self._payload.set_exception(failure)

    def stop(self) -> None:
        if self._feeding is not None and self._feeding is not asyncio.current_task(self._loop):
            self._feeding.cancel()


class _Nowhere(asyncio.Transport):
    """Takes a request that is known already."""

    def __init__(self, protocol: _Playing) -> None:
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
