"""Where the values of a YAML or JSON file stand in its text, and editing them there.

A file that people edit by hand has comments, an order, a layout; writing it anew from its value loses them. So a
changed value is written at its place: the characters of a scalar that change, in the style it is written in, and
nothing around them. What is asked for is verified by reading the result again (fixing.py), so a scalar that is
understood here wrongly costs a refusal, never a file.

Composing is recursive in C: a text comes here only after `yaml_reader` or `vcrpy` read it within their limits.
"""

from __future__ import annotations

import functools
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

Path = tuple[Any, ...]
"""Keys and positions from the root of the file's value to a value in it."""
Edit = tuple[int, int, str]
"""(start, end, text): `text` takes the place of the characters from start to end."""


class Tree:
    """A text with the places of its values. Offsets count characters of `text`, lines count from 1."""

    def __init__(self, text: str, *, is_json: bool) -> None:
        self.text = text
        self.is_json = is_json
        self._contents: dict[int, list[int] | None] = {}
        self._known: dict[Path, tuple[yaml.Node | None, yaml.Node | None]] = {}
        self._entries: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}

    @cached_property
    def root(self) -> yaml.Node | None:
        """The file's node, `None` where the text cannot be composed."""
        import yaml

        try:
            if self.is_json:
                return _composed(self.text)
            node: yaml.Node | None = _places()(self.text).get_single_node()
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
        return node

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *[match.end() for match in re.finditer("\n", self.text)]]

    def line(self, offset: int) -> int:
        """The line of a character."""
        return bisect_right(self._line_starts, offset)

    def node(self, path: Path) -> yaml.Node | None:
        """The node at a path; `None` where the value there was made of something else."""
        return self._at(path)[0]

    def nearest(self, path: Path) -> int:
        """The offset of the value at a path, or of what is nearest above it."""
        at = self._at(path)[1]
        return int(at.start_mark.index) if at is not None else 0

    def _at(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None]:
        """The node at a path, and where it begins: at its key, where it has one; or what is nearest above it."""
        known = self._known.get(path)
        if known is None:
            if not path:
                known = self.root, self.root
            else:
                node, at = self._at(path[:-1])
                entry = self._entry(node, path[-1]) if node is not None else None
                node = entry[1] if entry is not None else None if node is None else self._below(node, path[-1])
                known = node, at if node is None else entry[0] if entry is not None else node
            self._known[path] = known
        return known

    def _entry(self, node: yaml.Node, step: Any) -> tuple[yaml.Node, yaml.Node] | None:
        if not _is_mapping(node):
            return None
        known = self._entries.get(id(node))
        if known is None:
            known = self._entries[id(node)] = {}
            for key, value in node.value:
                name = _name(key)
                if name is not None:
                    known.setdefault(name, (key, value))
        return known.get(str(step))

    def _below(self, node: yaml.Node, step: Any) -> yaml.Node | None:
        if kind(node) == "sequence" and isinstance(step, int) and 0 <= step < len(node.value):
            below: yaml.Node = node.value[step]
            return below
        return None

    def content(self, node: yaml.Node) -> list[int] | None:
        """For each character of a scalar's value, and for its end, the offset in the text; `None` if unknown.

        -1 where the text has no place of its own for a character: one of several line feeds that were folded.
        """
        key = id(node)
        if key not in self._contents:
            self._contents[key] = self._content(node)
        return self._contents[key]

    def _content(self, node: yaml.Node) -> list[int] | None:
        import yaml

        if not isinstance(node, yaml.ScalarNode):
            return None
        start, end = node.start_mark.index, node.end_mark.index
        source = self.text[start:end]
        skipped = re.match(r"(?:[!&]\S*\s+)*", source)
        start += skipped.end() if skipped else 0
        if node.style == '"':
            units = _double_quoted(self.text, start + 1, end - 1)
        elif node.style == "'":
            units = _flowing(self.text, start + 1, end - 1, quoted=True)
        elif node.style == "|":
            units = _literal(self.text, start, end)
        elif node.style in (None, ""):
            units = _flowing(self.text, start, end, quoted=False)
        else:
            return None
        places: list[int] = []
        made: list[str] = []
        last = start
        for chars, at, after in units:
            made.append(chars)
            if after - at == len(chars):
                places += range(at, after)
            elif chars:
                places += [at, *[-1] * (len(chars) - 1)]
            last = after
        value = "".join(made)
        if node.style == "|" and value.rstrip("\n") == node.value.rstrip("\n"):
            # A chomped end has no place of its own.
            stem = len(value.rstrip("\n"))
            places = places[: stem + 1] if len(places) > stem else [*places, last]
            return places + [-1] * (len(node.value) + 1 - len(places))
        return [*places, last] if value == node.value else None

    def edits(self, node: yaml.Node, changes: Sequence[Edit], value: str) -> list[Edit]:
        """The edits of the text that make a scalar's value `value`, which `changes` make of the one it has."""
        places = self.content(node)
        if places is not None:
            made = [self._edit(node, places, change) for change in changes]
            if None not in made:
                return [edit for edit in made if edit is not None]
        return [self.whole(node, value)]

    def whole(self, node: yaml.Node, value: str) -> Edit:
        """A scalar written anew, in double quotes."""
        start, end = node.start_mark.index, node.end_mark.index
        written = json.dumps(value) if self.is_json else quoted(value)
        block_end = re.search(r"\r?\n\Z", self.text[start:end])
        return start, end, written + block_end[0] if block_end else written

    def _edit(self, node: yaml.Node, places: Sequence[int], change: Edit) -> Edit | None:
        start, end, text = change
        style = getattr(node, "style", None)
        if _SIMPLE.fullmatch(text) is None:
            if style != '"':
                return None
            text = (json.dumps(text) if self.is_json else quoted(text))[1:-1]
        if style in (None, "") and (not text or text[0] in " -=@?" or text[-1] == " "):
            return None
        return None if places[start] < 0 or places[end] < 0 else (places[start], places[end], text)

    def removal(self, path: Path, gone: Iterable[Any]) -> list[Edit]:
        """The edits that take keys out of the mapping at a path."""
        import yaml

        node = self.node(path)
        names = set(map(str, gone))
        if not isinstance(node, yaml.MappingNode):
            return []
        flags = [_name(key) in names for key, _ in node.value]
        if all(flags):
            end = _end(node)
            # A block mapping begins on a line of its own; `{}` may stand there just as well.
            return [(node.start_mark.index, end, "{}\n" if self.text[:end].endswith("\n") else "{}")]
        if node.flow_style:
            return list(_flow_removal(node, flags))
        return [
            (self._line_of(key), self._end_of_line(_end(value)), "")
            for (key, value), flag in zip(node.value, flags, strict=True)
            if flag
        ]

    def _line_of(self, node: yaml.Node) -> int:
        return self.text.rfind("\n", 0, node.start_mark.index) + 1

    def _end_of_line(self, offset: int) -> int:
        if self.text[:offset].endswith("\n"):
            return offset
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end + 1

    def scalars(self) -> Iterator[tuple[int, int]]:
        """Start and end of each scalar."""
        import yaml

        stack = [self.root] if self.root is not None else []
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if isinstance(node, yaml.ScalarNode):
                yield node.start_mark.index, node.end_mark.index
            elif id(node) not in seen:
                seen.add(id(node))
                stack += [part for pair in node.value for part in pair] if _is_mapping(node) else node.value


def applied(text: str, edits: Iterable[Edit]) -> str:
    """`text` after the edits, which are apart from each other.

    Raises:
        ValueError: two of them overlap.
    """
    parts, at = [], 0
    for start, end, replacement in sorted(set(edits)):
        if start < at:
            raise ValueError("two values that change share a place")
        parts += [text[at:start], replacement]
        at = end
    return "".join([*parts, text[at:]])


def quoted(value: str) -> str:
    """A YAML scalar in double quotes, on one line."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


_SIMPLE = re.compile(r"[\w@.+=/ -]*", re.ASCII)
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@functools.cache
def _places() -> Any:
    """A loader that composes nodes, and asks nobody for the types of their values: only places are wanted."""
    import yaml

    try:
        from yaml._yaml import CParser
    except ImportError:
        return yaml.SafeLoader
    parser: Any = CParser

    class Places(parser):  # type: ignore[misc]
        def descend_resolver(self, *_: object) -> None: ...

        def ascend_resolver(self) -> None: ...

        def resolve(self, *_: object) -> str:
            return ""

    return Places


# --- nodes -----------------------------------------------------------------------------------------


def _is_mapping(node: yaml.Node) -> bool:
    return kind(node) == "mapping"


def kind(node: yaml.Node) -> str:
    """`scalar`, `sequence` or `mapping`."""
    return str(node.id)  # type: ignore[attr-defined]


def _name(key: yaml.Node) -> str | None:
    """What a key says: a scalar, or one in a Python object (a subclass of `str` as vcrpy writes it)."""
    if kind(key) == "sequence" and len(key.value) == 1:
        key = key.value[0]
    return str(key.value) if kind(key) == "scalar" else None


def _end(node: yaml.Node) -> int:
    """Where what a node holds ends: a block collection's own mark is behind the comments that follow it."""
    while not getattr(node, "flow_style", True) and node.value:
        node = node.value[-1][1] if _is_mapping(node) else node.value[-1]
    return int(node.end_mark.index)


def _flow_removal(node: yaml.MappingNode, flags: Sequence[bool]) -> Iterator[Edit]:
    pairs = node.value
    last = max(at for at, flag in enumerate(flags) if not flag)
    for at, flag in enumerate(flags):
        if flag and at < last:
            yield pairs[at][0].start_mark.index, pairs[at + 1][0].start_mark.index, ""
    if last + 1 < len(pairs):
        yield pairs[last][1].end_mark.index, pairs[-1][1].end_mark.index, ""


# --- scalars: (characters of the value, offset of their source, offset behind it) ---------------------

_Units = Iterator[tuple[str, int, int]]

_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_DOUBLE = re.compile(
    r"(?:\\\r?\n[ \t]*)*+(?:"
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\([^\r\n])|([ \t]*\r?\n\s*)|([^\\\s]++|[^\\\n]))",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^\s']++")
_FOLD = re.compile(r"[ \t]*\r?\n\s*")


def _double_quoted(text: str, start: int, end: int) -> _Units:
    at = start
    while at < end and (match := _DOUBLE.match(text, at, end)) is not None:
        high, low, *codes, escape, fold, char = match.groups()
        code = next((code for code in codes if code), None)
        if high:
            made = (b"\\u" + high.encode() + b"\\u" + low.encode()).decode("unicode_escape")
            made = made.encode("utf-16", "surrogatepass").decode("utf-16")
        elif code:
            made = chr(int(code, 16))
        elif escape:
            made = _ESCAPES.get(escape, "\ufffd")
        else:
            made = _folded(fold) if fold else char
        yield made, at, match.end()
        at = match.end()


def _folded(white: str) -> str:
    feeds = white.count("\n")
    return " " if feeds == 1 else "\n" * (feeds - 1)


def _flowing(text: str, start: int, end: int, *, quoted: bool) -> _Units:
    at = start
    while at < end:
        plain = _PLAIN.match(text, at, end)
        if plain is not None:
            yield plain[0], at, plain.end()
            at = plain.end()
            continue
        char, after = text[at], at + 1
        if char in " \t\r\n" and (match := _FOLD.match(text, at, end)) is not None:
            char, after = _folded(match[0]), match.end()
        elif quoted and char == "'":
            after = at + 2
        yield char, at, after
        at = after


def _literal(text: str, start: int, end: int) -> _Units:
    line = text.find("\n", start, end) + 1
    if not line:
        return
    hint = re.match(r"\|[-+]?(\d)", text[start:line])
    first = re.compile(r"(?:[ \t]*\r?\n)*( *)").match(text, line, end)
    indent = len(first[1]) if first is not None else 0
    if hint is not None:  # counted from the parent, whose column is not known here
        column = start - text.rfind("\n", 0, start) - 1
        parent = re.match(r"[ -]*", text[start - column : start])
        indent = (len(parent[0]) if parent else 0) + int(hint[1])
    while line < end:
        stop = text.find("\n", line, end)
        stop = end if stop < 0 else stop
        if stop - line >= indent:
            yield text[line + indent : stop], line + indent, stop
        yield "\n", stop, stop + 1
        line = stop + 1


# --- JSON ------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'[ \t\r\n]*+(?:("[^"\\]*+(?:\\.[^"\\]*+)*+")|([\[{])|([\]}])|([,:])|([^\s,:\[\]{}"]+))', re.DOTALL)


def _composed(text: str) -> yaml.Node:
    """The nodes of a JSON document.

    Raises:
        ValueError: it is none.
    """
    import yaml

    def mark(index: int) -> yaml.Mark:
        return yaml.Mark("", index, 0, 0, None, 0)

    stack: list[tuple[Any, list[Any]]] = []
    root: yaml.Node | None = None
    for match in _TOKEN.finditer(text):
        string, opening, closing, between, word = match.groups()
        at, end = match.start(match.lastindex or 0), match.end()
        node: yaml.Node
        if between:
            continue
        if opening:
            made = yaml.MappingNode if opening == "{" else yaml.SequenceNode
            tag = "map" if opening == "{" else "seq"
            stack.append((made(f"tag:yaml.org,2002:{tag}", [], mark(at), None, flow_style=True), []))
            continue
        if closing:
            node, held = stack.pop()
            node.end_mark = mark(end)
            node.value = list(zip(held[::2], held[1::2], strict=True)) if _is_mapping(node) else held
        elif string:
            node = yaml.ScalarNode("tag:yaml.org,2002:str", json.loads(string, strict=False), mark(at), mark(end), '"')
        else:
            node = yaml.ScalarNode("", word, mark(at), mark(end))
        if stack:
            stack[-1][1].append(node)
        else:
            root = node
    if root is None or stack:
        raise ValueError("no JSON document")
    return root
