"""From what is asked for to single runs, against what was recorded (design.md §5).

A spec without a turn takes the first one that it fits; one for every position takes every streamed turn. Within one
run (`a+b`) all that goes over turns goes over them together: `429@t*+cut:reset@t*.5` is one run per turn. A turn that
a fault cannot hit is left out of that; where none is left, and for whatever is named and cannot be, there is `NoFit`.
No run is made that leaves the answer as it was, unless that is what the fault is for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from convo_replay.exchange import Exchange
from convo_replay.faults.places import NoFit, places
from convo_replay.faults.positions import layout
from convo_replay.faults.specs import Plan, Spec, Where
from convo_replay.turns import Turn, overlap, turns

__all__ = ["FaultRun", "NoFit", "aimed", "due", "expand", "own"]

MOST_RUNS = 10_000
"""Of one plan."""
_SHOWN = 3  # turns whose reason is told


@dataclass(frozen=True, slots=True)
class FaultRun:
    """One run.

    Attributes:
        id: as asked for, with turns and positions filled in where one was asked to stand for many: `cut:eof@17`.
        plan: with all turns and positions.
        asked: the spec it came from.
    """

    id: str
    plan: Plan
    asked: str


def own(exchanges: Sequence[Exchange], owner: str) -> list[Exchange]:
    """The exchanges that a test plays: its own and those of nobody, or else all. No branches."""
    plain = [exchange for exchange in exchanges if not exchange.after]
    return [exchange for exchange in plain if exchange.test in ("", owner)] or plain


def expand(plans: Sequence[Plan], exchanges: Sequence[Exchange]) -> list[FaultRun]:
    """The runs that plans stand for, in order, none twice.

    Args:
        exchanges: those that the test plays (`own`).

    Raises:
        NoFit: names the spec, the turn and position, and what would fit.
    """
    recorded = Recorded(turns(exchanges))
    found: dict[str, FaultRun] = {}
    for plan in plans:
        for run in recorded.runs(plan):
            found.setdefault(run.id, run)
    return list(found.values())


def aimed(plan: Plan, turn: int | None, exchange: Exchange) -> Plan:
    """The plan on one exchange, whatever turns it names: what is injected into the next request.

    Args:
        turn: the exchange's, or `None` where it generates nothing.

    Raises:
        NoFit: it cannot hit that one, or stands for several runs.
    """
    made = []
    for spec in plan.specs:
        if spec.where.position == "*":
            raise NoFit(f"fault '{spec}' stands for several runs; the next request takes one position: @5, @b120")
        try:
            places(spec, exchange, "" if turn is None else f"t{turn}")
        except NoFit as error:
            said = "the request" if turn is None else f"turns[{turn}]"
            raise NoFit(f"fault '{spec}': {said} {error}") from None
        made.append(replace(spec, where=replace(spec.where, turn=turn), model=""))
    return Plan(tuple(made), placed=True)


def groups(plan: Plan, turn: int | str | None) -> list[list[int]]:
    """The places in `plan.specs` of the faults of a turn, together those that hit the same attempts, in order.

    One that leaves nothing of the answer takes its attempts for itself; others in a row hit the same ones.
    """
    made: list[list[int]] = []
    alone = True
    for place, spec in enumerate(plan.specs):
        if spec.where.turn == turn:
            if alone or spec.fault.whole:
                made.append([])
            made[-1].append(place)
            alone = spec.fault.whole
    return made


def due(plan: Plan, turn: int | None, number: int) -> list[int]:
    """The places in `plan.specs` of the faults that hit an attempt (`number`, from 0) of a recorded turn."""
    first: float = 0
    for group in groups(plan, turn):
        times = [math.inf if (given := plan.specs[place].times) is None else given for place in group]
        if number < first + max(times):
            return [place for place, most in zip(group, times, strict=True) if number < first + most]
        first += max(times)
    return []


@dataclass(frozen=True, slots=True)
class _Option:
    """One way to read a spec: as a user would write it, and with everything in it."""

    shown: Spec
    placed: Spec


class Recorded:
    """What faults can hit: the turns of a test."""

    def __init__(self, recorded: Sequence[Turn]) -> None:
        self.turns = recorded
        self.overlapping = any(overlap(a.exchange, b.attempts[0]) for a, b in itertools.pairwise(recorded))

    def runs(self, plan: Plan) -> Iterator[FaultRun]:
        """The runs that one plan stands for.

        Raises:
            NoFit: as `expand`.
        """
        options = [self.options(spec, plan) for spec in plan.specs]
        over = [by_turn for by_turn, many in zip(options, map(_many, plan.specs), strict=True) if many]
        together = [turn for turn in over[0] if all(turn in by_turn for by_turn in over)] if over else [None]
        if not together:
            raise NoFit(f"fault '{plan}': there is no turn that all of its faults fit")
        asked, made = str(plan), 0
        for turn in together:
            choices = [
                by_turn[turn] if turn is not None and _many(spec) else next(iter(by_turn.values()))
                for spec, by_turn in zip(plan.specs, options, strict=True)
            ]
            made += math.prod(map(len, choices))
            if made > MOST_RUNS:
                raise NoFit(f"fault '{plan}' stands for more than {MOST_RUNS} runs; name some of its positions")
            for chosen in itertools.product(*choices):
                placed = Plan(tuple([option.placed for option in chosen]), placed=True, drawn=plan.drawn)
                _reached(placed, asked)
                yield FaultRun(str(Plan(tuple([option.shown for option in chosen]))), placed, asked)

    def options(self, spec: Spec, plan: Plan) -> dict[int, list[_Option]]:
        """The ways to read a spec, by turn."""
        candidates, found, reasons = self._candidates(spec, plan), {}, []
        for turn in candidates:
            try:
                found[turn.index] = places(spec, turn.exchange, str(self.where(turn, spec.model)[0]))
            except NoFit as error:
                reasons.append(_reason(turn, str(error)))
                continue
            if not _many(spec):
                break
        if not found:
            more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
            which = ": " if len(candidates) == 1 else " fits no turn: "
            raise NoFit(f"fault '{spec}'{which}{'; '.join(reasons[:_SHOWN])}{more}")
        said = len(found) > 1 if spec.where.turn is None else spec.where.turn == "*"
        return {index: self._options(spec, self.turns[index], wheres, said) for index, wheres in found.items()}

    def _options(self, spec: Spec, turn: Turn, wheres: Sequence[Where], said: bool) -> list[_Option]:
        where, model = self.where(turn, spec.model)
        options = []
        for one in wheres:
            placed = replace(spec, where=replace(one, turn=turn.index), model="")
            as_asked = replace(spec, where=one)
            shown = replace(spec, where=replace(one, turn=where.turn), model=model) if said else as_asked
            options.append(_Option(shown, placed))
        return options

    def where(self, turn: Turn, model: str = "") -> tuple[Where, str]:
        """How a turn is named in a spec: its number, and the model that it takes for that number to be right."""
        if not turn.model or not (model or self.overlapping):
            return Where(turn.index), ""
        same = [one.index for one in self.turns if one.model == turn.model]
        return Where(same.index(turn.index)), turn.model

    def _candidates(self, spec: Spec, plan: Plan) -> list[Turn]:
        if not self.turns:
            raise NoFit(f"fault '{spec}': the recording has no turns; record the test first")
        pool = [turn for turn in self.turns if spec.model in ("", turn.model)]
        if not pool:
            models = ", ".join(dict.fromkeys(repr(turn.model) for turn in self.turns))
            raise NoFit(f"fault '{spec}': no turn asked for the model {spec.model!r}; recorded: {models}")
        number = spec.where.turn
        if isinstance(number, int):
            named = number < len(pool) and not pool[number].model
            if self.overlapping and not (spec.model or plan.placed or named):
                raise NoFit(
                    f"fault '{spec}': turns overlap in this recording, so that t{number} needs the model that it "
                    f"counts: {self._named(self.turns)}"
                )
            if number >= len(pool):
                raise NoFit(f"fault '{spec}': there is no t{number}; recorded: {self._named(pool, spec.model)}")
            return [pool[number]]
        if number is None and spec.where.position == "*":
            streamed = [turn for turn in pool if layout(turn.exchange).streamed]
            if not streamed:
                one = f"; the bytes of one that is not: {self._named(pool[:1], spec.model)}.b*"
                raise NoFit(f"fault '{spec}': no turn is streamed{'' if spec.fault.positions == 'events' else one}")
            return streamed
        return pool

    def _named(self, pool: Sequence[Turn], model: str = "") -> str:
        named = []
        for turn in pool:
            where, of = self.where(turn, model)
            named.append(f"@{where}#{of}" if of else f"@{where}")
        return ", ".join(named) if len(named) < 8 else f"{named[0]} to {named[-1]}"


def _many(spec: Spec) -> bool:
    """Whether a spec goes over turns."""
    return spec.where.turn == "*" or (spec.where.turn is None and spec.where.position == "*")


def _reason(turn: Turn, why: str) -> str:
    return f"turns[{turn.index}]{' ' if why.startswith(('is ', 'has ')) else ': '}{why}"


def _reached(plan: Plan, asked: str) -> None:
    """Says which fault never comes, since the ones before it take every attempt, or need no second one."""
    for turn in dict.fromkeys(spec.where.turn for spec in plan.specs):
        for group, (next_one, *_) in itertools.pairwise(groups(plan, turn)):
            before = [plan.specs[place] for place in group]
            never = f"so {plan.specs[next_one].fault} never comes"
            for_ever = next((spec for spec in before if spec.times is None), None)
            if for_ever is not None:
                raise NoFit(f"fault {asked!r}: {for_ever.fault}x* takes every attempt, {never}")
            if all(spec.fault.kind == "benign" for spec in before):
                names = " and ".join(str(spec.fault) for spec in before)
                raise NoFit(f"fault {asked!r}: {names} breaks nothing and asks for no further attempt, {never}")
