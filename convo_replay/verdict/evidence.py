"""What a fault run left behind: every request the client made, what it got, how long it waited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from convo_replay.exchange import Exchange, Request

if TYPE_CHECKING:
    from convo_replay.faults.specs import Plan, Spec
    from convo_replay.turns import Turn
    from convo_replay.validation.findings import Finding
    from convo_replay.waiting.clocks import Work

Outcome = Literal["recovered", "raised", "crashed", "diverged", "silent", "handled", "not-fired"]
"""design.md §5. `handled` is what `silent` is called where it was declared."""
Expected = Literal["", "recovered", "raised", "handled"]
Ended = Literal["read", "raised", "left"]
"""How an answer ended for the client: read to its end, our transport raised, closed before the end."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that somebody asked for. `seconds` as asked."""

    seconds: float
    module: str
    """Who asked: `anthropic._base_client`."""
    function: str
    """What was called: `time.sleep`."""


@dataclass(slots=True)
class Attempt:
    """One request of a run, whether a fault hit it or not. Times are seconds on the run's clock: real time, and
    with it what was skipped of waits."""

    slot: int
    """Its place in `convo.exchanges`; of one that diverged, where it would have stood."""
    turn: int | None
    """The recorded turn that answers it; `None`: nothing recorded does, or it generates nothing."""
    number: int
    """Which attempt of that turn in this run, from 0."""
    request: Request
    """As it was sent, redacted."""
    recorded: Exchange | None
    """What answers it in the cassette; of one that diverged, the nearest."""
    exchange: Exchange | None
    """What it was answered with, faults included; `None`: it diverged."""
    faults: tuple[Spec, ...] = ()
    """What hit it."""
    began: float = 0.0
    ended: float | None = None
    """When the client had all of it, or an exception, or left."""
    work: tuple[Work | None, Work | None] = (None, None)
    """At `began` and at `ended`; `None` on an event loop, where others compute as well."""
    by_sdk: bool = False
    """Whether one of the SDKs sent it, which raise for a status."""
    credentials: bytes = b""
    """A digest of what the request authenticates with, comparable within the run."""
    delivered: int = 0
    """Bytes of the body that the client took, as it was handed out."""
    measure: Callable[[int], int] | None = None
    """Bytes that were handed out → bytes of `exchange` that they stand for, where the two differ."""
    state: Literal["open", "read", "raised", "left", "diverged"] = "open"
    """See `Ended`."""
    asserted: bool = False
    """The test expects the exception that came of it, and says so (`pytest.raises`)."""
    raised: BaseException | None = None
    """What the transport raised in place of (the rest of) the answer; of one that was left, its cancellation."""
    waits: list[Wait] = field(default_factory=list)
    """Asked for after it, before the next request of the same thread or task."""
    again: bool = False
    """The recorded exchange had been answered from before: the client asked the same once more."""
    live: bool = False
    """It went to the network: a branch that is being recorded."""
    broken: tuple[Finding, ...] = ()
    """Rules of validation that the request breaks and the recorded one does not: evidence, no failure."""
    read_timeout: float | None = None
    """Seconds that the client waits for the next byte; `None`: for ever, or not known (see `has_timeout`)."""
    has_timeout: bool = True

    @property
    def taken(self) -> int:
        """Bytes of the body of `exchange` that the client took."""
        return self.delivered if self.measure is None else self.measure(self.delivered)


@dataclass(slots=True)
class Run:
    """A fault run, for the verdict's rules. Read-only for them."""

    plan: Plan
    turns: Sequence[Turn]
    """The recorded turns of the test."""
    attempts: list[Attempt] = field(default_factory=list)
    """By start."""
    fired: set[int] = field(default_factory=set)
    """Places in `plan.specs` of the faults that hit something."""
    hung: list[Attempt] = field(default_factory=list)
    """Attempts whose client would wait for ever."""
    stopped: str = ""
    """`retry-storm` where the run was stopped because of one."""

    def of_turn(self, turn: int | None) -> list[Attempt]:
        """The attempts that a recorded turn answers, by start."""
        return [attempt for attempt in self.attempts if attempt.turn == turn]
