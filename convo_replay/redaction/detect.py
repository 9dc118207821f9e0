"""Finding secrets in one text: known values, table patterns, telling names, `secrets=`, in any encoding.

A finding is a stretch of the text. Findings that overlap are one, so that a key inside a connection
string goes with it; placeholders already in the text are never searched in, so that redacting twice
changes nothing; digits that follow a finding belong to it, or `redacted-env-1` and `23` would read as
number 123. What a text says once decoded (encodings.py) is searched like the text itself.
"""

from __future__ import annotations

import functools
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from convo_replay.redaction import encodings, media, naming, placeholders, runs
from convo_replay.redaction.classes import ANCHORS, CLASSES, LOOSE, SEARCHED, Class, classify
from convo_replay.redaction.classes.entry import LEAST_RUN, trie
from convo_replay.redaction.halves import BEGINS, Halves
from convo_replay.redaction.literals import FEW, ManyLiterals, Search, encoded_forms, forms, literals
from convo_replay.redaction.placeholders import Placeholder

# `redacted-` before a secret and a number after it make no placeholder.
_NAMES = frozenset(item.name for item in CLASSES)

Secret = str | re.Pattern[str] | Callable[[str], Iterable[tuple[int, int]]]

_ESCAPABLE = re.compile(r"[^!#-.0-;=?-\[\]-~]")
_LEAST_NUMBER, _LEAST_ASKED = 10**8, 10**4
_MOST_SEARCHED = 2_000_000
_LEAST_ENCODED = 7
_SHORT = 128
_MOST_REMEMBERED = 30_000
_clean: set[str] = set()
"""Short texts that hold nothing of the table, whoever asks: the words of every body."""
_empty: set[str] = set()
"""Short texts in which something of the table begins, and nothing is found."""
_DEPTH = 4
"""Encodings inside each other: base64 of base64 of JSON in a URL."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` is of class `cls` and stands for `value` (the text itself where that is encoded).

    `opaque`: it is base64, and base64 of its length is to take its place. `context`: it is known by what
    stands beside it, and is to be learned if it is to be found elsewhere.
    """

    start: int
    end: int
    cls: str
    value: str = field(repr=False)
    opaque: bool = False
    context: bool = False

    def __repr__(self) -> str:
        return f"<{self.cls} at {self.start}:{self.end}>"


class Detector:
    """What counts as a secret in one conversation, and where it stands in a text.

    Args:
        secrets: strings, compiled patterns, callables `text -> [(start, end), …]`.
        keep: classes that are not looked for.

    """

    def __init__(self, secrets: Sequence[Secret] = (), keep: Collection[str] = ()) -> None:
        self.generation = 0
        """Grows with every value learned: what was found clean before may not be so now."""
        self.scanned = 0
        """How many texts were looked at: the measure of cost."""
        self._keep = frozenset(keep)
        self._classes: dict[str, str] = {}
        self._forms: dict[str, str] = {}
        self._encoded: dict[str, int] = {}
        self._halves = Halves()
        self._escapable = False
        """Whether a known value holds what JSON escapes."""
        self._literals: Search | None = None
        """A search for all of the values that were known when it was built."""
        self._many: ManyLiterals | None = None
        """The same where they are many, and more of them join it."""
        self._recent: dict[str, tuple[str, ...]] = {}
        """The others."""
        self._searched = 0
        self._least = BEGINS
        """Characters of the shortest text that a known value, or the beginning of one, may be in."""
        self.least_number = _LEAST_NUMBER
        """Numbers below hold nothing."""
        self._patterns = [secret for secret in secrets if isinstance(secret, re.Pattern)]
        self._callables = [secret for secret in secrets if callable(secret)]
        if self._patterns or self._callables:
            self.least_number = _LEAST_ASKED
        for secret in secrets:
            if isinstance(secret, str):
                self.learn(secret, "secret")

    def __repr__(self) -> str:
        return f"<Detector with {len(self._classes)} known values>"

    @property
    def known_classes(self) -> frozenset[str]:
        """The classes of the known values."""
        return frozenset(self._classes.values())

    def learn(self, value: str, cls: str) -> bool:
        """From now on `value` is a secret of class `cls` wherever it appears; `False` if it was one."""
        if not value or value in self._classes:
            return False
        self._classes[value] = classify(value) or cls
        if value.isdecimal():
            self.least_number = min(self.least_number, 10 ** (len(value) - 1))
        self._halves.add(value, self._classes[value])
        new = [form for form in forms(value) if self._forms.setdefault(form, value) == value]
        self._least = min(self._least, *map(len, new)) if new else self._least
        self._recent[value] = tuple(form for form in new if form != value)
        self._encoded.update((form, first) for form, first in encoded_forms(value).items() if form != value)
        self._escapable = self._escapable or _ESCAPABLE.search(value) is not None
        self.generation += 1
        return True

    def met(self, value: str, cls: str) -> bool:
        """`value` was found: the beginning of it at the end of a text is found from now on, too; whether it was not."""
        is_new = self._halves.add(value, cls)
        self.generation += is_new
        return is_new

    def find(
        self, text: str, local: Mapping[str, str] | None = None, *, custom: bool = True, context: bool = True
    ) -> list[Finding]:
        """The findings in `text`, in order, apart from each other, outside of placeholders.

        Args:
            text: any text.
            local: value → class of what counts in this text only.
            custom: whether the patterns and callables of `secrets=` are asked.
            context: whether what is known only by what stands beside it counts.
        """
        self.scanned += 1
        return self._find(text, local, custom and bool(self._patterns or self._callables), context, _DEPTH)

    def _find(
        self, text: str, local: Mapping[str, str] | None, custom: bool, context: bool, depth: int
    ) -> list[Finding]:
        found = [*self.known(text), *self._begun(text)] if self._classes or self._halves else []
        for value, cls in local.items() if local else ():
            if value in text:
                found += [Finding(m.start(), m.end(), cls, value) for m in re.finditer(re.escape(value), text)]
        if len(text) > _SHORT or not (text in _clean or text in _empty or _is_word(text)):
            found += self._by_table(text, found, custom, context, depth)
        if self._escapable and depth:
            for view in encodings.json_views(text):
                found += self._known_in_view(text, view, depth - 1)
        if custom:
            found += self._custom(text)
            for value in {finding.value for view in _views(text) for finding in self._custom(view)}:
                for form in forms(value):
                    found += [Finding(m.start(), m.end(), "secret", value) for m in re.finditer(re.escape(form), text)]
        return _merged(text, found, _fixed(text)) if found else []

    def is_plain(self, text: str) -> bool:
        """Whether a short text is known to hold nothing; cheap."""
        if self._patterns or self._callables or not (text in _clean or _is_word(text)):
            return False
        return len(text) < self._least or not self.knows(text)

    def _by_table(self, text: str, known: Sequence[Finding], custom: bool, context: bool, depth: int) -> list[Finding]:
        """What the table, names and encodings say; a short text of which they say nothing is remembered."""
        found: list[Finding] = []
        patterned: list[Finding] = []
        told = runs.telling(text)
        dense, views = runs.look(text, told, depth > 0) if told else ([], [])
        spots = [*_loose(text), *dense]
        if depth:
            views += encodings.views(text)
        searched = _may_match(text)
        if spots or searched or known:
            fixed = _fixed(text)
            patterned = _tried(text, spots, fixed)
            for item in searched:
                patterned += _searched(text, item, fixed)
            patterned += _adjoining(text, [one.end for one in (*known, *patterned)] + [one.end for one in fixed])
            found += [one for one in patterned if one.cls not in self._keep and (context or not one.context)]
        named = list(naming.in_text(text))
        if depth and len(text) <= _SHORT and not (patterned or views or named or known):
            _remember(_empty if spots or searched or naming.may_hold(text) else _clean, text)
        if context:
            found += [
                Finding(start, end, cls, text[start:end], context=True)
                for start, end, cls in named
                if cls not in self._keep
            ]
        for view in views:
            found += self._in_view(text, view, custom, context, depth - 1)
        return found

    def _in_view(self, text: str, view: encodings.View, custom: bool, context: bool, depth: int) -> Iterator[Finding]:
        for finding in self._find(view.text, None, custom, context, depth):
            start, end, opaque = view.place(finding.start, finding.end)
            yield Finding(start, end, finding.cls, text[start:end], opaque or finding.opaque)

    def _known_in_view(self, text: str, view: encodings.View, depth: int) -> Iterator[Finding]:
        found = self.known(view.text)
        if depth:
            for inner in encodings.json_views(view.text):
                found += self._known_in_view(view.text, inner, depth - 1)
        for finding in found:
            start, end, _ = view.place(finding.start, finding.end)
            yield Finding(start, end, finding.cls, text[start:end], finding.opaque)

    def _custom(self, text: str) -> list[Finding]:
        spans = [match.span() for pattern in self._patterns for match in pattern.finditer(text)]
        for function in self._callables:
            spans += [(max(start, 0), min(end, len(text))) for start, end in function(text)]
        return [Finding(start, end, "secret", text[start:end]) for start, end in spans if start < end]

    def known(self, text: str) -> list[Finding]:
        """The known values in `text`, in any of their forms; may touch placeholders."""
        if self._recent and len(self._forms) > FEW:
            if self._many is None:
                self._literals = self._many = ManyLiterals(self._forms)
            else:
                self._many.add([form for value, others in self._recent.items() for form in (value, *others)])
            self._recent = {}
        found = self._known_one_by_one(text)
        if self._recent:
            # To build the search for all at once costs as much as some hundred thousand characters searched one by one.
            self._searched += len(text) * len(self._recent) + 1000
            if self._searched >= _MOST_SEARCHED:
                self._literals = literals(tuple(self._forms))
                self._recent, self._searched = {}, 0
                return [self._known(text, start, form) for start, form in self._literals.find(text)]
        if self._literals is not None:
            found += [self._known(text, start, form) for start, form in self._literals.find(text)]
        return found

    def _begun(self, text: str) -> list[Finding]:
        return [Finding(at, len(text), cls, text[at:]) for at, cls in self._halves.find(text)]

    def _known_one_by_one(self, text: str) -> list[Finding]:
        found: list[Finding] = []
        for value, others in self._recent.items():
            for form in (value, *others) if len(text) >= _LEAST_ENCODED or "\\" in text or "%" in text else (value,):
                if form in text:
                    found += [self._known(text, m.start(), form) for m in re.finditer(re.escape(form), text)]
        return found

    def _known(self, text: str, start: int, form: str) -> Finding:
        value, end = self._forms[form], start + len(form)
        first = self._encoded.get(form)
        if first is not None:
            start, end = encodings.to_run_end(text, max(start - first, 0), end)
        # Another way of writing a value is a value of its own: what it stands for elsewhere is another text.
        written = value if form == value else text[start:end]
        return Finding(start, end, self._classes[value], written, opaque=first is not None)

    def may_hold(self, text: str) -> bool:
        """Whether anything could be found in `text`, or in what it is the JSON of; cheap, and generous."""
        self.scanned += 1
        if self._patterns or self._callables:
            return True
        if len(text) > _SHORT or text not in _clean:
            looked = media.without(text)
            for part, anchors in _LOOSE:
                if part in looked:
                    for anchor, classes in anchors:
                        if anchor in looked and _may_go_on(looked, anchor, classes):
                            return True
            if encodings.is_escaped(looked) or naming.may_hold(looked) or _may_match(looked):
                return True
            told = runs.telling(looked)
            if told:
                dense, views = runs.look(looked, told, True)
                if dense or any(self.may_hold(view.text) for view in views):
                    return True
        return self.knows(text)

    def knows(self, text: str) -> bool:
        """Whether a known value may stand in `text`, or in what it is the JSON of: the part that grows."""
        if not (self._classes or self._halves):
            return False
        return bool(self.known(text)) or (self._escapable and "\\" in text) or self._halves.may_hold(text)

    def is_unsure(self, text: str) -> bool:
        """Whether what `find` says of a text may be other than what it says of the values of which it is the JSON."""
        unsure = self._patterns or self._callables or encodings.is_escaped(text) or naming.may_hold(text)
        return bool(unsure) or self._halves.may_hold(text) or (self._escapable and "\\" in text)

    def may_begin(self, text: str) -> bool:
        """Whether a secret may begin in `text`, the first characters of something longer."""
        if any(anchor in text for anchor in ANCHORS):
            return True
        return any(
            text[at : at + 8] == form[:8] for form in self._forms if len(form) >= 8 for at in range(len(text) - 7)
        )


_RARE = ("%", "@", "=", "\\", "k-", "sers")
"""Parts of loose anchors: one look for a part spares those for all that have it."""


def _by_part() -> tuple[tuple[str, tuple[tuple[str, tuple[Class, ...]], ...]], ...]:
    """The loose anchors by a part that few texts hold, or by themselves."""
    groups: dict[str, list[tuple[str, tuple[Class, ...]]]] = {}
    for anchor, classes in LOOSE.items():
        groups.setdefault(next((part for part in _RARE if part in anchor), anchor), []).append((anchor, classes))
    return tuple((part, tuple(anchors)) for part, anchors in groups.items())


_LOOSE = _by_part()


def _is_word(text: str) -> bool:
    """Whether a text is one word, too short for a key: whatever the table looks for has other characters, too."""
    return len(text) < LEAST_RUN and (text.isalnum() or text.isidentifier())


Spot = tuple[int, Sequence[Class]]
"""Where an anchor stands, and its classes."""


def _loose(text: str) -> list[Spot]:
    """The anchors that may stand anywhere."""
    spots: list[Spot] = []
    for part, anchors in _LOOSE:
        if part not in text:
            continue
        for anchor, classes in anchors:
            if all(item.after for item in classes):
                spots += [(match.start(), classes) for match in _followed(anchor, classes).finditer(text)]
                continue
            at = text.find(anchor)
            while at >= 0:
                spots.append((at, classes))
                at = text.find(anchor, at + 1)
    return spots


@functools.cache
def _followed(anchor: str, classes: tuple[Class, ...]) -> re.Pattern[str]:
    return re.compile(f"{re.escape(anchor)}(?=[{''.join(item.after for item in classes)}])")


@functools.cache
def _followed_in_json(anchor: str, classes: tuple[Class, ...]) -> re.Pattern[str]:
    return re.compile(_followed(anchor, classes).pattern[:-1] + r"|\\)")


def _may_go_on(text: str, anchor: str, classes: tuple[Class, ...]) -> bool:
    """Whether behind an anchor in a text there is what may follow it, in JSON perhaps."""
    return not all(item.after for item in classes) or _followed_in_json(anchor, classes).search(text) is not None


def _may_match(text: str) -> list[Class]:
    """The classes without an anchor that may stand in a text."""
    folded: bytes | None = None
    some = []
    for item in SEARCHED:
        if item.looks:
            folded = text.encode("utf-8", "surrogatepass").translate(_FOLDED) if folded is None else folded
            if item.looks.encode() not in folded:
                continue
        if item.regex.search(text):
            some.append(item)
    return some


_FOLDED = bytes.maketrans(b"123456789 .", b"000000000--")
"""Digits that are all alike, as what stands between groups of them."""


def _remember(texts: set[str], text: str) -> None:
    if len(texts) >= _MOST_REMEMBERED:
        texts.clear()
    texts.add(text)


def _fixed(text: str) -> list[Placeholder]:
    return [place for place in placeholders.places(text) if place.cls in _NAMES]


_MOST_BEFORE = 256
_MOST_ADJOINING = 4096
_ANY_START = re.compile(trie(ANCHORS))


@functools.cache
def _chars(before: frozenset[str]) -> str:
    return "".join(sorted(before))


def _tried(text: str, spots: Sequence[Spot], fixed: Sequence[Placeholder]) -> list[Finding]:
    """What the classes of anchors find where those stand: of classes without a group, the first."""
    found: list[Finding] = []
    ends: dict[int, int] = {}
    for at, classes in spots:
        if at < ends.get(id(classes), 0):
            continue
        # A match ends before the next placeholder: what was too short for a key is none for standing beside one.
        limit = len(text)
        if fixed:
            following = bisect_right(fixed, at, key=lambda place: place.start)
            if following < len(fixed):
                limit = fixed[following].start
        for item in classes:
            begin = at
            if item.before:
                low = max(at - _MOST_BEFORE, 0)
                begin = low + len(text[low:at].rstrip(_chars(item.before)))
                if item.needs and not any(char in text[begin:at] for char in item.needs):
                    continue
            match = item.regex.match(text, begin, limit)
            if match is None or (item.check is not None and not item.check(match)):
                continue
            group = "value" if "value" in item.regex.groupindex else 0
            found.append(Finding(match.start(group), match.end(group), item.name, match[group], context=item.context))
            ends[id(classes)] = match.end(group)
            if not group:
                break
    return found


def _adjoining(text: str, ends: list[int]) -> list[Finding]:
    """Keys that begin where something ends that is replaced: nothing else stands to their left."""
    found: list[Finding] = []
    tried: set[int] = set()
    while ends:
        at = ends.pop()
        anchor = None if at in tried else _ANY_START.match(text, at)
        tried.add(at)
        if anchor is None or not text[at - 1 : at].isalnum():
            continue
        rest = text[at : at + _MOST_ADJOINING]
        for item in ANCHORS[anchor[0]]:
            match = item.regex.match(rest)
            if match is not None and (item.check is None or item.check(match)):
                group = "value" if "value" in item.regex.groupindex else 0
                start, end = match.span(group)
                found.append(Finding(at + start, at + end, item.name, match[group], context=item.context))
                ends.append(at + end)
                break
    return found


def _searched(text: str, item: Class, fixed: Sequence[Placeholder]) -> list[Finding]:
    group = "value" if "value" in item.regex.groupindex else 0
    found = []
    starts = [0, *[place.end for place in fixed]]
    for start, end in zip(starts, [*[place.start for place in fixed], len(text)], strict=True):
        for match in item.regex.finditer(text, start, end):
            if item.check is None or item.check(match):
                found.append(Finding(match.start(group), match.end(group), item.name, match[group]))
    return found


def _views(text: str, depth: int = 2) -> Iterator[str]:
    """What a text says once decoded: percent-encoding, JSON in a string. For patterns that know no escapes."""
    if "%" in text:
        decoded = unquote(text)
        if decoded != text:
            yield decoded
    if depth and text.lstrip()[:1] in ("{", "[", '"'):
        try:
            stack = [json.loads(text)]
        except (ValueError, RecursionError):
            return
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                yield item
                yield from _views(item, depth - 1)
            elif isinstance(item, dict):
                stack += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                stack += item


def _merged(text: str, found: list[Finding], fixed: Sequence[Placeholder]) -> list[Finding]:
    if fixed:
        found = [kept for finding in found if (kept := _beside(text, finding, fixed)) is not None]
    found.sort(key=lambda f: (f.start, -f.end))
    merged: list[Finding] = []
    for finding in found:
        last = merged[-1] if merged else None
        if last is None or finding.start >= last.end:
            merged.append(finding)
        else:
            merged[-1] = _united(text, last, finding)
    return [
        one if one.opaque else _with_digits(text, one, merged[n + 1].start if n + 1 < len(merged) else len(text))
        for n, one in enumerate(merged)
    ]


def _united(text: str, one: Finding, other: Finding) -> Finding:
    """Two findings that overlap, as one: of the class of what is known by itself, else of the longer one."""
    if one.context != other.context:
        named = other if one.context else one
    else:
        named = other if other.end - other.start > one.end - one.start else one
    end = max(one.end, other.end)
    if (named.start, named.end) == (one.start, end):
        return named
    return replace(named, end=end, start=one.start, value=text[one.start : end], opaque=one.opaque or other.opaque)


def _beside(text: str, finding: Finding, fixed: Sequence[Placeholder]) -> Finding | None:
    """A finding grown around the placeholders that it touches; `None` for one inside a placeholder."""
    start, end = finding.start, finding.end
    at = bisect_right(fixed, start, key=lambda place: place.end)
    while at < len(fixed) and fixed[at].start < end:
        if fixed[at].start <= finding.start and finding.end <= fixed[at].end:
            return None
        start, end = min(start, fixed[at].start), max(end, fixed[at].end)
        at += 1
    if (start, end) == (finding.start, finding.end):
        return finding
    return replace(finding, start=start, end=end, value=text[start:end])


def _with_digits(text: str, finding: Finding, limit: int) -> Finding:
    end = finding.end
    while end < limit and text[end].isdecimal():
        end += 1
    return finding if end == finding.end else replace(finding, end=end, value=text[finding.start : end])
