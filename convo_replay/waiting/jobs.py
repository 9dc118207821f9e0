"""What is skipped in a thread that works for another one passes for that one, too.

`asyncio.to_thread(client.messages.create, …)` may ask for a minute in its thread: a deadline around
it is due then, and a retry of the whole must know. So a job starts with the timeline of whoever gave
it. Where a loop awaits it, each of its waits is skipped on that loop, deadlines first; elsewhere its
giver catches up when it ends. Jobs side by side do not add up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any

from convo_replay.waiting import clocks, loops, outside

if TYPE_CHECKING:
    from convo_replay.transports.patching import Patches

SETTLED = 1e-3
"""Seconds by which timelines may differ."""


class Job:
    """A function that is called in another thread.

    Args:
        awaited: a loop awaits it, the one that runs here. Elsewhere its giver may block until it ends.
    """

    def __init__(self, function: Callable[..., Any], *, awaited: bool) -> None:
        self._function = function
        self._giver = clocks.timeline()
        self._began = self._giver.skipped
        self._module, self.loop = loops.running()
        self._awaited = awaited
        self._within: Job | None = None
        """The job that this one is a part of, in the same thread."""
        self._over = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mine = clocks.timeline()
        self._within, mine.job = mine.job, self
        began = mine.skipped = max(mine.skipped, self._began)
        try:
            return self._function(*args, **kwargs)
        finally:
            mine.job = self._within
            more = self._began + mine.skipped - began - self._giver.skipped
            if more > SETTLED and not self.pause(more):
                clock = None if self._module is None else self._module.clock_of(self.loop)
                clocks.advance(more, clock, self._giver)

    def pause(self, seconds: float) -> float:
        """Skips a wait on the loop that awaits this; gives the seconds that were skipped there, 0 where none can be."""
        if not self._awaited or self._module is None or not self._module.can_move(self.loop):
            return 0.0
        before = self._giver.skipped
        self._module.pause_from_thread(self.loop, seconds, self)
        return self._giver.skipped - before

    def works(self) -> None:
        """Takes real time, unless its loop does not await it any more."""
        if self._awaited and not self._over:
            outside.started(self.loop, self)
        if self._within is not None:
            self._within.works()

    def rests(self) -> None:
        """Waits itself."""
        if self._awaited:
            outside.finished(self.loop, self)
        if self._within is not None:
            self._within.rests()

    def ends(self) -> None:
        """Is not awaited any more."""
        self._over = True
        outside.finished(self.loop, self)

    def __repr__(self) -> str:
        return repr(self._function)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def install(patches: Patches) -> None:
    """Carries timelines to the threads of executors, of anyio and of trio, and back."""

    def threads_imported(module: ModuleType) -> None:
        patches.put(module.ThreadPoolExecutor, "submit", _submit)

    def asyncio_imported(module: ModuleType) -> None:
        patches.put(module.BaseEventLoop, "run_in_executor", _run_in_executor)

    def anyio_imported(module: ModuleType) -> None:
        patches.put(module.backend_class, "run_sync_in_worker_thread", _run_sync_in_worker_thread)

    def trio_imported(module: ModuleType) -> None:
        patches.put(module, "run_sync", _run_sync)

    patches.when_imported("concurrent.futures.thread", threads_imported)
    patches.when_imported("asyncio.base_events", asyncio_imported)
    patches.when_imported("anyio._backends._asyncio", anyio_imported)
    patches.when_imported("anyio._backends._trio", anyio_imported)
    patches.when_imported("trio.to_thread", trio_imported)


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return original(self, fn if isinstance(fn, Job) else Job(fn, awaited=False), *args, **kwargs)

    return submit


def _run_in_executor(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_in_executor(self: Any, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        if loops.running()[1] is not self or not isinstance(executor, ThreadPoolExecutor | None):
            return original(self, executor, func, *args)
        job = Job(func, awaited=True)
        future = original(self, executor, job, *args)
        job.works()
        future.add_done_callback(lambda _: job.ends())
        return future

    return run_in_executor


def _run_sync_in_worker_thread(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run_sync_in_worker_thread(cls: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        job = Job(func, awaited=True)
        return await _watched(job, original(cls, job, *args, **kwargs))

    return run_sync_in_worker_thread


def _run_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run_sync(sync_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        job = Job(sync_fn, awaited=True)
        return await _watched(job, original(job, *args, **kwargs))

    return run_sync


async def _watched(job: Job, running: Awaitable[Any]) -> Any:
    __tracebackhide__ = True
    job.works()
    try:
        return await running
    finally:
        job.ends()
