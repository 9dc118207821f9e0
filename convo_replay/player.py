"""What to do with a request: play a recorded exchange, record a new one, or refuse.

Pure: no transport, no file, no clock. One `Player` per conversation; callers hold the
conversation's lock. Among the exchanges that share a fingerprint come first the test's own, then
unowned ones, then those equal before `normalize` and in host, then those whose placeholders map
one-to-one onto the live ones as this conversation has mapped them so far, then recorded order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from convo_replay.config import RecordMode
from convo_replay.exchange import Binary, Blob, Body, Exchange, Json, Request, Text
from convo_replay.explaining import nearest
from convo_replay.matching import Fingerprint, Fingerprints, comparable
from convo_replay.pairing import Pairing, wildcard_pairs
from convo_replay.redaction import urls

if TYPE_CHECKING:
    from convo_replay.verdict.evidence import Attempt


@dataclass(frozen=True, slots=True)
class Play:
    """Answer with this recorded exchange. `index` is its place in the cassette."""

    exchange: Exchange
    index: int
    again: bool = False
    """It had been played before."""
    attempt: Attempt | None = None
    """In a fault run, what is to be told of what becomes of the answer."""
    pairs: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """Recorded placeholders, each with what stands in its place in the request: the value, or another placeholder."""


@dataclass(frozen=True, slots=True)
class Record:
    """Let the request go to the network and record what comes."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing answers this request. `nearest` is the recorded exchange most like it, if there is one."""

    nearest: Exchange | None
    index: int | None
    played: bool
    """Whether the nearest one is equal, and has been played already."""
    stranger: bool = False
    """Whether it is equal but for whom it names: another test's, or not whom its placeholders stood for so far."""
    branch: str = ""
    """The faults after which the same was recorded: it is played after those alone."""


Decision = Play | Record | Refuse


def _agrees(matcher: Callable[[Request, Request], Any], recorded: Request, sent: Request) -> bool:
    try:
        return matcher(recorded, sent) is not False
    except AssertionError:  # a matcher may assert, as vcrpy's do
        return False


def _comparable(body: Body) -> Any:
    """A body as a value in which placeholders are looked for; of what is known by its hash, the hash."""
    if isinstance(body, Json):
        return ["json", body.value]
    if isinstance(body, Text):
        return ["text", body.text]
    if isinstance(body, Binary):
        return ["bytes", body.data.decode("utf-8", "surrogateescape")]
    if isinstance(body, Blob):
        return ["blob", body.sha256]
    parts = () if body is None else body.parts
    return [[part.name, part.filename or "", _comparable(part.body)] for part in parts]


def is_failure(exchange: Exchange) -> bool:
    """Whether an exchange that a failed run left is an error itself, and not worth playing where one may record."""
    status = exchange.status
    return exchange.outcome == "failed" and (status is None or status in (401, 403, 408, 409, 429) or status >= 500)


class Player:
    """Decides, request by request, over the exchanges of one cassette.

    Args:
        exchanges: the cassette's, in order.
        owner: the test whose conversation this is; empty outside tests.
        mode: the record mode.
        fingerprints: shared with the conversation, so that messages are hashed once.
        matchers: callables `(recorded, sent) -> bool` that must all agree as well.
        repeats: whether an exchange may be played more than once.
        after: what `Exchange.after` may say: branches that are played, too.
        value_of: the value that a placeholder of the live requests stands for, where it is known.
    """

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        *,
        owner: str,
        mode: RecordMode,
        fingerprints: Fingerprints,
        matchers: Sequence[Callable[[Request, Request], Any]] = (),
        repeats: bool = False,
        after: Collection[str] = (),
        value_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.exchanges = exchanges
        self.owner = owner
        self.mode = mode
        self.repeats = repeats
        self._after = {"", *after}
        self._matchers = tuple(matchers)
        self._fingerprints = fingerprints
        self._pairing = Pairing()
        self._value_of = value_of
        self.played: set[int] = set()
        """What has been used up."""
        self.covered: set[int] = set()
        """What another run through the same exchanges has asked for: it may still be played."""
        # What a failed run left is no recording yet: `once` records again.
        nothing_of_ours = not any(self._is_ours(exchange) and exchange.outcome != "failed" for exchange in exchanges)
        self.records_all = mode in ("all", "rewrite", "live") or (mode == "once" and nothing_of_ours)
        self.prints: list[Fingerprint] = []
        self._index: dict[bytes, list[int]] = {}
        if not self.records_all:
            for index, exchange in enumerate(exchanges):
                found = fingerprints.of(exchange.request)
                self.prints.append(found)
                self._index.setdefault(found.loose, []).append(index)

    def _is_ours(self, exchange: Exchange) -> bool:
        return exchange.test in ("", self.owner) and exchange.after in self._after

    def decide(self, request: Request, raw: Request, *, again: bool = False) -> Decision:
        """What to do with `request` (redacted); `raw` is the same request as the application sent it.

        Args:
            again: what has been played may be played once more, where nothing else answers.
        """
        if self.records_all:
            return Record()
        sent = self._fingerprints.of(request)
        more = self.repeats or again
        choice = self._same_fingerprint(sent, request, raw, more) or self._by_wildcards(request, raw, more)
        if choice is not None:
            index, pairs = choice
            played = index in self.played
            self.played.add(index)
            self._pairing.take(pairs)
            return Play(self.exchanges[index], index, played, pairs=pairs)
        if self.mode == "new_episodes":
            return Record()
        return self._refuse(sent, request)

    def give_back(self, index: int) -> None:
        """The exchange was not answered with after all (a fault stood in for it): it may be played once more."""
        self.played.discard(index)

    def unplayed(self) -> list[Exchange]:
        """The test's own exchanges that nothing asked for."""
        asked = self.played | self.covered
        return [
            exchange
            for index, exchange in enumerate(self.exchanges)
            if exchange.test == self.owner and not exchange.after and index not in asked
        ]

    def holds(self, method: str, url: str) -> bool:
        """Whether the cassette has an exchange for this method, host and path, whatever its body."""
        wanted = urlsplit(url)
        return any(
            exchange.request.method.upper() == method.upper()
            and (known := urlsplit(exchange.request.url)).path == wanted.path
            and known.netloc.rpartition("@")[2] == wanted.netloc.rpartition("@")[2]
            for exchange in self.exchanges
        )

    def _agreed(self, index: int, request: Request) -> bool:
        exchange = self.exchanges[index]
        if self._is_about_another_person(index):
            return False
        if self.mode == "new_episodes" and (not self._is_ours(exchange) or is_failure(exchange)):
            return False  # or what a test records would depend on which test ran first; or a 401 would stay for ever
        return all(_agrees(matcher, exchange.request, request) for matcher in self._matchers)

    def _is_about_another_person(self, index: int) -> bool:
        """Whether it is another test's and names people: two requests that differ only in whom would look alike."""
        if not self.owner or self.exchanges[index].test in ("", self.owner):
            return False
        return any(map(self._pairing.is_personal, self.prints[index].placeholders))

    def _same_fingerprint(
        self, sent: Fingerprint, request: Request, raw: Request, again: bool
    ) -> tuple[int, list[tuple[str, str]]] | None:
        alike = self._index.get(sent.loose, ())
        indexes = [i for i in alike if self.exchanges[i].after in self._after and self._agreed(i, request)]
        indexes = [i for i in indexes if self._pairing.tells_people_apart(self._pairs(i, sent))]
        fresh = [i for i in indexes if i not in self.played]
        if not fresh and not again:
            return None
        best = min(fresh or indexes[-1:], key=lambda i: self._rank(i, sent, raw), default=None)
        return None if best is None else (best, self._pairs(best, sent))

    def _pairs(self, index: int, sent: Fingerprint) -> list[tuple[str, str]]:
        live = [self._value_of(name) or name for name in sent.placeholders]
        return list(zip(self.prints[index].placeholders, live, strict=False))

    def _rank(self, index: int, sent: Fingerprint, raw: Request) -> tuple[bool, int, bool, bool, bool, bool, int]:
        owner = self.exchanges[index].test
        known = self.prints[index]
        return (
            not self.exchanges[index].after,
            0 if owner == self.owner else 1 if not owner else 2,
            known.exact != sent.exact,
            self._other_bytes(index, raw),
            known.host != sent.host,
            not self._pairing.fits(self._pairs(index, sent)),
            index,
        )

    def _other_bytes(self, index: int, raw: Request) -> bool:
        """Whether equal JSON was written in another way, as far as both are known: white space, order of keys."""
        recorded, sent = self.exchanges[index].request.body, raw.body
        if not (isinstance(recorded, Json) and isinstance(sent, Json)):
            return False
        return recorded.raw is not None and sent.raw is not None and recorded.raw != sent.raw

    def _by_wildcards(self, request: Request, raw: Request, again: bool) -> tuple[int, list[tuple[str, str]]] | None:
        """On a miss by hash: recorded placeholders match whatever text stands in their place."""
        best: tuple[tuple[int, bool, bool, bool, int], list[tuple[str, str]]] | None = None
        redacted_here = request.body is not raw.body or request.url != raw.url
        for index, exchange in enumerate(self.exchanges):
            if (
                (index in self.played and not again)
                or exchange.after not in self._after
                or not (redacted_here or self.prints[index].placeholders)  # the hash was right
                or not self._agreed(index, request)
            ):
                continue
            pairs = self._wild(exchange.request, request, raw)
            if pairs is None or not self._pairing.agrees(pairs) or not self._pairing.tells_people_apart(pairs):
                continue
            whose = 0 if exchange.test == self.owner else 1 if not exchange.test else 2
            one_to_one = self._pairing.fits(pairs)
            rank = (whose, index in self.played, self._other_bytes(index, raw), not one_to_one, index)
            if best is None or rank < best[0]:
                best = (rank, pairs)
        return None if best is None else (best[0][-1], best[1])

    def _wild(self, known: Request, request: Request, raw: Request) -> list[tuple[str, str]] | None:
        rules = self._fingerprints
        theirs, ours = urlsplit(known.url), urlsplit(raw.url)
        compared: list[tuple[Any, Any]] = []
        if "method" in rules.match_on:
            compared.append((known.method.upper(), raw.method.upper()))
        if "scheme" in rules.match_on:
            compared.append((theirs.scheme, ours.scheme))
        if "host" in rules.match_on:
            compared.append((theirs.netloc.rpartition("@")[2].lower(), ours.netloc.rpartition("@")[2].lower()))
        if "path" in rules.match_on:
            compared.append((theirs.path or "/", ours.path or "/"))
        if "query" in rules.match_on:
            compared.append((urls.compared(theirs.query), urls.compared(ours.query)))
        if "headers" in rules.match_on and sorted(comparable(known)) != sorted(comparable(request)):
            return None
        if "body" in rules.match_on and known.body not in (raw.body, request.body):
            compared.append((_comparable(known.body), _comparable(raw.body)))
        pairs: list[tuple[str, str]] = []
        for a, b in compared:
            found = wildcard_pairs(a, b, rules)
            if found is None:
                return None
            pairs += found
        return pairs

    def _refuse(self, sent: Fingerprint, request: Request) -> Refuse:
        equal = [index for index in self._index.get(sent.loose, ()) if self._agreed(index, request)]
        same = [index for index in equal if self.exchanges[index].after in self._after]
        branch = next((self.exchanges[index].after for index in equal if index not in same), "")
        others = [i for i in same if not self._pairing.tells_people_apart(self._pairs(i, sent))]
        if len(others) == len(same) != 0 or any(i not in self.played for i in others):
            return Refuse(self.exchanges[others[-1]], others[-1], played=False, stranger=True, branch=branch)
        if same:
            return Refuse(self.exchanges[same[-1]], same[-1], played=True, branch=branch)
        known = [i for i, exchange in enumerate(self.exchanges) if exchange.after in self._after]
        fresh = [i for i in known if i not in self.played]
        ours = [i for i in fresh if self._is_ours(self.exchanges[i])]
        pool = ours or fresh or known
        where = nearest(request, [self.exchanges[i].request for i in pool], self._fingerprints)
        if where is None:
            return Refuse(None, None, played=False, branch=branch)
        found = pool[where]
        alike = found in self._index.get(sent.loose, ()) and self._is_about_another_person(found)
        return Refuse(self.exchanges[found], found, played=False, stranger=alike, branch=branch)
