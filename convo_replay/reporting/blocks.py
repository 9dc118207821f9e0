"""Messages and content blocks, of both wire formats and of none, as what a person is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from convo_replay.providers import Reply, wire
from convo_replay.redaction.opaque import is_opaque
from convo_replay.reporting.printable import one_line

_THINKING_SHOWN = 60
_KEPT_BACK = "(kept back by the API)"
_MEDIA = {kind: kind for kind in ("image", "document", "file")} | {"image_url": "image", "input_audio": "audio"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One block.

    Attributes:
        kind: what it is; `other` is a block whose type is not known here.
        label: the name of the tool, or the block's type; empty for plain text and results.
        text: what it says; for a call the JSON of its input.
        id: of the tool call that it is, or that it answers.
        value: of a call or of an unknown block, what `text` is the JSON of.
        failed: a tool result that is an error.
    """

    kind: Literal["text", "thinking", "call", "result", "media", "other"]
    label: str = ""
    text: str = ""
    id: str = ""
    value: Any = None
    failed: bool = False


def of_message(message: Mapping[str, Any]) -> Iterator[Shown]:
    """What a message of the request says, block by block."""
    content = message.get("content")
    answers = wire.string(message.get("tool_call_id"))
    if answers:
        yield Shown("result", text=plain(content), id=answers)
    elif isinstance(content, list):
        yield from map(of_block, content)
    elif content or (content is not None and not message.get("tool_calls")):
        yield Shown("text", text=content if isinstance(content, str) else wire.dump(content))
    elif not message.get("tool_calls"):
        rest = {key: part for key, part in message.items() if key not in ("role", "content")}
        yield of_block(rest) if rest and "content" not in message else Shown("text")  # Gemini's, Responses'
    for call in map(wire.mapping, wire.items(message.get("tool_calls"))):
        function = _described(call)
        given = function.get("arguments", function.get("input"))
        yield _call(function.get("name"), call.get("id"), wire.parse(given) if isinstance(given, str) else given, given)


def of_block(block: Any) -> Shown:
    """One content block; what is not known is shown as JSON under its type."""
    if isinstance(block, str):
        return Shown("text", text=block)
    value = wire.mapping(block)
    kind, identifier = wire.string(value.get("type")), wire.string(value.get("tool_use_id"))
    if kind in ("text", "input_text", "output_text") and isinstance(value.get("text"), str):
        return Shown("text", text=value["text"])
    if kind == "thinking":
        return Shown("thinking", "thinking", wire.string(value.get("thinking")))
    if kind == "redacted_thinking":
        return Shown("thinking", "redacted thinking")
    if kind.endswith("tool_use"):
        return _call(value.get("name"), value.get("id"), value.get("input"))
    if kind == "tool_result":
        return Shown("result", text=plain(value.get("content")), id=identifier, failed=value.get("is_error") is True)
    if kind in _MEDIA and (media := _media(value)):
        return Shown("media", _MEDIA[kind], media)
    rest = {key: part for key, part in value.items() if key not in ("type", "tool_use_id")} if value else block
    if kind and rest.keys() == {kind} and isinstance(rest[kind], str):
        return Shown("text", kind, rest[kind])  # chat's refusal
    rest = readable(rest)
    return Shown("other", kind or "block", wire.dump(rest), identifier, rest)


def plain(content: Any) -> str:
    """The text of a string or of a list of blocks; blocks of other types by their name."""
    if not isinstance(content, list):
        return "" if content is None else content if isinstance(content, str) else wire.dump(content)
    shown = map(of_block, content)
    return "\n".join(f"[{one.label}] {one.text}" if one.label else one.text for one in shown)


def folded(thinking: str) -> str:
    """The beginning of a thinking text, on one line, and how long it is."""
    if len(thinking) <= _THINKING_SHOWN and "\n" not in thinking:
        return thinking or _KEPT_BACK
    return f"{one_line(thinking, _THINKING_SHOWN)}  ({len(thinking):,} characters)"


def readable(value: Any) -> Any:
    """A JSON value without signatures and what else only the provider can read, and without cache marks."""
    if isinstance(value, dict):
        return {
            key: "…" if isinstance(part, str) and is_opaque(key, part, value) else readable(part)
            for key, part in value.items()
            if key != "cache_control"
        }
    return [readable(part) for part in value] if isinstance(value, list) else value


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
    value = _described(tool)
    return wire.string(value.get("name")) or wire.string(value.get("type")) or "(no name)"


def signature(tool: Any) -> str:
    """`get_weather(city, unit?)`: a tool's name and parameters; `?` marks one that may be left out."""
    described = _described(tool)
    schema = wire.mapping(described.get("input_schema")) or wire.mapping(described.get("parameters"))
    required = wire.items(schema.get("required"))
    names = [name if name in required else f"{name}?" for name in wire.mapping(schema.get("properties"))]
    return tool_name(tool) + (f"({', '.join(names)})" if schema else "")


def _described(tool: Any) -> dict[str, Any]:
    """What chat completions wrap in `function` or `custom`."""
    value = wire.mapping(tool)
    return wire.mapping(value.get("function")) or wire.mapping(value.get("custom")) or value


def error(value: Mapping[str, Any]) -> str:
    """`overloaded_error: Overloaded`, or the whole object where it has no message."""
    message = value.get("message")
    if not isinstance(message, str):
        return wire.dump(value)
    kind = value.get("type") or value.get("code")
    return f"{kind}: {message}" if kind else message


def _call(name: Any, identifier: Any, value: Any, raw: Any = None) -> Shown:
    text = raw if isinstance(raw, str) else wire.dump(value)
    return Shown("call", wire.string(name), text, wire.string(identifier), value)


def _media(block: Mapping[str, Any]) -> str:
    """Media type and size, or where it lies: Messages' `source`, chat's `image_url`, `input_audio` and `file`."""
    source = wire.mapping(block.get("source")) or wire.mapping(block.get(wire.string(block.get("type"))))
    data = next((found for key in ("data", "file_data") if (found := wire.string(source.get(key)))), "")
    if wire.string(source.get("url")).startswith("data:"):
        data = source["url"]
    kind = wire.string(source.get("media_type")) or wire.string(source.get("format"))
    if data.startswith("data:"):
        head, _, data = data.removeprefix("data:").partition(",")
        kind = head.partition(";")[0]
    if not data:
        return wire.string(source.get("url")) or wire.string(source.get("file_id"))
    if source.get("type") == "text":
        return f"{kind}, {len(data):,} characters"
    return f"{kind}, {len(data) * 3 // 4 - data[-2:].count('='):,} bytes"
