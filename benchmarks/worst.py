"""Texts on which a search for secrets is slow: for each class of the table, what its anchors and pattern like least.

Made from the table itself, so that a new class is measured with its first commit.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator

from convo_replay.redaction.classes import CLASSES, Class

Grown = Callable[[int], str]
"""A text of about so many characters."""

# What a pattern may take at length, and what may stand between two beginnings of one.
_RUNS = ("a", "A", "0", "a1", "aB3", "-", "_", ".", "/", "=", " ", "\\", '"', "%41", "\\u0041", "\n", "@", ":", "é")


def repeated(unit: str) -> Grown:
    """One text again and again."""
    return lambda n: (unit * (n // len(unit) + 1))[:n]


def begun(start: str, unit: str) -> Grown:
    """One beginning, and then a run."""
    return lambda n: start + repeated(unit)(n)


def ended(unit: str, end: str) -> Grown:
    """A run, and then an end."""
    return lambda n: repeated(unit)(n) + end


def anywhere() -> Iterator[tuple[str, Grown]]:
    """What is slow whatever is searched for: runs, nests, encodings."""
    for unit in (*_RUNS, "[", "{", '{"a":', "}", "[]", '"a",', "a.", "a@", "@a.", "1-", "555-", "+1 ", "://",
                 "a:b@", "eyJ", "====", "key=", "password:", 'secret":"', "%25", "\\\\", "\\u0022", "data: ",
                 "&a=b"):  # fmt: skip
        yield f"{unit!r}, again and again", repeated(unit)
    yield "base64 in one run", lambda n: _base64(n)
    yield "base64 in base64", lambda n: base64.b64encode(_base64(n * 3 // 4).encode()).decode()
    yield "base64 in runs of 76", lambda n: "\n".join(_base64(n)[at : at + 76] for at in range(0, n, 76))
    yield "base64 in runs of 24", lambda n: " ".join(_base64(n)[at : at + 24] for at in range(0, n, 24))
    yield "base64 of text", lambda n: base64.b64encode(repeated("The answer is 42. ")(n * 3 // 4).encode()).decode()
    yield "hex", lambda n: random.Random(n).randbytes(n // 2).hex()
    yield "hex of text", lambda n: repeated("key is sk-")(n // 2).encode().hex()
    yield "digits", lambda n: "".join(random.Random(n).choices("0123456789-. ()", k=n))


def of_class(item: Class) -> Iterator[tuple[str, Grown]]:
    """What is slow for one class: its anchor repeated, almost a match, a match that does not end."""
    for anchor in item.anchors:
        yield f"{anchor!r}, again and again", repeated(anchor)
        yield f"{anchor!r} and a space", repeated(anchor + " ")
        for unit in _RUNS:
            yield f"{anchor!r}, then {unit!r}", begun(anchor, unit)
            yield f"{unit!r}, then {anchor!r}", ended(unit, anchor)
        for before in sorted(item.before)[:3]:
            yield f"300 of {before!r} and {anchor!r}, again and again", repeated(before * 300 + anchor)
    if not item.pattern or not item.example:
        return
    example = item.example
    for cut in sorted({len(example) // 4, len(example) // 2, len(example) * 3 // 4, len(example) - 1}):
        if cut > 0:
            yield f"{cut} characters of one", repeated(example[:cut])
            yield f"{cut} characters of one and a space", repeated(example[:cut] + " ")
            yield f"{cut} characters of one and a letter that ends it", repeated(example[:cut] + "é")
    yield "one after the other", repeated(example)
    yield "one after the other, apart", repeated(example + "\n")
    yield "one after the other in quotes", repeated(f'"{example}", ')
    yield "one in base64, again and again", repeated(base64.b64encode(f" {example} ".encode()).decode() + " ")
    yield "one in hex, again and again", repeated(example.encode().hex() + " ")
    for unit in ("a1", "A", "0", "-", "."):
        yield f"one, then {unit!r}", begun(example, unit)


def strings() -> Iterator[tuple[str, Grown]]:
    """All of them, named `class: what`."""
    yield from ((f"any: {what}", grown) for what, grown in anywhere())
    for item in CLASSES:
        yield from ((f"{item.name}: {what}", grown) for what, grown in of_class(item))


def _base64(n: int) -> str:
    return base64.b64encode(random.Random(7).randbytes(n * 3 // 4 + 3)).decode()[:n]
