"""Clients other than httpx and httpx2, recorded from a server and replayed once it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.server
import io
import json
import ssl
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from convo_replay import CassetteMiss
from convo_replay.exchange import Blob, Parts
from live.callers import body, use_cassette
from other_clients import CLIENTS, Answer
from upstream import Upstream

JSON = {"content-type": "application/json", "accept": "*/*"}
every_client = pytest.mark.parametrize("client", [pytest.param(name, id=name) for name in CLIENTS])
requests: Any = pytest.importorskip("requests")
aiohttp: Any = pytest.importorskip("aiohttp")


def post(client: str, url: str, **more: Any) -> Answer:
    return CLIENTS[client]("POST", url, JSON, json.dumps(body(**more)).encode())


@every_client
@pytest.mark.parametrize(
    ("scenario", "more"),
    [
        pytest.param("text", {}, id="json"),
        pytest.param("unicode,split=7", {"stream": True}, id="stream"),
        pytest.param("text,close=1", {"stream": True}, id="to the end"),
    ],
)
def test_what_was_recorded_is_replayed(client, scenario, more, upstream: Upstream, cassette: Path):
    url = upstream.url(scenario, "/v1/messages")
    with use_cassette(cassette, record="once") as recording:
        recorded = post(client, url, **more)
    [received] = upstream.log()
    assert recorded.body == received.sent
    [exchange] = recording.exchanges
    assert (exchange.status, exchange.end.kind, exchange.body) == (200, "complete", received.sent)
    assert exchange.request.json == received.json
    assert 0 < exchange.head.at <= exchange.end.at
    upstream.stop()
    with use_cassette(cassette, unplayed="error") as replaying:
        replayed = post(client, url, **more)
    assert (replayed.status, replayed.reason, replayed.body) == (recorded.status, recorded.reason, recorded.body)
    assert replaying.turns[0].response.text == recording.turns[0].response.text


@every_client
@pytest.mark.parametrize("stream", [False, True])
def test_a_compressed_answer_is_stored_as_it_was_meant(client, stream, upstream: Upstream, cassette: Path):
    url = upstream.url("text,gzip=1", "/v1/messages")
    with use_cassette(cassette, record="once") as convo:
        recorded = post(client, url, stream=stream)
    [received] = upstream.log()
    assert convo.exchanges[0].body == received.sent
    assert recorded.body == received.sent or recorded.header("content-encoding") == ["gzip"]
    upstream.stop()
    with use_cassette(cassette):
        replayed = post(client, url, stream=stream)
    assert replayed.body == received.sent
    assert replayed.header("content-encoding") == []


@every_client
def test_an_error_and_the_retry_after_it_are_two_exchanges(client, upstream: Upstream, cassette: Path):
    url = upstream.url("text,fail=529", "/v1/messages")
    with use_cassette(cassette, record="once", keep=("errors",)) as convo:
        statuses = [post(client, url).status for _ in range(2)]
    assert statuses == [exchange.status for exchange in convo.exchanges] == [529, 200]
    upstream.stop()
    with use_cassette(cassette):
        assert [post(client, url).status for _ in range(2)] == statuses


@pytest.mark.parametrize("client", ["requests", "urllib3", "aiohttp"])
def test_a_redirect_is_an_exchange_of_its_own(client, upstream: Upstream, cassette: Path):
    url = upstream.url("text,redirect=307", "/v1/messages")
    with use_cassette(cassette, record="once") as convo:
        recorded = post(client, url)
    assert [exchange.status for exchange in convo.exchanges] == [307, 200]
    upstream.stop()
    with use_cassette(cassette, unplayed="error"):
        assert post(client, url).body == recorded.body


def raised(call: Callable[[], Any]) -> str:
    """The name of what was raised; empty where nothing was, as some clients take a short body for a whole one."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return ""


@pytest.mark.parametrize("client", ["requests", "urllib3", "urllib", "http.client", "httplib2", "botocore", "aiohttp"])
@pytest.mark.parametrize(("cut", "kind"), [("reset", "reset"), ("truncated", "truncated"), ("short", "truncated")])
def test_what_broke_breaks_again(client, cut, kind, upstream: Upstream, cassette: Path):
    url = upstream.url(f"text,cut={cut},at=3", "/v1/messages")
    with use_cassette(cassette, record="once") as convo:
        recorded = raised(lambda: post(client, url, stream=True))
    assert recorded or cut == "short"
    assert [exchange.end.kind for exchange in convo.exchanges] == [kind]
    assert convo.exchanges[0].body == upstream.log()[0].sent
    upstream.stop()
    with use_cassette(cassette):
        assert raised(lambda: post(client, url, stream=True)) == recorded


@every_client
def test_a_server_that_is_not_there(client, upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/messages")
    upstream.stop()
    with use_cassette(cassette, record="once") as convo:
        recorded = raised(lambda: post(client, url))
    assert [exchange.end.kind for exchange in convo.exchanges] == ["refused"]
    with use_cassette(cassette):
        assert raised(lambda: post(client, url)) == recorded


# --- streams while they are recorded ---------------------------------------------------------------


def _requests(url: str, confirm: Callable[[int], None]) -> int:
    count = 0
    with requests.Session() as session, session.post(url, json=body(stream=True), stream=True, timeout=20) as got:
        for line in got.iter_lines(chunk_size=1):
            if not line:
                confirm(count)
                count += 1
    return count


def _http_client(url: str, confirm: Callable[[int], None]) -> int:
    count = 0
    host, _, path = url.removeprefix("http://").partition("/")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        connection.request("POST", "/" + path, json.dumps(body(stream=True)), JSON)
        for line in connection.getresponse():
            if line == b"\n":
                confirm(count)
                count += 1
    return count


def _aiohttp(url: str, confirm: Callable[[int], None]) -> int:
    async def read() -> int:
        count = 0
        async with aiohttp.ClientSession() as session, session.post(url, json=body(stream=True)) as got:
            async for line in got.content:
                if line == b"\n":
                    confirm(count)
                    count += 1
        return count

    return asyncio.run(read())


@pytest.mark.parametrize("read", [_requests, _http_client, _aiohttp])
def test_each_event_reaches_the_caller_before_the_next_one_is_sent(read, upstream: Upstream, cassette: Path):
    key = f"other{read.__name__}"
    with use_cassette(cassette, record="once") as convo:
        count = read(upstream.url(f"text,lock={key}", "/v1/messages"), lambda n: upstream.ack(key, n))
    times = [step.at for step in convo.exchanges[0].steps]
    assert len(times) == count + 2
    assert times == sorted(times)
    assert len(set(times)) > 2


@pytest.mark.parametrize("leave", ["close", "abandon"])
def test_a_client_that_leaves_is_noted(leave, upstream: Upstream, cassette: Path):
    url = upstream.url("text,lock=leaving", "/v1/messages")

    def read(session: Any) -> tuple[bytes, Any]:
        got = session.post(url, json=body(stream=True), stream=True)
        line: bytes = next(got.iter_lines(chunk_size=1))
        if leave == "close":
            got.close()
        return line, got

    with requests.Session() as session:
        with use_cassette(cassette, record="once") as convo:
            line, got = read(session)
        got.close()
        assert line == b"event: message_start"
        assert [exchange.end.kind for exchange in convo.exchanges] == ["cancelled"]
        with use_cassette(cassette):
            assert read(session)[0] == b"event: message_start"


def test_a_task_that_is_cancelled_is_noted(upstream: Upstream, cassette: Path):
    async def read() -> None:
        url = upstream.url("text,lock=never", "/v1/messages")
        async with aiohttp.ClientSession() as session, session.post(url, json=body(stream=True)) as got:
            await got.content.readline()
            async with asyncio.timeout(0):
                await got.read()

    with use_cassette(cassette, record="once") as convo, pytest.raises(TimeoutError):
        asyncio.run(read())
    assert [exchange.end.kind for exchange in convo.exchanges] == ["cancelled"]


# --- uploads ---------------------------------------------------------------------------------------

FILE = b"\x89PNG" + bytes(range(256)) * 8


UPLOADS: dict[str, Callable[[str], Any]] = {
    "requests form": lambda url: requests.post(url, data={"a": "1", "b": "é"}),
    "requests multipart": lambda url: requests.post(url, data={"a": "1"}, files={"f": ("f.png", FILE, "image/png")}),
    "requests file": lambda url: requests.post(url, data=io.BytesIO(FILE), headers={"content-type": "image/png"}),
    "requests generator": lambda url: requests.post(url, data=iter([b'{"a":', b"1}"]), headers=JSON),
    "aiohttp form": lambda url: _upload(url, lambda: {"a": "1", "b": "é"}),
    "aiohttp multipart": lambda url: _upload(url, _multipart),
    "aiohttp file": lambda url: _upload(url, lambda: io.BytesIO(FILE)),
    "aiohttp generator": lambda url: _upload(url, _pieces, JSON),
}


def _multipart() -> Any:
    form = aiohttp.FormData()
    form.add_field("a", "1")
    form.add_field("f", io.BytesIO(FILE), filename="f.png", content_type="image/png")
    return form


async def _pieces() -> Any:
    yield b'{"a":'
    yield b"1}"


def _upload(url: str, data: Callable[[], Any], headers: Any = None) -> None:
    async def send() -> None:
        async with aiohttp.ClientSession() as session, session.post(url, data=data(), headers=headers) as got:
            await got.read()

    asyncio.run(send())


@pytest.mark.parametrize("upload", [pytest.param(name, id=name) for name in UPLOADS])
def test_an_upload_is_sent_recorded_and_known_again(upload, upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/files")
    settings: dict[str, Any] = {"intercept": ["127.0.0.1"], "match_on": ["method", "path", "body"]}
    with use_cassette(cassette, record="once", **settings) as convo:
        UPLOADS[upload](url)
    [received] = upstream.log()
    assert received.body
    [exchange] = convo.exchanges
    if "multipart" in upload:
        assert isinstance(exchange.request.body, Parts)
        assert [part.name for part in exchange.request.body.parts] == ["a", "f"]
        assert FILE in received.body
    elif "file" in upload:
        assert isinstance(exchange.request.body, Blob) or exchange.request.body.data == FILE
        assert received.body == FILE
    upstream.stop()
    with use_cassette(cassette, unplayed="error", **settings):
        UPLOADS[upload](url)


# --- what is not ours ------------------------------------------------------------------------------


@every_client
@pytest.mark.parametrize(("setting", "record"), [("ignore", "once"), ("ignore", "none"), ("passthrough", "none")])
def test_a_host_that_is_named_is_left_alone(client, setting, record, upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record=record, **{setting: ["127.0.0.1"]}) as convo:
        assert post(client, upstream.url("text", "/v1/messages")).status == 200
    assert convo.exchanges == []
    assert not cassette.exists()


@every_client
def test_what_nobody_claims_passes(client, upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/elsewhere")
    with use_cassette(cassette) as convo:
        CLIENTS[client]("POST", url, {"content-type": "text/plain"}, b"x" * 100_000)
    assert [len(received.body) for received in upstream.log()] == [100_000]
    assert convo.exchanges == []


@every_client
def test_a_miss_sends_nothing(client, upstream: Upstream, cassette: Path):
    with pytest.raises(CassetteMiss), use_cassette(cassette):
        post(client, upstream.url("text", "/v1/messages"))
    assert upstream.log() == []


# --- connections -----------------------------------------------------------------------------------


def test_one_connection_carries_all_requests_of_a_session(upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/messages")
    with use_cassette(cassette, record="once") as convo, requests.Session() as session:
        for n in range(3):
            assert session.post(url, json=body(f"question {n}")).ok
    assert upstream.connections() == 1
    assert len(convo.exchanges) == 3


def test_through_a_forwarding_proxy(upstream: Upstream, cassette: Path):
    url, proxy = "http://gateway.invalid/text/v1/messages", {"http": f"http://127.0.0.1:{upstream.port}"}
    with use_cassette(cassette, record="once") as convo:
        recorded = requests.post(url, json=body(), proxies=proxy)
    assert recorded.json()["content"]
    assert [exchange.request.url for exchange in convo.exchanges] == [url]
    upstream.stop()
    with use_cassette(cassette):
        assert requests.post(url, json=body(), proxies=proxy).content == recorded.content


class _Messages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def secure() -> Iterator[tuple[str, ssl.SSLContext, Path]]:
    """The base URL of a server with TLS, and what trusts it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Messages) as server, authority.cert_pem.tempfile() as pem:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://localhost:{server.server_address[1]}", trusting, Path(pem)
        server.shutdown()
        thread.join()


def test_over_tls(secure, cassette: Path):
    base, trusting, pem = secure
    url, data = base + "/v1/messages", json.dumps(body()).encode()

    async def async_post() -> bytes:
        async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=JSON, ssl=trusting) as got:
            content: bytes = await got.read()
            return content

    def posts() -> list[bytes]:
        request = urllib.request.Request(url, data, JSON)
        with (
            requests.Session() as session,
            urllib.request.urlopen(request, context=trusting) as opened,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error")
            first = session.post(url, data=data, headers=JSON, verify=str(pem)).content
            return [opened.read(), first, asyncio.run(async_post())]

    with use_cassette(cassette, record="once", validate="off") as convo:
        assert posts() == [b"{}"] * 3
    assert len(convo.exchanges) == 3
    with use_cassette(cassette, unplayed="error", validate="off"):
        assert posts() == [b"{}"] * 3


def test_a_certificate_that_nobody_trusts(secure, cassette: Path):
    url = secure[0] + "/v1/messages"

    def post_requests() -> None:
        requests.post(url, json=body())

    with use_cassette(cassette, record="once") as convo:
        assert raised(post_requests) == "SSLError"
    assert [exchange.end.kind for exchange in convo.exchanges] == ["tls"]
    with use_cassette(cassette):
        assert raised(post_requests) == "SSLError"


def test_a_session_is_met_in_the_middle_and_left_as_it_was(upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/messages")

    async def async_session() -> list[int]:
        async with aiohttp.ClientSession() as session:

            async def ask(text: str) -> int:
                async with session.post(url, json=body(text)) as got:
                    await got.read()
                    return int(got.status)

            before = await ask("before")
            with use_cassette(cassette, record="new_episodes") as convo:
                during = await ask("during")
            return [before, during, len(convo.exchanges), await ask("after")]

    assert asyncio.run(async_session()) == [200, 200, 1, 200]
    cassette.unlink()
    with requests.Session() as session:
        assert session.post(url, json=body("before")).ok
        with use_cassette(cassette, record="once") as convo:
            assert session.post(url, json=body("during")).ok
        assert session.post(url, json=body("after")).ok
        assert len(convo.exchanges) == 1
        with use_cassette(cassette):
            assert session.post(url, json=body("during")).ok
        assert session.post(url, json=body("later")).ok
    assert len(upstream.log()) == 7


@pytest.mark.parametrize("client", ["requests", "http.client", "aiohttp"])
def test_threads_are_recorded_each_with_its_answer(client, upstream: Upstream, cassette: Path):
    url, count = upstream.url("echo,spread=0.02", "/v1/messages"), 40

    def ask(n: int) -> bytes:
        answer: bytes = post(client, url, text=f"question {n}").body
        assert f"question {n}".encode() in answer
        return answer

    with use_cassette(cassette, record="once") as convo, ThreadPoolExecutor(12) as threads:
        recorded = list(threads.map(ask, range(count)))
    assert len(convo.exchanges) == len(upstream.log()) == count
    for exchange in convo.exchanges:
        assert exchange.request.json["messages"][0]["content"].encode() in exchange.body
    upstream.stop()
    with use_cassette(cassette, unplayed="error"), ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, range(count))) == recorded


def test_tasks_are_recorded_each_with_its_answer(upstream: Upstream, cassette: Path):
    url = upstream.url("echo,spread=0.02", "/v1/messages")

    async def all_at_once() -> list[bytes]:
        async with aiohttp.ClientSession() as session:

            async def one(n: int) -> bytes:
                async with session.post(url, json=body(f"question {n}", stream=True)) as got:
                    answer: bytes = await got.read()
                    return answer

            return await asyncio.gather(*[one(n) for n in range(40)])

    with use_cassette(cassette, record="once") as convo:
        recorded = asyncio.run(all_at_once())
    assert len(convo.exchanges) == 40
    upstream.stop()
    with use_cassette(cassette, unplayed="error"):
        assert asyncio.run(all_at_once()) == recorded
