"""What a test says it expects: the exception of a fault that `pytest.raises` takes was not swallowed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest

from convo_replay import nesting
from convo_replay.errors import ConvoFailure


def watch() -> Callable[[], None]:
    """From now on the conversation that is open hears of it; gives what takes that back."""
    undo = [_watch(kind) for kind in (pytest.RaisesExc, pytest.RaisesGroup)]
    return lambda: [take_back() for take_back in undo][-1]


def _watch(kind: Any) -> Callable[[], None]:
    original = kind.__exit__

    def leave(
        self: Any, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        __tracebackhide__ = True
        taken = bool(original(self, cls, error, traceback))
        if taken and error is not None:
            with contextlib.suppress(ConvoFailure):  # several are open, and nothing tells whose this is
                conversation = nesting.current()
                if conversation is not None:
                    conversation.asserted(error)
        return taken

    def take_back() -> None:
        if kind.__exit__ is leave:
            kind.__exit__ = original

    kind.__exit__ = leave
    return take_back
