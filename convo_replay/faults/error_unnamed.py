"""A gateway reports an error as an ordinary chunk, as OpenRouter does (protocol.md §2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, End, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault
from convo_replay.providers import wire

_CHUNK = {
    "id": "gen-fault",
    "object": "chat.completion.chunk",
    "provider": "gateway",
    "error": {"code": 502, "message": "Provider returned error"},
    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
}


@dataclass(frozen=True)
class ErrorUnnamed(Fault):
    """`error_unnamed@4`: `data: {"error": …}` without an `event:` line, whatever the stream's other events have."""

    name = "error_unnamed"
    kind = "stream"
    summary = "an error of a gateway, as a chunk without event name; the stream ends there"
    positions = "events"
    outcomes: ClassVar = outcomes.calls(
        raw=("silent: short", "openai.APIError"), stream=("silent: a partial message", "openai.APIError")
    )
    source: ClassVar[str] = "row 37"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_stream(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        named = pieces.is_named(exchange)
        said = {"error": _CHUNK["error"]} if named else _CHUNK
        return pieces.inserted(before, (End(),), Chunk(0.0, pieces.event(None, wire.dump(said))))
