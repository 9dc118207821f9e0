"""The YAML that our own writer writes, read line by line: in less than half the time of a YAML parser.

Opening a cassette is most of what a short test costs, and nearly every cassette is as it was written.
Only what the writer writes is read here: block style two columns deep, collections on one line, literal
blocks, strings in double quotes, plain words. Whatever else stands in a file, an edit by hand in any
other style, a key that occurs twice, a line that ends in a space, is for `yaml_reader`, which reads all
of YAML, guards against hostile files, and knows the lines of what is wrong. The contract is a property
test: for any text this gives what `yaml_reader` gives, or `None`.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import orjson

from .yaml_reader import resolve
from .yaml_writer import FLOW_COLON, LONGEST_KEY, PLAIN, PLAIN_COLON, UNPRINTABLE

MAX_SIZE = 8 << 20
"""Bytes. Up to here no content takes more memory than is promised, and no limit of a file can be crossed."""
MAX_DEPTH = 80
"""Levels of block style, and as many again on one line: the reader's limit is beyond both."""

_FIRST = re.compile(r'convo_replay: [0-9]{1,9}(  # whole if its last line is "\.\.\.")\n')
_LAST = "\n...\n"
_WORD = r"[A-Za-z0-9_./+=@%$*()&;^~\ -]*+"
_LINE = re.compile(
    rf"""
    (\ *) ((?:-\ )*+)                                                           # indentation, dashes
    (?: ( [A-Za-z0-9_./$] {_WORD} (?: :(?![\ \n]) {_WORD} )*+ | "(?:[^"\\\n]++|\\.)*+" ) : (?:\ |(?=\n)) )?  # a key
    (?: "((?:[^"\\\n]++|\\.)*+)" | (\|2?[-+]?) | ([^"|\n\ ][^\n]*+) )?          # a string, a block, anything else
    \n
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r'"((?:[^"\\\n]++|\\.)*+)"|([A-Za-z0-9_./$+-][^"{}\[\],\n]*?)(?=: |, |[\]}])')
_PRINTABLE = bytes([9, 10, *range(0x20, 0x7F)])
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(r"\\(?:(x[0-9a-fA-F]{2})|.)", re.DOTALL)
_REMEMBERED = 10_000
_words: dict[str, Any] = {}
_keys: dict[str, str] = {}
"""Short words and keys with what they mean, whatever file they stand in: cassettes have few."""


class _NotOurs(Exception):
    """Something that the writer does not write."""


def read(data: bytes) -> Any:
    """The value of a file as our writer writes it; `None` where anything in it is otherwise."""
    if len(data) > MAX_SIZE:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if (data.translate(None, _PRINTABLE) and UNPRINTABLE.search(text)) or not text.endswith("\n"):
        return None
    first = _FIRST.match(text)
    if first:
        if not text.endswith(_LAST):
            return None
        text = text[: first.start(1)] + text[first.end(1) : 1 - len(_LAST)]
    try:
        return _Reader(text).mapping()
    except (_NotOurs, ValueError):  # `ValueError`: a number of thousands of digits
        return None


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[str, Any] = {}

    def mapping(self) -> dict[str, Any]:
        """What the lines are."""
        root: dict[str, Any] = {}
        current: Any = root
        indent = 0
        stack: list[tuple[Any, int]] = []
        opened: str | None = None  # the key whose collection begins on the next line
        text, position, size = self._text, 0, len(self._text)
        match_line, keys = _LINE.match, _keys
        while position < size:
            match = match_line(text, position)
            if match is None:
                raise _NotOurs
            spaces, dashes, key, quoted, block, other = match.groups()
            position = match.end()
            column = len(spaces)
            made: Any
            if opened is not None:
                if column != indent + 2:
                    raise _NotOurs
                stack.append((current, indent))
                made = current[opened] = [] if dashes else {}
                current, indent, opened = made, column, None
            else:
                while column < indent:
                    current, indent = stack.pop()
                if column != indent:
                    raise _NotOurs
            if dashes:
                if type(current) is not list or len(stack) + len(dashes) > MAX_DEPTH:
                    raise _NotOurs
                for left in range(len(dashes) // 2 - (key is None), 0, -1):
                    made = {} if key is not None and left == 1 else []
                    current.append(made)
                    stack.append((current, indent))
                    current, indent = made, indent + 2
            elif type(current) is not dict or key is None or len(stack) > MAX_DEPTH:
                raise _NotOurs
            value: Any
            if quoted is not None:
                value = quoted if "\\" not in quoted else _unescaped(quoted)
            elif other is not None:
                value = self._on_one_line(other) if other[0] in "{[" else self._plain(other)
            elif block is not None:
                value, position = _literal(text, position, indent + 2, block)
            elif key is not None:
                opened = keys.get(key) or self._key(key)
                if opened in current:
                    raise _NotOurs
                current[opened] = None
                continue
            else:
                raise _NotOurs
            if key is None:
                current.append(value)
            else:
                name = keys.get(key) or self._key(key)
                if name in current:
                    raise _NotOurs
                current[name] = value
        if opened is not None:
            raise _NotOurs
        return root

    def _key(self, text: str) -> str:
        made = self._plain(text) if text[0] != '"' else _unescaped(text[1:-1])
        if type(made) is not str or len(text) > LONGEST_KEY:
            raise _NotOurs
        if len(text) < 64:
            _remember(_keys, text, made)
        return made

    def _plain(self, text: str) -> Any:
        known = _words.get(text, _words)  # which is no word's meaning
        if known is not _words:
            return known
        value = resolve(text)
        if type(value) is str and (not PLAIN.match(text) or PLAIN_COLON.search(text)):
            raise _NotOurs
        if len(text) < 64:
            _remember(_words, text, value)
        return value

    def _on_one_line(self, text: str) -> Any:
        known = self._lines.get(text)
        if known is not None:
            return known  # what a cassette holds is read and never changed
        value, position = self._collection(text, 0, MAX_DEPTH)
        if position != len(text):
            raise _NotOurs
        if len(self._lines) < _REMEMBERED:
            self._lines[text] = value
        return value

    def _collection(self, text: str, position: int, depth: int) -> tuple[Any, int]:
        """The `{…}` or `[…]` at a position, and where it ends."""
        close = "}" if text[position] == "{" else "]"
        made: Any = {} if close == "}" else []
        position += 1
        if text[position : position + 1] == close:
            return made, position + 1
        if not depth:
            raise _NotOurs
        while True:
            if close == "}":
                match = _TOKEN.match(text, position)
                if match is None or not text.startswith(": ", match.end()):
                    raise _NotOurs
                name = self._token(match)
                position = match.end() + 2
                if type(name) is not str or name in made:
                    raise _NotOurs
            if text[position : position + 1] in ("{", "["):
                value, position = self._collection(text, position, depth - 1)
            else:
                match = _TOKEN.match(text, position)
                if match is None:
                    raise _NotOurs
                value, position = self._token(match), match.end()
            if close == "}":
                made[name] = value
            else:
                made.append(value)
            if text.startswith(", ", position):
                position += 2
            elif text.startswith(close, position):
                return made, position + 1
            else:
                raise _NotOurs

    def _token(self, match: re.Match[str]) -> Any:
        quoted, plain = match.groups()
        if quoted is not None:
            return _unescaped(quoted)
        if FLOW_COLON.search(plain):
            raise _NotOurs
        return self._plain(plain)


def _remember(known: dict[str, Any], text: str, meaning: Any) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[text] = meaning


def _unescaped(text: str) -> str:
    """What a string in double quotes with escapes is; those that JSON has too are read by its parser."""
    if "\\" not in text:
        return text
    if _SURROGATE.search(text):
        raise _NotOurs
    if "\\x" in text or "\\0" in text:
        text = _ESCAPE.sub(_as_json, text)
    try:
        return str(orjson.loads(f'"{text}"'))
    except orjson.JSONDecodeError:
        raise _NotOurs from None


def _as_json(match: re.Match[str]) -> str:
    code = match[1]
    return f"\\u00{code[1:]}" if code else "\\u0000" if match[0] == "\\0" else match[0]


def _literal(text: str, position: int, indent: int, header: str) -> tuple[str, int]:
    """The literal block whose lines begin at a position, and where it ends."""
    pad = " " * indent
    match = _block_lines(indent).match(text, position)
    if match is None:
        raise _NotOurs
    # Without a hint the first line says how far the text is indented.
    if "2" not in header and (not text.startswith(pad, position) or text[position + indent] in " \t\n"):
        raise _NotOurs
    content = match[0].removeprefix(pad).replace("\n" + pad, "\n")
    if header[-1] != "+":
        content = content.rstrip("\n")
        if header[-1] != "-":
            content += "\n"
    return content, match.end()


@functools.cache
def _block_lines(indent: int) -> re.Pattern[str]:
    return re.compile(rf"(?:\ {{{indent}}}[^\n]*+\n|\n)++")
