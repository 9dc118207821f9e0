"""Base64 and hex broken into lines, as `base64`, `xxd -p` and mail write them: what stands over a break is in none."""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Sequence

from convo_replay.redaction.encodings import Place, View, hidden, may_hide

LEAST_LINE = 40
"""Characters of a line that another one may continue."""

_IN = "A-Za-z0-9+/_-"
_BREAK = r"(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n)[ \t]{0,12}"
_LINE = re.compile(rf"{_BREAK}(?P<line>[{_IN}]{{{LEAST_LINE},}}+)")
_LAST = re.compile(rf"{_BREAK}(?P<line>[{_IN}]++={{0,2}}+)(?=[\s\\\"'<]|\Z)")
_LEAST_LAST = 16
"""Characters of a last line that is taken for one though it does not end where base64 ends."""


def may_go_on(text: str, start: int, end: int) -> bool:
    """Whether the run `text[start:end]` is as long as a line and at the end of one; cheap."""
    return end - start >= LEAST_LINE and text[end : end + 1] in ("\n", "\r", "\\")


def lines(text: str, start: int, end: int) -> tuple[int, list[View]]:
    """Where the lines end that continue the run `text[start:end]`, and what they say in base64 or hex."""
    spans = [(start, end)]
    while (more := _LINE.match(text, end)) is not None:
        spans.append(more.span("line"))
        end = more.end()
    last = _LAST.match(text, end)
    if last is not None:
        size = sum(b - a for a, b in spans) + len(last["line"])
        if size % 4 == 0 or len(last["line"]) >= _LEAST_LAST:
            spans.append(last.span("line"))
            end = last.end()
    if len(spans) == 1:
        return end, []
    joined = "".join([text[a:b] for a, b in spans])
    body = len(joined.rstrip("="))
    if not may_hide(joined, 0, body):
        return end, []
    starts = [0]
    for a, b in spans:
        starts.append(starts[-1] + b - a)
    return end, [
        View(view.text, functools.partial(_place_in_lines, view, spans, starts)) for view in hidden(joined, 0, body)
    ]


def _place_in_lines(
    view: View, spans: Sequence[tuple[int, int]], starts: Sequence[int], begin: int, stop: int
) -> Place:
    first, last, opaque = view.place(begin, stop)
    one = bisect_right(starts, first, hi=len(spans)) - 1
    other = bisect_right(starts, last - 1, hi=len(spans)) - 1
    return spans[one][0] + first - starts[one], spans[other][0] + last - starts[other], opaque
