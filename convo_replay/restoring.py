"""What a played answer says to the application: the values of its own request, not the cassette's placeholders.

A test that asks about ada@corp.example and looks for that address in the answer passed when it was recorded; it
passes on replay, too. Only what the live request itself held is said again, and only to the application: what is
stored, compared, validated and shown stays the redacted form.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from convo_replay.exchange import Chunk, Exchange, Step
from convo_replay.player import Play
from convo_replay.redaction import Redactor, placeholders

_PLAIN = re.compile(r"[^\x00-\x1f\"\\\x7f]+")
"""Values that are written alike at any depth of JSON; another one stays a placeholder."""


@dataclass(frozen=True, slots=True)
class Restored:
    """An exchange as the application gets it.

    Attributes:
        exchange: with the values.
        spans: of each placeholder that was replaced, in order: (start, end) in the recorded body, (start, end) in
            the restored one, bytes.
    """

    exchange: Exchange
    spans: Sequence[tuple[int, int, int, int]]

    def recorded(self, count: int) -> int:
        """How many bytes of the recorded body the first `count` bytes of the restored one stand for."""
        at = bisect_right(self.spans, count, key=lambda span: span[3])
        _, end, _, last = self.spans[at - 1] if at else (0, 0, 0, 0)
        reached = end + count - last
        return min(reached, self.spans[at][0]) if at < len(self.spans) else reached


def restored(exchange: Exchange, values: Mapping[str, str]) -> Restored | None:
    """`exchange` with live values in place of their placeholders; `None` where it has none of them.

    Args:
        values: placeholder → live value.
    """
    chunks = [step for step in exchange.steps if isinstance(step, Chunk)]
    body = b"".join([chunk.data for chunk in chunks])
    if not placeholders.may_hold_bytes(body):
        return None
    found = []  # a byte a character, so that places are those of the bytes
    for place in placeholders.places(body.decode("latin-1")):
        value = values.get(body[place.start : place.end].decode("latin-1"))
        if value is not None and _PLAIN.fullmatch(value):
            found.append((place.start, place.end, value.encode("utf-8", "surrogatepass")))
    if not found:
        return None
    parts: list[bytes] = []
    spans: list[tuple[int, int, int, int]] = []
    at = said = 0
    for start, end, data in found:
        parts += [body[at:start], data]
        said += start - at
        spans.append((start, end, said, said + len(data)))
        said, at = said + len(data), end
    whole = b"".join([*parts, body[at:]])
    return Restored(replace(exchange, steps=_rechunked(exchange.steps, whole, spans)), spans)


def _rechunked(steps: Sequence[Step], whole: bytes, spans: Sequence[tuple[int, int, int, int]]) -> tuple[Step, ...]:
    """The steps over another body: what ended inside a placeholder ends behind its value."""
    made: list[Step] = []
    taken = said = 0
    for step in steps:
        if not isinstance(step, Chunk):
            made.append(step)
            continue
        taken += len(step.data)
        until = _said(taken, spans)
        if until > said or not step.data:
            made.append(Chunk(step.at, whole[said:until]))
        said = until
    return tuple(made)


def _said(count: int, spans: Sequence[tuple[int, int, int, int]]) -> int:
    """The place in the restored body that `count` bytes of the recorded one lead to."""
    at = bisect_right(spans, count - 1, key=lambda span: span[0])
    if at == 0:
        return count
    _, end, _, last = spans[at - 1]
    return last if count <= end else last + count - end


class LiveValues:
    """What this run's requests say in place of the cassette's placeholders, and the answers that say it, too."""

    def __init__(self) -> None:
        self._adopted: dict[str, str | None] = {}
        """Placeholder of the cassette → live value; `None`: several."""
        self._restored: dict[int, tuple[Exchange, Exchange]] = {}
        """By its identity, an exchange as it was handed out, and as it was recorded."""

    def play(self, decision: Play, redactor: Redactor) -> Play:
        """The answer as the application gets it: with the values of its own request in place of placeholders."""
        here: Mapping[str, str] = {}
        if decision.pairs:
            here = redactor.adopt(decision.pairs)
            for recorded, value in here.items():
                # What stood for several values in this run stands for none beyond the request that names it.
                self._adopted[recorded] = value if self._adopted.get(recorded, value) == value else None
        known = {**{name: value for name, value in self._adopted.items() if value is not None}, **here}
        made = restored(decision.exchange, known) if known else None
        if made is None:
            return decision
        if decision.attempt is not None:
            decision.attempt.measure = made.recorded
        self._restored[id(made.exchange)] = made.exchange, decision.exchange
        return replace(decision, exchange=made.exchange)

    def as_recorded(self, exchange: Exchange) -> Exchange:
        """An exchange that was handed out, as the cassette has it; forgotten then."""
        return self._restored.pop(id(exchange), (None, exchange))[1]
