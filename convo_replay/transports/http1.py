"""HTTP/1.1 as bytes: what a client sends, read; what a server sends, noted; a recorded exchange, written.

For clients that are met at their connection, so that they build the request and parse the response
themselves: what they make of a stream, a broken one too, is then their own.
"""

from __future__ import annotations

import ast
import errno
import http
import re
import socket
import ssl
from typing import TYPE_CHECKING

import h11

from convo_replay.call import Call
from convo_replay.exchange import End, EndKind, Exchange, Head
from convo_replay.transports.httpx import header_text
from convo_replay.transports.playing import Played

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation

HALF = b"HTTP/1.1 200 OK\r\ncontent-type: appl"
"""Half a block of headers."""
GARBAGE = b"this is not HTTP\r\n\r\n"
"""What is no answer in HTTP."""
NO_CHUNK = b"not a chunk size\r\n"
"""What is no header of a chunk."""
MISSING = 100
"""Bytes that a body lacks which ends before its content-length, where the head says none."""
LARGEST_HEAD = 1 << 20
"""Bytes of a status line with its headers. h11's own limit of 16 KiB is below what http.client and aiohttp take."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestReader:
    """One request, read as a client writes it."""

    def __init__(self) -> None:
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        self.head: h11.Request | None = None
        self.body = bytearray()
        self.is_complete = False
        self.is_broken = False
        """What was written is no HTTP/1.1 request."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        if self.is_broken:
            return
        try:
            self._parser.receive_data(data)
            while not self.is_complete:
                event = self._parser.next_event()
                if isinstance(event, h11.Request):
                    self.head = event
                elif isinstance(event, h11.Data):
                    self.body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self.is_complete = True
                else:
                    return
        except h11.RemoteProtocolError:
            self.is_broken = True

    @property
    def awaits_continue(self) -> bool:
        """Whether the client wants to be told that it may send the body."""
        return not self.is_complete and self._parser.they_are_waiting_for_100_continue


class ResponseReader:
    """One response, noted in a call as its bytes arrive."""

    def __init__(self, call: Call, method: bytes) -> None:
        self._call = call
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._parser.send(h11.Request(method=method, target="/", headers=[("host", "-")]))
        self._parser.send(h11.EndOfMessage())
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes; none at all: the connection has ended."""
        if self._is_over:
            return
        try:
            self._parser.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            self.end("truncated", "", str(error))
        if not data:
            self.end("truncated", "", "the connection was closed")

    def _read(self) -> None:
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Response):
                self._head(event)
            elif isinstance(event, h11.Data):
                self._call.chunk(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self.end()
                return
            elif not isinstance(event, h11.InformationalResponse):
                return

    def _head(self, event: h11.Response) -> None:
        reason, version = header_text(event.reason), f"HTTP/{event.http_version.decode()}"
        self._call.head(
            event.status_code,
            [(header_text(name).lower(), header_text(value)) for name, value in event.headers.raw_items()],
            reason if reason != phrase(event.status_code) else "",
            version if version != "HTTP/1.1" else "",
        )

    def end(self, kind: EndKind = "complete", phase: str = "", detail: str = "") -> None:
        """The exchange is over, whatever came. Only the first call counts."""
        self._is_over = True
        self._call.end(kind, phase, detail)


def phrase(status: int) -> str:
    """The standard reason phrase of a status, empty where it has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


class Written:
    """A recorded exchange as the bytes of a server.

    The head, then `chunk` of each of its chunks, then `last`. An event stream is one chunk of HTTP
    for each event, and so is what did not come to its end: the missing last chunk says so. Only
    where a body was shorter than announced (phase `length`, or h11's words for it) it is announced so
    again: some clients take no notice. `last` of phase `chunk` is no header of a chunk.
    """

    def __init__(self, exchange: Exchange, method: str) -> None:
        head = exchange.head
        assert head is not None
        self._has_body = method.upper() != "HEAD" and head.status not in (204, 304)
        announced = _announced(exchange)
        self._is_chunked = self._has_body and announced is None
        self.head = _head_of(head, announced, self._has_body)
        self.last = _last(exchange.end) if self._is_chunked else b""

    def chunk(self, data: bytes) -> bytes:
        if not self._has_body or not data:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data


def _announced(exchange: Exchange) -> int | None:
    """The content-length, or `None` where the body comes in chunks of HTTP."""
    size, end = len(exchange.body), exchange.end
    if end.kind == "complete":
        return None if exchange.is_stream else size
    if end.kind != "truncated":
        return None
    expected = _EXPECTED.search(end.detail)
    if expected is None and end.phase == "length":
        said = exchange.header("content-length") or ""
        return int(said) if said.isdecimal() and int(said) > size else size + MISSING
    return int(expected[1]) if expected and int(expected[1]) > size else None


def _last(end: End) -> bytes:
    if end.kind == "complete":
        return b"0\r\n\r\n"
    return (quoted(end) or NO_CHUNK) if end.kind == "truncated" and end.phase == "chunk" else b""


def without_head(end: End) -> bytes:
    """What a server sends that ends before its headers are whole."""
    if end.kind != "truncated":
        return b""
    if end.phase == "garbage":
        return (quoted(end) + b"\r\n\r\n") if end.detail else GARBAGE
    return HALF if end.phase == "half" else b""


_EXPECTED = re.compile(r"received (?:\d+) bytes, expected (\d+)")
"""What h11, and so httpx, says of a body that is shorter than its content-length."""
_QUOTED = re.compile(r"bytearray\((b(['\"]).*\2)\)$", re.DOTALL)


def quoted(end: End) -> bytes:
    """The bytes that h11 did not like, from its words; none where they quote none."""
    found = _QUOTED.search(end.detail)
    try:
        made = ast.literal_eval(found[1]) if found else b""
    except (SyntaxError, ValueError):
        return b""
    return made if isinstance(made, bytes) else b""


def _head_of(head: Head, announced: int | None, has_body: bool) -> bytes:
    version = "HTTP/1.0" if head.http == "HTTP/1.0" and announced is not None else "HTTP/1.1"
    lines = [f"{version} {head.status} {head.reason or phrase(head.status)}"]
    framing = ("content-length", "transfer-encoding") if has_body else ("transfer-encoding",)
    lines += [f"{name}: {_NEWLINE.sub(' ', value)}" for name, value in head.headers if name not in framing]
    if has_body:
        lines.append("transfer-encoding: chunked" if announced is None else f"content-length: {announced}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


_NEWLINE = re.compile(r"[\r\n]+")


# --- how exchanges end ----------------------------------------------------------------------------


def end_of(error: BaseException, *, connecting: bool) -> tuple[EndKind, str, str]:
    """Kind, phase and detail of the `End` that an exception of a connection stands for.

    Libraries wrap the system's exceptions, so causes and contexts count. What is no failure of the
    network (a cancellation, an exception of the application) is the client leaving.
    """
    seen: BaseException | None = error if isinstance(error, Exception) else None
    found: list[Exception] = []
    while isinstance(seen, Exception) and len(found) < 10:
        found.append(seen)
        seen = seen.__cause__ or seen.__context__
    for kind, cls in _KINDS if connecting else _KINDS[2:]:
        for each in found:
            if isinstance(each, cls):
                phase = ("connect" if connecting else "read") if kind == "timeout" else ""
                return ("refused" if connecting and kind == "reset" else kind), phase, str(each)
    return "cancelled", "", ""


_KINDS: list[tuple[EndKind, type[Exception]]] = [
    ("dns", socket.gaierror),
    ("tls", ssl.SSLError),
    ("timeout", TimeoutError),
    ("reset", OSError),
]


def is_of_connecting(end: End) -> bool:
    """Whether an exchange ended before its request was sent."""
    return end.kind in ("refused", "dns", "tls") or (end.kind == "timeout" and end.phase in ("connect", "pool"))


def error_of(end: End) -> OSError:
    """The system's exception for an end that is neither complete, truncated nor cancelled: number and text as
    recorded, where they are."""
    found = _ERRNO.search(end.detail)
    number, text = (int(found[1]), found[2]) if found else (0, end.detail)
    if end.kind == "dns":
        return socket.gaierror(number or socket.EAI_NONAME, text or "Name or service not known")
    if end.kind == "tls":
        return _of_tls(text)
    if end.kind == "timeout":
        return TimeoutError(text or "timed out")
    if end.kind == "refused":
        return OSError(number or errno.ECONNREFUSED, text or "Connection refused")
    return OSError(number or errno.ECONNRESET, text or "Connection reset by peer")


def _of_tls(text: str) -> ssl.SSLError:
    """OpenSSL 3's words, where there are none recorded."""
    if text in ("", "self-signed"):
        text = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    elif text == "not-tls":
        text = "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"
    is_verdict = "CERTIFICATE_VERIFY_FAILED" in text
    error = (ssl.SSLCertVerificationError if is_verdict else ssl.SSLError)(int(ssl.SSL_ERROR_SSL), text)
    if reason := _REASON.match(text):
        error.library, error.reason = reason.groups()
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_code, error.verify_message = _SELF_SIGNED, text.rpartition(": ")[2].partition(" (")[0]
    return error


_ERRNO = re.compile(r"\[Errno (-?\d+)\] (.*)", re.DOTALL)
_REASON = re.compile(r"\[(\w+): (\w+)\]")
_SELF_SIGNED = 18
"""X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT"""


def seconds_until_end(exchange: Exchange, conversation: Conversation) -> float:
    """Seconds from the request until a recorded exchange is over, at the pace that is set."""
    return SocketPlayed(exchange, conversation)._until(exchange.end.at)


class SocketPlayed(Played):
    """One exchange being played to a client that sees sockets: its end is the system's exception."""

    def __init__(self, exchange: Exchange, conversation: Conversation) -> None:
        super().__init__(exchange, socket, None, conversation)

    def _end(self) -> None:
        end = self._exchange.end
        if end.kind in ("complete", "cancelled"):
            super()._end()
        elif end.kind not in ("truncated", "undecodable"):  # these just stop: the client finds the last chunk missing
            raise error_of(end)
