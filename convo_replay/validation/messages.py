"""What rules ask about one message, read once per message: request *k* repeats all earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Block = dict[str, Any]
NOTHING: Block = {}
"""Stands for a block that is no object; the schema says so, and rules see a block of no type."""


@dataclass(slots=True)
class Message:
    """One message of a request's history; read-only once made.

    Attributes:
        value: as sent, whatever it is.
        role: `user`, `assistant`, `system`, `tool` …; empty where the message has none.
        blocks: the content blocks (parts) by their index; a string is one text block, and what is no
            object is an empty one.
        types: their types, empty where one has none.
        uses: `(index, id)` of the tools that an assistant asks for: `tool_use` blocks, `tool_calls`.
        results: `(index, id)` of the tools that are answered: `tool_result` blocks; `(0, tool_call_id)`
            of a `tool` message.
        thinking: indexes of `thinking` and `redacted_thinking` blocks.
        cached: how many `cache_control` stand in its blocks, at any depth.
        inside: types of the blocks inside its `tool_result` blocks.
    """

    value: Any
    role: str = ""
    blocks: list[Block] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    uses: tuple[tuple[int, str], ...] = ()
    results: tuple[tuple[int, str], ...] = ()
    thinking: tuple[int, ...] = ()
    cached: int = 0
    inside: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the content is a string."""
        return isinstance(self.value, dict) and isinstance(self.value.get("content"), str)


def anthropic(value: Any) -> Message:
    """The facts of one message of the Messages API."""
    if not isinstance(value, dict):
        return Message(value)
    role = value.get("role")
    content = value.get("content")
    made = Message(value, role if isinstance(role, str) else "")
    if isinstance(content, str):
        made.blocks, made.types = [{"type": "text", "text": content}], ["text"]
        return made
    if not isinstance(content, list):
        return made
    uses, results, thinking = [], [], []
    types, blocks = made.types, made.blocks
    for index, block in enumerate(content):
        if block.__class__ is not dict:
            types.append("")
            blocks.append(NOTHING)
            continue
        kind = block.get("type")
        if kind.__class__ is not str:
            kind = ""
        types.append(kind)
        blocks.append(block)
        if kind == "tool_use":
            uses.append((index, _text(block.get("id"))))
        elif kind == "tool_result":
            results.append((index, _text(block.get("tool_use_id"))))
            inner = block.get("content")
            if inner.__class__ is list:
                made.inside += tuple([_text(part.get("type")) for part in inner if part.__class__ is dict])
                made.cached += sum([1 for part in inner if part.__class__ is dict and part.get("cache_control")])
        elif kind == "thinking" or kind == "redacted_thinking":
            thinking.append(index)
        if block.get("cache_control"):
            made.cached += 1
    made.uses, made.results, made.thinking = tuple(uses), tuple(results), tuple(thinking)
    return made


def openai_chat(value: Any) -> Message:
    """The facts of one message of chat completions."""
    if not isinstance(value, dict):
        return Message(value)
    role = value.get("role")
    content = value.get("content")
    made = Message(value, role if isinstance(role, str) else "")
    if isinstance(content, str):
        made.blocks, made.types = [{"type": "text", "text": content}], ["text"]
    elif isinstance(content, list):
        made.blocks = [part if isinstance(part, dict) else NOTHING for part in content]
        made.types = [_text(part.get("type")) for part in made.blocks]
    calls = value.get("tool_calls")
    if isinstance(calls, list) and made.role == "assistant":
        made.uses = tuple((index, _text(call.get("id"))) for index, call in enumerate(calls) if isinstance(call, dict))
    if made.role == "tool":
        made.results = ((0, _text(value.get("tool_call_id"))),)
    return made


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
