"""httpx and httpx2, sync and async, from one body of code.

We stand on `Client._transport_for_url` and its async twin: the original is called, and what it
returns is wrapped, per hop, so that redirects and retries are recorded as sent. That covers clients
built before and after the cassette opened, mounts, proxies, HTTP/2, subclasses and the SDKs' own
clients. The name is private: where it is missing, the class methods of the default transports are
replaced instead.

While recording, each chunk goes to the caller as it arrives and is noted on the way; nothing is read
ahead. The four skins (sync and async, record and play) only translate: every decision is made by
`Conversation.decide`, every outcome goes through `Call`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from convo_replay import errors
from convo_replay.bodies import Upload
from convo_replay.conversation import Call, Conversation, current
from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Chunk, Exchange, Head, Request, Steps
from convo_replay.player import Play
from convo_replay.sse import Decoder
from convo_replay.transports import guard, tokens
from convo_replay.transports.ends import end_of, error_of
from convo_replay.transports.patching import Patches

LIBRARIES = (("httpx2", "httpcore2"), ("httpx", "httpcore"))
IN_PROCESS = frozenset({"MockTransport", "ASGITransport", "WSGITransport", "_TestClientTransport"})
"""Transports that reach no network; left alone unless `intercept` names their host."""

LINGER = 1.0
"""Seconds that a stream which the client left is held open beyond the recorded time, in async replay."""


def install(patches: Patches) -> None:
    """Wraps the transports of each distinct module among httpx and httpx2, also when it is imported later."""
    for name, _ in LIBRARIES:
        patches.when_imported(name, lambda module: _install_in(module, patches))


def _install_in(module: ModuleType, patches: Patches) -> None:
    library = _Library(module)
    if module.__name__ != library.name:
        return  # an alias of the other one, which is patched under its own name
    if hasattr(module.Client, "_transport_for_url") and hasattr(module.AsyncClient, "_transport_for_url"):
        patches.put(module.Client, "_transport_for_url", lambda original: _choosing(original, library, Transport))
        patches.put(
            module.AsyncClient, "_transport_for_url", lambda original: _choosing(original, library, AsyncTransport)
        )
        return
    patches.put(module.HTTPTransport, "handle_request", lambda original: _handling(original, library))
    patches.put(module.AsyncHTTPTransport, "handle_async_request", lambda original: _handling_async(original, library))


def _choosing(original: Any, library: _Library, wrapper: type[Transport] | type[AsyncTransport]) -> Any:
    def transport_for_url(client: Any, url: Any) -> Any:
        inner = original(client, url)
        return inner if isinstance(inner, (Transport, AsyncTransport)) else wrapper(inner, library)

    return transport_for_url


def _handling(original: Any, library: _Library) -> Any:
    def handle_request(transport: Any, request: Any) -> Any:
        return Transport(transport, library, send=lambda sent: original(transport, sent)).handle_request(request)

    return handle_request


def _handling_async(original: Any, library: _Library) -> Any:
    async def handle_async_request(transport: Any, request: Any) -> Any:
        wrapped = AsyncTransport(transport, library, send=lambda sent: original(transport, sent))
        return await wrapped.handle_async_request(request)

    return handle_async_request


def outside(scheme: str, host: str, port: int | None, url: str | None) -> ConvoFailure | None:
    """What the guard asks about a connection to the network that did not come through here."""
    conversation = current()
    return None if conversation is None else conversation.outside(scheme, host, port, url)


class _Library:
    """One of the two modules, with what replay needs of it."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.name = module.Client.__module__.partition(".")[0]
        self.sync_stream = _stream_class(module.SyncByteStream, _PlayedStream)
        self.async_stream = _stream_class(module.AsyncByteStream, _AsyncPlayedStream)
        self.sync_tee = _stream_class(module.SyncByteStream, _Tee)
        self.async_tee = _stream_class(module.AsyncByteStream, _AsyncTee)
        self.sync_upload = _stream_class(module.SyncByteStream, _UploadTee)
        self.async_upload = _stream_class(module.AsyncByteStream, _AsyncUploadTee)

    @property
    def core(self) -> ModuleType | None:
        return sys.modules.get(dict(LIBRARIES)[self.name])

    def request(self, request: Any, conversation: Conversation) -> tuple[Request, bool]:
        """Ours of theirs, and whether its body is known already."""
        headers = tuple((name.lower(), value) for name, value in request.headers.multi_items())
        content = getattr(request, "_content", None)
        if content is None and isinstance(request.stream, self.module.ByteStream):
            content = request.read()
        ours = Request(request.method, str(request.url), headers)
        if content is None:
            return ours, False
        return _with_body(ours, content, conversation), True

    def answer(self, exchange: Exchange, stream: Any) -> Any:
        """The response that a recorded exchange gives."""
        head = exchange.head
        assert head is not None
        extensions: dict[str, Any] = {"http_version": (head.http or "HTTP/1.1").encode("ascii", "replace")}
        if head.reason:
            extensions["reason_phrase"] = head.reason.encode("ascii", "replace")
        headers = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in head.headers]
        return self.module.Response(head.status, headers=headers, stream=stream, extensions=extensions)

    def decode(self, head: Head, chunks: Sequence[Chunk]) -> tuple[list[Chunk], str | None]:
        """The chunks without their content-encoding, by the library's own decoders.

        Where that fails, what could be decoded, and the library's words.
        """
        encoding = [(name, value) for name, value in head.headers if name == "content-encoding"]
        if not encoding or encoding[0][1].strip().lower() in ("", "identity"):
            return list(chunks), None
        fed: list[Chunk] = []

        def raw() -> Iterator[bytes]:
            for chunk in chunks:
                fed.append(chunk)
                yield chunk.data

        out: list[Chunk] = []
        response = self.module.Response(200, headers=encoding, stream=self.sync_stream(raw()))
        try:
            for data in response.iter_bytes():
                if data:
                    out.append(Chunk(fed[-1].at if fed else head.at, data))
        except self.module.DecodingError as error:
            return out, str(error)
        return out, None


def _stream_class(base: Any, mixin: type[Any]) -> Any:
    return type(mixin.__name__, (mixin, base), {})


def _with_body(request: Request, content: bytes, conversation: Conversation) -> Request:
    body = conversation.read_body(content, request.header("content-type") or "") if content else None
    return Request(request.method, request.url, request.headers, body)


def _is_in_process(transport: Any) -> bool:
    return any(cls.__name__ in IN_PROCESS for cls in type(transport).__mro__)


def _delivered(steps: Steps) -> Iterator[Chunk]:
    """The chunks as replay gives them: one event at a time where the body is an event stream."""
    head = steps[0] if steps else None
    is_stream = isinstance(head, Head) and any(
        name == "content-type" and value.lower().startswith("text/event-stream") for name, value in head.headers
    )
    if not is_stream:
        yield from (step for step in steps if isinstance(step, Chunk))
        return
    decoder = Decoder()
    at = 0.0
    for step in steps:
        if isinstance(step, Chunk):
            at = step.at
            for event in decoder.feed(step.data):
                yield Chunk(at, event.raw)
    for event in decoder.finish():
        yield Chunk(at, event.raw)


class _Pace:
    """The waits that `timing` asks for, in seconds, from the recorded times."""

    def __init__(self, timing: str | float) -> None:
        self._factor = {"none": 0.0, "recorded": 1.0}.get(timing, 0.0) if isinstance(timing, str) else timing
        self._at = 0.0

    def until(self, at: float) -> float:
        wait, self._at = max(0.0, at - self._at), at
        return wait * self._factor


def _left_open() -> str:
    return (
        "the client read on where it had left when this was recorded (a break, a close or a cancellation), so nothing "
        "more is known of this stream. Record it again with the client as it is now."
    )


# --- deciding ------------------------------------------------------------------------------------


class _Wrapped:
    """What both skins share: which of the ways a request goes."""

    def __init__(self, inner: Any, library: _Library, send: Any = None) -> None:
        self.inner = inner
        self.library = library
        self._send = send

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _route(self, request: Any) -> tuple[Any, tuple[Conversation, Request, bool] | None]:
        """A synthetic answer, or the conversation that the request belongs to, or neither: it is not ours."""
        conversation = current()
        if conversation is None:
            return None, None
        in_process = _is_in_process(self.inner)
        if not in_process and tokens.is_token_endpoint(request.method, str(request.url)):
            if conversation.record != "none":
                return None, None
            status, headers, body = tokens.synthetic(str(request.url))
            return self.library.module.Response(status, headers=headers, content=body), None
        ours, has_body = self.library.request(request, conversation)
        if not conversation.claims(ours, named_only=in_process):
            return None, None
        return None, (conversation, ours, has_body)


@contextlib.contextmanager
def _ours_to_explain() -> Iterator[None]:
    """A bug of ours, or of a user's callable, must not arrive as the SDK's "Connection error."."""
    try:
        yield
    except Exception as error:
        raise errors.failure(ConvoFailure, f"convo_replay could not handle a request: {error!r}") from error


class Transport(_Wrapped):
    """A sync transport of httpx or httpx2 while a cassette is open."""

    def handle_request(self, request: Any) -> Any:
        """The recorded answer, or the live one, noted as it goes by."""
        send = self._send or self.inner.handle_request
        with _ours_to_explain():
            token, found = self._route(request)
        if token is not None:
            return token
        if found is None:
            return send(request)
        conversation, ours, has_body = found
        if not has_body and conversation.needs_body():
            ours, has_body = _with_body(ours, request.read(), conversation), True
        with _ours_to_explain():
            decision = conversation.decide(ours)
        if isinstance(decision, Play):
            return self._play(decision.exchange, _Pace(conversation.config.timing))
        return self._record(decision, request, send, has_body)

    def _play(self, exchange: Exchange, pace: _Pace) -> Any:
        end = exchange.end
        if exchange.head is None:
            _sleep(pace.until(end.at))
            raise error_of(end, self.library.module, self.library.core) or errors.failure(ConvoFailure, _left_open())
        _sleep(pace.until(exchange.head.at))
        return self.library.answer(exchange, self.library.sync_stream(_play(exchange, pace, self.library)))

    def _record(self, call: Call, request: Any, send: Any, has_body: bool) -> Any:
        if not has_body:
            upload = Upload(call.request.header("content-type") or "")
            request.stream = self.library.sync_upload(request.stream, call, upload)
        try:
            with guard.permitted():
                response = send(request)
        except BaseException as error:
            _ended(call, error)
            raise
        _note_head(call, response, self.library)
        response.stream = self.library.sync_tee(response.stream, call)
        return response

    def close(self) -> None:
        """Closes the transport that is wrapped."""
        self.inner.close()


class AsyncTransport(_Wrapped):
    """An async transport of httpx or httpx2 while a cassette is open."""

    async def handle_async_request(self, request: Any) -> Any:
        """The recorded answer, or the live one, noted as it goes by."""
        send = self._send or self.inner.handle_async_request
        with _ours_to_explain():
            token, found = self._route(request)
        if token is not None:
            return token
        if found is None:
            return await send(request)
        conversation, ours, has_body = found
        if not has_body and conversation.needs_body():
            ours, has_body = _with_body(ours, await request.aread(), conversation), True
        with _ours_to_explain():
            decision = conversation.decide(ours)
        if isinstance(decision, Play):
            return await self._play(decision.exchange, _Pace(conversation.config.timing))
        return await self._record(decision, request, send, has_body)

    async def _play(self, exchange: Exchange, pace: _Pace) -> Any:
        end = exchange.end
        if exchange.head is None:
            await _async_sleep(pace.until(end.at) or (end.at + LINGER if end.kind == "cancelled" else 0.0))
            raise error_of(end, self.library.module, self.library.core) or errors.failure(ConvoFailure, _left_open())
        await _async_sleep(pace.until(exchange.head.at))
        return self.library.answer(exchange, self.library.async_stream(_play_async(exchange, pace, self.library)))

    async def _record(self, call: Call, request: Any, send: Any, has_body: bool) -> Any:
        if not has_body:
            upload = Upload(call.request.header("content-type") or "")
            request.stream = self.library.async_upload(request.stream, call, upload)
        try:
            with guard.permitted():
                response = await send(request)
        except BaseException as error:
            _ended(call, error)
            raise
        _note_head(call, response, self.library)
        response.stream = self.library.async_tee(response.stream, call)
        return response

    async def aclose(self) -> None:
        """Closes the transport that is wrapped."""
        await self.inner.aclose()


def _note_head(call: Call, response: Any, library: _Library) -> None:
    reason = response.reason_phrase
    standard = library.module.codes.get_reason_phrase(response.status_code)
    version = response.http_version
    call.decode = library.decode
    call.head(
        response.status_code,
        [(name.lower(), value) for name, value in response.headers.multi_items()],
        reason if reason != standard else "",
        version if version != "HTTP/1.1" else "",
    )


def _ended(call: Call, error: BaseException) -> None:
    end = end_of(error)
    if end is None:
        call.drop()
    else:
        call.end(*end)


# --- playing -------------------------------------------------------------------------------------


def _sleep(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


async def _async_sleep(seconds: float) -> None:
    if seconds > 0:
        import anyio

        await anyio.sleep(seconds)


def _play(exchange: Exchange, pace: _Pace, library: _Library) -> Iterator[bytes]:
    pace.until(exchange.head.at if exchange.head else 0.0)
    for chunk in _delivered(exchange.steps):
        _sleep(pace.until(chunk.at))
        yield chunk.data
    end = exchange.end
    _sleep(pace.until(end.at))
    if end.kind == "cancelled":
        raise errors.failure(ConvoFailure, _left_open())
    error = error_of(end, library.module, library.core)
    if error is not None:
        raise error


async def _play_async(exchange: Exchange, pace: _Pace, library: _Library) -> AsyncIterator[bytes]:
    pace.until(exchange.head.at if exchange.head else 0.0)
    for chunk in _delivered(exchange.steps):
        await _async_sleep(pace.until(chunk.at))
        yield chunk.data
    end = exchange.end
    await _async_sleep(pace.until(end.at))
    if end.kind == "cancelled":
        # Whoever left will leave again: what was silence then is silence now, until it does.
        await _async_sleep(end.at + LINGER)
        raise errors.failure(ConvoFailure, _left_open())
    error = error_of(end, library.module, library.core)
    if error is not None:
        raise error


class _PlayedStream:
    """A response stream over an iterator of bytes; single use, like the library's own."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Ends the stream where it stands."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class _AsyncPlayedStream:
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()


# --- recording -----------------------------------------------------------------------------------


class _Tee:
    """Hands each chunk on as it arrives and notes it; ends with whatever comes first."""

    def __init__(self, stream: Iterable[bytes], call: Call) -> None:
        self._stream = stream
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        call = self._call
        try:
            for data in self._stream:
                if data:
                    call.chunk(data)
                yield data
        except BaseException as error:
            _ended(call, error)
            raise
        call.end()

    def close(self) -> None:
        """The client is done with the response."""
        try:
            close = getattr(self._stream, "close", None)
            if close is not None:
                close()
        finally:
            self._call.end("cancelled")

    def __del__(self) -> None:
        self._call.end("cancelled")


class _AsyncTee:
    def __init__(self, stream: AsyncIterable[bytes], call: Call) -> None:
        self._stream = stream
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        call = self._call
        try:
            async for data in self._stream:
                if data:
                    call.chunk(data)
                yield data
        except BaseException as error:
            _ended(call, error)
            raise
        call.end()

    async def aclose(self) -> None:
        try:
            close = getattr(self._stream, "aclose", None)
            if close is not None:
                await close()
        finally:
            self._call.end("cancelled")

    def __del__(self) -> None:
        self._call.end("cancelled")


class _UploadTee:
    """Hashes an upload while it streams; nothing is read ahead."""

    def __init__(self, stream: Iterable[bytes], call: Call, upload: Upload) -> None:
        self._stream = stream
        self._call = call
        self._upload = upload

    def __iter__(self) -> Iterator[bytes]:
        for data in self._stream:
            self._upload.feed(data)
            yield data
        self._call.body(self._upload.finish())

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class _AsyncUploadTee:
    def __init__(self, stream: AsyncIterable[bytes], call: Call, upload: Upload) -> None:
        self._stream = stream
        self._call = call
        self._upload = upload

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            self._upload.feed(data)
            yield data
        self._call.body(self._upload.finish())

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()
