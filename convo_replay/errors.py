"""Every exception, and the sentences a user reads.

Two families, for a reason (design.md §2.5): what is raised *during a call* of the application is a
`BaseException`, because applications catch `Exception`, and the SDKs retry and rewrap it, so that a
miss would arrive as "Connection error." after 1.3 s. What is raised while opening, saving or
reading a file is an ordinary `Exception`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any


class ConvoFailure(BaseException):
    """The conversation cannot go on: raised out of the application's own call."""


class CassetteMiss(ConvoFailure):
    """The application sent a request that the cassette does not answer."""


class InvalidTurn(ConvoFailure):
    """The application sent a request that the API would reject."""


class CassetteError(Exception):
    """A cassette cannot be read or written. Names file, line and reason.

    A file that raises this is left as it is: never taken for empty, never overwritten.
    """

    def __init__(self, path: object, reason: str, line: int | None = None) -> None:
        self.path = str(path)
        self.line = line
        from convo_replay.shown import quoted

        self.reason = reason = quoted(reason)
        where = f"{self.path}:{line}" if line is not None else self.path
        super().__init__(f"{where}: {reason}")

    def __reduce__(self) -> tuple[type[CassetteError], tuple[str, str, int | None]]:
        return type(self), (self.path, self.reason, self.line)


_IN_A_NAME = 'it is in the name of the test; give the parameter a name of its own, `pytest.param(…, id="…")`'


class LeakFound(Exception):
    """A secret would have reached the file; nothing was written. Never holds the value."""

    def __init__(self, path: object, places: Sequence[tuple[str, str]]) -> None:
        self.path = str(path)
        self.places = tuple(places)
        """Pairs of (class, where): `("anthropic-key", "exchanges[2].response")`."""
        shown = "\n".join(f"  {cls} in {where}" for cls, where in self.places[:10])
        more = f"\n  … and {len(self.places) - 10} more" if len(self.places) > 10 else ""
        named = [cls for cls, where in self.places if where.endswith(".test")]
        lines = [f"{', '.join(dict.fromkeys(named))}: {_IN_A_NAME}"] if named else []
        lines += resolving(dict.fromkeys(cls for cls, where in self.places if not where.endswith(".test")))
        advice = "\n".join(f"  {line}" for line in lines)
        super().__init__(
            f"{self.path}: not saved, it would hold {len(self.places)} secret(s):\n{shown}{more}\n"
            f"What resolves it:\n{advice}\n"
            "Nothing was written; the previous cassette is untouched."
        )

    def __reduce__(self) -> tuple[type[LeakFound], tuple[str, tuple[tuple[str, str], ...]]]:
        return type(self), (self.path, self.places)


raised_as: dict[type[ConvoFailure], type[ConvoFailure]] = {}
"""What is raised in place of each class. The pytest plugin puts subclasses here that are also
`pytest.fail.Exception`, so that finalizers run and hypothesis shrinks; the core knows no pytest."""


def failure(kind: type[ConvoFailure], text: str, **attributes: Any) -> ConvoFailure:
    """An instance of `kind`, or of what the test runner raises in its place."""
    made = raised_as.get(kind, kind)(text)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


# --- sentences -------------------------------------------------------------------------------------


def called_from() -> str:
    """Where the application made the call: its innermost frame outside installed packages and of us."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        name = str(frame.f_globals.get("__name__", ""))
        if not _is_machinery(file, name):
            return f"\ncalled from {shown_path(file)}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def _is_machinery(file: str, module: str) -> bool:
    if module.partition(".")[0] in _MACHINERY or file.startswith("<"):
        return True
    parts = file.replace("\\", "/")
    return "/site-packages/" in parts or "/dist-packages/" in parts or parts.startswith(_STDLIB)


_MACHINERY = frozenset({"convo_replay", "_pytest", "pytest", "pluggy", "httpx", "httpx2", "httpcore", "httpcore2"})
_STDLIB = os.path.dirname(os.__file__).replace("\\", "/") + "/"  # noqa: PTH120 - pathlib would be imported for one call


def shown_path(file: str) -> str:
    """A path as a person would type it: relative to the current directory where it lies below."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else relative


def ambiguous(names: Sequence[str]) -> str:
    """Several conversations are open that do not nest."""
    return (
        "which cassette is this request for? Open are " + ", ".join(names) + ", and none of them is open in this "
        "thread's context. Open the cassette in the thread that makes the call, or start the thread with "
        "`contextvars.copy_context().run`."
    )


def over_budget(limit: int, url: str) -> str:
    """The session's live requests are used up."""
    return (
        f"not sent: {url} would be live request number {limit + 1} of this session and max_requests is {limit}. "
        "Raise it with --convo-max-requests=N or `max_requests=N` if that many calls are meant."
    )


def refused(url: str, host: str, cassette: object) -> str:
    """A request that is not ours, in mode none."""
    where = f" ({cassette})" if cassette else ""
    return (
        f"refused: {url} is not in the cassette{where} and mode 'none' sends nothing to the network.\n"
        f"To let it through: passthrough=[{host!r}]. "
        f"To record it: intercept=[{host!r}] and a recording mode."
    )


HANGS = (
    "stopped: the answer stalls and the client has no read timeout, so it would wait for ever. "
    "Give the client one: `timeout=60.0`."
)


def storm(much: str) -> str:
    """The client goes on asking."""
    return f"stopped: {much} without coming to an end. Limit the retries, in number or in time."


def failed_recording(cassette: object, rerecord: str) -> str:
    """What was played had been recorded by a run that failed."""
    return (
        f"{cassette}: what was played was recorded by a test that failed, its errors included. "
        f"Record it again: {rerecord.replace('rewrite', 'once')}"
    )


def unplayed(cassette: object, left: Sequence[Any], count: int, rerecord: str) -> str:
    """Recorded exchanges that nothing asked for: `count` of them, the first in `left`, as anyone may see it."""
    first = left[0].request
    return (
        f"{cassette}: {count} recorded exchange(s) were not asked for, the first is {first.method} {first.url}. "
        f"Record anew ({rerecord}) or say unplayed='ignore'."
    )


_RESOLVED_BY = {
    "identity": "`redact={{{kept}}}` if it may be in the file; else take it out in `before_record`",
    "value": "name the whole value in `secrets=[…]` (a string, a compiled pattern or a function from text to spans), "
    "or take it out in `before_record`",
    "secret": "`secrets=[…]` finds it in what is redacted already: let it span the whole value, or take it out in "
    "`before_record`",
    "env": "a variable of the environment has this value: take it out in `before_record`",
    "header": "`before_record` adds a header that is never recorded: leave it out",
}


def resolving(classes: Iterable[str]) -> list[str]:
    """Which setting takes what was found out of the file, or lets it in: a line for the classes of each answer."""
    from convo_replay.redaction.classes import BY_NAME
    from convo_replay.redaction.overriding import gives_access

    alike: dict[str, list[str]] = {}
    for cls in classes:
        identity = cls in BY_NAME and not gives_access(cls)
        alike.setdefault("identity" if identity else cls if cls in _RESOLVED_BY else "value", []).append(cls)
    lines = []
    for kind, named in alike.items():
        kept = ", ".join(f"{cls!r}: 'keep'" for cls in named)
        lines.append(f"{', '.join(named)}: {_RESOLVED_BY[kind].format(kept=kept)}")
    return lines


_REMARKS = 3


def miss(
    *,
    what: str,
    line: str,
    cassette: object,
    exists: bool,
    mode: str,
    exchanges: int,
    nearest: str,
    played: bool,
    differences: Sequence[str],
    rerecord: str,
    repeats: str = "repeats=True",
    remarks: Sequence[str] = (),
    elsewhere: Sequence[str] = (),
    branch: str = "",
) -> str:
    """Nothing answers a request: which turn, what is nearest, what differs, what to do.

    Args:
        remarks: what validation warns of in the request.
        elsewhere: cassettes that are nearly named or placed so, where this one does not exist.
        branch: the faults after which the same was recorded.
    """
    out = [f"{what} is not in the cassette" + (f": {line}" if line != what else "")]
    if not exists:
        out.append(f"there is no such cassette yet: no file {cassette}")
        if elsewhere:
            out.append(f"near it: {', '.join(elsewhere)} (was the test renamed or moved? then move its cassette, too)")
        else:
            out.append("if it was recorded, it is not here: was it committed, and is this the path that is meant?")
    elif not exchanges:
        out.append("the cassette holds no exchange")
    elif played:
        out.append(f"it equals {nearest}, which has been played already: the request was sent more often than recorded")
        out.append(f"if that is meant: {repeats}")
    elif nearest:
        out.append(f"nearest recorded: {nearest}; it differs in")
        out += [f"  {difference}" for difference in differences] or ["  a custom matcher of match_on"]
    out += _elsewhere(branch)
    out += [f"by the way: {remark}" for remark in remarks[:_REMARKS]]
    out.append(f"cassette: {cassette} (mode {mode!r})")
    record = rerecord if exists and exchanges else rerecord.replace("rewrite", "once")
    out.append(f"to record: {record}")
    return "\n".join(out)


def _elsewhere(branch: str) -> list[str]:
    return [f"the same is recorded as a branch after {branch}, and is played after that alone"] if branch else []


def diverged(
    *,
    what: str,
    line: str,
    cassette: object,
    nearest: str,
    played: bool,
    differences: Sequence[str],
    record: str,
    branch: str = "",
) -> str:
    """After a fault the client asked for something that was not recorded; `branch`: but was after these faults."""
    out = [f"after the fault the client sent {what}, which nothing answers" + (f": {line}" if line != what else "")]
    if nearest and not played:
        out.append(f"nearest recorded: {nearest}; it differs in")
        out += [f"  {difference}" for difference in differences] or ["  a custom matcher of match_on"]
    out += _elsewhere(branch)
    out.append(f"cassette: {cassette}")
    out.append(f"if the client is meant to do so (another model, a continuation), record it as a branch: {record}")
    return "\n".join(out)
