"""Editing strings in a JSON document's source: the changed ones, and nothing around them.

Redaction changes strings only, so the string tokens of a document and the strings of its value come
in one order. Of a token that differs what differs is rewritten; whitespace, numbers, escapes and key
order stay as they were sent.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NUMBERS = r"|\[\s*\d+(?:\s*,\s*\d+)*\s*\]|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_LEAF = re.compile(_TOKEN.pattern + _NUMBERS, re.DOTALL)
"""A string, a list of whole numbers, or a number."""

Edit = tuple[int, int, str]
"""(start, end, what becomes of the text between)."""


def edit(source: str, old: Any, new: Any, *, numbers: bool = False) -> str:
    """`source`, the text of `old`, as the text of `new`, which differs from it in strings and numbers alone.

    Args:
        numbers: lists of whole numbers (the bytes of a token) may differ, too.

    Raises:
        ValueError: `source` is not the text of `old`.
    """
    return applied(source, edits(source, old, new, numbers=numbers))


def edits(
    source: str,
    old: Any,
    new: Any,
    *,
    numbers: bool = False,
    spans: Callable[[str, str], Sequence[Edit]] = lambda was, becomes: (_difference(was, becomes),),
) -> list[Edit]:
    """What `edit` changes, in order; each of them inside one string, or a whole number.

    Args:
        spans: what is changed in a string, as (start, end, text) of its value; by default one stretch.
    """
    numbers = numbers or _numbers_differ(old, new)
    leaves = list(_leaves(old, new, numbers))
    tokens = list((_LEAF if numbers else _TOKEN).finditer(source))
    if len(tokens) != len(leaves):
        raise ValueError("the source is not the text of the value")
    found: list[Edit] = []
    for token, (was, becomes) in zip(tokens, leaves, strict=True):
        if was == becomes:
            continue
        if isinstance(was, str) and isinstance(becomes, str):
            at = token.start() + 1
            found += [(at + a, at + b, text) for a, b, text in _content(token[0][1:-1], was, spans(was, becomes))]
        else:
            found.append(
                (*token.span(), _listed(token[0], becomes) if isinstance(becomes, list) else json.dumps(becomes))
            )
    return found


def in_strings(source: str, found: Sequence[Edit]) -> list[Edit]:
    """Those edits of a document's text that lie inside one of its strings."""
    if not found:
        return []
    tokens = [match.span() for match in _TOKEN.finditer(source)]
    ends = [end for _, end in tokens]
    made = []
    for one in found:
        at = bisect_left(ends, one[1])
        if at < len(tokens) and tokens[at][0] < one[0] and one[1] < ends[at]:
            made.append(one)
    return made


def applied(text: str, found: Sequence[Edit]) -> str:
    """`text` after these edits, which are in order and apart from each other."""
    parts, at = [], 0
    for start, end, replacement in found:
        parts += [text[at:start], replacement]
        at = end
    return "".join([*parts, text[at:]])


_ESCAPED = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)


def _content(raw: str, was: str, spans: Sequence[Edit]) -> Iterator[Edit]:
    """Edits of a string's value as edits of how it is written."""
    at: Sequence[int] = range(len(raw) + 1)
    if "\\" in raw:
        at = [0, *accumulate(map(len, _ESCAPED.findall(raw)))]
    if len(at) != len(was) + 1:  # lone surrogates, spelled in a way of their own
        yield 0, len(raw), json.dumps(applied(was, spans), ensure_ascii=True)[1:-1]
        return
    for start, end, text in spans:
        yield at[start], at[end], json.dumps(text, ensure_ascii=raw.isascii())[1:-1]


def _difference(was: str, becomes: str) -> Edit:
    """The one stretch between what both strings begin and end with."""
    shared = min(len(was), len(becomes))
    head = 0
    while head < shared and was[head] == becomes[head]:
        head += 1
    tail = 0
    while tail < shared - head and was[-1 - tail] == becomes[-1 - tail]:
        tail += 1
    return head, len(was) - tail, becomes[head : len(becomes) - tail]


def _listed(source: str, numbers: Sequence[int | str]) -> str:
    comma = re.search(r",\s*", source)
    return f"[{(comma[0] if comma else ', ').join(map(json.dumps, numbers))}]"


def _numbers_differ(old: Any, new: Any) -> bool:
    """Whether a number became something else."""
    stack = [(old, new)]
    while stack:
        was, becomes = stack.pop()
        if was is becomes:
            continue
        if isinstance(was, dict):
            stack += zip(was.values(), becomes.values(), strict=True)
        elif isinstance(was, list):
            stack += zip(was, becomes, strict=True)
        elif isinstance(was, (int, float)) and was != becomes:
            return True
    return False


def _leaves(old: Any, new: Any, numbers: bool) -> Iterator[tuple[Any, Any]]:
    """What stands in the text of `old` as a token of its own, and what it becomes."""
    stack = [(old, new)]
    while stack:
        was, becomes = stack.pop()
        if isinstance(was, str):
            yield was, becomes
        elif isinstance(was, dict):
            for (key, held), (name, out) in zip(reversed(was.items()), reversed(becomes.items()), strict=True):
                stack += ((held, out), (key, name))
        elif isinstance(was, list):
            if numbers and was and all(type(one) is int and one >= 0 for one in was):
                yield was, becomes
            else:
                stack += zip(reversed(was), reversed(becomes), strict=True)
        elif numbers and isinstance(was, (int, float)) and not isinstance(was, bool):
            yield was, becomes


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
