"""An assistant turn as it was received against the one that is sent back.

Clients store a turn and send it back with every later request, and lose things on the way. Told apart are
what is lost or changed, and what SDKs add (`null` for what is absent, `cache_control`): that is no change.
A turn that is another one altogether (edited history, a second conversation with the same beginning) is no
echo, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Path
from convo_replay.validation.likeness import (
    differing,
    family,
    is_like,
    is_void,
    key,
    named,
    said,
    same,
    squeezed,
    text_of,
)
from convo_replay.validation.messages import Block, Message

_SHOWN = 3  # fields of one block that are told

Placed = tuple[Path, Block]
"""A block that is sent, with its place in the request."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        where: the place in what is sent: the changed block, or the one that stands where a block is missing.
        said: ends "sent it …": `without its text`.
        thinking: it is about a thinking block.
        gone: every thinking block is missing.
        minor: what is lost says how the block came about, not what it is: `caller`.
    """

    where: Path
    said: str
    thinking: bool = False
    gone: bool = False
    minor: bool = False


def sent_back(asked: Asked) -> list[tuple[int, list[Change], bool]]:
    """The changed ones among the new assistant turns that are echoes.

    Returns:
        Index of the turn's first message; its changes, in the order of the request; whether the turn uses tools.
    """
    if not asked.answers:
        return []
    known: list[tuple[int, list[Change], bool]] | None = asked.memo.get("sent_back")
    if known is None:
        known = asked.memo["sent_back"] = list(_sent_back(asked))
    return known


def _sent_back(asked: Asked) -> Iterator[tuple[int, list[Change], bool]]:
    answers = asked.answers
    for index, message in asked.fresh:
        if message.role != "assistant" or index not in answers:
            continue
        received = answers[index]
        if asked.format == "anthropic":
            turn = _turn(asked, index)
            blocks = [block for block in wire.items(received) if isinstance(block, dict)]
            placed = [place for at, each in turn for place in _placed(at, each)]
            tools = any(each.uses for _, each in turn)
        else:
            blocks = [block for _, block in chat_blocks(wire.mapping(received), ())]
            placed = list(chat_blocks(wire.mapping(message.value), ("messages", index)))
            tools = bool(message.uses)
        changed = changes(blocks, placed, ("messages", index))
        if changed:
            yield index, changed, tools


def changes(received: Sequence[Block], sent: Sequence[Placed], turn: Path) -> list[Change]:
    """What differs between the blocks of an answer and those that are sent for it; nothing where it is no echo."""
    try:
        if len(received) == len(sent) and all(mine == block for mine, (_, block) in _zip(received, sent)):
            return []
        return _Comparison(received, sent, turn).changes()
    except RecursionError:  # values nested deeper than they can be compared
        return []


def chat_blocks(message: Mapping[str, Any], where: Path) -> Iterator[Placed]:
    """The parts of a chat message as blocks: text, refusal, tool calls with their arguments as JSON text."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join([wire.string(wire.mapping(part).get("text")) for part in content])
    if isinstance(content, str) and content:
        yield (*where, "content"), {"type": "text", "text": content}
    if wire.string(message.get("refusal")):
        yield (*where, "refusal"), {"type": "refusal", "refusal": message["refusal"]}
    for at, call in enumerate(map(wire.mapping, wire.items(message.get("tool_calls")))):
        function = wire.mapping(call.get("function")) or wire.mapping(call.get("custom"))
        arguments = function.get("arguments", function.get("input"))
        block = {"type": "tool call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}
        yield (*where, "tool_calls", at), block


def _zip(received: Sequence[Block], sent: Sequence[Placed]) -> Iterator[tuple[Block, Placed]]:
    return zip(received, sent, strict=True)


def _turn(asked: Asked, index: int) -> list[tuple[int, Message]]:
    """The message and those of the assistant after it, up to where another answer begins."""
    turn = [(index, asked.messages[index])]
    for at in range(index + 1, len(asked.messages)):
        message = asked.messages[at]
        if message.role != "assistant" or at in asked.answers:
            break
        turn.append((at, message))
    return turn


def _placed(index: int, message: Message) -> Iterator[Placed]:
    if message.plain:
        yield ("messages", index, "content"), message.blocks[0]
        return
    for at, block in enumerate(message.blocks):
        yield ("messages", index, "content", at), block


class _Comparison:
    """Pairs the blocks of both sides: first the equal ones, then what is left, by type and in order."""

    def __init__(self, received: Sequence[Block], sent: Sequence[Placed], turn: Path) -> None:
        self.turn = turn
        self.received = [block for block in received if not is_void(block)]
        self.sent = [(where, block) for where, block in sent if not is_void(block)]
        self.pair: list[int | None] = [None] * len(self.sent)
        """Which received block each sent one is."""
        self.is_echo = False
        self.merged = False
        left = self._pair_equal()
        self._pair_rest(left)

    def changes(self) -> list[Change]:
        if not self.is_echo:
            return []
        found = [*self._altered(), *self._missing(), *self._added()]
        if not found or not any(change.thinking for change in found):
            found += self._moved()
        if self.merged:
            found.append(Change(self._first_text(), "with its texts merged or split"))
        order = {where: at for at, (where, _) in enumerate(self.sent)}
        return sorted(found, key=lambda change: order.get(change.where, -1))

    def _pair_equal(self) -> list[int]:
        """Pairs what has the same key; the indexes of the received blocks that are left."""
        known: dict[tuple[str, str], list[int]] = {}
        for at in range(len(self.received) - 1, -1, -1):
            known.setdefault(key(self.received[at]), []).append(at)
        for at, (_, block) in enumerate(self.sent):
            alike = known.get(key(block))
            if alike:
                mine = self.pair[at] = alike.pop()
                self.is_echo |= bool(key(block)[1]) or self.received[mine] == block
        return sorted(at for left in known.values() for at in left)

    def _pair_rest(self, left: list[int]) -> None:
        waiting: dict[str, list[int]] = {}
        for at in reversed(left):
            waiting.setdefault(family(self.received[at]), []).append(at)
        self._pair_texts(waiting)
        for at, (_, block) in enumerate(self.sent):
            candidates = waiting.get(family(block))
            if self.pair[at] is not None or not candidates or family(block) == "text":
                continue
            if self._are_alike(self.received[candidates[-1]], block):
                self.pair[at] = candidates.pop()

    def _pair_texts(self, waiting: dict[str, list[int]]) -> None:
        mine = waiting.get("text", [])
        open_ = [at for at, (_, block) in enumerate(self.sent) if self.pair[at] is None and family(block) == "text"]
        if not mine or not open_:
            return
        received = squeezed(self.received[at] for at in reversed(mine))
        sent = squeezed(self.sent[at][1] for at in open_)
        if received == sent and len(mine) != len(open_):
            self.is_echo = self.merged = True
            for at in open_:
                self.pair[at] = mine[-1]
            mine.clear()
            return
        for at in open_:
            if mine and (self.is_echo or is_like(text_of(self.received[mine[-1]]), text_of(self.sent[at][1]))):
                self.is_echo = True
                self.pair[at] = mine.pop()

    def _are_alike(self, mine: Block, block: Block) -> bool:
        """Whether two blocks of a family are one block with a change."""
        for name in ("input", "arguments"):
            if name in mine and mine.get("name") == block.get("name") and same(name, mine[name], block.get(name)):
                self.is_echo = True
                return True
        return "id" not in mine and "tool_use_id" not in mine

    def _altered(self) -> Iterator[Change]:
        for (where, block), at in zip(self.sent, self.pair, strict=True):
            if at is None or self.received[at] is block:
                continue
            mine = self.received[at]
            if self.merged and family(mine) == "text":
                continue
            names = list(differing(mine, block))
            if names:
                how = ", ".join([said(name, mine, block) for name in names[:_SHOWN]])
                how += f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                yield Change(where, how, thinking=family(mine) == "thinking", minor=names == ["caller"])

    def _missing(self) -> Iterator[Change]:
        paired = {at for at in self.pair if at is not None}
        thinking = [at for at, block in enumerate(self.received) if family(block) == "thinking"]
        gone = bool(thinking) and not paired.intersection(thinking)
        following = self._places_after()
        for at, block in enumerate(self.received):
            if at in paired or (self.merged and family(block) == "text"):
                continue
            is_thinking = family(block) == "thinking"
            yield Change(following[at], f"without {named(block)}", thinking=is_thinking, gone=is_thinking and gone)

    def _places_after(self) -> list[Path]:
        """For each received block the place where it would stand: of the next one that is there, or of the last."""
        here = self.sent[-1][0] if self.sent else self.turn
        place = {at: where for (where, _), at in zip(self.sent, self.pair, strict=True) if at is not None}
        found: list[Path] = []
        for at in range(len(self.received) - 1, -1, -1):
            here = place.get(at, here)
            found.append(here)
        return found[::-1]

    def _added(self) -> Iterator[Change]:
        """What nobody sent, before the turn's last block; what follows that is a turn of its own."""
        last = max((at for at, pair in enumerate(self.pair) if pair is not None), default=-1)
        has_thinking = any(family(block) == "thinking" for block in self.received)
        for at, (where, block) in enumerate(self.sent[: last + 1]):
            if self.pair[at] is None:
                is_thinking = has_thinking and family(block) == "thinking"
                yield Change(where, f"with {named(block).replace('its', 'a', 1)} added", thinking=is_thinking)

    def _moved(self) -> list[Change]:
        order = [(at, pair) for at, pair in enumerate(self.pair) if pair is not None]
        if self.merged:
            order = [(at, pair) for at, pair in order if family(self.received[pair]) != "text"]
        if _is_rising(order):
            return []
        others = [(at, pair) for at, pair in order if family(self.received[pair]) != "thinking"]
        thoughts = [(at, pair) for at, pair in order if family(self.received[pair]) == "thinking"]
        if _is_rising(others) or not _is_rising(thoughts):
            place = _fallen(thoughts) if not _is_rising(thoughts) else _out_of_place(order, thoughts)
            return [Change(self.sent[place][0], "with a thinking block moved", thinking=True)]
        return [Change(self.sent[_fallen(others)][0], "with its blocks in another order")]

    def _first_text(self) -> Path:
        return next((where for where, block in self.sent if family(block) == "text"), self.turn)


def _is_rising(order: Sequence[tuple[int, int]]) -> bool:
    return all(one[1] <= two[1] for one, two in pairwise(order))


def _fallen(order: Sequence[tuple[int, int]]) -> int:
    """Where the first block stands that comes before its place."""
    return next(two[0] for one, two in pairwise(order) if one[1] > two[1])


def _out_of_place(order: Sequence[tuple[int, int]], thoughts: Sequence[tuple[int, int]]) -> int:
    """Where the first thinking block stands that has another place among all."""
    rank = {pair: at for at, pair in enumerate(sorted(pair for _, pair in order))}
    moved = {at for place, (at, pair) in enumerate(order) if rank[pair] != place}
    return next((at for at, _ in thoughts if at in moved), thoughts[0][0])
