"""Plans for property tests: hypothesis draws what breaks, and shrinks to the smallest plan that does.

Smallest is: fewest faults, the simplest of them, at the earliest turn and position, once. A shrinker lowers a number
as long as the test still fails, so a number that stood for a fault would often stay at one that is not the simplest.
Here every fault has a byte of its own, the lowest one says which it is, and the shrinker tries to lower each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from convo_replay.exchange import Exchange
from convo_replay.faults import asking
from convo_replay.faults.catalogue import catalogue
from convo_replay.faults.expansion import NoFit, Recorded, groups
from convo_replay.faults.fault import Fault
from convo_replay.faults.places import changes
from convo_replay.faults.positions import layout
from convo_replay.faults.specs import Plan, Spec, Where
from convo_replay.turns import Turn, turns

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_KINDS = ("benign", "status", "connect", "head", "body", "stream", "tools")
_TIMES = (1, 2, 3, None)
_PLACES = 1_000  # where the longest stream has fewer events, fewer


class Recording(Protocol):
    """What has been recorded: a running conversation."""

    @property
    def recorded_exchanges(self) -> list[Exchange]:
        """The exchanges that the test plays."""


def plans(convo: Recording, *, max_faults: int = 2, names: Sequence[str] | None = None) -> SearchStrategy[Plan]:
    """Plans that fit what was recorded, for `convo.replay(faults=plan)` inside `@given`.

    Args:
        convo: the conversation of the test, with a cassette.
        max_faults: how many faults a plan has at most; at least one.
        names: the faults to draw from, all of them by default: `["cut", "status"]`.

    Raises:
        NoFit: nothing is recorded, or none of the faults fits it.
        ValueError: there is no fault of such a name.
    """
    from hypothesis import strategies

    recorded = turns(convo.recorded_exchanges)
    space = _Space(recorded, names)

    turn = strategies.integers(0, len(recorded) - 1)
    position = strategies.integers(0, space.longest)
    ballot = strategies.binary(min_size=len(space.faults), max_size=len(space.faults))
    spec = strategies.builds(space.spec, ballot, turn, position, strategies.booleans(), strategies.sampled_from(_TIMES))
    drawn = strategies.tuples(*[strategies.tuples(strategies.booleans(), spec) for _ in range(max_faults)])
    return drawn.map(_taken).filter(space.holds)


def _taken(drawn: Sequence[tuple[bool, Spec]]) -> Plan:
    """All were drawn, whether they are used or not: so each can be left out alone."""
    return Plan(tuple([spec for used, spec in drawn if used]) or (drawn[0][1],), drawn=True)


class _Space:
    """Everything that can be broken, in order of simplicity."""

    def __init__(self, recorded: Sequence[Turn], names: Sequence[str] | None) -> None:
        self._recorded = Recorded(recorded)
        self._turns = recorded
        self.longest = min(_PLACES, max([1, *(layout(turn.exchange).events for turn in recorded)]))
        self.faults = [fault for fault in _samples(names) if any(self._spots(fault, 0, 0, in_bytes=False))]
        if not self.faults:
            what = "no fault" if names is None else " and ".join(names)
            raise NoFit(
                f"{what} fits: there are {len(recorded)} recorded turns" + ("" if recorded else "; record first")
            )

    def spec(self, ballot: bytes, turn: int, position: int, in_bytes: bool, times: int | None) -> Spec:
        """The fault with the lowest byte at that turn and position, or where it fits next."""
        fault = self.faults[ballot.index(min(ballot))]
        return replace(next(self._spots(fault, turn, position, in_bytes=in_bytes)), times=times)

    def holds(self, plan: Plan) -> bool:
        """Whether each fault of the plan comes to its turn: the ones before it make a client ask again."""
        try:
            placed = next(self._recorded.runs(plan)).plan
        except NoFit:
            return False
        return all(
            _is_retried(placed.specs[place].fault)
            for turn in {spec.where.turn for spec in placed.specs}
            if isinstance(turn, int)
            for group in groups(placed, turn)[:-1]
            for place in group
        )

    def _spots(self, fault: Fault, turn: int, position: int, *, in_bytes: bool) -> Iterator[Spec]:
        for at in range(len(self._turns)):
            chosen = self._turns[(turn + at) % len(self._turns)]
            if asking.fits(fault, chosen.exchange):
                continue
            where, model = self._recorded.where(chosen)
            for place in _positions(fault, chosen.exchange, position, self.longest, in_bytes=in_bytes):
                spec = Spec(fault, replace(place, turn=where.turn), model)
                if changes(spec, place, chosen.exchange):
                    yield spec
                    break


def _positions(fault: Fault, exchange: Exchange, position: int, longest: int, *, in_bytes: bool) -> Iterator[Where]:
    laid = layout(exchange)
    if fault.positions == "none" or not (fault.position_needed or in_bytes):
        yield Where()
        return
    if exchange.head is None:
        return
    if laid.ends and not (in_bytes and fault.positions != "events"):
        first = min(position, laid.events)
        yield from (Where(position=at) for at in (*range(first, -1, -1), *range(first + 1, laid.events + 1)))
    elif fault.positions != "events":
        first = position * laid.size // longest
        yield from (Where(position=at, bytes=True) for at in (*range(first, -1, -1), *range(first + 1, laid.size + 1)))


def _is_retried(fault: Fault) -> bool:
    """Whether the SDKs make another attempt after it (protocol.md §4.2)."""
    code = getattr(fault, "code", 0) if fault.name == "status" else 0
    return fault.whole and (fault.kind in ("connect", "head") or code in (408, 409, 429) or code >= 500)


def _samples(names: Sequence[str] | None) -> list[Fault]:
    """Instances of faults, the simplest first."""
    known = catalogue()
    for name in names or ():
        if name not in known:
            raise ValueError(f"there is no fault {name!r} (all: convo-replay faults)")
    wanted = [fault for fault in known.values() if names is None or fault.name in names]
    wanted.sort(key=lambda fault: (_KINDS.index(fault.kind), fault.name != "noop"))
    return [fault for each in wanted for fault in each.samples()]
