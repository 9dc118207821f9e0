"""Values → YAML that a reviewer can read, and that every YAML reader reads back equal.

libyaml's emitter turns a text block with an emoji, a tab or a trailing space into one escaped line;
Python's corrupts U+0085; neither lets us choose what goes on one line. The contract here is a property
test: for every JSON value, what this writes libyaml reads back equal.

Short collections go on one line, text of several lines into a literal block, a string without quotes
only where YAML 1.1, 1.2 and the readers in between agree that it is a string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 110
"""Columns up to which a collection is written on one line."""
MAX_DEPTH = 150
"""Levels of a value that is written as YAML: the reader refuses 200, the file's own keys take some."""


class Plain(str):
    """A string written without quotes though it looks like another type to some readers: a timestamp."""

    __slots__ = ()


class Seconds(float):
    """A time, written with its three decimals."""

    __slots__ = ()


class Block(list[Any]):
    """A list whose items each begin on a line of their own, however short: the messages of a request."""

    __slots__ = ()


class Tall(dict[str, Any]):
    """A mapping whose keys each begin on a line of their own, however few."""

    __slots__ = ()


def render(value: Mapping[str, Any]) -> str:
    """The YAML of a mapping, in block style, with a line break at its end.

    Raises:
        ValueError: nested deeper than `MAX_DEPTH` levels, or a lone surrogate (`holds` tells before).
    """
    out: list[str] = []
    _mapping(Tall(value), 0, out, first="")
    return "".join(out)


def holds(value: Any, depth: int = 0) -> bool:
    """Whether YAML can hold a JSON value `depth` levels down: no lone surrogate, not nested too deep."""
    stack: list[tuple[Any, int]] = [(value, depth)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, str):
            if not item.isascii() and _SURROGATE.search(item):
                return False
        elif isinstance(item, Mapping):
            if depth >= MAX_DEPTH or any(not key.isascii() and _SURROGATE.search(key) for key in item):
                return False
            stack.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, Sequence):
            if depth >= MAX_DEPTH:
                return False
            stack.extend((inner, depth + 1) for inner in item)
    return True


_SURROGATE = re.compile("[\ud800-\udfff]")


def _mapping(value: Mapping[str, Any], indent: int, out: list[str], first: str) -> None:
    """Each key on a line; `first` stands before the first one in place of the indentation."""
    pad = " " * indent
    lead = first or pad
    for key, item in value.items():
        name = _string(key, flow=False)
        if len(name) <= LONGEST_KEY:
            out.append(f"{lead}{name}:")
            _item(item, indent, len(name) + 1, out)
        else:  # YAML allows 1,024 characters for a key on the line of its value
            out.append(f"{lead}? {name}\n{pad}:")
            _item(item, indent, 1, out)
        lead = pad


LONGEST_KEY = 500


def _item(item: Any, indent: int, used: int, out: list[str]) -> None:
    """The value of a key, from after its colon."""
    if isinstance(item, str):
        out.append(f" {_text(item, indent)}\n")
        return
    line = _flow(item, WIDTH - indent - used)
    if line is not None:
        out.append(f" {line}\n")
    elif isinstance(item, Mapping):
        out.append("\n")
        _mapping(item, indent + 2, out, first="")
    else:
        out.append("\n")
        _sequence(item, indent + 2, out, first="")


def _sequence(value: Sequence[Any], indent: int, out: list[str], first: str) -> None:
    pad = " " * indent
    lead = first or pad
    for item in value:
        if isinstance(item, str):
            out.append(f"{lead}- {_text(item, indent)}\n")
        else:
            line = _flow(item, WIDTH - indent - 2)
            if line is not None:
                out.append(f"{lead}- {line}\n")
            elif isinstance(item, Mapping):
                _mapping(item, indent + 2, out, first=f"{lead}- ")
            else:
                _sequence(item, indent + 2, out, first=f"{lead}- ")
        lead = pad


def _flow(value: Any, room: int) -> str | None:
    """The value on one line of at most `room` characters, or `None`; never looks further than that."""
    if isinstance(value, str):
        if len(value) > room or "\n" in value:
            return None
        text = _string(value, flow=True)
        return text if len(text) <= room else None
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        if isinstance(value, Tall):
            return None
        parts: list[str] = []
        room -= 2
        for key, item in value.items():
            if len(key) > room:
                return None
            name = _string(key, flow=True)
            text_or_none = _flow(item, room - len(name) - 2)
            if text_or_none is None:
                return None
            parts.append(f"{name}: {text_or_none}")
            room -= len(parts[-1]) + 2
        return "{" + ", ".join(parts) + "}" if room + 2 >= 0 else None
    if isinstance(value, (list, tuple)):
        if not value:
            return "[]"
        if isinstance(value, Block):
            return None
        parts = []
        room -= 2
        for item in value:
            text_or_none = _flow(item, room)
            if text_or_none is None:
                return None
            parts.append(text_or_none)
            room -= len(text_or_none) + 2
        return "[" + ", ".join(parts) + "]" if room + 2 >= 0 else None
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Seconds):
        return f"{value:.3f}"
    if isinstance(value, float):
        text = float.__repr__(value)
        if text in ("inf", "-inf"):
            return text.replace("inf", ".inf")
        if text == "nan":
            return ".nan"
        # YAML 1.1 takes a number for a float only with a point in it.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _text(text: str, indent: int) -> str:
    """A string after a key or a dash: a literal block where it has several lines that allow it."""
    if "\n" in text and _LITERAL.match(text):
        body = text.rstrip("\n")
        if body:
            breaks = len(text) - len(body)
            chomp = "-" if breaks == 0 else "" if breaks == 1 else "+"
            # Where a line begins with space the reader cannot tell the indentation from the text.
            hint = "2" if text[0] in " \t\n" else ""
            pad = " " * (indent + 2)
            lines = [pad + line if line else "" for line in body.split("\n")]
            return f"|{hint}{chomp}\n" + "\n".join(lines) + "\n" * max(0, breaks - 1)
    return _string(text, flow=False)


# Printable, and no line break of Unicode's: these YAML readers normalize, or refuse.
_PRINTABLE = "\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_LITERAL = re.compile(f"[\t\n{_PRINTABLE}]*\\Z")
_TO_ESCAPE = re.compile(f'["\\\\]|[^{_PRINTABLE}]')
UNPRINTABLE = re.compile(f"[^\t\n{_PRINTABLE}]")
PLAIN = re.compile(r"[A-Za-z0-9_./$][A-Za-z0-9_./+=@%$*()&;:^~-]*(?: [A-Za-z0-9_./+=@%$*()&;:^~-]+)*\Z")
PLAIN_COLON = re.compile(r":(?: |\Z)|://")
_OTHER_TYPES = re.compile(
    r"""(?:
      null|true|false|yes|no|on|off|y|n|~
    | [-+]?(?:0b[01_]+|0x[0-9a-f_]+|0o?[0-7_]+)
    | [-+]?[0-9][0-9_,]*(?::[0-9_.]+)*(?:\.[0-9_]*)?(?:e[-+]?[0-9]*)?
    | [-+]?\.[0-9_]*(?:e[-+]?[0-9]*)?
    | [-+]?\.?(?:inf|nan|infinity)
    | [0-9]{1,4}-[0-9]{1,2}(?:-[0-9]{1,2}.*)?
    | \.+ | =+ | <<
    )\Z""",
    re.VERBOSE | re.IGNORECASE,
)


def _string(text: str, *, flow: bool) -> str:
    if isinstance(text, Plain):
        return str(text)
    if len(text) <= 200 or not flow:
        plain = (
            PLAIN.match(text)
            and not PLAIN_COLON.search(text)
            and not _OTHER_TYPES.match(text)
            and not (flow and ":" in text and FLOW_COLON.search(text))
        )
        if plain:
            return text
    return f'"{_TO_ESCAPE.sub(_escaped, text)}"'


FLOW_COLON = re.compile(r":(?![A-Za-z0-9_./])")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    short = _SHORT_ESCAPES.get(char)
    if short:
        return short
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError("YAML cannot hold a lone surrogate")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
