"""Clients over `http.client`: requests and urllib3, `urllib.request`, botocore, httplib2.

All of them hand the bytes of a request to a socket and read the response from it. So what they get
is a stand-in for the socket, a `Line`, whose real one is opened when it is known that a request is
to be sent: a recorded response comes as the bytes of a server, a live one from the server's socket,
noted as it goes by. Requests and responses are the client's own: retries, redirects, cookies,
streaming, errors.

vcrpy's patchers, which replace the connection classes instead, put the original ones back, for the
whole process, whenever a connection is made or a request is sent. Requests of other threads in that
time leave for the network unseen: of 200 over 16 threads about 170.
"""

from __future__ import annotations

import functools
import io
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from convo_replay.bodies import LARGEST_JSON
from convo_replay.call import Call
from convo_replay.exchange import Exchange
from convo_replay.nesting import current
from convo_replay.transports import guard
from convo_replay.transports.patching import Patches
from convo_replay.transports.playing import sleep

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.player import Play
    from convo_replay.transports.http1 import RequestReader, ResponseReader
    from convo_replay.transports.script import Answer
    from convo_replay.verdict.evidence import Attempt

_opening: ContextVar[bool] = ContextVar("convo_replay_opening", default=False)


def install(patches: Patches, watch: guard.Guard) -> None:
    """Puts a `Line` under every connection on which a request begins, until `patches` is undone."""
    base = guard.unpatched("HTTPConnection")
    patches.put(base, "putrequest", lambda original: _putrequest(original, watch))
    connect = functools.partial(_connect, watch=watch)
    patches.put(base, "connect", connect)
    patches.put(guard.unpatched("HTTPSConnection"), "connect", connect)
    for module, names in (
        ("urllib3.connection", ("HTTPConnection", "HTTPSConnection")),
        ("httplib2", ("HTTPConnectionWithTimeout", "HTTPSConnectionWithTimeout")),
    ):
        patches.when_imported(module, functools.partial(_install_in, names=names, patches=patches, connect=connect))


def _install_in(module: ModuleType, *, names: tuple[str, ...], patches: Patches, connect: Any) -> None:
    for name in names:
        patches.put(getattr(module, name), "connect", connect)


def _putrequest(original: Any, watch: guard.Guard) -> Any:
    def putrequest(connection: Any, *args: Any, **kwargs: Any) -> Any:
        if guard.is_permitted() or current() is None:
            return original(connection, *args, **kwargs)
        with guard.permitted():  # nothing leaves yet; the line asks
            made = original(connection, *args, **kwargs)
        line = connection.sock
        if line is None and not connection.auto_open:
            return made
        if not isinstance(line, Line):
            connection.sock = line = Line(connection, watch, line)
        line.begin()
        return made

    return putrequest


def _connect(original: Any, watch: guard.Guard) -> Any:
    def connect(connection: Any) -> Any:
        if _opening.get() or guard.is_permitted() or current() is None:
            return original(connection)
        # What is to be sent is not known yet: urllib3 opens TLS, httplib2 any connection, before it says.
        connection.sock = Line(connection, watch, None)
        if hasattr(connection, "is_verified"):  # or urllib3 warns of a connection that is not there
            connection.is_verified = getattr(connection, "cert_reqs", None) not in (ssl.CERT_NONE, "CERT_NONE")
        return None

    return connect


class Line:
    """What a connection of `http.client` has for a socket while a cassette is open.

    Takes the bytes of a request until it is whole, then decides. It outlives the cassette where the
    connection does, and then passes everything on.
    """

    def __init__(self, connection: Any, watch: guard.Guard, real: Any) -> None:
        self._connection = connection
        self._watch = watch
        self._real = real
        self._settings: list[Callable[[Any], object]] = []
        self._written = bytearray()
        self._request: RequestReader | None = None
        """The request being written, where it may be ours."""
        self._answer: Iterator[bytes] | None = None
        self._script: Answer | None = None
        self._timeout: Any = _UNSET
        self._noted: ResponseReader | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self._real is None:
            raise AttributeError(name)
        return getattr(self._real, name)

    # --- the request -------------------------------------------------------------------------------

    def begin(self) -> None:
        """A request begins: what is written next is its head."""
        from convo_replay.transports.http1 import RequestReader

        self._request = RequestReader()
        self._written.clear()
        self._answer = self._noted = self._script = None

    def sendall(self, data: Any, *flags: Any) -> None:
        """Takes the next bytes of the request; with the last ones it is decided where they go."""
        __tracebackhide__ = True
        if not data:
            return
        request = self._request
        if request is None:
            self._open().sendall(data, *flags)
            return
        self._written += data
        request.feed(bytes(data))
        if request.is_complete or request.is_broken or self._is_large_and_not_ours(request):
            self._decide(request)

    def send(self, data: Any, *flags: Any) -> int:
        """As `sendall`; takes everything at once."""
        self.sendall(data, *flags)
        return len(data)

    def _is_large_and_not_ours(self, request: RequestReader) -> bool:
        """An upload that nobody claims is not held back to its end."""
        from convo_replay.transports.routing import may_be_ours

        head = request.head
        if head is None or len(self._written) <= LARGEST_JSON:
            return False
        url = guard.url_of(self._connection, head.target.decode("latin-1"))
        return not may_be_ours(head.method.decode(), url, head.headers.raw_items())

    def _decide(self, request: RequestReader) -> None:
        __tracebackhide__ = True
        from convo_replay.transports.routing import routed

        self._request = None
        written, self._written = bytes(self._written), bytearray()
        found, url = None, None
        if request.head is not None:
            url = guard.url_of(self._connection, request.head.target.decode("latin-1"))
            found = routed(request.head.method.decode(), url, request.head.headers.raw_items(), bytes(request.body))
        if found is None:
            self._watch.about_to_leave(self._connection, url)
            with guard.permitted():
                self._open().sendall(written)
            return
        conversation, decision = found
        if isinstance(decision, Call):
            assert request.head is not None
            self._record(decision, written, request.head.method)
        else:
            self._answer = self._played(decision, conversation)

    def _record(self, call: Call, written: bytes, method: bytes) -> None:
        from convo_replay.transports.http1 import ResponseReader, end_of

        noted = ResponseReader(call, method)
        connecting = True
        try:
            with guard.permitted():
                real = self._open()
                connecting = False
                real.sendall(written)
        except BaseException as error:
            noted.end(*end_of(error, connecting=connecting))
            raise
        self._noted = noted

    def _played(self, decision: Play, conversation: Conversation) -> Iterator[bytes]:
        """The bytes of the response. What ended before the request was sent is raised here."""
        from convo_replay.transports.http1 import SocketPlayed, Written, is_of_connecting, without_head

        exchange = decision.exchange
        if decision.attempt is not None:
            return self._attempted(exchange, conversation, decision.attempt)
        played = SocketPlayed(exchange, conversation)
        if exchange.head is None and is_of_connecting(exchange.end):
            try:
                for _ in played.chunks():
                    pass
            except OSError as error:
                _raise(_of_library(error, self._connection), error)
        written = Written(exchange, exchange.request.method) if exchange.head is not None else None

        def pieces() -> Iterator[bytes]:
            sleep(played.until_head())
            yield written.head if written else without_head(exchange.end)
            for data in played.chunks():
                yield written.chunk(data) if written else data
            yield written.last if written else b""

        return pieces()

    def _attempted(self, exchange: Exchange, conversation: Conversation, attempt: Attempt) -> Iterator[bytes]:
        """As `_played`, in a fault run."""
        from convo_replay.transports.http1 import error_of, is_of_connecting
        from convo_replay.transports.script import Answer

        script = Answer(exchange, exchange.request.method, conversation, attempt)
        if is_of_connecting(exchange.end):
            try:
                if exchange.end.kind == "timeout":
                    script.silence(_seconds(self._connection.timeout))
                raise error_of(exchange.end)
            except OSError as error:
                made = _of_library(error, self._connection)
                script.ended("raised", made)
                _raise(made, error)
        if script.is_deaf:
            script.silence(_seconds(self.gettimeout()))
        self._script = script

        def pieces() -> Iterator[bytes]:
            timeout = _seconds(self.gettimeout())
            script.expects(timeout)
            while True:
                script.wait(timeout)
                data = script.take(1 << 16)
                if not data:
                    return
                yield data

        return pieces()

    # --- the response ------------------------------------------------------------------------------

    def makefile(self, mode: str = "rb", buffering: int | None = None, **kwargs: Any) -> Any:
        """The response, to be read."""
        __tracebackhide__ = True
        if self._request is not None:
            if self._request.awaits_continue:
                from convo_replay.transports.http1 import CONTINUE

                return io.BytesIO(CONTINUE)
            self._decide(self._request)  # it has no end that we know of, and the client has written it all
        answer, noted = self._answer, self._noted
        self._answer = self._noted = None
        if answer is not None:
            return io.BufferedReader(_Scripted(answer, self._script))
        if noted is not None:
            return io.BufferedReader(_Noting(self._real.makefile("rb", 0), noted))
        return self._open().makefile(mode, buffering, **kwargs)

    # --- the socket --------------------------------------------------------------------------------

    def _open(self) -> Any:
        """The real socket, opened as the connection does it where that has not happened yet."""
        if self._real is None:
            connection = self._connection
            connection.sock = None
            token = _opening.set(True)
            try:
                connection.connect()
            finally:
                _opening.reset(token)
            self._real, connection.sock = connection.sock, self
            for setting in self._settings:
                setting(self._real)
        return self._real

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds
        self._set(lambda real: real.settimeout(seconds))

    def setsockopt(self, *args: Any) -> None:
        self._set(lambda real: real.setsockopt(*args))

    def _set(self, setting: Callable[[Any], object]) -> None:
        if self._real is None:
            self._settings.append(setting)
        else:
            setting(self._real)

    def gettimeout(self) -> float | None:
        unopened = self._connection.timeout if self._timeout is _UNSET else self._timeout
        seconds: float | None = unopened if self._real is None else self._real.gettimeout()
        return seconds

    def fileno(self) -> int:
        """A descriptor to wait for: where nothing is open, one that is always ready to be read."""
        return _ready() if self._real is None else self._real.fileno()

    def shutdown(self, how: int) -> None:
        if self._real is not None:
            self._real.shutdown(how)

    def close(self) -> None:
        """Closes the real socket, where there is one."""
        if self._noted is not None:  # nobody will read the response
            self._noted.end("cancelled")
        if self._real is not None:
            self._real.close()


_UNSET: Any = object()


def _seconds(timeout: Any) -> float | None:
    """A timeout of `http.client`, whose default is the one of all sockets."""
    return timeout if isinstance(timeout, (int, float)) or timeout is None else socket.getdefaulttimeout()


@functools.cache
def _ready() -> int:
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours.detach()


def _raise(made: Exception, cause: OSError) -> NoReturn:
    if made is cause:
        raise cause
    raise made from cause


def _of_library(error: OSError, connection: Any) -> Exception:
    """What urllib3 makes of an exception of the system when it connects; other libraries leave it as it is."""
    urllib3 = sys.modules.get("urllib3")
    if (
        urllib3 is None
        or not isinstance(connection, urllib3.connection.HTTPConnection)
        or isinstance(error, ssl.SSLError)
    ):
        return error
    known = urllib3.exceptions
    if isinstance(error, socket.gaierror) and hasattr(known, "NameResolutionError"):  # urllib3 2
        made = known.NameResolutionError(connection.host, connection, error)
    elif isinstance(error, TimeoutError):
        text = f"Connection to {connection.host} timed out. (connect timeout={connection.timeout})"
        made = known.ConnectTimeoutError(connection, text)
    else:
        made = known.NewConnectionError(connection, f"Failed to establish a new connection: {error}")
    return made  # type: ignore[no-any-return]


class _Scripted(io.RawIOBase):
    """The bytes of a recorded response, piece by piece."""

    def __init__(self, pieces: Iterator[bytes], script: Answer | None) -> None:
        self._pieces = pieces
        self._script = script
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        __tracebackhide__ = True
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """The client is done with the response."""
        if self._script is not None:
            self._script.ended("left")
        super().close()


class _Noting(io.RawIOBase):
    """A live response, noted as it arrives; nothing is read ahead."""

    def __init__(self, raw: Any, noted: ResponseReader) -> None:
        self._raw = raw
        self._noted = noted

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def readinto(self, buffer: Any) -> int | None:
        from convo_replay.transports.http1 import end_of

        try:
            count: int | None = self._raw.readinto(buffer)
        except BaseException as error:
            self._noted.end(*end_of(error, connecting=False))
            raise
        if count is not None:
            self._noted.feed(bytes(buffer[:count]))
        return count

    def close(self) -> None:
        """The client is done with the response."""
        if not self.closed:
            self._noted.end("cancelled")
            self._raw.close()
        super().close()
