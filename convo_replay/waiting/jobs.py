"""What is skipped in a thread that works for another one passes for that one, too.

`asyncio.to_thread(client.messages.create, …)` may skip a minute in its thread; a deadline around it
is due then, and a retry of the whole must know. So a job starts with the timeline of whoever gave
it, and where it ends ahead of that, that one catches up. Jobs side by side do not add up.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from convo_replay.waiting import clocks, loops, outside

if TYPE_CHECKING:
    from convo_replay.transports.patching import Patches


class _Job:
    """A function that is called in another thread, once or more often."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._timeline = clocks.timeline()
        self._began = self._timeline.skipped
        self._module, self._loop = loops.running()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mine = clocks.timeline()
        mine.skipped = max(mine.skipped, self._began)
        try:
            return self._function(*args, **kwargs)
        finally:
            more = mine.skipped - self._timeline.skipped
            if more > 0:
                clock = None if self._module is None else self._module.clock_of(self._loop)
                clocks.advance(more, clock, self._timeline)

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
        return original(self, _Job(fn), *args, **kwargs)

    return submit


def _run_in_executor(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_in_executor(self: Any, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = original(self, executor, func, *args)
        outside.started(self, future)
        future.add_done_callback(lambda done: outside.finished(self, done))
        return future

    return run_in_executor


def _run_sync_in_worker_thread(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run_sync_in_worker_thread(cls: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await _in_thread(original, (cls, _Job(func), *args), kwargs)

    return run_sync_in_worker_thread


def _run_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run_sync(sync_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await _in_thread(original, (_Job(sync_fn), *args), kwargs)

    return run_sync


async def _in_thread(original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    job = object()
    _, loop = loops.running()
    outside.started(loop, job)
    try:
        return await original(*args, **kwargs)
    finally:
        outside.finished(loop, job)
