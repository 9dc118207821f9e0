"""Work outside a loop that takes real time: jobs in threads, sockets and pipes.

A loop whose clock moves would come to the deadlines around such work at once. So the work gets some
real time first, once: what lasts longer is taken for something that waits itself (a poller, a
connection that is kept alive), and holds nothing up any more.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterable
from time import monotonic
from typing import Any

JOB = 0.5
"""Seconds that a job in a thread gets."""
STREAM = 0.05
"""Seconds that something may take to come in through a socket or a pipe."""

_jobs: weakref.WeakKeyDictionary[Any, set[object]] = weakref.WeakKeyDictionary()


def started(loop: Any, job: object) -> None:
    """A loop of asyncio, or a run of trio, waits for a job in another thread."""
    _jobs.setdefault(loop, set()).add(job)


def finished(loop: Any, job: object) -> None:
    """It does no more: it knows how the job ended, or that asks for a wait itself."""
    _jobs.get(loop, set()).discard(job)


class Outside:
    """What a loop may be waiting for that does not come by moving a clock."""

    def __init__(self, loop: Any) -> None:
        self._loop = weakref.ref(loop)
        self._until: dict[Hashable, float] = {}

    def patience(self, streams: Iterable[Hashable]) -> float:
        """Seconds to wait for real before the clock is moved; 0 where all had their time."""
        work = dict.fromkeys(streams, STREAM)
        loop = self._loop()
        if loop is not None:
            work |= dict.fromkeys(map(id, list(_jobs.get(loop, ()))), JOB)
        if not work:
            return 0.0
        now = monotonic()
        self._until = {one: self._until.get(one, now + seconds) for one, seconds in work.items()}
        return max(0.0, *[until - now for until in self._until.values()])

    def heard(self, streams: Iterable[Hashable]) -> None:
        """Something came in: where it did, more may."""
        for one in streams:
            self._until.pop(one, None)
