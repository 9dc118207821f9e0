"""The provider gives up in the middle of a stream, and says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, End, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces, provider_errors
from convo_replay.faults.fault import Fault, word


@dataclass(frozen=True)
class Error(Fault):
    """`error:overloaded_error@4`: an error in the stream's own notation, and its end.

    Streams with named events get `event: error`, others a chunk with an `error` key; its body is the provider's.
    """

    type: str = word("", help="the error's type; without one the provider's own for an overloaded server")

    name = "error"
    kind = "stream"
    summary = "an error event of the provider in the stream, which ends there"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(raw=("anthropic.APIStatusError (status 200)", "openai.APIError"))
    source: ClassVar[str] = "row 34"

    @classmethod
    def samples(cls) -> tuple[Error, ...]:
        return (cls("overloaded_error"), cls("api_error"), cls("rate_limit_error"))

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (*pieces.unframed(before), Chunk(0.0, provider_errors.event(exchange, self.type)), End())
