"""Where an answer says which tool is to run, and with what: read, changed and written back.

The first tool call of an answer is meant, in a stream by its fragments. Known are the Messages API and chat
completions; in the JSON of the former `input` is a value, everywhere else it is text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import fitting, pieces, positions
from convo_replay.providers import wire

FORMATS = ("anthropic", "openai_chat")


@dataclass(frozen=True)
class Place:
    """A value in an event or in a JSON body: `holder[key]`, part of `document`, in the chunk `step`."""

    step: int
    event: str | None
    document: Any
    holder: dict[str, Any]
    key: str

    @property
    def value(self) -> Any:
        return self.holder[self.key]


@dataclass(frozen=True)
class Call:
    """The first tool call: where its name stands, and its input, in fragments or as one value."""

    name: Place
    fragments: Sequence[Place]


def wants_call(exchange: Exchange) -> str:
    """For faults of tool calls."""
    if said := fitting.wants_format(exchange, *FORMATS):
        return said
    return "" if find(exchange.steps, exchange) else "wants an answer with a tool call; the recorded one has none"


def find(steps: Steps, exchange: Exchange) -> Call | None:
    """The first tool call of an answer, `None` where it has none."""
    spoken = fitting.wire_format(exchange)
    if not positions.events(exchange):
        document = wire.parse(pieces.body_of(steps))
        return _in_message(wire.mapping(document)) if spoken == "anthropic" else _in_completion(wire.mapping(document))
    documents = _documents(steps)
    return _in_blocks(documents) if spoken == "anthropic" else _in_chunks(documents)


def changed(steps: Steps, places: Sequence[Place], values: Sequence[Any]) -> Steps:
    """The answer with other values at these places; those in a JSON body are of one document."""
    for place, value in zip(places, values, strict=True):
        place.holder[place.key] = value
    if any(place.step < 0 for place in places):
        return pieces.with_body(steps, wire.dump(places[0].document).encode())
    made = list(steps)
    for place in places:
        old = made[place.step]
        at = old.at if isinstance(old, Chunk) else 0.0
        made[place.step] = Chunk(at, pieces.event(place.event, wire.dump(place.document)))
    return pieces.unframed(tuple(made))


def rewritten(steps: Steps, exchange: Exchange, change: Callable[[list[str]], list[str]]) -> Steps:
    """The input's text changed, fragment by fragment; a value counts as its text, and becomes a string.

    Args:
        change: as many fragments as it gets.
    """
    call = find(steps, exchange)
    if call is None or not call.fragments:
        return steps
    texts = [place.value if isinstance(place.value, str) else wire.dump(place.value) for place in call.fragments]
    new = change(texts)
    return steps if new == texts else changed(steps, call.fragments, new)


def _documents(steps: Steps) -> list[tuple[int, str | None, Any]]:
    found = []
    for at, step in enumerate(steps):
        events = [event for event in sse.split(step.data) if event.dispatched] if isinstance(step, Chunk) else []
        if len(events) == 1:
            found.append((at, events[0].event, wire.mapping(wire.parse(events[0].data))))
    return found


def _in_blocks(documents: Sequence[tuple[int, str | None, Any]]) -> Call | None:
    name: Place | None = None
    index: Any = None
    fragments: list[Place] = []
    for at, event, data in documents:
        block, delta = wire.mapping(data.get("content_block")), wire.mapping(data.get("delta"))
        if name is None:
            if block.get("type") == "tool_use" and "name" in block:
                name, index = Place(at, event, data, block, "name"), data.get("index")
        elif data.get("index") == index and "partial_json" in delta:
            fragments.append(Place(at, event, data, delta, "partial_json"))
    return Call(name, fragments) if name is not None else None


def _in_chunks(documents: Sequence[tuple[int, str | None, Any]]) -> Call | None:
    name: Place | None = None
    index: Any = None
    fragments: list[Place] = []
    for at, event, data in documents:
        for call in _calls(data, "delta"):
            function = wire.mapping(call.get("function"))
            if name is None and function.get("name"):
                name, index = Place(at, event, data, function, "name"), call.get("index")
            if name is not None and call.get("index") == index and isinstance(function.get("arguments"), str):
                fragments.append(Place(at, event, data, function, "arguments"))
    return Call(name, fragments) if name is not None else None


def _in_message(message: dict[str, Any]) -> Call | None:
    for block in map(wire.mapping, wire.items(message.get("content"))):
        if block.get("type") == "tool_use" and "name" in block and "input" in block:
            return Call(Place(-1, None, message, block, "name"), [Place(-1, None, message, block, "input")])
    return None


def _in_completion(completion: dict[str, Any]) -> Call | None:
    for call in _calls(completion, "message"):
        function = wire.mapping(call.get("function"))
        if "name" in function and "arguments" in function:
            places = [Place(-1, None, completion, function, key) for key in ("name", "arguments")]
            return Call(places[0], places[1:])
    return None


def _calls(document: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    for choice in map(wire.mapping, wire.items(document.get("choices"))):
        yield from map(wire.mapping, wire.items(wire.mapping(choice.get(key)).get("tool_calls")))
