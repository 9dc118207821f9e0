"""The event loop that runs in this thread, if one does, and its clock; asyncio and trio are imported by their users."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from convo_replay.waiting import clocks
from convo_replay.waiting.clocks import LoopClock, Work


def running() -> tuple[Any, Any]:
    """The module of ours for the loop that runs here, and the loop."""
    if "trio" in sys.modules:
        from convo_replay.waiting import trio_clock

        run = trio_clock.running()
        if run is not None:
            return trio_clock, run
    if "asyncio" in sys.modules:
        from convo_replay.waiting import asyncio_clock

        loop = asyncio_clock.running()
        if loop is not None:
            return asyncio_clock, loop
    return None, None


def clock() -> LoopClock | None:
    """The clock of the loop that runs here; `None` where none runs, or it cannot be moved."""
    module, loop = running()
    found: LoopClock | None = None if module is None else module.clock_of(loop)
    return found


def work() -> Work | None:
    """What this thread has computed so far; `None` where a loop runs in it: there others compute as well."""
    return None if running()[0] is not None else Work(threading.get_ident(), time.thread_time())


def skip(seconds: float) -> None:
    """Skips a wait in this thread, and for whoever waits for this thread."""
    mine = clocks.timeline()
    here = clock()
    if mine.job is not None and here is None:
        moved = mine.job.pause(seconds)
        if moved:
            mine.skipped += moved
            return
    clocks.advance(seconds, here)


def can_move() -> bool:
    """Whether the loop that runs here can be moved; without one, nothing stands in the way."""
    module, loop = running()
    return module is None or bool(module.can_move(loop))


async def pause(seconds: float) -> None:
    """Skips a wait on the running loop; where its clock cannot be moved, waits."""
    module, _ = running()
    if module is None:
        raise RuntimeError("no running event loop of asyncio or trio")
    await module.pause(seconds)


def rest() -> None:
    """Takes back what was put into loops."""
    for name in ("asyncio_clock", "trio_clock"):
        module = sys.modules.get(f"{__package__}.{name}")
        if module is not None:
            module.rest()
