"""The part of a conversation that faults and waits concern: what tests call, and what transports and clocks tell.

`Conversation` is this and the rest: requests, cassette, patches.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from convo_replay import errors
from convo_replay.errors import CassetteError, ConvoFailure
from convo_replay.pauses import MOST as MOST_WAITS
from convo_replay.pauses import Pauses, retries

if TYPE_CHECKING:
    from convo_replay.breaking import Breaking
    from convo_replay.config import Config
    from convo_replay.conversation import Conversation
    from convo_replay.exchange import Exchange
    from convo_replay.faults.specs import Plan
    from convo_replay.player import Player
    from convo_replay.verdict.evidence import Attempt, Ended, Expected, Run, Wait
    from convo_replay.verdict.judging import Verdict


class Breakable:
    """What a conversation has for its faults; see there for the attributes."""

    config: Config
    owner: str
    record: str
    lock: threading.RLock
    _plan: Plan | None
    _player: Player | None

    def __init__(self, plan: Plan | None, expect: Expected) -> None:
        self._plan, self._expected = plan, expect
        self._breaking: Breaking | None = None
        self._pauses = Pauses()
        self._replayed: Conversation | None = None
        """What plays this one's recording just now."""

    def load(self) -> None:
        """See `Conversation`."""
        raise NotImplementedError

    def fail(self, kind: type[ConvoFailure], text: str, cause: Exception | None = None) -> ConvoFailure:
        """See `Conversation`."""
        raise NotImplementedError

    @property
    def _shown(self) -> str:
        raise NotImplementedError

    def _held(self) -> Sequence[Exchange]:
        raise NotImplementedError

    def shown(self, exchange: Exchange) -> Exchange:
        """See `Conversation`."""
        raise NotImplementedError

    @property
    def is_fault_run(self) -> bool:
        """Whether this is a run under faults, whose client is judged."""
        return self._plan is not None

    @property
    def _replays(self) -> bool:
        """Whether waits of retry code are skipped and nothing of TLS is needed at once."""
        player = self._player
        plays = self.record == "none" or (self.record == "once" and player is not None and not player.records_all)
        return plays or self._plan is not None

    def _break(self, exchanges: Sequence[Exchange]) -> Breaking:
        from convo_replay.breaking import Breaking

        if self._breaking is None:
            ignore = self.config.ignore_rules
            try:
                self._breaking = Breaking(self._plan, exchanges, self.owner, self._expected, ignore)
            except ValueError as error:
                raise CassetteError(self._shown, str(error)) from error
        return self._breaking

    def _verdict_first(self, text: str) -> str:
        assert self._breaking is not None
        verdict = self._breaking.judge(None, final=False, redact=self._safe, shown=self.shown)
        return f"{verdict}\n{text}" if verdict is not None else text

    def _safe(self, text: str) -> str:
        """A text as anyone may see it."""
        raise NotImplementedError

    @property
    def run(self) -> Run | None:
        """What a fault run left behind so far: each request, what it got, the waits; `None` without faults."""
        return None if self._breaking is None else self._breaking.run

    @property
    def recorded_exchanges(self) -> list[Exchange]:
        """What the cassette holds for this test, redacted, without branches.

        Raises:
            CassetteError: the file cannot be read.
        """
        from convo_replay.faults.expansion import own

        return own([self.shown(exchange) for exchange in self._held()], self.owner)

    @property
    def verdict(self) -> Verdict | None:
        """What the client made of its faults, as far as it has come; `None` without faults."""
        return self.judge(None, final=False)

    def judge(self, raised: BaseException | None, *, final: bool = True) -> Verdict | None:
        """The verdict at the end of a test, or of a block; later calls give the same one. `None` without faults.

        Args:
            raised: what it ended with; `None`: it passed.
        """
        with self.lock:
            return (
                None
                if self._breaking is None
                else self._breaking.judge(raised, final=final, redact=self._safe, shown=self.shown)
            )

    def inject(self, spec: Any) -> None:
        """Breaks the next request (`"429"`, `"cut:reset@5"`, a fault object), or the turns that the spec names.

        While recording nothing is broken: an answer that is not there yet cannot be.

        Raises:
            ValueError: it is no spec, or fits nothing that was recorded; says what would.
            CassetteError: the cassette cannot be read.
        """
        from convo_replay.faults.specs import parse

        parse(spec)  # a mistake is one while recording, too
        self.load()
        if not self._replays:
            return
        assert self._player is not None
        with self.lock:
            self._break(self._player.exchanges).inject(spec)

    def expect(self, outcome: Expected) -> None:
        """Declares what comes of the faults: `recovered`, `raised`, or `handled` (the client told its user).

        Raises:
            ValueError: it is none of these.
        """
        if outcome not in ("recovered", "raised", "handled"):
            raise ValueError(f"expect: expected recovered, raised or handled, got {outcome!r}")
        self._expected = outcome
        if self._breaking is not None:
            self._breaking.expect(outcome)
        if self._replayed is not None and self._replayed is not self:
            self._replayed.expect(outcome)

    def asserted(self, error: BaseException) -> None:
        """The test expects this exception, and has said so (`pytest.raises`): that of a fault was not swallowed."""
        with self.lock:
            if self._breaking is not None:
                self._breaking.asserted(error)

    @contextlib.contextmanager
    def replay(self, faults: Any = None, *, expect: Expected = "") -> Iterator[Conversation]:
        """Plays the recording from its start, as often as wanted, also inside `@given`; with faults or without.

        At the end of the block a verdict that is not good is raised; an exception that a fault produced, and that
        left the block, is a good end and goes no further. While recording there is nothing to play yet: what was
        recorded so far is played, and without any the block is recorded like the rest of the test.

        Args:
            faults: a spec for one run, or an object of `convo_replay.faults`.
            expect: see `expect`; by default what was declared for the test.

        Raises:
            ValueError: it is no spec, or stands for several runs.
            CassetteError: it fits nothing that was recorded; says what would.
            ConvoFailure: the verdict, or a request that nothing answers.
        """
        from convo_replay.conversation import Conversation
        from convo_replay.replaying import replay

        assert isinstance(self, Conversation)
        before = self._replayed
        with replay(self, faults, expect or self._expected) as self._replayed:
            try:
                yield self._replayed
            finally:
                self._replayed = before

    def ended(self, attempt: Attempt | None, state: Ended, error: BaseException | None = None) -> None:
        """What became of an answer, told by whoever played it: read whole, raised instead, left before its end."""
        if attempt is not None and attempt.state == "open":
            from convo_replay import waiting

            attempt.state, attempt.raised, attempt.ended = state, error, waiting.now()
            attempt.work = (attempt.work[0], waiting.work())

    def refreshed(self) -> None:
        """A token endpoint has been answered for the application: synthetic tokens are all alike."""
        if self._breaking is not None:
            self._breaking.refreshed()

    def hung(self, attempt: Attempt | None) -> ConvoFailure:
        """A client waits for ever: what is raised in its stead."""
        if self._breaking is None or attempt is None:
            return self.fail(ConvoFailure, errors.HANGS)
        self._breaking.run.hung.append(attempt)
        return self.fail(ConvoFailure, self._verdict_first(errors.HANGS))

    def skips(self, module: str) -> bool:
        """Whether a wait that this module asks for is skipped: it is of an SDK or of a package for retries, or
        `retry_modules` names it, or a package around it. What is asked for after a live request is waited for."""
        if not self._replays or (self._breaking is not None and self._breaking.is_live(self._pauses.last())):
            return False
        return retries(module, self.config.retry_modules)

    def waited(self, wait: Wait) -> ConvoFailure | None:
        """A wait was skipped. What is raised where there are too many of them."""
        with self.lock:
            slot, more = self._pauses.add(wait)
            if self._breaking is not None:
                self._breaking.waited(slot, wait, more=more)
                if not more:
                    return self.fail(ConvoFailure, self._verdict_first(errors.storm(f"{MOST_WAITS:,} waits")))
            return None if more else self.fail(ConvoFailure, errors.storm(f"{MOST_WAITS:,} waits"))
