"""What of a text redaction changed: the stretches, and where each stands in JSON or in an event stream."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from convo_replay import sse
from convo_replay.redaction import placeholders

Edit = tuple[int, int, str]
"""(start, end, text): `text` takes the place of the characters from start to end."""


def between(old: str, new: str) -> list[Edit]:
    """The edits that make `new` of `old`: a placeholder for each stretch that one took the place of.

    Where that does not describe it (the rest of a value whose placeholder stands in another event), from the first
    difference to the last.
    """
    if old == new:
        return []
    olds, news = old.split("\n"), new.split("\n")
    if len(olds) == len(news) > 1:
        made, at = [], 0
        for before, after in zip(olds, news, strict=True):
            if before != after:
                made += [(at + start, at + end, text) for start, end, text in between(before, after)]
            at += len(before) + 1
        return made
    return _aligned(old, new) or [_trimmed(old, new)]


def _aligned(old: str, new: str) -> list[Edit]:
    # What stands between the placeholders of the new text stands in the old one, in that order.
    marks = placeholders.places(new)
    if not marks or not old.startswith(new[: marks[0].start]) or not old.endswith(new[marks[-1].end :]):
        return []
    made = []
    at = marks[0].start
    last = len(old) - (len(new) - marks[-1].end)
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        gap = "" if following is None else new[mark.end : following.start]
        text = new[mark.start : mark.end]
        if old.startswith(text + gap, at):  # it was there before
            stop = at + len(text) if following is not None else last
        else:
            stop = last if following is None else old.find(gap, at, last)
        if stop < at:
            return []
        if old[at:stop] != text:
            made.append((at, stop, text))
        at = stop + len(gap)
    return made


def _trimmed(old: str, new: str) -> Edit:
    shared = min(len(old), len(new))
    head = next((at for at in range(shared) if old[at] != new[at]), shared)
    tail = next((at for at in range(shared - head) if old[-1 - at] != new[-1 - at]), shared - head)
    return head, len(old) - tail, new[head : len(new) - tail]


_NAME = re.compile(r"[A-Za-z_$][\w$-]*")
_LONG = 60


def joined(path: str, step: Any) -> str:
    """`path` with one more step: `.key`, `["odd key"]`, `[3]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if len(step) > _LONG or _NAME.fullmatch(step) is None:
        return f"{path}[{_shown(step)}]"
    return f"{path}.{step}" if path else step


def _shown(key: str) -> str:
    # A key is text of the file: what looks like a secret, or is long, is not repeated.
    return '"…"' if len(key) > _LONG or not key.isprintable() else f'"{key}"'


_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]', re.DOTALL)


def paths_in(root: str, text: str, value: Any, *, whole: bool = False) -> Any:
    """Offsets → paths in a body: of an event, a line, or a string of a JSON document."""
    below = "" if whole else "."
    name = root if whole else f"{root}.json"
    if value is not None:
        return lambda offsets: paths_in_json(text, offsets, name)
    if text.lstrip("\ufeff\r\n").startswith(("data:", "event:", ":", "id:", "retry:")):
        lengths = events(text.encode("utf-8", "surrogatepass"))
        name = f"{root}{below}sse" if not whole or not root else f"{root}"
        return lambda offsets: paths_in_lines(lengths, offsets, name)
    if is_lines(text):
        lengths = [len(line) for line in text.splitlines(keepends=True)]
        name = f"{root}{below}lines" if not whole or not root else f"{root}"
        return lambda offsets: paths_in_lines(lengths, offsets, name)
    return None


def is_lines(text: str) -> bool:
    """Whether a text is JSON documents, one in a line."""
    return text[:1] == "{" and "\n{" in text


def paths_in_json(text: str, offsets: Sequence[int], root: str) -> list[str]:
    """For each offset (in order) in a JSON document, the path of the string that it is in."""
    made: list[str] = []
    stack: list[Any] = []
    waits_for_key = False
    wanted = iter(offsets)
    offset = next(wanted, None)
    for match in _TOKEN.finditer(text):
        if offset is None:
            break
        token = match[0]
        if token[0] == '"':
            while offset is not None and offset < match.end():
                made.append(_path(root, stack))
                offset = next(wanted, None)
            if waits_for_key:
                stack[-1] = _key(token)
                waits_for_key = False
        elif token == "{":
            stack.append("")
            waits_for_key = True
        elif token == "[":
            stack.append(0)
            waits_for_key = False
        elif token in "]}":
            if stack:
                stack.pop()
            waits_for_key = False
        elif stack:
            if isinstance(stack[-1], int):
                stack[-1] += 1
            else:
                waits_for_key = True
    return made + [root] * (len(offsets) - len(made))


def _key(token: str) -> str:
    return token[1:-1]


def _path(root: str, stack: Sequence[Any]) -> str:
    path = root
    for step in stack:
        path = joined(path, step)
    return path


def paths_in_lines(lengths: Sequence[int], offsets: Sequence[int], root: str) -> list[str]:
    """For each offset the path of the line or event that it is in: `root[14]`."""
    starts, at = [], 0
    for length in lengths:
        starts.append(at)
        at += length
    return [f"{root}[{max(bisect_right(starts, offset) - 1, 0)}]" for offset in offsets]


def events(body: bytes) -> list[int]:
    """Characters of each event of a stream."""
    return [len(event.raw.decode("utf-8", "replace")) for event in sse.split(body)]


def strings(old: Any, new: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """(path, old, new) of each string by which two values of one shape differ; of a key: its mapping's path.

    A number that is a secret becomes a string, too.
    """
    if old is new:
        return
    if isinstance(old, int) and isinstance(new, str):
        yield path, str(old), new
    if isinstance(old, str):
        if isinstance(new, str) and old != new:
            yield path, old, new
    elif isinstance(old, list):
        for at, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from strings(before, after, (*path, at))
    elif isinstance(old, dict):
        for (key, before), (name, after) in zip(old.items(), new.items(), strict=True):
            if key != name:
                yield path, key, name
            yield from strings(before, after, (*path, key))
