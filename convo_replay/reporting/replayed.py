"""A running conversation's exchanges as every replay of its recording shows them.

What is live has attempts that are not kept, and passes `before_record` only when it is saved; calls
that run at once are made in another order each time. A snapshot must not depend on either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from convo_replay import keeping
from convo_replay.errors import LeakFound
from convo_replay.exchange import Exchange
from convo_replay.redaction import leaks

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation


def replayed(conversation: Conversation) -> list[Exchange]:
    """The exchanges so far: live ones as they will be saved, played ones in the order of their recording.

    Raises:
        LeakFound: what is recorded will not be saved, because it would hold a secret; nor may a snapshot.
    """
    with conversation.lock:
        finished, live = list(conversation._finished), dict(conversation._recording.by_slot)
    player, redactor, config = conversation._player, conversation._redactor, conversation.config
    if live and conversation.record != "live" and redactor is not None:
        if config.sanitize == "on":
            live = {slot: redactor.exchange(exchange) for slot, exchange in live.items()}
        kept = {id(exchange) for exchange in keeping.kept([live[slot] for slot in sorted(live)], keep=config.keep)}
        for slot, exchange in live.items():
            through = keeping.through([exchange], config.before_record) if id(exchange) in kept else []
            # To the second, as in the file: turns are told apart by it.
            finished[slot] = next((replace(one, recorded=f"{one.recorded[:19]}Z") for one in through), None)
        found = leaks([one for slot in sorted(live) if (one := finished[slot])], redactor)
        if found and config.sanitize == "on":
            raise LeakFound(conversation.save_path, found)
    places = {id(exchange): index for index, exchange in enumerate(player.exchanges)} if player else {}
    ordered = as_recorded([exchange for exchange in finished if exchange is not None], places)
    return [conversation.shown(exchange) for exchange in ordered]


def as_recorded(exchanges: Sequence[Exchange], places: Mapping[int, int]) -> list[Exchange]:
    """`exchanges` with those that may have run at once in the order in which they were recorded.

    Only what was recorded in one go is put in order: beside it may stand what a later run added.

    Args:
        places: where in the cassette an exchange stands, by its `id`; one without a place is live.
    """
    played = [at for at, exchange in enumerate(exchanges) if id(exchange) in places]
    ordered = list(exchanges)
    began = until = None
    together: list[list[int]] = []
    for at in sorted(played, key=lambda at: places[id(exchanges[at])]):
        moment = _moment(exchanges[at])
        if not together or (moment and began and until and not began <= moment <= until):
            together.append([])
            until = None
        together[-1].append(at)
        if moment:
            end = moment + timedelta(seconds=exchanges[at].end.at + 1)  # whole seconds
            began, until = moment, max(until, end) if until else end
    for group in together:
        for at, source in zip(sorted(group), group, strict=True):
            ordered[at] = exchanges[source]
    return ordered


def _moment(exchange: Exchange) -> datetime | None:
    try:
        return datetime.fromisoformat(exchange.recorded[:19])
    except ValueError:
        return None
