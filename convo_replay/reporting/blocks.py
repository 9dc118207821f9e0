"""Messages and content blocks, of both wire formats and of none, as label, style and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convo_replay.providers import Reply, wire

OTHER = "dim"
"""The style of what is shown as JSON or by its size alone."""

Shown = tuple[str, str, str]
"""Label (empty for plain text), style, text."""


def of_message(message: Mapping[str, Any]) -> Iterator[Shown]:
    """What a message of the request says, block by block."""
    content = message.get("content")
    answers = wire.string(message.get("tool_call_id"))
    if isinstance(content, list):
        for block in content:
            yield of_block(block)
    elif content is not None or not message.get("tool_calls"):
        text = content if isinstance(content, str) else "(empty)" if content is None else wire.dump(content)
        yield (f"for {answers}" if answers else "", "", text)
    for call in map(wire.mapping, wire.items(message.get("tool_calls"))):
        function = wire.mapping(call.get("function"))
        yield _call(function.get("name"), call.get("id"), wire.string(function.get("arguments")))


def of_block(block: Any) -> Shown:
    """One content block; what is not known is shown as JSON under its type."""
    if isinstance(block, str):
        return "", "", block
    value = wire.mapping(block)
    kind = wire.string(value.get("type"))
    if kind in ("text", "input_text", "output_text") and isinstance(value.get("text"), str):
        return "", "", value["text"]
    if kind == "thinking":
        return "thinking", "dim italic", wire.string(value.get("thinking"))
    if kind.endswith("tool_use"):
        return _call(value.get("name"), value.get("id"), wire.dump(value.get("input")))
    if kind == "tool_result":
        failed = " failed" if value.get("is_error") else ""
        return f"result{failed} for {wire.string(value.get('tool_use_id'))}", "", plain(value.get("content"))
    source = wire.mapping(value.get("source"))
    if isinstance(source.get("data"), str):
        size = len(source["data"])
        return kind, OTHER, f"{wire.string(source.get('media_type'))}, {size:,} characters of base64"
    rest = {key: part for key, part in value.items() if key != "type"}
    return kind or "block", OTHER, wire.dump(rest if kind else block)


def plain(content: Any) -> str:
    """The text of a string or of a list of blocks; blocks of other types by their name."""
    if not isinstance(content, list):
        return "" if content is None else content if isinstance(content, str) else wire.dump(content)
    return "\n".join(f"[{label}] {text}" if label else text for label, _, text in map(of_block, content))


def repeats(message: Mapping[str, Any], reply: Reply) -> bool:
    """Whether an assistant message of a request says what `reply` said: same text, same tool ids."""
    content = message.get("content")
    parts = [wire.mapping(block) for block in wire.items(content)]
    texts = [wire.string(part.get("text")) for part in parts if part.get("type") == "text"]
    calls = [part for part in parts if part.get("type") == "tool_use"] + wire.items(message.get("tool_calls"))
    text = content if isinstance(content, str) else "".join(texts)
    asked = [wire.mapping(call).get("id") for call in calls]
    return bool(reply.content) and text.strip() == reply.text.strip() and asked == [use.id for use in reply.tool_uses]


def tool_name(tool: Any) -> str:
    value = wire.mapping(tool)
    named = value.get("name") or wire.mapping(value.get("function")).get("name") or value.get("type")
    return wire.string(named) or "(no name)"


def error(value: Mapping[str, Any]) -> str:
    """`overloaded_error: Overloaded`, or the whole object where it has no message."""
    message = value.get("message")
    if not isinstance(message, str):
        return wire.dump(value)
    kind = value.get("type") or value.get("code")
    return f"{kind}: {message}" if kind else message


def _call(name: Any, identifier: Any, arguments: str) -> Shown:
    return f"calls {wire.string(name)}", "bold", f"{arguments}  {wire.string(identifier)}".rstrip()
