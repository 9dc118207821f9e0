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
from urllib.parse import SplitResult, parse_qsl, urlsplit

from convo_replay.exchange import Request
from convo_replay.providers import wire
from convo_replay.validation.messages import Message
from convo_replay.validation.models import Model, model_of

NEWEST = "2026-10-21"
VERSIONS = frozenset({"2023-01-01", "2023-06-01", NEWEST})
"""Every version of the Messages API that is known (protocol.md §0)."""
_MERGING = {"anthropic": frozenset({"user", "assistant"})}
"""Roles whose messages in a row are one turn, by wire format."""


class Span:
    """Messages of one role in a row: the API merges them into one turn (protocol.md §3, A1).

    Attributes:
        start: index of its first message in the request.
        end: index after its last message.
        role: of all of them.
        messages: in order, never empty.
    """

    __slots__ = ("_results", "_uses", "end", "messages", "role", "start")

    def __init__(self, start: int, messages: Sequence[Message]) -> None:
        self.start = start
        self.end = start + len(messages)
        self.role = messages[0].role
        self.messages = messages
        self._uses: list[tuple[int, int, str]] | None = None
        self._results: list[tuple[int, int, str]] | None = None

    def blocks(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Index of the message, index of the block in it, the block; in order."""
        for index, message in enumerate(self.messages, self.start):
            for at, block in enumerate(message.blocks):
                yield index, at, block

    def uses(self) -> list[tuple[int, int, str]]:
        """Index of the message, index of the block, id: of each tool that is asked for."""
        if self._uses is None:
            self._uses = [(i, at, use) for i, one in enumerate(self.messages, self.start) for at, use in one.uses]
        return self._uses

    def results(self) -> list[tuple[int, int, str]]:
        """Index of the message, index of the block, id: of each tool that is answered."""
        if self._results is None:
            known = enumerate(self.messages, self.start)
            self._results = [(index, at, ident) for index, one in known for at, ident in one.results]
        return self._results


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
        origins: the request that such an answer was given to, by the same places.
        compactions: the `compaction` blocks that the model gave in this conversation.
        on: the day of the recording, `2026-11-22`; empty where it is not known.
        memo: what rules share of their work on this request.
    """

    request: Request
    format: str
    messages: list[Message]
    new: int = 0
    answers: Mapping[int, Any] = field(default_factory=dict)
    origins: Mapping[int, Request] = field(default_factory=dict)
    on: str = ""
    memo: dict[str, Any] = field(default_factory=dict)
    compactions: Sequence[Mapping[str, Any]] = ()

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
        return self.version in VERSIONS and self.version >= NEWEST

    @cached_property
    def betas(self) -> frozenset[str]:
        """The names in `anthropic-beta` headers, and in the body's `anthropic_beta` (Bedrock)."""
        said = ",".join(value for name, value in self.request.headers if name == "anthropic-beta")
        listed = [name for name in wire.items(self.body.get("anthropic_beta")) if isinstance(name, str)]
        return frozenset(name for part in (*said.split(","), *listed) if (name := part.strip()))

    @cached_property
    def beta(self) -> bool:
        """Whether the request is one to the beta API."""
        query = self._url.query
        return bool(self.betas) or ("beta=" in query and ("beta", "true") in parse_qsl(query))

    @cached_property
    def _url(self) -> SplitResult:
        try:
            return urlsplit(self.request.url)
        except ValueError:
            return SplitResult("", "", self.request.url, "", "")

    @cached_property
    def model(self) -> Model:
        """The model that is asked; of Vertex and Bedrock from the URL."""
        named = wire.string(self.body.get("model"))
        if not named:
            path = self._url.path
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

    @cached_property
    def fresh(self) -> list[tuple[int, Message]]:
        """Index and message of what is new."""
        return [(index, self.messages[index]) for index in range(self.new, len(self.messages))]

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Roles and types of blocks in what is new and in the turn before it, those inside a `tool_result`, too."""
        start = self.spans[0].start if self.spans else 0
        found: set[str] = set()
        for message in self.messages[start:]:
            found.update(message.types)
            found.update(message.inside)
            found.add(message.role)
        return frozenset(found)

    @cached_property
    def spans(self) -> list[Span]:
        """The turns of the history that are new, or that stand before or around something new.

        From the turn before the one that the last known message is in: what follows a turn can make it wrong.
        """
        start = self._start_of(self.new - 1)
        start = self._start_of(start - 1)
        found: list[Span] = []
        messages, merges = self.messages, _MERGING.get(self.format, frozenset())
        while start < len(messages):
            end, role = start + 1, messages[start].role
            if role in merges:
                while end < len(messages) and messages[end].role == role:
                    end += 1
            found.append(Span(start, messages[start:end]))
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
        """Whether the message belongs to the turn of the one before it."""
        role = self.messages[index].role
        return role == self.messages[index - 1].role and role in _MERGING.get(self.format, frozenset())
