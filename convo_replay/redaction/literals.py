"""Known values: how each may be written, and many of them looked for in one text at once."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol
from urllib.parse import quote, quote_plus

_DENSE = re.compile(r"[\w+/=.%~!@#$^&*:-]{8,}", re.ASCII)


FEW = 200
"""Literals that are looked for as one regular expression: with more of them it tries each at every place."""
_BEGINNING = 8
"""Characters by which literals are looked up."""


class Search(Protocol):
    """Looks for many literals in one text."""

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """(offset, literal): the longest that begins at a place; those of two kinds may overlap."""


class Literals:
    """A few literals in one text. Those without spaces and quotes, nearly all, are looked for only in runs
    of their own characters at least as long as the shortest: in prose, almost nowhere."""

    def __init__(self, literals: Iterable[str]) -> None:
        ordered = sorted(literals, key=len, reverse=True)
        dense = [text for text in ordered if _DENSE.fullmatch(text)]
        self._other = _any_of([text for text in ordered if not _DENSE.fullmatch(text)])
        self._dense = _any_of(dense)
        if dense:
            self._runs = _runs(set("".join(dense)), len(dense[-1]))

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """See `Search`."""
        if self._other is not None:
            for match in self._other.finditer(text):
                yield match.start(), match[0]
        if self._dense is not None:
            for run in self._runs.finditer(text):
                for match in self._dense.finditer(text, run.start(), run.end()):
                    yield match.start(), match[0]


class ManyLiterals:
    """The same of many, found by how they begin, then by their lengths: more of them cost no more, nor do new ones."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._dense, self._other = _ByBeginning(), _ByBeginning()
        self._chars: set[str] = set()
        self._found = re.compile("")
        self.add(literals)

    def add(self, literals: Iterable[str]) -> None:
        """Looks for these, too."""
        chars, shortest = len(self._chars), self._dense.shortest
        for text in literals:
            if _DENSE.fullmatch(text):
                self._dense.add(text)
                self._chars.update(text)
            else:
                self._other.add(text)
        if (chars, shortest) != (len(self._chars), self._dense.shortest):
            self._found = _runs(self._chars, self._dense.shortest)

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """See `Search`."""
        yield from self._other.find(text, 0, len(text))
        if self._chars:
            for run in self._found.finditer(text):
                yield from self._dense.find(text, run.start(), run.end())


class _ByBeginning:
    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._size = _BEGINNING
        self._lengths: dict[str, list[int]] = {}
        self.shortest = 0

    def add(self, text: str) -> None:
        if text in self._texts:
            return
        self._texts.add(text)
        self.shortest = min(self.shortest or len(text), len(text))
        if self.shortest < self._size:
            self._size, self._lengths = self.shortest, {}
            for known in self._texts:
                self._enter(known)
        else:
            self._enter(text)

    def _enter(self, text: str) -> None:
        lengths = self._lengths.setdefault(text[: self._size], [])
        if len(text) not in lengths:
            lengths.append(len(text))
            lengths.sort(reverse=True)

    def find(self, text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
        size, lengths, free = self._size, self._lengths, start
        if not lengths:
            return
        for at in [at for at in range(start, end - size + 1) if text[at : at + size] in lengths]:
            if at < free:
                continue
            for length in lengths[text[at : at + size]]:
                found = text[at : at + length]
                if at + length <= end and found in self._texts:
                    yield at, found
                    free = at + length
                    break


def _any_of(texts: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, texts))) if texts else None


def _runs(chars: set[str], least: int) -> re.Pattern[str]:
    """Runs of these characters, of at least so many."""
    among = "".join(map(re.escape, sorted(chars)))
    return re.compile(f"(?<![{among}])[{among}]{{{least},}}")


@functools.lru_cache(32)  # test after test knows the same keys
def literals(texts: tuple[str, ...]) -> Literals:
    """The search for these texts."""
    return Literals(texts)


@functools.lru_cache(256)
def forms(value: str) -> tuple[str, ...]:
    """How `value` may be written: as it is, in JSON strings once and twice escaped, percent-encoded, in hex, in
    base64."""
    written = [value]
    for ascii_only in (False, True):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        written += [once, twice, once.replace("/", "\\/"), twice.replace("/", "\\\\/")]
    data = value.encode("utf-8", "surrogatepass")
    written += [quote(data, safe=""), quote(data), quote_plus(data)]
    if len(data) >= LEAST_ENCODED:
        written += [data.hex(), data.hex().upper()]
    written += encoded_forms(value)
    return tuple(dict.fromkeys(written))


LEAST_ENCODED = 6
"""Bytes of a value that is looked for in base64 and hex."""


@functools.lru_cache(256)
def encoded_forms(value: str) -> dict[str, int]:
    """How `value` shows in base64, at one of three bit offsets, without characters it shares with its neighbours.

    Form → how many characters before it hold bits of it or belong to the same three bytes.
    """
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < LEAST_ENCODED:
        return {}
    written: dict[str, int] = {}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        whole = (before + len(data)) * 8 // 6
        first = -(-before * 8 // 6)
        inner = encoded[first:whole]
        written.setdefault(inner, first)
        written.setdefault(inner.replace("+", "-").replace("/", "_"), first)
    return written
