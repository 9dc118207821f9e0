"""What is written for vcrpy: its own loader and its own playback say what is in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr
from hypothesis import HealthCheck, given, settings
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

import corpus
from convo_replay.cassette import Cassette, loads, stored, vcrpy
from convo_replay.cassette.vcrpy_writing import dump, holds, lost, request_bytes
from convo_replay.exchange import (
    Binary,
    Blob,
    Chunk,
    End,
    EndKind,
    Exchange,
    Head,
    Headers,
    Json,
    Part,
    Parts,
    Request,
    Text,
)
from strategies import exchanges

URL = "https://api.anthropic.com/v1/messages"
STREAM = b'event: a\ndata: {"t": "\xe2\x98\x80"}  \n\nevent: b\ndata: x\n\n'


def exchange(body: Any = None, answer: bytes = b"", headers: Headers = (), end: EndKind = "complete") -> Exchange:
    chunks = (Chunk(0.0, answer),) if answer else ()
    return stored(Exchange(Request("POST", URL, (), body), (Head(200, headers), *chunks, End(end))))


def by_vcrpy(data: bytes) -> list[tuple[Any, Any]]:
    return list(zip(*deserialize(data.decode(), yamlserializer), strict=True))


def test_the_file_is_readable() -> None:
    one = Exchange(
        Request("POST", URL, (("anthropic-version", "2026-10-21"),), Json({"model": "m", "stream": True})),
        (
            Head(200, (("content-type", "text/event-stream"), ("a", "1"), ("a", "2")), http="HTTP/2"),
            Chunk(0.0, STREAM),
            End(),
        ),
        recorded="2026-11-22T10:00:00Z",
    )
    other = exchange(None, b"\xff\x00", end="complete")
    assert dump(Cassette(exchanges=[one, other])).decode() == (
        'interactions:\n'
        '- request:\n'
        '    body: |-\n'
        '      {"model":"m","stream":true}\n'
        '    headers:\n'
        '      anthropic-version: ["2026-10-21"]\n'
        '      content-type: [application/json]\n'
        '    method: POST\n'
        '    uri: "https://api.anthropic.com/v1/messages"\n'
        '  response:\n'
        '    body:\n'
        '      string: |+\n'
        '        event: a\n'
        '        data: {"t": "☀"}  \n'
        '\n'
        '        event: b\n'
        '        data: x\n'
        '\n'
        '    headers:\n'
        '      content-type: [text/event-stream]\n'
        '      a: ["1", "2"]\n'
        '    http_version: HTTP/2\n'
        '    status: {code: 200, message: OK}\n'
        '  recorded_at: "2026-11-22T10:00:00Z"\n'
        '- request:\n'
        '    body: ""\n'
        '    headers: {}\n'
        '    method: POST\n'
        '    uri: "https://api.anthropic.com/v1/messages"\n'
        '  response:\n'
        '    body:\n'
        '      string: !!binary |\n'
        '        /wA=\n'
        '    headers: {}\n'
        '    status: {code: 200, message: OK}\n'
        'version: 1\n'
    )  # fmt: skip
    assert dump(Cassette()) == b"interactions: []\nversion: 1\n"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(exchanges())
def test_generated_exchanges_load_in_vcrpy_and_come_back(made: Exchange) -> None:
    data = dump(Cassette(exchanges=[made]))
    read = vcrpy.read(data, "vcr.yaml").exchanges
    loaded = by_vcrpy(data)
    if not holds(made):
        assert read == loaded == []
        return
    ((request, response),), (back,) = loaded, read
    one = stored(made)
    assert (
        (request.method, request.uri)
        == (one.request.method, one.request.url)
        == (back.request.method, back.request.url)
    )
    assert response["body"]["string"] == back.body == made.body
    assert response["status"]["code"] == back.status == made.status
    added = [pair for pair in back.request.headers if pair not in one.request.headers]
    assert [name for name, _ in added] in ([], ["content-type"])
    if not isinstance(one.request.body, Parts):  # names of parts may hold what no request has
        expected = request_bytes(one.request.body)
        assert (request.body or b"") == (expected or b"")
    assert one.head is not None
    pairs = [(name, value) for name, values in response["headers"].items() for value in values]
    assert pairs == list(one.head.headers)


PARTS = (
    Part("purpose", Text("assist\r\nants")),
    Part("file", Binary(b"\xff\xd8convo-replay-0"), "a b.jpg", 'image/jpeg; x="y"'),
    Part("empty", Text(""), ""),
)


@pytest.mark.parametrize("headers", [(), (("content-type", 'multipart/form-data; boundary="x y"'),)])
def test_a_multipart_body_comes_back(headers: Headers) -> None:
    made = Exchange(Request("POST", URL, headers, Parts(PARTS)), (Head(200), End()))
    data = dump(Cassette(exchanges=[made]))
    (back,) = vcrpy.read(data, "vcr.yaml").exchanges
    assert back.request.body == Parts(PARTS)
    assert not headers or back.request.headers == headers
    ((request, _),) = by_vcrpy(data)
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize("layout", ["", "spaced", "spaced+ascii", "indent2+nl"])
def test_a_json_request_keeps_its_layout(layout: str) -> None:
    made = Exchange(
        Request("POST", URL, (), Json({"a": ["ä", 1.0, {}]})), (Head(200), End()),
        extra={"request": {"format": layout}},
    )  # fmt: skip
    (back,) = vcrpy.read(dump(Cassette(exchanges=[made])), "vcr.yaml", layouts=True).exchanges
    assert back.request.body == made.request.body
    assert back.extra == ({"request": {"format": layout}} if layout else None)


BLOB = Blob("ab" * 32, 2_000_000, "image/png", "89504e47")
NOT_HELD = [
    (Exchange(Request("GET", URL), (End("refused", 0.0),)), ["exchanges[0]: no answer came (refused), left out"]),
    (
        Exchange(Request("GET", URL), (Head(200), End()), after="429@t1"),
        ["exchanges[0]: played under the fault 429@t1 alone, left out"],
    ),
    (
        exchange(answer=b"data: 1\n\n", end="reset"),
        ["exchanges[0]: the answer broke off (reset); it will end after its 9 bytes"],
    ),
    (exchange(BLOB), ["exchanges[0]: the body of the request, of which the hash alone is known"]),
    (exchange(Parts((Part("a", BLOB),))), ["exchanges[0]: the body of the request, of which the hash alone is known"]),
    (exchange(Json(None)), []),
    (
        Exchange(Request("GET", URL), (Head(200, at=0.1), End(at=0.2)), test="a.py::b", outcome="failed"),
        ["times of 1 exchange(s)", "the tests that 1 exchange(s) belong to", "keys: outcome"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "lines"), NOT_HELD, ids=range(len(NOT_HELD)))
def test_what_vcrpy_cannot_hold_is_named(made: Exchange, lines: list[str]) -> None:
    cassette = Cassette(exchanges=[made])
    assert lost(cassette) == lines
    back = loads(dump(cassette), "vcr.yaml").exchanges
    assert len(back) == ("left out" not in " ".join(lines))
    assert [one.body for one in back] == ([made.body] if back else [])


def test_many_times_are_one_line() -> None:
    made = Exchange(Request("GET", URL), (Head(200, at=0.1), Chunk(0.2, b"a"), End(at=0.3)))
    cassette = Cassette({"httpx": "1"}, resendable=False, exchanges=[made] * 7)
    assert lost(cassette) == ["times of 7 exchange(s)", "keys: clients, resendable"]


def _replays(path: Path, cassette: Cassette) -> None:
    """Whether vcrpy plays the file to a client that sends what the file holds, body compared."""
    path.write_bytes(dump(cassette))
    known = vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri", "body"])
    with known as playing, httpx.Client() as client:
        for made, (asked, _) in zip(cassette.exchanges, by_vcrpy(path.read_bytes()), strict=True):
            response = client.request(asked.method, asked.uri, headers=dict(asked.headers), content=asked.body)
            assert (response.status_code, response.content) == (made.status, made.body), path
        assert playing.all_played


def test_vcrpy_replays_it(tmp_path: Path) -> None:
    head = (("content-type", "text/event-stream"),)
    cassette = Cassette(
        exchanges=[exchange(Json({"n": n, "text": "☀"}), STREAM, head) for n in range(3)] + [exchange(None, b"\xff\0")]
    )
    _replays(tmp_path / "vcr.yaml", cassette)


@corpus.needs_corpus
def test_vcrpy_replays_published_recordings_that_were_rewritten(tmp_path: Path) -> None:
    for number, row in enumerate(random.Random(3).sample(corpus.index("vcrpy-yaml"), 20)):
        cassette = loads(corpus.read(row), row["path"])
        _replays(tmp_path / f"{number}.yaml", cassette)
