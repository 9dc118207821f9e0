"""What a run records: each exchange redacted as it comes, all of them once more as they go into the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from convo_replay import keeping
from convo_replay.call import Call
from convo_replay.config import Config
from convo_replay.exchange import Chunk, End, Exchange, Request, Steps
from convo_replay.foreign import Foreign
from convo_replay.matching import Fingerprints
from convo_replay.providers import find
from convo_replay.redaction import Redactor, environment
from convo_replay.sources import Filters
from convo_replay.sse import split


@dataclass(slots=True)
class Recording:
    """The exchanges recorded so far. Callers hold the conversation's lock.

    Attributes:
        owner: the test they belong to.
        filters: what is done to each before anything else.
        by_slot: as they will be kept, by their place in the conversation.
    """

    config: Config
    owner: str
    filters: Filters | None
    by_slot: dict[int, Exchange] = field(default_factory=dict)
    _spoiled: Exception | None = None
    _redacted_at: int = 0
    """What the redactor knew before the first of them."""

    @property
    def exchanges(self) -> list[Exchange]:
        """By the start of the request."""
        return [self.by_slot[slot] for slot in sorted(self.by_slot)]

    def made(self, call: Call, steps: Steps, redactor: Redactor) -> Exchange | None:
        """A call that has ended, as it is kept; `None` where a filter drops it."""
        exchange = Exchange(call.request, steps, test=self.owner, recorded=call.recorded)
        if self.filters is not None:
            try:
                filtered = self.filters.exchange(exchange)
            except Exception as error:  # the user's code; what was recorded is kept, and shown at the end
                filtered, self._spoiled = exchange, error
            if filtered is None:
                return None
            exchange = filtered
        if not self.by_slot:
            self._redacted_at = redactor.generation
        request, steps = exchange.request, exchange.steps
        if self.config.sanitize != "off":
            request = redactor.request(request)
        if self.config.sanitize == "on":
            steps = redactor.steps(steps)
        return replace(exchange, request=request, steps=_to_the_end(request, steps))

    def save(
        self,
        path: Path,
        redactor: Redactor,
        fingerprints: Fingerprints,
        *,
        failed: bool,
        known: Sequence[Exchange],
        held: Sequence[Exchange],
        foreign: Foreign,
    ) -> str:
        """Writes them; gives a note for the user, or nothing.

        Args:
            failed: the test failed.
            known: what the file holds already.
            held: all that the conversation could play.

        Raises:
            CassetteError: the file could not be written; the text says where the recording is kept.
            LeakFound: a secret would have reached the file; nothing was written.
        """
        recorded = self.exchanges
        if self.config.sanitize == "on":
            redactor.learn_environment(environment.current())
            if redactor.generation != self._redacted_at:
                # A key that was learned in a later turn may stand in an earlier one.
                recorded = [redactor.exchange(exchange) for exchange in recorded]
        recorded = keeping.kept(recorded, keep=self.config.keep)
        gate = None if self.config.sanitize == "off" else redactor
        try:
            if self._spoiled is not None:
                raise self._spoiled
            recorded = keeping.through(recorded, self.config.before_record)
        except Exception as error:
            raise keeping.spoiled(path, recorded, gate, error) from error
        if self.config.record == "new_episodes":
            recorded = [*foreign.repeated(recorded, held, self.owner), *recorded]
        return keeping.save(
            path,
            recorded,
            owner=self.owner,
            mode=self.config.record,
            failed=failed,
            known=known,
            redactor=gate,
            resendable=redactor.resendable,
            fingerprints=fingerprints,
        )


def _to_the_end(request: Request, steps: Steps) -> Steps:
    """A client that closes after the terminal event has left nothing out: the stream was complete."""
    end = steps[-1]
    if not isinstance(end, End) or end.kind != "cancelled":
        return steps
    provider = find(request)
    body = b"".join([step.data for step in steps if isinstance(step, Chunk)])
    if provider is not None and any(provider.ends(event) for event in split(body)):
        return (*steps[:-1], End("complete", end.at))
    return steps
