"""Known values: how each may be written, and many of them looked for in one text at once."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus

_DENSE = re.compile(r"[\w+/=.%~!@#$^&*:-]{8,}", re.ASCII)


class Literals:
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
def literals(texts: tuple[str, ...]) -> Literals:
    """The search for these texts."""
    return Literals(texts)


def _any_of(texts: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, texts))) if texts else None


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
