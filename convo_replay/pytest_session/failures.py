"""Our failures as pytest reports them: the text on top, then where in the user's code the call was made.

What is raised is also a `pytest.fail.Exception`. With a plain `BaseException` pytest skips finalizers
and breaks cached fixtures, and hypothesis does not shrink; an `Exception` the SDKs would retry.
"""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest._code.code import (  # the only types of a `longrepr` that pass through xdist
    ExceptionRepr,
    ReprEntry,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)
from _pytest.outcomes import Exit, Failed

from convo_replay import errors
from convo_replay.errors import CassetteMiss, ConvoFailure, InvalidTurn

_INSTALLED = tuple({str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = str(Path(errors.__file__).parent)

Place = tuple[str, int, str]
"""A file, a line, a function."""


class Reported(ConvoFailure, Failed):
    """Remembers who called: its traceback ends where somebody swallowed it, which may be far from the test."""

    def __init__(self, msg: str | None = None, pytrace: bool = True) -> None:
        super().__init__(msg, pytrace)
        self.places: list[Place] = list(_places(sys._getframe(1)))[::-1]
        self.besides: list[BaseException] = []
        """What else was raised in the phase that fails with this."""


def _named(kind: type[ConvoFailure]) -> type[ConvoFailure]:
    # `CassetteMiss` in a report, not `Reported`; and an `except CassetteMiss` still holds.
    bases = (Reported,) if kind is ConvoFailure else (Reported, kind)
    return type(kind.__name__, bases, {"__module__": "convo_replay", "__doc__": kind.__doc__})


def install() -> None:
    """From now on every failure of ours is a failure of pytest's, too."""
    if not errors.raised_as:
        errors.raised_as.update({kind: _named(kind) for kind in (ConvoFailure, CassetteMiss, InvalidTurn)})


def _places(frame: FrameType | None) -> Iterator[Place]:
    """The frames of the user's own code below the test runner's, the innermost first."""
    while frame is not None and not str(frame.f_globals.get("__name__", "")).startswith("_pytest."):
        file = frame.f_code.co_filename
        if not file.startswith(("<", _OURS)) and not is_installed(file):
            yield file, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back


def is_installed(file: str) -> bool:
    return file.startswith(_INSTALLED) or "site-packages" in file or "dist-packages" in file


def find(error: BaseException | None) -> ConvoFailure | None:
    """A failure of ours that an exception is, or that a group holds."""
    if isinstance(error, ConvoFailure):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for part in error.exceptions if (found := find(part))), None)
    return None


def origin(error: BaseException | None) -> ConvoFailure | None:
    """The failure of ours that an exception is, or was raised because of."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ConvoFailure):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def is_ours(error: BaseException) -> bool:
    """Whether an exception is a failure of ours, or what somebody made of one."""
    return isinstance(error, ConvoFailure) or isinstance(error.__cause__, ConvoFailure)


def beside(failure: ConvoFailure, raised: Iterable[BaseException]) -> ConvoFailure:
    """The failure, which remembers what else was raised."""
    if isinstance(failure, Reported):
        failure.besides += [leaf for error in raised for leaf in _others(error) if leaf is not failure]
    return failure


def _others(error: BaseException, grouped: bool = False) -> Iterator[BaseException]:
    # Group by group: pytest 8.4 cannot show a group that was raised in its own frames.
    if isinstance(error, BaseExceptionGroup) and not is_ours(error):
        for part in error.exceptions:
            yield from _others(part, True)
        return
    several = grouped and isinstance(error, Reported)  # hypothesis has found them
    if several or (not is_ours(error) and error.__traceback__ is not None):
        yield error


def finalize(fixturedef: pytest.FixtureDef[Any], down_to: int) -> list[BaseException]:
    """Runs the finalizers of a fixture but for the first `down_to`; returns what they raised.

    pytest raises a group where several fail. One that holds a failure of ours is no `Exception`, and
    then it runs no further finalizer of any fixture (pytest 9.2, `SetupState.teardown_exact`).
    """
    raised: list[BaseException] = []
    while len(fixturedef._finalizers) > down_to:
        try:
            fixturedef._finalizers.pop()()
        except (KeyboardInterrupt, Exit):
            raise
        except BaseException as error:
            raised.append(error)
    return raised


def raise_one(raised: Sequence[BaseException]) -> None:
    """Raises what was raised as one exception: a failure of ours before all others."""
    __tracebackhide__ = True
    ours = next((found for error in raised if (found := find(error))), None)
    if ours is not None:
        raise beside(ours, raised)
    if len(raised) == 1:
        raise raised[0]
    if raised:
        raise BaseExceptionGroup("errors while tearing down a fixture", raised[::-1])


def without(error: BaseException, unwanted: Callable[[BaseException], bool]) -> BaseException | None:
    """An exception less the parts of a group for which `unwanted(part)` holds; `None` if nothing is left."""
    if unwanted(error):
        return None
    if isinstance(error, BaseExceptionGroup):
        rest: BaseException | None = error.split(unwanted)[1]
        return rest
    return error


def longrepr(failure: ConvoFailure, item: pytest.Item) -> ReprExceptionInfo:
    """What a report shows: the text, the calls of the user's code that led there, what else was raised."""
    rootpath = item.config.rootpath
    lines, entries = _told(failure, rootpath)
    for error in getattr(failure, "besides", ()):
        entries.append(ReprEntry(["", "E   The same phase raised, too:"], None, None, None, "short"))
        if isinstance(error, Reported):
            entries += _told(error, rootpath)[1]
            continue
        shown = item.repr_failure(pytest.ExceptionInfo.from_exception(error))
        if isinstance(shown, ExceptionRepr):
            entries += shown.reprtraceback.reprentries
        else:
            entries.append(ReprEntry([f"E   {line}" for line in str(shown).splitlines()], None, None, None, "short"))
    places: list[Place] = getattr(failure, "places", [])
    file, line, _ = places[-1] if places else (str(item.path), (item.location[1] or 0) + 1, "")
    crash = ReprFileLocation(_shown(file, rootpath), line, lines[0])
    return ReprExceptionInfo(ReprTraceback(entries, None, "short"), crash)


def _told(failure: ConvoFailure, rootpath: Path) -> tuple[list[str], list[Any]]:
    """The lines of one failure, and they and its places as entries of a traceback."""
    lines = str(failure).splitlines() or [""]
    lines[0] = f"{type(failure).__name__}: {lines[0]}"
    lines += getattr(failure, "__notes__", ())
    entries: list[Any] = [ReprEntry([f"E   {line}" for line in lines], None, None, None, "short")]
    places: list[Place] = getattr(failure, "places", [])
    for file, line, function in places:
        source = linecache.getline(file, line).strip()
        location = ReprFileLocation(_shown(file, rootpath), line, f"in {function}")
        entries.append(ReprEntry([f"    {source}"] if source else [], None, None, location, "short"))
    return lines, entries


def _shown(file: str, rootpath: Path) -> str:
    try:
        return str(Path(file).relative_to(rootpath))
    except ValueError:
        return file
