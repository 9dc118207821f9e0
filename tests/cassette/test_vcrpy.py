from __future__ import annotations

import gzip
import json
import sys
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
import vcr.request
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, istr
from vcr.serialize import deserialize, serialize
from vcr.serializers import jsonserializer, yamlserializer

import corpus
from convo_replay.bodies import body_of
from convo_replay.cassette import loads
from convo_replay.cassette.vcrpy import NoCassette
from convo_replay.errors import CassetteError
from convo_replay.exchange import Binary, Body, Chunk, End, Exchange, Head, Headers, Json, Request, Text
from strategies import awkward_text


def _file(response: dict[str, Any], request: dict[str, Any] | None = None) -> bytes:
    asked = {"method": "POST", "uri": "http://h/", "headers": {}, "body": None, **(request or {})}
    answered = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": ""}, **response}
    return yaml.safe_dump({"interactions": [{"request": asked, "response": answered}], "version": 1}).encode()


def _read(data: bytes) -> Exchange:
    cassette = loads(data, "vcr.yaml")
    assert cassette.format == "vcrpy"
    return cassette.exchanges[0]


CASSETTERS = """
version: 1
interactions:
- request: {method: POST, uri: "http://h/", headers: {content-type: [application/json]}, body: BODY}
  response: {status: 404, headers: {server: [x]}, body: BODY}
  recorded_at: 2026-11-23T04:19:48.934404+00:00
"""


@pytest.mark.parametrize(
    ("body", "sent", "answer"),
    [
        ("{type: none}", None, b""),
        ('{type: json, content: {a: [1, "ä"]}}', Json({"a": [1, "ä"]}), '{"a":[1,"ä"]}'.encode()),
        ('{type: text, content: "two\\nlines"}', Text("two\nlines"), b"two\nlines"),
        ("{type: binary, content: 00fffe}", Binary(b"\0\xff\xfe"), b"\0\xff\xfe"),
    ],
    ids=["none", "json", "text", "binary"],
)
def test_cassetters_bodies(body: str, sent: Body, answer: bytes) -> None:
    exchange = _read(CASSETTERS.replace("BODY", body).encode())
    assert (exchange.status, exchange.body, exchange.request.body) == (404, answer, sent)


@pytest.mark.parametrize("body", ["{type: binary, content: xyz}", "{type: text, content: 1}", "{type: binary}"])
def test_cassetters_bodies_that_are_none(body: str) -> None:
    with pytest.raises(CassetteError, match=r"vcr\.yaml:4: interactions\[0\]\.request"):
        _read(CASSETTERS.replace("BODY", body).encode())


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
    ({"body": {"string": "a", "base64_string": None, "encoding": "utf-8"}}, b"a"),
    ({"body": None}, b""),
    ({"body": {}}, b""),  # aiohttp, where there was none
    ({"body": {"string": "caf\xe9".encode("latin-1")}}, b"caf\xe9"),
    ({"body": None, "parsed_body": {"a": [1, "ä"]}}, rb'{"a": [1, "\u00e4"]}'),
    ({"body": None, "parsed_body": []}, b"[]"),
    ({"status": None, "status_code": 200, "body": None, "content": "x", "http_version": "HTTP/1.1"}, b"x"),
]


@pytest.mark.parametrize(("response", "body"), BODIES, ids=range(len(BODIES)))
def test_where_a_response_body_may_stand(response: dict[str, Any], body: bytes) -> None:
    assert _read(_file(response)).body == body


REQUEST_BODIES = [
    ({"body": None}, None),
    ({"body": ""}, None),
    ({"body": "a=1"}, Text("a=1")),
    ({"body": b"\xff\x00"}, Binary(b"\xff\x00")),
    ({"body": '{"a": 1}'}, Json({"a": 1})),
    ({"body": {"a": 1}}, Json({"a": 1})),  # what a hook has parsed
    ({"body": {"string": "x", "other": 1}}, Json({"string": "x", "other": 1})),
    ({"body": {"encoding": "utf-8", "string": "a=1"}}, Text("a=1")),
    ({"body": {"encoding": "binary", "base64_string": "AP8="}}, Binary(b"\x00\xff")),
    ({"body": ["a", b"=1"]}, Text("a=1")),  # an iterator's items
    ({"body": [97, 61, 49]}, Text("a=1")),
    ({"body": [{"a": 1}]}, Json([{"a": 1}])),
    ({"parsed_body": {"a": 1}}, Json({"a": 1})),
    ({"parsed_body": {1: None}}, Json({"1": None})),
]


@pytest.mark.parametrize(("request_", "body"), REQUEST_BODIES, ids=range(len(REQUEST_BODIES)))
def test_where_a_request_body_may_stand(request_: dict[str, Any], body: Body) -> None:
    assert _read(_file({}, request_)).request.body == body


def _bare_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


ENCODED = [
    ("gzip", gzip.compress(b"hello", mtime=0)),
    ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
    ("gzip", b"hello"),  # the header is stale
    ("deflate", zlib.compress(b"hello")),
    ("deflate", _bare_deflate(b"hello")),
    ("deflate", b"hello"),
    ("br", b"hello"),
    ("zstd", b"hello"),
    ("identity", b"hello"),
    ("deflate, gzip", gzip.compress(zlib.compress(b"hello"), mtime=0)),
    ("X-Gzip", gzip.compress(b"hello", mtime=0) + b"\0\0"),  # padded
    ("gzip", gzip.compress(b"hello world" * 99, mtime=0)[:-9]),  # cut
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED, ids=range(len(ENCODED)))
def test_content_encoding_is_undone(encoding: str, body: bytes) -> None:
    exchange = _read(
        _file({"headers": {"Content-Encoding": [encoding], "Content-Length": ["999"]}, "body": {"string": body}})
    )
    assert exchange.body[:5] == b"hello"
    assert exchange.header("content-encoding") is None
    assert exchange.header("content-length") == str(len(exchange.body))
    assert exchange.end == End()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("body", [b'{"a":1}', b"{}", b"[]", b"x\x01\x01", b"x^", "äöü".encode(), b"data: {}\n\n"])
def test_what_is_plain_stays_plain_whatever_the_header_says(encoding: str, body: bytes) -> None:
    assert _read(_file({"headers": {"content-encoding": encoding}, "body": {"string": body}})).body == body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"\x1f\x8b\x08garbage"),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-8] + b"xxxxxxxx"),
        ("deflate", b"\xff\xfe"),
    ],
)
def test_a_compressed_body_that_is_broken_is_an_outcome(encoding: str, body: bytes) -> None:
    exchange = _read(_file({"headers": {"content-encoding": [encoding]}, "body": {"string": body}}))
    assert exchange.status == 200
    assert (exchange.end.kind, exchange.body) == ("undecodable", b"")
    assert "decompressing" in exchange.end.detail


@pytest.mark.parametrize(("encoding", "body"), [("br", b"\xffolleh"), ("zstd", b"\x28\xb5\x2f\xfdhello")])
def test_what_has_no_decoder_stays_for_the_client(monkeypatch: pytest.MonkeyPatch, encoding: str, body: bytes) -> None:
    names = {"br": ["brotli", "brotlicffi"], "zstd": ["compression.zstd", "backports.zstd", "zstandard"]}[encoding]
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)
    data = _file({"headers": {"content-encoding": [encoding]}, "body": {"string": body}})
    exchange = _read(data)
    assert (exchange.body, exchange.header("content-encoding"), exchange.end.kind) == (body, encoding, "complete")
    monkeypatch.setitem(sys.modules, names[1], SimpleNamespace(decompress=lambda data: data[::-1]))
    exchange = _read(data)
    assert (exchange.body, exchange.header("content-encoding")) == (body[::-1], None)


def test_a_bomb_is_refused() -> None:
    body = gzip.compress(bytes(42 << 20), 1, mtime=0)
    with pytest.raises(CassetteError, match=r"interactions\[0\].*unpacks to more than"):
        loads(_file({"headers": {"content-encoding": ["gzip"]}, "body": {"string": body}}), "vcr.yaml")


def test_the_json_serializer() -> None:
    value = yaml.safe_load(_file({"body": {"string": "😀"}}, {"body": "a"}))
    for indent in (None, 4):
        for mark in (b"", b"\xef\xbb\xbf"):
            exchange = _read(mark + json.dumps(value, indent=indent).encode())
            assert exchange.body == "😀".encode()
            assert exchange.request.body == Text("a")


def test_an_error_in_json_names_the_line() -> None:
    good = {"request": {"method": "GET", "uri": "u"}, "response": {"status": 200}}
    value = {"metadata": [{}, {}], "interactions": [good, {**good, "response": {}}], "version": 1}
    text = json.dumps(value, indent=1)
    with pytest.raises(CassetteError, match=r"interactions\[1\]\.response: status") as caught:
        loads(text.encode(), "vcr.json")
    assert caught.value.line is not None
    assert text.splitlines()[caught.value.line - 1].strip() == "{"
    assert '"response": {}' in "".join(text.splitlines()[caught.value.line : caught.value.line + 6])


HEADERS = [
    ({"A": ["1", "2"], "b": "3"}, (("a", "1"), ("a", "2"), ("b", "3"))),
    ({"A": [b"caf\xe9"], "n": 7}, (("a", "café"), ("n", "7"))),
    ({"a": None, "b": [None]}, ()),  # emptied by a filter
    ([["A", ["1", "2"]], ["b", "3"]], (("a", "1"), ("a", "2"), ("b", "3"))),  # tornado
    (["A: 1\r\n", "b: x: y\r\n", "A: 2\r\n"], (("a", "1"), ("a", "2"), ("b", "x: y"))),  # before vcrpy 1.0
    (None, ()),
]


@pytest.mark.parametrize(("written", "read"), HEADERS, ids=range(len(HEADERS)))
def test_headers(written: Any, read: Headers) -> None:
    exchange = _read(_file({"headers": written}, {"headers": written}))
    assert exchange.request.headers == read
    assert exchange.head is not None
    assert exchange.head.headers == read


STATUSES = [
    ({"status": {"code": 200, "message": "OK"}}, (200, "")),
    ({"status": {"code": 200, "message": None}}, (200, "")),
    ({"status": {"code": "429", "message": "Slow Down"}}, (429, "Slow Down")),
    ({"status": {"code": 299}}, (299, "")),
    ({"status": 404}, (404, "")),
    ({"status": None, "status_code": 404}, (404, "")),
]


@pytest.mark.parametrize(("response", "read"), STATUSES, ids=range(len(STATUSES)))
def test_statuses(response: dict[str, Any], read: tuple[int, str]) -> None:
    head = _read(_file(response)).head
    assert head is not None
    assert (head.status, head.reason) == read


def test_what_else_a_file_holds() -> None:
    value = yaml.safe_load(_file({"url": "http://h/", "headers": {}}))
    value["interactions"][0] |= {"recorded_at": "2026-01-02T03:04:05", "mine": [1]}
    cassette = loads(json.dumps({**value, "metadata": {"now": 1}}).encode(), "vcr.json")
    assert cassette.exchanges[0].recorded == "2026-01-02T03:04:05"
    assert cassette.exchanges[0].extra == {"mine": [1]}
    assert cassette.extra == {"metadata": {"now": 1}}
    value["interactions"][0] |= {"recorded_at": "Tue, 01 Nov 2011 04:58:44 GMT"}
    [exchange] = loads(json.dumps(value).encode(), "vcr.json").exchanges
    assert (exchange.recorded, exchange.extra) == ("", {"mine": [1], "recorded_at": "Tue, 01 Nov 2011 04:58:44 GMT"})
    assert loads(b"interactions: []\nversion: 1\n", "vcr.yaml").exchanges == []


BEFORE_1_0 = b"""\
- request: !!python/object:vcr.request.Request
    body: null
    headers: !!python/object/apply:__builtin__.frozenset
    - - !!python/tuple [Accept-Encoding, "gzip, deflate"]
      - !!python/tuple [Accept, "*/*"]
    host: httpbin.org
    method: GET
    path: /get?a=1
    port: 443
    protocol: https
  response:
    body: {string: !!python/unicode "{}"}
    headers: ["Content-Type: application/json\\r\\n", "Server: x\\r\\n"]
    status: {code: 200, message: OK}
- request:
    {body: a=1, headers: {Accept: "*/*"}, host: h, method: POST, path: /, port: 8080, protocol: http}
  response: {body: {string: ""}, headers: [], status: {code: 200, message: OK}}
"""


def test_the_format_before_1_0() -> None:
    one, other = loads(BEFORE_1_0, "old.yaml").exchanges
    assert one.request == Request(
        "GET", "https://httpbin.org/get?a=1", (("accept-encoding", "gzip, deflate"), ("accept", "*/*"))
    )
    assert (one.body, one.content_type) == (b"{}", "application/json")
    assert other.request == Request("POST", "http://h:8080/", (("accept", "*/*"),), Text("a=1"))


_text = st.one_of(awkward_text, st.text(max_size=20))
_bodies = st.one_of(st.none(), st.binary(max_size=40), _text)
_several = st.dictionaries(
    st.from_regex(r"x-[a-z]{1,5}", fullmatch=True),
    st.lists(st.text("ab :", min_size=1), min_size=1, max_size=2),
    max_size=3,
)


@settings(max_examples=100, deadline=None)
@given(_bodies, _several, st.one_of(st.binary(max_size=40), _text), st.booleans())
def test_what_vcrpy_writes_is_read_as_vcrpy_reads_it(
    sent: Any, headers: dict[str, list[str]], answer: bytes | str, as_json: bool
) -> None:
    asked = vcr.request.Request("POST", "http://h/?a=1", sent, {"content-type": "text/plain"})
    answered = {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": answer}}
    serializer = jsonserializer if as_json else yamlserializer
    try:
        text = serialize({"requests": [asked], "responses": [answered]}, serializer)
    except TypeError:  # JSON holds no bytes
        return
    (known,), (response,) = deserialize(text, serializer)
    exchange = _read(text.encode())
    assert exchange.request == Request("POST", "http://h/?a=1", exchange.request.headers, body_of(known.body or b""))
    assert exchange.body == response["body"]["string"]
    assert exchange.head is not None
    assert dict.fromkeys(exchange.head.headers) == {
        (name, value): None for name, several in headers.items() for value in several
    }


TAGGED = [
    ("!!python/str abc", b"abc"),
    ("!!python/unicode abc", b"abc"),
    ("!!binary YWJj", b"abc"),
    ("!!python/bytes YWJj", b"abc"),
    ("!!python/object/new:_io.BytesIO\n      state: !!python/tuple [!!binary YWJj, 0, null]", b"abc"),
    ("!!python/object/apply:builtins.iter\n      args: [[!!binary YWI=, c]]", b"abc"),
    ("!!python/object/apply:multidict._multidict.istr [abc]", b"abc"),
    ("!!python/object/new:multidict._multidict_py.istr [abc]", b"abc"),
    ("!!python/object/new:_io.BytesIO {state: [abc, 0, null]}", b"abc"),
    ("!!python/object/apply:builtins.iter {args: [!!python/tuple [a, !!binary YmM=]], state: 0}", b"abc"),
    ("!!python/object/apply:builtins.bytearray [abc, latin-1]", b"abc"),
]


@pytest.mark.parametrize(("body", "data"), TAGGED)
def test_benign_tags_are_read(body: str, data: bytes) -> None:
    text = f"interactions:\n- request:\n    body: {body}\n    headers: {{}}\n    method: GET\n    uri: u\n"
    text += "  response: {body: {string: ''}, headers: {}, status: {code: 200, message: OK}}\nversion: 1\n"
    assert _read(text.encode()).request.body == Text(data.decode())


def test_headers_of_aiohttp() -> None:
    headers = CIMultiDict([("Accept", "a"), (istr("X-B"), "1"), ("x-b", "2")])
    for of_request in (headers, {istr("Accept"): ["a"], istr("X-B"): ["1", "2"]}):
        asked = {"method": "GET", "uri": "http://h/", "body": None, "headers": of_request}
        answered = {"status": {"code": 200, "message": "OK"}, "body": {}, "url": "http://h/", "headers": {"a": ["b"]}}
        value = {"interactions": [{"request": asked, "response": answered}]}
        read = _read(yaml.dump(value, Dumper=yaml.Dumper).encode())
        assert read.request.headers == (("accept", "a"), ("x-b", "1"), ("x-b", "2"))


FOREIGN = [
    ("http_interactions: []\nrecorded_with: VCR 6.0\n", "VCR (Ruby, R) and betamax"),
    ('{"http_interactions": [], "recorded_with": "betamax/0.8.1"}', "VCR (Ruby, R) and betamax"),
    ("version: 2\ninteractions:\n- id: 0\n  request: {url: http://h/, method: GET}\n  response: {}\n", "go-vcr"),
    ('{"log": {"entries": []}}', "HAR"),
    ("a: 1\n", "neither"),
    ("[]", "neither"),
    ("- request: {url: a}\n", "neither"),
    ("interactions: 1\n", "neither"),
    ("text", "neither"),
]


@pytest.mark.parametrize(("text", "reason"), FOREIGN, ids=range(len(FOREIGN)))
def test_a_file_of_another_recorder_is_named(text: str, reason: str) -> None:
    with pytest.raises(NoCassette) as caught:
        loads(text.encode(), "vcr.yaml")
    assert reason in str(caught.value)


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
        ({"status": {"code": 0}}, "expected an HTTP status, 100 to 999"),
        ({"status": {"code": 1000}}, "expected an HTTP status, 100 to 999"),
        ({"headers": [1]}, "headers: expected a mapping"),
        ({"headers": {"a": {"b": 1}}}, "headers: expected text"),
        ({"body": 5}, r"response: body: expected text, got int; put it in quotes"),
        ({"body": {"base64_string": "a"}}, "base64_string: expected base64"),
        ({"headers": {"a": True}}, "headers: expected text, got bool"),
        ({"parsed_body": {"a": b"\xff"}}, "parsed_body: expected a value that JSON has"),
    ],
)
def test_what_is_broken_is_named(response: dict[str, Any], reason: str) -> None:
    with pytest.raises(CassetteError, match=reason) as caught:
        loads(_file(response), "vcr.yaml")
    assert "interactions[0].response" in str(caught.value)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"uri": None}, "expected `method` and `uri`"),
        ({"uri": "http://[h/"}, "uri: expected a URL"),
        ({"body": 1.5}, "body: expected text, got float"),
    ],
)
def test_a_broken_request_is_named(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(CassetteError, match=rf"interactions\[0\]\.request: {reason}"):
        loads(_file({}, request_), "vcr.yaml")


def test_a_lone_surrogate_is_named() -> None:
    data = _file({}, {"body": "X"}).replace(b"body: X", b'body: "\\ud800"')
    asked = {"method": "GET", "uri": "u", "body": "\ud800"}
    as_json = json.dumps({"interactions": [{"request": asked, "response": {"status": 200}}]}).encode()
    for text, reason in ((data, "not YAML"), (as_json, "a lone surrogate, which no bytes stand for")):
        with pytest.raises(CassetteError, match=reason):
            loads(text, "vcr.yaml")


@corpus.needs_corpus
def test_published_cassettes_hold_what_their_index_says() -> None:
    for row in corpus.index("vcrpy-yaml")[::3]:
        exchanges = loads(corpus.read(row), row["path"]).exchanges
        assert len(exchanges) == len(row["exchanges"]), row["path"]
        for exchange, listed in zip(exchanges, row["exchanges"], strict=True):
            assert exchange.request.method.upper() == listed["method"], row["path"]
            assert exchange.status == listed["status"], row["path"]
            size = len(exchange.body)
            if listed["resp_storage"] == "parsed_body":  # the index counts characters that are not escaped
                size = len(json.dumps(exchange.response_json(), ensure_ascii=False).encode())
            assert size == listed.get("resp_bytes", 0), row["path"]
