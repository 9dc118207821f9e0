"""Walks a stream's events through the table of its format: one runner for every grammar.

A grammar is a table, state → event → next state. What stands in the table is in order; what does not
is told once, and the walk goes on from where that event leads, so that one fault is one finding. What
order alone does not say (indexes, deltas and their blocks, joined JSON, usage) the grammar's `looks`
say, each about one kind of event.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from convo_replay import sse
from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule, Severity, value
from convo_replay.validation.stream_rules import BOM, DATA_INVALID

_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_SHOWN = 500  # bytes of an event that was cut
MOST = 20
"""Findings of one rule that are told of one stream."""


Look = Callable[[Any, int, dict[str, Any]], str | None]
"""Of the reading, the event's index and its data; gives the state where it is not the one of the table."""


class Told:
    """The findings of one answer, each as severe as the gateway's profile says."""

    def __init__(self, severities: Mapping[str, Severity]) -> None:
        self.findings: list[Finding] = []
        self._severities = severities
        self._count: Counter[str] = Counter()

    def tell(self, rule: Rule, where: Path, message: str, severity: Severity | None = None) -> None:
        """Adds a finding, unless there are many of its rule.

        Args:
            severity: where it is another one than the rule's, whoever answered.
        """
        self._count[rule.name] += 1
        if self._count[rule.name] <= MOST:
            self.findings.append(
                rule.found(where, message, severity=severity or self._severities.get(rule.name) or rule.severity)
            )

    def add(self, findings: Iterable[Finding]) -> None:
        """Adds what others found where nothing is told of yet, where the profile knows better with its severity."""
        places = {known.where for known in self.findings}
        for finding in findings:
            if finding.where in places and finding.where:
                continue
            severity = self._severities.get(finding.rule)
            self.findings.append(finding if severity is None else replace(finding, severity=severity))

    def has(self, rule: Rule) -> bool:
        return self._count[rule.name] > 0


class Reading:
    """What a grammar knows while it walks one stream.

    Attributes:
        asked: the request, for what it declared: tools, options of the stream.
        whole: whether the client read to the end. What it left unread is not judged.
        rest: what follows the last blank line, if anything: no client reads it.
        damaged: whether an event could not be read: what is missing for it is not told twice.
    """

    start: ClassVar[str]
    table: ClassVar[Mapping[str, Mapping[str, str]]]
    """State → event → the state after it."""
    names: ClassVar[frozenset[str]]
    """Of events that are nothing without data."""
    looks: ClassVar[Mapping[str, Look]]
    """Event → what is asked about it, besides its order."""

    def __init__(self, asked: Asked, told: Told, *, whole: bool, rest: str = "") -> None:
        self.asked = asked
        self.told = told
        self.tell = told.tell
        self.whole = whole
        self.rest = rest
        self.damaged = False
        self.state = self.start

    def symbol(self, at: int, name: str | None, data: dict[str, Any]) -> str:
        """What an event is in the table; empty for one that is in no table, and stands anywhere."""
        raise NotImplementedError

    def unreadable(self, at: int, name: str | None, text: str) -> str:
        """The same for an event whose data is no JSON object. Tells what is wrong with it."""
        raise NotImplementedError

    def misplaced(self, at: int, symbol: str, data: dict[str, Any]) -> str:
        """Tells of an event that its state does not allow, and says in which state the walk goes on.

        Empty where it goes on as if the event had not been.
        """
        raise NotImplementedError

    def finish(self, events: int) -> None:
        """What only the end can say."""
        raise NotImplementedError

    def cut(self, events: int) -> str:
        """How a stream ends that has no end."""
        half = f" and an event without its blank line: {value(self.rest)}" if self.rest else ""
        return f"the end of the stream after {events} event{'' if events == 1 else 's'}{half}"

    def walk(self, events: Sequence[wire.Event]) -> None:
        """The whole stream."""
        table, looks, symbol_of = self.table, self.looks, self.symbol
        allowed = table[self.state]
        for at, (name, text, data) in enumerate(events):
            if data.__class__ is dict:
                symbol = symbol_of(at, name, data)
            else:
                symbol, data = self.unreadable(at, name, text), {}
            if not symbol:
                continue
            following = allowed.get(symbol)
            if following is None:
                following = self.misplaced(at, symbol, data)
                if not following:
                    continue
            look = looks.get(symbol)
            if look is not None:
                following = look(self, at, data) or following
            if following != self.state:
                self.state = following
                allowed = table[following]
        self.finish(len(events))


def received(body: bytes, told: Told, names: Collection[str]) -> list[wire.Event]:
    """The events of a body that a client is handed; tells what is wrong with its bytes.

    Args:
        names: of events that have data.
    """
    if body.startswith(sse.BOM):
        told.tell(BOM, ("events", 0), "expected a stream without a byte order mark, got one before the first event")
    found = sse.received(body)
    events = wire.events(found)
    if len(events) != len(found):
        _tell_without_data(found, told, names)
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            _tell_encoding(body, told)
    return events


def rest_of(body: bytes) -> str:
    """The event that the end of a body cut, or the end of it; empty where a blank line ends the body."""
    tail = body[-_SHOWN:]
    return _BLANK.split(tail)[-1].strip().decode("utf-8", "replace")


def _tell_without_data(found: Sequence[tuple[str | None, str | None]], told: Told, names: Collection[str]) -> None:
    at = 0
    for name, data in found:
        if data is not None:
            at += 1
        elif name and name != "ping":
            # It has no index of its own: clients do not hand it on.
            severity: Severity | None = None if name in names else "warn"
            message = f"expected data with each event, got `event: {value(name)[1:-1]}` without a `data:` line"
            told.tell(DATA_INVALID, ("events", at), message, severity)


def _tell_encoding(body: bytes, told: Told) -> None:
    at = 0
    for event in sse.split(body):
        if event.dispatched:
            try:
                event.raw.decode("utf-8")
            except UnicodeDecodeError as error:
                wrong = event.raw[error.start : error.start + 4].hex(" ")
                told.tell(DATA_INVALID, ("events", at), f"expected UTF-8, got the bytes {wrong}")
            at += 1
