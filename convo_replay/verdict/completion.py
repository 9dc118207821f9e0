"""Whether a client got the answer it asked for: what was delivered, against what was recorded."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head
from convo_replay.providers import Reply, find, wire
from convo_replay.validation.findings import value
from convo_replay.validation.grammars.blocks import BLOCKS
from convo_replay.verdict.evidence import Attempt

How = Literal["same", "unseen", "no"]
"""`same`: it builds the recorded answer. `unseen`: another one, and nothing in it shows that. `no`: neither."""
Broken = Literal["", "failed", "error", "cut", "malformed"]
"""What a client got in place of the answer: no answer (a status, no connection), an error in the answer, the
beginning of it, or something that is not what the protocol allows."""


@dataclass(frozen=True, eq=False)
class Delivered:
    """What a client had of one attempt."""

    attempt: Attempt

    @cached_property
    def exchange(self) -> Exchange:
        """The answer as far as the client took it, its content-encoding removed."""
        played = self.attempt.exchange
        assert played is not None
        body = self.body
        whole = self.attempt.state == "read" or (self.attempt.state == "open" and self.took_all)
        end = End("complete" if whole else "cancelled" if self.attempt.state != "raised" else _end(played))
        chunk = () if body is None else (Chunk(0.0, body),)
        head = () if played.head is None else (_plain(played.head),)
        return replace(played, steps=(*head, *chunk, end))

    @cached_property
    def body(self) -> bytes | None:
        """What the client had, decoded; `None` where it cannot be."""
        played = self.attempt.exchange
        assert played is not None
        return _decoded(played, played.body[: self.attempt.taken])

    @property
    def took_all(self) -> bool:
        """Whether the client had every byte that came."""
        played = self.attempt.exchange
        return played is not None and self.attempt.taken >= len(played.body)

    @cached_property
    def reply(self) -> Reply:
        """What the client could build of it."""
        return _reply(self.exchange)

    @cached_property
    def recorded(self) -> Reply:
        """What was recorded in its place."""
        return _as_recorded(_Same(self.attempt.recorded))[0] if self.attempt.recorded is not None else Reply()

    @cached_property
    def streamed(self) -> bool:
        """Whether the answer is a stream: asked for, or recorded."""
        recorded = self.attempt.recorded
        asked = wire.mapping(self.attempt.request.json).get("stream") is True
        return asked or (recorded is not None and recorded.is_stream)

    @cached_property
    def how(self) -> How:
        """Whether the attempt was answered."""
        found = self._judged()
        return "same" if found == "no" and (self._broke_after_its_end() or self._hides_an_error()) else found

    def _judged(self) -> How:
        attempt, played = self.attempt, self.attempt.exchange
        if played is not None and attempt.recorded is not None and not attempt.faults and attempt.state != "open":
            return "same"  # also where the recording itself is of a failure
        if played is None or attempt.state in ("raised", "diverged") or played.head is None:
            return "no"
        recorded = attempt.recorded
        if recorded is None or attempt.live:
            return "same" if played.status is not None and played.status < 300 and self._is_whole() else "no"
        if played.status != recorded.status:
            return "no"
        if self._left_before_anything_showed():
            return "same"
        if find(attempt.request) is None or not _generates(attempt):
            return "same" if self.exchange.body == recorded.body else "no"
        if self._builds_the_same() and not self._hurts:
            return "same"
        return "no" if not self._is_whole() or self._wrong else "unseen"

    @cached_property
    def damage(self) -> tuple[str, ...]:
        """What the grammar of the answer says against it and not against the recorded one; one sentence each."""
        return tuple([said for _, said in self._wrong])

    @cached_property
    def _wrong(self) -> list[tuple[str, str]]:
        if self.attempt.recorded is None:
            return []
        known = _as_recorded(_Same(self.attempt.recorded))[1]
        wrong = [(rule, said) for rule, said in _errors(self.exchange) if rule not in known]
        if not wrong and self._is_whole():
            whole = {use.id for use in self.recorded.tool_uses if wire.parse(use.raw_input) is not None}
            broken = [use for use in self.reply.tool_uses if use.id in whole and wire.parse(use.raw_input) is None]
            wrong += [("tool-input", f"the input of `{use.name}` is no JSON: {value(use.raw_input)}") for use in broken]
        return wrong

    @property
    def _hurts(self) -> bool:
        """Whether something is wrong that a client does not get over, though here the answer could be read: an SDK
        drops events without a name, and sees nothing in a document that should be a stream."""
        if all(rule in _HARMLESS for rule, _ in self._wrong):
            return False
        if {rule for rule, _ in self._wrong} == {"stream-bom"} and self._says_nothing_first():
            return False
        before_its_end = {"tool-input", *(rule for rule, _ in _errors(_without_what_follows(self.exchange)))}
        return any(rule in before_its_end and rule not in _HARMLESS for rule, _ in self._wrong)

    def _says_nothing_first(self) -> bool:
        """Whether the first event, which the SDKs lose behind a byte order mark, holds nothing of a completion."""
        rest = b"".join([event.raw for event in sse.split(self.exchange.body)[1:]])
        without = _reply(replace(self.exchange, steps=(*self.exchange.steps[:1], Chunk(0.0, rest), self.exchange.end)))
        chat = getattr(find(self.attempt.request), "format", "") == "openai_chat"
        return chat and same_content(without.content, self.recorded.content)

    @cached_property
    def broken(self) -> Broken:
        """What came in place of the answer; empty where it was answered."""
        played = self.attempt.exchange
        if self.how != "no":
            refused = played is not None and (played.status or 0) >= 400
            return "failed" if refused else ""
        if played is None or played.head is None:
            return "failed"
        recorded = self.attempt.recorded
        if played.status != (200 if recorded is None else recorded.status):
            return "failed"
        if self.body is None:
            return "failed"
        if self.reply.error is not None:
            return "error"
        if self.streamed and recorded is not None and recorded.body.startswith(self.exchange.body):
            return "cut"
        if self._has_error():
            return "error"
        if not self.streamed:
            body = self.exchange.body
            document = wire.parse(body) is not None or body.strip() == b"null"
            return "malformed" if document and self.attempt.state != "raised" else "failed"
        if self.attempt.state == "raised" and self.attempt.raised is not None and _end(played) != "complete":
            return "cut"
        rules = {rule for rule, _ in _errors(self.exchange)}
        if "stream-not-events" in rules and self.exchange.body.lstrip()[:1] == b"<":
            return "failed"  # a page in place of the answer
        return "cut" if rules == {"stream-unterminated"} else "malformed"

    def _has_error(self) -> bool:
        return any(rule in _ERRORS for rule, _, _ in _found(self.exchange))

    def _is_whole(self) -> bool:
        reply = self.reply
        return reply.error is None and bool(reply.complete or (self.streamed and reply.stop_reason))

    def _builds_the_same(self) -> bool:
        recorded = self.attempt.recorded
        assert recorded is not None
        if self.took_all and self.exchange.body == recorded.body:
            return True
        mine, theirs = self.reply, self.recorded
        return (
            mine.error == theirs.error
            and mine.stop_reason == theirs.stop_reason
            and (mine.complete or self.streamed or not theirs.complete)
            and same_content(mine.content, theirs.content)
            and bool(mine.content or mine.message)
        )

    def _broke_after_its_end(self) -> bool:
        """Whether a stream came up to its terminal event, and what follows changes nothing of it: the client has it
        all, whatever it was told then."""
        played, recorded = self.attempt.exchange, self.attempt.recorded
        if played is None or recorded is None or not self.streamed or played.status != recorded.status:
            return False
        whole = _until_its_end(_Same(recorded))
        came = _decoded(played, played.body[: self.attempt.taken], lenient=True)
        if not (whole and came and came.startswith(whole)):
            return False
        head = () if played.head is None else (_plain(played.head),)
        made = _reply(replace(played, steps=(*head, Chunk(0.0, came), End())))
        return same_content(made.content, self.recorded.content)

    def _hides_an_error(self) -> bool:
        """Whether all of the answer is there but its terminal event, and an error that no SDK sees: Anthropic's drops
        events without a name (protocol.md §4.4)."""
        mine, theirs = self.reply, self.recorded
        return (
            self.attempt.state != "raised"
            and bool(mine.stop_reason)
            and mine.stop_reason == theirs.stop_reason
            and getattr(find(self.attempt.request), "format", "") == "anthropic"
            and {rule for rule, _ in self._wrong} <= {"stream-error-unnamed", "stream-unterminated"}
            and same_content(mine.content, theirs.content)
        )

    def _left_before_anything_showed(self) -> bool:
        """Whether the client closed a good answer by itself: it had what it wanted."""
        attempt, played, recorded = self.attempt, self.attempt.exchange, self.attempt.recorded
        if attempt.state != "left" or played is None or recorded is None or not self.streamed:
            return False
        if attempt.raised is not None:
            return False
        waiting = self.took_all and _end(played) == "timeout"
        return attempt.taken > 0 and not waiting and recorded.body.startswith(self.exchange.body)


def same_content(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """Whether blocks say what the recorded ones say. Fields that those do not have, and blocks of a type that nobody
    knows, are no matter: the API may add them at any time."""
    known = {block.get("type") for block in theirs} | BLOCKS.keys()
    mine = [block for block in mine if block.get("type") in known]
    return len(mine) == len(theirs) and all(
        all(key in block and block[key] == part for key, part in other.items())
        for block, other in zip(mine, theirs, strict=True)
    )


class _Same:
    """An exchange as a key: the object itself, which is not compared by what is in it."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def __hash__(self) -> int:
        return id(self.exchange)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.exchange is self.exchange


@functools.lru_cache(64)
def _as_recorded(key: _Same) -> tuple[Reply, frozenset[str]]:
    """What a recorded answer says, and the rules that it breaks itself: read once for all runs over it."""
    return _reply(key.exchange), frozenset([rule for rule, _ in _errors(key.exchange)])


def _reply(exchange: Exchange) -> Reply:
    provider = find(exchange.request)
    return provider.reply(exchange) if provider is not None else Reply()


def _generates(attempt: Attempt) -> bool:
    provider = find(attempt.request)
    return provider is not None and provider.generates(attempt.request)


def _end(exchange: Exchange) -> Any:
    return exchange.end.kind


def _errors(exchange: Exchange) -> Iterator[tuple[str, str]]:
    return ((rule, said) for rule, said, severity in _found(exchange) if severity == "error")


def _without_what_follows(exchange: Exchange) -> Exchange:
    """A stream without what follows its terminal event, which is lost on nobody."""
    head = () if exchange.head is None else (exchange.head,)
    return replace(exchange, steps=(*head, Chunk(0.0, _up_to_its_end(exchange)[0]), exchange.end))


@functools.lru_cache(64)
def _until_its_end(key: _Same) -> bytes:
    """A recorded stream up to its terminal event; nothing where it has none."""
    body, ended = _up_to_its_end(key.exchange)
    return body if ended else b""


def _up_to_its_end(exchange: Exchange) -> tuple[bytes, bool]:
    provider, body = find(exchange.request), bytearray()
    for event in sse.split(exchange.body):
        body += event.raw
        if provider is not None and provider.ends(event):
            return bytes(body), True
    return bytes(body), False


def _found(exchange: Exchange) -> list[tuple[str, str, str]]:
    from convo_replay.validation import responses
    from convo_replay.validation.asked import Asked

    format = getattr(find(exchange.request), "format", "")
    if not format:
        return []
    found = responses.read(exchange, Asked(exchange.request, format, [])).findings
    return [(one.rule, f"{one.path}: {one.message}", one.severity) for one in found]


_HARMLESS = frozenset(
    {
        "stream-after-end", "stream-choices-null", "stream-delta-mismatch", "stream-duplicate", "stream-unterminated",
        "stream-usage-missing",
    }
)  # fmt: skip
"""Rules of answers that cost nothing where all of the answer is there."""
_ERRORS = ("stream-error", "stream-error-unnamed", "response-error")
_WINDOWS: Mapping[str, int] = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def _decoded(exchange: Exchange, body: bytes, *, lenient: bool = False) -> bytes | None:
    """The body without its content-encoding, as far as a client gets with it; `None` where it raises instead.

    Args:
        lenient: what came before it raises.
    """
    words = (exchange.header("content-encoding") or "").lower().split(",")
    for word in reversed([word.strip() for word in words]):
        if body and word in _WINDOWS:
            reader, step = zlib.decompressobj(_WINDOWS[word]), 1 if lenient else len(body)
            came = []
            try:
                for at in range(0, len(body), step):
                    came.append(reader.decompress(body[at : at + step]))
            except zlib.error:
                if not lenient:
                    return None
            body = b"".join(came)
    return body


def _plain(head: Head) -> Head:
    return replace(head, headers=tuple([pair for pair in head.headers if pair[0] != "content-encoding"]))
