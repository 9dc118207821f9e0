"""Exchanges grouped into turns: one call to a model, all its attempts together (design.md §2.1).

An exchange is a further attempt of a turn when it asks exactly the same (equal redacted body, same
path, same test) after an attempt that failed. What counts as failed decides which calls look like
one, so each case has its reason:

- 408, 409, 429, ≥ 500, `x-should-retry: true`, and no status line at all: the SDKs retry these.
- 401 and 403: nobody repeats the same words to a closed door but one who has changed the key.
  Any other 4xx is an answer about the request itself; to ask again is another call.
- 3xx: a hop. The next exchange may go to another path.
- A body that broke off (`truncated`, `reset`, `timeout` …), an error in mid-stream, and a 2xx that
  holds no message, as when a proxy answers HTML or ends a stream early.
- `cancelled` only if no part of the body had arrived. A client that leaves in the middle of an
  answer ("stop", then "regenerate") made two calls.

Identical calls may run at once (`gather`): an exchange joins the turn whose attempt failed first,
and none that was still under way when the exchange began. That is as good as `Exchange.recorded`
is: in whole seconds, a failed call and an equal one right beside it look like one call.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from convo_replay.exchange import Chunk, Exchange, Request
from convo_replay.providers import Provider, Reply, Usage, find, wire

_RETRIED = frozenset({401, 403, 408, 409, 429})
_MILLISECONDS, _WHOLE_SECONDS = 0.001, 1.0  # what `Exchange.recorded` leaves open, with a fraction and without


@dataclass(frozen=True)
class Turn:
    """One call to a model. `attempts`: by start, never empty; the last one is what the client got."""

    index: int
    attempts: tuple[Exchange, ...]

    @property
    def exchange(self) -> Exchange:
        """The last attempt."""
        return self.attempts[-1]

    @property
    def request(self) -> Request:
        """What the last attempt sent."""
        return self.exchange.request

    @cached_property
    def response(self) -> Reply:
        """The answer of the last attempt, as far as it came."""
        return _reply(self.exchange)

    @cached_property
    def usage(self) -> Usage:
        """Tokens of all attempts: one that broke off was paid for, too."""
        return sum((_reply(attempt).usage for attempt in self.attempts[:-1]), self.response.usage)

    @property
    def waits(self) -> tuple[float, ...]:
        """Seconds that were asked to be waited after each of the attempts (`Exchange.waits`)."""
        return tuple([seconds for attempt in self.attempts for seconds in attempt.waits])

    @property
    def model(self) -> str:
        """As requested; where the URL names the model instead, as answered."""
        return wire.string(wire.mapping(self.request.json).get("model")) or self.response.model

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for, or came."""
        return wire.mapping(self.request.json).get("stream") is True or self.exchange.is_stream


class Grouper:
    """Turns of exchanges that arrive one at a time, by the start of their request.

    The cost of an exchange does not grow with the conversation: turns are found by what is new in
    a request, its last message; bodies are compared whole for repeated requests alone.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._asked: dict[Hashable, deque[int]] = {}

    def add(self, exchange: Exchange) -> Turn | None:
        """The turn that the exchange opens or continues; `None` where it generates nothing."""
        provider = find(exchange.request)
        if provider is None or not provider.generates(exchange.request):
            return None
        open_turns = self._asked.setdefault(_question(exchange, provider), deque())
        for _ in range(len(open_turns)):
            turn = self.turns[open_turns.popleft()]
            if not failed(turn):
                continue  # answered: nothing joins it any more
            open_turns.append(turn.index)
            if _continues(turn, exchange):
                self.turns[turn.index] = Turn(turn.index, (*turn.attempts, exchange))
                return self.turns[turn.index]
        turn = Turn(len(self.turns), (exchange,))
        self.turns.append(turn)
        open_turns.append(turn.index)
        return turn


def turns(exchanges: Iterable[Exchange]) -> list[Turn]:
    """The turns of exchanges that are ordered by the start of their request."""
    grouper = Grouper()
    for exchange in exchanges:
        grouper.add(exchange)
    return grouper.turns


def usage(turns: Iterable[Turn]) -> Usage:
    """Tokens of all turns together, failed attempts included."""
    return sum((turn.usage for turn in turns), Usage())


def _reply(exchange: Exchange) -> Reply:
    provider = find(exchange.request)
    return provider.reply(exchange) if provider else Reply()


def _question(exchange: Exchange, provider: Provider) -> Hashable:
    """What equal requests have in common, without reading the history again."""
    body = wire.mapping(exchange.request.json)
    history = wire.items(body.get(provider.history))
    last = hashlib.sha256(wire.dump(history[-1:]).encode("utf-8", "surrogatepass")).digest()
    return exchange.test, exchange.after, wire.string(body.get("model")), len(history), last


def _continues(turn: Turn, exchange: Exchange) -> bool:
    """Whether the exchange repeats the turn's last attempt, which failed."""
    before = turn.exchange
    if overlap(before, exchange) or turn.request.json != exchange.request.json:
        return False
    redirected = before.status is not None and 300 <= before.status < 400
    return redirected or wire.address(before.request)[1] == wire.address(exchange.request)[1]


def failed(turn: Turn) -> bool:
    """Whether the last attempt left the call without an answer."""
    exchange = turn.exchange
    status = exchange.status
    if exchange.end.kind == "cancelled":
        return not any(isinstance(step, Chunk) and step.data for step in exchange.steps)
    if status is None or 300 <= status < 400:
        return True
    if status >= 400:
        return status in _RETRIED or status >= 500 or exchange.header("x-should-retry") == "true"
    if exchange.content_type == wire.FRAMES:
        return exchange.end.kind != "complete"
    reply = turn.response
    return not reply.complete and (exchange.end.kind != "complete" or not reply.stop_reason)


def overlap(before: Exchange, after: Exchange) -> bool:
    """Whether the earlier one was surely still under way when the later one began."""
    began, begins = _moment(before), _moment(after)
    if began is None or begins is None:
        return False
    cut_off = _MILLISECONDS if began.microsecond or begins.microsecond else _WHOLE_SECONDS
    return (begins - began).total_seconds() + cut_off < before.end.at


def _moment(exchange: Exchange) -> datetime | None:
    try:
        moment = datetime.fromisoformat(exchange.recorded)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
