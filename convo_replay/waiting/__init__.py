"""Waits of retry code are not waited while a cassette replays: they are put on record, and clocks move.

Four functions are stood in for, `time.sleep`, `asyncio.sleep`, `anyio.sleep` and `trio.sleep`, for
callers that retry requests (`pauses.RETRY_MODULES`) or that `retry_modules` names; any other caller waits.
What was skipped moves the clocks that the same callers read (`clocks.py`) and the clock of the event
loop that runs there (`asyncio_clock.py`, `trio_clock.py`), so that deadlines come when they would
have come.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING

from convo_replay.waiting import clocks, dates, jobs, loops, standins
from convo_replay.waiting.clocks import now
from convo_replay.waiting.loops import work

if TYPE_CHECKING:
    from convo_replay.transports.patching import Patches

__all__ = ["async_wait", "can_skip", "install", "now", "wait", "work"]


def install(patches: Patches) -> None:
    """Skip the waits of retry code, in whatever of asyncio, anyio and trio is imported, until `patches` is undone."""
    clocks.begin()
    patches.when_undone(_take_back)
    patches.put(time, "sleep", standins.time_sleep)
    met: list[ModuleType] = []

    def asyncio_imported(module: ModuleType) -> None:
        patches.put(module, "sleep", standins.asyncio_sleep)

    def anyio_imported(_: ModuleType) -> None:
        package, inner = sys.modules.get("anyio"), sys.modules.get("anyio._core._eventloop")
        if package is None or inner is None or package in met:
            return
        names = vars(package)
        if "__getattr__" in names:  # gets its names when they are asked for
            names.setdefault("sleep", inner.sleep)
        if "sleep" in names:
            met.append(package)
            patches.put(package, "sleep", standins.anyio_sleep)

    def trio_imported(module: ModuleType) -> None:
        patches.put(module, "sleep", standins.trio_sleep)

    patches.when_imported("asyncio", asyncio_imported)
    patches.when_imported("anyio", anyio_imported)
    patches.when_imported("anyio._core._eventloop", anyio_imported)
    patches.when_imported("trio", trio_imported)
    jobs.install(patches)

    def backoff_imported(module: ModuleType) -> None:
        patches.put(module, "datetime", dates.moved)

    for name in ("backoff._sync", "backoff._async"):
        patches.when_imported(name, backoff_imported)


def wait(seconds: float) -> None:
    """Skips a wait in this thread: its clocks move, and those of the loop that runs in it."""
    loops.skip(max(0.0, seconds))


async def async_wait(seconds: float) -> None:
    """Skips a wait on the running loop (asyncio, trio), and lets happen first what is due earlier.

    Ends in a checkpoint, and where a deadline comes first, in its cancellation. Waits for real on a
    loop whose clock cannot be moved, see `can_skip`.
    """
    await loops.pause(max(0.0, seconds))


def can_skip() -> bool:
    """Whether a cassette replays, and the loop that runs here, if one does, has a clock that can be moved.

    uvloop has none, nor has a loop with a `time()` of its own.
    """
    return clocks.is_active() and loops.can_move()


def _take_back() -> None:
    loops.rest()
    clocks.end()
