"""Long runs of the characters that keys are made of: which of them can hold a key, or a text in base64 or hex.

Bodies repeat their ids, in each event the same: so the runs of a text are taken together, each is looked at once,
and short ones that hold nothing are remembered by everybody, for what a run can hold depends on it alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from convo_replay.redaction import encodings, laid_out
from convo_replay.redaction.classes import DENSE, Class
from convo_replay.redaction.classes.entry import APART, LEAST_RUN, trie

_IN = "A-Za-z0-9+/_.-"
# Shorter words are passed by on the way to the next long run: each character is looked at once.
_RUN = re.compile(
    rf"(?:[{_IN}]{{0,{LEAST_RUN - 1}}}+[^{_IN}]++){{0,500}}+(?:(?P<run>[{_IN}]{{{LEAST_RUN},}}+)|[{_IN}]*+\Z)?"
)
_SHORT = 128
_MOST_DULL = 50_000
_dull: set[str] = {""}


_ANCHOR = trie(DENSE)
_AT_START = re.compile(_ANCHOR)
_UNMISTAKABLE = trie([anchor for anchor, items in DENSE.items() if any(one.pattern.startswith(APART) for one in items)])
_INSIDE = re.compile(rf"[+/.]({_ANCHOR})|[_-]({_UNMISTAKABLE})")
_ESCAPE_END = re.compile(
    r"(?<=\\)(?:[bfnrt]|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})|(?<=%)[0-9A-Fa-f]{2}|(?<=[\[;])\d{0,3}[mK]"
)
_MAY_START = re.compile(rf"(?:[bfnrt]|u[0-9A-Fa-f]{{4}}|x?[0-9A-Fa-f]{{2}}|\d{{0,3}}[mK])?{_ANCHOR}")
"""An anchor at the beginning of a run, or behind the rest of an escape whose first character stands before the run."""


def telling(text: str) -> Set[str]:
    """The runs of a text, each once, that can hold anything."""
    some = set(_RUN.findall(text))
    some -= _dull
    if not some:
        return some
    told = {run for run in some if _tells(run)}
    if len(_dull) > _MOST_DULL:
        _dull.clear()
        _dull.add("")
    _dull.update(run for run in some if len(run) <= _SHORT and run not in told)
    return told


def _tells(run: str) -> bool:
    size = len(run)
    if encodings.is_medium(run, 0, size):
        return False
    return _MAY_START.match(run) is not None or _INSIDE.search(run) is not None or encodings.may_hide(run, 0, size)


Spots = list[tuple[int, Sequence[Class]]]
"""Where anchors stand, and the classes of each."""


def look(text: str, told: Set[str], decode: bool) -> tuple[Spots, list[encodings.View]]:
    """The anchors in these runs of a text, and what those say in base64 and hex if `decode`."""
    spots: Spots = []
    views: list[encodings.View] = []
    lines_end = 0
    for match in _RUN.finditer(text) if told else ():
        if match["run"] not in told:
            continue
        start, end = match.span("run")
        anchor = _AT_START.match(text, start, end)
        if anchor is None and start and text[start - 1] in "\\%[;":
            escape = _ESCAPE_END.match(text, start, end)
            anchor = None if escape is None else _AT_START.match(text, escape.end(), end)
        if anchor is not None:
            spots.append((anchor.start(), DENSE[anchor[0]]))
        for inside in _INSIDE.finditer(text, start, end):
            spots.append((inside.start(inside.lastindex or 0), DENSE[inside[1] or inside[2]]))
        if decode and encodings.may_hide(text, start, end):
            views += encodings.hidden(text, start, end)
            if start >= lines_end and laid_out.may_go_on(text, start, end):
                lines_end, broken = laid_out.lines(text, start, end)
                views += broken
    return spots, views
