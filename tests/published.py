"""Published recordings of every format as exchanges, and recorded once more as an application would record them."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import yaml

import convo_replay
from convo_replay import sse
from convo_replay.bodies import parse_json
from convo_replay.cassette import load
from convo_replay.exchange import Binary, Body, Chunk, End, Exchange, Head, Headers, Json, Request, Text
from corpus import CORPUS, read

_NOT_SENT = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "accept-encoding"})


def exchanges(row: Mapping[str, Any]) -> list[Exchange]:
    """The exchanges of a row of the index, as its publisher left them."""
    if row["format"] == "vcrpy-yaml":
        assert CORPUS is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load(CORPUS / row["path"]).exchanges
    return list(_READERS[row["format"]](read(row)))


def _go_vcr(data: bytes) -> Iterator[Exchange]:
    for one in yaml.load(data, yaml.CSafeLoader)["interactions"]:
        request, response = one["request"], one["response"]
        status = response.get("code") or int(str(response.get("status", "200"))[:3])
        yield _exchange(request["method"], request["url"], request.get("headers"), request.get("body"), status,
                        response.get("headers"), response.get("body"))  # fmt: skip


def _dd(data: bytes) -> Iterator[Exchange]:
    both = json.loads(data)
    request, response = both["request"], both["response"]
    yield _exchange(request["method"], request["url"], request["headers"], request.get("body"),
                    response["status"]["code"], response["headers"], response["body"].get("string")
                    if isinstance(response["body"], dict) else response["body"])  # fmt: skip


def _httprr(data: bytes) -> Iterator[Exchange]:
    at = data.index(b"\n") + 1
    while at < len(data):
        stop = data.index(b"\n", at)
        sizes = [int(size) for size in data[at:stop].split()]
        request, response = data[stop + 1 : stop + 1 + sizes[0]], data[stop + 1 + sizes[0] : stop + 1 + sum(sizes)]
        at = stop + 1 + sum(sizes)
        first, headers, body = _message(request)
        line, answered, content = _message(response)
        method, url = first.split()[:2]
        yield _exchange(method, url, headers, body, int(line.split()[1]), answered, content)


def _message(data: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    head, _, body = (
        re.sub(rb"\r\n", b"\n", data, count=0).partition(b"\n\n") if b"\r\n\r\n" in data else (data.partition(b"\n\n"))
    )
    first, *lines = head.decode("utf-8", "replace").split("\n")
    return first, [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines if ":" in line], body


def _bare(data: bytes) -> Iterator[Exchange]:
    stream = data.lstrip()[:6] in (b"event:", b"data: ", b"data:{")
    kind = "text/event-stream" if stream else "application/json"
    yield _exchange("POST", "https://api.anthropic.com/v1/messages", {}, None, 200, {"Content-Type": kind}, data)


_READERS = {
    "go-vcr-yaml": _go_vcr, "dd-json": _dd, "httprr": _httprr, "bare-response-json": _bare, "bare-sse": _bare,
}  # fmt: skip


def _exchange(
    method: str, url: str, sent: Any, body: str | bytes | None, status: int, answered: Any, content: str | bytes | None
) -> Exchange:
    data = content.encode() if isinstance(content, str) else content or b""
    steps = (Head(status, _headers(answered)), *([Chunk(0.0, data)] if data else []), End())
    return Exchange(Request(method, url, _headers(sent), _body(body)), steps)


def _headers(given: Any) -> Headers:
    pairs = given.items() if isinstance(given, dict) else given or ()
    return tuple(
        (name.lower(), text) for name, value in pairs for text in (value if isinstance(value, list) else [str(value)])
    )


def _body(given: str | bytes | None) -> Body:
    data = given.encode() if isinstance(given, str) else given
    if not data:
        return None
    try:
        return Json(parse_json(data))
    except ValueError:
        pass
    try:
        return Text(data.decode())
    except UnicodeDecodeError:
        return Binary(data)


class _Answers(httpx2.BaseTransport):
    """A network that answers with recorded exchanges, one after the other; streams event by event."""

    def __init__(self, recorded: Sequence[Exchange]) -> None:
        self._left = iter(recorded)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = next(self._left)
        head = exchange.head or Head(500)
        kept = [(name, value) for name, value in head.headers if name not in _NOT_SENT]
        return httpx2.Response(head.status, headers=kept, stream=_Pieces(exchange.body))


class _Pieces(httpx2.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        # Cut where no event, character or value ends.
        step = max(97, len(self._body) // 40)
        for at in range(0, len(self._body), step):
            yield self._body[at : at + step]


SETTINGS: dict[str, Any] = {
    "validate": "off", "intercept": [lambda request: True], "keep": ["errors"], "max_requests": 10_000,
}  # fmt: skip


def record(path: Path, recorded: Sequence[Exchange]) -> list[Exchange]:
    """Sends the requests through an httpx2 client inside `use_cassette`; what the saved file then holds.

    Raises:
        LeakFound: the gate refused to save it.
    """
    with (
        convo_replay.use_cassette(path, record="all", **SETTINGS),
        httpx2.Client(transport=_Answers(recorded)) as client,
    ):
        for exchange in recorded:
            _send(client, exchange)
    return load(path).exchanges if path.exists() else []


def replay(path: Path, recorded: Sequence[Exchange]) -> list[tuple[int, bytes]]:
    """Sends the same requests again, to the file alone; the answers."""
    with (
        convo_replay.use_cassette(path, unplayed="error", **SETTINGS),
        httpx2.Client(transport=_Answers([])) as client,
    ):
        return [_send(client, exchange) for exchange in recorded]


def _send(client: httpx2.Client, exchange: Exchange) -> tuple[int, bytes]:
    request = exchange.request
    sent = [(name, value.encode()) for name, value in request.headers if name not in _NOT_SENT]
    response = client.request(request.method, request.url, headers=sent, content=_content(request.body))
    return response.status_code, response.content


def _content(body: Body) -> bytes | None:
    match body:
        case Json(value):
            return json.dumps(value).encode("utf-8", "surrogatepass")
        case Text(text):
            return text.encode()
        case Binary(data):
            return data
    return None


OPAQUE = frozenset({
    "signature", "thoughtSignature", "thought_signature", "encrypted_content", "encrypted_index", "encrypted_stdout",
    "redactedContent",
})  # fmt: skip
_OPAQUE_DATA = ("redacted_thinking", "reasoning.encrypted")
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def documents(exchange: Exchange) -> list[Any]:
    """The URL and the values of both bodies; of a stream, event by event."""
    request = exchange.request
    found = [request.url, request.json, request.body.text if isinstance(request.body, Text) else ""]
    datas: list[Any] = [exchange.body]
    if exchange.is_stream:
        datas = [event.data or event.raw.decode("utf-8", "replace") for event in sse.split(exchange.body)]
    for data in datas:
        try:
            found.append(json.loads(data))
        except ValueError:
            found.append(repr(data))
    return found


def opaque_values(*documents: Any) -> list[str]:
    """The signed and encrypted values in JSON values, in order."""
    stack, found = list(documents), []
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            names = OPAQUE | ({"data"} if item.get("type") in _OPAQUE_DATA else set())
            found += [held for key, held in item.items() if key in names and isinstance(held, str)]
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return found


def has_uuid(value: str) -> bool:
    """Whether a UUID stands in clear in a value's base64."""
    return _UUID.search(base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_")) is not None
