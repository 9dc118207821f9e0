"""The one function from what was sent and received to what is matched, stored, scanned and shown.

A `Redactor` belongs to one conversation: it learns the secrets, numbers the placeholders, and remembers
which messages it has seen, so that request *k*, which repeats all earlier turns, costs what turn *k*
added. What holds nothing to redact is returned itself, not copied; equal messages come out as one and
the same object. Redacting twice changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import is_
from typing import Any, TypeVar

import orjson

from convo_replay import providers
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
from convo_replay.redaction import environment, headers, naming, placed, placeholders, responses, urls
from convo_replay.redaction.classes import BY_NAME, Policy
from convo_replay.redaction.detect import Secret
from convo_replay.redaction.quiet import Quiet
from convo_replay.redaction.values import SHORT, Values
from convo_replay.standins import STAND_IN

T = TypeVar("T")

_ROUNDS = 4
_MOST_NAMES = 1000
_decided: dict[tuple[str, bool, bool], tuple[str, str | None, Policy]] = {}
"""What becomes of headers of a name by the table: a client sends the same ones again and again."""
_SMALL = 1024
"""Bytes of a message up to which it is its own key; hashing a small one costs more than comparing it."""


class Redactor:
    """Redacts the exchanges of one conversation; safe to use from several threads.

    Args:
        environ: the environment whose credential-like values are secrets; `None` for none.
        secrets: strings, compiled patterns, callables `text -> [(start, end), …]`.
        redact: class → what becomes of it, where that is not what the table says.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        secrets: Sequence[Secret] = (),
        redact: Mapping[str, Policy] | None = None,
    ) -> None:
        self._values = Values(secrets, redact)
        self._lock = self._values.lock
        self._memo: dict[bytes, Any] = {}
        self._interned: dict[bytes, Any] = {}
        self._own: dict[int, Any] = {}
        self._told: dict[str, tuple[list[Any], list[Any]]] = {}
        self._decided = {} if redact else _decided
        self._met: set[object] = set()
        """Headers and URLs of requests that were learned from."""
        self._memo_generation = 0
        self._environ: Mapping[str, str] = {}
        self.learn_environment(environ or {})

    def __repr__(self) -> str:
        return f"<Redactor: {self._values!r}>"

    @property
    def resendable(self) -> bool:
        """`False` once a text bound by a signature, or an opaque field, had to be changed.

        The API would reject the conversation if it were sent again.
        """
        return self._values.resendable

    @property
    def generation(self) -> int:
        """Grows with every value learned; what was redacted at a lower one may hold it still."""
        return self._values.detector.generation

    @property
    def scanned(self) -> int:
        """How many texts were searched so far: the measure of cost."""
        return self._values.detector.scanned

    def learn(self, value: str, cls: str) -> None:
        """From now on `value` is a secret wherever it appears.

        A pattern of the table names its class first, `cls` is taken otherwise. Stand-ins for missing
        keys, and placeholders, are no secrets.
        """
        with self._lock:
            if self._values.policy(cls) == "keep":
                return
            if STAND_IN not in value and placeholders.PLACEHOLDER.fullmatch(value) is None:
                self._values.learn(value, cls)

    def value_of(self, placeholder: str) -> str | None:
        """The value that a placeholder of this conversation stands for; `None` for one of a cassette."""
        with self._lock:
            return self._values.value_of(placeholder)

    def adopt(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        """A recorded request was recognized: its placeholders name the values of the live one from now on.

        Args:
            pairs: (recorded placeholder, the value in its place in the live request).

        Returns:
            recorded placeholder → value, for values that are known.
        """
        known: dict[str, str] = {}
        with self._lock:
            for recorded, value in pairs:
                if self._values.adopt(recorded, value):
                    self._forget()
                if self._values.is_named(recorded, value):
                    known[recorded] = value
        return known

    def _forget(self) -> None:
        self._memo.clear()
        self._own.clear()
        self._told.clear()

    def learn_environment(self, environ: Mapping[str, str]) -> None:
        """The credential-like values of an environment are secrets from now on; those known before stay."""
        if environ != self._environ:
            self._environ = dict(environ)
            for value in environment.found_in(environ):
                self.learn(value, "env")

    def learn_request(self, request: Request) -> None:
        """Learns from a request as sent: credential headers, ids, userinfo, `?key=`, MCP tokens."""
        with self._lock:
            # A client sends the same headers to the same URL again and again.
            fresh = tuple([pair for pair in request.headers if pair not in self._met])
            if fresh:
                self._met.update(fresh)
                for value, cls in headers.credentials(fresh):
                    self.learn(value, cls)
                self._learn_ids(fresh)
            if request.url not in self._met:
                self._met.add(request.url)
                for value, cls in urls.credentials(request.url):
                    self.learn(value, cls)
            if isinstance(request.json, dict):
                for value, cls in placed.learnable(providers.find(request), request.json):
                    self.learn(value, cls)

    def reserve(self, exchanges: Iterable[Exchange]) -> None:
        """New placeholders will not take a number that occurs in `exchanges` (a loaded cassette)."""
        seen: set[int] = set()
        with self._lock:
            for exchange in exchanges:
                request, head = exchange.request, exchange.head
                texts = [request.url, *[value for _, value in request.headers]]
                if isinstance(request.body, Text):
                    texts.append(request.body.text)
                if head is not None:
                    texts += [value for _, value in head.headers]
                for text in texts:
                    self._values.sight(text)
                self._sight(exchange.body)
                for item in _new_items(request.json, seen):
                    self._sight(_dumped(item))

    def _sight(self, data: bytes) -> None:
        if placeholders.may_hold_bytes(data):
            self._values.sight(data.decode("utf-8", "replace"))

    def request(self, request: Request) -> Request:
        """The redacted form; the request itself where it is that already."""
        with self._lock:
            self.learn_request(request)
            return self._settled(lambda: self._request(request))

    def _settled(self, redact: Callable[[], T]) -> T:
        """What `redact` gives once it learns nothing more: a value named at the end may stand at the beginning, too."""
        for _ in range(_ROUNDS):
            knew = self.generation
            made = redact()
            if self.generation == knew:
                break
        return made

    def _request(self, request: Request) -> Request:
        url = urls.redact(request.url, self._values.string, self._values.place)
        kept = self._headers(request.headers, request.body, response=False)
        body = request.body
        if isinstance(body, Json) and isinstance(body.value, dict):
            # First, so that a dummy at its place reads like the value that was live.
            value = placed.redact(providers.find(request), body.value, self._values)
            body = body if value is body.value else Json(value)
        body = self._body(body)
        if url is request.url and kept is request.headers and body is request.body:
            return request
        return replace(request, url=url, headers=kept, body=body)

    def steps(self, steps: Steps) -> Steps:
        """The redacted outcome; the same object where it is that already.

        A changed event stream keeps its events, their order and framing; a changed JSON body keeps its
        formatting; any other changed body comes as one chunk.
        """
        with self._lock:
            self._values.local = {}
            try:
                for step in steps[:1]:
                    if isinstance(step, Head):
                        self._learn_ids(step.headers)
                        cookies = tuple([pair for pair in step.headers if pair[0].lower() == "set-cookie"])
                        for value, cls in headers.credentials(cookies):
                            self.learn(value, cls)
                return self._settled(lambda: self._steps(steps))
            finally:
                self._values.local = {}

    def exchange(self, exchange: Exchange) -> Exchange:
        """The redacted form; the exchange itself where it is that already."""
        with self._lock:
            request = self.request(exchange.request)
            steps = self.steps(exchange.steps)
            known = dict(exchange.extra) if exchange.extra else None
            extra = self._values.value(known)
            if request is exchange.request and steps is exchange.steps and extra is known:
                return exchange
            return replace(exchange, request=request, steps=steps, extra=exchange.extra if extra is known else extra)

    def text(self, text: str) -> str:
        """A text for anything that is printed."""
        with self._lock:
            return self._values.string(text)

    def label(self, text: str) -> str:
        """The name of a test or of a file without what gives access; whom it names, the sources name, too."""
        with self._lock:
            return self._values.label(text)

    def value(self, value: Any) -> Any:
        """A JSON value outside of any exchange; the value itself where it is that already."""
        with self._lock:
            return self._values.value(value)

    def policy(self, cls: str) -> Policy:
        """What becomes of a value of this class here."""
        return self._values.policy(cls)

    def place(self, cls: str, value: str) -> str:
        """The placeholder of a value that is of this class by its place, whatever it looks like."""
        with self._lock:
            return self._values.place(cls, value)

    def stands_for(self, placeholder: str) -> tuple[str, str | None]:
        """The class of what a placeholder stands for, and the value, where this conversation gave it and knows it."""
        with self._lock:
            place = placeholders.places(placeholder)[0]
            if place.cls == placeholders.OPAQUE_CLASS:
                return self._values.held(place.number), None
            return place.cls, self._values.value_of(placeholder)

    def known_in(self, text: str) -> list[tuple[int, str]]:
        """(offset, class) of what gives access, and of known values, in a text that is not parsed.

        What is known by its context, and patterns of `secrets=`, are left out: quotes and indents of a file make
        other contexts.
        """
        with self._lock:
            detector = self._values.detector
            found = detector.find(text, custom=False, context=False)
            known = detector.known_classes
            return [
                (finding.start, finding.cls)
                for finding in found
                if finding.cls in known or BY_NAME[finding.cls].severity == "error"
            ]

    def quiet(self, before: Quiet | None = None) -> Quiet:
        """What tells exchanges that hold nothing from the others, by what is known here; with the texts of `before`."""
        return Quiet(self._values, before)

    @contextmanager
    def probing(self) -> Iterator[list[str]]:
        """Inside, everything is decided as ever, but nothing is named; gives the list of classes found."""
        with self._lock:
            before, resendable = self._values.probe, self._values.resendable
            found = self._values.probe = []
            try:
                yield found
            finally:
                self._values.probe, self._values.resendable = before, resendable

    def _headers(self, given: Headers, body: Body, *, response: bool) -> Headers:
        values = self._values
        made = []
        by_value = not isinstance(body, (Text, Binary, Blob))
        decided = self._decided
        if response and values.probe is None:  # of a request they are few, and known from the one before
            every = [(self._decide(spelled, body, by_value, response)[2], value) for spelled, value in given]
            values.is_nothing([value for policy, value in every if policy == "keep"], ())
        for spelled, value in given:
            known = decided.get((spelled, by_value, response))
            name, cls, policy = known or self._decide(spelled, body, by_value, response)
            if policy == "placeholder" and cls is not None:
                made.append((name, value if _is_placeholder(value) else values.place(cls, value)))
            elif policy == "keep" and name == "location" and response:
                made.append((name, urls.redact(value, values.string, values.place)))
            elif policy == "keep":
                made.append((name, values.string(value)))
            elif values.probe is not None:  # it is dropped; at the gate somebody has put it there
                if headers.tells(name):
                    values.probe.append("header")
                else:
                    values.string(value)
        return given if tuple(made) == given else tuple(made)

    def _decide(self, spelled: str, body: Body, by_value: bool, response: bool) -> tuple[str, str | None, Policy]:
        """The name of a header in small letters, its class, and what becomes of it."""
        asked = spelled, by_value, response
        known = self._decided.get(asked)
        if known is None:
            name = spelled.lower()
            known = (name, *headers.decide(name, body, self._values.policy, response=response))
            if len(self._decided) < _MOST_NAMES:
                self._decided[asked] = known
        return known

    def _learn_ids(self, given: Headers) -> None:
        for name, value in given:
            cls = headers.IDS.get(name.lower())
            if cls is None or not headers.is_distinctive(value):
                continue
            if cls == "request-id":  # a new one each time: looked for in its own response only
                self._values.local[value] = cls
            else:
                self.learn(value, cls)

    def _body(self, body: Body) -> Body:
        if isinstance(body, Json):
            value = self._document(body.value)
            return body if value is body.value else Json(value)
        if isinstance(body, Parts):
            parts = tuple([self._part(part) for part in body.parts])
            return body if all(a is b for a, b in zip(parts, body.parts, strict=True)) else Parts(parts)
        return None if body is None else self._plain(body)

    def _plain(self, body: Text | Binary | Blob) -> Text | Binary | Blob:
        if isinstance(body, Text):
            text = urls.redact_form(body.text, self._values.string, self._values.place)
            return body if text is body.text else Text(text)
        if isinstance(body, Binary):
            data = self._values.data(body.data)
            return body if data is body.data else Binary(data)
        held = body.text if body.value is None else body.value
        if held is not None:
            if self._values.may_hold(_dumped(held).decode()):
                value = self._values.value(held)
                if value is not held:
                    return self._blob(body, value)
            body = replace(body, value=None, text=None)
        first = bytes.fromhex(body.starts).decode("latin-1")
        if not first or not self._values.detector.may_begin(first):
            return body
        if self._values.probe is not None:
            self._values.probe.append("blob")
        return replace(body, starts="")

    def _blob(self, body: Blob, value: Any) -> Blob:
        """A large body that holds secrets, by the hash of what is left of it: the same with another secret."""
        data = placeholders.classes_only(_dumped(value).decode()).encode()
        return Blob(hashlib.sha256(data).hexdigest(), len(data), body.type)

    def _part(self, part: Part) -> Part:
        name = self._values.string(part.name)
        filename = None if part.filename is None else self._values.string(part.filename)
        body = self._plain(part.body)
        if name is part.name and filename is part.filename and body is part.body:
            return part
        return replace(part, name=name, filename=filename, body=body)

    def _document(self, value: Any) -> Any:
        """A request's JSON value: what repeats from turn to turn (messages, tools, system) is searched once."""
        if not isinstance(value, dict):
            return self._values.value(value)
        if self._memo_generation != self.generation:
            self._forget()
            self._memo_generation = self.generation
        # What the last request repeated is not even looked up again, one by one.
        asked = self._values.probe is None
        told = {key: self._told_before(key, held) for key, held in value.items()} if asked else {}
        # All placeholders that the request brings are sighted before the first new one is numbered.
        written: dict[int, bytes] = {}
        shorts, fresh = list(value), list[tuple[Any, bytes]]()
        for key, held in value.items():
            for item in held[len(told.get(key, ())) :] if isinstance(held, list) else [held]:
                if isinstance(item, str) and len(item) <= SHORT:
                    self._values.sight(item)
                    shorts.append(item)
                elif isinstance(item, (str, dict, list)) and id(item) not in self._own:
                    written[id(item)] = data = _dumped(item)
                    fresh.append((item, data))
                    if placeholders.may_hold_bytes(data):
                        self._values.sight(data.decode())
        fresh = [part for part in fresh if not asked or _key(part[1]) not in self._memo]
        nothing = True if self._values.is_nothing(shorts, fresh) else False if len(fresh) == 1 else None
        made: dict[str, Any] = {}
        changed = False
        for key, held in value.items():
            out: Any
            if isinstance(held, list):
                before = told.get(key, [])
                new = held[len(before) :]
                items = [self._remembered(item, written, nothing) for item in new]
                out = [*before, *items]
                if all(map(is_, out, held)):
                    out = held
                if asked:
                    self._told[key] = (held, out)
            elif isinstance(held, str) and naming.telling(key):
                out = self._values.field(value, key, held)
            else:
                out = self._remembered(held, written, nothing)
            name = self._values.string(key)
            changed = changed or out is not held or name is not key
            made[name] = out
        return made if changed else value

    def _told_before(self, key: str, held: Any) -> list[Any]:
        """The redacted beginning of a list, as far as it is the one of the last request."""
        before, out = self._told.get(key, ((), []))
        if not isinstance(held, list) or len(before) > len(held) or not all(map(is_, before, held)):
            return []
        return out

    def _remembered(self, item: Any, written: Mapping[int, bytes], nothing: bool | None) -> Any:
        """A part of a document, redacted.

        Args:
            written: the JSON texts of those that are met for the first time.
            nothing: whether nothing is in any of them, but in opaque fields perhaps, where that is known.
        """
        if isinstance(item, str) and len(item) <= SHORT:
            made = self._values.string(item)
            return made if made is item else self._interned.setdefault(_key(_dumped(made)), made)
        if isinstance(item, (int, float)) and item is not True and item is not False:
            return self._values.number(item)
        if not isinstance(item, (str, dict, list)) or id(item) in self._own:
            return item
        data = written[id(item)]
        digest = _key(data)
        probing = self._values.probe is not None
        known = self._memo.get(digest)
        if known is not None and (not probing or self._interned.get(digest) is known):
            return known
        out: Any = self._values.part(item, data, nothing=nothing)
        if probing and out is not item:
            return out
        kept = digest if out is item else _key(_dumped(out))
        out = self._interned.setdefault(kept, out)
        self._memo[digest] = self._memo[kept] = self._own[id(out)] = out
        return out

    def _steps(self, steps: Steps) -> Steps:
        string = self._values.string
        head = steps[0] if steps and isinstance(steps[0], Head) else None
        made: list[Step] = []
        if head is not None:
            kept, reason = self._headers(head.headers, None, response=True), string(head.reason)
            same = kept is head.headers and reason is head.reason
            made.append(head if same else replace(head, headers=kept, reason=reason))
        chunks = [step for step in steps if isinstance(step, Chunk)]
        content_type = (
            next((value for name, value in head.headers if name.lower() == "content-type"), "") if head else ""
        )
        made += responses.redact(chunks, content_type, self._values)
        for step in steps:
            if isinstance(step, End):
                detail = string(step.detail)
                made.append(step if detail is step.detail else replace(step, detail=detail))
        same = len(made) == len(steps) and all(a is b for a, b in zip(made, steps, strict=True))
        return steps if same else tuple(made)


def _new_items(value: Any, seen: set[int]) -> Iterator[Any]:
    """The parts of a request's JSON value that no earlier one shared; of a list, the end that is new."""
    if not isinstance(value, dict):
        yield value
        return
    for key, held in value.items():
        yield key
        if not isinstance(held, list):
            yield held
            continue
        for item in reversed(held):
            if id(item) in seen:
                break
            if isinstance(item, (dict, list)):
                seen.add(id(item))
            yield item


def _is_placeholder(value: str) -> bool:
    return placeholders.PLACEHOLDER.fullmatch(value) is not None


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except (TypeError, ValueError):  # lone surrogates, integers beyond 64 bits
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def _key(data: bytes) -> bytes:
    return data if len(data) <= _SMALL else hashlib.blake2b(data, digest_size=32).digest()
