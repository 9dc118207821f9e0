"""What a server does on one connection, for the sockets that play it: the bytes, when they come, how it ends.

Knows no library. Waits are skipped on the virtual clock, never slept: those that a fault sets, and the client's
own timeout where nothing comes.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Chunk, End, Exchange
from convo_replay.transports.http1 import Written, error_of, quoted, without_head

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.verdict.evidence import Attempt, Ended

DAY = 86400.0
"""Seconds that a client without a timeout is let wait, so that a deadline around it can come first."""
SILENCE = math.inf
"""Seconds until something comes that never does."""


class Script:
    """One exchange, as bytes and waits.

    Args:
        attempt: of a fault run. Where a fault hit it, the `at` of a step is the wait before it, and timeouts are
            waited for; else the exchange is played as it was recorded, and what timed out does so at once.
    """

    def __init__(self, exchange: Exchange, method: str, conversation: Conversation, attempt: Attempt | None) -> None:
        self.end = exchange.end
        self.delivered = 0
        """Bytes of the body that were taken."""
        self._conversation = conversation
        self._fault = attempt if attempt is not None and attempt.faults else None
        waits = self._fault is not None
        self._pieces: deque[tuple[float, bytes, int]] = deque()
        head = exchange.head
        if head is None:
            if data := without_head(self.end):
                self._pieces.append((0.0, data, 0))
        else:
            written = Written(exchange, method)
            self._pieces.append((head.at if waits else 0.0, written.head, 0))
            for step in exchange.steps:
                if isinstance(step, Chunk) and (data := written.chunk(step.data)):
                    self._pieces.append((step.at if waits else 0.0, data, len(step.data)))
            if written.last:
                self._pieces.append((self.end.at if waits else 0.0, written.last, 0))
        self._waited = False

    @property
    def is_deaf(self) -> bool:
        """Whether nobody takes the request."""
        return self.end.kind == "timeout" and self.end.phase == "write"

    @property
    def is_unreachable(self) -> bool:
        """Whether a connection is asked for in vain."""
        return self.end.kind == "timeout" and self.end.phase == "connect"

    def hang_up(self) -> None:
        """The client has left: what follows is the end."""
        self._pieces.clear()
        self.end = End("truncated")

    def seconds(self) -> float:
        """How long it takes until there is something to read; for ever where nothing comes."""
        if self._waited:
            return 0.0
        if self._pieces:
            return self._pieces[0][0]
        if self.end.kind == "timeout":
            return SILENCE
        return self.end.at if self._fault is not None else 0.0

    def take(self, size: int) -> bytes:
        """The next bytes, at most one piece; none at all: the server has closed the connection.

        Raises:
            OSError: the connection was reset.
        """
        self._waited = False
        if self._pieces:
            _, data, counts = self._pieces.popleft()
            if len(data) > size:
                self._pieces.appendleft((0.0, data[size:], 0))
            self.delivered += counts
            return data[:size]
        if self.end.kind == "reset":
            raise error_of(self.end)
        return b""

    # --- waiting -----------------------------------------------------------------------------------

    def wait(self, timeout: float | None) -> None:
        """Waits for the next piece.

        Raises:
            TimeoutError: the client's timeout comes first.
            ConvoFailure: it has none, and waits for ever.
        """
        seconds = self.seconds()
        if seconds > 0:
            self._wait(timeout, seconds)
        self._waited = True

    def silence(self, timeout: float | None) -> None:
        """As `wait`, where nothing comes."""
        self._wait(timeout, SILENCE)

    def wait_in_vain(self, timeout: float | None) -> None:
        """Waits for what never comes, until the client's timeout is over.

        Raises:
            ConvoFailure: it has none.
        """
        with contextlib.suppress(TimeoutError):
            self.silence(timeout)

    def _wait(self, timeout: float | None, seconds: float) -> None:
        if self._fault is None:
            raise error_of(self.end)
        if timeout is not None and seconds > timeout:
            waiting().wait(timeout)
            raise error_of(self.end) if self.end.kind == "timeout" else TimeoutError("timed out")
        if seconds == SILENCE:
            raise self._conversation.hung(self._fault)
        waiting().wait(seconds)

    @property
    def is_hurried(self) -> bool:
        """Whether deadlines are over without a wait: as recorded, or on a loop whose clock cannot be moved."""
        if self._fault is None:
            return self.end.kind == "timeout"
        waits = self.end.kind == "timeout" or self.end.at > 0 or any(seconds for seconds, _, _ in self._pieces)
        return waits and not waiting().can_skip()

    def is_over(self, timeout: float | None) -> bool:
        """Whether a hurried deadline is: the client would wait in vain."""
        seconds = self.seconds()
        if timeout is None:
            return self._fault is None and seconds == SILENCE
        return seconds > timeout

    async def async_wait(self, timeout: float | None) -> None:
        """As `wait`, within a deadline of the library's own, which ends it."""
        seconds = self.seconds()
        if seconds == SILENCE or (seconds > 0 and self.is_hurried and self.is_over(timeout)):
            await self.async_silence(timeout)
        elif seconds > 0 and waiting().can_skip():
            await waiting().async_wait(seconds)
        self._waited = True

    async def async_silence(self, timeout: float | None) -> None:
        """Waits until the library's own deadline ends it.

        Raises:
            ConvoFailure: there is none.
        """
        if self._fault is not None and (timeout is None or not self.is_hurried):
            if waiting().can_skip():
                await waiting().async_wait(DAY if timeout is None else max(DAY, 2 * timeout))
            raise self._conversation.hung(self._fault)
        import anyio

        await anyio.sleep_forever()

    async def async_wait_in_vain(self, timeout: float | None) -> None:
        """As `wait_in_vain`."""
        if timeout is None:
            await self.async_silence(None)
        elif waiting().can_skip():
            await waiting().async_wait(timeout)


def waiting() -> Any:
    """The clock, where one is needed."""
    from convo_replay import waiting

    return waiting


class Answer(Script):
    """A script for clients that are met at their sockets: tells the conversation what they took, and the end."""

    def __init__(self, exchange: Exchange, method: str, conversation: Conversation, attempt: Attempt) -> None:
        super().__init__(exchange, method, conversation, attempt)
        self._attempt = attempt

    def ended(self, state: Ended, error: BaseException | None = None) -> None:
        """The client has it all, or got an exception instead, or has left. Only the first call counts."""
        self._conversation.ended(self._attempt, state, error)

    def expects(self, timeout: float | None) -> None:
        """How long the client waits for the next byte."""
        self._attempt.read_timeout, self._attempt.has_timeout = timeout, timeout is not None

    def take(self, size: int) -> bytes:
        """As `Script.take`."""
        try:
            data = super().take(size)
        except OSError as error:
            self.ended("raised", error)
            raise
        self._attempt.delivered = self.delivered
        if not data or (self.end.kind == "complete" and not self._pieces):
            self.ended("read")
        return data

    def _wait(self, timeout: float | None, seconds: float) -> None:
        try:
            super()._wait(timeout, seconds)
        except (OSError, ConvoFailure) as error:
            self.ended("raised", error)
            raise


# --- what a recording tells -----------------------------------------------------------------------


def playable(exchange: Exchange) -> Exchange | None:
    """The exchange with an end that says in which way it broke; `None` where its words are of no way known here.

    A fault says it by the end's phase. A recording has the words of whoever recorded it: those of h11 and of the
    system tell the way. What anyone else said (HTTP/2, another client's parser, a proxy) is not made up for.
    """
    end = exchange.end
    if end.kind in ("cancelled", "undecodable") or (end.kind, end.phase) in _UNKNOWN:
        return None
    if not end.detail or end.kind in ("complete", "timeout", "tls"):
        return exchange
    if end.kind != "truncated":
        return exchange if "[Errno " in end.detail or _NO_WORDS.match(end.detail) else None
    phase = end.phase or _phase_of(exchange)
    if phase is None:
        return None
    return Exchange(exchange.request, (*exchange.steps[:-1], End("truncated", end.at, phase, end.detail)))


_UNKNOWN = {("refused", "proxy"), ("reset", "write"), ("reset", "close")}
_NO_WORDS = re.compile(r"all (connection )?attempts", re.IGNORECASE)
"""What anyio and trio say of a refused connection, whatever the reason was."""


def _phase_of(exchange: Exchange) -> str | None:
    words = exchange.end.detail
    if exchange.head is None:
        if words.startswith("Server disconnected"):
            return ""
        return "garbage" if words.startswith("illegal status line") and quoted(exchange.end) else None
    if "incomplete chunked read" in words:
        return ""
    if "bytes, expected" in words:
        # Of a body that came encoded the sizes are not those of the recorded one.
        return "length" if f"received {len(exchange.body)} bytes" in words else None
    return "chunk" if words.startswith("illegal chunk header") and quoted(exchange.end) else None
