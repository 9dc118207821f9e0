"""Editing strings in a JSON document's source: the changed ones, and nothing around them.

Redaction changes strings only, so the string tokens of a document and the strings of its value come
in one order. A token that differs is rewritten between its first and last difference; whitespace,
numbers, escapes and key order stay as they were sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def edit(source: str, old: Any, new: Any) -> str:
    """`source`, the text of `old`, as the text of `new`, which differs from it in strings alone."""
    before, after = list(_strings(old)), list(_strings(new))
    tokens = list(_TOKEN.finditer(source))
    if len(tokens) != len(before) or len(before) != len(after):
        raise ValueError("the source is not the text of the value")
    parts, at = [], 0
    for token, was, becomes in zip(tokens, before, after, strict=True):
        if was != becomes:
            parts += [source[at : token.start() + 1], _content(token[0][1:-1], was, becomes)]
            at = token.end() - 1
    return "".join([*parts, source[at:]])


_ESCAPED = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)


def _content(raw: str, was: str, becomes: str) -> str:
    pieces = _ESCAPED.findall(raw) if "\\" in raw else list(raw)
    shared = min(len(was), len(becomes))
    head = 0
    while head < shared and was[head] == becomes[head]:
        head += 1
    tail = 0
    while tail < shared - head and was[-1 - tail] == becomes[-1 - tail]:
        tail += 1
    middle = json.dumps(becomes[head : len(becomes) - tail], ensure_ascii=raw.isascii())[1:-1]
    if len(pieces) != len(was):  # lone surrogates, spelled in a way of their own
        return json.dumps(becomes, ensure_ascii=True)[1:-1]
    return "".join(pieces[:head]) + middle + "".join(pieces[len(pieces) - tail :])


def _strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            for key, held in reversed(item.items()):
                stack += (held, key)
        elif isinstance(item, list):
            stack += reversed(item)


def completed(source: str) -> tuple[str, str, str] | None:
    """For the beginning of a JSON document that was cut: (text, closers, rest).

    `text + closers` is a document as far as brackets go, and `text + rest == source`. What was cut in
    an escape or after a comma is in `rest`. `None` where `source` opens nothing.
    """
    stack: list[str] = []
    quoted, skip, comma = False, 0, -1
    at_comma: list[str] = []
    escape = 0
    for at, char in enumerate(source):
        if skip:
            skip -= 1
        elif quoted:
            if char == "\\":
                escape = at
                skip = 5 if source[at + 1 : at + 2] == "u" else 1
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "{[":
            stack.append("}" if char == "{" else "]")
        elif char in "}]":
            if not stack or stack.pop() != char:
                return None
        elif char == ",":
            comma, at_comma = at, stack.copy()
    if not stack:
        return None
    end = escape if quoted and skip else len(source)
    candidates = [(end, ('"' if quoted else "") + "".join(reversed(stack)))]
    if comma >= 0:
        candidates.append((comma, "".join(reversed(at_comma))))
    for cut, closers in candidates:
        try:
            json.loads(source[:cut] + closers)
        except (ValueError, RecursionError):
            continue
        return source[:cut], closers, source[cut:]
    return None
