"""Specs: which fault, where, how often (design.md §5).

`NAME[:ARG[,ARG…]][@WHERE][#MODEL][xTIMES]`. The times are read first, at the very end; then a `#` begins the model,
an `@` before it the place, a `:` before that the arguments. What a value or a model holds of the grammar's own
signs, and what has no place in the id of a test (white space, brackets, all that is not ASCII), is written as in
URLs: `%2B` for `+`. So `str()` of a spec is a good id, and `parse` reads it back.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from convo_replay.faults.fault import Fault

_PLACES = "@t1 (a turn), @t* (each turn), @5 (after 5 events), @b120 (at byte 120), @*, @b*, or both: @t1.5"
_TIMES = re.compile(r"x([0-9]+|\*)\Z")
_WHERE = re.compile(r"(?=.)(?:t([0-9]{1,9}|\*)(?:\.(?=.)|\Z))?(?:(b)?([0-9]{1,12}|\*))?")
_ESCAPED = re.compile(r"(?:%[0-9a-fA-F]{2})+|%")
_VALUE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:*()!$")
_MODEL = _VALUE | {"@"}


@dataclass(frozen=True)
class Where:
    """A place. What is not said is `None`: the first turn that fits, and no position."""

    turn: int | Literal["*"] | None = None
    position: int | Literal["*"] | None = None
    """A number of events or bytes; `*`: one run per position."""
    bytes: bool = False

    @classmethod
    def of(cls, position: int | str | None, turn: int | Literal["*"] | None = None) -> Where:
        """A place as people write it: `5`, `"b120"`, `"*"`, `"b*"`, or with the turn in it: `"t1.5"`.

        Raises:
            ValueError: the position is none of these.
        """
        said = [f"t{turn}"] if turn is not None else []
        said += [str(position)] if position is not None else []
        return cls.read(".".join(said)) if said else cls()

    @classmethod
    def read(cls, text: str) -> Where:
        """A place as in a spec, behind its `@`.

        Raises:
            ValueError: it is none.
        """
        found = _WHERE.fullmatch(text)
        if found is None:
            raise ValueError(f"@{text} is no place; expected {_PLACES}")
        return cls(_number(found[1]), _number(found[3]), bool(found[2]))

    def __str__(self) -> str:
        position = "" if self.position is None else f"{'b' * self.bytes}{self.position}"
        turn = "" if self.turn is None else f"t{self.turn}"
        return f"{turn}.{position}" if turn and position else turn or position


@dataclass(frozen=True)
class Spec:
    """One fault at a place. `str()` gives what `parse` reads.

    Attributes:
        model: hits turns of this model only, and then counts these alone.
        times: attempts that it hits, from the first one on; `None` for all of them.
        named: whether a status was written with its fault's name, `status:503`; nothing else depends on it.
    """

    fault: Fault
    where: Where = Where()
    model: str = ""
    times: int | None = 1
    named: bool = field(default=False, compare=False, repr=False)

    def __str__(self) -> str:
        where = str(self.where)
        text = written(self.fault, named=self.named)
        text += f"@{where}" if where else ""
        text += f"#{_quoted(self.model, _MODEL)}" if self.model else ""
        text = text.replace("::", ":%3A")
        if self.times != 1 or _TIMES.search(text):
            text += "x*" if self.times is None else f"x{self.times}"
        return text


@dataclass(frozen=True)
class Plan:
    """The faults of one run (`a+b`). `str()` gives what `parse` reads.

    Attributes:
        placed: whether turns are numbers among all recorded ones, as expansion gives them.
        drawn: whether hypothesis drew it: a fault that another one's exception kept from coming is no mistake then.
    """

    specs: tuple[Spec, ...]
    placed: bool = field(default=False, compare=False, repr=False)
    drawn: bool = field(default=False, compare=False, repr=False)

    def __str__(self) -> str:
        return "+".join(map(str, self.specs))

    def __repr__(self) -> str:
        return f"<Plan {self}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """hypothesis would show how it drew the plan."""
        printer.text(repr(self))


Given = str | Fault | Spec | Plan
"""What stands for faults, alone or in a list."""


def parse(given: Given | Sequence[Given]) -> tuple[Plan, ...]:
    """The runs that are asked for: a text with spaces, objects, or a list of both. `*` still stands for many.

    Raises:
        ValueError: what cannot be read, where in it, and what would do.
    """
    if isinstance(given, str):
        if not given.strip():
            raise ValueError('faults are a text such as "429 cut:eof@*"; got an empty one')
        return tuple([_plan(text) for text in given.split()])
    if isinstance(given, Plan):
        return (_checked(given),)
    if isinstance(given, Spec):
        return (_checked(Plan((given,))),)
    if isinstance(given, Fault):
        return (_checked(Plan((Spec(given),))),)
    if isinstance(given, (list, tuple)):
        return tuple([plan for one in given for plan in parse(one)])
    raise ValueError(_no_spec(given))


def _no_spec(given: object) -> str:
    hint = ""
    if isinstance(given, int):
        hint = f'; write "{given}"'
    elif isinstance(given, type) and issubclass(given, Fault):
        hint = f"; write {given.__name__}(…)"
    return f'a fault is a text such as "429" or "cut:eof@5", or an object of convo_replay.faults; got {given!r}{hint}'


def written(fault: Fault, *, named: bool = False) -> str:
    """A fault with its settings, as in a spec.

    Args:
        named: `status:503` rather than `503`.
    """
    parts, gap = [], False
    told = {name: value for name, value, _ in fault.settings()}
    words = [name for name, one in fault.__dataclass_fields__.items() if one.metadata.get("word")]
    for name in words:
        # A word stands for the first setting that is free: behind one that is left out, it must name itself.
        if name in told:
            parts.append(f"{name}={_value(told[name])}" if gap else _value(told[name]))
        gap = gap or name not in told
    parts += [f"{name}={_value(value)}" for name, value in told.items() if name not in words]
    if fault.name == "status" and parts and parts[0].isdecimal() and not named:
        return ":".join([parts[0], *([",".join(parts[1:])] if parts[1:] else [])])
    return ":".join([fault.name, *([",".join(parts)] if parts else [])]).replace("::", ":%3A")


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).replace("e+", "e").removesuffix(".0")
    return _quoted(str(value), _VALUE)


def _quoted(text: str, safe: frozenset[str]) -> str:
    if safe.issuperset(text):
        return text
    return "".join(
        [
            sign if sign in safe else "".join([f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass")])
            for sign in text
        ]
    )


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(_decoded, text) if "%" in text else text


def _decoded(found: re.Match[str]) -> str:
    digits = found[0].replace("%", "")
    if digits:
        with contextlib.suppress(UnicodeDecodeError):
            return bytes.fromhex(digits).decode("utf-8", "surrogatepass")
    raise ValueError(
        f"{found[0]!r} is no escape: after % come two hexadecimal digits for each byte of a sign in UTF-8; "
        "% itself is %25"
    )


def _number(text: str | None) -> int | Literal["*"] | None:
    return None if text is None else "*" if text == "*" else int(text)


def _plan(text: str) -> Plan:
    return _checked(Plan(tuple([_spec(one, text) for one in text.split("+")])))


def _spec(text: str, whole: str) -> Spec:
    from convo_replay.faults.catalogue import read

    try:
        found = _TIMES.search(text)
        rest, times = (text[: found.start()], _times(found[1])) if found else (text, 1)
        rest, sharp, model = rest.partition("#")
        rest, at, where = rest.partition("@")
        name, colon, settings = rest.partition(":")
        if "," in name:
            raise ValueError(f"settings stand behind a colon ({name.replace(',', ':', 1)}), and faults apart by spaces")
        if early := _TIMES.search(name):
            raise ValueError(f"times stand at the very end: {name[: early.start()]}{text[len(name) :]}{early[0]}")
        if not name:
            raise ValueError("there is no name of a fault")
        if sharp and not model:
            raise ValueError("behind # there is no model")
        fault = read(name, [_argument(one) for one in settings.split(",")] if colon else [])
        return Spec(fault, Where.read(where) if at else Where(), _unquoted(model), times, named=name == "status")
    except ValueError as error:
        part = f"{text!r} in {whole!r}" if text != whole else repr(text)
        raise ValueError(f"fault {part}: {error}") from None


def _times(text: str) -> int | None:
    if text == "*":
        return None
    if not 0 < len(text) < 10 or int(text) < 1:
        raise ValueError(f"x{text}: times are a number from 1 on, or * for every attempt")
    return int(text)


def _argument(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    return (_unquoted(key), _unquoted(value)) if equals else ("", _unquoted(key))


def _checked(plan: Plan) -> Plan:
    """The plan, where each of its faults may stand at its place, whatever the recording.

    Raises:
        ValueError: which may not.
    """
    if not plan.specs:
        raise ValueError("a plan has at least one fault")
    for spec in plan.specs:
        fault, where = spec.fault, spec.where
        if fault.positions == "none" and where.position is not None:
            turn = f"; a turn is @t{where.position}" if not where.bytes else ""
            raise ValueError(f"fault '{spec}': {fault.name} takes no position{turn}")
        if fault.positions != "none" and fault.position_needed and where.position is None:
            place = replace(where, position=5)
            more = ", a byte (@b120) or all of them (@*, @b*)" if fault.positions == "any" else ", or all of them (@*)"
            raise ValueError(f"fault '{spec}' needs a position: an event ({replace(spec, where=place)}){more}")
        if fault.positions == "events" and where.bytes:
            place = replace(where, position=5, bytes=False)
            raise ValueError(f"fault '{spec}': {fault.name} stands between events: {replace(spec, where=place)}")
        if spec.times is not None and spec.times < 1:
            raise ValueError(f"fault '{spec}': times are a number from 1 on, or None for every attempt")
    return plan
