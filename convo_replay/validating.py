"""What findings mean for a running conversation: who has the last word, and when it is said (design.md §7.4).

- A request that nothing answers is explained by the rule it breaks, where it breaks one.
- A request that is played: what the vendor's own endpoint accepted is warned of; what a gateway accepted
  proves nothing, and the turn fails before its answer is played.
- A request that is recorded: the same, after the answer has arrived. It was paid for.
- An answer never interrupts a call: what is wrong with it is collected, and told when the test is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from convo_replay.exchange import Exchange, Request
from convo_replay.validation.findings import Finding
from convo_replay.validation.gateways import is_vendor
from convo_replay.validation.grading import graded
from convo_replay.validation.history import Validator

Level = Literal["error", "warn", "off"]


Recorded = Callable[[int], Sequence[Exchange]]
"""The exchanges of the cassette from a place on, up to one that matters."""


class Validation:
    """The findings of one conversation. Callers hold the conversation's lock.

    Args:
        level: `warn` makes no finding worse than a warning.
        ignore: names of rules that say nothing.
    """

    def __init__(self, level: Level, ignore: Sequence[str]) -> None:
        self._level = level
        self._validator = Validator(ignore)
        self._accepted = _Accepted(ignore)
        self._sent: dict[int, tuple[Request, list[Finding]]] = {}
        """Requests under way, by their place in the conversation."""
        self.findings: list[Finding] = []
        """All, in the order in which they were made; `exchange` is a place in the conversation."""

    def refused(self, request: Request, slot: int, recorded: Recorded | None) -> tuple[list[Finding], list[Finding]]:
        """Why a request that nothing answers would be rejected, and what else is to be said of it: errors, warnings.

        Args:
            recorded: the exchanges up to the nearest one: what breaks a rule there as well, and was accepted,
                explains nothing. `None`: there is no nearest one.
        """
        found = self._validator.request(request)
        if _errors(found):
            accepted = self._accepted.until(recorded, by_vendor=True) if recorded is not None else set()
            found = [each for each in found if (each.rule, each.path) not in accepted]
        kept = self._keep(found, slot)
        return _errors(kept), [each for each in kept if each.severity == "warn"]

    def played(
        self, request: Request, exchange: Exchange, slot: int, recorded: Recorded, *, same: bool = False
    ) -> tuple[list[Finding], bool]:
        """The errors of a request that `exchange` answers, before it does, and whether that answered to them.

        What was accepted is the request that was recorded. One that is played for it may differ in what matching
        leaves out (ids of tools, headers), and break a rule by that alone.

        Args:
            recorded: the exchanges of the cassette up to this one.
            same: it is known by its hash to be the request that was recorded.
        """
        found = self._validator.request(request, on=exchange.recorded[:10])
        if not 200 <= (exchange.status or 0) < 300:
            # There is no answer to be read, and an SDK that retries does not look at it.
            self._validator.response(exchange, request)
            self._keep(graded(found, exchange, grace=True), slot)
            return [], False
        self._sent[slot] = (request, [])
        if not _errors(found):
            self._keep(found, slot)
            return [], False
        known = self._accepted.until(recorded, by_vendor=is_vendor(exchange.request))
        old = [each for each in found if same or (each.rule, each.path) in known]
        new = [each for each in found if each not in old]
        errors = _errors(self._keep([*graded(old, exchange, grace=True), *new], slot))
        return errors, same or any((each.rule, each.path) in known for each in errors)

    def sent(self, request: Request, slot: int, on: str) -> None:
        """A request goes to the network."""
        self._sent[slot] = (request, self._validator.request(request, on=on))

    def answered(self, exchange: Exchange, slot: int) -> list[Finding]:
        """The errors of a request that went to the network, now that it is answered."""
        _, found = self._sent.get(slot, (None, []))
        errors = _errors(self._keep(graded(found, exchange, grace=True), slot)) if found else []
        self.read(exchange, slot)
        return errors

    def read(self, exchange: Exchange, slot: int) -> None:
        """The client has read the answer to its end."""
        request, _ = self._sent.pop(slot, (None, []))
        if request is not None:
            self._keep(self._validator.response(exchange, request), slot)

    def _keep(self, found: Sequence[Finding], slot: int) -> list[Finding]:
        kept = [replace(each, exchange=slot, severity=self._severity(each)) for each in found]
        self.findings += kept
        return kept

    def _severity(self, finding: Finding) -> Literal["error", "warn", "info"]:
        return "warn" if self._level == "warn" and finding.severity == "error" else finding.severity


def _errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


class _Accepted:
    """Rules, with their places, that recorded requests broke which were answered with 2xx all the same.

    Read as far as it is asked for, once: most conversations break no rule.
    """

    def __init__(self, ignore: Sequence[str]) -> None:
        self._validator = Validator(ignore)
        self._read = 0
        self._by_anyone: set[tuple[str, str]] = set()
        self._by_vendor: set[tuple[str, str]] = set()

    def until(self, recorded: Recorded, *, by_vendor: bool) -> set[tuple[str, str]]:
        """What was accepted up to an exchange, by the vendor's own endpoint or by anyone."""
        exchanges = recorded(self._read)
        for exchange in exchanges:
            found = self._validator.request(exchange.request, on=exchange.recorded[:10])
            self._validator.response(exchange)
            broken = {(finding.rule, finding.path) for finding in _errors(found)}
            if 200 <= (exchange.status or 0) < 300:
                self._by_anyone |= broken
                if broken and is_vendor(exchange.request):
                    self._by_vendor |= broken
        self._read += len(exchanges)
        return self._by_vendor if by_vendor else self._by_anyone
