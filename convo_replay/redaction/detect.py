"""Finding secrets in one text: known values in the encodings they travel in, table patterns, `secrets=`.

A finding is a stretch of the text. Findings that overlap are one, so that a key inside a connection
string goes with it; placeholders already in the text are never searched in, so that redacting twice
changes nothing; digits that follow a finding belong to it, or `redacted-env-1` and `23` would read as
number 123.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, unquote

from convo_replay.redaction import placeholders
from convo_replay.redaction.classes import ANCHORS, CLASSES, SEARCHED, Class, classify
from convo_replay.redaction.placeholders import Placeholder

# `redacted-` before a secret and a number after it make no placeholder.
_NAMES = frozenset(item.name for item in CLASSES)

Secret = str | re.Pattern[str] | Callable[[str], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` is of class `cls` and stands for `value` (decoded where the text encodes it)."""

    start: int
    end: int
    cls: str
    value: str

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
        """How many texts were searched: the measure of cost."""
        self._keep = frozenset(keep)
        self._classes: dict[str, str] = {}
        self._forms: dict[str, str] = {}
        self._encoded: set[str] = set()
        self._literals: _Literals | None = None
        self._patterns = [secret for secret in secrets if isinstance(secret, re.Pattern)]
        self._callables = [secret for secret in secrets if callable(secret)]
        for secret in secrets:
            if isinstance(secret, str):
                self.learn(secret, "secret")

    def __repr__(self) -> str:
        return f"<Detector with {len(self._classes)} known values>"

    def learn(self, value: str, cls: str) -> bool:
        """From now on `value` is a secret of class `cls` wherever it appears; `False` if it was one."""
        if not value or value in self._classes:
            return False
        self._classes[value] = classify(value) or cls
        for form in forms(value):
            self._forms.setdefault(form, value)
        self._encoded.update(form for form in encoded_forms(value) if form != value)
        self._literals = None
        self.generation += 1
        return True

    def find(self, text: str, local: Mapping[str, str] | None = None, *, custom: bool = True) -> list[Finding]:
        """The findings in `text`, in order, apart from each other, outside of placeholders.

        Args:
            text: any text.
            local: value → class of what counts in this text only.
            custom: whether the patterns and callables of `secrets=` are asked.
        """
        self.scanned += 1
        fixed = [place for place in placeholders.places(text) if place.cls in _NAMES]
        found = self.known(text)
        for value, cls in local.items() if local else ():
            found += [Finding(m.start(), m.end(), cls, value) for m in re.finditer(re.escape(value), text)]
        for anchor, classes in ANCHORS.items():
            if anchor in text:
                found += [one for one in _anchored(text, anchor, classes, fixed) if one.cls not in self._keep]
        for item in SEARCHED:
            if item.name not in self._keep:
                found += _searched(text, item, fixed)
        if custom and (self._patterns or self._callables):
            found += self._custom(text)
            for value in {finding.value for view in _views(text) for finding in self._custom(view)}:
                for form in forms(value):
                    found += [Finding(m.start(), m.end(), "secret", value) for m in re.finditer(re.escape(form), text)]
        return _merged(text, found, fixed) if found else []

    def _custom(self, text: str) -> list[Finding]:
        spans = [match.span() for pattern in self._patterns for match in pattern.finditer(text)]
        for function in self._callables:
            spans += [(start, end) for start, end in function(text) if start >= 0 and end <= len(text)]
        return [Finding(start, end, "secret", text[start:end]) for start, end in spans if start < end]

    def known(self, text: str) -> list[Finding]:
        """The known values in `text`, in any of their forms; may touch placeholders."""
        if self._literals is None:
            self._literals = _literals(tuple(self._forms))
        return [self._known(text, start, form) for start, form in self._literals.find(text)]

    def _known(self, text: str, start: int, form: str) -> Finding:
        value, end = self._forms[form], start + len(form)
        if form in self._encoded:
            start, end = _base64_run(text, start, end)
        # Another way of writing a value is a value of its own: what it stands for elsewhere is another text.
        return Finding(start, end, self._classes[value], value if form == value else text[start:end])

    def may_hold(self, text: str) -> bool:
        """Whether anything could be found in `text`; cheap, and generous."""
        if self._patterns or self._callables or any(anchor in text for anchor in ANCHORS):
            return True
        if any(item.regex.search(text) for item in SEARCHED):
            return True
        return bool(self.known(text)) or _ESCAPED_ASCII.search(text) is not None

    def may_begin(self, text: str) -> bool:
        """Whether a secret may begin in `text`, the first characters of something longer."""
        if any(anchor in text for anchor in ANCHORS):
            return True
        return any(
            text[at : at + 8] == form[:8] for form in self._forms if len(form) >= 8 for at in range(len(text) - 7)
        )


_ESCAPED_ASCII = re.compile(r"\\u00[2-7]")
_DENSE = re.compile(r"[\w+/=.%~!@#$^&*:-]{8,}", re.ASCII)


class _Literals:
    """Many literals in one text. Those without spaces and quotes, nearly all, are looked for only in runs
    of their own characters at least as long as the shortest: in prose, almost nowhere."""

    def __init__(self, literals: Iterable[str]) -> None:
        ordered = sorted(literals, key=len, reverse=True)
        dense = [text for text in ordered if _DENSE.fullmatch(text)]
        other = [text for text in ordered if not _DENSE.fullmatch(text)]
        self._other = _any_of(other)
        self._dense = _any_of(dense)
        if dense:
            chars = "".join(map(re.escape, sorted(set("".join(dense)))))
            self._runs = re.compile(f"(?<![{chars}])[{chars}]{{{len(dense[-1])},}}")

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """(offset, literal); those of the two kinds may overlap."""
        if self._other is not None:
            for match in self._other.finditer(text):
                yield match.start(), match[0]
        if self._dense is not None:
            for run in self._runs.finditer(text):
                for match in self._dense.finditer(text, run.start(), run.end()):
                    yield match.start(), match[0]


@functools.lru_cache(32)  # test after test knows the same keys
def _literals(literals: tuple[str, ...]) -> _Literals:
    return _Literals(literals)


def _any_of(literals: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, literals))) if literals else None


@functools.lru_cache(256)
def forms(value: str) -> tuple[str, ...]:
    """How `value` may be written: as it is, in JSON strings once and twice escaped, percent-encoded, in base64."""
    written = [value]
    for ascii_only in (False, True):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        written += [once, twice, once.replace("/", "\\/")]
    data = value.encode("utf-8", "surrogatepass")
    written += [quote(data, safe=""), quote(data), quote_plus(data), *encoded_forms(value)]
    return tuple(dict.fromkeys(written))


@functools.lru_cache(256)
def encoded_forms(value: str) -> tuple[str, ...]:
    """How `value` shows in base64: at one of three bit offsets, without characters it shares with its neighbours."""
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < 6:
        return ()
    written: list[str] = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        whole = (before + len(data)) * 8 // 6
        inner = encoded[-(-before * 8 // 6) : whole]
        written += [inner, inner.replace("+", "-").replace("/", "_")]
    return tuple(written)


_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_TAIL = 512
"""Characters of base64 behind a value that are taken with it."""


def _base64_run(text: str, start: int, end: int) -> tuple[int, int]:
    """A value in base64 with the characters that hold bits of it, and what follows it in the same run.

    Behind a value everything shifts with its length: left standing, it would tell something of the value,
    and differ where another one is encoded.
    """
    begin = start
    while begin > 0 and text[begin - 1] in _BASE64 and start - begin < 4 * _TAIL:
        begin -= 1
    begin += (start - begin) // 4 * 4
    stop = end
    while stop < len(text) and text[stop] in _BASE64 and stop - end <= _TAIL:
        stop += 1
    if stop - end > _TAIL:
        return begin, min(len(text), end + -(end - begin) % 4)
    while stop < len(text) and text[stop] == "=" and (stop - begin) % 4:
        stop += 1
    return begin, stop


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


def _anchored(text: str, anchor: str, classes: Sequence[Class], fixed: Sequence[Placeholder]) -> list[Finding]:
    # A match ends before the next placeholder: what was too short for a key is none for standing beside one.
    found = []
    at = text.find(anchor)
    while at >= 0:
        after = at + 1
        following = bisect_right(fixed, at, key=lambda place: place.start)
        limit = fixed[following].start if following < len(fixed) else len(text)
        for item in classes:
            match = item.regex.match(text, item.begins(text, at), limit)
            if match is not None and (item.check is None or item.check(match)):
                group = "value" if "value" in item.regex.groupindex else 0
                found.append(Finding(match.start(group), match.end(group), item.name, match[group]))
                after = match.end()
                break
        at = text.find(anchor, after)
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


def _merged(text: str, found: list[Finding], fixed: Sequence[Placeholder]) -> list[Finding]:
    if fixed:
        found = [kept for finding in found if (kept := _beside(text, finding, fixed)) is not None]
    found.sort(key=lambda f: (f.start, -f.end))
    merged: list[Finding] = []
    for finding in found:
        last = merged[-1] if merged else None
        if last is None or finding.start >= last.end:
            merged.append(finding)
        elif finding.end > last.end:
            longer = finding if finding.end - finding.start > last.end - last.start else last
            merged[-1] = Finding(last.start, finding.end, longer.cls, text[last.start : finding.end])
    return [
        _with_digits(text, f, merged[n + 1].start if n + 1 < len(merged) else len(text)) for n, f in enumerate(merged)
    ]


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
    return Finding(start, end, finding.cls, text[start:end])


def _with_digits(text: str, finding: Finding, limit: int) -> Finding:
    end = finding.end
    while end < limit and text[end].isdecimal():
        end += 1
    return finding if end == finding.end else Finding(finding.start, end, finding.cls, text[finding.start : end])
