from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
import yaml

from convo_replay.cassette import loads
from convo_replay.errors import CassetteError
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Text


def _file(response: dict[str, Any], request: dict[str, Any] | None = None) -> bytes:
    asked = {"method": "POST", "uri": "http://h/", "headers": {}, "body": None, **(request or {})}
    answered = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": ""}, **response}
    return yaml.safe_dump({"interactions": [{"request": asked, "response": answered}], "version": 1}).encode()


def _read(data: bytes) -> Exchange:
    cassette = loads(data, "vcr.yaml")
    assert cassette.format == "vcrpy"
    return cassette.exchanges[0]


def test_one_exchange() -> None:
    data = _file(
        {
            "status": {"code": 404, "message": "Nope"},
            "headers": {"A": ["1", "2"], "Content-Type": "text/plain"},
            "body": {"string": "ä"},
        },
        {"body": '{"a": 1}', "headers": {"Content-Type": ["application/json"]}},
    )
    assert _read(data) == Exchange(
        Request("POST", "http://h/", (("content-type", "application/json"),), Json({"a": 1})),
        (
            Head(404, (("a", "1"), ("a", "2"), ("content-type", "text/plain")), 0.0, "Nope"),
            Chunk(0.0, "ä".encode()),
            End(),
        ),
    )


def test_a_stream_is_one_chunk_per_event() -> None:
    data = _file({"headers": {"Content-Type": ["text/event-stream"]}, "body": {"string": "data: 1\n\ndata: 2\n\n"}})
    assert [step.data for step in _read(data).steps if isinstance(step, Chunk)] == [b"data: 1\n\n", b"data: 2\n\n"]


BODIES = [
    ({"body": {"string": b"\x00\xff"}}, b"\x00\xff"),
    ({"body": {"string": None}}, b""),
    ({"body": "text"}, b"text"),
    ({"body": {"base64_string": "AP8="}}, b"\x00\xff"),
    ({"body": None, "parsed_body": {"a": [1, "ä"]}}, '{"a":[1,"ä"]}'.encode()),
    ({"status": None, "status_code": 200, "content": "x", "http_version": "HTTP/1.1"}, b"x"),
]


@pytest.mark.parametrize(("response", "body"), BODIES)
def test_where_a_body_may_stand(response: dict[str, Any], body: bytes) -> None:
    if "content" in response:
        data = _file(response).replace(b"    body:\n      string: ''\n", b"").replace(b"    status: null\n", b"")
    else:
        data = _file(response)
    assert _read(data).body == body


_deflate = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", gzip.compress(b"hello", mtime=0)),
    ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
    ("gzip", b"hello"),  # the header is stale
    ("deflate", zlib.compress(b"hello")),
    ("deflate", _deflate.compress(b"hello") + _deflate.flush()),
    ("deflate", b"hello"),
    ("br", b"hello"),
    ("zstd", b"hello"),
    ("identity", b"hello"),
    ("deflate, gzip", gzip.compress(zlib.compress(b"hello"), mtime=0)),
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED, ids=range(len(ENCODED)))
def test_content_encoding_is_undone(encoding: str, body: bytes) -> None:
    exchange = _read(
        _file({"headers": {"Content-Encoding": [encoding], "Content-Length": ["999"]}, "body": {"string": body}})
    )
    assert exchange.body == b"hello"
    assert exchange.header("content-encoding") is None
    assert exchange.header("content-length") == "5"


def test_the_json_serializer() -> None:
    value = yaml.safe_load(_file({"body": {"string": "😀"}}, {"body": "a"}))
    for indent in (None, 4):
        exchange = _read(json.dumps(value, indent=indent).encode())
        assert exchange.body == "😀".encode()
        assert exchange.request.body == Text("a")


TAGGED = [
    ("!!python/str abc", b"abc"),
    ("!!python/unicode abc", b"abc"),
    ("!!binary YWJj", b"abc"),
    ("!!python/bytes YWJj", b"abc"),
    ("!!python/object/new:_io.BytesIO\n      state: !!python/tuple [!!binary YWJj, 0, null]", b"abc"),
    ("!!python/object/apply:builtins.iter\n      args: [[!!binary YWI=, c]]", b"abc"),
    ("!!python/object/apply:multidict._multidict.istr [abc]", b"abc"),
]


@pytest.mark.parametrize(("body", "data"), TAGGED)
def test_benign_tags_are_read(body: str, data: bytes) -> None:
    text = f"interactions:\n- request:\n    body: {body}\n    headers: {{}}\n    method: GET\n    uri: u\n"
    text += "  response: {body: {string: ''}, headers: {}, status: {code: 200, message: OK}}\nversion: 1\n"
    assert _read(text.encode()).request.body == Text(data.decode())


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system ''",
        "!!python/object:a.B {}",
        "!!python/module:os ''",
    ],
)
def test_no_tag_makes_an_object(tag: str) -> None:
    with pytest.raises(CassetteError, match="is not read"):
        loads(f"interactions:\n- request: {tag}\n".encode(), "vcr.yaml")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"status": {"code": "x"}}, "expected an HTTP status"),
        ({"headers": [1]}, "headers: expected a mapping"),
        ({"headers": {"a": {"b": 1}}}, "headers: expected text"),
        ({"body": 5}, "a body of type int"),
        ({"headers": {"content-encoding": ["gzip"]}, "body": {"string": b"\x1f\x8b\x08garbage"}}, "does not unpack"),
    ],
)
def test_what_is_broken_is_named(response: dict[str, Any], reason: str) -> None:
    with pytest.raises(CassetteError, match=reason) as caught:
        loads(_file(response), "vcr.yaml")
    assert "interactions[0]" in str(caught.value)
    assert caught.value.line == 2
