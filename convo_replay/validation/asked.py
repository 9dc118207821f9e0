"""A request as rules see it: its parts by name, its history by turns, and what of that is new.

A rule looks at what is new since the last request of the same conversation, and at nothing it has
seen: turn *k* costs what turn *k* added. `Asked.fresh`, `Asked.spans` and `Asked.pairs` give just that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from convo_replay.exchange import Request
from convo_replay.providers import wire
from convo_replay.validation.messages import Message
from convo_replay.validation.models import Model, model_of

NEWEST = "2026-10-21"


@dataclass(frozen=True, slots=True)
class Span:
    """Messages of one role in a row: the API merges them into one turn (protocol.md §3, A1).

    Attributes:
        start: index of its first message in the request.
        messages: in order, never empty.
    """

    start: int
    messages: Sequence[Message]

    @property
    def role(self) -> str:
        return self.messages[0].role

    @property
    def end(self) -> int:
        """Index after its last message."""
        return self.start + len(self.messages)

    def blocks(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Index of the message, index of the block in it, the block; in order."""
        for offset, message in enumerate(self.messages):
            for at, block in enumerate(message.blocks):
                yield self.start + offset, at, block

    def uses(self) -> Iterator[tuple[int, int, str]]:
        """Index of the message, index of the block, id: of each tool that is asked for."""
        for offset, message in enumerate(self.messages):
            for at, ident in message.uses:
                yield self.start + offset, at, ident

    def results(self) -> Iterator[tuple[int, int, str]]:
        """Index of the message, index of the block, id: of each tool that is answered."""
        for offset, message in enumerate(self.messages):
            for at, ident in message.results:
                yield self.start + offset, at, ident


@dataclass
class Asked:
    """One request.

    Attributes:
        request: redacted, as everything else here.
        format: `anthropic`, `openai_chat`.
        messages: the whole history, read.
        new: index of the first message that no earlier request of this conversation had in this place (and
            under the same model, version, thinking and tools).
        answers: what the model answered at a place of the history, as `reply.message["content"]` blocks
            (chat: the message): for places where an earlier exchange of this conversation was an answer.
        on: the day of the recording, `2026-11-22`; empty where it is not known.
    """

    request: Request
    format: str
    messages: list[Message]
    new: int = 0
    answers: Mapping[int, Any] = field(default_factory=dict)
    on: str = ""

    @cached_property
    def body(self) -> dict[str, Any]:
        """The request's body; empty where it is no object."""
        return wire.mapping(self.request.json)

    @cached_property
    def version(self) -> str:
        """The API version as a date: of the header, or of the body (Bedrock, Vertex); empty where none is known.

        What the cloud variants called `bedrock-2023-05-31` and `vertex-2023-10-16` is `2023-06-01` here.
        """
        said = self.request.header("anthropic-version") or wire.string(self.body.get("anthropic_version"))
        return "2023-06-01" if said.startswith(("bedrock-", "vertex-")) else said

    @cached_property
    def since_2026_10_21(self) -> bool:
        """Whether the rules of version 2026-10-21 hold. Not where no version is known."""
        return self.version >= NEWEST

    @cached_property
    def betas(self) -> frozenset[str]:
        """The names in `anthropic-beta` headers, and in the body's `anthropic_beta` (Bedrock)."""
        said = ",".join(value for name, value in self.request.headers if name == "anthropic-beta")
        listed = [name for name in wire.items(self.body.get("anthropic_beta")) if isinstance(name, str)]
        return frozenset(name for part in (*said.split(","), *listed) if (name := part.strip()))

    @cached_property
    def beta(self) -> bool:
        """Whether the request is one to the beta API."""
        query = urlsplit(self.request.url).query
        return bool(self.betas) or ("beta=" in query and ("beta", "true") in parse_qsl(query))

    @cached_property
    def model(self) -> Model:
        """The model that is asked; of Vertex and Bedrock from the URL."""
        named = wire.string(self.body.get("model"))
        if not named:
            path = urlsplit(self.request.url).path
            for before in ("/models/", "/model/"):
                if before in path:
                    named = path.partition(before)[2].partition("/")[0].rpartition(":")[0] or path.partition(before)[2]
                    break
        return model_of(named)

    @cached_property
    def thinking(self) -> str:
        """`enabled`, `adaptive`, `disabled`, `between_tools`; empty where the request does not say."""
        return wire.string(wire.mapping(self.body.get("thinking")).get("type"))

    @cached_property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools that the request declares, by name. Chat completions: the function of each."""
        found = {}
        for tool in map(wire.mapping, wire.items(self.body.get("tools"))):
            declared = wire.mapping(tool.get("function")) or wire.mapping(tool.get("custom")) or tool
            name = wire.string(declared.get("name"))
            if name:
                found[name] = declared
        return found

    @property
    def fresh(self) -> Iterator[tuple[int, Message]]:
        """Index and message of what is new."""
        for index in range(self.new, len(self.messages)):
            yield index, self.messages[index]

    @cached_property
    def spans(self) -> list[Span]:
        """The turns of the history that are new, or that stand before or around something new.

        From the turn before the one that the last known message is in: what follows a turn can make it wrong.
        """
        start = self._start_of(self.new - 1)
        start = self._start_of(start - 1)
        found: list[Span] = []
        while start < len(self.messages):
            end = start + 1
            while end < len(self.messages) and self._continues(end):
                end += 1
            found.append(Span(start, self.messages[start:end]))
            start = end
        return found

    @property
    def pairs(self) -> Iterator[tuple[Span, Span | None]]:
        """Each of `spans` with the one that follows it; `None` after the last of the history."""
        yield from pairwise(self.spans)
        if self.spans:
            yield self.spans[-1], None

    @property
    def last(self) -> Span | None:
        """The last turn of the history."""
        return self.spans[-1] if self.spans else None

    def _start_of(self, index: int) -> int:
        """The first message of the turn that a message is in."""
        while index > 0 and self._continues(index):
            index -= 1
        return max(index, 0)

    def _continues(self, index: int) -> bool:
        """Whether the message belongs to the turn of the one before it. Only user and assistant turns merge."""
        role = self.messages[index].role
        merges = role in ("user", "assistant") if self.format == "anthropic" else False
        return merges and role == self.messages[index - 1].role
