"""The faults of a running conversation: which of them are due for a request, and what they make of its answer.

A fault hits a *recorded* turn: whichever request that turn would have answered. So it needs no order of requests,
and calls that run at once get the faults that were meant for them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from convo_replay.exchange import Exchange, Request
from convo_replay.faults import expansion, positions, specs
from convo_replay.faults.specs import Plan
from convo_replay.turns import turns
from convo_replay.verdict.evidence import Attempt, Run

_CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token", "cookie"})


@dataclass(slots=True)
class _Part:
    """Faults for one recorded turn (or exchange that is none), from one of its attempts on.

    Attributes:
        places: where its specs stand in the plan of the run.
        turn: as in its specs.
        begins: the attempt that is the first one for these faults.
    """

    plan: Plan
    places: Sequence[int]
    turn: int | None
    begins: int = 0


class Faults:
    """Decides, request by request, whether it is answered as recorded or broken. Callers hold the conversation's lock.

    Args:
        plan: with turns and positions, or one that has a single place where it fits; `None`: none yet.
        exchanges: the cassette's, as anyone may see them.
        owner: the test whose conversation this is.

    Raises:
        ValueError: the plan does not fit the recording, or stands for several runs; says what would do.
    """

    def __init__(self, plan: Plan | None, exchanges: Sequence[Exchange], owner: str) -> None:
        self._own = expansion.own(exchanges, owner)
        recorded = turns(self._own)
        self._turn_of: dict[int, int] = {}
        self._answers: set[int] = set()
        """The exchanges that answered a turn in the recording: positions are theirs."""
        for turn in recorded:
            self._turn_of.update(dict.fromkeys(map(id, turn.attempts), turn.index))
            self._answers.add(id(turn.exchange))
        self.run = Run(plan=Plan(()), turns=recorded)
        self.plan = plan
        """As it was asked for; what is injected is not part of it."""
        self._parts: dict[object, _Part] = {}
        self._injected: list[Plan] = []
        self._attempts: dict[object, int] = {}
        self._salt = os.urandom(16)
        self.tokens = 0
        """How many the application was handed, each as if it were a new one."""
        if plan is not None:
            self.plan = one_run(plan, self._own)
            self._take(self.plan)

    @property
    def name(self) -> str:
        """The faults as a spec with turns and positions: what a branch is recorded `after`."""
        return str(self.run.plan)

    def settle(self) -> None:
        """No further request comes: what still waits for one has not fired."""
        for plan in self._injected:
            self.run.plan = replace(self.run.plan, specs=(*self.run.plan.specs, *plan.specs), drawn=plan.drawn)
        self._injected.clear()

    def inject(self, plan: Plan) -> None:
        """Breaks the next request; or, where the plan names turns, those."""
        if any(spec.where.turn is not None or spec.model for spec in plan.specs):
            self._take(one_run(plan, self._own))
        else:
            self._injected.append(plan)

    def _take(self, plan: Plan, exchange: Exchange | None = None) -> None:
        start = len(self.run.plan.specs)
        self.run.plan = replace(self.run.plan, specs=(*self.run.plan.specs, *plan.specs), drawn=plan.drawn)
        for turn in dict.fromkeys(spec.where.turn for spec in plan.specs):
            places = [place for place, spec in enumerate(plan.specs) if spec.where.turn == turn]
            part = Plan(tuple([plan.specs[place] for place in places]))
            key: object = turn if turn is not None else id(exchange)
            assert isinstance(turn, int | None)
            self._parts[key] = self._joined(key, _Part(part, [start + place for place in places], turn))

    def _joined(self, key: object, part: _Part) -> _Part:
        """Faults for a turn that may have some already: they come after these, or now, where these are over."""
        before, number = self._parts.get(key), self._attempts.get(key, 0)
        if before is None or not expansion.due(before.plan, before.turn, number - before.begins):
            part.begins = number
            return part
        plan = Plan((*before.plan.specs, *part.plan.specs))
        return _Part(plan, [*before.places, *part.places], part.turn, before.begins)

    def meet(self, request: Request, raw: Request, exchange: Exchange, slot: int, *, again: bool) -> Attempt:
        """What `exchange` answers a request with, faults included: `attempt.exchange`.

        Args:
            request: as it was sent, redacted; `raw`: as it was sent.
            again: the exchange had been answered from before.

        Raises:
            ValueError: an injected fault does not fit this answer.
        """
        turn = self._turn_of.get(id(exchange))
        key: object = turn if turn is not None else id(exchange)
        number = self._attempts.get(key, 0)
        if self._injected:
            self._bind(exchange, turn)
        attempt = Attempt(slot, turn, number, request, exchange, exchange, credentials=self._digest(raw), again=again)
        self.run.attempts.append(attempt)
        part = self._parts.get(key)
        due = expansion.due(part.plan, part.turn, number - part.begins) if part and number >= part.begins else []
        if part is not None and due:
            hit = [part.plan.specs[place] for place in due]
            if turn is not None and id(exchange) not in self._answers and not hit[0].fault.whole:
                # A recorded 429 before the answer that the position is of.
                part.begins += 1
            else:
                attempt.exchange = replace(exchange, steps=positions.apply(hit, exchange))
                attempt.faults = tuple(hit)
                self.run.fired.update(part.places[place] for place in due)
        self._attempts[key] = number + 1
        return attempt

    def _bind(self, exchange: Exchange, turn: int | None) -> None:
        """The faults that wait for the next request have met it."""
        waiting, self._injected = self._injected, []
        plan = Plan(tuple([spec for each in waiting for spec in each.specs]))
        self._take(expansion.aimed(plan, turn, exchange), exchange)

    def diverge(self, request: Request, raw: Request, nearest: Exchange | None, slot: int) -> Attempt:
        """A request that nothing answers, after a fault."""
        attempt = Attempt(slot, None, 0, request, nearest, None, credentials=self._digest(raw), state="diverged")
        self.run.attempts.append(attempt)
        return attempt

    def same(self, after: str) -> bool:
        """Whether a branch that was recorded after these faults belongs to this run, however they are written."""
        if self.plan is None or not after:
            return False
        try:
            return one_run(replace(specs.parse(after)[0], placed=True), self._own) == self.plan
        except (ValueError, IndexError):
            return False

    def _digest(self, raw: Request) -> bytes:
        """What tells two keys apart within this run, and nothing beyond."""
        sent = [(name, value) for name, value in raw.headers if name in _CREDENTIALS]
        told = repr((self.tokens, sorted(sent))).encode()
        return hashlib.blake2b(told, key=self._salt, digest_size=8).digest() if sent else b""


def one_run(plan: Plan, exchanges: Sequence[Exchange]) -> Plan:
    """The plan with its turns and positions, where it stands for one run.

    Raises:
        ValueError: it does not fit, or stands for several.
    """
    found = expansion.expand([plan], exchanges)
    if len(found) != 1:
        raise ValueError(
            f"{plan}: expected one run, got {len(found)} ({found[0].id}, {found[1].id}, …); name one of them, or all: "
            f"faults={str(plan)!r} on the marker, or "
            f"`for one in faults.expand(faults.parse({str(plan)!r}), convo.recorded_exchanges)` with faults=one.plan"
        )
    return found[0].plan
