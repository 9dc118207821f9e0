"""What a file of any recorder holds, by what it looks like: requests with their answers, and where they stand.

A mapping with `request` and `response` is an exchange, whoever wrote it: vcrpy, go-vcr, Ruby's VCR, HAR archives and
most fixtures agree on that, and on `headers`. What is no exchange is looked at all the same, as the text it is.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from convo_replay.bodies import parse_json
from convo_replay.cassette import content_encoding, vcrpy
from convo_replay.exchange import Binary, Body, Chunk, End, Exchange, Head, Json, Request, Text
from convo_replay.redaction import headers as headers_table
from convo_replay.redaction import naming
from convo_replay.redaction.classes import BY_NAME, classify
from convo_replay.scanning.header_shapes import Header, Path, are_plain, headers, is_headers
from convo_replay.scanning.masks import is_mask

_URLS = ("uri", "url")


@dataclass(slots=True, repr=False)
class Message:
    """A request or a response.

    Attributes:
        body: without content-encoding.
        text: the body as text, `None` where it is none.
        value: its JSON value, where it is one.
        at: where the body stands, `None` where it has none.
        form: `text` (the scalar is the body), `value` (JSON by value), or how it is encoded: `binary base64 packed
            pieces`.
        offset: where the body begins in a plain text.
    """

    side: str
    where: Path = ()
    url: str = ""
    url_at: Path | None = None
    url_offset: int | None = None
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""
    text: str | None = None
    value: Any = None
    at: Path | None = None
    form: str = "text"
    offset: int | None = None
    unread: str = ""
    consumed: set[Any] = field(default_factory=set)

    def header(self, name: str) -> str:
        return next((header.value for header in self.headers if header.name == name), "")


@dataclass(slots=True, repr=False)
class Pair:
    """A request with its answer, where both were found; `at`: the mapping that holds them."""

    at: Path
    request: Message
    response: Message

    def exchange(self) -> Exchange:
        """The two as what redaction reads: without what somebody has masked already, which is no secret to look for."""
        asked, answered = self.request, self.response
        sent, received = (
            tuple([(one.name, one.value) for one in side.headers if not is_masked(one, side.side)])
            for side in (asked, answered)
        )
        body: Body = None
        if asked.value is not None:
            body = Json(asked.value)
        elif asked.text:
            body = Text(asked.text)
        elif asked.body:
            body = Binary(asked.body)
        head = Head(200, received)
        steps = (head, Chunk(0.0, answered.body), End()) if answered.body else (head, End())
        return Exchange(Request("POST", asked.url, sent, body), steps)


class_of = functools.lru_cache(4096)(headers_table.class_of)
"""The class of a header by its name; recordings repeat the same few."""


def is_masked(header: Header, side: str) -> bool:
    """Whether somebody put something else in place of a header's value already."""
    cls = class_of(header.name, response=side == "response")
    if cls is None:
        return False
    if BY_NAME[cls].severity != "error":
        return _MASK.search(header.value) is not None
    value = header.value.partition(";")[0] if header.name == "set-cookie" else header.value
    if _only_ends_in_key(header.name) and not naming.is_secret_value(header.value):
        return True
    return is_mask(value) and classify(header.value.rpartition(" ")[2]) is None


def _only_ends_in_key(name: str) -> bool:
    """Whether nothing in a header's name but its end says that it holds a key: `extra-header-key`."""
    return name.endswith("-key") and not naming.telling(name) and _SAYS_MORE.search(name) is None


_SAYS_MORE = re.compile(r"auth|api|token|secret|password|credential|signature")
_MASK = re.compile(r"\*{3}|X{3}|redacted|filtered|scrubbed|masked|^[<\[{].*[>\]}]$", re.IGNORECASE)


def pairs(value: Any, at: Path = ()) -> Iterator[Pair]:
    """The exchanges in a file's value."""
    if isinstance(value, dict):
        asked, answered = value.get("request"), value.get("response")
        if isinstance(asked, dict) and isinstance(answered, dict):
            yield Pair(at, message(asked, (*at, "request")), message(answered, (*at, "response")))
            return
        for key, held in value.items():
            yield from pairs(held, (*at, key))
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield from pairs(held, (*at, index))


def message(value: dict[Any, Any], at: Path) -> Message:
    """What a mapping that is a request or a response holds."""
    made = Message(str(at[-1]), at)
    for key in _URLS:
        if isinstance(value.get(key), str) and not made.url:
            made.url, made.url_at = value[key], (*at, key)
            made.consumed.add(key)
    for key, held in value.items():
        if is_headers(key):
            made.headers += headers(held, (*at, key))
            if are_plain(held):
                made.consumed.add(key)
    _read_body(made, value)
    return made


def _read_body(made: Message, value: dict[Any, Any]) -> None:
    if _read_archived(made, value):
        return
    keys = ("string", "encoding") if made.side == "request" else ()
    place, form = _body_place(value, made.where, keys)
    if place is None:
        return
    try:
        raw = vcrpy.body_bytes(value, keys)
    except ValueError:
        return
    made.consumed.add(place[len(made.where)])
    made.at, made.form = place, form
    encodings = [header.value for header in made.headers if header.name == "content-encoding"]
    data = raw
    try:
        data = content_encoding.decoded(raw, encodings)
    except ValueError as error:
        made.unread = str(error)
    if data is not raw and data != raw:
        made.form = "packed"
    understand(made, data)


def _read_archived(made: Message, value: dict[Any, Any]) -> bool:
    """A body as a HAR archive has it: the `text` of `postData` or `content`, in base64 where it says so."""
    key = "postData" if made.side == "request" else "content"
    held = value.get(key)
    if not isinstance(held, dict) or not isinstance(held.get("text"), str):
        return False
    data = held["text"].encode("utf-8", "surrogatepass")
    if held.get("encoding") == "base64":
        try:
            data, made.form = base64.b64decode(data), "base64"
        except ValueError:
            return False
    made.consumed.add(key)
    made.at = (*made.where, key, "text")
    understand(made, data)
    return True


def understand(made: Message, data: bytes) -> None:
    """Takes a body as what it is: JSON, text or bytes."""
    made.body = data
    try:
        made.text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if data.lstrip()[:1] in (b"{", b"["):
        try:
            made.value = parse_json(data)
        except ValueError:
            return


def _body_place(value: dict[Any, Any], at: Path, keys: tuple[str, ...]) -> tuple[Path | None, str]:
    """Where the body of a message stands, and in which form; as `vcrpy.body_bytes` reads it."""
    if value.get("parsed_body") is not None:
        return (*at, "parsed_body"), "value"
    name = "body" if value.get("body") is not None else "content"
    body = value.get(name)
    at = (*at, name)
    if isinstance(body, dict):
        if body.get("base64_string") is not None:
            return (*at, "base64_string"), "base64"
        if "string" not in body or (keys and not body.keys() <= set(keys)):
            return (at, "value") if body else (None, "")
        at, body = (*at, "string"), body["string"]
    if body is None or body in ("", b""):
        return None, ""
    return at, "text" if isinstance(body, str) else "binary" if isinstance(body, bytes) else "pieces"


# --- raw HTTP in a text -------------------------------------------------------------------------------

_FIRST = re.compile(r"(?:[A-Z]{3,10} (?P<url>\S{1,4000}) HTTP/[\d.]{1,3}|HTTP/[\d.]{1,3} \d{3}[^\r\n]*)\r?\n")
_START = re.compile(rf"^{_FIRST.pattern}", re.MULTILINE)
_FIELD = re.compile(r"([A-Za-z][\w-]*):[ \t]*([^\r\n]*)\r?\n")
_TRACE = "httprr trace v1\n"
_RECORD = re.compile(r"\d{1,9} \d{1,9}\n(?=[A-Z]{3,10} \S{1,4000} HTTP/[\d.]{1,3}\r?\n)")
_ANSWER = re.compile(r"HTTP/[\d.]{1,3} \d{3}[^\r\n]*\r?\n")


def raw_pairs(text: str) -> list[Pair]:
    """The exchanges of a text in which HTTP stands as it is on the wire: httprr's traces, dumps."""
    if text.startswith(_TRACE):
        return list(_traced(text))
    starts = [match.start() for match in _START.finditer(text)]
    made: list[Pair] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=bool(starts)):
        one = _raw(text, start, end)
        if one.side == "request" or not made or made[-1].response.headers:
            made.append(Pair((len(made),), Message("request"), Message("response")))
        if one.side == "request":
            made[-1].request = one
        else:
            made[-1].response = one
    return made


def _traced(text: str) -> Iterator[Pair]:
    # The sizes are not to be relied on: who masks a header by hand leaves them as they were.
    records = [(match.start(), match.end()) for match in _RECORD.finditer(text)]
    ends = [*[start for start, _ in records[1:]], len(text)]
    for index, ((_, start), end) in enumerate(zip(records, ends, strict=bool(records))):
        answer = _ANSWER.search(text, start, end)
        middle = answer.start() if answer is not None else end
        yield Pair((index,), _raw(text, start, middle), _raw(text, middle, end))


def _raw(text: str, start: int, end: int) -> Message:
    first = _FIRST.match(text, start, end)
    url = first["url"] if first is not None else None
    made = Message("request" if url else "response")
    if first is None:
        understand(made, text[start:end].encode("utf-8", "surrogateescape"))
        made.offset = start
        return made
    if url:
        made.url, made.url_offset = url, first.start("url")
    at = first.end()
    while (line := _FIELD.match(text, at, end)) is not None:
        made.headers.append(Header(line[1].lower(), line[2], (), offset=line.start(2)))
        at = line.end()
    blank = re.compile(r"\r?\n").match(text, at, end)
    at = blank.end() if blank is not None else at
    made.offset = at
    understand(made, text[at:end].encode("utf-8", "surrogateescape"))
    return made
