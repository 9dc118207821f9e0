"""One kind of value that is redacted: how it is recognized, what becomes of it, what stands in its place.

A class with a `pattern` is looked for in every text. Search is by *anchor*, a literal that each match
begins with: `str.find` walks a text at memory speed, and only where an anchor stands is the pattern
tried. Anchors of keys and ids, by far the most, are looked for only in long runs of the characters that
keys are made of (`dense`), so that prose costs next to nothing. Patterns are loose about lengths (a
vendor may change them) and strict about what stands to the left: a word character there means that
the anchor is the middle of something else (`task-…`, base64url), except where it ends an escape of
the text itself (`\\n`, `\\u0022`, `%3D`), and except before prefixes that occur nowhere by chance.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from convo_replay.redaction import colours

Policy = Literal["keep", "placeholder", "drop"]
Severity = Literal["error", "warn", "info"]
Check = Callable[[re.Match[str]], bool]

LEFT = (
    r"(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2})"
    rf"|{colours.END_BEFORE})"
)
"""Not inside a word, unless the "word" is the end of an escape: JSON in a string, percent-encoding, a colour."""
APART = LEFT.replace(r"(?<![\w-])", r"(?<![A-Za-z0-9])", 1)
"""As `LEFT`, but `_` and `-` may stand before: for what looks like nothing else (`KEY_ghp_…`)."""
A_DIGIT = r"(?=[\w-]{0,200}\d)"
DOCS = "the vendor's documentation"
HEX = "0123456789abcdef"
LEAST_RUN = 16
"""Characters of a run that anchors of dense classes are looked for in."""


@dataclass(frozen=True, slots=True)
class Class:
    """One kind of value.

    Attributes:
        name: the word for it in settings, in findings and in its placeholder.
        policy: what becomes of it by default: `keep`; `placeholder`; `drop` (headers only).
        severity: of a finding in a file: `error` for what gives access, `warn` for what tells who or where, `info`
            for what is kept.
        anchors: literals, one of which begins every match of `pattern`. Without any, a pattern is searched for in the
            whole text: for what has no literal in it, and costs accordingly.
        pattern: a regular expression, tried with `match` at an anchor; group `value`, where there is one, is what is
            replaced. Letters are those of ASCII (`\\w`, `\\b`): other scripts write no blank between a word and a key.
        check: asked about each match; `False` where it is none after all.
        shape: its placeholder with `{n}` for the number, where `redacted-NAME-{n}` would not look like the value.
        shapes: a regular expression → the shape in place of `shape` for values that begin so: another vendor's ids.
        example: one that the pattern takes (made up).
        source: where the shape is documented.
        before: characters that may stand left of the anchor and belong to the match (at most 256 of them).
        dense: whether a match lies in a run of at least 16 of `A-Za-z0-9+/_.-` that its anchor is part of.
        context: whether it is known by what stands beside it, not by its own look: a distinctive one is looked for
            everywhere from then on.
        looks: of a pattern without anchors, what stands in each match once every digit is `0` and each blank or full
            stop `-`; a text without it is not searched.
        after: what a character class says of the character behind the anchor: where another stands, nothing is tried.
        needs: characters, one of which stands between the beginning and the anchor, where there is such a beginning.
    """

    name: str
    policy: Policy = "placeholder"
    severity: Severity = "error"
    anchors: tuple[str, ...] = ()
    pattern: str = ""
    check: Check | None = None
    shape: str = ""
    example: str = ""
    source: str = ""
    before: frozenset[str] = frozenset()
    dense: bool = False
    context: bool = False
    looks: str = ""
    after: str = ""
    needs: str = ""
    shapes: tuple[tuple[str, str], ...] = ()

    @property
    def learned(self) -> bool:
        """Whether a value of it, once found, is looked for everywhere from then on."""
        return self.context

    @property
    def regex(self) -> re.Pattern[str]:
        """`pattern`, compiled when it is first needed: few files hold more than two or three classes."""
        return _compiled(self.pattern)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def trie(words: Iterable[str]) -> str:
    """A pattern for any of `words`, none of which begins another."""
    table: dict[str, list[str]] = {}
    for word in words:
        table.setdefault(word[0], []).append(word[1:])
    parts = [re.escape(first) + (trie(rest) if rest[0] else "") for first, rest in table.items()]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def by_pattern(
    name: str,
    anchors: str,
    pattern: str,
    example: str,
    source: str,
    *,
    severity: Severity = "error",
    shape: str = "",
    check: Check | None = None,
    before: str = "",
    dense: bool = False,
    context: bool = False,
    looks: str = "",
    after: str = "",
    needs: str = "",
    shapes: tuple[tuple[str, str], ...] = (),
) -> Class:
    """A class that is recognized in any text; `anchors` in one string, apart by spaces."""
    return Class(
        name, "placeholder", severity, tuple(anchors.split()), pattern, check, shape, example, source,
        frozenset(before), dense, context, looks, after, needs, shapes,
    )  # fmt: skip


def by_prefix(
    name: str, anchors: str, pattern: str, example: str, source: str, *, dense: bool = True, left: str = LEFT
) -> Class:
    """A key whose prefix tells whose it is: not inside a word, in a run of the characters of keys."""
    return by_pattern(name, anchors, left + pattern, example, source, dense=dense)
