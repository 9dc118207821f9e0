"""What a fault is: settings, and one pure function from the steps of an answer to other steps (design.md §5).

Where and when it applies is no matter of the fault: whoever applies it cuts the recorded answer in two at the
position that the spec names, and the fault says what becomes of the second half. One without a position gets
everything as the second half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from convo_replay.exchange import Exchange, Steps

if TYPE_CHECKING:
    from convo_replay.faults.specs import Spec

Kind = Literal["connect", "head", "status", "body", "stream", "tools", "benign"]
"""What is broken: the way to the server, the wait for headers, the status, the body, a stream's events, a tool call;
or nothing that a client may notice."""
Positions = Literal["none", "events", "any"]
"""`events`: wants a place between two events of a stream. `any`: or at a byte of the body."""


def word(default: Any = ..., *, choices: Sequence[str] = (), help: str = "") -> Any:
    """A setting that a spec names by its value alone: `reset` in `cut:reset`."""
    made: dict[str, Any] = {} if default is ... else {"default": default}
    return field(**made, metadata={"word": True, "choices": tuple(choices), "help": help})


def key(default: Any, *, choices: Sequence[str] = (), help: str = "") -> Any:
    """A setting that a spec names: `retry_after=2`."""
    return field(default=default, metadata={"word": False, "choices": tuple(choices), "help": help})


_KINDS = {"str": str, "bool": bool, "int": int, "float": float, "None": type(None)}
_EXPECTED = {"str": "a text", "bool": "true or false", "int": "a whole number", "float": "a number"}


def kinds(setting: Field[Any]) -> list[str]:
    """The kinds of value that a setting may have, as its annotation names them; none where that says anything else."""
    said = setting.type if isinstance(setting.type, str) else getattr(setting.type, "__name__", str(setting.type))
    found = [part.strip() for part in said.split("|")]
    return found if all(kind in _KINDS for kind in found) else []


def expected(setting: Field[Any]) -> str:
    """What a setting may be, in words."""
    choices = setting.metadata.get("choices", ())
    return (
        f"one of {', '.join(choices)}"
        if choices
        else " or ".join(_EXPECTED[kind] for kind in kinds(setting) if kind in _EXPECTED)
    )


def check(name: str, setting: Field[Any], value: Any) -> None:
    """Whether a setting of the fault `name` may have this value.

    Raises:
        ValueError: it may not.
    """
    known = kinds(setting)
    if "float" in known:
        known = [*known, "int"]
    choices = setting.metadata.get("choices", ())
    fits = not known or type(value) in [_KINDS[kind] for kind in known]
    if not fits or (choices and value not in choices and value != setting.default):
        raise ValueError(f"{name}: {setting.name} is {value!r}, expected {expected(setting)}")


@dataclass(frozen=True)
class Fault:
    """The base of every fault. A subclass is one file: a frozen dataclass of `word` and `key` settings.

    Settings are `str`, `int`, `float`, `bool`, or one of these `| None`.
    """

    name: ClassVar[str]
    """As in a spec: `cut`."""
    kind: ClassVar[Kind]
    summary: ClassVar[str]
    """One line: what it does."""
    positions: ClassVar[Positions] = "none"
    position_needed: ClassVar[bool] = True
    """Whether a spec must name a position; of no matter where `positions` is `none`."""
    whole: ClassVar[bool] = False
    """Whether nothing of the recorded answer is left: such a fault takes an attempt of its own."""
    outcomes: ClassVar[Mapping[str, str]] = {}
    """What each SDK makes of it; keys as in the table that `convo-replay faults` prints."""
    source: ClassVar[str] = ""
    """Where that is known from: rows of protocol.md §4.4."""

    def __post_init__(self) -> None:
        """Settings are of their kind, however the fault was made. A subclass with a check of its own calls this first.

        Raises:
            ValueError: one is not; says what is expected.
        """
        for one in fields(self):
            check(self.name, one, getattr(self, one.name))

    def fits(self, exchange: Exchange) -> str:
        """Why this answer cannot have the fault, and what would; empty where it can. Positions are no matter here."""
        return ""

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        """The steps of the broken answer. Pure, and never raises for an answer that fits.

        Args:
            before: the head and the chunks up to the position; empty without a position.
            after: the chunks from there on, one event of a stream each, and the end.
            exchange: the recorded exchange: which provider, which request.
        """
        raise NotImplementedError

    def at(
        self,
        position: int | str | None = None,
        *,
        turn: int | Literal["*"] | None = None,
        model: str = "",
        times: int | Literal["*"] | None = 1,
    ) -> Spec:
        """The fault at a place, as a spec: `Cut("reset").at(5)` is `cut:reset@5`.

        Args:
            position: an event (`5`), a byte (`"b120"`), all of them (`"*"`, `"b*"`).
            times: attempts that it hits, from the first on; `"*"` or `None` for all of them.
        """
        from convo_replay.faults.specs import Spec, Where

        return Spec(self, Where.of(position, turn), model, None if times == "*" else times)

    def __str__(self) -> str:
        from convo_replay.faults.specs import written

        return written(self)

    @classmethod
    def samples(cls) -> tuple[Fault, ...]:
        """Instances worth a run of their own, the simplest first: one for each choice of its settings.

        A fault with a setting that has neither choices nor a default says itself which ones.
        """
        choices = {one.name: one.metadata["choices"] for one in fields(cls) if one.metadata.get("choices")}
        needed = [one.name for one in fields(cls) if one.default is MISSING]
        made = [cls(**{name: choices[name][0] for name in needed})]
        for name, words in choices.items():
            made += [replace(made[0], **{name: word}) for word in words]
        return tuple(dict.fromkeys(made))

    def settings(self) -> list[tuple[str, Any, bool]]:
        """The settings that differ from their default, words first: name, value, whether it is a word."""
        given = [(one.name, getattr(self, one.name), one) for one in fields(self)]
        told = [(name, value, bool(one.metadata.get("word"))) for name, value, one in given if value != one.default]
        return sorted(told, key=lambda each: not each[2])
