"""A conversation whose answers are broken on purpose: what hits which request, what came of it, and the verdict.

Between the conversation, which answers requests, the faults, which know steps alone, and the verdict, which
knows nothing but what is noted here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from convo_replay.exchange import Exchange, Json, Request
from convo_replay.faults import specs
from convo_replay.faults.running import Faults
from convo_replay.providers import find
from convo_replay.verdict.case import history_of
from convo_replay.verdict.evidence import Attempt, Expected, Run, Wait

if TYPE_CHECKING:
    from convo_replay.faults.specs import Plan
    from convo_replay.validation.findings import Finding
    from convo_replay.verdict.judging import Verdict

MOST_ATTEMPTS = 1_000
"""Of one turn; a client that makes more does not come to an end."""


class Breaking:
    """The faults of one conversation. Callers hold the conversation's lock.

    Args:
        plan: as given; `None` where faults are injected later on.
        exchanges: the cassette's.
        expected: what the test declares to be the outcome.
        ignore: rules that say nothing.
    """

    def __init__(
        self, plan: Plan | None, exchanges: Sequence[Exchange], owner: str, expected: Expected, ignore: Sequence[str]
    ) -> None:
        self._faults = Faults(plan, exchanges, owner)
        self._by_slot: dict[int, Attempt] = {}
        self._expected: Expected = expected
        self._ignore = ignore
        self.verdict: Verdict | None = None
        """The final one, once the test is over."""

    @property
    def run(self) -> Run:
        """What has happened so far."""
        return self._faults.run

    @property
    def has_begun(self) -> bool:
        """Whether a fault has hit something: what nothing answers from now on has diverged."""
        return bool(self.run.fired)

    @property
    def name(self) -> str:
        """The faults, as branches are recorded `after` them."""
        return self._faults.name

    def branches(self, exchanges: Sequence[Exchange]) -> set[str]:
        """What `Exchange.after` says of the branches that belong to this run."""
        said = {exchange.after for exchange in exchanges if exchange.after}
        return {after for after in said if self._faults.same(after)}

    def inject(self, spec: Any) -> None:
        """Breaks the next request, or those that the spec names.

        Raises:
            ValueError: it is no spec, stands for several runs, or fits nothing that was recorded.
        """
        plans = specs.parse(spec)
        if len(plans) != 1:
            raise ValueError(f"inject: expected one run of faults, got {' '.join(map(str, plans))}; join them with `+`")
        self._faults.inject(plans[0])

    def refreshed(self) -> None:
        """The application was handed a token: what it authenticates with from now on counts as another one."""
        self._faults.tokens += 1

    def expect(self, outcome: Expected) -> None:
        """The test declares what comes of its faults."""
        self._expected = outcome

    def asserted(self, error: BaseException) -> None:
        """The test expects this exception: where it comes of a fault, nobody has swallowed that."""
        from convo_replay.verdict.blame import is_deliberate, is_fault

        hit = [attempt for attempt in self.run.attempts if attempt.faults]
        own = bool(hit) and hit[-1] is self.run.attempts[-1] and is_deliberate(error)
        if own or is_fault(error, self.run):
            hit[-1].asserted = True

    # --- requests ----------------------------------------------------------------------------------

    def meet(self, request: Request, raw: Request, exchange: Exchange, slot: int, *, again: bool) -> Attempt:
        """What answers a request that `exchange` was recorded for.

        Raises:
            ValueError: an injected fault does not fit.
        """
        attempt = self._faults.meet(request, raw, exchange, slot, again=again)
        attempt.by_sdk = any(name.lower().startswith("x-stainless-") for name, _ in raw.headers)
        return self._began(attempt)

    def broken_like(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """An exchange with the faults that hit an attempt; one that is too short for them without its body."""
        from convo_replay.faults import positions

        try:
            steps = positions.apply(attempt.faults, exchange)
        except ValueError:
            steps = tuple([step for step in (exchange.head, exchange.end) if step is not None])
        return replace(exchange, steps=steps)

    def as_recorded(self, request: Request, recorded: Request) -> Request | None:
        """The request with the recorded turns of the model in place of those that a fault had changed.

        A client that got a doubled delta, or a block of a type that it does not know, sends that back, and is right:
        the run goes on. What it might have seen is told by the verdict. Of an answer that broke off the rest is not
        known, and another call of a tool has no recorded result.

        Returns:
            `None` where it sends back none.
        """
        from convo_replay.verdict.completion import Delivered
        from convo_replay.verdict.histories import calls, role, says_the_same, thinks_as

        history, known = history_of(request), history_of(recorded)
        mended = list(history)
        for attempt in self.run.attempts:
            at = len(history_of(attempt.request)) if attempt.faults and attempt.exchange is not None else len(history)
            if at >= min(len(history), len(known)) or role(history[at]) != "assistant" or history[at] == known[at]:
                continue
            delivered = Delivered(attempt)
            whole = delivered.how != "no" or (delivered.broken == "malformed" and delivered.reply.complete)
            if (
                whole
                and calls(history[at]) == calls(known[at])
                and says_the_same(history[at], delivered.reply.content)
                and thinks_as(history[at], known[at], delivered.reply.content)
            ):
                mended[at] = known[at]
        if mended == history:
            return None
        provider = find(request)
        assert provider is not None
        return replace(request, body=Json({**request.json, provider.history: mended}))

    def diverge(self, request: Request, raw: Request, nearest: Exchange | None, slot: int) -> Attempt:
        """Nothing answers a request."""
        return self._began(self._faults.diverge(request, raw, nearest, slot))

    def live(self, request: Request, raw: Request, slot: int) -> Attempt:
        """Nothing answers a request, and it goes to the network: a branch."""
        attempt = self._began(self._faults.diverge(request, raw, None, slot))
        attempt.state, attempt.live = "open", True
        return attempt

    def is_live(self, slot: int) -> bool:
        """Whether the request at this place went to the network."""
        attempt = self._by_slot.get(slot)
        return attempt is not None and attempt.live

    def _began(self, attempt: Attempt) -> Attempt:
        from convo_replay import waiting

        attempt.began, attempt.work = waiting.now(), (waiting.work(), None)
        self._by_slot[attempt.slot] = attempt
        return attempt

    def is_storm(self, attempt: Attempt) -> bool:
        """Whether the client asks on and on; notes it."""
        if attempt.number >= MOST_ATTEMPTS:
            self.run.stopped = "retry-storm"
        return bool(self.run.stopped)

    def broken(self, slot: int, findings: Sequence[Finding]) -> None:
        """Rules of the API that a request breaks."""
        if slot in self._by_slot:
            self._by_slot[slot].broken = tuple(findings)

    def recorded(self, slot: int, exchange: Exchange) -> Exchange:
        """A branch has been answered; gives it with the faults after which it came."""
        made = replace(exchange, after=self.name)
        attempt = self._by_slot.get(slot)
        if attempt is not None:
            attempt.exchange, attempt.delivered, attempt.state = made, len(made.body), "read"
        return made

    def waited(self, slot: int, wait: Wait, *, more: bool) -> None:
        """A wait was asked for; `more`: and there may be more of them."""
        if slot in self._by_slot:
            self._by_slot[slot].waits.append(wait)
        if not more:
            self.run.stopped = "retry-storm"

    # --- the end -----------------------------------------------------------------------------------

    def judge(
        self,
        raised: BaseException | None,
        *,
        final: bool,
        redact: Callable[[str], str] = str,
        shown: Callable[[Exchange], Exchange] | None = None,
    ) -> Verdict | None:
        """The verdict: so far, or the final one; `None` where nothing was to be broken.

        Args:
            redact: what its texts go through: they quote exceptions of the application.
            shown: an exchange as anyone may see it: what is quoted of an answer, and cut, was redacted before.
        """
        from convo_replay.verdict.judging import judge

        if self.verdict is not None:
            return self.verdict
        if final:
            self._faults.settle()
        if not self.run.plan.specs:
            return None
        run = self.run if shown is None else _as_shown(self.run, shown)
        made = judge(run, raised=raised, expected=self._expected, ignore=self._ignore, redact=redact)
        if final:
            self.verdict = made
        return made


def _as_shown(run: Run, shown: Callable[[Exchange], Exchange]) -> Run:
    """A run whose answers were redacted, as its requests are; itself where they are."""
    made = {id(attempt): _attempt_as_shown(attempt, shown) for attempt in run.attempts}
    if all(made[id(attempt)] is attempt for attempt in run.attempts):
        return run
    hung = [made.get(id(attempt), attempt) for attempt in run.hung]
    return replace(run, attempts=[made[id(attempt)] for attempt in run.attempts], hung=hung)


def _attempt_as_shown(attempt: Attempt, shown: Callable[[Exchange], Exchange]) -> Attempt:
    recorded = None if attempt.recorded is None else shown(attempt.recorded)
    played = None if attempt.exchange is None else shown(attempt.exchange)
    if recorded is attempt.recorded and played is attempt.exchange:
        return attempt
    if played is None or attempt.exchange is None:
        return replace(attempt, recorded=recorded)
    whole, size = len(attempt.exchange.body), len(played.body)
    taken = size if attempt.taken >= whole else min(attempt.taken, size)
    return replace(attempt, recorded=recorded, exchange=played, delivered=taken, measure=None)
