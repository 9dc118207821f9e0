"""The one function from what was sent and received to what is matched, stored, scanned and shown.

A `Redactor` belongs to one conversation: it knows the secrets, numbers the placeholders, and remembers
which messages it has seen, so that request *k*, which repeats all earlier turns, costs what turn *k*
added. What holds nothing to redact is returned itself, not copied; equal messages come out as one and
the same object. Redacting twice changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson

from convo_replay.exchange import (
    Binary,
    Blob,
    Body,
    Chunk,
    End,
    Exchange,
    Head,
    Headers,
    Json,
    Part,
    Parts,
    Request,
    Step,
    Steps,
    Text,
)
from convo_replay.redaction import environment, headers, opaque, placeholders, responses, urls
from convo_replay.redaction.classes import classify
from convo_replay.redaction.detect import Detector, Secret
from convo_replay.redaction.environment import STAND_IN

_SHORT = 64
_MOST_CLEAN = 50_000
_ROUNDS = 4


class Redactor:
    """Redacts the exchanges of one conversation; safe to use from several threads.

    Args:
        environ: the environment whose credential-like values are secrets; `None` for none.
        secrets: strings, compiled patterns, callables `text -> [(start, end), …]`.

    Attributes:
        resendable: `False` once a text bound by a signature, or an opaque field, had to be changed:
            the API would reject the conversation if it were sent again.
        generation: grows with every value learned; what was redacted before may then need it again.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, secrets: Sequence[Secret] = ()) -> None:
        self.resendable = True
        self._lock = threading.RLock()
        self._detector = Detector(secrets)
        self._local: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}
        self._opaque: dict[str, str] = {}
        self._memo: dict[bytes, Any] = {}
        self._interned: dict[bytes, Any] = {}
        self._own: dict[int, Any] = {}
        self._clean: set[str] = set()
        self._probe: list[str] | None = None
        for value in environment.credentials(environ or {}):
            self.learn(value, "env")

    def __repr__(self) -> str:
        return f"<Redactor: {len(self._names)} placeholders>"

    @property
    def generation(self) -> int:
        return self._detector.generation

    @property
    def scanned(self) -> int:
        """How many texts were searched so far: the measure of cost."""
        return self._detector.scanned

    # ---- what counts as a secret

    def learn(self, value: str, cls: str) -> None:
        """From now on `value` is a secret wherever it appears. A pattern of the table names its class first."""
        with self._lock:
            if STAND_IN not in value and placeholders.PLACEHOLDER.fullmatch(value) is None:
                if self._detector.learn(value, cls):
                    self._memo.clear()
                    self._own.clear()
                    self._clean.clear()

    def learn_request(self, request: Request) -> None:
        """Learns from a request as sent: credential headers, ids, userinfo, `?key=`, MCP tokens."""
        with self._lock:
            for value, cls in headers.credentials(request.headers):
                self.learn(value, cls)
            for value, cls in urls.credentials(request.url):
                self.learn(value, cls)
            for value in _tokens_in_body(request.json):
                self.learn(value, "api-key")
            self._learn_ids(request.headers)

    def reserve(self, exchanges: Iterable[Exchange]) -> None:
        """New placeholders will not take a number that occurs in `exchanges` (a loaded cassette)."""
        for exchange in exchanges:
            request = exchange.request
            self.reserve_text("\n".join([request.url, *[value for _, value in request.headers]]))
            if isinstance(request.body, Json):
                self.reserve_text(json.dumps(request.body.value, ensure_ascii=True))
            elif isinstance(request.body, Text):
                self.reserve_text(request.body.text)
            if exchange.head is not None:
                self.reserve_text("\n".join([value for _, value in exchange.head.headers]))
            self.reserve_text(exchange.body.decode("utf-8", "replace"))

    def reserve_text(self, text: str) -> None:
        """The same for the placeholders of any text, for instance a whole file."""
        with self._lock:
            for place in placeholders.found(text):
                if place.number > self._numbers.get(place.cls, 0):
                    self._numbers[place.cls] = place.number

    # ---- what is redacted

    def request(self, request: Request) -> Request:
        """The redacted form; the request itself where it is that already."""
        with self._lock:
            self.learn_request(request)
            url = urls.redact(request.url, self._string, self._place)
            kept = self._headers(request.headers, request.body, response=False)
            body = self._body(request.body)
            if url is request.url and kept is request.headers and body is request.body:
                return request
            return replace(request, url=url, headers=kept, body=body)

    def steps(self, steps: Steps) -> Steps:
        """The redacted outcome; the same object where it is that already.

        A changed event stream keeps its events, their order and framing; a changed JSON body keeps its
        formatting; any other changed body comes as one chunk.
        """
        with self._lock:
            self._local = {}
            try:
                return self._steps(steps)
            finally:
                self._local = {}

    def exchange(self, exchange: Exchange) -> Exchange:
        """The redacted form; the exchange itself where it is that already."""
        with self._lock:
            request = self.request(exchange.request)
            steps = self.steps(exchange.steps)
            extra = self._value(dict(exchange.extra)) if exchange.extra else exchange.extra
            if request is exchange.request and steps is exchange.steps and extra == exchange.extra:
                return exchange
            return replace(exchange, request=request, steps=steps, extra=extra)

    def text(self, text: str) -> str:
        """A text for anything that is printed."""
        with self._lock:
            return self._string(text)

    @contextmanager
    def probing(self) -> Iterator[list[str]]:
        """Inside, redaction decides as ever but names and numbers nothing; gives the classes found."""
        with self._lock:
            before, self._probe = self._probe, []
            resendable = self.resendable
            try:
                yield self._probe
            finally:
                self._probe = before
                self.resendable = resendable

    def known_in(self, text: str) -> list[tuple[int, str]]:
        """(offset, class) of known values and table patterns in a text, `secrets=` patterns left out."""
        with self._lock:
            return [(finding.start, finding.cls) for finding in self._detector.find(text, custom=False)]

    # ---- requests

    def _headers(self, given: Headers, body: Body, *, response: bool) -> Headers:
        made = []
        for name, value in given:
            name = name.lower()
            if name in headers.IDS:
                if placeholders.PLACEHOLDER.fullmatch(value) is None:
                    value = self._place(headers.IDS[name], value)
                made.append((name, value))
            elif headers.kept(name, body, response=response):
                made.append(
                    (name, urls.redact(value, self._string, self._place) if name == "location" else self._string(value))
                )
            elif self._probe is not None:
                self._probe.append("header")
        return given if tuple(made) == given else tuple(made)

    def _learn_ids(self, given: Headers) -> None:
        for name, value in given:
            cls = headers.IDS.get(name.lower())
            if cls is None or not headers.is_distinctive(value):
                continue
            if cls == "request-id":  # new each time: looked for in its own response only
                self._local[value] = cls
            else:
                self.learn(value, cls)

    def _body(self, body: Body) -> Body:
        if isinstance(body, Json):
            value = self._document(body.value)
            return body if value is body.value else Json(value)
        if isinstance(body, Text):
            text = self._string(body.text)
            return body if text is body.text else Text(text)
        if isinstance(body, Binary):
            data = self._bytes(body.data)
            return body if data is body.data else Binary(data)
        if isinstance(body, Blob):
            starts = self._starts(body.starts)
            return body if starts == body.starts else replace(body, starts=starts)
        if isinstance(body, Parts):
            parts = tuple([self._part(part) for part in body.parts])
            return body if all(a is b for a, b in zip(parts, body.parts, strict=True)) else Parts(parts)
        return body

    def _part(self, part: Part) -> Part:
        name = self._string(part.name)
        filename = None if part.filename is None else self._string(part.filename)
        body = self._body(part.body)
        assert isinstance(body, (Text, Binary, Blob))
        if name is part.name and filename is part.filename and body is part.body:
            return part
        return replace(part, name=name, filename=filename, body=body)

    def _starts(self, starts: str) -> str:
        if not starts:
            return starts
        try:
            first = bytes.fromhex(starts).decode("latin-1")
        except ValueError:
            return ""
        return "" if self._detector.may_begin(first) else starts

    def _document(self, value: Any) -> Any:
        """A request's JSON value: what repeats from turn to turn is looked at once."""
        if not isinstance(value, dict):
            return self._value(value)
        new = [
            item for held in value.values() for item in (held if isinstance(held, list) else [held])
            if isinstance(item, (str, dict, list)) and id(item) not in self._own
        ]  # fmt: skip
        digests = {id(item): _digest(item, self._sight) for item in new}
        made: dict[str, Any] = {}
        changed = False
        for key, held in value.items():
            out: Any
            if isinstance(held, list):
                items = [self._remembered(item, digests) for item in held]
                out = held if all(a is b for a, b in zip(items, held, strict=True)) else items
            else:
                out = self._remembered(held, digests)
            name = self._string(key)
            changed = changed or out is not held or name is not key
            made[name] = out
        return made if changed else value

    def _remembered(self, item: Any, digests: Mapping[int, bytes]) -> Any:
        if not isinstance(item, (str, dict, list)) or id(item) in self._own:
            return item
        digest = digests[id(item)]
        if digest in self._memo:
            return self._memo[digest]
        out = self._value(item)
        if self._probe is not None:
            return out
        kept = digest if out is item else _digest(out)
        out = self._interned.setdefault(kept, out)
        self._memo[digest] = self._memo[kept] = self._own[id(out)] = out
        return out

    # ---- responses

    def _steps(self, steps: Steps) -> Steps:
        made: list[Step] = []
        head = steps[0] if steps and isinstance(steps[0], Head) else None
        if head is not None:
            self._learn_ids(head.headers)
            kept = self._headers(head.headers, None, response=True)
            reason = self._string(head.reason)
            made.append(
                head if kept is head.headers and reason is head.reason else replace(head, headers=kept, reason=reason)
            )
        chunks = [step for step in steps if isinstance(step, Chunk)]
        made += responses.redact(head, chunks, self)
        for step in steps:
            if isinstance(step, End):
                detail = self._string(step.detail)
                made.append(step if detail is step.detail else replace(step, detail=detail))
        same = len(made) == len(steps) and all(a is b for a, b in zip(made, steps, strict=True))
        return steps if same else tuple(made)

    # ---- values

    def _value(self, value: Any, pieces: Mapping[tuple[int, str], str] | None = None) -> Any:
        """`value` redacted. `pieces`: what fields of it become that were decided in a joined value."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, list):
            items = [self._value(item, pieces) if isinstance(item, (str, dict, list)) else item for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        if not isinstance(value, dict):
            return value
        made: dict[str, Any] = {}
        changed = False
        for key, held in value.items():
            out = held
            if isinstance(held, str):
                if pieces is not None and (id(value), key) in pieces:
                    out = pieces[id(value), key]
                elif opaque.is_opaque(key, held, value):
                    out = self._whole(held)
                else:
                    out = self._string(held)
                if out is not held and out != held and _is_bound(key, value):
                    self.resendable = False
            elif isinstance(held, (dict, list)):
                out = self._value(held, pieces)
                if out is not held and _is_bound(key, value):
                    self.resendable = False
            name = self._string(key)
            changed = changed or (out is not held and out != held) or name is not key
            made[name] = out
        return made if changed else value

    def _string(self, text: str) -> str:
        if text in self._clean and not self._local:
            return text
        for _ in range(_ROUNDS):
            spans = self._spans(text)
            if not spans:
                break
            text = _replaced(text, spans)
        if len(text) <= _SHORT and len(self._clean) < _MOST_CLEAN:
            self._clean.add(text)
        return text

    def _spans(self, text: str) -> list[tuple[int, int, str]]:
        self._sight(text)
        found = self._detector.find(text, self._local)
        return [(finding.start, finding.end, self._place(finding.cls, finding.value)) for finding in found]

    def _whole(self, text: str) -> str:
        """An opaque value: itself, or what stands for the whole of it."""
        made = self._opaque.get(text)
        if made is None:
            if not self._identifies(text):
                return text
            if self._probe is not None:
                self._probe.append(placeholders.OPAQUE_CLASS)
                return placeholders.make_opaque(text, 0)
            made = self._opaque[text] = placeholders.make_opaque(text, self._next(placeholders.OPAQUE_CLASS))
        self.resendable = False
        return made

    def _identifies(self, text: str) -> bool:
        if text.startswith(placeholders.OPAQUE_MARK):
            self._sight(text)
            return False
        data = opaque.decoded(text)
        return (
            opaque.identifies(data)
            or bool(self._detector.known(text))
            or bool(self._detector.find(data.decode("latin-1")))
        )

    def _bytes(self, data: bytes) -> bytes:
        try:
            text, encoding = data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            text, encoding = data.decode("latin-1"), "latin-1"
        made = self._string(text)
        return data if made is text else made.encode(encoding)

    # ---- placeholders

    def _place(self, cls: str, value: str) -> str:
        if self._probe is not None:
            self._probe.append(cls)
            return placeholders.make(cls, 0)
        name = self._names.get((cls, value))
        if name is None:
            name = self._names[cls, value] = placeholders.make(cls, self._next(cls))
        return name

    def _next(self, cls: str) -> int:
        number = self._numbers[cls] = self._numbers.get(cls, 0) + 1
        return number

    def _sight(self, text: str) -> None:
        if placeholders.MARK in text or placeholders.OPAQUE_MARK in text:
            self.reserve_text(text)


def _replaced(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    parts, at = [], 0
    for start, end, replacement in spans:
        parts += [text[at:start], replacement]
        at = end
    return "".join([*parts, text[at:]])


def _is_bound(key: str, owner: Mapping[str, Any]) -> bool:
    """Whether a signature or an encrypted twin binds `owner[key]` (protocol.md §5, "never alter")."""
    kind = owner.get("type")
    return (key == "thinking" and isinstance(owner[key], str)) or kind in ("compaction", "compaction_delta")


def _digest(value: Any, sight: Callable[[str], None] | None = None) -> bytes:
    try:
        data = orjson.dumps(value)
    except (TypeError, ValueError):  # lone surrogates, integers beyond 64 bits, nesting
        data = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
    if sight is not None and (b"redacted-" in data or placeholders.OPAQUE_MARK.encode() in data):
        sight(data.decode("utf-8"))
    return hashlib.blake2b(data, digest_size=16).digest()


def _tokens_in_body(value: Any) -> Iterator[str]:
    """Tokens that a request hands on to MCP servers (protocol.md §5)."""
    if not isinstance(value, dict):
        return
    for key in ("mcp_servers", "tools"):
        entries = value.get(key)
        for entry in entries if isinstance(entries, list) else []:
            if not isinstance(entry, dict):
                continue
            given = [entry.get("authorization_token"), entry.get("authorization")]
            if entry.get("type") == "mcp" and isinstance(entry.get("headers"), dict):
                given += [held for _, held in entry["headers"].items()]
            for token in given:
                if isinstance(token, str):
                    for text, _ in headers.credentials((("authorization", token),)):
                        yield text
