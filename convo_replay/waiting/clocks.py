"""The clocks that agree with what was skipped.

Each thread has a timeline: the seconds that were skipped in it. What retry code reads of `time` is
moved by them; everybody else reads the real clocks. They are replaced with the first skipped wait,
not before, so that a cassette whose client never waits costs nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from convo_replay import nesting
from convo_replay.errors import ConvoFailure

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.waiting.jobs import Job

_monotonic = time.monotonic
_SECONDS = ("monotonic", "time", "perf_counter")
_NANOSECONDS = ("monotonic_ns", "time_ns", "perf_counter_ns")


class LoopClock(Protocol):
    """The clock of an event loop: `ahead` are the seconds by which it was moved."""

    ahead: float


class Timeline:
    """The seconds skipped in one thread."""

    __slots__ = ("job", "skipped")

    def __init__(self) -> None:
        self.skipped = 0.0
        self.job: Job | None = None
        """What the thread is doing for another one."""


class Work(NamedTuple):
    """What a thread had computed at some moment."""

    thread: int
    seconds: float
    """Of processor time."""


class _Here(threading.local):
    def __init__(self) -> None:
        self.timeline = Timeline()


_here = _Here()
_lock = threading.RLock()
_active = False
_skipped = 0.0
"""Seconds, by all threads, ever."""
_placed: list[tuple[str, Any, Any]] = []


def timeline() -> Timeline:
    """That of this thread."""
    return _here.timeline


def now() -> float:
    """Seconds: the real monotonic clock, and with it what was skipped, in whatever thread.

    For what happens in one thread, or in several that wait for each other, that is the time that
    would have passed. What threads skip side by side adds up.
    """
    return _monotonic() + _skipped


def begin() -> None:
    """Cassettes replay from now on; nothing is skipped yet, in any thread."""
    global _active
    _active = True


def end() -> None:
    """No cassette replays any more: the clocks of `time` are what they were, whoever reads them."""
    global _active, _here
    with _lock:
        _active, _here = False, _Here()
        while _placed:
            name, standin, original = _placed.pop()
            if getattr(time, name) is standin:
                setattr(time, name, original)


def is_active() -> bool:
    """Whether a cassette replays."""
    return _active


def advance(seconds: float, clock: LoopClock | None, whose: Timeline | None = None) -> None:
    """Moves a thread's timeline (this one's by default), and with it the clock of the loop that runs there."""
    global _skipped
    with _lock:
        if whose is None:
            whose = _here.timeline
            _skipped += seconds
        if not _active:
            return
        whose.skipped += seconds
        if clock is not None:
            clock.ahead += seconds
        if not _placed:
            _place()


def skipping(module: str) -> Conversation | None:
    """The conversation in which waits that `module` asks for here and now are skipped, and its clocks moved."""
    try:
        conversation = nesting.current()
    except ConvoFailure:  # several are open, and nothing tells whose this is
        return None
    return conversation if conversation is not None and conversation.skips(module) else None


def module_of(frame: FrameType) -> str:
    """The module whose code runs in a frame."""
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


class _Standin:
    """A clock of `time`. No function: where a class holds it, it must not become a method."""

    def __init__(self, original: Callable[[], Any], moved: Callable[[float], Any]) -> None:
        self._original = original
        self._moved = moved
        self.__name__ = self.__qualname__ = original.__name__
        self.__doc__ = original.__doc__

    def __call__(self) -> Any:
        skipped = _here.timeline.skipped
        if not skipped or skipping(module_of(sys._getframe(1))) is None:
            return self._original()
        return self._original() + self._moved(skipped)

    def __repr__(self) -> str:
        return repr(self._original)


def _place() -> None:
    for names, moved in ((_SECONDS, float), (_NANOSECONDS, lambda skipped: round(skipped * 1e9))):
        for name in names:
            original = getattr(time, name)
            standin = _Standin(original, moved)
            setattr(time, name, standin)
            _placed.append((name, standin, original))
