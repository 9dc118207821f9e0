"""Validates cassettes as they lie there: ours and vcrpy's, files and folders (`convo-replay check`).

A cassette holds what several tests said. Each test is a conversation of its own, and a rule that compares
a turn with the one before it must not see another test's; turns are numbered through the file, as `show`
numbers them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convo_replay import converting
from convo_replay.cassette import Cassette
from convo_replay.exchange import Exchange
from convo_replay.shown import readable
from convo_replay.turns import Grouper
from convo_replay.validation.findings import Finding
from convo_replay.validation.grading import graded
from convo_replay.validation.history import Validator


@dataclass(frozen=True, slots=True)
class Checked:
    """A cassette that was read.

    Attributes:
        file: as it was named, or found under the folder that was named.
        exchanges: all of it, redacted; findings are about these.
        findings: by exchange, those of the request first.
    """

    file: Path
    exchanges: Sequence[Exchange]
    findings: Sequence[Finding]


def cassettes(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file that the paths mean, once, and whether it was named itself."""
    seen = set()
    for path in paths:
        for file in converting.files(path):
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield file, file == path


def check(file: Path, cassette: Cassette) -> Checked:
    """All findings of a cassette, as severe as they are there.

    What a recorded 4xx answered is `info`. A 2xx earns no grace: it was accepted once, by somebody.
    """
    exchanges = readable(cassette)
    return Checked(file, exchanges, findings(exchanges))


def findings(exchanges: Sequence[Exchange]) -> list[Finding]:
    """What is wrong in the exchanges of one file, with its exchange and its turn."""
    grouper = Grouper()
    conversations: dict[str, Validator] = {}
    found: list[Finding] = []
    for at, exchange in enumerate(exchanges):
        turn = grouper.add(exchange)
        validator = conversations.setdefault(exchange.test, Validator())
        here = validator.request(exchange.request, on=exchange.recorded[:10])
        here += validator.response(exchange)
        found += [
            finding.at(turn=turn.index if turn else None, exchange=at)
            for finding in graded(here, exchange, grace=False)
        ]
    return found
