"""An assistant turn as it was received against the one that is sent back.

Clients store a turn and send it back with every later request, and lose things on the way. Told apart are
what is lost or changed, and what SDKs add (`null` for what is absent, `cache_control`): that is no change.
A turn that is another one altogether (edited history, a second conversation with the same beginning) is no
echo, and nothing is said of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Path
from convo_replay.validation.messages import Block, Message

Placed = tuple[Path, Block]
"""A block that is sent, with its place in the request."""

THINKING = frozenset({"thinking", "redacted_thinking"})
_ALIKE = 12  # characters of a text's beginning that are enough to know it by
_MOSTLY, _ALIKE_WORDS = 0.6, 6  # of the words of two texts that are one with a change
_DEPTH = 100
_ADDED = frozenset({"cache_control"})
"""Fields that clients may add or drop as they like."""
_MADE_UP = ("id", "tool_use_id")
"""Fields that a client fills where the answer has none: some gateways send no ids."""
_OBSERVED = ("\nObservation:", "Observation:")
"""What clients of the ReAct format write behind the model's text, in the same message."""
_COMPARED: Mapping[str, tuple[str, ...]] = {
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}


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


def sent_back(asked: Asked) -> Iterator[tuple[int, list[Change], bool]]:
    """The changed ones among the new assistant turns that are echoes.

    Yields:
        Index of the turn's first message; its changes, in the order of the request; whether the turn uses tools.
    """
    answers = asked.answers
    if not answers:
        return
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
        self.received = [block for block in received if not _is_void(block)]
        self.sent = [(where, block) for where, block in sent if not _is_void(block)]
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
            known.setdefault(_key(self.received[at]), []).append(at)
        for at, (_, block) in enumerate(self.sent):
            same = known.get(_key(block))
            if same:
                mine = self.pair[at] = same.pop()
                self.is_echo |= bool(_key(block)[1]) or self.received[mine] == block
        return sorted(at for left in known.values() for at in left)

    def _pair_rest(self, left: list[int]) -> None:
        waiting: dict[str, list[int]] = {}
        for at in reversed(left):
            waiting.setdefault(_family(self.received[at]), []).append(at)
        self._pair_texts(waiting)
        for at, (_, block) in enumerate(self.sent):
            family = _family(block)
            candidates = waiting.get(family)
            if self.pair[at] is not None or not candidates or family == "text":
                continue
            if self._are_alike(self.received[candidates[-1]], block):
                self.pair[at] = candidates.pop()

    def _pair_texts(self, waiting: dict[str, list[int]]) -> None:
        mine = waiting.get("text", [])
        open_ = [at for at, (_, block) in enumerate(self.sent) if self.pair[at] is None and _family(block) == "text"]
        if not mine or not open_:
            return
        received = _squeezed(self.received[at] for at in reversed(mine))
        sent = _squeezed(self.sent[at][1] for at in open_)
        if received == sent and len(mine) != len(open_):
            self.is_echo = self.merged = True
            for at in open_:
                self.pair[at] = mine[-1]
            mine.clear()
            return
        for at in open_:
            if mine and (self.is_echo or _is_like(_text(self.received[mine[-1]]), _text(self.sent[at][1]))):
                self.is_echo = True
                self.pair[at] = mine.pop()

    def _are_alike(self, mine: Block, block: Block) -> bool:
        """Whether two blocks of a family are one block with a change."""
        if _family(mine) == "thinking":
            return True
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
            if self.merged and _family(mine) == "text":
                continue
            names = list(_differing(mine, block))
            if names:
                said = ", ".join([_said(name, mine, block) for name in names])
                yield Change(where, said, thinking=_family(mine) == "thinking", minor=names == ["caller"])

    def _missing(self) -> Iterator[Change]:
        paired = {at for at in self.pair if at is not None}
        thinking = [at for at, block in enumerate(self.received) if _family(block) == "thinking"]
        gone = bool(thinking) and not paired.intersection(thinking)
        following = self._places_after()
        for at, block in enumerate(self.received):
            if at in paired or (self.merged and _family(block) == "text"):
                continue
            is_thinking = _family(block) == "thinking"
            yield Change(following[at], f"without {_named(block)}", thinking=is_thinking, gone=is_thinking and gone)

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
        has_thinking = any(_family(block) == "thinking" for block in self.received)
        for at, (where, block) in enumerate(self.sent[: last + 1]):
            if self.pair[at] is None:
                is_thinking = has_thinking and _family(block) == "thinking"
                yield Change(where, f"with {_named(block).replace('its', 'a', 1)} added", thinking=is_thinking)

    def _moved(self) -> list[Change]:
        order = [(at, pair) for at, pair in enumerate(self.pair) if pair is not None]
        if self.merged:
            order = [(at, pair) for at, pair in order if _family(self.received[pair]) != "text"]
        if _is_rising(order):
            return []
        others = [(at, pair) for at, pair in order if _family(self.received[pair]) != "thinking"]
        thoughts = [(at, pair) for at, pair in order if _family(self.received[pair]) == "thinking"]
        if _is_rising(others) or not _is_rising(thoughts):
            place = _fallen(thoughts) if not _is_rising(thoughts) else _out_of_place(order, thoughts)
            return [Change(self.sent[place][0], "with a thinking block moved", thinking=True)]
        return [Change(self.sent[_fallen(others)][0], "with its blocks in another order")]

    def _first_text(self) -> Path:
        return next((where for where, block in self.sent if _family(block) == "text"), self.turn)


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


def _is_void(block: Block) -> bool:
    """Text that holds nothing: the API refuses it, so clients leave it out."""
    return block.get("type") == "text" and not _text(block)


def _text(block: Block) -> str:
    text = block.get("text")
    return text.strip() if isinstance(text, str) else ""


def _family(block: Block) -> str:
    kind = block.get("type")
    if not isinstance(kind, str):
        return ""
    return "thinking" if kind in THINKING else kind


def _key(block: Block) -> tuple[str, str]:
    """What makes a block the same one: its id, or all that is in it."""
    family = _family(block)
    if family == "thinking":
        parts = [wire.string(block.get(name)) for name in ("thinking", "signature", "data")]
        return family, "\0".join(parts)
    if family == "text":
        return family, _text(block)
    for name in ("id", "tool_use_id"):
        ident = block.get(name)
        if isinstance(ident, str) and ident:
            return family, ident
    return family, ""


def _differing(mine: Block, block: Block) -> Iterator[str]:
    """The fields in which two blocks differ that are one."""
    for name in _COMPARED.get(wire.string(mine.get("type")), tuple(mine)):
        if name not in _ADDED and name in mine and not same(name, mine[name], block.get(name)):
            yield name


def _said(name: str, mine: Block, block: Block) -> str:
    if name == "text" and _family(mine) == "text":
        return _text_differs(mine, block)
    if block.get(name) is None:
        return f"without the `{name}` of {_named(mine)}"
    if name == "thinking":
        return f"with another text in {_named(mine)}"
    return f"with another `{name}` in {_named(mine)}"


def _text_differs(mine: Block, block: Block) -> str:
    received, sent = _text(mine), _text(block)
    if sent.startswith(received):
        return f"with {len(sent) - len(received)} characters added to its text"
    if received.startswith(sent):
        return f"with its text cut to {len(sent)} of {len(received)} characters"
    return "with another text"


def same(name: str, mine: Any, sent: Any) -> bool:
    """Whether two values mean the same: absent is null, empty is absent, JSON text is what it says."""
    if mine is sent or not (mine or sent or name == "text"):
        return True
    try:
        if mine == sent:
            return True
        if name == "text" and isinstance(mine, str) and isinstance(sent, str):
            mine, sent = mine.strip(), sent.strip()
            return bool(mine == sent) or (
                sent.startswith(mine) and sent[len(mine) :].lstrip(" `").startswith(_OBSERVED)
            )
        if not mine and name in _MADE_UP:
            return True
        if name == "arguments" and isinstance(mine, str) and isinstance(sent, str):
            mine, sent = wire.parse(mine or "{}"), wire.parse(sent or "{}")
            return mine is not None and bool(mine == sent)
        if isinstance(mine, dict | list) and isinstance(sent, dict | list):
            return bool(_pruned(mine) == _pruned(sent))
    except RecursionError:
        return True
    return False


def _pruned(value: Any, depth: int = _DEPTH) -> Any:
    """A value without its nulls and without what clients may add."""
    if depth and isinstance(value, dict):
        kept = {key: part for key, part in value.items() if part is not None and key not in _ADDED}
        return {key: _pruned(part, depth - 1) for key, part in kept.items()}
    if depth and isinstance(value, list):
        return [_pruned(part, depth - 1) for part in value]
    return value


def _squeezed(blocks: Iterator[Block]) -> str:
    """The texts in a row, without white space."""
    return "".join("".join([_text(block) for block in blocks]).split())


def _is_like(mine: str, sent: str) -> bool:
    """Whether two texts are one with a change: the sent one is its beginning, or most of their words are the same."""
    if mine.startswith(sent):
        return len(sent) >= min(_ALIKE, len(mine))
    words, others = Counter(mine.split()), Counter(sent.split())
    count = words.total() + others.total()
    return 2 * (words & others).total() >= max(_MOSTLY * count, _ALIKE_WORDS)


def _named(block: Block) -> str:
    kind = wire.string(block.get("type")) or "a block"
    ident = wire.string(block.get("id") or block.get("tool_use_id"))
    return f"`{kind[:40]}` {ident[:80]}" if ident else f"its `{kind[:40]}` block"
