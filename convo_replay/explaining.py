"""Why a request is not the recorded one: the paths at which they differ, with both values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from convo_replay.exchange import Binary, Blob, Body, Json, Parts, Request, Text
from convo_replay.matching import ID_KEYS, Fingerprints, canonical, comparable
from convo_replay.normalizing import normalized
from convo_replay.redaction import urls
from convo_replay.redaction.placeholders import classes_only, places, replaced


@dataclass(frozen=True, slots=True)
class Difference:
    """One path at which a recorded and a sent request differ. Values are redacted."""

    path: str
    recorded: Any
    sent: Any

    def __str__(self) -> str:
        recorded, sent = _shorten(self.recorded, self.sent)
        return f"{self.path}: recorded {recorded}, sent {sent}"


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


def nearest(sent: Request, recorded: Sequence[Request], rules: Fingerprints) -> int | None:
    """The index of the recorded request that differs from the sent one in the fewest parts; the path goes first."""
    ours = rules.pieces(sent)
    url = urlsplit(sent.url)

    def distance(index: int) -> tuple[bool, bool, bool, int, int]:
        known = urlsplit(recorded[index].url)
        elsewhere = (known.path != url.path, recorded[index].method.upper() != sent.method.upper())
        theirs = rules.pieces(recorded[index])
        unequal = sum(1 for a, b in zip(theirs[1:], ours[1:], strict=False) if a.loose != b.loose)
        rest = int(theirs[0].loose != ours[0].loose)
        other_query = urls.compared(known.query) != urls.compared(url.query)
        return (*elsewhere, other_query, abs(len(theirs) - len(ours)) * 2 + unequal + rest, index)

    return min(range(len(recorded)), key=distance, default=None)


def explain(recorded: Request, sent: Request, rules: Fingerprints, *, most: int = 8) -> list[Difference]:
    """Where a sent request differs from a recorded one, both redacted; at most `most` places.

    What `normalize` ignores is no difference, and neither are the numbers of placeholders.
    """
    preset = rules.preset
    differences: list[Difference] = []
    theirs, ours = urlsplit(recorded.url), urlsplit(sent.url)
    if recorded.method != sent.method:
        differences.append(Difference("method", recorded.method, sent.method))
    for name, a, b in (("scheme", theirs.scheme, ours.scheme), ("host", theirs.netloc, ours.netloc)):
        if name in rules.match_on and a.rpartition("@")[2].lower() != b.rpartition("@")[2].lower():
            differences.append(Difference(name, a.rpartition("@")[2], b.rpartition("@")[2]))
    if theirs.path != ours.path:
        differences.append(Difference("path", theirs.path, ours.path))
    if urls.compared(theirs.query) != urls.compared(ours.query):
        differences.append(Difference("query", theirs.query, ours.query))
    if "headers" in rules.match_on and sorted(comparable(recorded)) != sorted(comparable(sent)):
        known, given = dict(comparable(recorded)), dict(comparable(sent))
        differences += [
            Difference(f"headers.{name}", known.get(name, ABSENT), given.get(name, ABSENT))
            for name in {**known, **given}
            if known.get(name) != given.get(name)
        ]
    tool_ids: tuple[dict[str, int], dict[str, int]] = ({}, {})
    if isinstance(recorded.body, Json) and isinstance(sent.body, Json):
        a, b = rules.normalized(recorded.body.value), rules.normalized(sent.body.value)
        _walk("", a, b, differences, most, tool_ids if preset else None)
    elif isinstance(recorded.body, Parts) and isinstance(sent.body, Parts):
        differences += _parts(recorded.body, sent.body)
    elif recorded.body != sent.body:
        differences.append(Difference("body", _body_summary(recorded.body), _body_summary(sent.body)))
    return differences[:most]


def _parts(recorded: Parts, sent: Parts) -> Iterator[Difference]:
    """Where two forms differ, part by part."""
    for at in range(max(len(recorded.parts), len(sent.parts))):
        known = recorded.parts[at] if at < len(recorded.parts) else None
        given = sent.parts[at] if at < len(sent.parts) else None
        if known is None or given is None:
            yield Difference(f"body.parts[{at}]", *(ABSENT if part is None else part.name for part in (known, given)))
            continue
        for what in ("name", "filename"):
            if getattr(known, what) != getattr(given, what):
                yield Difference(f"body.parts[{at}].{what}", getattr(known, what), getattr(given, what))
        if isinstance(known.body, Text) and isinstance(given.body, Text):
            if classes_only(known.body.text) != classes_only(given.body.text):
                yield Difference(f"body.parts[{at}] ({known.name})", known.body.text, given.body.text)
        elif known.body != given.body:
            told = _body_summary(known.body), _body_summary(given.body)
            yield Difference(f"body.parts[{at}] ({known.name})", *told)


def _same_text(a: str, b: str, preset: bool) -> bool:
    if a == b:
        return True
    a, b = classes_only(a), classes_only(b)
    return a == b or (preset and normalized(a) == normalized(b))


def _walk(
    path: str, a: Any, b: Any, out: list[Difference], most: int, tool_ids: tuple[dict[str, int], dict[str, int]] | None
) -> None:
    if len(out) >= most:
        return
    if a is b and isinstance(a, (dict, list)):
        if tool_ids is not None:
            _note_ids(a, tool_ids)
    elif isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            _walk(f"{path}.{key}" if path else str(key), a.get(key, ABSENT), b.get(key, ABSENT), out, most, tool_ids)
    elif isinstance(a, list) and isinstance(b, list):
        for index in range(max(len(a), len(b))):
            _walk(
                f"{path}[{index}]",
                a[index] if index < len(a) else ABSENT,
                b[index] if index < len(b) else ABSENT,
                out, most, tool_ids,
            )  # fmt: skip
    elif isinstance(a, str) and isinstance(b, str):
        if tool_ids is not None and path.rpartition(".")[2] in ID_KEYS:
            number_a = tool_ids[0].setdefault(a, len(tool_ids[0]))
            number_b = tool_ids[1].setdefault(b, len(tool_ids[1]))
            if number_a == number_b:
                return
            out.append(Difference(path, a, b))
        elif not _same_text(a, b, tool_ids is not None and path != "model"):
            out.append(Difference(path, a, b))
    elif type(a) is not type(b) or a != b:
        out.append(Difference(path, a, b))


def _note_ids(value: Any, tool_ids: tuple[dict[str, int], dict[str, int]]) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            if key in ID_KEYS and isinstance(child, str):
                for numbers in tool_ids:
                    numbers.setdefault(child, len(numbers))
            else:
                _note_ids(child, tool_ids)
    elif isinstance(value, list):
        for child in value:
            _note_ids(child, tool_ids)


def _body_summary(body: Body) -> str:
    if body is None:
        return "no body"
    if isinstance(body, Json):
        return f"JSON {canonical(body.value)[:80]}"
    if isinstance(body, Text):
        return f"text {body.text[:80]!r}"
    if isinstance(body, Binary):
        return f"{len(body.data)} bytes"
    if isinstance(body, Blob):
        return f"{body.size} bytes, SHA-256 {body.sha256[:12]}…"
    return "a form with " + ", ".join(part.name for part in body.parts)


_SHOWN = 60


def _shorten(a: Any, b: Any) -> tuple[str, str]:
    """Both values, long ones cut to where they begin to differ."""
    if isinstance(a, str) and isinstance(b, str):
        b = _aligned(a, b)
    if isinstance(a, str) and isinstance(b, str) and max(len(a), len(b)) > 2 * _SHOWN:
        same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        start = max(0, same - _SHOWN // 2)
        return _cut(a, start), _cut(b, start)
    return _one(a), _one(b)


def _aligned(recorded: str, sent: str) -> str:
    """`sent` with the numbers of the recorded placeholders, which count for nothing, as far as both have the same."""
    names: dict[str, str] = {}
    for known, given in zip(places(recorded), places(sent), strict=False):
        if known.cls != given.cls:
            break
        names.setdefault(sent[given.start : given.end], recorded[known.start : known.end])
    return replaced(sent, names)


def _cut(text: str, start: int) -> str:
    end = start + 2 * _SHOWN
    return ("…" if start else "") + repr(text[start:end]) + ("…" if end < len(text) else "")


def _one(value: Any) -> str:
    if isinstance(value, str):
        return _cut(value, 0)
    text = repr(value) if value is ABSENT else canonical(value)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "…"
