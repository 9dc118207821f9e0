"""What a file holds outside of its exchanges: other keys and texts, headers in any shape, comments."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from convo_replay.scanning import text_edits
from convo_replay.scanning.header_shapes import Header, class_beside, is_headers, named_value, wsgi_name
from convo_replay.scanning.header_shapes import headers as headers_at
from convo_replay.scanning.looking import Change, Look
from convo_replay.scanning.masks import is_mask
from convo_replay.scanning.recordings import Pair
from convo_replay.scanning.source_tree import Path


def rest(look: Look, value: Any, pairs: Sequence[Pair]) -> None:
    """Looks at what stands in a file's value outside of the bodies, headers and URLs of its exchanges."""
    messages = [message for pair in pairs for message in (pair.request, pair.response)]
    taken = {(*message.where, key) for message in messages for key in message.consumed}
    taken |= {header.at for message in messages for header in message.headers}
    numbers = {pair.at: index for index, pair in enumerate(pairs)}
    _walk(look, value, (), None, "", taken, numbers)


def _walk(
    look: Look, value: Any, at: Path, exchange: int | None, path: str, taken: set[Path], numbers: Mapping[Path, int]
) -> None:
    if at in taken:
        return
    if at in numbers:
        exchange, path = numbers[at], ""
    if at and is_headers(at[-1]):
        found = [header for header in headers_at(value, at) if header.at not in taken]
        for header in found:
            look.header(exchange, _side(path), header)
        taken |= {header.at for header in found}
        if at in taken:
            return
    if isinstance(value, str):
        look.string(exchange, path, value, at)
    elif isinstance(value, (dict, list)):
        if isinstance(value, dict) and (beside := named_value(value)) is not None:
            _beside(look, exchange, path, at, *beside, taken)
        for step, held in value.items() if isinstance(value, dict) else enumerate(value):
            header_name = wsgi_name(step) if isinstance(step, str) and isinstance(held, str) else ""
            if header_name:
                look.header(exchange, _side(path), Header(header_name, held, (*at, step), at, step))
                continue
            if isinstance(step, str) and look.text_part(
                exchange, path, step, look.redactor.text(step), at, fixable=False, in_clear=False
            ):
                look.note("the name of a key")
            name = step if isinstance(step, (str, int)) else str(step)
            _walk(look, held, (*at, step), exchange, text_edits.joined(path, name), taken, numbers)


def _beside(
    look: Look, exchange: int | None, path: str, at: Path, name: str, key: Any, value: str, taken: set[Path]
) -> None:
    """Notes a value that the name beside it says gives access, where it does not say so itlook."""
    among = next((step for step in reversed(at) if isinstance(step, str)), "")
    cls = class_beside(name, value, among)
    if cls is None or look.redactor.text(value) != value:
        return
    place = (*at, key)
    taken.add(place)
    if is_mask(value):
        look.add(exchange, "masked", path, place)
        return
    made = look.redactor.place(cls, value)
    look.add(exchange, cls, text_edits.joined(path, key), place)
    look.changes.append(Change(place, made, [(0, len(value), made)]))


def between(look: Look) -> None:
    """Looks at what stands between the values of a YAML file: its comments."""
    if look.tree is None or "#" not in look.text:
        return
    # Only what stands behind a `#` may be a comment, and most texts have few.
    lines = [(match.start(), match[0]) for match in _COMMENT.finditer(look.text)]
    known = look.redactor.known_in("\n".join([line for _, line in lines])) if lines else []
    if not known:
        return
    begins = [0, *accumulate(len(line) + 1 for _, line in lines)]
    hits = []
    for offset, cls in known:
        at = bisect_right(begins, offset) - 1
        hits.append((lines[at][0] + offset - begins[at], cls))
    spans = sorted(look.tree.scalars())
    for offset, cls in hits:
        before = bisect_right(spans, offset, key=lambda span: span[0]) - 1
        if before < 0 or offset >= spans[before][1]:
            look.add(None, cls, "", None, offset, fixable=False)
            look.note("a comment")


def _side(path: str) -> str:
    return "response" if "response" in path.lower() else "request"


_COMMENT = re.compile(r"#(?<!\S#)[^\n]*")  # the `#` first: texts are searched for it
