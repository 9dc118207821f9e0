"""The clock of a trio run, which moves to each pending deadline in turn while somebody's wait is skipped."""

from __future__ import annotations

import contextlib
import math
import threading
import weakref
from typing import TYPE_CHECKING, Any

import trio
from trio._core import _run

from convo_replay.waiting import clocks, outside
from convo_replay.waiting.outside import Outside

if TYPE_CHECKING:
    from convo_replay.waiting.jobs import Job

_known: weakref.WeakSet[TrioClock] = weakref.WeakSet()


class TrioClock(trio.abc.Clock):
    """Around the clock of a run."""

    def __init__(self, inner: trio.abc.Clock, runner: Any) -> None:
        self.ahead = 0.0
        self._waiting: set[object] = set()
        """Skipped waits that are under way."""
        self._inner = inner
        self._runner = runner
        self._outside = Outside(runner)

    def start_clock(self) -> None:
        self._inner.start_clock()

    def current_time(self) -> float:
        return self._inner.current_time() + self.ahead

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Asked by the run when no task can go on: how long it may block for I/O."""
        left = self._inner.deadline_to_sleep_time(deadline - self.ahead)
        runner = self._runner
        if not self._waiting or left <= 0 or math.isinf(left) or runner.waiting_for_idle:
            return left
        events = runner.io_manager.get_events(0)
        if events:
            self._outside.heard(self._streams())
            runner.io_manager.process_events(events)
        if runner.runq:
            return 0
        patience = self._outside.patience(self._streams())
        if patience:
            return min(patience, left)
        clocks.advance(left, self)
        return 0

    def _streams(self) -> range:
        known = self._runner.io_manager.statistics()
        tasks = getattr(known, "tasks_waiting_read", 1) + getattr(known, "tasks_waiting_write", 0)
        return range(tasks - 1)  # one waits for what wakes the run

    async def pause(self, seconds: float) -> None:
        """Skips a wait; what else is due until then happens first."""
        waiter = object()
        self._waiting.add(waiter)
        try:
            await trio.sleep_until(self.current_time() + seconds)
        finally:
            self._waiting.discard(waiter)

    def rest(self) -> None:
        """No cassette replays any more. A clock that was moved stays where it is: it must not run backwards."""
        self._waiting.clear()
        if not self.ahead and self._runner.clock is self:
            self._runner.clock = self._inner


def running() -> Any:
    """The run that this thread is in."""
    return getattr(_run.GLOBAL_RUN_CONTEXT, "runner", None)


def can_move(runner: Any) -> bool:
    """Whether the run has a clock of trio's own: a `MockClock` is moved by whoever gave it."""
    return type(runner.clock) in (_run.SystemClock, TrioClock)


def clock_of(runner: Any) -> TrioClock | None:
    """The clock of a run, put around its own where it is not yet; `None` where it cannot be moved."""
    if not can_move(runner):
        return None
    if not isinstance(runner.clock, TrioClock):
        runner.clock = TrioClock(runner.clock, runner)
    clock: TrioClock = runner.clock
    _known.add(clock)
    return clock


async def pause(seconds: float) -> None:
    """Skips a wait in the running trio; where its clock cannot be moved, waits."""
    clock = clock_of(running())
    await (trio.sleep_until(trio.current_time() + seconds) if clock is None else clock.pause(seconds))


def pause_from_thread(runner: Any, seconds: float, job: Job) -> None:
    """Skips a wait of a thread in the run that awaits it. Gives up where the run is held up itself."""
    done = threading.Event()
    scope = trio.CancelScope()

    async def waiting() -> None:
        job.rests()
        try:
            with scope:
                await pause(seconds)
        finally:
            job.works()
            done.set()

    with contextlib.suppress(trio.RunFinishedError):
        runner.entry_queue.run_sync_soon(trio.lowlevel.spawn_system_task, waiting)
        if not done.wait(outside.JOB):
            runner.entry_queue.run_sync_soon(scope.cancel)


def rest() -> None:
    """Takes back what was put into runs."""
    for clock in list(_known):
        clock.rest()
    _known.clear()
