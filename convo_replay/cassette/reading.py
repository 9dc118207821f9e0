"""The value of a cassette file → exchanges, each key checked where it is read.

An error names the file, the line and the key (`exchanges[2].request.url`), never a value: what a
recording holds may be a secret that the gate has not seen yet.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..bodies import parse_json
from ..errors import CassetteError
from ..exchange import (
    END_KINDS,
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
    Text,
)
from . import event_lines, history, response_bodies
from .model import Cassette, UnknownKeys, milliseconds
from .writing import VERSION
from .yaml_reader import Document

ReadBlob = Callable[[str, str], bytes]
"""The bytes of a blob by its SHA-256 and its name below the cassette's folder. `OSError` where it is missing."""

_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}
_REQUEST_BODIES = ("json", "text", "base64", "json_text", "blob", "parts")
_RESPONSE_BODIES = ("json", "text", "base64", "json_text", "blob", "sse")
_PER_CHUNK = 150  # bytes of memory beside the data itself
_REQUEST_KEYS = frozenset(("method", "url", "headers", *_REQUEST_BODIES))
_RESPONSE_KEYS = frozenset(
    ("status", "reason", "http", "headers", "head", "took", "end", "format", "framing", *_RESPONSE_BODIES)
)
_EXCHANGE_KEYS = frozenset(("test", "recorded", "outcome", "after", "request", "response"))
_FILE_KEYS = frozenset(("convo_replay", "clients", "resendable", "exchanges"))


class _Place:
    """A mapping of the file, with its name and the lines of its keys."""

    __slots__ = ("document", "line", "name", "value")

    def __init__(self, document: Document, value: Any, name: str, line: int | None) -> None:
        self.document = document
        self.name = name
        self.line = line
        if not isinstance(value, dict):
            raise CassetteError(document.path, f"{name or 'the file'}: expected a mapping, got {_kind(value)}", line)
        self.value: dict[str, Any] = value

    def error(self, key: str, reason: str, below: int = 0) -> CassetteError:
        line = self.document.line(self.value, key) or self.line
        name = f"{self.name}.{key}" if self.name else key
        return CassetteError(self.document.path, f"{name}: {reason}", line + below if line else None)

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of a key if it is of that kind; without `default` the key must be there."""
        if key not in self.value:
            if default is None:
                raise self.error(key, "missing")
            return default
        value = self.value[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.error(key, f"expected {_KINDS[kinds[0]]}, got {_kind(value)}")
        return value

    def seconds(self, key: str) -> float:
        value = float(self.get(key, (float, int), 0.0))
        if not 0 <= value < 1e9:
            raise self.error(key, "expected seconds, at least 0")
        return milliseconds(value) / 1000

    def below(self, key: str) -> _Place:
        name = f"{self.name}.{key}" if self.name else key
        return _Place(self.document, self.get(key, dict), name, self.document.line(self.value, key) or self.line)

    def only(self, keys: tuple[str, ...]) -> str | None:
        """The one of `keys` that is there."""
        there = [key for key in keys if key in self.value]
        if len(there) > 1:
            raise self.error(there[1], f"a body is one of {' '.join(keys)}; there is {there[0]} too")
        return there[0] if there else None

    def unknown(self, known: frozenset[str]) -> dict[str, Any]:
        return {key: item for key, item in self.value.items() if key not in known}


def _kind(value: Any) -> str:
    return "nothing" if value is None else _KINDS.get(type(value), type(value).__name__)


def cassette_of(document: Document, read_blob: ReadBlob, *, has_dollars: bool = True) -> Cassette:
    """The cassette that a file's value stands for.

    Raises:
        CassetteError: a future version, a missing key, a wrong type, a `$base` that cannot be.
    """
    root = _Place(document, document.value, "", 1)
    version = root.get("convo_replay", int)
    if version > VERSION:
        raise root.error("convo_replay", f"format {version}, this version reads up to {VERSION}: upgrade convo_replay")
    if version < 1:
        raise root.error("convo_replay", f"there is no format {version}")
    clients = root.get("clients", dict, {})
    for name, release in clients.items():
        if not isinstance(release, str):
            raise root.error("clients", f"{name}: expected a version in quotes, got {_kind(release)}")
    items = root.get("exchanges", list)
    unknown = [*root.unknown(_FILE_KEYS)]
    exchanges: list[Exchange] = []
    for index, item in enumerate(items):
        place = _Place(document, item, f"exchanges[{index}]", document.line(items, index))
        exchanges.append(_exchange(place, index, exchanges, read_blob, unknown, has_dollars))
    if unknown:
        from convo_replay.shown import quoted

        shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        warnings.warn(f"{document.path}: unknown keys, kept as they are: {quoted(shown)}", UnknownKeys, stacklevel=4)
    return Cassette(dict(clients), root.get("resendable", bool, True), exchanges, root.unknown(_FILE_KEYS))


def _exchange(
    place: _Place, index: int, earlier: list[Exchange], read_blob: ReadBlob, unknown: list[str], has_dollars: bool
) -> Exchange:
    test = place.get("test", str, "")
    request, response = place.below("request"), place.below("response")
    extra = place.unknown(_EXCHANGE_KEYS)
    steps, end_extra = _steps(response, read_blob)
    kept = [(request, request.unknown(_REQUEST_KEYS)), (response, response.unknown(_RESPONSE_KEYS))]
    unknown.extend(f"{place.name}.{key}" for key in extra)
    for below, keys in kept:
        unknown.extend(f"{below.name}.{key}" for key in keys if below is response or key != "format")
    unknown.extend(f"{response.name}.end.{key}" for key in end_extra)
    if end_extra:
        kept[1][1]["end"] = end_extra
    if kept[0][1]:
        extra["request"] = kept[0][1]
    if kept[1][1]:
        extra["response"] = kept[1][1]
    asked = Request(
        request.get("method", str),
        request.get("url", str),
        _headers(request),
        _request_body(request, test, index, earlier, has_dollars),
    )
    return Exchange(
        asked,
        steps,
        test,
        place.get("recorded", str, ""),
        place.get("outcome", str, ""),
        place.get("after", str, ""),
        extra or None,
    )


def _headers(place: _Place) -> Headers:
    made: list[tuple[str, str]] = []
    for name, value in place.get("headers", dict, {}).items():
        several = value if isinstance(value, list) else [value]
        for one in several:
            if not isinstance(one, str):
                raise place.error("headers", f"{name}: expected text or a list of texts, got {_kind(one)}")
            made.append((name.lower(), one))
    return tuple(made)


def _request_body(place: _Place, test: str, index: int, earlier: list[Exchange], has_dollars: bool) -> Body:
    key = place.only(_REQUEST_BODIES)
    if key is None:
        return None
    if key == "json":
        return Json(_json(place, test, index, earlier, has_dollars))
    if key == "json_text":
        try:
            return Json(parse_json(place.get(key, str).encode("utf-8", "surrogatepass")))
        except ValueError as error:
            raise place.error(key, f"no JSON document: {error}") from None
    if key == "parts":
        return Parts(tuple(_part(place, number, item) for number, item in enumerate(place.get(key, list))))
    return _plain_body(place, key)


def _json(place: _Place, test: str, index: int, earlier: list[Exchange], has_dollars: bool) -> Any:
    value = place.value["json"]
    dollars = [] if not isinstance(value, dict) else [key for key in value if key[:1] == "$" and key[:2] != "$$"]
    if not dollars:
        return history.unescaped(value) if has_dollars else value
    inside = place.below("json")
    for key in dollars:
        if key not in ("$base", "$keep", "$drop"):
            raise inside.error(key, f"there are $base, $keep and $drop; a literal key is written ${key}")
    back = inside.get("$base", int)
    if not -index <= back <= -1:
        raise inside.error("$base", f"{back} exchanges from here there is none")
    base = earlier[index + back]
    if base.test != test:
        raise inside.error("$base", f"exchanges[{index + back}] belongs to another test")
    if not isinstance(base.request.body, Json):
        raise inside.error("$base", f"the request of exchanges[{index + back}] holds no JSON")
    if has_dollars:
        value = {key: history.unescaped(item) for key, item in value.items()}
    try:
        return history.resolve(value, base.request.body.value)
    except ValueError as error:
        key, _, reason = str(error).partition(": ")
        raise inside.error(key, reason) from None


def _plain_body(place: _Place, key: str) -> Text | Binary | Blob:
    if key == "text":
        return Text(place.get(key, str))
    if key == "base64":
        try:
            return Binary(response_bodies.unwrapped(place.get(key, str)))
        except ValueError as error:
            raise place.error(key, str(error)) from None
    return _blob(place.below(key))


def _blob(place: _Place) -> Blob:
    sha256 = place.get("sha256", str)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise place.error("sha256", "expected 64 hexadecimal digits")
    size = place.get("size", int)
    if size < 0:
        raise place.error("size", "expected bytes, at least 0")
    return Blob(sha256, size, place.get("type", str, ""), place.get("starts", str, ""))


def _part(request: _Place, number: int, item: Any) -> Part:
    place = _Place(
        request.document, item, f"{request.name}.parts[{number}]", request.document.line(request.value, "parts")
    )
    key = place.only(("text", "base64", "blob"))
    if key is None:
        raise place.error("text", "missing; a part has one of text base64 blob")
    filename = place.get("filename", str) if "filename" in place.value else None
    return Part(place.get("name", str), _plain_body(place, key), filename, place.get("type", str, ""))


def _steps(place: _Place, read_blob: ReadBlob) -> tuple[tuple[Step, ...], dict[str, Any]]:
    steps: list[Step] = []
    started = place.seconds("head")
    took = max(place.seconds("took"), started)
    if "status" in place.value:
        status = place.get("status", int)
        if not 0 <= status <= 999:
            raise place.error("status", "expected an HTTP status")
        steps.append(Head(status, _headers(place), started, place.get("reason", str, ""), place.get("http", str, "")))
    key = place.only(_RESPONSE_BODIES)
    if key == "sse":
        try:
            text = place.get(key, str)
            place.document.take(_PER_CHUNK * text.count("\n") + len(text), place.line)
            lines = event_lines.read(text, place.get("framing", str, ""), milliseconds(started))
        except event_lines.BadLine as error:
            raise place.error(key, f"event {error.index}: {error}", below=1 + error.index) from None
        steps.extend([Chunk(at / 1000, raw) for at, raw in lines])
        place.value[key] = ""  # tens of megabytes in a long conversation
        if lines:
            took = max(took, lines[-1][0] / 1000)
    elif key is not None:
        data = _bytes(place, key, read_blob)
        if data:
            steps.append(Chunk(took, data))
    end, extra = End("complete", took), {}
    if "end" in place.value:
        below = place.below("end")
        kind = below.get("kind", str, "complete")
        if kind not in END_KINDS:
            raise below.error("kind", f"expected one of {' '.join(END_KINDS)}")
        end = End(kind, took, below.get("phase", str, ""), below.get("detail", str, ""))
        extra = below.unknown(frozenset(("kind", "phase", "detail")))
    elif "status" not in place.value:
        raise place.error("status", "missing; without one there is an `end`")
    return (*steps, end), extra


def _bytes(place: _Place, key: str, read_blob: ReadBlob) -> bytes:
    if key == "blob":
        return _blob_bytes(place, read_blob)
    if key != "json":
        place.get(key, str)
    place.get("format", str, "")
    try:
        return response_bodies.read(place.value)
    except (ValueError, TypeError) as error:
        raise place.error("format" if "format is" in str(error) else key, str(error)) from None


def _blob_bytes(place: _Place, read_blob: ReadBlob) -> bytes:
    below = place.below("blob")
    blob = _blob(below)
    name = response_bodies.blob_name(blob.sha256, blob.type)
    try:
        data = read_blob(blob.sha256, name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise place.error(
            "blob", f"{name} beside the cassette cannot be read ({reason}): restore it, or record again"
        ) from None
    if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.sha256:
        raise place.error("blob", f"{name} is not the file that was recorded: restore it, or record again")
    return data


def blobs_in(blobs: Mapping[str, bytes]) -> ReadBlob:
    """Reads blobs from memory, by their name."""

    def read_blob(_: str, name: str) -> bytes:
        if name not in blobs:
            raise FileNotFoundError(2, "No such file")
        return blobs[name]

    return read_blob
