"""vcrpy's cassettes, YAML and JSON, as exchanges.

They hold what the client library saw: bodies that may still be compressed (or say so and are not),
values of a few Python types in tags, no times, and no way to say that a stream broke. vcrpy builds the
tagged values by calling Python; here each tag is a function of plain values, and any other is refused.

Beside vcrpy's own keys those of a common serializer are read: `parsed_body` holds a JSON body by value.
Source: vcrpy 9.4, `serialize.py`, `serializers/`, `stubs/`.
"""

from __future__ import annotations

import binascii
import http
import importlib
import json
import re
import zlib
from base64 import b64decode
from typing import Any

from ..bodies import body_of
from ..errors import CassetteError
from ..exchange import Chunk, End, Exchange, Head, Headers, Request, Step
from . import yaml_reader
from .model import Cassette, stored
from .response_bodies import json_bytes
from .yaml_reader import Document, Tag

MAX_BODY = 256 << 20
"""Bytes that a compressed body may unpack to."""

_PYTHON = "tag:yaml.org,2002:python/"


def read(data: bytes, path: str) -> Cassette:
    """The cassette that the bytes of one of vcrpy's files are.

    Raises:
        CassetteError: neither YAML nor JSON, or no cassette of vcrpy's.
    """
    document = _json(data, path) if data.lstrip()[:1] in (b"{", b"[") else None
    if document is None:
        document = yaml_reader.read(data, path, yaml11=True, tags=_TAGS)
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("interactions"), list):
        raise CassetteError(
            path, "no cassette: it has neither `convo_replay:` (ours) nor a list of `interactions` (vcrpy's)", 1
        )
    messages = value["interactions"]
    exchanges = [
        _exchange(item, index, path, document.line(messages, index)) for index, item in enumerate(messages)
    ]  # fmt: skip
    extra = {key: item for key, item in value.items() if key not in ("interactions", "version")}
    return Cassette(exchanges=exchanges, extra=extra, format="vcrpy")


def _json(data: bytes, path: str) -> Document | None:
    """The value of a JSON file; `None` where YAML in braces may still be meant."""
    yaml_reader.guard_bytes(data, path)
    depth = nodes = 0
    for match in _JSON_TOKEN.finditer(data):
        token = match[0][:1]
        if token in b"[{":
            depth += 1
            nodes += 1
            if depth > yaml_reader.MAX_DEPTH:
                line = data.count(b"\n", 0, match.start()) + 1
                raise CassetteError(path, f"nested deeper than {yaml_reader.MAX_DEPTH} levels", line)
        elif token in b"]}":
            depth -= 1
        elif token == b",":
            nodes += 1
        if nodes > yaml_reader.MAX_NODES:
            raise CassetteError(path, f"more than {yaml_reader.MAX_NODES:,} values")
    try:
        return Document(json.loads(data.decode("utf-8")), path)
    except (ValueError, RecursionError):
        return None


_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)


def _exchange(item: Any, index: int, path: str, line: int | None) -> Exchange:
    name = f"interactions[{index}]"
    if not isinstance(item, dict):
        raise CassetteError(path, f"{name}: expected a mapping with `request` and `response`", line)
    asked, answered = item.get("request"), item.get("response")
    if not isinstance(asked, dict) or not isinstance(answered, dict):
        raise CassetteError(path, f"{name}: expected a mapping with `request` and `response`", line)
    method, uri = asked.get("method"), asked.get("uri")
    if not isinstance(method, str) or not isinstance(uri, str):
        raise CassetteError(path, f"{name}.request: expected `method` and `uri`, as vcrpy writes them", line)
    try:
        headers = _headers(asked.get("headers"))
        sent = _bytes(asked)
        request = Request(method, uri, headers, body_of(sent, _first(headers, "content-type")))
        if sent and request.body is None:
            raise ValueError("a body that cannot be read")
        steps = _steps(answered)
    except (ValueError, TypeError, KeyError) as error:
        raise CassetteError(path, f"{name}: {error}", line) from None
    recorded = item.get("recorded_at")
    extra = {key: value for key, value in item.items() if key not in ("request", "response", "recorded_at")}
    exchange = Exchange(request, steps, recorded=recorded if isinstance(recorded, str) else "", extra=extra or None)
    return stored(exchange)


def _headers(value: Any) -> Headers:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise ValueError("headers: expected a mapping")
    made: list[tuple[str, str]] = []
    for name, several in value.items():
        for one in several if isinstance(several, (list, tuple)) else [several]:
            made.append((_text(name).lower(), _text(one)))
    return tuple(made)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, bool) or value is None or not isinstance(value, (str, int, float)):
        raise ValueError(f"headers: expected text, got {type(value).__name__}")
    return str(value)


def _first(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key == name), "")


def _bytes(message: dict[str, Any]) -> bytes:
    """The body of a request or response, in any of the places where it may stand."""
    if message.get("parsed_body") is not None:
        return json_bytes(message["parsed_body"], "")
    body = message.get("body", message.get("content"))
    if isinstance(body, dict):
        if "base64_string" in body:
            return _base64(body["base64_string"])
        if "string" not in body:
            return json_bytes(body, "") if body else b""
        body = body["string"]
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "surrogateescape")
    if isinstance(body, (list, tuple)):  # an iterator's items
        return b"".join(item if isinstance(item, bytes) else str(item).encode() for item in body)
    raise ValueError(f"a body of type {type(body).__name__}")


def _base64(value: Any) -> bytes:
    try:
        return b64decode(value)
    except (binascii.Error, TypeError):
        raise ValueError("base64_string: expected base64") from None


def _steps(response: dict[str, Any]) -> tuple[Step, ...]:
    status: Any = response.get("status", response.get("status_code"))
    reason = ""
    if isinstance(status, dict):
        status, reason = status.get("code"), status.get("message") or ""
    if isinstance(status, bool) or not isinstance(status, int) or not 0 <= status <= 999:
        raise ValueError("response.status: expected an HTTP status")
    headers = _headers(response.get("headers"))
    data = decoded(_bytes(response), [value for name, value in headers if name == "content-encoding"])
    # The body is decoded now; what described the encoded one would be wrong.
    headers = tuple((name, value) for name, value in headers if name not in ("content-encoding", "transfer-encoding"))
    if "content-length" in {name for name, _ in headers}:
        headers = tuple((n, str(len(data)) if n == "content-length" and data else value) for n, value in headers)
    version = response.get("http_version")
    head = Head(status, headers, 0.0, _unusual(status, reason), version if isinstance(version, str) else "")
    return (head, Chunk(0.0, data), End()) if data else (head, End())


def _unusual(status: int, reason: Any) -> str:
    try:
        standard = http.HTTPStatus(status).phrase
    except ValueError:
        standard = ""
    text = reason.decode("latin-1") if isinstance(reason, bytes) else reason
    return text if isinstance(text, str) and text.casefold() != standard.casefold() else ""


_ZSTD = ("compression.zstd", "backports.zstd", "zstandard")


def decoded(data: bytes, encodings: list[str]) -> bytes:
    """A body without its content-encoding; as it is where the header is stale and the bytes are plain.

    Raises:
        ValueError: compressed, and either broken or for a decoder that is not installed.
    """
    for encoding in reversed(",".join(encodings).lower().split(",")):
        word = encoding.strip()
        if word in ("gzip", "x-gzip"):
            data = _inflate(data, 31) if data[:2] == b"\x1f\x8b" else data
        elif word == "deflate":
            data = _deflated(data)
        elif word == "zstd":
            data = _by_module(data, _ZSTD) if data[:4] == b"\x28\xb5\x2f\xfd" else data
        elif word == "br" and data and not _is_text(data):
            data = _by_module(data, ("brotli", "brotlicffi"))
    return data


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _deflated(data: bytes) -> bytes:
    for window in (15, -15):
        try:
            return _inflate(data, window)
        except ValueError:
            continue
    if _is_text(data):
        return data
    raise ValueError("a body in deflate that does not unpack")


def _inflate(data: bytes, window: int) -> bytes:
    made: list[bytes] = []
    size = 0
    try:
        while data:
            engine = zlib.decompressobj(window)
            part = engine.decompress(data, MAX_BODY - size + 1)
            size += len(part)
            made.append(part)
            if size > MAX_BODY:
                raise ValueError("a body that unpacks to more than 256 MB")
            if not engine.eof:  # cut short: what is there counts
                break
            data = engine.unused_data
            if window == 31 and data[:2] != b"\x1f\x8b":
                break
    except zlib.error:
        raise ValueError("a compressed body that does not unpack") from None
    return b"".join(made)


def _by_module(data: bytes, names: tuple[str, ...]) -> bytes:
    for name in names:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        try:
            if hasattr(module, "ZstdDecompressor") and name == "zstandard":
                with module.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                    return bytes(reader.read(MAX_BODY))
            return bytes(module.decompress(data))
        except Exception:  # each library has errors of its own
            raise ValueError(f"a body that {name} does not unpack") from None
    raise ValueError(f"a compressed body; install one of {' '.join(names)} to read it")


def _state(value: Any) -> bytes:
    """A `BytesIO`'s content from its pickled state."""
    state: Any = (value.get("state") if isinstance(value, dict) else value) or [b""]
    first = state[0] if isinstance(state, (list, tuple)) else state
    return first if isinstance(first, bytes) else str(first or "").encode()


def _iter(value: Any) -> list[Any]:
    args = (value.get("args") if isinstance(value, dict) else value) or [[]]
    items = args[0]
    return list(items) if isinstance(items, (list, tuple)) else [items]


def _one(value: Any) -> str:
    """A `str` subclass built from one argument."""
    args: Any = value.get("args", []) if isinstance(value, dict) else value
    return str(args[0]) if isinstance(args, (list, tuple)) else str(args)


def _python_bytes(value: Any) -> bytes:
    return yaml_reader.binary(value)


_TAGS: dict[str, Tag] = {
    "tag:yaml.org,2002:binary": yaml_reader.binary,
    _PYTHON + "str": str,
    _PYTHON + "unicode": str,
    _PYTHON + "bytes": _python_bytes,
    _PYTHON + "tuple": list,
    _PYTHON + "list": list,
    _PYTHON + "dict": dict,
    _PYTHON + "int": int,
    _PYTHON + "float": float,
    _PYTHON + "bool": lambda text: {"true": True, "false": False}[str(text).lower()],
    _PYTHON + "none": lambda _: None,
    _PYTHON + "object/new:_io.BytesIO": _state,
    _PYTHON + "object/new:io.BytesIO": _state,
    _PYTHON + "object/apply:_io.BytesIO": _state,
    _PYTHON + "object/apply:builtins.iter": _iter,
    **{
        f"{_PYTHON}object/{how}:{where}": _one
        for how in ("apply", "new")
        for where in ("multidict._multidict.istr", "multidict._multidict_py.istr", "multidict.istr")
    },
}
