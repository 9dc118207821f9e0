"""What `time.sleep` and its three relatives are while a cassette replays.

Each looks who calls. Retry code gets its wait put on record and skipped; anybody else, and a wait
that the original refuses (negative, no number), gets the original.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, SupportsIndex

from convo_replay.transports import patching
from convo_replay.waiting import clocks, loops

LONGEST = 9e9
"""Seconds; the clocks of the system know no longer waits."""

AsyncSleep = Callable[..., Awaitable[Any]]


def _caller() -> FrameType:
    """The frame that called the stand-in that asks, with or without a gate in front of it."""
    frame = sys._getframe(2)
    if frame.f_globals is vars(patching) and frame.f_back is not None:
        return frame.f_back
    return frame


def _skipped(seconds: object, frame: FrameType, function: str) -> float | None:
    """Seconds of a wait that is skipped, now on record; `None` where it is to be waited for.

    Raises:
        ConvoFailure: there have been too many.
    """
    module = clocks.module_of(frame)
    if module.startswith("anyio.") and frame.f_back is not None:  # hands on what it was asked for
        return _skipped(seconds, frame.f_back, function)
    conversation = clocks.skipping(module)
    if conversation is None or not isinstance(seconds, (int, float, SupportsIndex)):
        return None
    length = float(seconds)
    if not 0 < length <= LONGEST:
        return None
    from convo_replay.verdict.evidence import Wait

    failure = conversation.waited(Wait(length, module, function))
    if failure is not None:
        raise failure
    return length


def time_sleep(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """A `time.sleep`."""

    def sleep(seconds: Any) -> None:
        __tracebackhide__ = True
        length = _skipped(seconds, _caller(), "time.sleep")
        if length is None:
            original(seconds)
        else:
            loops.skip(length)

    return sleep


def asyncio_sleep(original: AsyncSleep) -> AsyncSleep:
    """An `asyncio.sleep`."""

    async def sleep(delay: Any, result: Any = None) -> Any:
        __tracebackhide__ = True
        length = _skipped(delay, _caller(), "asyncio.sleep")
        if length is None:
            return await original(delay, result)
        await loops.pause(length)
        return result

    return sleep


def anyio_sleep(original: AsyncSleep) -> AsyncSleep:
    """An `anyio.sleep`."""

    async def sleep(delay: Any) -> None:
        __tracebackhide__ = True
        length = _skipped(delay, _caller(), "anyio.sleep")
        await (original(delay) if length is None else loops.pause(length))

    return sleep


def trio_sleep(original: AsyncSleep) -> AsyncSleep:
    """A `trio.sleep`."""

    async def sleep(seconds: Any) -> None:
        __tracebackhide__ = True
        length = _skipped(seconds, _caller(), "trio.sleep")
        await (original(seconds) if length is None else loops.pause(length))

    return sleep
