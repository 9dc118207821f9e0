"""Which recorded request is this one? A hash to find it, a diff to explain why not.

Requests are matched on their meaning: parsed JSON, in the redacted form, so that neither key order
nor white space nor the live key counts. Because the API is stateless, request *k* repeats all
earlier turns; each message is hashed once per conversation and remembered by identity (the redactor
and the cassette give equal messages as one object), so a request costs what its turn added.

Two digests per request: `exact`, and `loose`, which is taken after `normalize` and is what the
index is built on. Both take a placeholder as its class alone, because its number says nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from convo_replay.bodies import MESSAGE_KEYS, message_key
from convo_replay.exchange import Binary, Blob, Body, Json, Request, Text
from convo_replay.providers import providers
from convo_replay.redaction.placeholders import classes_only, found

VOLATILE = re.compile(
    r"""
    (?<![\w.-])\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\ ?Z|\ ?UTC|[+-]\d\d:?\d\d)?)?(?![\w-])
    | (?<![\w])(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,?\ )?
      (?:(?:January|February|March|April|May|June|July|August|September|October|November|December)\ \d{1,2}(?:st|nd|rd|th)?,?\ \d{4}
      |\d{1,2}\ (?:January|February|March|April|May|June|July|August|September|October|November|December)\ \d{4})(?!\w)
    | (?<![\w])\d\d:\d\d:\d\d(?:[.,]\d+)?(?:\ ?Z|[+-]\d\d:?\d\d)?(?![\w:])
    | (?<![0-9a-fA-F-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-fA-F-])
    | (?:/private)?/(?:var/folders/\w\w/[^/\s"'\\]+/T|tmp|var/tmp)/(?:pytest-of-[^/\s"'\\]+/pytest-\d+(?:/popen-gw\d+)?|[^/\s"'\\]+)
    | [A-Za-z]:(?:\\\\?|/)Users(?:\\\\?|/)[^\\/\s"']+(?:\\\\?|/)AppData(?:\\\\?|/)Local(?:\\\\?|/)Temp(?:\\\\?|/)[^\\/\s"']+
    """,
    re.VERBOSE,
)
"""The `default` preset: dates and times of day, UUIDs, and folders under the temp directory.

The lookbehind keeps dates that are part of a name (`gpt-5.5-2026-04-23`) out of it.
"""
_VOLATILE_HINT = re.compile(r"\d\d-\d|:\d\d|\d{4}|[0-9a-fA-F]{4}-|tmp|/T/|Temp")

_UNNORMALIZED_KEYS = frozenset({"model"})


def normalized(text: str) -> str:
    """`text` with every volatile value (the `default` preset) replaced by `~`."""
    return VOLATILE.sub("~", text) if _VOLATILE_HINT.search(text) else text


def canonical(value: Any) -> str:
    """The JSON text of a value with sorted keys: equal exactly where the values are."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # integers over 64 bits, lone surrogates
        return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _mix(text: str = "") -> Any:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)


@dataclass(frozen=True, slots=True)
class Piece:
    """One hashed part of a body: a message of the history, or all the rest."""

    exact: bytes
    loose: bytes
    ids: tuple[str, ...] = ()
    """Ids of tool calls, in order; `loose` does not contain them."""
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a request is found by. `loose` indexes; the rest ranks those that share it."""

    loose: bytes
    exact: bytes
    host: str
    placeholders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One path at which a recorded and a sent request differ. Values are redacted."""

    path: str
    recorded: Any
    sent: Any

    def __str__(self) -> str:
        recorded, sent = _shorten(self.recorded, self.sent)
        return f"{self.path}: recorded {recorded}, sent {sent}"


@dataclass(slots=True)
class _Told:
    """A history that was hashed, and the state to go on from."""

    messages: list[Any] = field(default_factory=list)
    loose: Any = field(default_factory=_mix)
    exact: Any = field(default_factory=_mix)
    numbers: dict[str, int] = field(default_factory=dict)
    placeholders: list[str] = field(default_factory=list)
    known: int = 0


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


# --- paths of `normalize` --------------------------------------------------------------------------

_PATH_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]")


def parse_path(path: str) -> tuple[str | int, ...]:
    """`messages[*].content[0].text` as `("messages", "*", "content", 0, "text")`; a leading `$` is dropped.

    Raises:
        ValueError: the text is no such path.
    """
    text = path[1:] if path.startswith("$") and path[1:2] in (".", "[", "") else path
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _PATH_STEP.match(text, at)
        if match is None:
            raise ValueError(f"{path!r} is no JSON path at character {at}; write it like messages[*].content[0].text")
        name, index = match.groups()
        steps.append(name if name is not None else "*" if index == "*" else int(index))
        at = match.end()
    if not steps:
        raise ValueError(f"{path!r} is no JSON path; write it like messages[*].content[0].text")
    return tuple(steps)


def _replaced(value: Any, path: Sequence[str | int], replacement: Any) -> Any:
    """`value` with what is at `path` replaced; copies along the path only."""
    if not path:
        return replacement
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        keys = list(value) if step == "*" else [step] if step in value else []
        if keys:
            value = {**value, **{key: _replaced(value[key], rest, replacement) for key in keys}}
    elif isinstance(value, list):
        indexes = range(len(value)) if step == "*" else [step] if isinstance(step, int) and step < len(value) else []
        if indexes:
            value = list(value)
            for index in indexes:
                value[index] = _replaced(value[index], rest, replacement)
    return value


# --- fingerprints ----------------------------------------------------------------------------------


class Fingerprints:
    """Takes fingerprints of redacted requests; one per conversation, because it remembers messages.

    Args:
        match_on: names among `method scheme host path query body headers`; callables are for the player.
        normalize: `default` (volatile text, ids of tool calls, the providers' volatile paths) and pairs
            `(json path, replacement)`.
    """

    def __init__(
        self,
        match_on: Sequence[str | Callable[..., Any]] = ("method", "path", "query", "body"),
        normalize: Sequence[str | tuple[str, Any]] = ("default",),
    ) -> None:
        self.match_on = frozenset(name for name in match_on if isinstance(name, str))
        self.preset = "default" in normalize
        self.paths = [(parse_path(pair[0]), pair[1]) for pair in normalize if not isinstance(pair, str)]
        if self.preset:
            volatile = {path for provider in providers() for path in provider.volatile_paths}
            self.paths += [(parse_path(path), "~") for path in sorted(volatile)]
        self._history_paths = [(path[1:], new) for path, new in self.paths if path[0] in MESSAGE_KEYS and path[1:]]
        self._rest_paths = [(path, new) for path, new in self.paths if path[0] not in MESSAGE_KEYS or not path[1:]]
        self._whole = {path for path, _ in self.paths if len(path) == 1}
        self._by_index = any(isinstance(path[0], int) for path, _ in self._history_paths)
        self._pieces: dict[tuple[int, int], tuple[Any, Piece]] = {}
        self._rests: dict[str, Piece] = {}
        self._last: dict[int, _Told] = {}

    def of(self, request: Request) -> Fingerprint:
        """The fingerprint of a redacted request."""
        url = urlsplit(request.url)
        host = url.netloc.rpartition("@")[2].lower()
        line: list[str] = []
        if "method" in self.match_on:
            line.append(f"method {request.method.upper()}")
        if "scheme" in self.match_on:
            line.append(f"scheme {url.scheme}")
        if "host" in self.match_on:
            line.append(f"host {host}")
        if "path" in self.match_on:
            line.append(f"path {url.path or '/'}")
        if "query" in self.match_on:
            line.append(f"query {sorted(parse_qsl(url.query, keep_blank_values=True))}")
        if "headers" in self.match_on:
            line.append(f"headers {sorted(request.headers)}")
        exact_line = classes_only("\n".join(line))
        exact = _mix(exact_line)
        loose = _mix(self._loose(exact_line))
        placeholders = found(request.url)
        if "body" in self.match_on:
            rest, history = self._parts(request.body)
            exact.update(rest.exact)
            loose.update(rest.loose)
            placeholders += rest.placeholders
            if history:
                told = self._told(history)
                exact.update(told.exact.digest())
                loose.update(told.loose.digest())
                placeholders += told.placeholders
        return Fingerprint(loose.digest(), exact.digest(), host, tuple(placeholders))

    def pieces(self, request: Request) -> list[Piece]:
        """The hashed parts of a request's body: the rest first, then the history, one each."""
        rest, history = self._parts(request.body)
        return [rest, *(self._message(index, message) for index, message in enumerate(history))]

    def _told(self, history: list[Any]) -> _Told:
        """The hash of a history, carried on from the last one that began alike."""
        told = self._last.get(id(history[0]))
        if told is None or len(told.messages) > len(history) or not all(map(is_, told.messages, history)):
            told = _Told()
        if len(told.messages) < len(history):
            # The hash states are copied, the rest grows in place: only the longest is carried on.
            told = _Told(history, told.loose.copy(), told.exact.copy(), told.numbers, told.placeholders, len(told.messages))
            for index in range(told.known, len(history)):
                piece = self._message(index, history[index])
                told.exact.update(piece.exact)
                told.loose.update(piece.loose)
                for name in piece.ids:
                    told.loose.update(b"%d " % told.numbers.setdefault(name, len(told.numbers)))
                told.placeholders += piece.placeholders
            self._last[id(history[0])] = told
        return told

    def normalized(self, value: Any) -> Any:
        """A body's JSON value with what stands at the paths of `normalize` replaced."""
        for path, replacement in self.paths:
            value = _replaced(value, path, replacement)
        return value

    def _loose(self, text: str) -> str:
        return normalized(text) if self.preset else text

    def _parts(self, body: Body) -> tuple[Piece, list[Any]]:
        """All of a body but its history, and the history."""
        if isinstance(body, Json):
            return self._json(body.value)
        if body is None:
            text = ""
        elif isinstance(body, Text):
            text = f"text {body.text}"
        elif isinstance(body, Binary):
            text = f"binary {hashlib.sha256(body.data).hexdigest()}"
        elif isinstance(body, Blob):
            text = f"blob {body.sha256}"
        else:
            text = "parts " + canonical([_part(part.name, part.filename, part.body) for part in body.parts])
        return self._piece(text, text, ()), []

    def _json(self, value: Any) -> tuple[Piece, list[Any]]:
        key = message_key(value)
        rest = {name: child for name, child in value.items() if name != key} if key else value
        loose = rest
        for path, replacement in self._rest_paths:
            loose = _replaced(loose, path, replacement)
        exact_text = canonical(rest)
        known = self._rests.get(exact_text)
        if known is None:
            if isinstance(loose, dict) and self.preset:
                named = {name: child for name, child in loose.items() if name in _UNNORMALIZED_KEYS}
                others = {name: child for name, child in loose.items() if name not in _UNNORMALIZED_KEYS}
                loose_text = canonical(named) + self._loose(canonical(others))
            else:
                loose_text = self._loose(canonical(loose))
            known = self._piece(f"json {key} {exact_text}", f"json {key} {loose_text}", ())
            self._rests[exact_text] = known
        return known, value[key] if key and (key,) not in self._whole else []

    def _message(self, index: int, message: Any) -> Piece:
        key = (id(message), index if self._by_index else -1)
        known = self._pieces.get(key)
        if known is not None and known[0] is message:
            return known[1]
        loose = message
        for path, replacement in self._history_paths:
            if path[0] in ("*", index):
                loose = _replaced(loose, path[1:], replacement)
        ids: list[str] = []
        skeleton = _without_ids(loose, ids) if self.preset else loose
        piece = self._piece(canonical(message), self._loose(canonical(skeleton)), tuple(ids))
        self._pieces[key] = (message, piece)  # holds the message, so that its id() stays its own
        return piece

    def _piece(self, exact: str, loose: str, ids: tuple[str, ...]) -> Piece:
        return Piece(
            exact=_mix(classes_only(exact)).digest(),
            loose=_mix(classes_only(loose)).digest(),
            ids=ids,
            placeholders=tuple(found(exact)),
        )


def _part(name: str, filename: str | None, body: Text | Binary | Blob) -> list[str | None]:
    if isinstance(body, Text):
        content = body.text
    elif isinstance(body, Binary):
        content = hashlib.sha256(body.data).hexdigest()
    else:
        content = body.sha256
    return [name, filename, content]


def _without_ids(message: Any, ids: list[str]) -> Any:
    """`message` with the ids of tool calls taken out, in order, into `ids`."""
    if not isinstance(message, dict):
        return message
    out = message
    for key in ("tool_call_id", "call_id"):
        if isinstance(message.get(key), str):
            ids.append(message[key])
            out = {**out, key: ""}
    for key in ("content", "tool_calls"):
        blocks = message.get(key)
        if isinstance(blocks, list) and any(map(_tool_id_key, blocks)):
            out = {**out, key: [_block_without_id(block, ids) for block in blocks]}
    return out


def _tool_id_key(block: Any) -> str | None:
    if not isinstance(block, dict):
        return None
    for key in ("tool_use_id", "id"):
        if isinstance(block.get(key), str):
            return key
    return None


def _block_without_id(block: Any, ids: list[str]) -> Any:
    key = _tool_id_key(block)
    if key is None:
        return block
    ids.append(block[key])
    return {**block, key: ""}


# --- explanation -----------------------------------------------------------------------------------


def nearest(sent: Request, recorded: Sequence[Request], rules: Fingerprints) -> int | None:
    """The index of the recorded request that differs from the sent one in the fewest parts."""
    ours = rules.pieces(sent)

    def distance(index: int) -> tuple[int, int]:
        theirs = rules.pieces(recorded[index])
        unequal = sum(1 for a, b in zip(theirs[1:], ours[1:], strict=False) if a.loose != b.loose)
        rest = int(theirs[0].loose != ours[0].loose)
        return (abs(len(theirs) - len(ours)) * 2 + unequal + rest, index)

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
    if theirs.path != ours.path:
        differences.append(Difference("path", theirs.path, ours.path))
    if sorted(parse_qsl(theirs.query)) != sorted(parse_qsl(ours.query)):
        differences.append(Difference("query", theirs.query, ours.query))
    tool_ids: tuple[dict[str, int], dict[str, int]] = ({}, {})
    if isinstance(recorded.body, Json) and isinstance(sent.body, Json):
        a, b = rules.normalized(recorded.body.value), rules.normalized(sent.body.value)
        _walk("", a, b, differences, most, tool_ids if preset else None)
    elif recorded.body != sent.body:
        differences.append(Difference("body", _body_summary(recorded.body), _body_summary(sent.body)))
    return differences[:most]


def _same_text(a: str, b: str, preset: bool) -> bool:
    if a == b:
        return True
    a, b = classes_only(a), classes_only(b)
    return a == b or (preset and normalized(a) == normalized(b))


_ID_KEYS = frozenset({"id", "tool_use_id", "tool_call_id", "call_id"})


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
        if tool_ids is not None and path.rpartition(".")[2] in _ID_KEYS:
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
            if key in _ID_KEYS and isinstance(child, str):
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
    if isinstance(a, str) and isinstance(b, str) and max(len(a), len(b)) > 2 * _SHOWN:
        same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        start = max(0, same - _SHOWN // 2)
        return _cut(a, start), _cut(b, start)
    return _one(a), _one(b)


def _cut(text: str, start: int) -> str:
    end = start + 2 * _SHOWN
    return ("…" if start else "") + repr(text[start:end]) + ("…" if end < len(text) else "")


def _one(value: Any) -> str:
    if isinstance(value, str):
        return _cut(value, 0)
    text = repr(value) if value is ABSENT else canonical(value)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "…"


# --- wildcards -------------------------------------------------------------------------------------


def wildcard_pairs(stored: Any, live: Any, rules: Fingerprints) -> list[tuple[str, str]] | None:
    """Whether a stored value equals a live, *unredacted* one when placeholders match any text.

    Returns the pairs (placeholder, live text) it took, or `None` where the values differ. What makes
    matching independent of which key was live: a value that the recording environment knew as a
    secret is unknown to another, and stands in the live request as plain text.
    """
    pairs: list[tuple[str, str]] = []
    fits = _wild(rules.normalized(stored), rules.normalized(live), pairs, rules.preset, {}, {})
    return pairs if fits else None


def _wild(
    a: Any, b: Any, pairs: list[tuple[str, str]], preset: bool, ids_a: dict[str, int], ids_b: dict[str, int], key: str = ""
) -> bool:
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and a.keys() == b.keys()
            and all(_wild(a[name], b[name], pairs, preset, ids_a, ids_b, name) for name in sorted(a))
        )
    if isinstance(a, list):
        return (
            isinstance(b, list)
            and len(a) == len(b)
            and all(_wild(x, y, pairs, preset, ids_a, ids_b) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, str):
        if not isinstance(b, str):
            return False
        if preset and key in _ID_KEYS and a != b:
            return ids_a.setdefault(a, len(ids_a)) == ids_b.setdefault(b, len(ids_b))
        return _wild_text(a, b, pairs) or (preset and _wild_text(normalized(a), normalized(b), pairs))
    return type(a) is type(b) and bool(a == b)


def _wild_text(stored: str, live: str, pairs: list[tuple[str, str]]) -> bool:
    if stored == live:
        return True
    names = found(stored)
    if not names:
        return False
    literals: list[str] = []
    at = 0
    for name in names:
        where = stored.index(name, at)
        literals.append(stored[at:where])
        at = where + len(name)
    tail = stored[at:]
    if not live.startswith(literals[0]):
        return False
    at = len(literals[0])
    taken: list[tuple[str, str]] = []
    for name, literal in zip(names[:-1], literals[1:], strict=True):
        where = live.find(literal, at)
        if where < 0:
            return False
        taken.append((name, live[at:where]))
        at = where + len(literal)
    end = len(live) - len(tail)
    if end < at or not live.endswith(tail):
        return False
    taken.append((names[-1], live[at:end]))
    pairs += taken
    return True


class Pairing:
    """Which recorded placeholder stands for which live one: one-to-one, as a conversation goes on."""

    def __init__(self) -> None:
        self._live_of: dict[str, str] = {}
        self._stored_of: dict[str, str] = {}

    def fits(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether these pairs (stored, live) go with each other and with what was paired so far."""
        live_of: dict[str, str] = {}
        stored_of: dict[str, str] = {}
        for stored, live in pairs:
            if self._live_of.get(stored, live_of.setdefault(stored, live)) != live or live_of[stored] != live:
                return False
            if self._stored_of.get(live, stored_of.setdefault(live, stored)) != stored or stored_of[live] != stored:
                return False
        return True

    def take(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Remembers pairs that were played."""
        for stored, live in pairs:
            self._live_of.setdefault(stored, live)
            self._stored_of.setdefault(live, stored)

