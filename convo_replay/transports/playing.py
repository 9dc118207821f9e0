"""A recorded outcome as the library's own streams and exceptions, one event at a time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Chunk, Exchange
from convo_replay.transports.ends import error_of

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.verdict.evidence import Attempt

LINGER = 1.0
"""Seconds that a stream which the client left is held open beyond the recorded time, in async replay."""


LEFT_OPEN = (
    "the client read on where it had left when this was recorded (a break, a close or a cancellation), so nothing "
    "more is known of this stream. Record it again with the client as it is now: {rerecord}"
)


def sleep(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


async def async_sleep(seconds: float) -> None:
    if seconds > 0:
        import anyio

        await anyio.sleep(seconds)


class Played:
    """One exchange being played: its chunks, then its end.

    Args:
        module: httpx or httpx2, whose exceptions are raised; `core` is its httpcore.
        conversation: says how fast, and remembers a failure.
        is_timed: whether times of the recording count; they do not in a fault run.
    """

    def __init__(
        self,
        exchange: Exchange,
        module: ModuleType,
        core: ModuleType | None,
        conversation: Conversation,
        *,
        is_timed: bool = True,
    ) -> None:
        self._exchange = exchange
        self._module = module
        self._core = core
        self._conversation = conversation
        timing = conversation.config.timing
        self._factor = {"none": 0.0, "recorded": 1.0}[timing] if isinstance(timing, str) else timing
        if not is_timed:
            self._factor = 0.0
        self._at = 0.0
        # A cassette's chunks are its events, one each; any other body is one chunk.
        self._chunks = [step for step in exchange.steps if isinstance(step, Chunk)]
        self._left = len(self._chunks)

    def _until(self, at: float) -> float:
        wait, self._at = max(0.0, at - self._at), at
        return wait * self._factor

    def until_head(self) -> float:
        """Seconds to wait before the status line."""
        return self._until(self._exchange.head.at if self._exchange.head else 0.0)

    def chunks(self) -> Iterator[bytes]:
        """The body; then the end, as the library's exception where it was not a good one."""
        try:
            for chunk in self._chunks:
                if self._factor:
                    sleep(self._until(chunk.at))
                self._left -= 1
                yield chunk.data
            sleep(self._until(self._exchange.end.at))
            self._end()
        finally:
            self._read()

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """As `chunks`. Where the client had left, it has time to leave again."""
        try:
            for chunk in self._chunks:
                if self._factor:
                    await async_sleep(self._until(chunk.at))
                self._left -= 1
                yield chunk.data
            end = self._exchange.end
            await async_sleep(self._until(end.at))
            if end.kind == "cancelled":
                await async_sleep(end.at + LINGER)
            self._end()
        finally:
            self._read()

    def _read(self) -> None:
        """Says that the client has had all of it: what it left unread is no matter of its test."""
        if not self._left:
            self._left = -1
            self._conversation.read(self._exchange)

    def _end(self) -> None:
        end = self._exchange.end
        if end.kind == "cancelled":
            raise self._conversation.fail(ConvoFailure, LEFT_OPEN.format(rerecord=self._conversation.rerecord))
        error = error_of(end, self._module, self._core)
        if error is not None:
            raise error


class Delivery:
    """An answer of a fault run on its way to the client: what it took, and what became of it.

    Args:
        exchange: as it is played, faults included.
    """

    def __init__(self, exchange: Exchange, attempt: Attempt, conversation: Conversation) -> None:
        self._attempt = attempt
        self._conversation = conversation
        self._size = len(exchange.body) if exchange.end.kind == "complete" and not _is_cut(exchange, attempt) else -1

    def stopped(self, error: BaseException) -> None:
        """The client got an exception in place of the rest, or has left with one of its own."""
        if isinstance(error, (Exception, ConvoFailure)):
            self._conversation.ended(self._attempt, "raised", error)
        elif isinstance(error, GeneratorExit) or self._attempt.delivered == self._size:
            self.left()
        else:  # cancelled while it waited for more: a deadline, not a choice
            self._conversation.ended(self._attempt, "left", error)

    def left(self) -> None:
        """The client reads no further. Where there is nothing more to read, it has read it all."""
        self._conversation.ended(self._attempt, "read" if self._attempt.delivered == self._size else "left")

    def chunks(self, source: Iterator[bytes]) -> Iterator[bytes]:
        """Passes the body on."""
        try:
            for data in source:
                self._attempt.delivered += len(data)
                yield data
        except BaseException as error:
            self.stopped(error)
            raise
        else:
            self._conversation.ended(self._attempt, "read")
        finally:
            _close(source)

    async def async_chunks(self, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `chunks`."""
        try:
            async for data in source:
                self._attempt.delivered += len(data)
                yield data
        except BaseException as error:
            self.stopped(error)
            raise
        else:
            self._conversation.ended(self._attempt, "read")
        finally:
            await _aclose(source)


def _is_cut(exchange: Exchange, attempt: Attempt) -> bool:
    """Whether the end of a body is one that was not recorded: who leaves before it has not met it."""
    recorded = attempt.recorded
    return recorded is not None and len(exchange.body) < len(recorded.body)


class PlayedStream:
    """A response stream over an iterator of bytes; single use, like the library's own.

    Args:
        closed: told when the client closes it.
    """

    def __init__(self, chunks: Iterator[bytes], closed: Callable[[], None] | None = None) -> None:
        self._chunks = chunks
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Ends the stream where it stands."""
        _close(self._chunks)
        if self._closed is not None:
            self._closed()


class AsyncPlayedStream:
    def __init__(self, chunks: AsyncIterator[bytes], closed: Callable[[], None] | None = None) -> None:
        self._chunks = chunks
        self._closed = closed

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        await _aclose(self._chunks)
        if self._closed is not None:
            self._closed()


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


async def _aclose(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
