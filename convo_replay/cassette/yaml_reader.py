"""YAML → values, in one pass over the parser's events, with the guards in that pass.

PyYAML composes a graph of nodes recursively and then constructs objects from it; its C composer
crashes the *process* at 50,000 nested brackets, earlier in a thread. The event parser below it keeps
its state on the heap. So values are built here from events, without recursion, and a hostile file is
refused at the event that crosses a limit, before anything large exists. It is also faster than
composing, and each value knows its line.

Plain scalars mean what YAML 1.2's core schema says (and `.inf`, `.nan`): no dates, no `yes`, no merge
keys. A file of vcrpy is resolved by PyYAML's own YAML 1.1 rules, as vcrpy would.
"""

from __future__ import annotations

import base64
import functools
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import CassetteError

MAX_FILE = 256 << 20
MAX_LINE = 64 << 20
MAX_DEPTH = 200
MAX_NODES = 5_000_000

Tag = Callable[[Any], Any]
"""What a tag makes of a scalar's text, a list or a dict. `ValueError` where it cannot."""


@dataclass(slots=True)
class Document:
    """A value, and the lines (from 1) where its upper mappings have their keys."""

    value: Any
    path: str
    room: int = sys.maxsize
    """Bytes that may still be allocated for this file."""
    lines: dict[int, list[int]] = field(default_factory=dict)
    """By the identity of a collection: the line of each of its keys or items, in order."""

    def take(self, size: int, line: int | None) -> None:
        """Counts bytes about to be allocated.

        Raises:
            CassetteError: too many for a file of this size.
        """
        self.room -= size
        if self.room < 0:
            raise CassetteError(self.path, "its values take over 6 times its size and 50 MB of memory", line)

    def line(self, container: Any, key: Any) -> int | None:
        """The line of a key of a mapping, or of an item of a list, near the top of the file."""
        known = self.lines.get(id(container))
        if known is None:
            return None
        try:
            return known[key if isinstance(container, list) else list(container).index(key)]
        except (IndexError, ValueError):
            return None


def events_of(data: bytes) -> Any:
    """A parser with `get_event()`: libyaml's, or PyYAML's own where libyaml is missing."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        from yaml import SafeLoader

        return SafeLoader(data)
    return CParser(data)


def guard_bytes(data: bytes, path: str) -> None:
    """Refuses what no parser should see.

    Raises:
        CassetteError: over 256 MB, a line over 64 MB, or hundreds of directives.
    """
    if len(data) > MAX_FILE:
        raise CassetteError(path, f"{len(data):,} bytes; a cassette has at most {MAX_FILE:,} (256 MB)")
    start, line = 0, 1
    if len(data) > MAX_LINE:
        while len(data) - start > MAX_LINE:
            end = data.rfind(b"\n", start, start + MAX_LINE + 1)
            if end < 0:
                line += data.count(b"\n", 0, start)
                raise CassetteError(path, f"a line of more than {MAX_LINE:,} bytes (64 MB)", line)
            start = end + 1
    # The parser compares each directive with all before it.
    if data.startswith(b"%") + data.count(b"\n%") + data.count(b"\r%") > 20:
        raise CassetteError(path, "more than 20 directives (lines that begin with %)", 1)


def read(data: bytes, path: str, *, yaml11: bool = False, tags: Mapping[str, Tag] | None = None) -> Document:
    """The one document of a file, as JSON values (with `tags`: what these make).

    Raises:
        CassetteError: not YAML, several documents, a key twice or not a string, an unknown tag, or
            beyond a limit (design.md §4.6: depth 200, 5 million nodes with aliases expanded).
    """
    guard_bytes(data, path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise CassetteError(path, "not a text file: not UTF-8", 1)
    import yaml  # here, as most cassettes are read without

    try:
        parser = events_of(data)
        return _compose(parser, Document(None, path, room(len(data))), yaml11, tags or {})
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        reason = "not UTF-8" if "octet" in str(error.reason) or isinstance(error.character, bytes) else error.reason
        raise CassetteError(path, f"not a text file: {reason}", data.count(b"\n", 0, position) + 1) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise CassetteError(path, f"not YAML: {reason}", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CassetteError(path, f"not YAML: {error}") from None


_REMEMBERED = 10_000  # short texts that are kept once
_STEP = 1 << 20
_LINED = 5  # down to the keys of a body: file, exchanges, exchange, request, json


class _Frame:
    """A collection that is still open."""

    __slots__ = ("anchor", "before", "height", "key", "line", "lines", "made", "tag", "waits_for_key")

    def __init__(self, made: Any, tag: str | None, anchor: str | None, before: int, line: int) -> None:
        self.made = made
        self.tag = tag
        self.anchor = anchor
        self.before = before
        self.line = line
        self.height = 0
        self.key: Any = None
        self.lines: list[int] | None = None
        self.waits_for_key = True


def room(size: int) -> int:
    """Bytes that the values of a file of `size` bytes may take."""
    # The promise is 6 times the file and 50 MB. The bytes of the file and the parser's buffers are in it.
    return 4 * size + (40 << 20)


def _compose(parser: Any, document: Document, yaml11: bool, tags: Mapping[str, Tag]) -> Document:
    import yaml

    path = document.path
    anchors: dict[str, tuple[Any, int, int]] = {}  # value, nodes in it with aliases expanded, height
    strings: dict[str, str] = {}
    plain: dict[str, Any] = {}
    meaning = _resolve_yaml11 if yaml11 else resolve
    stack: list[_Frame] = []
    nodes = 0
    documents = 0
    taken = 0  # bytes, counted in steps
    get_event = parser.get_event
    getsizeof = sys.getsizeof
    ScalarEvent, AliasEvent = yaml.ScalarEvent, yaml.AliasEvent
    while True:
        event = get_event()
        kind = type(event)
        height = started = 0
        if kind is ScalarEvent:
            nodes += 1
            text: str = event.value
            tag = event.tag
            if tag is not None and tag not in ("!", _STR):
                value = _tagged(event.tag, text, tags, path, event.start_mark.line + 1)
            elif event.implicit[0]:
                if text in plain:
                    value = plain[text]
                else:
                    try:
                        value = meaning(text)
                    except ValueError as error:
                        raise CassetteError(path, str(error), event.start_mark.line + 1) from None
                    taken += getsizeof(value)
                    if len(plain) < _REMEMBERED:
                        plain[text] = value
            elif len(text) < 64:
                value = strings.get(text)
                if value is None:
                    value = text
                    taken += getsizeof(value)
                    if len(strings) < _REMEMBERED:
                        strings[text] = text
            else:
                value = text
                taken += getsizeof(value)
            if event.anchor is not None:
                anchors[event.anchor] = (value, 1, 0)
                taken += 300
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            nodes += 1
            line = event.start_mark.line + 1
            if len(stack) >= MAX_DEPTH:
                raise CassetteError(path, f"nested deeper than {MAX_DEPTH} levels", line)
            made: Any = {} if kind is yaml.MappingStartEvent else []
            tag = None if event.tag in (None, "!", _MAP, _SEQ) else event.tag
            if tag is not None and tag not in tags:
                _tagged(tag, "", tags, path, line)
            anchors.pop(event.anchor, None)  # an alias inside must not reach an older namesake
            frame = _Frame(made, tag, event.anchor, nodes - 1, line)
            if len(stack) < _LINED:
                frame.lines = document.lines[id(made)] = []
                taken += 150
            stack.append(frame)
            continue
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            frame = stack.pop()
            value, height, started = frame.made, frame.height + 1, frame.line
            taken += getsizeof(value) + 16
            if frame.tag is not None:
                value = _tagged(frame.tag, value, tags, path, frame.line)
            if frame.anchor is not None:
                anchors[frame.anchor] = (value, nodes - frame.before, height)
        elif kind is AliasEvent:
            line = event.start_mark.line + 1
            if event.anchor not in anchors:
                raise CassetteError(path, f"an alias of nothing: *{event.anchor}", line)
            value, inside, height = anchors[event.anchor]
            nodes += inside
            if len(stack) + height > MAX_DEPTH:
                raise CassetteError(path, f"nested deeper than {MAX_DEPTH} levels by aliases", line)
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise CassetteError(path, "a second document begins; a cassette is one", event.start_mark.line + 1)
            continue
        elif event is None or kind is yaml.StreamEndEvent:
            if not documents:
                raise CassetteError(path, "the file is empty")
            return document
        else:
            continue
        if nodes > MAX_NODES:
            raise CassetteError(path, f"more than {MAX_NODES:,} values (aliases expanded)", event.start_mark.line + 1)
        if taken > _STEP:
            document.take(taken, event.start_mark.line + 1)
            taken = 0
        if not stack:
            document.value = value
            continue
        parent = stack[-1]
        made = parent.made
        if height > parent.height:
            parent.height = height
        if type(made) is list:
            if parent.lines is not None:
                parent.lines.append(started or event.start_mark.line + 1)
                taken += 60
            made.append(value)
        elif parent.waits_for_key:
            if type(value) is not str and not (yaml11 and isinstance(value, (int, float, bool, type(None)))):
                raise CassetteError(path, "a key that is no string; put it in quotes", event.start_mark.line + 1)
            if value in made:
                reason = f"the key {_short(value)} occurs twice in one mapping"
                raise CassetteError(path, reason, event.start_mark.line + 1)
            parent.key = value
            parent.waits_for_key = False
            made[value] = None
            if len(made) > 1000:
                taken += 100  # a large mapping is copied each time it grows
            if parent.lines is not None:
                parent.lines.append(event.start_mark.line + 1)
        else:
            made[parent.key] = value
            parent.waits_for_key = True


_CORE = "tag:yaml.org,2002:"
_STR, _MAP, _SEQ = _CORE + "str", _CORE + "map", _CORE + "seq"


def _tagged(tag: str, value: Any, tags: Mapping[str, Tag], path: str, line: int) -> Any:
    make = tags.get(tag) or _CORE_TAGS.get(tag)
    if make is None:
        shown = tag.replace(_CORE, "!!")
        raise CassetteError(path, f"the tag {_short(shown)} is not read: a cassette holds plain values only", line)
    try:
        return make(value)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise CassetteError(path, f"{_short(tag.replace(_CORE, '!!'))} does not fit its value: {error}", line) from None


def _short(value: object) -> str:
    from convo_replay.shown import quoted

    text = quoted(repr(value))  # before it is cut: half a key is one that nothing recognizes
    return text if len(text) <= 80 else text[:77] + "…"


_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    ".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


def resolve(text: str) -> Any:
    """What a plain scalar means by YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "0123456789+-.":
        if _INT.match(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.match(text):
            return float(text)
    return text


@functools.cache
def _yaml11() -> Any:
    import yaml

    return yaml.SafeLoader(""), yaml.ScalarNode


def _resolve_yaml11(text: str) -> Any:
    return _resolved_yaml11(text) if len(text) < 64 else _resolved_yaml11.__wrapped__(text)


@functools.lru_cache(_REMEMBERED)
def _resolved_yaml11(text: str) -> Any:
    loader, ScalarNode = _yaml11()
    tag = loader.resolve(ScalarNode, text, (True, False))
    if tag in (_STR, _CORE + "value", _CORE + "merge", _CORE + "timestamp"):
        return text
    return loader.yaml_constructors[tag](loader, ScalarNode(tag, text))


_CORE_TAGS: dict[str, Tag] = {
    _STR: str,
    _CORE + "null": lambda _: None,
    _CORE + "bool": lambda text: {"true": True, "false": False}[str(text).lower()],
    _CORE + "int": int,
    _CORE + "float": float,
}


def binary(value: Any) -> bytes:
    """The bytes of a `!!binary` scalar.

    Raises:
        ValueError: not base64.
    """
    return base64.b64decode("".join(str(value).split()), validate=True)
