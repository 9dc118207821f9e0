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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any
from urllib.parse import urlsplit

import orjson

from convo_replay.bodies import MESSAGE_KEYS, message_key
from convo_replay.exchange import Binary, Blob, Body, Headers, Json, Request, Text
from convo_replay.normalizing import GONE, normalized, parse_path, replaced
from convo_replay.providers import providers
from convo_replay.redaction import urls
from convo_replay.redaction.headers import kept
from convo_replay.redaction.placeholders import classes_only, found

_UNNORMALIZED_KEYS = frozenset({"model"})


def canonical(value: Any) -> str:
    """The JSON text of a value with sorted keys: equal exactly where the values are."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # integers over 64 bits, lone surrogates
        return json.dumps(value, sort_keys=True, separators=(",", ":"))


def comparable(request: Request) -> Headers:
    """The headers that are compared: those that a cassette of ours keeps, whoever recorded the request."""
    return tuple([pair for pair in request.headers if kept(pair[0], request.body, response=False)])


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


@dataclass(slots=True)
class _Told:
    """A history that was hashed, and the state to go on from."""

    messages: list[Any] = field(default_factory=list)
    loose: Any = field(default_factory=_mix)
    exact: Any = field(default_factory=_mix)
    numbers: dict[str, int] = field(default_factory=dict)
    placeholders: list[str] = field(default_factory=list)
    known: int = 0


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
            # Where the variable with the key is not set, the key is left out of the request, or not.
            secret = {path for provider in providers() for path in provider.secret_paths}
            self.paths += [(parse_path(path), GONE) for path in sorted(secret)]
        self._history_paths = [(path[1:], new) for path, new in self.paths if path[0] in MESSAGE_KEYS and path[1:]]
        self._rest_paths = [(path, new) for path, new in self.paths if path[0] not in MESSAGE_KEYS or not path[1:]]
        self._whole = {path for path, _ in self.paths if len(path) == 1}
        self._by_index = any(isinstance(path[0], int) for path, _ in self._history_paths)
        self._pieces: dict[tuple[int, int], tuple[Any, Piece]] = {}
        self._rests: dict[str, Piece] = {}
        self._lines: dict[tuple[str, str, Headers], tuple[Any, Any, str, list[str]]] = {}
        self._last: dict[int, _Told] = {}

    def of(self, request: Request) -> Fingerprint:
        """The fingerprint of a redacted request."""
        exact, loose, host, placeholders = self._line(
            request.method, request.url, comparable(request) if "headers" in self.match_on else ()
        )
        exact, loose, placeholders = exact.copy(), loose.copy(), list(placeholders)
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

    def _line(self, method: str, address: str, headers: Headers) -> tuple[Any, Any, str, list[str]]:
        """The hash states of all but the body, exact and loose, the host, and the URL's placeholders."""
        known = self._lines.get((method, address, headers))
        if known is not None:
            return known
        url = urlsplit(address)
        host = url.netloc.rpartition("@")[2].lower()
        line: list[str] = []
        if "method" in self.match_on:
            line.append(f"method {method.upper()}")
        if "scheme" in self.match_on:
            line.append(f"scheme {url.scheme}")
        if "host" in self.match_on:
            line.append(f"host {host}")
        if "path" in self.match_on:
            line.append(f"path {url.path or '/'}")
        if "query" in self.match_on:
            line.append(f"query {urls.compared(url.query)}")
        if "headers" in self.match_on:
            line.append(f"headers {sorted(headers)}")
        exact_line = classes_only("\n".join(line))
        made = _mix(exact_line), _mix(self._loose(exact_line)), host, found(address)
        self._lines[method, address, headers] = made
        return made

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
            told = _Told(
                history, told.loose.copy(), told.exact.copy(), told.numbers, told.placeholders, len(told.messages)
            )
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
            value = replaced(value, path, replacement)
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
            text = f"bytes {_digest(body.data)}"
        elif isinstance(body, Blob):
            text = f"bytes {body.sha256}"
        else:
            text = "parts " + canonical([_part(part.name, part.filename, part.body) for part in body.parts])
        return self._piece(text, text, ()), []

    def _json(self, value: Any) -> tuple[Piece, list[Any]]:
        key = message_key(value)
        rest = {name: child for name, child in value.items() if name != key} if key else value
        exact_text = canonical(rest)
        known = self._rests.get(exact_text)
        if known is None:
            loose = rest
            for path, replacement in self._rest_paths:
                loose = replaced(loose, path, replacement)
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
                loose = replaced(loose, path[1:], replacement)
        ids: list[str] = []
        skeleton = _without_ids(loose, ids) if self.preset else loose
        exact = canonical(message)
        piece = self._piece(exact, self._loose(exact if skeleton is message else canonical(skeleton)), tuple(ids))
        self._pieces[key] = (message, piece)  # holds the message, so that its id() stays its own
        return piece

    def _piece(self, exact: str, loose: str, ids: tuple[str, ...]) -> Piece:
        digest = _mix(classes_only(exact)).digest()
        same = loose is exact
        return Piece(digest, digest if same else _mix(classes_only(loose)).digest(), ids, tuple(found(exact)))


def _digest(data: bytes) -> str:
    """The hash of bytes, without the numbers of placeholders; these follow, so that they are known."""
    text = data.decode("utf-8", "surrogateescape")
    digest = hashlib.sha256(classes_only(text).encode("utf-8", "surrogateescape")).hexdigest()
    return " ".join([digest, *found(text)])


def _part(name: str, filename: str | None, body: Text | Binary | Blob) -> list[str | None]:
    if isinstance(body, Text):
        content = body.text
    elif isinstance(body, Binary):
        content = _digest(body.data)
    else:
        content = body.sha256
    return [name, filename, content]


ID_KEYS = frozenset({"id", "tool_use_id", "tool_call_id", "call_id"})
"""Where the formats keep the id of a tool call, and what refers to it."""


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
