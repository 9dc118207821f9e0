"""The value of a cassette file → exchanges, each key checked where it is read (docs/cassette-format.md)."""

from __future__ import annotations

import functools
import hashlib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ..bodies import parse_json
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
from .model import MOST_SECONDS, OUTCOMES, PHASES, STATUSES, Cassette, UnknownKeys, is_moment, milliseconds
from .place import Place, kind_of, shown
from .writing import VERSION
from .yaml_reader import Document

ReadBlob = Callable[[str, str], bytes]
"""The bytes of a blob by its SHA-256 and its name below the cassette's folder. `OSError` where it is missing."""

_REQUEST_BODIES = ("json", "text", "base64", "json_text", "blob", "parts")
_RESPONSE_BODIES = ("json", "text", "base64", "json_text", "blob", "sse")
_PER_CHUNK = 150  # bytes of memory beside the data itself
_REQUEST_KEYS = frozenset(("method", "url", "headers", *_REQUEST_BODIES))
_RESPONSE_KEYS = frozenset(
    ("status", "reason", "http", "headers", "head", "took", "end", "format", "framing", *_RESPONSE_BODIES)
)
_EXCHANGE_KEYS = frozenset(("test", "recorded", "outcome", "after", "request", "response"))
_FILE_KEYS = frozenset(("convo_replay", "clients", "resendable", "exchanges"))
_BLOB_KEYS = frozenset(("sha256", "size", "type", "starts"))
_PART_KEYS = frozenset(("name", "filename", "type", "text", "base64", "blob"))
_OF_A_STATUS = ("headers", "head", "reason", "http", *_RESPONSE_BODIES)
_OF_JSON, _OF_SSE = "format", "framing"
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # a token (RFC 9110 §5.6.2)
_STARTS = re.compile(r"(?:[0-9a-f]{2}){0,16}\Z")


@dataclass(slots=True, repr=False)
class Left:
    """What a reading leaves as it is written: who looks through cassettes seldom needs their streams event by event.

    Attributes:
        value: the file's value.
        streams: exchange → the lines of its event stream; the exchange has none of their chunks.
    """

    value: Any = None
    streams: dict[int, Sequence[event_lines.Line]] = field(default_factory=dict)

    def whole(self, exchange: Exchange, index: int) -> Exchange:
        """The exchange of an index, with its events, which are no longer left then."""
        head, lines = exchange.head, self.streams.pop(index, None)
        if lines is None or head is None:
            return exchange
        framing = self.value["exchanges"][index]["response"].get(_OF_SSE, "")
        events = event_lines.rebuilt(lines, framing, milliseconds(head.at))
        return replace(exchange, steps=(head, *_chunks(events), exchange.end))


def cassette_of(
    document: Document, read_blob: ReadBlob, *, has_dollars: bool = True, left: Left | None = None
) -> Cassette:
    """The cassette that a file's value stands for.

    Args:
        left: where given, event streams are checked, and left in it.

    Raises:
        CassetteError: a future version, a missing key, a wrong type, a `$base` that cannot be.
    """
    root = Place(document, document.value, "", 1)
    version = root.get("convo_replay", int)
    if version > VERSION:
        reason = f"format {shown(version)}, this version reads up to {VERSION}: upgrade convo_replay"
        raise root.error("convo_replay", reason, do="")
    if version < 1:
        raise root.error("convo_replay", f"expected {VERSION}, there is no format {shown(version)}")
    clients = root.get("clients", dict, {})
    for name, release in clients.items():
        if not isinstance(release, str):
            raise root.error("clients", f"{name}: expected a version in quotes, got {kind_of(release)}")
    items = root.get("exchanges", list)
    unknown = [*root.unknown(_FILE_KEYS)]
    exchanges: list[Exchange] = []
    for index, item in enumerate(items):
        place = Place(document, item, f"exchanges[{index}]", document.line(items, index))
        exchanges.append(_exchange(place, index, exchanges, read_blob, unknown, has_dollars, left))
    if unknown:
        from convo_replay.shown import quoted

        named = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        warnings.warn(f"{document.path}: unknown keys, kept as they are: {quoted(named)}", UnknownKeys, stacklevel=5)
    return Cassette(dict(clients), root.get("resendable", bool, True), exchanges, root.unknown(_FILE_KEYS))


def _exchange(
    place: Place,
    index: int,
    earlier: list[Exchange],
    read_blob: ReadBlob,
    unknown: list[str],
    has_dollars: bool,
    left: Left | None,
) -> Exchange:
    test = place.get("test", str, "")
    request, response = place.below("request"), place.below("response")
    extra = place.unknown(_EXCHANGE_KEYS)
    steps, end_extra = _steps(response, read_blob, index, left)
    kept = [(request, request.unknown(_REQUEST_KEYS)), (response, response.unknown(_RESPONSE_KEYS))]
    unknown.extend(f"{place.name}.{key}" for key in extra)
    for below, keys in kept:
        unknown.extend(f"{below.name}.{key}" for key in keys if below is response or key != _OF_JSON)
    unknown.extend(f"{response.name}.end.{key}" for key in end_extra)
    if end_extra:
        kept[1][1]["end"] = end_extra
    method, url = request.get("method", str), request.get("url", str)
    wrong = _unfit(method, url)
    if wrong:
        raise request.error(*wrong)
    asked = Request(method, url, _headers(request), _request_body(request, test, index, earlier, has_dollars))
    if _OF_JSON in request.value:
        _layout(request)
    if isinstance(asked.body, (Blob, Parts)):
        kept[0][1].update(_inside(request.value, request.name, unknown))
    if "blob" in response.value:
        kept[1][1].update(_inside(response.value, response.name, unknown))
    if kept[0][1]:
        extra["request"] = kept[0][1]
    if kept[1][1]:
        extra["response"] = kept[1][1]
    recorded = place.get("recorded", str, "")
    if not is_moment(recorded) and "recorded" in place.value:
        raise place.error("recorded", f"expected a date and time such as 2026-11-22T10:00:00Z, got {shown(recorded)}")
    outcome = place.word("outcome", OUTCOMES) if "outcome" in place.value else ""
    after = _after(place) if "after" in place.value else ""
    return Exchange(asked, steps, test, recorded, outcome, after, extra or None)


@functools.lru_cache(256)  # exchange after exchange asks the same
def _unfit(method: str, url: str) -> tuple[str, str] | None:
    """The key of what no request has, and what is wrong with it."""
    if _METHOD.match(method) is None:
        return "method", "expected an HTTP method, got other text"
    try:
        urlsplit(url)
    except ValueError:
        return "url", "expected a URL, got other text"
    return None


def _after(place: Place) -> str:
    after: str = place.get("after", str)
    from ..faults.specs import parse  # here, as most cassettes have no branches

    try:
        one = len(parse(after)) == 1
    except ValueError as error:
        do = "correct it, take the exchange out, or install the plugin that brings the fault"
        raise place.error(
            "after", f"expected a fault such as cut:eof@t1.5, got {shown(after)}: {error}", do=do
        ) from None
    if not one:
        raise place.error("after", f"expected one run of faults such as cut:eof@t1.5, got {shown(after)}")
    return after


def _inside(value: Mapping[str, Any], name: str, unknown: list[str]) -> dict[str, Any]:
    """What is unknown in the `blob` or in the `parts` of a body; names of it are added to `unknown`."""
    made: dict[str, Any] = {}
    more = {key: item for key, item in value.get("blob", {}).items() if key not in _BLOB_KEYS}
    if more:
        unknown.extend(f"{name}.blob.{key}" for key in more)
        made["blob"] = more
    parts: list[dict[str, Any]] = []
    for number, part in enumerate(value.get("parts", ())):
        where = f"{name}.parts[{number}]"
        own = {key: item for key, item in part.items() if key not in _PART_KEYS}
        unknown.extend(f"{where}.{key}" for key in own)
        parts.append({**own, **_inside(part, where, unknown)})
    if any(parts):
        made["parts"] = parts
    return made


def _headers(place: Place) -> Headers:
    made: list[tuple[str, str]] = []
    for name, value in place.get("headers", dict, {}).items():
        several = value if isinstance(value, list) else [value]
        if not several:
            raise place.error("headers", f"{name}: expected text or a list of texts, got an empty list")
        for one in several:
            if not isinstance(one, str):
                raise place.error("headers", f"{name}: expected text or a list of texts, got {kind_of(one)}")
            made.append((name.lower(), one))
    return tuple(made)


def _request_body(place: Place, test: str, index: int, earlier: list[Exchange], has_dollars: bool) -> Body:
    key = place.only(_REQUEST_BODIES)
    if key is None:
        return None
    if key == "json":
        return Json(_json(place, test, index, earlier, has_dollars))
    if key == "json_text":
        try:
            return Json(parse_json(place.get(key, str).encode("utf-8", "surrogatepass")))
        except ValueError as error:
            raise place.error(key, f"expected a JSON document, got text that is none: {error}") from None
    if key == "parts":
        return Parts(tuple(_part(place, number, item) for number, item in enumerate(place.get(key, list))))
    return _plain_body(place, key)


def _json(place: Place, test: str, index: int, earlier: list[Exchange], has_dollars: bool) -> Any:
    value = place.value["json"]
    dollars = [] if not isinstance(value, dict) else [key for key in value if key[:1] == "$" and key[:2] != "$$"]
    if not dollars:
        return history.unescaped(value) if has_dollars else value
    inside = place.below("json")
    for key in dollars:
        if key not in ("$base", "$keep", "$drop"):
            raise inside.error(key, f"there are $base, $keep and $drop; a literal key is written ${key}", do="")
    back = inside.get("$base", int)
    if not -index <= back <= -1:
        before = ("no $base in the first exchange", "-1")[index] if index < 2 else f"-1 to -{index}"
        raise inside.error("$base", f"expected {before}, got {shown(back)}: so far from here there is no exchange")
    base = earlier[index + back]
    if base.test != test:
        raise inside.error("$base", f"exchanges[{index + back}] belongs to another test, expected one of the same")
    if not isinstance(base.request.body, Json):
        raise inside.error("$base", f"expected a request with JSON, that of exchanges[{index + back}] holds none")
    if has_dollars:
        value = {key: history.unescaped(item) for key, item in value.items()}
    try:
        return history.resolve(value, base.request.body.value)
    except ValueError as error:
        key, _, reason = str(error).partition(": ")
        raise inside.error(key, reason) from None


def _plain_body(place: Place, key: str) -> Text | Binary | Blob:
    if key == "text":
        return Text(place.get(key, str))
    if key == "base64":
        try:
            return Binary(response_bodies.unwrapped(place.get(key, str)))
        except ValueError as error:
            raise place.error(key, str(error)) from None
    return _blob(place.below(key))


def _blob(place: Place) -> Blob:
    sha256 = place.get("sha256", str)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise place.error("sha256", "expected 64 hexadecimal digits in lower case, got other text")
    size = place.get("size", int)
    if size < 0:
        raise place.error("size", f"expected bytes, at least 0, got {shown(size)}")
    starts = place.get("starts", str, "")
    if _STARTS.match(starts) is None:
        raise place.error("starts", "expected at most 16 bytes in hexadecimal digits in lower case, got other text")
    return Blob(sha256, size, place.get("type", str, ""), starts)


def _part(request: Place, number: int, item: Any) -> Part:
    place = Place(
        request.document, item, f"{request.name}.parts[{number}]", request.document.line(request.value, "parts")
    )
    key = place.only(("text", "base64", "blob"))
    if key is None:
        raise place.error("text", "missing: a part has one of text base64 blob")
    filename = place.get("filename", str) if "filename" in place.value else None
    return Part(place.get("name", str), _plain_body(place, key), filename, place.get("type", str, ""))


def _steps(place: Place, read_blob: ReadBlob, index: int, left: Left | None) -> tuple[tuple[Step, ...], dict[str, Any]]:
    steps: list[Step] = []
    value = place.value
    started, took = place.seconds("head"), place.seconds("took")
    if took < started:
        if "took" in value:
            reason = f"expected at least the {started:g} seconds of head, got {took:g}: it counts from the same start"
            raise place.error("took", reason)
        took = started
    if "status" in value:
        status = place.get("status", int)
        if status not in STATUSES:
            raise place.error("status", f"expected an HTTP status, 100 to 999, got {shown(status)}")
        steps.append(Head(status, _headers(place), started, place.get("reason", str, ""), place.get("http", str, "")))
    else:
        _without_status(place)
    key = place.only(_RESPONSE_BODIES)
    if _OF_SSE in value and key != "sse":
        raise place.error(_OF_SSE, "expected beside sse alone, and there is none")
    if _OF_JSON in value and key != "json":
        raise place.error(_OF_JSON, "expected beside json alone, and there is none")
    if key == "sse":
        try:
            text = place.get(key, str)
            place.document.take(_PER_CHUNK * text.count("\n") + len(text), place.line)
            framing = place.word(_OF_SSE, event_lines.FRAMINGS[1:]) if _OF_SSE in value else ""
            lines = event_lines.taken_apart(text, framing)
            last = event_lines.last_of(lines, milliseconds(started)) if left is not None and steps else None
            if left is not None and last is not None:
                left.streams[index] = lines
            else:
                chunks = _chunks(event_lines.rebuilt(lines, framing, milliseconds(started)))
                last = milliseconds(chunks[-1].at) if chunks else None
                steps.extend(chunks)
        except event_lines.BadLine as error:
            raise place.error(key, f"event {error.index}: {error}", below=1 + error.index) from None
        if left is None:
            value[key] = ""  # tens of megabytes in a long conversation
        if last is not None:
            took = max(took, last / 1000)
            if took >= MOST_SECONDS:
                raise place.error(key, f"expected less than {MOST_SECONDS} seconds, got {took:g} at its last event")
    elif key is not None:
        data = _bytes(place, key, read_blob)
        if data:
            steps.append(Chunk(took, data))
    if "end" not in value:
        return (*steps, End("complete", took)), {}
    below = place.below("end")
    kind: Any = below.word("kind", END_KINDS, "complete")
    if kind == "complete" and "status" not in value:
        raise place.error("status", "missing: without one nothing is complete")
    end = End(kind, took, below.word("phase", PHASES), below.get("detail", str, ""))
    return (*steps, end), below.unknown(frozenset(("kind", "phase", "detail")))


def _chunks(lines: Iterable[tuple[int, bytes]]) -> list[Chunk]:
    return [Chunk(at / 1000, raw) for at, raw in lines]


def _without_status(place: Place) -> None:
    if "end" not in place.value:
        raise place.error("status", "missing: without one there is an `end`")
    for key in _OF_A_STATUS:
        if key in place.value:
            raise place.error(key, "expected a status beside it, and there is none: nothing arrived")


def _bytes(place: Place, key: str, read_blob: ReadBlob) -> bytes:
    if key == "blob":
        return _blob_bytes(place, read_blob)
    if key != "json":
        place.get(key, str)
    elif _OF_JSON in place.value:
        _layout(place)
    try:
        return response_bodies.read(place.value)
    except (ValueError, TypeError) as error:
        raise place.error(key, str(error)) from None


def _layout(place: Place) -> None:
    if place.get(_OF_JSON, str) not in response_bodies.FORMATS:
        reason = "expected compact, spaced, indent2 or indent4, each with +ascii, +nl, or both (+ascii+nl), got "
        raise place.error(_OF_JSON, reason + shown(place.value[_OF_JSON]))
    if "json" not in place.value:
        raise place.error(_OF_JSON, "expected beside json alone, and there is none")


def _blob_bytes(place: Place, read_blob: ReadBlob) -> bytes:
    below = place.below("blob")
    blob = _blob(below)
    name = response_bodies.blob_name(blob.sha256, blob.type)
    try:
        data = read_blob(blob.sha256, name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        do = "restore it, or delete the cassette and record it again"
        raise place.error("blob", f"{name} beside the cassette cannot be read ({reason})", do=do) from None
    if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.sha256:
        do = "restore it, or delete the cassette and record it again"
        raise place.error("blob", f"{name} is not the file that was recorded", do=do)
    return data


def blobs_in(blobs: Mapping[str, bytes]) -> ReadBlob:
    """Reads blobs from memory, by their name."""

    def read_blob(_: str, name: str) -> bytes:
        if name not in blobs:
            raise FileNotFoundError(2, "No such file")
        return blobs[name]

    return read_blob
