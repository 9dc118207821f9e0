"""The exchanges of a conversation that another recorder wrote: played as they are, with the keys they may hold.

Whatever is shown, compared or kept of them is redacted first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from convo_replay.exchange import Exchange
from convo_replay.matching import Fingerprints
from convo_replay.redaction import Redactor


class Foreign:
    """Which exchanges are foreign, by their identity.

    Args:
        ids: the `id` of each.
        redactor: what shows them; `None` where nothing is redacted.
        fingerprints: how requests are compared.
    """

    def __init__(self, ids: frozenset[int], redactor: Redactor | None, fingerprints: Fingerprints) -> None:
        self.ids = ids
        self._redactor = redactor
        self._fingerprints = fingerprints
        self._shown: dict[int, Exchange] = {}

    def __bool__(self) -> bool:
        return bool(self.ids)

    def __contains__(self, exchange: object) -> bool:
        return id(exchange) in self.ids

    def shown(self, exchange: Exchange) -> Exchange:
        """An exchange as anyone may see it: redacted where it is foreign."""
        if self._redactor is None or id(exchange) not in self.ids:
            return exchange
        found = self._shown.get(id(exchange))
        if found is None:
            found = self._shown[id(exchange)] = self._redactor.exchange(exchange)
        return found

    def add(self, exchange: Exchange, shown: Exchange) -> None:
        """One that was made of a foreign one, and what is shown of it."""
        self.ids |= {id(exchange)}
        self._shown[id(exchange)] = shown

    def without_superseded(self, exchanges: Sequence[Exchange]) -> list[Exchange]:
        """What is to be played where some was recorded anew beside a foreign cassette: that, and the old rest."""
        anew = self._asked(one for one in exchanges if one not in self)
        return [one for one in exchanges if one not in self or self._loose(one) not in anew]

    def repeated(self, recorded: Sequence[Exchange], held: Sequence[Exchange], owner: str) -> list[Exchange]:
        """The foreign answers to requests of which a further one was recorded: they are kept together."""
        anew = self._asked(recorded) if self.ids else set()
        return [replace(self.shown(one), test=owner) for one in held if one in self and self._loose(one) in anew]

    def _asked(self, exchanges: Iterable[Exchange]) -> set[bytes]:
        return {self._fingerprints.of(one.request).loose for one in exchanges}

    def _loose(self, exchange: Exchange) -> bytes:
        return self._fingerprints.of(self.shown(exchange).request).loose
