"""Validates the exchanges of one conversation in order, each at the cost of what it adds.

The histories that were sent form a tree: a request that extends an earlier one shares its path. A
node is one message in one place; it knows the facts of that message, under which circumstances
(model, version, thinking, tools) it has been checked, what was said of the requests that went through
it, and what the model answered there. So a rule meets each message once, a finding is told at the turn
that broke it and not again at the turns that repeat it, and an assistant turn that is sent back meets
the one that was received, whatever sub-conversations ran in between.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import is_
from pathlib import Path
from typing import Any

from convo_replay.exchange import Blob, Exchange, Json, Request, Text
from convo_replay.providers import Provider, Reply, find, providers, wire
from convo_replay.validation import messages
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.messages import Message
from convo_replay.validation.rules import messages_limit, request_too_large, rules_of

FACTS: Mapping[str, Callable[[Any], Message]] = {
    "anthropic": messages.anthropic,
    "openai_chat": messages.openai_chat,
}
"""How a message is read, by wire format; what is not named here is not validated."""

MOST_MESSAGES = messages_limit.MOST
"""A request that holds more is not read."""

_Said = frozenset[tuple[str, str, str]]


@dataclass(eq=False, slots=True)
class _Place:
    """A place in a history: what came after it, and what the model answered there.

    Messages that differ in what does not change the conversation (`cache_control`, which clients move along;
    text as a string or as a block) lead to the same place.
    """

    following: dict[int, _Node] = field(default_factory=dict)
    """By the identity of a message's value, which the node keeps alive."""
    alike: dict[bytes, _Node] | None = None
    """By content, filled when it is asked for: not every client's messages are shared between requests."""
    places: dict[bytes, _Place] | None = None
    """By what matters of the content."""
    answers: list[Answer] = field(default_factory=list)

    def next(self, value: Any, read: Callable[[Any], Message]) -> _Node:
        """The node of the message that follows, made where there is none."""
        node = self.following.get(id(value))
        if node is not None:
            return node
        if not self.following:
            node = self.following[id(value)] = _Node(read(value))
            return node
        if self.alike is None or self.places is None:
            self.alike, self.places = {}, {}
            for known in self.following.values():  # there is one
                exact, loose = _digests(known.message.value)
                self.alike[exact], self.places[loose] = known, known.place
        exact, loose = _digests(value)
        node = self.alike.get(exact)
        if node is None:
            node = self.following[id(value)] = _Node(read(value), self.places.get(loose) or _Place())
            self.alike[exact] = node
            self.places.setdefault(loose, node.place)
        return node


@dataclass(eq=False, slots=True)
class _Node:
    """One message in one place of a history; the root stands for the empty one."""

    message: Message
    place: _Place = field(default_factory=_Place)
    checked: set[Hashable] = field(default_factory=set)
    said: _Said = frozenset()
    """Of the last request that went through here."""


def _digests(value: Any) -> tuple[bytes, bytes]:
    """Of a message as it is, and of what matters in it."""
    try:
        text = wire.dump(value)
    except RecursionError:  # nested deeper than it can be written: it is like itself alone
        text = f"{id(value)}"
    exact = _hash(text)
    if not isinstance(value, dict):
        return exact, exact
    if not isinstance(value.get("content"), str) and '"cache_control"' not in text:
        return exact, exact
    return exact, _hash(wire.dump(_bare(value)))


def _bare(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if isinstance(content, list):
        content = [_without_cache_control(block) for block in content]
    return {**_without_cache_control(message), "content": content}


def _without_cache_control(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    block = {key: part for key, part in block.items() if key != "cache_control"}
    inner = block.get("content")
    if isinstance(inner, list):
        block["content"] = [_without_cache_control(part) if isinstance(part, dict) else part for part in inner]
    return block


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model answered, and what it was asked."""

    reply: Reply
    request: Request


class Answers(Mapping[int, Any]):
    """What the model answered, by place in the history; each is put together when it is asked for.

    Messages API: the content blocks. Chat completions: the message. Where one history was answered
    more than once, the answer that is most like what was sent back.
    """

    def __init__(self, given: Mapping[int, list[Answer]], format: str, sent: list[Message]) -> None:
        self._given = given
        self._format = format
        self._sent = sent
        self.origins: Mapping[int, Request] = _Origins(self)

    def __getitem__(self, index: int) -> Any:
        return _content(self.chosen(index).reply, self._format)

    def chosen(self, index: int) -> Answer:
        known = self._given[index]
        if len(known) == 1:
            return known[0]
        sent = self._sent[index].value if index < len(self._sent) else None
        content = wire.mapping(sent).get("content") if self._format == "anthropic" else sent
        return max(reversed(known), key=lambda one: _likeness(_content(one.reply, self._format), content))

    def __iter__(self) -> Iterator[int]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


class _Origins(Mapping[int, Request]):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def __getitem__(self, index: int) -> Request:
        return self._answers.chosen(index).request

    def __iter__(self) -> Iterator[int]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


def _asked_provider(request: Request) -> Provider | None:
    """Whose model a request asks, or would ask if its body were one: `messages: null`, a text that is no JSON."""
    provider = find(request)
    if provider is not None and provider.generates(request):
        return provider if getattr(provider, "format", "") in FACTS else None
    if not isinstance(request.body, Json | Text | Blob):
        return None  # a form, or left out by whoever recorded it
    for known in providers():
        whole = replace(request, body=Json({known.history: []}))
        if getattr(known, "format", "") in FACTS and known.generates(whole):
            return known
    return None


def _is_whole(reply: Reply) -> bool:
    """Whether a client keeps an answer as it is: what was cut off it may well cut further."""
    return reply.error is None and bool(reply.stop_reason) and reply.stop_reason not in _CUT


_CUT = frozenset({"max_tokens", "model_context_window_exceeded", "refusal", "length", "content_filter"})


def _content(reply: Reply, format: str) -> Any:
    if format == "anthropic":
        return reply.content
    first = next(iter(wire.items(reply.message.get("choices"))), None)
    return wire.mapping(wire.mapping(first).get("message"))


def _likeness(answer: Any, sent: Any) -> int:
    if answer == sent:
        return 1 << 30
    if isinstance(answer, list) and isinstance(sent, list):
        return sum(1 for block in answer if block in sent)
    if isinstance(answer, dict) and isinstance(sent, dict):
        return sum(1 for key in answer if answer[key] and answer[key] == sent.get(key))
    return 0


@dataclass(frozen=True, slots=True)
class _Last:
    """The last request of a format: most requests begin with the same messages, the same objects."""

    values: list[Any]
    path: list[_Node]
    messages: list[Message]
    given: dict[int, list[Answer]]
    circumstances: Hashable

    def begins(self, values: list[Any]) -> bool:
        return len(self.values) <= len(values) and all(map(is_, self.values, values))


@dataclass(slots=True)
class _Open:
    """A request without an answer."""

    request: Request
    asked: Asked
    path: list[_Node]
    first: int
    """How many of its messages had been checked before."""
    said: _Said

    def forget(self) -> None:
        circumstances = _circumstances(self.asked)
        for index, node in enumerate(self.path[1:]):
            node.said = self.said
            if index >= self.first:
                node.checked.discard(circumstances)


class Validator:
    """The exchanges of one conversation: `request` as each is sent, `response` when it is answered.

    Not thread-safe: callers hold the conversation's lock.

    Args:
        ignore: names of rules that say nothing.
    """

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._ignore = frozenset(ignore)
        self._roots: dict[str, _Node] = {}
        self._last: dict[str, _Last] = {}
        self._open: dict[int, _Open] = {}
        """Requests without an answer, by identity."""
        self._compactions: list[dict[str, Any]] = []
        self._by_use: dict[str, list[Answer]] = {}
        """Answers by the id of the first tool that they ask for."""

    def request(self, request: Request, *, on: str = "") -> list[Finding]:
        """What the API would say to a request, as far as it is new in this conversation.

        Args:
            request: redacted, like all others here.
            on: the day on which it was recorded, `2026-11-22`.

        Returns:
            Findings of the request's side; none for what asks no model, or speaks a format that is not validated.
        """
        provider = _asked_provider(request)
        if provider is None:
            return []
        format = getattr(provider, "format", "")
        if isinstance(request.body, Blob):
            too_large = request_too_large.check(Asked(request, format, []))
            return self._fresh([*too_large, UNREAD.found((), _unread(request.body))], frozenset())
        count = len(wire.items(wire.mapping(request.json).get(provider.history)))
        if format == "anthropic" and count > MOST_MESSAGES:
            # Where it would end is not known, and nobody answers it.
            return self._fresh(messages_limit.check(Asked(request, format, [])), frozenset())
        from convo_replay.validation import schema

        asked, path, first, shared = self._read(request, provider.history, format, on)
        found: list[Finding] = []
        kinds = asked.kinds
        for check, needs in ((schema.request_findings, frozenset[str]()), *rules_of(format)):
            if needs and needs.isdisjoint(kinds):
                continue
            try:
                found += check(asked)
            except Exception as error:  # a rule of ours must not break a call of the application's
                found.append(_failed(check, error))
        # Two conversations that have nothing in common break a rule each.
        known: _Said = path[shared].said if shared else frozenset()
        fresh = self._fresh(found, known)
        said = known | {_key(finding) for finding in fresh} if fresh else known
        for each in path[1 if fresh else shared + 1 :]:
            each.said = said
        self._open[id(request)] = _Open(request, asked, path, first, known)
        return fresh

    def response(self, exchange: Exchange, request: Request | None = None) -> list[Finding]:
        """What is wrong with the answer to a request that `request()` has seen; nothing where it has not.

        Args:
            request: the one that was seen, where `exchange` holds another that is equal to it.
        """
        request = request or exchange.request
        known = self._open.pop(id(request), None)
        if known is None:
            return []
        if not 200 <= (exchange.status or 0) < 400:
            self._last.clear()
            known.forget()  # an attempt that failed settles nothing: the next one is judged anew
        from convo_replay.validation import responses

        try:
            read = responses.read(exchange, known.asked)
        except Exception as error:
            return self._fresh([_failed(responses.read, error)], frozenset())
        if read.reply is not None:
            self._compactions += [block for block in read.reply.content if block.get("type") == "compaction"]
        if read.reply is not None and _is_whole(read.reply):
            self._remember(Answer(read.reply, known.request), known)
        return self._fresh(read.findings, frozenset())

    def _read(self, request: Request, key: str, format: str, on: str) -> tuple[Asked, list[_Node], int, int]:
        """The request; its nodes; the first that was not checked yet; up to where an earlier request went."""
        asked = Asked(request, format, [], on=on)
        circumstances = _circumstances(asked)
        values = wire.items(asked.body.get(key))
        last = self._last.get(format)
        if last is None or not last.begins(values):
            last = _Last([], [self._roots.setdefault(format, _Node(Message(None)))], [], {}, circumstances)
        shared = start = len(last.values)
        new = start if last.circumstances == circumstances else 0
        path, history, given = [*last.path], [*last.messages], {**last.given}
        node = path[-1]
        if new < start:
            new = next((at for at, each in enumerate(path[1:]) if circumstances not in each.checked), start)
            for each in path[new + 1 :]:
                each.checked.add(circumstances)
        read = FACTS[format]
        for index in range(start, len(values)):
            before, answers = node.message.role, node.place.answers
            node = node.place.next(values[index], read)
            path.append(node)
            history.append(node.message)
            if answers:
                given[index] = answers
            elif (
                node.message.uses
                and before != "assistant"
                and (answers := self._by_use.get(node.message.uses[0][1], []))
            ):
                given[index] = answers  # an earlier message was edited meanwhile
            if node.checked:
                shared = index + 1
            if new == index and circumstances in node.checked:
                new = index + 1
            else:
                node.checked.add(circumstances)
        self._last[format] = _Last(values, path, history, given, circumstances)
        asked.messages, asked.new = history, new
        asked.answers = answered = Answers(given, format, history)
        asked.origins = answered.origins
        asked.compactions = self._compactions
        return asked, path, new, shared

    def _remember(self, answer: Answer, known: _Open) -> None:
        known.path[-1].place.answers.append(answer)
        for use in answer.reply.tool_uses[:1]:
            if use.id:
                self._by_use[use.id] = [answer]

    def _fresh(self, found: Iterable[Finding], known: _Said) -> list[Finding]:
        unique = dict.fromkeys(finding for finding in found if finding.rule not in self._ignore)
        return [finding for finding in unique if _key(finding) not in known]


UNREAD = Rule(
    name="request-unread",
    number="own",
    format="",
    severity="info",
    summary="A request can be read.",
    why="A body with a message over 1 MB is kept in cassettes by its hash alone, so there is nothing to be looked at "
    "when the cassette is checked; while the application sends it, it is looked at like any other. Over 32 MB it is "
    "not read at all.",
    source="convo_replay",
)
FAILED = Rule(
    name="validation-failed",
    number="own",
    format="",
    severity="warn",
    summary="Every rule can read every request and every answer.",
    why="A rule met something that it was not written for and broke off. What it would have said is not known; nothing "
    "else is affected. Please report it, with the exchange.",
    source="convo_replay",
)


def _unread(body: Blob) -> str:
    return f"expected a body that is at hand, got the hash of one of {body.size:,} bytes: nothing in it was looked at"


def _failed(check: Callable[..., Any], error: Exception) -> Finding:
    # Without the error's text, which may quote the body.
    line = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{check.__module__} raised {type(error).__name__} at {Path(line.filename).name}:{line.lineno}"
    return FAILED.found((), place)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.path, finding.message


def _circumstances(asked: Asked) -> Hashable:
    """What decides, besides the messages, whether a rule holds."""
    return asked.version, asked.betas, asked.beta, asked.model.name, asked.thinking, tuple(asked.tools)
