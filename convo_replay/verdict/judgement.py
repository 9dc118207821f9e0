"""What is wrong with a client, and the rule that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warn"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing that a client did wrong in a fault run.

    Attributes:
        rule: the name that users see, and that `ignore_rules` takes: `retry-after-ignored`.
        level: `error` fails the run, `warn` is told.
        turn: the recorded turn that it is about; `None` where it is no turn.
        attempt: the attempt of that turn, from 0, that it is about.
        message: one sentence: what the client did.
        evidence: what shows it: times, statuses, headers, ids; one line each.
    """

    rule: str
    level: Level
    turn: int | None
    attempt: int | None
    message: str
    evidence: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """`turns[1], attempt 0`; empty where it is about the run as a whole."""
        parts = [] if self.turn is None else [f"turns[{self.turn}]"]
        if self.attempt is not None:
            parts.append(f"attempt {self.attempt}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Rule:
    """What users can look up, and the maker of its findings.

    Attributes:
        name: `retry-after-ignored`; its file is named so, too.
        levels: of its findings, the worst first.
        summary: what the client did, one line.
        threshold: from where on, in numbers; empty where there are none.
        why: what goes wrong and how it comes about. A short paragraph.
        todo: what to do about it, one sentence.
        source: where it is known from.
        yields_to: rules of which a finding about the same turn says this one, too, and better.
    """

    name: str
    levels: tuple[Level, ...]
    summary: str
    why: str
    todo: str
    source: str
    threshold: str = ""
    yields_to: frozenset[str] = frozenset()

    def found(
        self,
        turn: int | None,
        attempt: int | None,
        message: str,
        evidence: Sequence[str] = (),
        level: Level | None = None,
    ) -> Judgement:
        """A finding of this rule."""
        return Judgement(self.name, level or self.levels[0], turn, attempt, message, tuple(evidence))
