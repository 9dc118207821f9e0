"""The conversation of a test that was written for vcrpy, and what the test sees of it.

vcrpy intercepts every host, loads through the project's filters, and hands the test its `Cassette`. The
conversation does the same on our engine; `AdoptedCassette` answers what tests ask a `Cassette` for.

Source: vcrpy 9.4, `cassette.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vcr import matchers
from vcr.errors import CannotOverwriteExistingCassetteException, UnhandledHTTPRequestError
from vcr.record_mode import RecordMode

from convo_replay.call import Call
from convo_replay.cassette import Cassette, load
from convo_replay.config import Config
from convo_replay.conversation import Budget, Conversation
from convo_replay.errors import CassetteError, CassetteMiss, ConvoFailure
from convo_replay.exchange import Exchange, Request
from convo_replay.matching import Fingerprint, Fingerprints
from convo_replay.player import Play
from convo_replay.vcr_config import Adopted, FilterError, by_value
from convo_replay.vcr_messages import VcrRequest, vcr_response


class Unanswered(CassetteMiss, CannotOverwriteExistingCassetteException):  # type: ignore[misc]
    """A miss as tests written for vcrpy know it: an ordinary exception, and the application's to handle."""

    def __init__(self, conversation: AdoptedConversation, request: Request, miss: CassetteMiss) -> None:
        Exception.__init__(self, str(miss))
        self.miss = miss
        self.cassette = AdoptedCassette(conversation)
        self.failed_request = VcrRequest(request)


class _WithoutHost(Fingerprints):
    """vcrpy plays what matches in recorded order; we would prefer what was asked of the same host."""

    def of(self, request: Request) -> Fingerprint:
        return replace(super().of(request), host="")


class AdoptedConversation(Conversation):
    """A conversation with vcrpy's settings.

    Args:
        adopted: what they come to.
        also: the further cassettes that the marker names; the missing ones are left out, and noted.
    """

    repeats_setting = "allow_playback_repeats=True in vcr_config"

    def __init__(
        self, adopted: Adopted, config: Config, *, owner: str, budget: Budget, rerecord: str, also: Sequence[Path]
    ) -> None:
        super().__init__(
            adopted.path,
            config,
            owner=owner,
            budget=budget,
            rerecord=rerecord,
            filters=adopted.filters,
            also=[path for path in also if path.exists()],
            load=self._read,
        )
        self.adopted = adopted
        self.missed: list[CassetteMiss] = []
        """What was asked and nothing answers; raised as an `Unanswered`, which the application may handle."""
        self._fingerprints = _WithoutHost(config.match_on, config.normalize)
        if adopted.filters is not None:
            adopted.filters.redact = self._redacted
        self.notes += adopted.notes
        self.notes += [f"{owner}: @pytest.mark.vcr: there is no {path}" for path in also if not path.exists()]

    def _read(self, path: Path) -> Cassette:
        cassette = (self.adopted.load or load)(path)
        exchanges = cassette.exchanges
        if path in self.also:
            # Whoever recorded them: they count as the test's, or `once` would record again what is there.
            exchanges = [replace(each, test="") for each in exchanges]
        if cassette.format == "convo" and self.adopted.filters is not None:
            self.adopted.filters.of_ours(exchanges)
        return replace(cassette, exchanges=exchanges)

    def close(self, *, failed: bool = False) -> None:
        if self.missed and not failed:
            first = str(self.missed[0]).splitlines()[0]
            self.notes.append(
                f"{self.owner}: passed, but {len(self.missed)} request(s) had no answer; the first: {first}"
            )
        super().close(failed=failed)

    def load(self) -> None:
        filters = self.adopted.filters
        if filters is None:
            return super().load()
        with self.lock, filters.loading():
            try:
                super().load()
            except FilterError as error:
                assert self.cassette_path is not None
                raise CassetteError(self.cassette_path, self._safe(str(error))) from None

    def claims(self, request: Request, *, named_only: bool = False) -> bool:
        # Transports that reach no network answer for themselves: a test client, a mock.
        if named_only:
            return False
        try:
            return super().claims(request)
        except FilterError:
            return True  # the body of an upload may not be known yet; `decide` asks again

    def needs_body(self) -> bool:
        return self.filters is not None or super().needs_body()

    def decide(self, request: Request) -> Play | Call:
        with self.lock:
            failed_before = self.failure
            try:
                return super().decide(request if self.filters is not None else by_value(request))
            except FilterError as error:
                raise self.fail(ConvoFailure, self._safe(str(error)), error) from error
            except CassetteMiss as miss:
                if failed_before is not None:
                    raise
                self.failure = None
                self.missed.append(miss)
                raise Unanswered(self, request, miss) from None

    @property
    def loaded(self) -> Sequence[Exchange]:
        """What may be played, in the order of the files."""
        return self._player.exchanges if self._player is not None else ()

    @property
    def met(self) -> list[Exchange]:
        """The exchanges so far, as they are in the cassette."""
        return [exchange for exchange in list(self._finished) if exchange is not None]

    @property
    def new(self) -> list[Exchange]:
        """What was recorded so far."""
        return self._recording.exchanges

    @property
    def done(self) -> list[Exchange]:
        """What was played and recorded, as it was loaded: nothing of it redacted for showing."""
        return [exchange for exchange in list(self._finished) if exchange is not None]

    @property
    def is_write_protected(self) -> bool:
        """Whether a request that nothing answers is refused."""
        return self.record == "none" or (self.record == "once" and not (self._player and self._player.records_all))

    def rewind(self) -> None:
        """What has been played may be played once more."""
        with self.lock:
            if self._player is not None:
                self._player.played.clear()


class AdoptedCassette:
    """vcrpy's `Cassette`, as far as tests ask it: what is there, what was played, and rewinding.

    Attributes:
        conversation: the conversation itself, with `.turns` and `.exchanges`.
    """

    def __init__(self, conversation: AdoptedConversation) -> None:
        self.conversation = conversation
        self._rewound_at = 0

    def __getattr__(self, name: str) -> Any:
        offered = [key for key in (*vars(type(self)), "conversation") if not key.startswith("_")]
        raise AttributeError(
            f"the cassette of a test that runs under convo_adopt_vcr has no {name!r}; it has {', '.join(offered)}"
        )

    def _exchanges(self) -> list[Exchange]:
        # vcrpy keeps answers only.
        return [one for one in (*self.conversation.loaded, *self.conversation.new) if one.head is not None]

    def __len__(self) -> int:
        return len(self._exchanges())

    def __str__(self) -> str:
        return f"<Cassette containing {len(self)} recorded response(s)>"

    __repr__ = __str__

    @property
    def path(self) -> str:
        """Where vcrpy has, or would have, the cassette."""
        return str(self.conversation.adopted.path)

    _path = path

    @property
    def record_mode(self) -> RecordMode:
        """vcrpy's mode; `rewrite` is its `new_episodes`, as in pytest-recording."""
        mode = self.conversation.record
        return RecordMode({"rewrite": "new_episodes", "live": "all"}.get(mode, mode))

    @property
    def data(self) -> list[tuple[Any, dict[str, Any]]]:
        """Pairs of vcrpy's request and response, those of the files first."""
        return list(zip(self.requests, self.responses, strict=True))

    @property
    def requests(self) -> list[Any]:
        return [VcrRequest(exchange.request) for exchange in self._exchanges()]

    @property
    def responses(self) -> list[dict[str, Any]]:
        return [vcr_response(one.head, one.body) for one in self._exchanges() if one.head is not None]

    def responses_of(self, request: Any) -> list[dict[str, Any]]:
        """The responses to a request of vcrpy's.

        Raises:
            UnhandledHTTPRequestError: there is none; vcrpy's own.
        """
        functions = self.conversation.adopted.functions
        found = [response for known, response in self.data if matchers.requests_match(request, known, functions)]
        if not found:
            raise UnhandledHTTPRequestError(
                f"The cassette ({self.path!r}) doesn't contain the request ({request!r}) asked for"
            )
        return found

    @property
    def play_counts(self) -> Counter[int]:
        """How often each exchange was played, by its place in `data`."""
        places = {id(exchange): place for place, exchange in enumerate(self._exchanges())}
        new = {id(exchange) for exchange in self.conversation.new}
        done = [id(exchange) for exchange in self.conversation.met[self._rewound_at :]]
        return Counter(places[each] for each in done if each in places and each not in new)

    @property
    def play_count(self) -> int:
        return self.play_counts.total()

    @property
    def all_played(self) -> bool:
        return len(self.play_counts) == len(self)

    @property
    def dirty(self) -> bool:
        """Whether there is something new to be saved."""
        return bool(self.conversation.new)

    @property
    def rewound(self) -> bool:
        """Whether there was a cassette."""
        return bool(self.conversation.loaded)

    @property
    def write_protected(self) -> bool:
        return self.conversation.is_write_protected

    @property
    def allow_playback_repeats(self) -> bool:
        return self.conversation.adopted.repeats

    def rewind(self) -> None:
        """What has been played may be played once more, and counts anew."""
        self._rewound_at = len(self.conversation.met)
        self.conversation.rewind()
