"""Whether two blocks, or two values in them, mean the same; and what is said where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.messages import Block

_THINKING = frozenset({"thinking", "redacted_thinking"})
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


def is_void(block: Block) -> bool:
    """Text that holds nothing: the API refuses it, so clients leave it out."""
    return block.get("type") == "text" and not text_of(block)


def text_of(block: Block) -> str:
    """Of a text block, without white space around it."""
    text = block.get("text")
    return text.strip() if isinstance(text, str) else ""


def family(block: Block) -> str:
    """The block's type; all that is thinking is one. Empty where it has none."""
    kind = block.get("type")
    if not isinstance(kind, str):
        return ""
    return "thinking" if kind in _THINKING else kind


def key(block: Block) -> tuple[str, str]:
    """What makes a block the same one: its id, or all that is in it."""
    kind = family(block)
    if kind == "thinking":
        parts = [wire.string(block.get(name)) for name in ("thinking", "signature", "data")]
        return kind, "\0".join(parts)
    if kind == "text":
        return kind, text_of(block)
    for name in ("id", "tool_use_id"):
        ident = block.get(name)
        if isinstance(ident, str) and ident:
            return kind, ident
    return kind, ""


def differing(mine: Block, block: Block) -> Iterator[str]:
    """The fields in which two blocks differ that are one."""
    for name in _COMPARED.get(wire.string(mine.get("type")), tuple(mine)):
        if name not in _ADDED and name in mine and not same(name, mine[name], block.get(name)):
            yield name


def said(name: str, mine: Block, block: Block) -> str:
    """What is said of a field that differs; ends "sent it …"."""
    if name == "text" and family(mine) == "text":
        return _text_differs(mine, block)
    if block.get(name) is None:
        return f"without the `{name}` of {named(mine)}"
    if block.get(name) == "":
        return f"with an empty `{name}` in {named(mine)}"
    if name == "thinking":
        return f"with another text in {named(mine)}"
    return f"with another `{name}` in {named(mine)}"


def _text_differs(mine: Block, block: Block) -> str:
    received, sent = text_of(mine), text_of(block)
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


def squeezed(blocks: Iterator[Block]) -> str:
    """The texts in a row, without white space."""
    return "".join("".join([text_of(block) for block in blocks]).split())


def is_like(mine: str, sent: str) -> bool:
    """Whether two texts are one with a change: the sent one is its beginning, or most of their words are the same."""
    if mine.startswith(sent):
        return len(sent) >= min(_ALIKE, len(mine))
    words, others = Counter(mine.split()), Counter(sent.split())
    count = words.total() + others.total()
    return 2 * (words & others).total() >= max(_MOSTLY * count, _ALIKE_WORDS)


def named(block: Block) -> str:
    """What a block is called in a message: by its id, where it has one."""
    kind = wire.string(block.get("type")) or "a block"
    ident = wire.string(block.get("id") or block.get("tool_use_id"))
    return f"`{kind[:40]}` {ident[:80]}" if ident else f"its `{kind[:40]}` block"
