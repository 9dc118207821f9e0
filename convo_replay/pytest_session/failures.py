"""Our failures as pytest reports them: the text on top, then where in the user's code the call was made.

What is raised is also a `pytest.fail.Exception`. With a plain `BaseException` pytest skips finalizers
and breaks cached fixtures, and hypothesis does not shrink; an `Exception` the SDKs would retry.
"""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from _pytest._code.code import (  # the only types of a `longrepr` that pass through xdist
    ReprEntry,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)
from _pytest.outcomes import Failed

from convo_replay import errors
from convo_replay.errors import CassetteMiss, ConvoFailure, InvalidTurn

_INSTALLED = tuple({str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = str(Path(errors.__file__).parent)

Place = tuple[str, int, str]
"""A file, a line, a function."""


class _Reported(ConvoFailure, Failed):
    """Remembers who called: its traceback ends where somebody swallowed it, which may be far from the test."""

    def __init__(self, msg: str | None = None, pytrace: bool = True) -> None:
        super().__init__(msg, pytrace)
        self.places: list[Place] = list(_places(sys._getframe(1)))[::-1]


def _named(kind: type[ConvoFailure]) -> type[ConvoFailure]:
    # `CassetteMiss` in a report, not `_Reported`; and an `except CassetteMiss` still holds.
    bases = (_Reported,) if kind is ConvoFailure else (_Reported, kind)
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


def without(error: BaseException, unwanted: Callable[[BaseException], bool]) -> BaseException | None:
    """An exception less the parts of a group for which `unwanted(part)` holds; `None` if nothing is left."""
    if unwanted(error):
        return None
    if isinstance(error, BaseExceptionGroup):
        rest: BaseException | None = error.split(unwanted)[1]
        return rest
    return error


def longrepr(failure: ConvoFailure, rootpath: Path, besides: object = None) -> ReprExceptionInfo:
    """What a report shows: the text, the calls of the user's code that led there, what else was raised.

    Args:
        besides: the representation of another exception of the same phase, if there was one.
    """
    places: list[Place] = getattr(failure, "places", [])
    text = str(failure)
    lines = text.splitlines() or [""]
    lines[0] = f"{type(failure).__name__}: {lines[0]}"
    lines += getattr(failure, "__notes__", ())
    entries: list[Any] = [ReprEntry([f"E   {line}" for line in lines], None, None, None, "short")]
    for file, line, function in places:
        source = linecache.getline(file, line).strip()
        location = ReprFileLocation(_shown(file, rootpath), line, f"in {function}")
        entries.append(ReprEntry([f"    {source}"] if source else [], None, None, location, "short"))
    if besides is not None and isinstance(getattr(besides, "reprtraceback", None), ReprTraceback):
        title = "E   The same phase raised, too:"
        entries.append(ReprEntry(["", title], None, None, None, "short"))
        entries += besides.reprtraceback.reprentries  # type: ignore[attr-defined]
    file, line, _ = places[-1] if places else ("", 0, "")
    crash = ReprFileLocation(_shown(file, rootpath), line, lines[0])
    return ReprExceptionInfo(ReprTraceback(entries, None, "short"), crash)


def _shown(file: str, rootpath: Path) -> str:
    try:
        return str(Path(file).relative_to(rootpath))
    except ValueError:
        return file
