"""Recorded answers of any length, for tests of positions, expansion and laws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Steps

URL = "https://api.anthropic.com/v1/messages"
STREAM = (("content-type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)


def asked(number: int, model: str = "m", **more: Any) -> Request:
    """A request to a model, another one for each number."""
    return Request(
        "POST", URL, (), Json({"model": model, "messages": [{"role": "user", "content": f"{number}"}], **more})
    )


def events(count: int) -> bytes:
    return b"".join([b'event: e%d\ndata: {"n": %d}\n\n' % (number, number) for number in range(count)])


def streamed(body: bytes | int, number: int = 0, *, model: str = "m", end: End | None = None, **more: Any) -> Exchange:
    """A recorded event stream: these bytes, or so many events."""
    data = events(body) if isinstance(body, int) else body
    chunks = tuple(Chunk(0.5, one.raw) for one in sse.split(data))
    return Exchange(asked(number, model, stream=True), (Head(200, STREAM, 0.5), *chunks, end or End(at=0.5)), **more)


def whole(body: bytes = b'{"type": "message"}', number: int = 0, *, model: str = "m", **more: Any) -> Exchange:
    """A recorded answer in one piece."""
    return Exchange(asked(number, model), (Head(200, JSON, 0.1), Chunk(0.2, body), End(at=0.2)), **more)


def body(steps: Steps) -> bytes:
    return b"".join([step.data for step in steps if isinstance(step, Chunk)])


def delivered(steps: Steps) -> list[tuple[str | None, str | None]]:
    """Name and data of the events that a client is handed, fed chunk by chunk."""
    decoder = sse.Decoder()
    found = [each for step in steps if isinstance(step, Chunk) for each in decoder.feed(step.data)]
    return [(each.event, each.data) for each in [*found, *decoder.finish()] if each.dispatched]


def ended(steps: Steps) -> tuple[str, str]:
    end = steps[-1]
    assert isinstance(end, End)
    return end.kind, end.phase


def ids(runs: Iterable[Any]) -> list[str]:
    return [run.id for run in runs]
