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
import functools
import importlib
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from convo_replay import errors
from convo_replay.bodies import Upload
from convo_replay.call import Call
from convo_replay.conversation import Conversation
from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Chunk, Exchange, Head, Request
from convo_replay.nesting import current
from convo_replay.player import Play
from convo_replay.shown import quoted
from convo_replay.transports import guard, tokens
from convo_replay.transports.patching import Patches
from convo_replay.transports.playing import AsyncPlayedStream, Delivery, Played, PlayedStream, async_sleep, sleep
from convo_replay.transports.recording import AsyncTee, AsyncUploadTee, Tee, UploadTee, ended

if TYPE_CHECKING:
    from convo_replay.transports.scripted import Broken
    from convo_replay.verdict.evidence import Attempt

LIBRARIES = (("httpx2", "httpcore2"), ("httpx", "httpcore"))
IN_PROCESS = frozenset({"MockTransport", "ASGITransport", "WSGITransport", "_TestClientTransport"})
"""Transports that reach no network; left alone unless `intercept` names their host."""


def install(patches: Patches) -> None:
    """Wraps the transports of each distinct module among httpx and httpx2, also when it is imported later."""
    for name, _ in LIBRARIES:
        patches.when_imported(name, lambda module: _install_in(module, patches))


def _install_in(module: ModuleType, patches: Patches) -> None:
    library = library_of(module)
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


def _choosing(original: Any, library: Library, wrapper: type[Transport] | type[AsyncTransport]) -> Any:
    def transport_for_url(client: Any, url: Any) -> Any:
        inner = original(client, url)
        return inner if isinstance(inner, (Transport, AsyncTransport)) else wrapper(inner, library)

    return transport_for_url


def _handling(original: Any, library: Library) -> Any:
    def handle_request(transport: Any, request: Any) -> Any:
        return Transport(transport, library, send=lambda sent: original(transport, sent)).handle_request(request)

    return handle_request


def _handling_async(original: Any, library: Library) -> Any:
    async def handle_async_request(transport: Any, request: Any) -> Any:
        wrapped = AsyncTransport(transport, library, send=lambda sent: original(transport, sent))
        return await wrapped.handle_async_request(request)

    return handle_async_request


def outside(scheme: str, host: str, port: int | None, url: str | None) -> ConvoFailure | None:
    """What the guard asks about a connection to the network that did not come through here."""
    conversation = current()
    return None if conversation is None else conversation.outside(scheme, host, port, url)


@functools.cache
def library_of(module: ModuleType) -> Library:
    """What replay needs of httpx or httpx2, made once."""
    return Library(module)


class Library:
    """One of the two modules, with what replay needs of it."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.name = module.Client.__module__.partition(".")[0]
        self.sync_stream = _stream_class(module.SyncByteStream, PlayedStream)
        self.async_stream = _stream_class(module.AsyncByteStream, AsyncPlayedStream)
        self.sync_tee = _stream_class(module.SyncByteStream, Tee)
        self.async_tee = _stream_class(module.AsyncByteStream, AsyncTee)
        self.sync_upload = _stream_class(module.SyncByteStream, UploadTee)
        self.async_upload = _stream_class(module.AsyncByteStream, AsyncUploadTee)

    @property
    def core(self) -> ModuleType | None:
        return sys.modules.get(dict(LIBRARIES)[self.name])

    @property
    def httpcore(self) -> ModuleType:
        """As `core`, imported where nobody has done so."""
        return self.core or importlib.import_module(dict(LIBRARIES)[self.name])

    def request(self, request: Any, conversation: Conversation) -> tuple[Request, bool]:
        """Ours of theirs, and whether its body is known already."""
        headers = tuple([_HEADERS.get(pair) or _header(*pair) for pair in request.headers.raw])
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


_HEADERS: dict[tuple[bytes, bytes], tuple[str, str]] = {}
"""Header fields as they came and as text: a client sends the same ones with every request."""


def _header(name: bytes, value: bytes) -> tuple[str, str]:
    if len(_HEADERS) > 1000:
        _HEADERS.clear()
    made = _HEADERS[name, value] = (header_text(name).lower(), header_text(value))
    return made


def header_text(raw: bytes) -> str:
    """A header's bytes as text: ASCII and UTF-8 as what they are, anything else as latin-1."""
    for encoding in ("ascii", "utf-8"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def of_body(request: Request) -> tuple[str, str]:
    """What a request says of its body: the content-type, the content-encoding."""
    return request.header("content-type") or "", request.header("content-encoding") or ""


def _with_body(request: Request, content: bytes, conversation: Conversation) -> Request:
    body = conversation.read_body(content, *of_body(request)) if content else None
    return Request(request.method, request.url, request.headers, body)


def _is_in_process(transport: Any) -> bool:
    kind = type(transport)
    return any(cls.__name__ in IN_PROCESS for cls in kind.__mro__) or _is_mocked(kind)


def _is_mocked(kind: type[Any]) -> bool:
    """Whether somebody, pytest-httpx for one, answers in place of one of the library's own transports."""
    if kind.__module__.partition(".")[0] not in dict(LIBRARIES):
        return False
    send = getattr(kind, "handle_request", None) or getattr(kind, "handle_async_request", None)
    return str(getattr(send, "__module__", "")).partition(".")[0] not in dict(LIBRARIES)


# --- deciding ------------------------------------------------------------------------------------


class _Wrapped:
    """What both skins share: which of the ways a request goes."""

    def __init__(self, inner: Any, library: Library, send: Any = None) -> None:
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
            conversation.refreshed()
            status, headers, body = tokens.synthetic(str(request.url))
            return self.library.module.Response(status, headers=headers, content=body), None
        ours, has_body = self.library.request(request, conversation)
        if not conversation.claims(ours, named_only=in_process):
            return None, None
        return None, (conversation, ours, has_body)

    def _broken(
        self, exchange: Exchange, conversation: Conversation, request: Any, attempt: Attempt | None
    ) -> Broken | None:
        from convo_replay.transports import scripted

        return scripted.broken(exchange, self.library, conversation, request, attempt)

    @staticmethod
    def _delivery(exchange: Exchange, attempt: Attempt, conversation: Conversation, request: Any) -> Delivery:
        timeouts = request.extensions.get("timeout") or {}
        attempt.read_timeout = timeouts.get("read")
        attempt.has_timeout = attempt.read_timeout is not None
        return Delivery(exchange, attempt, conversation)


def _is_broken(exchange: Exchange, attempt: Attempt | None) -> bool:
    """Whether an answer needs the library's own transport: it ends in an exception, or a fault makes it wait."""
    if exchange.end.kind != "complete":
        return True
    return attempt is not None and bool(attempt.faults) and any(step.at > 0 for step in exchange.steps)


def _marked(response: Any, attempt: Attempt) -> Any:
    """The response, which says whether it was broken on purpose."""
    if attempt.faults:
        response.extensions["convo_replay_fault"] = attempt
    return response


@contextlib.contextmanager
def ours_to_explain() -> Iterator[None]:
    """A bug of ours, or of a user's callable, must not arrive as the SDK's "Connection error."."""
    try:
        yield
    except ConvoFailure:  # one that vcrpy's users know is an `Exception`, too
        raise
    except Exception as error:
        conversation = current()
        text = f"convo_replay could not handle a request: {_quoted(error, conversation)}"
        made = conversation.fail(ConvoFailure, text) if conversation else errors.failure(ConvoFailure, text)
        raise made from error


def _quoted(error: Exception, conversation: Conversation | None) -> str:
    try:
        return quoted(repr(error)) if conversation is None else conversation._safe(repr(error))
    except Exception:  # it comes from what says what is secret
        return type(error).__name__


class Transport(_Wrapped):
    """A sync transport of httpx or httpx2 while a cassette is open."""

    def handle_request(self, request: Any) -> Any:
        """The recorded answer, or the live one, noted as it goes by."""
        send = self._send or self.inner.handle_request
        with ours_to_explain():
            token, found = self._route(request)
        if token is not None:
            return token
        if found is None:
            return send(request)
        conversation, ours, has_body = found
        if not has_body and conversation.needs_body():
            ours, has_body = _with_body(ours, request.read(), conversation), True
        with ours_to_explain():
            decision = conversation.decide(ours)
        if isinstance(decision, Play):
            return self._play(decision, conversation, request)
        return self._record(decision, request, send, has_body)

    def _play(self, decision: Play, conversation: Conversation, request: Any) -> Any:
        exchange, attempt = decision.exchange, decision.attempt
        if attempt is None and (exchange.head is None or exchange.end.kind != "complete"):
            return self._answer(exchange, conversation, request, None)
        if attempt is None:
            played = Played(exchange, self.library.module, self.library.core, conversation)
            if wait := played.until_head():
                sleep(wait)
            return self.library.answer(exchange, self.library.sync_stream(played.chunks()))
        delivery = self._delivery(exchange, attempt, conversation, request)
        try:
            response = self._answer(exchange, conversation, request, attempt)
        except BaseException as error:
            delivery.stopped(error)
            raise
        response.stream = self.library.sync_stream(delivery.chunks(iter(response.stream)), delivery.left)
        return _marked(response, attempt)

    def _answer(self, exchange: Exchange, conversation: Conversation, request: Any, attempt: Attempt | None) -> Any:
        if _is_broken(exchange, attempt):
            broken = self._broken(exchange, conversation, request, attempt)
            if broken is not None:
                return broken.respond()
        played = Played(exchange, self.library.module, self.library.core, conversation, is_timed=attempt is None)
        if exchange.head is None:
            for _ in played.chunks():
                pass
        sleep(played.until_head())
        return self.library.answer(exchange, self.library.sync_stream(played.chunks()))

    def _record(self, call: Call, request: Any, send: Any, has_body: bool) -> Any:
        if not has_body:
            upload = Upload(call.request.header("content-type") or "")
            request.stream = self.library.sync_upload(request.stream, call, upload)
        try:
            with guard.permitted():
                response = send(request)
        except BaseException as error:
            ended(call, error)
            raise
        if not _was_whole(call, response, self.library):
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
        with ours_to_explain():
            token, found = self._route(request)
        if token is not None:
            return token
        if found is None:
            return await send(request)
        conversation, ours, has_body = found
        if not has_body and conversation.needs_body():
            ours, has_body = _with_body(ours, await request.aread(), conversation), True
        with ours_to_explain():
            decision = conversation.decide(ours)
        if isinstance(decision, Play):
            return await self._play(decision, conversation, request)
        return await self._record(decision, request, send, has_body)

    async def _play(self, decision: Play, conversation: Conversation, request: Any) -> Any:
        exchange, attempt = decision.exchange, decision.attempt
        if attempt is None and (exchange.head is None or exchange.end.kind != "complete"):
            return await self._answer(exchange, conversation, request, None)
        if attempt is None:
            played = Played(exchange, self.library.module, self.library.core, conversation)
            if wait := played.until_head():
                await async_sleep(wait)
            return self.library.answer(exchange, self.library.async_stream(played.async_chunks()))
        delivery = self._delivery(exchange, attempt, conversation, request)
        try:
            response = await self._answer(exchange, conversation, request, attempt)
        except BaseException as error:
            delivery.stopped(error)
            raise
        response.stream = self.library.async_stream(delivery.async_chunks(aiter(response.stream)), delivery.left)
        return _marked(response, attempt)

    async def _answer(
        self, exchange: Exchange, conversation: Conversation, request: Any, attempt: Attempt | None
    ) -> Any:
        if _is_broken(exchange, attempt):
            broken = self._broken(exchange, conversation, request, attempt)
            if broken is not None:
                return await broken.async_respond()
        played = Played(exchange, self.library.module, self.library.core, conversation, is_timed=attempt is None)
        if exchange.head is None:
            async for _ in played.async_chunks():
                pass
        await async_sleep(played.until_head())
        return self.library.answer(exchange, self.library.async_stream(played.async_chunks()))

    async def _record(self, call: Call, request: Any, send: Any, has_body: bool) -> Any:
        if not has_body:
            upload = Upload(call.request.header("content-type") or "")
            request.stream = self.library.async_upload(request.stream, call, upload)
        try:
            with guard.permitted():
                response = await send(request)
        except BaseException as error:
            ended(call, error)
            raise
        if not _was_whole(call, response, self.library):
            response.stream = self.library.async_tee(response.stream, call)
        return response

    async def aclose(self) -> None:
        """Closes the transport that is wrapped."""
        await self.inner.aclose()


def _was_whole(call: Call, response: Any, library: Library) -> bool:
    """Notes the head; and the body too, where a transport answers with one that was read already."""
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
    if not response.is_stream_consumed:
        return False
    call.decode = None
    if response.content:
        call.chunk(response.content)
    call.end()
    return True
