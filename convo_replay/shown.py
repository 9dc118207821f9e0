"""What anyone may see of what lies in files: the exchanges of a cassette, and what is quoted of it in an error.

A cassette of another recorder holds what it holds, keys too; into one of ours somebody may have written by hand.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from convo_replay.bodies import whole
from convo_replay.exchange import Exchange
from convo_replay.redaction import Redactor, environment
from convo_replay.redaction.classes import CLASSES
from convo_replay.redaction.overriding import gives_access

if TYPE_CHECKING:
    from convo_replay.cassette import Cassette


def readable(cassette: Cassette) -> Sequence[Exchange]:
    """The exchanges of a cassette, redacted."""
    redactor = Redactor(dict(os.environ))
    redactor.reserve(cassette.exchanges)
    given = [
        exchange if (request := whole(exchange.request)) is exchange.request else replace(exchange, request=request)
        for exchange in cassette.exchanges
    ]
    exchanges: list[Exchange] = []
    knew = 0
    for exchange in given:
        exchanges.append(redactor.exchange(exchange))
        knew = redactor.generation if len(exchanges) == 1 else knew
    if redactor.generation != knew:  # what a later exchange gave away may stand in an earlier one
        exchanges = [redactor.exchange(exchange) for exchange in exchanges]
    return exchanges


def quoted(text: str) -> str:
    """A text of an error that quotes a file, or what a user wrote, without keys, tokens and passwords.

    Names and addresses stay: a path with the user's name in it has to be one that can be followed.
    """
    kept = {item.name for item in CLASSES if not gives_access(item.name)}
    return Redactor(environment.current(), redact=dict.fromkeys(kept, "keep")).text(text)
