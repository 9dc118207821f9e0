"""The clock of an asyncio loop, which moves to each pending timer in turn while somebody's wait is skipped.

The loop computes how long it may block for I/O and hands that to its selector. While waits are
skipped the selector only looks whether something is ready; where nothing is, the loop's `time()`
moves by what it would have blocked for, and the timer that is due next fires: the skipped wait, or a
deadline around it, whichever comes first.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import weakref
from asyncio import base_events
from time import monotonic
from typing import TYPE_CHECKING, Any

from convo_replay.waiting import clocks, outside
from convo_replay.waiting.outside import Outside

if TYPE_CHECKING:
    from convo_replay.waiting.jobs import Job

_sleep = asyncio.tasks.sleep
_known: weakref.WeakSet[AsyncioClock] = weakref.WeakSet()


class AsyncioClock:
    """In place of a loop's `time`, as an attribute of that loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, selector: Any) -> None:
        self.ahead = 0.0
        self._waiting: set[object] = set()
        """Skipped waits that are under way."""
        self._loop = loop
        self._selector = selector
        self._outside = Outside(loop)
        self._hook: Any = None
        self._before: Any = None
        """A `select` that somebody else had put on this selector."""

    def time(self) -> float:
        return monotonic() + self.ahead

    async def pause(self, seconds: float) -> None:
        """Skips a wait; what else is due until then happens first."""
        waiter = object()
        self._waiting.add(waiter)
        self._hook_in()
        try:
            await _sleep(seconds)
        finally:
            self._waiting.discard(waiter)
            if not self._waiting:
                self._unhook()

    def rest(self) -> None:
        """No cassette replays any more. A clock that was moved stays where it is: it must not run backwards."""
        self._waiting.clear()
        self._unhook()
        if (not self.ahead or self._loop.is_closed()) and clock_in(self._loop) is self:
            del vars(self._loop)["time"]

    def _hook_in(self) -> None:
        if self._hook is None and clocks.is_active():
            self._before = vars(self._selector).get("select")
            self._hook = self._selector.select = _Select(self)

    def _unhook(self) -> None:
        hook, self._hook = self._hook, None
        if hook is None or vars(self._selector).get("select") is not hook:
            return
        if self._before is None:
            del self._selector.select
        else:
            self._selector.select = self._before

    def select(self, timeout: float | None) -> Any:
        """What is ready of I/O, in place of blocking for it."""
        look = self._before or functools.partial(type(self._selector).select, self._selector)
        ready = look(0)
        if ready:
            self._outside.heard((key.fd, id(key.data)) for key, _ in ready if hasattr(key, "fd"))
        if ready or timeout == 0:
            return ready
        if timeout is None or not self._waiting:
            return look(timeout)
        patience = self._outside.patience(self._streams())
        if patience:
            return look(min(patience, timeout))
        clocks.advance(timeout, self)
        return ready

    def _streams(self) -> list[tuple[int, int]]:
        found = self._selector.get_map() if hasattr(self._selector, "get_map") else None
        if not found or len(found) == 1:  # the pipe that the loop is woken by
            return []
        own = getattr(self._loop, "_ssock", None)
        return [(key.fd, id(key.data)) for key in found.values() if key.fileobj is not own]


class _Select:
    def __init__(self, clock: AsyncioClock) -> None:
        self._clock = clock

    def __call__(self, timeout: float | None = None) -> Any:
        return self._clock.select(timeout)


def clock_in(loop: asyncio.AbstractEventLoop) -> AsyncioClock | None:
    """The clock that was put into a loop."""
    clock = getattr(vars(loop).get("time"), "__self__", None)
    return clock if isinstance(clock, AsyncioClock) else None


def can_move(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop is asyncio's own, or close enough: uvloop reads its clock in C."""
    if not isinstance(loop, base_events.BaseEventLoop):
        return False
    own = vars(loop).get("time")
    if own is not None:
        return clock_in(loop) is not None
    return type(loop).time is base_events.BaseEventLoop.time and hasattr(getattr(loop, "_selector", None), "select")


def clock_of(loop: asyncio.AbstractEventLoop) -> AsyncioClock | None:
    """The clock of a loop, put into it where it has none yet; `None` where it cannot be moved."""
    clock = clock_in(loop)
    if clock is None:
        if not can_move(loop):
            return None
        clock = AsyncioClock(loop, loop._selector)  # type: ignore[attr-defined]
        loop.time = clock.time  # type: ignore[method-assign]
    _known.add(clock)
    return clock


def running() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread."""
    return asyncio._get_running_loop()


async def pause(seconds: float) -> None:
    """Skips a wait on the running loop; where its clock cannot be moved, waits."""
    clock = clock_of(asyncio.get_running_loop())
    await (_sleep(seconds) if clock is None else clock.pause(seconds))


def pause_from_thread(loop: asyncio.AbstractEventLoop, seconds: float, job: Job) -> None:
    """Skips a wait of a thread on the loop that awaits it. Gives up where the loop is held up itself."""

    async def waiting() -> None:
        job.rests()
        try:
            await pause(seconds)
        finally:
            job.works()

    with contextlib.suppress(concurrent.futures.CancelledError, TimeoutError):
        coroutine = waiting()
        try:
            done = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # closed
            coroutine.close()
            return
        try:
            done.result(outside.JOB)
        finally:
            done.cancel()


def rest() -> None:
    """Takes back what was put into loops."""
    for clock in list(_known):
        clock.rest()
    _known.clear()
