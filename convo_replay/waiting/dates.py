"""The dates that backoff reads: `max_time` is measured by `datetime.now()`, which asks no clock of `time`."""

from __future__ import annotations

import datetime
from types import ModuleType
from typing import Any

from convo_replay.waiting import clocks


class _Moved(datetime.datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        moved = clocks.timeline().skipped
        if moved and clocks.skipping("backoff") is None:
            moved = 0.0
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=moved)


def moved(_: Any) -> ModuleType:
    """The module `datetime` with a `datetime.now()` that agrees with what was skipped in this thread."""
    module = ModuleType("datetime", datetime.__doc__)
    vars(module).update({**vars(datetime), "datetime": _Moved})
    return module
