"""A run as rules see it: which question each attempt asks, which came again, and which were answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from convo_replay.providers import find, wire
from convo_replay.verdict.completion import Delivered
from convo_replay.verdict.evidence import Attempt, Expected, Outcome, Run

IMMEDIATE = 0.1
"""Seconds: an attempt that comes sooner after one that failed was not waited for."""


@dataclass(frozen=True)
class Question:
    """What was asked once or several times: the attempts of a turn, or of a request that generates nothing."""

    turn: int | None
    attempts: tuple[Attempt, ...]
    case: Case = field(repr=False)

    @cached_property
    def hit(self) -> tuple[Attempt, ...]:
        """The attempts that a fault fell on."""
        return tuple(attempt for attempt in self.attempts if attempt.faults)

    @cached_property
    def answer(self) -> Attempt | None:
        """The first attempt from the first faulted one on that was answered."""
        if not self.hit:
            return next((one for one in self.attempts if self._answers(one)), None)
        start = self.attempts.index(self.hit[0])
        return next((one for one in self.attempts[start:] if self._answers(one)), None) or self.case.branch(self)

    @property
    def last(self) -> Attempt:
        """What the client got in the end."""
        return self.attempts[-1]

    def _answers(self, attempt: Attempt) -> bool:
        if self.case.delivered(attempt).how == "no":
            return False
        turns = self.case.run.turns
        final = turns[self.turn].exchange if self.turn is not None and self.turn < len(turns) else attempt.recorded
        refused = attempt.recorded is not None and (attempt.recorded.status or 0) >= 400
        return not refused or final is None or (final.status or 0) >= 400

    @cached_property
    def retries(self) -> list[tuple[Attempt, Attempt]]:
        """Each attempt that failed, with the one that asked the same again after it, of the same server.

        Without hops of a redirect, and without requests that overlap: those are asked side by side.
        """
        return [
            (before, after)
            for before, after in pairwise(self.attempts)
            if self.case.failed(before)
            and not is_hop(before)
            and _ended(before) is not None
            and after.began >= (_ended(before) or 0.0)
            and host(before) == host(after)
            and before.credentials == after.credentials
        ]

    @cached_property
    def tries(self) -> list[Attempt]:
        """The attempts without the hops of a redirect: a hop is the same try."""
        return [
            after
            for before, after in pairwise((None, *self.attempts))
            if after is not None and (before is None or not is_hop(before) or before.waits)
        ]


@dataclass(frozen=True)
class Case:
    """One run, and what the rules share of reading it."""

    run: Run
    expected: Expected = ""
    outcome: Outcome = "recovered"
    read: dict[int, Delivered] = field(default_factory=dict)

    @cached_property
    def questions(self) -> list[Question]:
        """By their first attempt. Those that nothing answers are `diverged`, and branches are nobody's."""
        found: dict[Any, list[Attempt]] = {}
        for attempt in self.run.attempts:
            if attempt.turn is not None:
                found.setdefault(attempt.turn, []).append(attempt)
            elif attempt.exchange is not None and not is_branch(attempt):
                found.setdefault(_same(attempt), []).append(attempt)
        return [Question(attempts[0].turn, tuple(attempts), self) for attempts in found.values()]

    @cached_property
    def faulted(self) -> list[Question]:
        """The questions that a fault fell on."""
        return [question for question in self.questions if question.hit]

    @cached_property
    def unanswered(self) -> list[Question]:
        """Those of them that were never answered, and the test does not say that this is right."""
        return [question for question in self.faulted if question.answer is None and not question.last.asserted]

    @cached_property
    def asserted(self) -> list[Question]:
        """Those of which it does."""
        return [question for question in self.faulted if question.answer is None and question.last.asserted]

    @cached_property
    def diverged(self) -> list[Attempt]:
        """Requests that nothing answers."""
        return [attempt for attempt in self.run.attempts if attempt.state == "diverged"]

    def delivered(self, attempt: Attempt) -> Delivered:
        """What the client had of an attempt; read once."""
        known = self.read.get(id(attempt))
        if known is None:
            known = self.read[id(attempt)] = Delivered(attempt)
        return known

    def failed(self, attempt: Attempt) -> bool:
        """Whether an attempt left the client without the answer it was to get."""
        if attempt.exchange is None:
            return False
        recorded = attempt.recorded
        if not attempt.faults and recorded is not None:
            return (recorded.status or 0) >= 400 or attempt.state == "raised"
        return attempt.state == "raised" or self.delivered(attempt).how == "no"

    def branch(self, question: Question) -> Attempt | None:
        """A request of another shape that asks the same, and was answered: a fallback model, a "continue"."""
        began = question.hit[0].began
        asked = last_said(question.hit[0])
        later = (attempt for attempt in self.run.attempts if is_branch(attempt) and attempt.began >= began)
        return next((one for one in later if asked and asked in said(one) and self.delivered(one).how != "no"), None)


def is_branch(attempt: Attempt) -> bool:
    """Whether it is answered from what was recorded under a fault, or is being recorded so."""
    if attempt.state == "diverged":  # what is nearest to it may be one, of another fault
        return False
    return attempt.live or (attempt.recorded is not None and bool(attempt.recorded.after))


def is_hop(attempt: Attempt) -> bool:
    """Whether it was answered by a redirect."""
    status = attempt.exchange.status if attempt.exchange is not None else None
    return status is not None and 300 <= status < 400


def host(attempt: Attempt) -> str:
    """Which server was asked."""
    try:
        return urlsplit(attempt.request.url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return attempt.request.url


def gap(before: Attempt, after: Attempt) -> float:
    """Seconds between the end of one attempt and the start of another; what its task waited, if that is more."""
    ended = _ended(before)
    return max(after.began - (before.began if ended is None else ended), sum(wait.seconds for wait in before.waits))


def pause(before: Attempt, after: Attempt) -> float:
    """Seconds that the client let pass between two attempts: the gap without what it computed in it.

    How long a client takes to build itself anew says how busy the machine is, not that it waits.
    """
    done, then = before.work[0 if before.ended is None else 1], after.work[0]
    if done is None or then is None or done.thread != then.thread:
        return gap(before, after)
    return max(gap(before, after) - (then.seconds - done.seconds), sum(wait.seconds for wait in before.waits), 0.0)


def messages(attempt: Attempt) -> list[Any]:
    """The history that a request holds; empty where it has none."""
    return history_of(attempt.request)


def history_of(request: Any) -> list[Any]:
    """The same of a request."""
    provider = find(request)
    return wire.items(wire.mapping(request.json).get(provider.history)) if provider is not None else []


def text_of(message: Any) -> str:
    """The texts of one message, joined."""
    content = wire.mapping(message).get("content")
    if isinstance(content, str):
        return content.strip()
    parts = [wire.string(wire.mapping(part).get("text")) for part in wire.items(content)]
    return "".join(parts).strip() or (wire.dump(content) if content else "")


def last_said(attempt: Attempt) -> str:
    """What the last message of a request says."""
    history = messages(attempt)
    return text_of(history[-1]) if history else ""


def said(attempt: Attempt) -> list[str]:
    """What each message of a request says."""
    return [text_of(message) for message in messages(attempt)]


def status_of(attempt: Attempt) -> int | None:
    """The status that the client saw, `None` where there was none."""
    return attempt.exchange.status if attempt.exchange is not None else None


def _ended(attempt: Attempt) -> float | None:
    if attempt.ended is None and (status_of(attempt) or 0) >= 400:
        return attempt.began  # nobody reads an error's body: it is over when its status is there
    return attempt.ended


def _same(attempt: Attempt) -> tuple[str, str, str]:
    host_, path = wire.address(attempt.request)
    return attempt.request.method, host_ + path, wire.dump(attempt.request.json)
