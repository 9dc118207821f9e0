"""What an edit changes: a request of its own, or the events of an answer."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from convo_replay import sse
from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Json, Request

T = TypeVar("T")
Place = dict[str, int]
"""Numbers for the letters of a path template: `{"N": 2, "M": 0}` for `messages.{N}.content.{M}`."""

Block = dict[str, Any]


@dataclass
class Draft:
    """A request to be changed in place; nobody else holds its body.

    Attributes:
        first: an edit that could be made in several places is made in the first, else in the last.
        answers: what the model had answered, by place in the history, where an earlier exchange says it.
    """

    request: Request
    first: bool = False
    answers: Mapping[int, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.body = copy.deepcopy(self.request.json)

    @property
    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    def pick(self, sites: Iterable[T]) -> T | None:
        """One of the places where an edit could be made."""
        known = list(sites)
        if not known:
            return None
        return known[0] if self.first else known[-1]

    def content(self, index: int) -> list[Block]:
        """The blocks of a message; a string becomes one."""
        message = self.messages[index]
        if isinstance(message.get("content"), str):
            message["content"] = [{"type": "text", "text": message["content"]}]
        found: list[Block] = message["content"]
        return found

    def blocks(self, role: str, *kinds: str) -> Iterator[tuple[int, int, Block]]:
        """Index of the message, index of the block, the block: of a role and of these types."""
        for index, message in enumerate(self.messages):
            content = message.get("content")
            if message.get("role") == role and isinstance(content, list):
                for at, block in enumerate(content):
                    if not kinds or block.get("type") in kinds:
                        yield index, at, block

    def loops(self) -> list[int]:
        """Indexes of the assistant messages whose tools the next message answers."""
        asking = {index for index, _, _ in self.blocks("assistant", "tool_use")}
        return sorted({index - 1 for index, _, _ in self.blocks("user", "tool_result")} & asking)

    def results(self, index: int) -> list[int]:
        """Indexes of the `tool_result` blocks of a message."""
        return [at for at, block in enumerate(self.content(index)) if block.get("type") == "tool_result"]

    def finished(self) -> Request:
        return replace(self.request, body=Json(self.body))


@dataclass
class Stream:
    """The events of an answer, to be changed in place.

    Attributes:
        events: the bytes of each, blank line included.
        first: as in `Draft`.
        body: the whole answer, where it is no list of events any more.
        type: the answer's media type, where it is another one.
        chunked: bytes in each chunk, 0 for one chunk.
    """

    exchange: Exchange
    first: bool = False
    events: list[bytes] = field(init=False)
    body: bytes | None = None
    type: str = ""
    end: EndKind = "complete"
    chunked: int = 0

    def __post_init__(self) -> None:
        self.events = list(_events(self.exchange.body))

    def pick(self, sites: Iterable[T]) -> T | None:
        known = list(sites)
        if not known:
            return None
        return known[0] if self.first else known[-1]

    def of(self, *names: str) -> list[int]:
        """Places of the events of these types."""
        return [at for at, raw in enumerate(self.events) if kind(raw) in names]

    def number(self, at: int) -> int:
        """The index among dispatched events of the event at a place, or of what comes next there."""
        return sum(dispatched(raw) for raw in self.events[:at])

    def change(self, at: int, **keys: Any) -> None:
        """Other values for keys of an event's data; `None` deletes one."""
        value = {**data(self.events[at]), **keys}
        self.write(at, {key: part for key, part in value.items() if key not in keys or part is not None})

    def write(self, at: int, value: Any, name: str | None = None) -> None:
        self.events[at] = spelled(value, kind_line(self.events[at]) if name is None else name)

    def insert(self, at: int, value: Any, name: str = "") -> None:
        self.events.insert(at, spelled(value, name))

    def finished(self) -> Exchange:
        body = b"".join(self.events) if self.body is None else self.body
        head = self.exchange.head
        assert head is not None
        if self.type:
            others = [pair for pair in head.headers if pair[0] != "content-type"]
            head = replace(head, headers=(*others, ("content-type", self.type)))
        size = self.chunked or max(len(body), 1)
        chunks = [Chunk(0.0, body[at : at + size]) for at in range(0, len(body), size)]
        return replace(self.exchange, steps=(head, *chunks, End(self.end)))


@dataclass
class Answer:
    """A JSON answer to be changed in place; `body`: all of it, where it is no document any more."""

    exchange: Exchange
    first: bool = False
    value: Any = field(init=False)
    body: bytes | None = None
    type: str = ""

    def __post_init__(self) -> None:
        self.value = self.exchange.response_json()

    def finished(self) -> Exchange:
        head = self.exchange.head
        assert head is not None
        body = json.dumps(self.value).encode() if self.body is None else self.body
        if self.type:
            others = [pair for pair in head.headers if pair[0] != "content-type"]
            head = replace(head, headers=(*others, ("content-type", self.type)))
        return replace(self.exchange, steps=(head, Chunk(0.0, body), End()))


@functools.lru_cache(256)
def _events(body: bytes) -> tuple[bytes, ...]:
    return tuple(event.raw for event in sse.split(body))


@functools.lru_cache(8192)
def _read(raw: bytes) -> sse.Event:
    return sse.split(raw)[0]


@functools.lru_cache(8192)
def dispatched(raw: bytes) -> bool:
    return bool(raw) and _read(raw).dispatched


def kind_line(raw: bytes) -> str:
    """What the `event:` line says."""
    return _read(raw).event or ""


@functools.lru_cache(8192)
def data(raw: bytes) -> dict[str, Any]:
    """An event's data, not to be changed; empty where it is no object."""
    try:
        value = json.loads(_read(raw).data or "")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@functools.lru_cache(8192)
def kind(raw: bytes) -> str:
    """The type of an event of the Messages API; `[DONE]`, and `chunk` of chat completions."""
    event = _read(raw)
    if not event.dispatched:
        return ""
    if (event.data or "").strip() == "[DONE]":
        return "[DONE]"
    value = data(raw)
    return value.get("type", "") if "type" in value and "choices" not in value else "chunk" if value else ""


def spelled(value: Any, name: str = "") -> bytes:
    """An event with that data; text stays as it is."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return ((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode()


def answered(request: Request, status: int, body: bytes, type: str) -> Exchange:
    """An exchange from its parts."""
    return Exchange(request, (Head(status, (("content-type", type),)), Chunk(0.0, body), End()))
