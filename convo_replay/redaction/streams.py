"""Streams: a value that arrives in pieces is one value.

Text, thinking, tool arguments and signatures come as deltas over many events. Pieces of one value are
those with the same *address*: the path to the field, with the indexes that events carry (`index`,
`output_index` …) in place of positions, and the event's type. One rule serves Anthropic, OpenAI chat
and Responses, Gemini and what gateways make of them. Findings are made in the joined value and written
back: the placeholder goes whole into the first piece touched, the rest leaves the following ones, so
the number of events and their framing stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from convo_replay.redaction import naming
from convo_replay.redaction.opaque import FIELDS as OPAQUE_FIELDS

# Fields that accumulate wherever they stand; directly under `delta` every string does but the fixed ones.
_ACCUMULATING = OPAQUE_FIELDS | {
    "text", "thinking", "partial_json", "content", "refusal", "reasoning", "reasoning_content", "arguments",
    "delta", "transcript", "input", "response", "summary", "completion", "generation", "outputText", "tool_plan",
    # OpenAI's assistants (`delta.content[].text.value`) and patches of JSON, Dify, the Vercel SDK, MCP's progress.
    "value", "answer", "textDelta", "inputTextDelta", "argsTextDelta", "chunk", "output_text", "message",
}  # fmt: skip
_FIXED = frozenset({
    "type", "id", "role", "name", "stop_reason", "stop_sequence", "finish_reason", "object", "phase", "status",
})  # fmt: skip
_INDEXES = ("index", "output_index", "content_index", "summary_index", "choice_index")
# A block may begin with text of its own: its deltas continue it.
_SAME = {"content_block_start": "content_block_delta"}

Address = tuple[Any, ...]
Span = tuple[int, int, str]
"""(start, end, replacement)."""


class Piece(NamedTuple):
    """A string in an event that is part of a value: `owner[field] == text`."""

    address: Address
    owner: dict[str, Any]
    field: str
    text: str

    def __repr__(self) -> str:
        return f"<Piece {self.field}: {len(self.text)} characters>"


class Survey:
    """What one event's JSON value holds: pieces of values, and strings that stand for themselves."""

    __slots__ = ("fields", "named", "pieces", "texts")

    def __init__(self, value: Any, kind: str = "") -> None:
        """`kind`: the event's type, where the value does not say it."""
        self.pieces: list[Piece] = []
        self.texts: set[str] = set()
        self.fields: set[str] = set()
        self.named: list[tuple[str, str]] = []
        """(field, text) where the field says that it holds a credential."""
        if isinstance(value, dict):
            self._object(value, root(value, kind), "")
        elif isinstance(value, list):
            self._list(value, (None,), "")

    def _object(self, value: dict[str, Any], path: Address, under: str) -> None:
        here = indexed(value, path)
        for key, item in value.items():
            if isinstance(item, str):
                if key in _ACCUMULATING or (under == "delta" and key not in _FIXED):
                    self.pieces.append(Piece((*here, key), value, key, item))
                    continue
                self.texts.add(item)
                if len(item) >= naming.LEAST and naming.says(value, key):
                    self.named.append((key, item))
            elif isinstance(item, dict):
                step = "delta" if key == "content_block" else key
                self._object(item, (*here, step), step)
            elif isinstance(item, list):
                self._list(item, (*here, key), key)
        self.fields.update(value)

    def _list(self, value: list[Any], path: Address, under: str) -> None:
        for position, element in enumerate(value):
            if isinstance(element, str):
                self.texts.add(element)
            elif isinstance(element, dict):
                numbered = isinstance(element.get("index"), int)
                self._object(element, (*path, None if numbered else position), under)
            elif isinstance(element, list):
                self._list(element, (*path, position), under)


def root(value: dict[str, Any], kind: str = "") -> Address:
    """How the addresses in an event begin: with its type."""
    said = value.get("type", kind)
    begin: Address = (_SAME.get(said, said) if isinstance(said, str) else None,)
    if "item_id" in value and "output_index" not in value:
        begin += (str(value["item_id"]),)
    return begin


def indexed(value: dict[str, Any], path: Address) -> Address:
    """The address of an object: the path to it, and what it says itself of its place."""
    for name in _INDEXES:
        if name in value and isinstance(value[name], int):
            path += (name, value[name])
    if value.get("thought") is True:  # Gemini: thoughts and answers stand at one place
        path += ("thought",)
    if "contentBlockIndex" in value and isinstance(value.get("delta"), dict) and "toolUse" in value["delta"]:
        # Bedrock. Some models count a block for each delta of a text, so only tools are told apart.
        path += (str(value["contentBlockIndex"]),)
    return path


def write_back(texts: Sequence[str], spans: Callable[[str], Sequence[Span]]) -> list[str]:
    """`texts`, the pieces of one value, redacted as that value is.

    `spans` gives what is to be replaced in the joined value, in order and apart from each other; it is
    asked again until it finds nothing, as for a value in one piece.
    """
    current = list(texts)
    for _ in range(4):
        found = _spans("".join(current), spans)
        if not found:
            break
        current = _replaced(current, found)
    return current


_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def _spans(text: str, spans: Callable[[str], Sequence[Span]]) -> Sequence[Span]:
    """What is found in a joined value; a character whose halves came in two pieces is one character."""
    if text.isascii() or not _PAIR.search(text):
        return spans(text)
    whole = _PAIR.sub(lambda match: match[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    at, starts = 0, []
    for match in re.finditer(f"{_PAIR.pattern}|.", text, re.DOTALL):
        starts.append(at)
        at = match.end()
    starts.append(at)
    return [(starts[start], starts[end], replacement) for start, end, replacement in spans(whole)]


def _replaced(texts: Sequence[str], found: Sequence[Span]) -> list[str]:
    made = []
    start, first = 0, 0
    for text in texts:
        end = start + len(text)
        while first < len(found) and found[first][1] <= start:
            first += 1
        if first == len(found) or found[first][0] >= end:
            made.append(text)
            start = end
            continue
        parts, at = [], start
        for number in range(first, len(found)):
            begin, stop, replacement = found[number]
            if begin >= end:
                break
            if begin >= start:
                parts += [text[at - start : begin - start], replacement]
            at = min(stop, end)
        parts.append(text[at - start :])
        made.append("".join(parts))
        start = end
    return made


_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_BOM = b"\xef\xbb\xbf"


def lines(raw: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """An event's lines as (prefix, content, terminator); `prefix` is `data: ` as it was spelled, or empty."""
    found = []
    for match in _LINE.finditer(raw):
        line, end = match[1], match[2]
        if not line and not end:
            continue
        mark = _BOM if line.startswith(_BOM) else b""
        if line.startswith(mark + b"data:"):
            cut = len(mark) + (6 if line.startswith(mark + b"data: ") else 5)
            found.append((line[:cut], line[cut:], end))
        else:
            found.append((b"", line, end))
    return found


def with_data(raw: bytes, data: str) -> bytes:
    """The event with other data in its data lines; surplus text lines repeat the last data line's spelling."""
    values = data.encode("utf-8", "surrogatepass").split(b"\n")
    given = lines(raw)
    count = sum(1 for prefix, _, _ in given if prefix)
    made, seen = [], 0
    for prefix, content, end in given:
        if not prefix:
            made.append(content + end)
            continue
        seen += 1
        for value in values[seen - 1 : seen] if seen < count else values[seen - 1 :] or [b""]:
            made.append(prefix + value + end)
    return b"".join(made)
