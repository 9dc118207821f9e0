"""In `none` no request reaches the network, whoever makes it, and the error says what to do."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib
import importlib.util
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest

from convo_replay import ConvoFailure
from live.callers import LIBRARIES, body, client, httpx, use_cassette
from upstream import Upstream

ELSEWHERE = "elsewhere.test"


@pytest.fixture
def attempts(monkeypatch) -> list[Any]:
    """What tried to leave the machine: names asked for and addresses connected to. None of it does."""
    tried: list[Any] = []
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        if str(host).strip("[]") in ("127.0.0.1", "localhost", "::1"):
            return resolve(host, *arguments, **named)
        tried.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "stopped by the test")

    def connect_(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1")):
            tried.append(address)
            raise OSError("stopped by the test")
        return connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect_)
    return tried


def own_transport(core: str, library: str) -> Callable[[str], Any]:
    """A user's transport that stands on httpcore itself; nobody's `_transport_for_url` is asked."""

    def call(url: str) -> Any:
        pool = importlib.import_module(core).ConnectionPool()
        return pool.request("GET", url)

    return call


def own_async_transport(core: str) -> Callable[[str], Any]:
    def call(url: str) -> Any:
        async def ask() -> Any:
            async with importlib.import_module(core).AsyncConnectionPool() as pool:
                return await pool.request("GET", url)

        return asyncio.run(ask())

    return call


def async_httpx(library: str) -> Callable[[str], Any]:
    def call(url: str) -> Any:
        async def ask() -> Any:
            async with importlib.import_module(library).AsyncClient() as api:
                return await api.get(url)

        return asyncio.run(ask())

    return call


def through_requests(url: str) -> Any:
    return importlib.import_module("requests").get(url)


def through_urllib3(url: str) -> Any:
    return importlib.import_module("urllib3").PoolManager().request("GET", url)


def through_aiohttp(url: str) -> Any:
    aiohttp = importlib.import_module("aiohttp")

    async def ask() -> Any:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.read()

    return asyncio.run(ask())


def through_http_client(url: str) -> Any:
    kind = http.client.HTTPSConnection if url.startswith("https") else http.client.HTTPConnection
    connection = kind(url.split("/")[2])
    connection.request("GET", "/" + url.split("/", 3)[3])
    return connection.getresponse()


WAYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "httpx": ("httpx", lambda url: importlib.import_module("httpx").get(url)),
    "httpx2": ("httpx2", lambda url: importlib.import_module("httpx2").get(url)),
    "httpx async": ("httpx", async_httpx("httpx")),
    "httpx2 async": ("httpx2", async_httpx("httpx2")),
    "httpcore": ("httpcore", own_transport("httpcore", "httpx")),
    "httpcore2": ("httpcore2", own_transport("httpcore2", "httpx2")),
    "httpcore async": ("httpcore", own_async_transport("httpcore")),
    "httpcore2 async": ("httpcore2", own_async_transport("httpcore2")),
    "requests": ("requests", through_requests),
    "urllib3": ("urllib3", through_urllib3),
    "aiohttp": ("aiohttp", through_aiohttp),
    "http.client": ("http.client", through_http_client),
    "urllib.request": ("urllib.request", urllib.request.urlopen),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request) -> Callable[[str], Any]:
    module, call = request.param
    if not importlib.util.find_spec(module):
        pytest.skip(f"{module} is not installed")
    importlib.import_module(module)
    return call


@pytest.fixture
def recorded(upstream: Upstream, cassette: Path) -> Path:
    with use_cassette(cassette, record="once"), client(upstream.url()) as api:
        api.messages.create(**body())
    upstream.clear()
    return cassette


@pytest.mark.parametrize("url", [f"http://{ELSEWHERE}/v1/things", f"https://{ELSEWHERE}/v1/things",
                                 "http://192.0.2.7:8080/v1/things"])  # fmt: skip
def test_an_unclaimed_host(way, url, recorded: Path, attempts: list[Any]):
    with pytest.raises(ConvoFailure) as caught, use_cassette(recorded):
        way(url)
    host = url.split("/")[2].partition(":")[0]
    assert attempts == []
    assert host in str(caught.value)
    assert "passthrough" in str(caught.value)


def test_what_is_swallowed_is_raised_at_the_end(way, recorded: Path, attempts: list[Any]):
    with pytest.raises(ConvoFailure, match=ELSEWHERE), use_cassette(recorded), contextlib.suppress(BaseException):
        way(f"http://{ELSEWHERE}/v1/things")
    assert attempts == []


def test_loopback_passes(way, recorded: Path, upstream: Upstream, attempts: list[Any]):
    with use_cassette(recorded, unplayed="ignore"):
        way(upstream.url("text", "/plain/own-server"))
    assert len(upstream.log()) == 1
    assert attempts == []


def test_passthrough_passes(way, recorded: Path, attempts: list[Any]):
    """As far as the test lets it."""
    settings = {"unplayed": "ignore", "passthrough": [ELSEWHERE]}
    with use_cassette(recorded, **settings), contextlib.suppress(Exception):
        way(f"http://{ELSEWHERE}/v1/things")
    assert attempts


@pytest.mark.parametrize("name", LIBRARIES)
def test_token_endpoints_get_a_synthetic_token(name, recorded: Path, attempts: list[Any]):
    module = importlib.import_module(name)
    with use_cassette(recorded, unplayed="ignore"):
        answer = module.post(
            "https://api.anthropic.com/v1/oauth/token",
            json={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
        )
        assert answer.status_code == 200
        assert answer.json()["access_token"]
    assert attempts == []


@pytest.mark.skipif(not hasattr(anthropic, "WorkloadIdentityCredentials"), reason="an SDK without workload identity")
def test_workload_identity(upstream: Upstream, cassette: Path, attempts: list[Any]):
    """The SDK fetches a token before its first request: for real while recording, synthetic in `none`."""

    def ask(base: str) -> str:
        credentials = anthropic.WorkloadIdentityCredentials(
            identity_token_provider=lambda: "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
            federation_rule_id="fdrl_01",
            organization_id="5d1c1a52-9d0b-4c57-8f0e-5b1d2a7c9e10",
            service_account_id="svac_01",
        )
        with anthropic.Anthropic(credentials=credentials, base_url=base) as api:
            return api.messages.create(**body()).content[0].text

    with use_cassette(cassette, record="once") as convo:
        recorded = ask(f"http://127.0.0.1:{upstream.port}")
    assert [received.target for received in upstream.log()] == ["/v1/oauth/token", "/v1/messages"]
    assert len(convo.exchanges) == 1
    for hidden in ("sk-ant-oat", "eyJ", "/oauth/", "5d1c1a52"):
        assert hidden not in cassette.read_text()
    upstream.stop()
    with use_cassette(cassette) as convo:
        assert ask("https://api.anthropic.com") == recorded
    assert attempts == []


def test_token_endpoints_are_never_recorded(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="once") as convo:
        token = httpx.post(upstream.url("text", "/v1/oauth/token"), json={}).json()["access_token"]
        with client(upstream.url()) as api:
            api.messages.create(**body())
    assert len(convo.exchanges) == 1
    assert token[-20:] not in cassette.read_text()
    assert "oauth" not in cassette.read_text()


def test_a_claimed_request_that_is_not_recorded(recorded: Path, upstream: Upstream, attempts: list[Any]):
    with pytest.raises(ConvoFailure) as caught, use_cassette(recorded), client(upstream.url()) as api:
        api.messages.create(**body("Another question"))
    assert upstream.connections() == 0
    assert attempts == []
    text = str(caught.value)
    for part in ("messages[0].content", "Another question", str(recorded), "none"):
        assert part in text


def test_without_a_cassette(tmp_path: Path, upstream: Upstream, attempts: list[Any]):
    missing = tmp_path / "missing.yaml"
    with pytest.raises((ConvoFailure, Exception)) as caught, use_cassette(missing), client(upstream.url()) as api:
        api.messages.create(**body())
    assert "missing.yaml" in str(caught.value)
    assert "record" in str(caught.value)
    assert upstream.connections() == 0
    assert not missing.exists()


@pytest.mark.parametrize("record", ["once", "new_episodes", "all", "rewrite"])
def test_an_unclaimed_host_is_counted_while_recording(record, recorded: Path, upstream: Upstream):
    with use_cassette(recorded, record=record, unplayed="ignore") as convo:
        httpx.get(upstream.url("text", "/plain/own-server"))
    assert len(upstream.log()) == 1
    assert all("/plain/" not in exchange.request.url for exchange in convo.exchanges)
