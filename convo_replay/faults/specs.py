"""Specs: which fault, where, how often (design.md §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convo_replay.faults.fault import Fault


@dataclass(frozen=True)
class Where:
    """A place. What is not said is `None`: the first turn that fits, and no position."""

    turn: int | Literal["*"] | None = None
    position: int | Literal["*"] | None = None
    """A number of events or bytes; `*`: one run per position."""
    bytes: bool = False

    @classmethod
    def of(cls, position: int | str | None, turn: int | Literal["*"] | None = None) -> Where:
        """A place as people write it: `5`, `"b120"`, `"*"`, `"b*"`.

        Raises:
            ValueError: the position is none of these.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Spec:
    """One fault at a place. `str()` gives what `parse` reads.

    Attributes:
        model: hits turns of this model only, and then counts these alone.
        times: attempts that it hits, from the first one on; `None` for all of them.
    """

    fault: Fault
    where: Where = Where()
    model: str = ""
    times: int | None = 1


@dataclass(frozen=True)
class Plan:
    """The faults of one run (`a+b`). `str()` gives what `parse` reads."""

    specs: tuple[Spec, ...]
