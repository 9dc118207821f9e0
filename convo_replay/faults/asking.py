"""A fault asked for what it makes of an answer. One of another package may raise, or answer with nothing: that is an
error which says whose it is, and no internal one of whoever asked."""

from __future__ import annotations

import traceback
from typing import Any

from convo_replay.exchange import End, Exchange, Steps
from convo_replay.faults.fault import Fault


class BrokenFault(ValueError):
    """A fault does not do what `Fault` promises; says which, where, and what is expected of it."""


def fits(fault: Fault, exchange: Exchange) -> str:
    """Why an answer cannot have the fault; empty where it can.

    Raises:
        BrokenFault: the fault cannot say it.
    """
    try:
        said: Any = fault.fits(exchange)
    except Exception as error:
        raise _raised(fault, "fits", error) from error
    if not isinstance(said, str):
        raise BrokenFault(f"{_of(fault)}: fits() returned {said!r}, expected the reason why it does not fit, or ''")
    return said


def apply(fault: Fault, before: Steps, after: Steps, exchange: Exchange) -> Steps:
    """The steps that the fault makes of an answer.

    Raises:
        BrokenFault: the fault makes none.
    """
    try:
        steps: Any = fault.apply(before, after, exchange)
    except Exception as error:
        raise _raised(fault, "apply", error) from error
    if not isinstance(steps, tuple) or not steps or not isinstance(steps[-1], End):
        got = "a tuple without an End" if isinstance(steps, tuple) else type(steps).__name__
        raise BrokenFault(f"{_of(fault)}: apply() returned {got}, expected a tuple: Head? Chunk* End")
    return steps


def _raised(fault: Fault, method: str, error: Exception) -> BrokenFault:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return BrokenFault(f"{_of(fault)}: {method}() raised {said} at {frame.filename}:{frame.lineno}; it may not raise")


def _of(fault: Fault) -> str:
    return f"fault {fault.name} ({type(fault).__module__}.{type(fault).__name__})"
