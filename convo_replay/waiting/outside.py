"""Work outside a loop that takes real time: jobs of its executor, sockets and pipes.

A loop whose clock moves would come to the deadlines around such work at once. So the work gets some
real time first, once: what lasts longer is taken for something that waits itself (a poller, a
connection that is kept alive), and holds nothing up any more.
"""

from __future__ import annotations

import weakref
from asyncio import AbstractEventLoop, Future
from collections.abc import Hashable
from time import monotonic
from typing import Any

JOB = 0.5
"""Seconds that a job of an executor gets."""
STREAM = 0.05
"""Seconds that something may take to come in through a socket or a pipe."""

_jobs: weakref.WeakKeyDictionary[AbstractEventLoop, weakref.WeakSet[Future[Any]]] = weakref.WeakKeyDictionary()


def note(loop: AbstractEventLoop, job: Future[Any]) -> None:
    """Keeps in mind a job that a loop gave to an executor."""
    _jobs.setdefault(loop, weakref.WeakSet()).add(job)


class Outside:
    """What a loop may be waiting for that does not come by moving a clock."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._until: dict[Hashable, float] = {}

    def patience(self, selector: Any) -> float:
        """Seconds to wait for real before the clock is moved; 0 where all had their time."""
        loop = self._loop()
        work: dict[Hashable, float] = dict.fromkeys(_streams(loop, selector), STREAM)
        if loop is not None:
            work |= {id(job): JOB for job in _jobs.get(loop, ()) if not job.done()}
        if not work:
            return 0.0
        now = monotonic()
        self._until = {one: self._until.get(one, now + seconds) for one, seconds in work.items()}
        return max(0.0, *[until - now for until in self._until.values()])

    def heard(self, ready: list[Any]) -> None:
        """Something came in: where it did, more may."""
        if self._until:
            for key, _ in ready:
                self._until.pop((key.fd, id(key.data)), None)


def _streams(loop: AbstractEventLoop | None, selector: Any) -> list[Hashable]:
    found = selector.get_map() if hasattr(selector, "get_map") else None
    if not found or len(found) == 1:  # the pipe that the loop is woken by
        return []
    own = getattr(loop, "_ssock", None)
    return [(key.fd, id(key.data)) for key in found.values() if key.fileobj is not own]
