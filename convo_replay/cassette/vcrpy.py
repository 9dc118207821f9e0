"""vcrpy's cassettes, YAML and JSON, as exchanges.

They hold what the client library saw: bodies that may still be compressed (or say so and are not), values of a few
Python types in tags, no times, and no way to say that a stream broke. Bodies are decoded here; one in `br` or `zstd`
stays as it is, with its header, where no decoder is installed. What other recorders write is named, not guessed at.

Beside vcrpy's own keys those of common serializers are read: `parsed_body` holds a JSON body by value, `base64_string`
any body. So are its older forms: `status_code` and `content` (httpx before vcrpy 6), headers as pairs (tornado), and
the list of interactions that it wrote before 1.0 and refuses now.

Sources: vcrpy 9.4, `serialize.py`, `serializers/`, `stubs/`, `migration.py`.
"""

from __future__ import annotations

import binascii
import http
import json
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..bodies import body_of
from ..errors import CassetteError
from ..exchange import Chunk, End, Exchange, Head, Headers, Json, Request, Step
from . import content_encoding, response_bodies, yaml_reader
from .model import STATUSES, Cassette, is_moment, stored
from .python_tags import TAGS
from .yaml_reader import Document


class NoCassette(CassetteError):
    """A file is well-formed and something else: not ours, not vcrpy's."""


def read(data: bytes, path: str, *, layouts: bool = False) -> Cassette:
    """The cassette that the bytes of one of vcrpy's files are.

    Args:
        layouts: note in `Exchange.extra` how the bytes of JSON requests were laid out, as `request.format`: they
            are held by value, and nothing but writing them again asks for it. `request.white space` where no
            word says it.

    Raises:
        CassetteError: neither YAML nor JSON, or no cassette of vcrpy's.
    """
    document = json_document(data, path) if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else None
    if document is None:
        document = yaml_reader.read(data, path, yaml11=True, tags=TAGS)
    value = document.value
    if _is_before_1_0(value):
        messages: Any = [_migrated(item) for item in value]
        extra: dict[str, Any] = {}
        lines = [document.line(value, index) for index in range(len(value))]
    else:
        messages = value.get("interactions") if isinstance(value, dict) else None
        reason = _others(value, messages)
        if reason or not isinstance(messages, list):
            raise NoCassette(path, reason or _NEITHER, document.line(messages, 0) or 1)
        extra = {key: item for key, item in value.items() if key not in ("interactions", "version")}
        lines = [document.line(messages, index) for index in range(len(messages))]
        if _is_cassetters(messages):
            messages = [_without_kinds(item, index, path, lines[index]) for index, item in enumerate(messages)]
    exchanges = [_exchange(item, index, document, lines[index], layouts) for index, item in enumerate(messages)]
    return Cassette(exchanges=exchanges, extra=extra, format="vcrpy")


def json_document(data: bytes, path: str) -> Document | None:
    """The value of a JSON file; `None` where YAML in braces may still be meant."""
    yaml_reader.guard_bytes(data, path)
    depth = nodes = at = 0
    line, lines = 1, []
    inside = False
    for match in _JSON_TOKEN.finditer(data):
        token = match[0][:1]
        if token in b"[{":
            depth += 1
            nodes += 1
            if inside and depth == 3:
                line, at = line + data.count(b"\n", at, match.start()), match.start()
                lines.append(line)
            if depth > yaml_reader.MAX_DEPTH:
                line = data.count(b"\n", 0, match.start()) + 1
                raise CassetteError(path, f"nested deeper than {yaml_reader.MAX_DEPTH} levels", line)
        elif token in b"]}":
            depth -= 1
        elif token == b",":
            nodes += 1
        elif depth == 1:
            inside = match[0] == b'"interactions"'
        if nodes > yaml_reader.MAX_NODES:
            raise CassetteError(path, f"more than {yaml_reader.MAX_NODES:,} values")
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    document = Document(value, path, yaml_reader.room(len(data)))
    if isinstance(value, dict) and isinstance(value.get("interactions"), list):
        document.lines[id(value["interactions"])] = lines
    return document


_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)

# --- whose file it is ------------------------------------------------------------------------------

_NEITHER = "no cassette: it has neither `convo_replay:` (ours) nor a list of `interactions` (vcrpy's)"


def _others(value: Any, messages: Any) -> str:
    """Why a file of another recorder is none of vcrpy's; nothing where it may be one."""
    if not isinstance(value, dict):
        return ""
    if "http_interactions" in value:
        return "no cassette of vcrpy's: `http_interactions` is what VCR (Ruby, R) and betamax write"
    if isinstance(value.get("log"), dict) and "entries" in value["log"]:
        return "no cassette of vcrpy's: `log.entries` is a HAR archive"
    first = messages[0] if isinstance(messages, list) and messages else None
    asked = first.get("request") if isinstance(first, dict) else None
    if isinstance(asked, dict) and "uri" not in asked and "url" in asked:
        return "interactions[0].request: expected `method` and `uri`, as vcrpy writes them; `url` is what go-vcr writes"
    return ""


_PARTS = ("protocol", "host", "port", "path")


def _is_before_1_0(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    asked = value[0].get("request") if isinstance(value[0], dict) else None
    return isinstance(asked, dict) and all(part in asked for part in _PARTS)


def _migrated(item: Any) -> Any:
    """An interaction of the time before 1.0 as it is now: the URL in one piece (vcrpy's `migration.py`)."""
    if not isinstance(item, dict) or not isinstance(item.get("request"), dict):
        return item
    asked = dict(item["request"])
    scheme, host, port, path = (asked.pop(part, "") for part in _PARTS)
    usual = port in (None, "", {"https": 443, "http": 80}.get(scheme))
    asked["uri"] = f"{scheme}://{host}{'' if usual else f':{port}'}{path}"
    return {**item, "request": asked}


_SIDES = ("request", "response")
_KINDS: dict[str, Callable[[Any], Any]] = {
    "none": lambda _: None,
    "json": lambda content: {"string": response_bodies.json_bytes(content, "")},
    "text": lambda content: {"string": content},
    "binary": lambda content: {"string": bytes.fromhex(content)},
}
"""How cassetter 0.16 says what a body is, and what it holds then."""


def _is_cassetters(messages: list[Any]) -> bool:
    """Whether the interactions are of cassetter's YAML: vcrpy's but for the status, a number, and the bodies."""
    return bool(messages) and all(
        isinstance(item, dict)
        and all(isinstance(item.get(side), dict) and _has_kind(item[side].get("body")) for side in _SIDES)
        and isinstance(item["response"].get("status"), int)
        for item in messages
    )


def _has_kind(body: Any) -> bool:
    return isinstance(body, dict) and body.get("type") in tuple(_KINDS) and body.keys() <= {"type", "content"}


def _without_kinds(item: dict[str, Any], index: int, path: str, line: int | None) -> dict[str, Any]:
    made = dict(item)
    for side in _SIDES:
        kind, content = item[side]["body"]["type"], item[side]["body"].get("content")
        try:
            body = _KINDS[kind](content)
        except (TypeError, ValueError):
            reason = f"interactions[{index}].{side}.body: no content of type {kind}, as cassetter writes it"
            raise CassetteError(path, reason, line) from None
        made[side] = {**item[side], "body": body}
    return made


# --- one interaction -------------------------------------------------------------------------------


def _exchange(item: Any, index: int, document: Document, line: int | None, layouts: bool) -> Exchange:
    path, name = document.path, f"interactions[{index}]"
    asked, answered = (item.get("request"), item.get("response")) if isinstance(item, dict) else (None, None)
    if not isinstance(asked, dict) or not isinstance(answered, dict):
        raise CassetteError(path, f"{name}: expected a mapping with `request` and `response`", line)
    where = f"{name}.request"
    try:
        request = _request(asked)
        with_layout = layouts and isinstance(request.body, Json)
        layout = _layout(_sent(asked, _headers(asked.get("headers")))[0]) if with_layout else ""
        where = f"{name}.response"
        steps = _steps(answered, document, line)
    except ValueError as error:
        raise CassetteError(path, f"{where}: {error}", line) from None
    recorded = item.get("recorded_at")
    if not isinstance(recorded, str) or not is_moment(recorded):  # of another recorder, in words of its own
        recorded = ""
    known = ("request", "response", "recorded_at") if recorded else ("request", "response")
    extra = {key: value for key, value in item.items() if key not in known}
    if layout is None:
        extra["request"] = {"white space": True}
    elif layout:
        extra["request"] = {"format": layout}
    exchange = Exchange(request, steps, recorded=recorded, extra=extra or None)
    return stored(exchange)


def _request(asked: dict[str, Any]) -> Request:
    method, uri = asked.get("method"), asked.get("uri")
    if not isinstance(method, str) or not isinstance(uri, str):
        raise ValueError("expected `method` and `uri`, as vcrpy writes them")
    try:
        urlsplit(uri)
    except ValueError:
        raise ValueError("uri: expected a URL") from None
    headers = _headers(asked.get("headers"))
    sent, is_plain = _sent(asked, headers)
    if is_plain:
        headers = tuple([pair for pair in headers if pair[0] != "content-encoding"])
    body = body_of(sent, _first(headers))
    return Request(method, uri, headers, Json(body.value, sent) if isinstance(body, Json) else body)


def _sent(asked: dict[str, Any], headers: Headers) -> tuple[bytes, bool]:
    """The body of a request, and whether it is without its content-encoding."""
    sent = body_bytes(asked, ("string", "encoding"))
    try:
        return content_encoding.decoded(sent, [value for name, value in headers if name == "content-encoding"]), True
    except ValueError:  # broken, or nothing here unpacks it
        return sent, False


def _first(headers: Headers) -> str:
    return next((value for name, value in headers if name == "content-type"), "")


def _layout(sent: bytes) -> str | None:
    """The word for the layout of a JSON document, empty where it is compact; `None` where no word fits."""
    written = response_bodies.write(sent, "application/json")[0]
    return str(written.get("format", "")) if "json" in written else None


def _headers(value: Any) -> Headers:
    """A mapping of name to value or values, a list of such pairs, or of lines as they were sent."""
    if isinstance(value, list):
        pairs = [_header_line(item) if isinstance(item, str) else item for item in value]
        if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
            raise ValueError("headers: expected a mapping")
    elif isinstance(value, dict):
        pairs = list(value.items())
    elif value is None:
        pairs = []
    else:
        raise ValueError("headers: expected a mapping")
    made: list[tuple[str, str]] = []
    for name, several in pairs:
        for one in several if isinstance(several, (list, tuple)) else [several]:
            if one is not None:  # what a filter left of a header that it emptied
                made.append((_text(name).lower(), _text(one)))
    return tuple(made)


def _header_line(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"headers: expected text, got {type(value).__name__}")
    return str(value)


def body_bytes(message: dict[str, Any], keys: tuple[str, ...] = ()) -> bytes:
    """The body of a request or response, in any of the places where it may stand.

    Args:
        keys: where given, a mapping with others is no holder of a body but a JSON body itself.

    Raises:
        ValueError: what stands there is no body.
    """
    if message.get("parsed_body") is not None:
        return _dumped(message["parsed_body"], "parsed_body")
    body = message.get("body")
    if body is None:
        body = message.get("content")
    if isinstance(body, dict):
        if body.get("base64_string") is not None:
            return _base64(body["base64_string"])
        if "string" not in body or (keys and not body.keys() <= set(keys)):
            return _dumped(body, "body") if body else b""
        body = body["string"]
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return _encoded(body)
    if isinstance(body, (list, tuple)):
        return _joined(body)
    raise ValueError(f"body: expected text, got {type(body).__name__}; put it in quotes")


def _dumped(value: Any, key: str) -> bytes:
    # As the serializers that take the JSON out put it back in for vcrpy: `json.dumps(value)`.
    try:
        return response_bodies.json_bytes(value, "spaced+ascii")
    except (TypeError, ValueError):
        raise ValueError(f"{key}: expected a value that JSON has") from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("body: a lone surrogate, which no bytes stand for") from None


def _joined(items: list[Any] | tuple[Any, ...]) -> bytes:
    """The items of an iterator: bytes, texts, or numbers that are bytes; else a JSON list."""
    if all(isinstance(item, (bytes, str)) for item in items):
        return b"".join([item if isinstance(item, bytes) else _encoded(item) for item in items])
    try:
        return bytes(items)
    except (TypeError, ValueError):
        return _dumped(items, "body")


def _base64(value: Any) -> bytes:
    try:
        return b64decode(value)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("base64_string: expected base64") from None


def _steps(response: dict[str, Any], document: Document, line: int | None) -> tuple[Step, ...]:
    status: Any = response.get("status")
    if status is None:
        status = response.get("status_code")
    reason = None
    if isinstance(status, dict):
        status, reason = status.get("code"), status.get("message")
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or status not in STATUSES:
        raise ValueError("status: expected an HTTP status, 100 to 999")
    headers = _headers(response.get("headers"))
    encodings = [value for name, value in headers if name == "content-encoding"]
    raw, end, undone = body_bytes(response), End(), {"transfer-encoding", "content-encoding"}
    try:
        data = content_encoding.decoded(raw, encodings, min(content_encoding.MAX_BODY, max(document.room, 0)))
    except content_encoding.Undecodable as error:  # the client that recorded it could not read it either
        data, end = b"", End("undecodable", detail=str(error))
    except content_encoding.NoDecoder:  # it stays for the client to read, with the header that says how
        data = raw
        undone.remove("content-encoding")
    if data is not raw:
        document.take(len(data), line)
    # What described the encoded body would be wrong now.
    headers = tuple([pair for pair in headers if pair[0] not in undone])
    if data:
        headers = tuple([(name, str(len(data)) if name == "content-length" else value) for name, value in headers])
    version = response.get("http_version")
    head = Head(status, headers, 0.0, _unusual(status, reason), version if isinstance(version, str) else "")
    return (head, Chunk(0.0, data), end) if data else (head, end)


def _unusual(status: int, reason: Any) -> str:
    try:
        standard = http.HTTPStatus(status).phrase
    except ValueError:
        standard = ""
    text = reason.decode("latin-1") if isinstance(reason, bytes) else reason
    return text if isinstance(text, str) and text.casefold() != standard.casefold() else ""
