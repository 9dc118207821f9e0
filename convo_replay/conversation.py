"""The running conversation: what one test, or one `use_cassette`, sees and says.

Transports ask it what to do with a request (`decide`) and hand it what arrives (`Call`). It holds
the cassette, the player and the redactor, remembers the first failure for whoever reports it, and
saves at the end, after everything of ours has been taken back.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shlex
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextvars import Token
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from convo_replay import errors, keeping, nesting, sources, standins, telling
from convo_replay.bodies import whole
from convo_replay.body_reader import BodyReader
from convo_replay.breakable import Breakable
from convo_replay.call import Call
from convo_replay.config import Config, hosts
from convo_replay.errors import CassetteError, CassetteMiss, ConvoFailure, InvalidTurn
from convo_replay.exchange import Blob, Body, Exchange, Json, Request, Steps
from convo_replay.foreign import Foreign
from convo_replay.matching import Fingerprints
from convo_replay.player import Play, Player, Refuse
from convo_replay.providers import find
from convo_replay.recording import Recording
from convo_replay.redaction import Redactor, environment
from convo_replay.restoring import LiveValues
from convo_replay.shown import quoted
from convo_replay.sources import Filters, Load, Sources
from convo_replay.telling import Scene
from convo_replay.turns import Grouper, Turn, turns, usage

if TYPE_CHECKING:
    from convo_replay.breaking import Breaking
    from convo_replay.faults.specs import Plan
    from convo_replay.providers.reply import Usage
    from convo_replay.validating import Validation
    from convo_replay.validation.findings import Finding
    from convo_replay.verdict.evidence import Expected


class Budget:
    """Live requests that a session may make, shared by its conversations."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Takes one request from the budget; `False` where none is left."""
        with self._lock:
            if self.used >= self.limit:
                return False
            self.used += 1
            return True


class Conversation(Breakable):
    """See `use_cassette` for the ways to get one.

    Args:
        cassette_path: the file, or `None` in mode `live`.
        config: the settings.
        owner: the test that owns what is recorded (a pytest node id); empty outside tests.
        budget: live requests the session may make; one of its own by default.
        rerecord: the command that records this cassette anew, for messages.
        filters: what is done to each exchange before anything else.
        also: further cassettes, which are only played.
        load: reads a cassette file, in place of `cassette.load`.
        plan: faults: nothing is recorded then but branches (`new_episodes`), and failures become a verdict.
        expect: what comes of them, where that is declared: `recovered`, `raised`, `handled`.
        again: the command that makes this run under faults again, for messages.
    """

    repeats_setting = "repeats=True"
    """How the user says that an exchange may be played again, for messages."""

    def __init__(
        self,
        cassette_path: Path | None,
        config: Config,
        *,
        owner: str = "",
        budget: Budget | None = None,
        rerecord: str = "",
        filters: Filters | None = None,
        also: Sequence[Path] = (),
        load: Load | None = None,
        plan: Plan | None = None,
        expect: Expected = "",
        again: str = "",
    ) -> None:
        super().__init__(plan, expect)
        # Absolute from the start: a test may change the directory.
        self.cassette_path = None if cassette_path is None or config.record == "live" else cassette_path.absolute()
        self.config = config
        self.owner = owner
        # Under faults nothing is recorded but what comes after them.
        self.record: str = config.record if plan is None or config.record == "new_episodes" else "none"
        self.budget = budget or Budget(config.max_requests)
        self._rerecord = rerecord
        self._again = again
        self.save_path = self.cassette_path
        """Where a recording goes; beside a cassette of vcrpy's, which is never written."""
        self.filters = filters
        self._filtered: set[tuple[str, int | None]] = set()
        """Addresses of requests that the filters left to the network."""
        self.also = [path.absolute() for path in also]
        self._load_file = load
        self.parent: Conversation | None = None
        self.is_active = False
        self.lock = threading.RLock()
        self.failure: ConvoFailure | None = None
        self.notes: list[str] = []
        self.passed: dict[str, int] = {}
        """Hosts that requests went to unrecorded, with how many."""
        self.live_requests = 0
        self._sources: Sources | None = None
        self._opened = self._closed = self._installed = False
        self._saved: Sequence[Exchange] = ()
        self._token: Token[Conversation | None] | None = None
        self._player: Player | None = None
        self._redactor: Redactor | None = None
        self._validation: Validation | None = None
        self._played_at: dict[int, deque[int]] = {}
        """Where an exchange that is being played stands in `_finished`, by its identity."""
        self._live_values = LiveValues()
        self._fingerprints = Fingerprints(config.match_on, config.normalize)
        self._foreign = Foreign(frozenset(), None, self._fingerprints)
        self._finished: list[Exchange | None] = []
        self._in_flight: dict[int, Call] = {}
        self._reader = BodyReader()
        self._recording = Recording(config, owner, filters)
        self._turns: tuple[tuple[int, int], list[Turn]] = ((0, 0), [])
        self._standins = standins.StandIns()
        self._intercepts = hosts(config.intercept)
        self._ignores = hosts(config.ignore)
        self._passes = hosts(config.passthrough)

    def __repr__(self) -> str:
        return f"<Conversation {str(self.cassette_path or 'live')!r} {self.record}, {len(self.exchanges)} exchanges>"

    # --- what tests read ---------------------------------------------------------------------------

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges so far, live and replayed, redacted, by the start of the request."""
        done = list(self._finished)
        if not self._pauses.count:
            return [self.shown(exchange) for exchange in done if exchange is not None]
        return [
            replace(self.shown(exchange), waits=self._pauses.seconds(slot))
            for slot, exchange in enumerate(done)
            if exchange is not None
        ]

    def shown(self, exchange: Exchange) -> Exchange:
        """An exchange as anyone may see it: one of a foreign cassette is played as it is, and shown redacted."""
        return self._foreign.shown(exchange)

    @property
    def turns(self) -> list[Turn]:
        """The calls to a model so far, each with all its attempts."""
        done = self.exchanges
        known = len(done), self._pauses.count
        if self._turns[0] != known:
            self._turns = (known, turns(done))
        return self._turns[1]

    @property
    def usage(self) -> Usage:
        """Tokens of all turns so far, live or replayed."""
        return usage(self.turns)

    @property
    def findings(self) -> list[Finding]:
        """What validation has found so far, in the requests and in the answers that were read to their end."""
        with self.lock:
            if self._validation is None or not self._validation.findings:
                return []
            grouper, numbers = Grouper(), {}
            for slot, exchange in enumerate(self._finished):
                turn = None if exchange is None else grouper.add(self.shown(exchange))
                numbers[slot] = turn.index if turn else None
            next_turn = len(grouper.turns)
            return [replace(one, turn=numbers.get(one.exchange or 0, next_turn)) for one in self._validation.findings]

    # --- opening and closing -----------------------------------------------------------------------

    def open(self) -> None:
        """Loads the cassette, puts the patches in place and becomes the current conversation.

        Raises:
            CassetteError: the file cannot be read; nothing is patched then.
        """
        self.load()
        self._prepare()
        self._enter()

    def load(self) -> None:
        """Reads the cassette, where that has not happened yet.

        Raises:
            CassetteError: the file is no cassette, or `sanitize` is off inside a git work tree.
        """
        with self.lock:
            if self._player is not None:
                return
            exchanges: Sequence[Exchange] = ()
            found = self._sources
            if found is None and self.cassette_path is not None:
                if self.config.sanitize == "off":
                    keeping.refuse_in_git(self.cassette_path)
                found = self._sources = sources.read(self.cassette_path, self.also, self.filters, self._load_file)
            if found is not None:
                exchanges, self._saved, self.save_path = found.exchanges, found.saved, found.save_path
            self._redactor = Redactor(environment.current(), self.config.secrets, self.config.redact)
            self._redactor.reserve(self._staying(exchanges))
            if found is not None and found.foreign:
                redactor = None if self.config.sanitize == "off" else self._redactor
                self._foreign = Foreign(found.foreign, redactor, self._fingerprints)
                if self._saved:
                    exchanges = self._foreign.without_superseded(exchanges)
            if self._plan is not None:
                self._break(exchanges)
            self._player = Player(
                exchanges,
                owner=self.owner,
                mode=self.config.record if self._plan is None else "none",
                fingerprints=self._fingerprints,
                matchers=[matcher for matcher in self.config.match_on if not isinstance(matcher, str)],
                repeats=self.config.repeats,
                value_of=self._redactor.value_of,
                after=self._breaking.branches(exchanges) if self._breaking is not None else (),
            )

    def _staying(self, exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
        """Those beside which a recording will stand, whose placeholders it must not take."""
        mine = [one for one in exchanges if one.test == self.owner and not one.after]
        mode = self.config.record if self._plan is None else "none"
        if mode == "rewrite" or (mode == "once" and all(one.outcome == "failed" for one in mine)):
            return [one for one in exchanges if one.test != self.owner or one.after]
        return exchanges

    def _prepare(self) -> None:
        if self._opened:
            return
        from convo_replay.transports.interception import install

        self._installed = self._replays
        install(replays=self._installed)
        self._opened = True
        if self.record == "none":
            self._standins.put()

    def _enter(self) -> None:
        self._token = nesting.enter(self)

    def _leave(self) -> None:
        if self._token is not None:
            token, self._token = self._token, None
            nesting.leave(self, token)

    @contextlib.contextmanager
    def activate(self) -> Iterator[None]:
        """Makes it the current conversation for a region; the cassette is read at the first request."""
        self._prepare()
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def close(self, *, failed: bool = False) -> None:
        """Takes everything of ours back, then saves what was recorded. Closing twice does nothing.

        Args:
            failed: the test failed: what was recorded is marked, and kept beside an existing cassette.

        Raises:
            CassetteError: the file could not be written; the text says where the recording is kept.
            LeakFound: a secret would have reached the file; nothing was written.
            ConvoFailure: exchanges were not played and `unplayed` is `error`.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._leave()
        finally:
            if self._opened:
                from convo_replay.transports.interception import uninstall

                try:
                    uninstall(replays=self._installed)
                finally:
                    self._standins.take_back()
        for call in list(self._in_flight.values()):
            call.end("cancelled")
        self._save(failed)
        self._report_failed_recording()
        if not failed and self.failure is None and self._breaking is None:
            self._report_unplayed()

    def _save(self, failed: bool) -> None:
        if self.record in ("none", "live") or self.save_path is None or self._player is None:
            return
        assert self._redactor is not None
        note = self._recording.save(
            self.save_path,
            self._redactor,
            self._fingerprints,
            failed=failed,
            known=self._saved,
            held=self._player.exchanges,
            foreign=self._foreign,
        )
        if note:
            self.notes.append(note)

    def _report_failed_recording(self) -> None:
        if self._player is None:
            return
        if any(self._player.exchanges[index].outcome == "failed" for index in self._player.played):
            self.notes.append(errors.failed_recording(self._shown, self.rerecord))

    def _report_unplayed(self) -> None:
        if self.config.unplayed == "ignore" or self._player is None or self._player.records_all:
            return
        left = self._player.unplayed()
        if not left:
            return
        text = errors.unplayed(self._shown, [self._as_told(one) for one in left[:1]], len(left), self.rerecord)
        if self.config.unplayed == "error":
            raise errors.failure(ConvoFailure, text)
        self.notes.append(text)

    # --- what transports ask -----------------------------------------------------------------------

    def claims(self, request: Request, *, named_only: bool = False) -> bool:
        """Whether this request is ours: a provider knows it, the cassette holds it, or `intercept` names it.

        Args:
            named_only: only `intercept` counts (requests to mock and in-process transports).
        """
        host, port = _address(request.url)
        if self._ignores(host, port, request) or self._passes(host, port, request):
            return False
        if self.filters is not None and self.filters.request(request) is None:
            self._filtered.add((host, port))
            return False
        if self._intercepts(host, port, request):
            return True
        if named_only:
            return False
        if find(request) is not None:
            return True
        try:
            self.load()
        except CassetteError as error:
            raise self.fail(ConvoFailure, str(error)) from error
        assert self._player is not None
        return self._player.holds(request.method, request.url)

    def read_body(self, data: bytes, content_type: str, content_encoding: str = "") -> Body:
        """The body of a request, read at the cost of what it adds to the last ones.

        Without its content-encoding; where nothing here unpacks it, its hash.
        """
        if content_encoding:
            from convo_replay.cassette.content_encoding import decoded

            try:
                data = decoded(data, [content_encoding])
            except ValueError:  # what cannot be read cannot be sanitized
                return Blob(hashlib.sha256(data).hexdigest(), len(data), content_type)
        with self.lock:
            body = self._reader.read(data, content_type)
            if isinstance(body, Json):
                with contextlib.suppress(CassetteError):  # said where the request is decided
                    self.load()
                if self._foreign:
                    return Json(body.value, data)
            return body

    def needs_body(self) -> bool:
        """Whether the body must be known before the request may be sent (an upload that streams)."""
        try:
            self.load()
        except CassetteError as error:
            raise self.fail(ConvoFailure, str(error)) from error
        assert self._player is not None
        return not self._player.records_all

    def decide(self, request: Request) -> Play | Call:
        """What to do with a request that is ours, as the application sent it.

        Raises:
            CassetteMiss: nothing answers it and the mode does not record.
            ConvoFailure: the cassette cannot be read, or no more live requests may be made; and the
                first failure of the conversation again, for each request after it.
        """
        with self.lock:
            answer = self._answer(request)
        if isinstance(answer, ConvoFailure):
            # One statement raises the first and each later one: hypothesis takes another line for another bug.
            raise answer.with_traceback(None)
        return answer

    def _answer(self, request: Request) -> Play | Call | ConvoFailure:
        if self.failure is not None:
            return self.failure
        try:
            self.load()
        except CassetteError as error:
            return self.fail(ConvoFailure, str(error), error)
        assert self._player is not None
        assert self._redactor is not None
        if self.record != "none":
            self._redactor.learn_environment(environment.current())  # a test may set a key on its way
        sent = request
        if self.filters is not None:
            self._redactor.learn_request(request)  # before a filter takes a key out that stands in the body, too
            sent = self.filters.request(request) or request
        redacted = self._redacted(sent)
        breaking = self._breaking
        decision = self._player.decide(redacted, sent, again=breaking is not None and breaking.has_begun)
        slot = len(self._finished)
        self._pauses.asked(slot)
        validation = self._validating()
        if isinstance(decision, Refuse) and breaking is not None and breaking.has_begun:
            decision = self._as_delivered(breaking, decision, redacted, sent)
        if isinstance(decision, Refuse) and not (breaking is not None and breaking.has_begun):
            return self._refused(redacted, decision, slot, self._judged(sent, redacted))
        if isinstance(decision, Refuse):
            assert breaking is not None
            nearest = None if decision.nearest is None else self.shown(decision.nearest)
            if self.record == "none":
                breaking.diverge(redacted, request, nearest, slot)
                return self._diverged(redacted, decision, slot, self._judged(sent, redacted))
            breaking.live(redacted, request, slot)
        if isinstance(decision, Play):
            if breaking is not None:
                met = self._met(breaking, decision, redacted, request, slot)
                if isinstance(met, ConvoFailure):
                    return met
                decision = met
            if validation is not None:
                before = functools.partial(self._recorded_until, decision.index)
                same = _is_same_blob(redacted.body, decision.exchange.request.body)
                judged = self._judged(sent, redacted)
                broken, accepted = validation.played(judged, decision.exchange, slot, before, same=same)
                if broken and breaking is not None:
                    breaking.broken(slot, broken)
                elif broken:
                    host = _address(decision.exchange.request.url)[0] if accepted else ""
                    return self.fail(InvalidTurn, telling.invalid(self._scene(), judged, broken, accepted=host))
                if decision.attempt is None or not decision.attempt.faults:
                    self._played_at.setdefault(id(decision.exchange), deque()).append(slot)
            self._finished.append(decision.exchange)
            return decision if self.config.sanitize != "on" else self._live_values.play(decision, self._redactor)
        if not self.budget.take():
            return self.fail(ConvoFailure, errors.over_budget(self.budget.limit, redacted.url))
        self.live_requests += 1
        self._finished.append(None)
        call = Call(self, slot, request)
        self._in_flight[slot] = call
        if validation is not None:
            validation.sent(self._judged(sent, redacted), slot, call.recorded[:10])
        return call

    def _met(
        self, breaking: Breaking, decision: Play, redacted: Request, raw: Request, slot: int
    ) -> Play | ConvoFailure:
        """What a recorded exchange answers with, where faults may be due."""
        assert self._player is not None
        try:
            attempt = breaking.meet(redacted, raw, decision.exchange, slot, again=decision.again)
        except ValueError as error:
            return self.fail(ConvoFailure, str(error))
        if breaking.is_storm(attempt):
            return self.fail(ConvoFailure, self._verdict_first(errors.storm(f"{attempt.number + 1} attempts")))
        assert attempt.exchange is not None
        if attempt.faults:
            if not decision.again:
                self._player.give_back(decision.index)
            if decision.exchange in self._foreign:
                # Broken like the one that is played: half a secret is one that nothing recognizes.
                shown = breaking.broken_like(attempt, self.shown(decision.exchange))
                self._foreign.add(attempt.exchange, shown)
        return replace(decision, exchange=attempt.exchange, attempt=attempt)

    def _as_delivered(self, breaking: Breaking, refusal: Refuse, redacted: Request, raw: Request) -> Play | Refuse:
        """What answers a request that sends back what a fault had changed, where nobody could have seen that."""
        assert self._player is not None
        if refusal.nearest is None:
            return refusal
        nearest = self.shown(refusal.nearest).request
        mended = breaking.as_recorded(redacted, nearest)
        if mended is None:
            return refusal
        decision = self._player.decide(mended, replace(raw, body=mended.body), again=True)
        return decision if isinstance(decision, Play) else refusal

    def _diverged(self, redacted: Request, decision: Refuse, slot: int, judged: Request) -> ConvoFailure:
        """What is raised for a request that nothing answers, after a fault."""
        validation = self._validating()
        if validation is not None:
            before = None if decision.index is None else functools.partial(self._recorded_until, decision.index)
            broken, _ = validation.refused(judged, slot, before)
            assert self._breaking is not None
            self._breaking.broken(slot, broken)
        return self.fail(
            ConvoFailure, self._verdict_first(telling.diverged(self._scene(), redacted, decision, self._again))
        )

    def _judged(self, sent: Request, redacted: Request) -> Request:
        """What validation looks at: the redacted request; also of one that is kept by its hash alone, here at hand."""
        return self._redacted(whole(sent)) if isinstance(sent.body, Blob) and sent.body.value is not None else redacted

    def _refused(self, redacted: Request, decision: Refuse, slot: int, judged: Request) -> ConvoFailure:
        """What is raised for a request that nothing answers: why the API would reject it, or else what differs."""
        validation = self._validating()
        warned: Sequence[Finding] = ()
        if validation is not None:
            before = None if decision.index is None else functools.partial(self._recorded_until, decision.index)
            broken, warned = validation.refused(judged, slot, before)
            if broken:
                return self.fail(InvalidTurn, telling.invalid(self._scene(), judged, broken, decision))
        return self.fail(CassetteMiss, telling.miss(self._scene(), redacted, decision, warned))

    def _recorded_until(self, index: int, start: int) -> list[Exchange]:
        """The exchanges of the cassette from one up to another, as anyone may see them."""
        assert self._player is not None
        return [self.shown(one) for one in self._player.exchanges[start : index + 1]]

    def _validating(self) -> Validation | None:
        if self._validation is None and self.config.validate_ != "off":
            from convo_replay.validating import Validation

            self._validation = Validation(self.config.validate_, self.config.ignore_rules)
        return self._validation

    def read(self, exchange: Exchange) -> None:
        """A client has read an exchange that was played to its end."""
        with self.lock:
            exchange = self._live_values.as_recorded(exchange)
            slots = self._played_at.get(id(exchange))
            if slots and self._validation is not None:
                self._validation.read(self.shown(exchange), slots.popleft())

    def outside(self, scheme: str, host: str, port: int | None, url: str | None) -> ConvoFailure | None:
        """What the guard is told about a connection that is not ours: a failure to raise, or to let it pass."""
        shown = url or f"{scheme}://{host}" + (f":{port}" if port else "")
        passes = (host, port) in self._filtered or self._passes(host, port, Request("GET", shown))
        if self.record == "none" and not passes:
            quiet = None if self._redactor is None else self._redactor.request(Request("GET", shown)).url
            where = quiet or telling.without_query(shown)
            return self.fail(ConvoFailure, errors.refused(where, host, self._shown))
        with self.lock:
            self.passed[host] = self.passed.get(host, 0) + 1
        return None

    def recorded(self, call: Call, steps: Steps) -> ConvoFailure | None:
        """A call has ended with these steps (the conversation's lock is held). What it fails with, all the same."""
        self._in_flight.pop(call.slot, None)
        assert self._redactor is not None
        exchange = self._recording.made(call, steps, self._redactor)
        if exchange is None:
            return None
        if self._breaking is not None:
            exchange = self._breaking.recorded(call.slot, exchange)
        self._finished[call.slot] = exchange
        self._recording.by_slot[call.slot] = exchange
        if self._validation is not None:
            broken = self._validation.answered(exchange, call.slot)
            if broken and self._breaking is not None:
                self._breaking.broken(call.slot, broken)
            elif broken:  # of a request that a gateway took: said now that its answer is there
                host = _address(exchange.request.url)[0]
                return self.fail(InvalidTurn, telling.invalid(self._scene(), exchange.request, broken, accepted=host))
        return None

    def dropped(self, call: Call) -> None:
        """A call turned out not to be one (the conversation's lock is held)."""
        self._in_flight.pop(call.slot, None)

    def _redacted(self, request: Request) -> Request:
        assert self._redactor is not None
        return request if self.config.sanitize == "off" else self._redactor.request(request)

    def _as_told(self, exchange: Exchange) -> Exchange:
        """An exchange as a message quotes it; into a cassette of ours, too, somebody may have written by hand."""
        if self._redactor is None or self.config.sanitize == "off":
            return exchange
        return self._redactor.exchange(exchange)

    def _safe(self, text: str) -> str:
        if self.config.sanitize == "off":
            return text
        return quoted(text) if self._redactor is None else self._redactor.text(text)

    # --- playing it again --------------------------------------------------------------------------

    def _held(self) -> Sequence[Exchange]:
        """What can be played from the start: the cassette, or what was recorded so far in its place."""
        self.load()
        assert self._player is not None
        with self.lock:
            mine = self._recording.exchanges
        return mine if self._player.records_all else [*self._player.exchanges, *mine]

    def rewound(self, plan: Plan | None, expect: Expected) -> Conversation | None:
        """A conversation that plays this one's recording from the start; `None` where there is none yet."""
        held = self._held()
        if not held:
            return None
        branches = self.record == "new_episodes" and plan is not None
        config = self.config.model_copy(update={"record": "new_episodes" if branches else "none", "unplayed": "ignore"})
        made = type(self)(
            self.cassette_path, config, owner=self.owner, budget=self.budget, rerecord=self._rerecord,
            filters=self.filters, plan=plan, expect=expect,
        )  # fmt: skip
        path = self.save_path or self.cassette_path or Path()
        made._sources = Sources(held, self._saved, path, self._foreign.ids)
        return made

    def take(self, again: Conversation) -> None:
        """What a rewound conversation did counts for this one."""
        self.notes += again.notes
        self.live_requests += again.live_requests
        if self._player is not None and again._player is not None:
            self._player.covered |= again._player.played

    # --- failures ----------------------------------------------------------------------------------

    def fail(self, kind: type[ConvoFailure], text: str, cause: Exception | None = None) -> ConvoFailure:
        """A failure to be raised out of the application's call; the first one is remembered."""
        # What it quotes was redacted; this is for what nobody has thought of.
        text = text if self.config.sanitize == "off" else quoted(text)
        made = errors.failure(kind, text if errors.raised_as else text + errors.called_from())
        made.__cause__ = cause
        with self.lock:
            if self.failure is None:
                self.failure = made
        return made

    @property
    def _shown(self) -> str:
        return errors.shown_path(str(self.cassette_path))

    @property
    def rerecord(self) -> str:
        """The command that records this cassette anew."""
        if self._rerecord:
            return self._rerecord
        if self.owner:
            return f"pytest {shlex.quote(self.owner)} --convo-record=rewrite"
        return f'use_cassette("{self._shown}", record="rewrite")'

    def _scene(self) -> Scene:
        assert self._player is not None
        return Scene(
            finished=self._finished,
            recorded=self._player.exchanges,
            shown=self._as_told,
            fingerprints=self._fingerprints,
            owner=self.owner,
            mode=self.record,
            cassette=self.cassette_path,
            rerecord=self.rerecord,
            repeats=self.repeats_setting,
            kept=self.save_path != self.cassette_path,
        )

    def broken_answers(self) -> ConvoFailure | None:
        """What is wrong with the answers that were read, as one failure to be raised when the test is over."""
        found = [one for one in self.findings if one.side == "response" and one.severity == "error"]
        return errors.failure(ConvoFailure, telling.broken_answers(self._scene(), found)) if found else None

    def warnings(self) -> list[Finding]:
        """What validation found that is no failure; to be told at the end of a run."""
        if self._plan is not None:
            return []  # the plain run has told them
        return [one for one in self.findings if one.severity == "warn"]


@functools.lru_cache(256)
def _address(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _is_same_blob(sent: Body, recorded: Body) -> bool:
    return isinstance(sent, Blob) and isinstance(recorded, Blob) and sent.sha256 == recorded.sha256
