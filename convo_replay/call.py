"""One live request in flight, from its start to whatever ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Body, Chunk, End, EndKind, Head, Request, Steps

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation


class Call:
    """One live request in flight. Gets what arrives as it arrives, and ends once, whatever ends it first."""

    __slots__ = (
        "_chunks",
        "_conversation",
        "_done",
        "_head",
        "_started",
        "decode",
        "failure",
        "recorded",
        "request",
        "slot",
    )

    def __init__(self, conversation: Conversation, slot: int, request: Request) -> None:
        self._conversation = conversation
        self.slot = slot
        self.request = request
        """As the application sent it; the body of an upload that streams is put in when it has gone by."""
        self.recorded = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._started = perf_counter()
        self._head: Head | None = None
        self._chunks: list[Chunk] = []
        self._done = False
        self.failure: ConvoFailure | None = None
        """Why the application's call fails though it was answered; known at its end."""
        self.decode: Callable[[Head, Sequence[Chunk]], tuple[list[Chunk], str | None]] | None = None
        """Removes the content-encoding; gives the chunks and, where that failed, the library's words."""

    @property
    def elapsed(self) -> float:
        """Seconds since the request started."""
        return perf_counter() - self._started

    def body(self, body: Body) -> None:
        """The body of the request, where it was not known before it was sent."""
        self.request = replace(self.request, body=body)

    def head(self, status: int, headers: Sequence[tuple[str, str]], reason: str = "", http: str = "") -> None:
        """The status line and headers have arrived."""
        self._head = Head(status, tuple(headers), self.elapsed, reason, http)

    def chunk(self, data: bytes) -> None:
        """Bytes of the body have arrived, as the client gets them."""
        self._chunks.append(Chunk(self.elapsed, data))

    def end(self, kind: EndKind = "complete", phase: str = "", detail: str = "") -> None:
        """The exchange is over. Only the first call counts."""
        with self._conversation.lock:
            if self._done:
                return
            self._done = True
            end = End(kind, self.elapsed, phase, detail)
            chunks = self._chunks
            if self._head is not None and self.decode is not None:
                chunks, undecodable = self.decode(self._head, chunks)
                if undecodable is not None and kind in ("complete", "cancelled"):
                    # A client that could not read on has not left of its own accord.
                    end = End("undecodable", end.at, "", undecodable)
            steps: Steps = (*([self._head_of_body()] if self._head else []), *chunks, end)
            self.failure = self._conversation.recorded(self, steps)

    def _head_of_body(self) -> Head:
        assert self._head is not None
        # What answers HEAD has no body that is decoded here: its headers are the answer.
        return self._head if self.request.method.upper() == "HEAD" else _without_framing(self._head)

    def drop(self) -> None:
        """The request was never an exchange: the client refused to send it."""
        with self._conversation.lock:
            self._done = True
            self._conversation.dropped(self)


_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def _without_framing(head: Head) -> Head:
    """What says how the bytes travelled is no longer true of the decoded body (protocol.md §4.3)."""
    return replace(head, headers=tuple(pair for pair in head.headers if pair[0] not in _FRAMING))
