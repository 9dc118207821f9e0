"""The one type that carries everything: an HTTP request and its outcome, as steps.

Recording produces an `Exchange`, the cassette stores it, replay yields its steps, a fault is a
function from steps to steps, the server writes them to a socket. All times are seconds, as floats,
counted from the start of the request. Nothing here does I/O and nothing here is mutable; values of
JSON bodies are shared between exchanges (request *k* repeats all earlier turns) and are read-only.

The same types hold what is on its way, keys and all, and what was redacted. A repr cannot know which, and
may end in somebody's traceback, so none shows a header's value or a body.
"""

from __future__ import annotations

import json as _json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

EndKind = Literal[
    "complete",  # the HTTP framing was complete
    "truncated",  # the framing broke: RemoteProtocolError
    "reset",  # the connection died: ReadError, WriteError
    "timeout",  # the client's own clock; `phase` says which: connect, read, write, pool
    "refused",
    "dns",
    "tls",
    "undecodable",  # corrupt content-encoding: DecodingError
    "cancelled",  # the client left: break, close, cancellation
]
END_KINDS: tuple[EndKind, ...] = (
    "complete", "truncated", "reset", "timeout", "refused", "dns", "tls", "undecodable", "cancelled",
)  # fmt: skip

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, order and repetition kept."""


@dataclass(frozen=True, slots=True, repr=False)
class Head:
    """Status line and headers. `at`: seconds from the start of the request to the status line."""

    status: int
    headers: Headers = ()
    at: float = 0.0
    reason: str = ""
    """Only where it is not the standard phrase of the status."""
    http: str = ""
    """Only where it is not `HTTP/1.1`."""

    def __repr__(self) -> str:
        return f"<Head {self.status}: {', '.join(dict.fromkeys(name for name, _ in self.headers)) or 'no headers'}>"


@dataclass(frozen=True, slots=True, repr=False)
class Chunk:
    """Bytes of the body, content-encoding removed. `at`: seconds from the start of the request."""

    at: float
    data: bytes

    def __repr__(self) -> str:
        return f"<Chunk at {self.at:.3f} s: {len(self.data)} bytes>"


@dataclass(frozen=True, slots=True)
class End:
    """How the exchange ended. `at` is `took`: seconds from the start of the request."""

    kind: EndKind = "complete"
    at: float = 0.0
    phase: str = ""
    detail: str = field(default="", repr=False)
    """The text of the client library's exception, as recorded."""


Step = Head | Chunk | End
Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Json:
    """A request body by value. The value is read-only."""

    value: Any
    raw: bytes | None = field(default=None, compare=False)
    """The bytes it was read from, where a cassette of another recorder tells requests apart by them."""

    def __repr__(self) -> str:
        size = f" of {len(self.value)}" if isinstance(self.value, (dict, list)) else ""
        return f"<Json {type(self.value).__name__}{size}>"


@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """A request body that is UTF-8 text but no JSON document."""

    text: str

    def __repr__(self) -> str:
        return f"<Text of {len(self.text)} characters>"


@dataclass(frozen=True, slots=True, repr=False)
class Binary:
    """A request body that is no text, or not worth a blob."""

    data: bytes

    def __repr__(self) -> str:
        return f"<Binary of {len(self.data)} bytes>"


@dataclass(frozen=True, slots=True)
class Blob:
    """A request body known by its hash alone: over 1 MB, or streamed and of another type."""

    sha256: str
    size: int
    type: str = ""
    starts: str = field(default="", repr=False)
    """The first bytes, in hex (at most 16): what a reader needs to know a PNG from a PDF."""
    value: Any = field(default=None, compare=False, repr=False)
    """The JSON value of the bytes, while they are at hand: validation reads it, nothing keeps it."""
    text: str | None = field(default=None, compare=False, repr=False)
    """Their text, where it is no JSON, while they are at hand: it is searched, nothing keeps it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body."""

    name: str = field(repr=False)
    body: Text | Binary | Blob
    filename: str | None = field(default=None, repr=False)
    type: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """A multipart body, without its random boundary."""

    parts: tuple[Part, ...]


Body = Json | Text | Binary | Blob | Parts | None


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What was asked. `url` is absolute; `headers` are the allow-listed ones once redacted."""

    method: str
    url: str
    headers: Headers = ()
    body: Body = None

    def __repr__(self) -> str:
        # A request that was not redacted yet must not show a key in somebody's traceback.
        url = urlsplit(self.url)
        return f"<Request {self.method} {url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}>"

    @property
    def json(self) -> Any:
        """The body's JSON value, or `None` where the body is no JSON document."""
        return self.body.value if isinstance(self.body, Json) else None

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case), or `None`."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """One HTTP request with its outcome. A retry and a redirect hop are each one of their own.

    `steps` is `Head? Chunk* End`, an `End` alone where no status line arrived.
    """

    request: Request
    steps: Steps
    test: str = ""
    """The test that owns it (a pytest node id), empty for none."""
    recorded: str = ""
    """When the request started: `2026-11-22T10:00:00Z`."""
    outcome: str = ""
    """`failed` where the test that recorded it failed."""
    after: str = ""
    """The fault under which alone this exchange is played (a fault spec)."""
    extra: Mapping[str, Any] | None = None
    """Keys of the file that this version does not know; they survive a save."""
    waits: tuple[float, ...] = field(default=(), compare=False)
    """Seconds that were asked to be waited after it, before the next request of the same thread or task, and were
    skipped. Known while a conversation replays; not stored."""

    def __repr__(self) -> str:
        body = f"{sum(isinstance(step, Chunk) for step in self.steps)} chunks"
        return f"<Exchange {repr(self.request)[1:-1]}: {self.status or 'no status'}, {body}, {self.end.kind}>"

    @property
    def head(self) -> Head | None:
        first = self.steps[0] if self.steps else None
        return first if isinstance(first, Head) else None

    @property
    def end(self) -> End:
        last = self.steps[-1] if self.steps else None
        return last if isinstance(last, End) else End()

    @property
    def status(self) -> int | None:
        """The HTTP status, or `None` where no status line arrived."""
        head = self.head
        return head.status if head else None

    @property
    def body(self) -> bytes:
        """The response body as far as it came, content-encoding removed."""
        return b"".join([step.data for step in self.steps if isinstance(step, Chunk)])

    def header(self, name: str) -> str | None:
        """The first response header of that name (lower case), or `None`."""
        head = self.head
        if head is None:
            return None
        return next((value for key, value in head.headers if key == name), None)

    @property
    def content_type(self) -> str:
        """The response's media type in lower case, without parameters."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @property
    def is_stream(self) -> bool:
        """Whether the response is an event stream."""
        return self.content_type == "text/event-stream"

    def response_json(self) -> Any:
        """The response body's JSON value.

        Raises:
            ValueError: the body is no JSON document.
        """
        return _json.loads(self.body)
