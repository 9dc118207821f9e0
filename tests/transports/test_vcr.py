"""Clients other than httpx and httpx2: what a cassette answers them, and that nothing else is in their way.

Names under `.invalid` lead nowhere by definition; whoever tries to resolve or to reach one fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import corpus
from convo_replay import CassetteMiss, use_cassette
from convo_replay.cassette import Cassette, create, dump, load
from convo_replay.errors import ConvoFailure
from convo_replay.exchange import Binary, Blob, Chunk, End, Exchange, Head, Headers, Json, Parts, Request, Text
from convo_replay.transports import guard
from other_clients import CLIENTS

HOST = "api.example.invalid"
URL = f"https://{HOST}/thing"
PLAIN = f"http://{HOST}/thing"
"""Where there are many: `http.client` makes a TLS context for each connection, at 20 ms."""
EVENTS = [f'event: tick\ndata: {{"n":{n}}}\n\n'.encode() for n in range(5)]
every_client = pytest.mark.parametrize("client", [pytest.param(each, id=name) for name, each in CLIENTS.items()])


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name but loopback's can be resolved, and no address reached."""
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host is None or guard.is_loopback(host), f"resolved {host}"
        return resolve(host, *args, **kwargs)

    def connect_(sock: socket.socket, address: Any) -> Any:
        assert guard.is_loopback(str(address[0])), f"connected to {address}"
        return connect(sock, address)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect_)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def answered(
    *chunks: bytes, status: int = 200, headers: Headers = (), reason: str = "", end: End | None = None, url: str = URL,
    method: str = "GET", body: Any = None,
) -> Exchange:  # fmt: skip
    steps = (Head(status, headers, 0.0, reason), *[Chunk(0.0, chunk) for chunk in chunks], end or End())
    return Exchange(Request(method, url, (), body), steps)


@pytest.fixture
def holding(tmp_path: Path) -> Callable[..., Path]:
    """`holding(exchange, …)` is a cassette of them."""

    def write(*exchanges: Exchange) -> Path:
        path = tmp_path / "cassette.yaml"
        path.unlink(missing_ok=True)
        create(path, dump(Cassette(exchanges=list(exchanges))))
        return path

    return write


COOKIES = (("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2"))
SSE = (("content-type", "text/event-stream"),)
ANSWERS = {
    "json": (answered(b'{"a": [1, 2]}', headers=(("content-type", "application/json"),)), "OK"),
    "no body": (answered(), "OK"),
    "every byte": (answered(bytes(range(256)) * 300, headers=(("content-type", "application/octet-stream"),)), "OK"),
    "text": (answered("Grüße ☀️\r\n\x00".encode(), headers=(("content-type", "text/plain"),)), "OK"),
    "cookies": (answered(b"x", headers=COOKIES), "OK"),
    "error": (answered(b"{}", status=529, reason="Overloaded"), "Overloaded"),
    "odd reason": (answered(b"{}", status=200, reason="Fine"), "Fine"),
    "no content": (answered(status=204), "No Content"),
    "events": (answered(*EVENTS, headers=SSE), "OK"),
}


@every_client
@pytest.mark.parametrize("answer", [pytest.param(name, id=name) for name in ANSWERS])
def test_a_recorded_answer_is_given(client, answer, holding):
    exchange, reason = ANSWERS[answer]
    with use_cassette(holding(exchange)) as convo:
        got = client("GET", URL)
    assert (got.status, got.reason, got.body) == (exchange.status, reason, exchange.body)
    names = {name for name, _ in exchange.head.headers} - {"content-length"}
    for name in names:
        recorded = [value for key, value in exchange.head.headers if key == name]
        assert ", ".join(got.header(name)) == ", ".join(recorded)  # httplib2 joins them itself
    assert [each.status for each in convo.exchanges] == [exchange.status]


@every_client
def test_a_head_has_no_body(client, holding):
    with use_cassette(holding(answered(method="HEAD", headers=(("etag", '"x"'), ("content-length", "42"))))):
        got = client("HEAD", URL)
    assert (got.status, got.body, got.header("etag"), got.header("content-length")) == (200, b"", ['"x"'], ["42"])


@every_client
def test_a_miss_arrives_as_it_is_and_again_for_whatever_follows(client, holding):
    def twice() -> None:
        with use_cassette(holding(answered(b"x"))):
            with contextlib.suppress(CassetteMiss):
                client("GET", URL + "?other=1")
            client("GET", URL)

    with pytest.raises(CassetteMiss, match="it differs in"):
        twice()


@every_client
@pytest.mark.parametrize(
    "url", [pytest.param(f"{scheme}://elsewhere.invalid/x", id=scheme) for scheme in ("http", "https")]
)
def test_what_is_not_ours_is_refused_and_says_how_to_let_it_through(client, url, holding):
    with pytest.raises(ConvoFailure) as refused, use_cassette(holding()):
        client("GET", url)
    assert url in str(refused.value)
    assert "passthrough=['elsewhere.invalid']" in str(refused.value)


@every_client
def test_a_token_endpoint_gets_a_synthetic_token(client, holding):
    with use_cassette(holding()) as convo:
        got = client("POST", "https://oauth2.googleapis.com/token", {"content-type": "text/plain"}, b"assertion=x")
    assert json.loads(got.body)["token_type"] == "Bearer"
    assert convo.exchanges == []


@every_client
@pytest.mark.parametrize(
    ("body", "type", "recorded"),
    [
        pytest.param(b'{"a": 1}', "application/json", Json({"a": 1}), id="json"),
        pytest.param(b"a=1&b=2", "application/x-www-form-urlencoded", Text("a=1&b=2"), id="form"),
        pytest.param(b"\x89PNG\xff", "image/png", Binary(b"\x89PNG\xff"), id="binary"),
    ],
)
def test_the_body_that_is_sent_decides(client, body, type, recorded, holding):
    first = answered(b"no", method="POST", body=Json({"a": 2}))
    with use_cassette(holding(first, answered(b"yes", method="POST", body=recorded)), unplayed="ignore"):
        assert client("POST", URL, {"content-type": type}, body).body == b"yes"


# --- how it ended ---------------------------------------------------------------------------------

BROKEN = {
    "truncated": (Head(200, SSE), Chunk(0.0, EVENTS[0]), End("truncated")),
    "undecodable": (Head(200, SSE), Chunk(0.0, EVENTS[0]), End("undecodable")),
    "reset": (Head(200), Chunk(0.0, b"half"), End("reset")),
    "read timeout": (Head(200), Chunk(0.0, b"half"), End("timeout", 0.0, "read")),
    "reset at once": (End("reset"),),
    "silence": (End("timeout", 0.0, "read"),),
    "closed at once": (End("truncated"),),
    "refused": (End("refused", 0.0, "", "[Errno 111] Connection refused"),),
    "dns": (End("dns"),),
    "tls": (End("tls", 0.0, "", "certificate verify failed"),),
    "connect timeout": (End("timeout", 0.0, "connect"),),
}
RAISED = {
    "requests": {
        "truncated": "ChunkedEncodingError", "undecodable": "ChunkedEncodingError", "reset": "ChunkedEncodingError",
        "read timeout": "ConnectionError", "reset at once": "ConnectionError", "silence": "ReadTimeout",
        "closed at once": "ConnectionError", "refused": "ConnectionError", "dns": "ConnectionError", "tls": "SSLError",
        "connect timeout": "ConnectTimeout",
    },
    "urllib": {
        "truncated": "IncompleteRead", "undecodable": "IncompleteRead", "reset": "ConnectionResetError",
        "read timeout": "TimeoutError", "reset at once": "ConnectionResetError", "silence": "TimeoutError",
        "closed at once": "RemoteDisconnected", "refused": "URLError", "dns": "URLError", "tls": "URLError",
        "connect timeout": "URLError",
    },
    "aiohttp": {
        "truncated": "ClientPayloadError", "undecodable": "ClientPayloadError", "reset": "ClientPayloadError",
        "read timeout": "SocketTimeoutError", "reset at once": "ClientOSError", "silence": "SocketTimeoutError",
        "closed at once": "ServerDisconnectedError", "refused": "ClientConnectorError",
        "dns": "ClientConnectorDNSError", "tls": "ClientConnectorSSLError", "connect timeout": "ConnectionTimeoutError",
    },
    "tornado": {
        "truncated": "HTTPStreamClosedError", "undecodable": "HTTPStreamClosedError", "reset": "ConnectionResetError",
        "read timeout": "HTTPTimeoutError", "reset at once": "ConnectionResetError", "silence": "HTTPTimeoutError",
        "closed at once": "HTTPStreamClosedError", "refused": "ConnectionRefusedError", "dns": "gaierror",
        "tls": "SSLError", "connect timeout": "HTTPTimeoutError",
    },
}  # fmt: skip


@pytest.mark.parametrize("end", [pytest.param(name, id=name) for name in BROKEN])
@pytest.mark.parametrize("client", [pytest.param(name, id=name) for name in RAISED])
def test_what_broke_breaks_again_as_the_library_says_it(client, end, holding):
    exchange = Exchange(Request("POST", URL), BROKEN[end])  # no GET: aiohttp sends that once more by itself
    with use_cassette(holding(exchange)), pytest.raises(Exception) as raised:
        CLIENTS[client]("POST", URL)
    assert type(raised.value).__name__ == RAISED[client][end]


def test_the_reasons_of_urllib3_are_its_own(holding):
    urllib3 = pytest.importorskip("urllib3")
    for end, reason in [
        ("refused", urllib3.exceptions.NewConnectionError),
        ("dns", urllib3.exceptions.NameResolutionError),
        ("connect timeout", urllib3.exceptions.ConnectTimeoutError),
    ]:
        exchange = Exchange(Request("GET", URL), BROKEN[end])
        with use_cassette(holding(exchange)), pytest.raises(urllib3.exceptions.MaxRetryError) as raised:
            CLIENTS["urllib3"]("GET", URL)
        assert type(raised.value.reason) is reason


@pytest.mark.parametrize(
    "client", [pytest.param(name, id=name) for name in ("requests", "urllib", "aiohttp", "tornado")]
)
def test_reading_on_where_the_client_had_left_is_a_failure(client, holding, monkeypatch):
    monkeypatch.setattr("convo_replay.transports.playing.LINGER", 0.0)
    left = answered(EVENTS[0], headers=SSE, end=End("cancelled"))
    with pytest.raises(ConvoFailure, match="had left"), use_cassette(holding(left)):
        CLIENTS[client]("GET", URL)


# --- streams --------------------------------------------------------------------------------------


def _requests_lines() -> list[bytes]:
    requests = pytest.importorskip("requests")
    with requests.Session() as session, session.get(URL, stream=True) as got:
        return list(got.iter_content(None))


def _urllib3_pieces() -> list[bytes]:
    urllib3 = pytest.importorskip("urllib3")
    with urllib3.PoolManager() as pool:
        got = pool.request("GET", URL, preload_content=False)
        return list(got.stream(None))


def _http_client_read1() -> list[bytes]:
    with contextlib.closing(http.client.HTTPSConnection(HOST)) as connection:
        connection.request("GET", "/thing")
        got = connection.getresponse()
        return list(iter(lambda: got.read1(65536), b""))


def _aiohttp_any() -> list[bytes]:
    aiohttp = pytest.importorskip("aiohttp")

    async def read() -> list[bytes]:
        async with aiohttp.ClientSession() as session, session.get(URL) as got:
            return [data async for data in got.content.iter_any()]

    return asyncio.run(read())


@pytest.mark.parametrize("read", [_requests_lines, _urllib3_pieces, _http_client_read1, _aiohttp_any])
def test_a_stream_comes_one_event_at_a_time(read, holding):
    with use_cassette(holding(answered(*EVENTS, headers=SSE))):
        assert read() == EVENTS


def test_leaving_a_stream_is_no_failure(holding):
    requests = pytest.importorskip("requests")
    with (
        use_cassette(holding(answered(*EVENTS[:2], headers=SSE, end=End("cancelled")))),
        requests.Session() as session,
        session.get(URL, stream=True) as got,
    ):
        assert next(got.iter_lines()) == b"event: tick"


def test_the_pace_is_the_recorded_one_if_that_is_wanted(holding, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("convo_replay.transports.playing.time.sleep", slept.append)
    steps = (Head(200, SSE, 0.25), Chunk(0.5, EVENTS[0]), Chunk(2.0, EVENTS[1]), End("complete", 2.5))
    with use_cassette(holding(Exchange(Request("GET", URL), steps)), timing="recorded"):
        CLIENTS["http.client"]("GET", URL)
    assert slept == [0.25, 0.25, 1.5, 0.5]


# --- several at once ------------------------------------------------------------------------------


def numbered(count: int) -> list[Exchange]:
    return [answered(b"answer %d" % n, method="POST", body=Json({"n": n}), url=PLAIN) for n in range(count)]


def ask(client: Callable[..., Any], n: int) -> bytes:
    answer: bytes = client("POST", PLAIN, {"content-type": "application/json"}, json.dumps({"n": n}).encode()).body
    return answer


@pytest.mark.parametrize("client", ["requests", "urllib3", "http.client", "httplib2", "aiohttp", "tornado"])
def test_threads_each_get_their_answer(client, holding):
    count = 60
    with use_cassette(holding(*numbered(count))) as convo, ThreadPoolExecutor(12) as threads:
        got = list(threads.map(lambda n: ask(CLIENTS[client], n), range(count)))
    assert got == [b"answer %d" % n for n in range(count)]
    assert len(convo.exchanges) == count


def test_tasks_each_get_their_answer(holding):
    aiohttp = pytest.importorskip("aiohttp")
    count = 60

    async def all_at_once() -> list[bytes]:
        async with aiohttp.ClientSession() as session:

            async def one(n: int) -> bytes:
                async with session.post(PLAIN, json={"n": n}) as got:
                    content: bytes = await got.read()
                    return content

            return await asyncio.gather(*[one(n) for n in range(count)])

    with use_cassette(holding(*numbered(count))):
        assert asyncio.run(all_at_once()) == [b"answer %d" % n for n in range(count)]


def test_a_connection_is_used_again(holding):
    with use_cassette(holding(*numbered(3))), contextlib.closing(http.client.HTTPConnection(HOST)) as connection:
        for n in range(3):
            connection.request("POST", "/thing", json.dumps({"n": n}), {"content-type": "application/json"})
            assert connection.getresponse().read() == b"answer %d" % n


# --- ways to get there ----------------------------------------------------------------------------


def test_redirects_are_followed_by_the_library(holding):
    hop = answered(status=302, headers=(("location", "/there"), ("set-cookie", "seen=1; Path=/")))
    for client in ("requests", "urllib3", "urllib", "httplib2", "aiohttp"):
        with use_cassette(holding(hop, answered(b"arrived", url=f"https://{HOST}/there"))) as convo:
            assert CLIENTS[client]("GET", URL).body == b"arrived"
        assert [exchange.status for exchange in convo.exchanges] == [302, 200]


def test_requests_keeps_its_history_and_cookies(holding):
    requests = pytest.importorskip("requests")
    hop = answered(status=302, headers=(("location", "/there"), *COOKIES))
    with use_cassette(holding(hop, answered(b"x", url=f"https://{HOST}/there"))), requests.Session() as session:
        got = session.get(URL)
        assert [each.status_code for each in got.history] == [302]
        assert session.cookies.get_dict() == {"a": "1", "b": "2"}


def test_a_proxy_is_not_asked(holding):
    requests = pytest.importorskip("requests")
    with (
        use_cassette(holding(answered(b"tunnelled"), answered(b"forwarded", url=PLAIN))),
        requests.Session() as session,
    ):
        session.proxies = {"https": "http://proxy.invalid:3128", "http": "http://proxy.invalid:3128"}
        assert session.get(URL).content == b"tunnelled"
        assert session.get(PLAIN).content == b"forwarded"


def test_a_connection_may_be_opened_before_it_is_used(holding):
    with use_cassette(holding(answered(b"x"))), contextlib.closing(http.client.HTTPSConnection(HOST)) as connection:
        connection.connect()
        connection.request("GET", "/thing")
        assert connection.getresponse().read() == b"x"


def test_a_client_that_waits_to_be_told_to_go_on(holding):
    session = pytest.importorskip("botocore.httpsession").URLLib3Session()
    awsrequest = pytest.importorskip("botocore.awsrequest")
    headers = {"content-type": "application/json", "Expect": "100-continue"}
    with use_cassette(holding(*numbered(1))), contextlib.closing(session):
        request = awsrequest.AWSRequest("POST", PLAIN, headers=headers, data=b'{"n": 0}')
        assert session.send(request.prepare()).content == b"answer 0"


def test_a_generator_that_uploads(holding):
    requests, aiohttp = pytest.importorskip("requests"), pytest.importorskip("aiohttp")
    headers = {"content-type": "application/json"}

    async def pieces():
        yield b'{"n": '
        yield b"1}"

    async def upload() -> bytes:
        async with aiohttp.ClientSession() as client, client.post(PLAIN, data=pieces(), headers=headers) as got:
            content: bytes = await got.read()
            return content

    with use_cassette(holding(*numbered(2))), requests.Session() as session:
        assert session.post(PLAIN, data=iter([b'{"n"', b": 0}"]), headers=headers).content == b"answer 0"
        assert asyncio.run(upload()) == b"answer 1"


def test_tornado_says_what_it_cannot_have(holding):
    httpclient = pytest.importorskip("tornado.httpclient")

    async def fetch() -> None:
        client = httpclient.AsyncHTTPClient(force_instance=True)
        with contextlib.closing(client):
            await client.fetch(URL, streaming_callback=print)

    with pytest.raises(ConvoFailure, match="streaming_callback"), use_cassette(holding(answered(b"x"))):
        asyncio.run(fetch())


# --- who else is there ----------------------------------------------------------------------------

THEIRS = (
    "version: 1\ninteractions:\n"
    f"- request: {{method: GET, uri: 'https://{HOST}/theirs', body: null, headers: {{}}}}\n"
    "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: theirs}}\n"
)


@pytest.mark.parametrize("client", ["requests", "urllib3", "urllib", "aiohttp", "httplib2", "tornado"])
def test_a_vcrpy_cassette_inside_answers_first(client, holding, tmp_path):
    vcr = pytest.importorskip("vcr")
    (tmp_path / "theirs.yaml").write_text(THEIRS)
    with use_cassette(holding(answered(b"ours"))):
        with vcr.use_cassette(str(tmp_path / "theirs.yaml"), record_mode="none"):
            assert CLIENTS[client]("GET", f"https://{HOST}/theirs").body == b"theirs"
        assert CLIENTS[client]("GET", URL).body == b"ours"


@pytest.mark.parametrize("client", ["requests", "urllib3", "urllib", "aiohttp", "httplib2", "tornado"])
def test_a_vcrpy_cassette_outside_answers_before_and_after(client, holding, tmp_path):
    vcr = pytest.importorskip("vcr")
    (tmp_path / "theirs.yaml").write_text(THEIRS)
    with vcr.use_cassette(str(tmp_path / "theirs.yaml"), record_mode="none", allow_playback_repeats=True):
        for _ in range(2):
            assert CLIENTS[client]("GET", f"https://{HOST}/theirs").body == b"theirs"
            with use_cassette(holding()):
                pass


def test_nothing_of_ours_is_left():
    aiohttp = pytest.importorskip("aiohttp")
    urllib3 = pytest.importorskip("urllib3")
    places = [
        (http.client.HTTPConnection, "putrequest"), (http.client.HTTPConnection, "connect"),
        (http.client.HTTPSConnection, "connect"), (urllib3.connection.HTTPConnection, "connect"),
        (urllib3.connection.HTTPSConnection, "connect"), (aiohttp.TCPConnector, "connect"),
    ]  # fmt: skip
    before = [vars(owner).get(name) for owner, name in places]
    with use_cassette(None, record="live"):
        assert all(vars(owner).get(name) is not was for (owner, name), was in zip(places, before, strict=True))
    assert [vars(owner).get(name) for owner, name in places] == before


def test_opening_a_cassette_imports_nothing_for_clients_that_send_nothing(tmp_path):
    code = (
        "import sys, requests, aiohttp, convo_replay\n"
        f"with convo_replay.use_cassette({str(tmp_path / 'new.yaml')!r}): pass\n"
        "print([name for name in ('vcr', 'h11', 'httpx', 'tornado') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr


# --- what vcrpy recorded --------------------------------------------------------------------------

_SENDERS = ("python-requests", "aiohttp/", "Boto3", "botocore")


def _recorded_through_others() -> list[Any]:
    if corpus.CORPUS is None:
        return []
    rows = [
        row for row in corpus.index("vcrpy-yaml") if any(sender.encode() in corpus.read(row) for sender in _SENDERS)
    ]
    return [pytest.param(row["path"], id=row["path"].rpartition("/")[2]) for row in rows[:: max(1, len(rows) // 24)]]


def _bytes_of(body: Any) -> bytes | None:
    if body is None:
        return b""
    if isinstance(body, Json):
        return json.dumps(body.value).encode()
    if isinstance(body, Text):
        return body.text.encode()
    return None if isinstance(body, (Blob, Parts)) else body.data


@corpus.needs_corpus
@pytest.mark.parametrize("path", _recorded_through_others())
def test_in_place_of_a_cassette_of_vcrpy(path):
    assert corpus.CORPUS is not None
    recorded = load(corpus.CORPUS / path).exchanges
    with use_cassette(corpus.CORPUS / path, unplayed="error"):
        for exchange in recorded:
            request = exchange.request
            body = _bytes_of(request.body)
            assert body is not None
            kind = request.header("content-type") or ("application/json" if isinstance(request.body, Json) else "")
            headers = {"content-type": kind} if kind else {}
            got = CLIENTS["urllib3"](request.method, request.url, headers, body)
            assert (got.status, got.body) == (exchange.status, exchange.body)
            assert got.header("content-encoding") == []
