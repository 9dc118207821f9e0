"""Our own cassettes, looked at: the exchanges they stand for, and where each value is written (looking.py).

A request that repeats earlier turns is written as what it adds (`$base`, `$keep`), so that a message stands once in the
file and in many exchanges; what is found in it is named once, in the exchange where it is written.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping
from pathlib import Path as File
from typing import Any

from convo_replay.bodies import message_key, parse_json
from convo_replay.cassette import Cassette, event_lines, files
from convo_replay.cassette.model import milliseconds
from convo_replay.cassette.reading import Left
from convo_replay.cassette.response_bodies import json_bytes
from convo_replay.exchange import Binary, Blob, Chunk, Exchange, Head, Headers, Json, Parts, Request, Text
from convo_replay.redaction import Redactor, placeholders
from convo_replay.redaction.placeholders import OPAQUE_CLASS
from convo_replay.scanning import surroundings, text_edits
from convo_replay.scanning.header_shapes import Header
from convo_replay.scanning.looking import Change, Look, redacted
from convo_replay.scanning.source_tree import Path, Tree
from convo_replay.sse import split

_MOST_ROUNDS = 2
"""How often what was learned from some exchanges is looked for in the others, before all are redacted."""


def ours(
    look: Look, data: bytes, file: File, blobs: Mapping[str, bytes] | None, anew: Callable[[], Redactor], *, whole: bool
) -> None:
    """Looks at a cassette of ours.

    Args:
        anew: makes a redactor like that of `look`.
        whole: whether all exchanges are redacted, as they are to be written; else those in which something may be.

    Raises:
        CassetteError: it cannot be read.
    """
    left = Left()
    cassette = files.loads(data, file, blobs or None, left)
    look.format = "convo"
    look.value = left.value
    look.exchanges = len(cassette.exchanges)
    if whole:
        look.cassette = cassette
        loud = set(range(look.exchanges))
        _redact(look, cassette, left, loud)
    else:
        loud = _redact_loud(look, cassette, left, anew)
    look.tree = Tree(look.text, is_json=look.text.lstrip()[:1] == "{")
    for index, (old, new) in enumerate(zip(cassette.exchanges, look.made, strict=True)):
        if index in loud:
            _Exchange(look, index, old, new).look()
        elif old.test or not (_is_silent(look, "request", old.request) and _is_silent(look, "response", old.head)):
            _Exchange(look, index, old, new).look_at_names()
    extra = look.redactor.value(cassette.extra)
    look.values(None, "", cassette.extra, extra, ())
    surroundings.between(look)


def _redact_loud(look: Look, cassette: Cassette, left: Left, anew: Callable[[], Redactor]) -> set[int]:
    """Redacts the exchanges that may hold something, or tell what another holds; which they are."""
    quiet = look.redactor.quiet()
    for index, exchange in enumerate(cassette.exchanges):
        asked = left.value["exchanges"][index]["request"]
        written = asked.get("json", exchange.request.json)
        quiet.add(index, exchange, written, left.streams.get(index))
    loud = quiet.loud()
    for _ in range(_MOST_ROUNDS):
        knew = look.redactor.generation
        _redact(look, cassette, left, loud)
        more = loud if look.redactor.generation == knew else look.redactor.quiet(quiet).again()
        if more == loud:
            return loud
        loud, look.redactor = more, anew()  # in the order in which they stand there
    everything = set(range(len(cassette.exchanges)))
    _redact(look, cassette, left, everything)
    return everything


def _redact(look: Look, cassette: Cassette, left: Left, some: set[int]) -> None:
    exchanges = cassette.exchanges
    for index in some:
        exchanges[index] = left.whole(exchanges[index], index)
    if some and placeholders.may_hold(look.text):
        streams = ["\n".join([data for _, _, data in lines]) for lines in left.streams.values()]
        look.redactor.reserve([*exchanges, *[Exchange(Request("", text), ()) for text in streams]])
    look.made = redacted(look.redactor, exchanges, some)


def _is_silent(look: Look, side: str, message: Request | Head | None) -> bool:
    return message is None or look.are_silent(side, message.headers)


class _Exchange:
    def __init__(self, look: Look, index: int, old: Exchange, new: Exchange) -> None:
        self._look = look
        self._index = index
        self._old = old
        self._new = new
        self._at: Path = ("exchanges", index)

    def look(self) -> None:
        look, index, old, new, at = self._look, self._index, self._old, self._new, self._at
        look.text_part(index, "test", old.test, look.redactor.label(old.test), (*at, "test"))
        look.text_part(index, "request.url", old.request.url, new.request.url, (*at, "request", "url"))
        self._headers("request", old.request.headers)
        self._request()
        head = old.head
        if head is not None:
            self._headers("response", head.headers)
            reason = new.head.reason if new.head is not None else head.reason
            look.text_part(index, "response.reason", head.reason, reason, (*at, "response", "reason"))
        detail = (*at, "response", "end", "detail")
        look.text_part(index, "response.end.detail", old.end.detail, new.end.detail, detail)
        if old.body != new.body:
            self._response()
        look.values(index, "", dict(old.extra or {}), dict(new.extra or {}), at)

    def look_at_names(self) -> None:
        """Looks at what is known by its name alone: redaction would change nothing else."""
        look, index, test = self._look, self._index, self._old.test
        if test:
            look.text_part(index, "test", test, look.redactor.label(test), (*self._at, "test"))
        head = self._old.head
        for side, headers in (("request", self._old.request.headers), ("response", head.headers if head else ())):
            self._headers(side, headers)

    def _headers(self, side: str, headers: Headers) -> None:
        count: dict[str, int] = {}
        written = self._held(side).get("headers")
        spelled = {str(key).lower(): key for key in written} if isinstance(written, dict) else {}
        for name, value in headers:
            owner = (*self._at, side, "headers")
            key = spelled.get(name, name)
            several = sum(name == other for other, _ in headers) > 1
            at = (*owner, key, count.get(name, 0)) if several else (*owner, key)
            count[name] = count.get(name, 0) + 1
            self._look.header(self._index, side, Header(name, value, at, owner, key))

    def _request(self) -> None:
        look, index, at = self._look, self._index, (*self._at, "request")
        old, new = self._old.request.body, self._new.request.body
        if isinstance(old, Json) and isinstance(new, Json):
            if "json_text" in self._held("request"):
                before, after = (json_bytes(body.value, "compact+ascii").decode() for body in (old, new))
                look.text_part(index, "request.json", before, after, (*at, "json_text"))
                return
            self._written(old.value, new.value, (*at, "json"))
        elif isinstance(old, Text) and isinstance(new, Text):
            look.text_part(index, "request.text", old.text, new.text, (*at, "text"))
        elif isinstance(old, Binary) and isinstance(new, Binary):
            self._bytes("request.base64", old.data, new.data, (*at, "base64"))
        elif isinstance(old, Blob) and isinstance(new, Blob) and old != new:
            look.add(index, "opaque", "request.blob.starts", (*at, "blob", "starts"))
            look.changes.append(Change((*at, "blob", "starts"), new.starts))
        elif isinstance(old, Parts) and isinstance(new, Parts):
            for number, (given, made) in enumerate(zip(old.parts, new.parts, strict=True)):
                part, name = (*at, "parts", number), f"request.parts[{number}]"
                look.text_part(index, f"{name}.name", given.name, made.name, (*part, "name"))
                filename = made.filename or ""
                look.text_part(index, f"{name}.filename", given.filename or "", filename, (*part, "filename"))
                if isinstance(given.body, Text) and isinstance(made.body, Text):
                    look.text_part(index, f"{name}.text", given.body.text, made.body.text, (*part, "text"))
                elif isinstance(given.body, Binary) and isinstance(made.body, Binary):
                    self._bytes(f"{name}.base64", given.body.data, made.body.data, (*part, "base64"))

    def _response(self) -> None:
        look, index, at = self._look, self._index, (*self._at, "response")
        held = self._held("response")
        old, new = self._old.body, self._new.body
        if "sse" in held:
            self._events(held["sse"])
        elif "json" in held:
            look.values(index, "response.json", parse_json(old), parse_json(new), (*at, "json"))
        elif "text" in held or "json_text" in held:
            key = "text" if "text" in held else "json_text"
            look.text_part(index, f"response.{key}", old.decode(), new.decode(), (*at, key))
        elif "base64" in held:
            self._bytes("response.base64", old, new, (*at, "base64"))
        else:
            for cls in look.classes_in(old, self._old.content_type):
                look.add(index, cls, "response.blob", (*at, "blob"))
            look.note("a blob beside a cassette that was edited by hand")

    def _events(self, written: str) -> None:
        look, index, at = self._look, self._index, (*self._at, "response", "sse")
        old, new = split(self._old.body), split(self._new.body)
        rows = written.split("\n")
        place, known = 0, len(look.findings)
        for number, (was, becomes) in enumerate(zip(old, new, strict=True)):
            if was.raw != becomes.raw:
                before, after = was.raw.decode("utf-8", "replace"), becomes.raw.decode("utf-8", "replace")
                path = f"response.sse[{number}]"
                look.text_part(index, path, before, after, at, in_clear=False, offset=place, is_part=True)
            place += len(rows[number]) + 1 if number < len(rows) else 0
        if len(look.findings) == known:
            look.add(index, OPAQUE_CLASS, "response.sse", at)
        framing = str(self._held("response").get("framing", ""))
        started = milliseconds(self._old.head.at) if self._old.head is not None else 0
        times = [milliseconds(step.at) for step in self._old.steps if isinstance(step, Chunk)]
        value = event_lines.write(new, times, started, framing)
        look.changes.append(Change(at, value, text_edits.between(written, value)))

    def _bytes(self, path: str, old: bytes, new: bytes, at: Path) -> None:
        if old == new:
            return
        for cls in self._look.classes_in(old):
            self._look.add(self._index, cls, path, at)
        self._look.changes.append(Change(at, base64.b64encode(new).decode()))

    def _held(self, side: str) -> dict[str, Any]:
        held = self._look.value["exchanges"][self._index][side]
        return held if isinstance(held, dict) else {}

    def _written(self, old: Any, new: Any, at: Path) -> None:
        """Notes what changes in a request's JSON body, as far as it is written here and not in its `$base`."""
        held = self._held("request")["json"]
        key, kept = message_key(old), 0
        if isinstance(held, dict) and "$base" in held:
            kept = held.get("$keep", 0)
            names = list(zip(old, new, strict=True))
            old, new = (
                {
                    name: value[name][kept:] if name == key else value[name]
                    for name, own in zip(value, (own for own, _ in names), strict=True)
                    if own == key or _escaped(own) in held
                }
                for value in (old, new)
            )
        for below, was, becomes in text_edits.strings(old, new):
            shown = (key, below[1] + kept, *below[2:]) if len(below) > 1 and below[0] == key else below
            where = functools.reduce(text_edits.joined, shown, "request.json")
            self._look.text_part(self._index, where, was, becomes, (*at, *map(_escaped, below)))


def _escaped(step: Any) -> Any:
    return f"${step}" if isinstance(step, str) and step.startswith("$") else step
