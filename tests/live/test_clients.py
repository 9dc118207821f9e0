"""Whatever client an application builds, and whenever: it is recorded, replayed, and left as it was."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest

from convo_replay import CassetteMiss
from convo_replay.errors import ConvoFailure
from live.callers import KEY, LIBRARIES, async_client, body, client, httpx, openai_client, plain, sdk_http, use_cassette
from upstream import Upstream

PAYLOAD = body()


class Subclassed(sdk_http.HTTPTransport):
    calls = 0

    def handle_request(self, request: Any) -> Any:
        type(self).calls += 1
        return super().handle_request(request)


class Wrapped(sdk_http.BaseTransport):
    def __init__(self) -> None:
        self.inner = sdk_http.HTTPTransport()

    def handle_request(self, request: Any) -> Any:
        request.headers["x-wrapped"] = "yes"
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()


class AsyncWrapped(sdk_http.AsyncBaseTransport):
    def __init__(self) -> None:
        self.inner = sdk_http.AsyncHTTPTransport()

    async def handle_async_request(self, request: Any) -> Any:
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


class OwnClient(sdk_http.Client):
    def send(self, request: Any, **options: Any) -> Any:
        return super().send(request, **options)


def sdk(make: Callable[[], Any]) -> Callable[[str], Callable[[], Any]]:
    def build(url: str) -> Callable[[], Any]:
        api = client(url, http_client=make())
        return lambda: plain(api.messages.create(**PAYLOAD))

    return build


def async_sdk(make: Callable[[], Any]) -> Callable[[str], Callable[[], Any]]:
    def build(url: str) -> Callable[[], Any]:
        api = async_client(url, http_client=make())

        async def call() -> Any:
            return plain(await api.messages.create(**PAYLOAD))

        return lambda: asyncio.run(call())

    return build


def sdk_default(url: str) -> Callable[[], Any]:
    api = client(url)
    return lambda: plain(api.messages.create(**PAYLOAD))


def sdk_copy(url: str) -> Callable[[], Any]:
    api = client(url).with_options(max_retries=1)
    return lambda: plain(api.messages.create(**PAYLOAD))


def openai_default(url: str) -> Callable[[], Any]:
    api = openai_client(url)
    return lambda: plain(api.chat.completions.create(model="m", messages=PAYLOAD["messages"]))


def library(name: str, how: str) -> Callable[[str], Callable[[], Any]]:
    module = importlib.import_module(name)

    def build(url: str) -> Callable[[], Any]:
        target = url + "/v1/messages"
        if how == "top level":
            return lambda: module.post(target, json=PAYLOAD).json()
        if how == "send":
            api = module.Client()
            return lambda: api.send(api.build_request("POST", target, json=PAYLOAD)).json()
        if how == "context":
            api = module.Client()
            return lambda: api.post("/v1/messages", json=PAYLOAD).json()
        if how == "base_url":
            api = module.Client(base_url=url)
            return lambda: api.post("/v1/messages", json=PAYLOAD).json()
        api = module.AsyncClient(base_url=url)

        async def call() -> Any:
            return (await api.post("/v1/messages", json=PAYLOAD)).json()

        return lambda: asyncio.run(call())

    return build


CLIENTS = {
    "anthropic default": sdk_default,
    "anthropic with_options": sdk_copy,
    "openai default": openai_default,
    "DefaultHttpxClient": sdk(anthropic.DefaultHttpxClient),
    "plain Client": sdk(sdk_http.Client),
    "subclassed client": sdk(OwnClient),
    "subclassed transport": sdk(lambda: sdk_http.Client(transport=Subclassed())),
    "wrapped transport": sdk(lambda: sdk_http.Client(transport=Wrapped())),
    "mounts": sdk(lambda: sdk_http.Client(mounts={"http://127.0.0.1": sdk_http.HTTPTransport()})),
    "mounted wrapper": sdk(lambda: sdk_http.Client(mounts={"all://": Wrapped()})),
    "HTTP/2 flag": sdk(lambda: sdk_http.Client(http2=True)),
    "transport retries": sdk(lambda: sdk_http.Client(transport=sdk_http.HTTPTransport(retries=3))),
    "verify off": sdk(lambda: sdk_http.Client(verify=False)),
    "DefaultAsyncHttpxClient": async_sdk(anthropic.DefaultAsyncHttpxClient),
    "async wrapped transport": async_sdk(lambda: sdk_http.AsyncClient(transport=AsyncWrapped())),
    "async mounts": async_sdk(lambda: sdk_http.AsyncClient(mounts={"http://": AsyncWrapped()})),
    "async HTTP/2 flag": async_sdk(lambda: sdk_http.AsyncClient(http2=True)),
    **{f"{name} {how}": library(name, how) for name in LIBRARIES for how in ("top level", "send", "base_url", "async")},
}


@pytest.fixture(params=CLIENTS.values(), ids=CLIENTS)
def build(request):
    if "HTTP/2" in request.node.callspec.id and not importlib.util.find_spec("h2"):
        pytest.skip("h2 is not installed")
    return request.param


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_client(build, when, upstream: Upstream, cassette: Path):
    url = upstream.url()
    early = build(url) if when == "before" else None
    with use_cassette(cassette, record="once") as convo:
        recorded = (early or build(url))()
    assert convo.live_requests == 1
    assert len(convo.exchanges) == 1
    upstream.stop()
    early = build(url) if when == "before" else None
    with use_cassette(cassette) as convo:
        assert (early or build(url))() == recorded
    assert convo.live_requests == 0


def test_one_client_through_several_cassettes(upstream: Upstream, tmp_path: Path):
    """It outlives them all, and works as before in between."""
    api = client(upstream.url("counter"))

    def ask() -> str:
        return api.messages.create(**PAYLOAD).content[0].text

    answers = [ask()]
    for n in range(2):
        with use_cassette(tmp_path / f"{n}.yaml", record="once"):
            answers.append(ask())
        answers.append(ask())
    assert answers == [f"Answer number {n}" for n in range(1, 6)]
    replayed = []
    for n in range(2):
        with use_cassette(tmp_path / f"{n}.yaml"):
            replayed.append(ask())
    assert replayed == [answers[1], answers[3]]
    assert ask() == "Answer number 6"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_from_the_environment(variable, upstream: Upstream, cassette: Path, monkeypatch):
    monkeypatch.setenv(variable, f"http://127.0.0.1:{upstream.port}")
    url = "http://api.nowhere.test/text"
    with use_cassette(cassette, record="once"):
        recorded = client(url).messages.create(**PAYLOAD)
    assert upstream.log()[0].target.startswith("http://api.nowhere.test/")
    assert "api.nowhere.test" in cassette.read_text()
    assert str(upstream.port) not in cassette.read_text()
    upstream.stop()
    with use_cassette(cassette):
        assert client(url).messages.create(**PAYLOAD) == recorded


def echo(module: Any) -> Callable[[Any], Any]:
    return lambda request: module.Response(200, json={"mock": True, "path": request.url.path})


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"mock": true}'})


def wsgi(environ: Any, start: Any) -> list[bytes]:
    start("200 OK", [])
    return [b'{"mock": true}']


@pytest.mark.parametrize("record", ["none", "once"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_mock_asgi_and_wsgi_transports_are_left_alone(name, record, cassette: Path):
    module = importlib.import_module(name)

    async def call_async() -> list[Any]:
        answers = []
        for transport in (module.MockTransport(echo(module)), module.ASGITransport(asgi)):
            async with module.AsyncClient(transport=transport) as api:
                answers.append((await api.post("http://api.anthropic.com/v1/messages", json=PAYLOAD)).json()["mock"])
        return answers

    with use_cassette(cassette, record=record) as convo:
        for transport in (module.MockTransport(echo(module)), module.WSGITransport(wsgi)):
            with module.Client(transport=transport) as api:
                assert api.post("http://api.anthropic.com/v1/messages", json=PAYLOAD).json()["mock"]
        assert asyncio.run(call_async()) == [True, True]
    assert convo.exchanges == []
    assert not cassette.exists()


def test_a_host_that_is_ignored_is_never_claimed(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="none", ignore=["127.0.0.1"]) as convo:
        client(upstream.url()).messages.create(**PAYLOAD)
    assert convo.exchanges == []
    assert len(upstream.log()) == 1


def test_a_host_named_in_intercept_is_recorded_whatever_its_path(upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/plain/weather")
    with use_cassette(cassette, record="once", intercept=["127.0.0.1"]):
        recorded = httpx.get(url).json()
    upstream.stop()
    with use_cassette(cassette):  # what the cassette holds is claimed without being named
        assert httpx.get(url).json() == recorded


def test_an_unclaimed_host_passes_while_recording_and_is_not_recorded(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="once") as convo:
        httpx.get(upstream.url("text", "/plain/weather"))
    assert convo.exchanges == []
    assert len(upstream.log()) == 1


# What is patched is put back.

PACKAGES = {
    "aiohttp", "anthropic", "anyio", "asyncio", "contextvars", "http", "httpcore", "httpcore2", "httpx", "httpx2",
    "openai", "requests", "socket", "ssl", "threading", "time", "trio", "urllib", "urllib3", "vcr",
}  # fmt: skip


def attributes() -> dict[str, int]:
    """Every attribute of every module of `PACKAGES` and of the classes in them, by identity. A class is read once."""
    found: dict[str, int] = {}
    classes: set[int] = set()
    for name, module in list(sys.modules.items()):
        if module is None or name.partition(".")[0] not in PACKAGES:
            continue
        for key, value in list(vars(module).items()):
            found[f"{name}.{key}"] = id(value)
            if issubclass(type(value), type) and id(value) not in classes:
                classes.add(id(value))
                for inner, attribute in list(vars(value).items()):
                    if isinstance(attribute, (types.FunctionType, staticmethod, classmethod, property)):
                        found[f"{name}.{key}.{inner}"] = id(attribute)
    return found


@pytest.mark.parametrize("ending", ["well", "exception", "cannot save", "leak", "miss", "bad cassette"])
@pytest.mark.parametrize("record", ["none", "once", "rewrite"])
def test_nothing_stays_patched(ending, record, upstream: Upstream, cassette: Path, monkeypatch):
    url = upstream.url()
    for _ in range(2):
        client(url).messages.create(**PAYLOAD)
        with use_cassette(cassette, record="new_episodes"):
            client(url).messages.create(**PAYLOAD)
    before = attributes()
    if ending == "bad cassette":
        cassette.write_text("[")
    try:
        with use_cassette(cassette, record=record):
            if ending == "exception":
                raise ZeroDivisionError
            if ending == "miss" and record == "none":
                client(url).messages.create(**body("Something else"))
            client(url).messages.create(**PAYLOAD)
            if ending == "cannot save":
                cassette.unlink()
                cassette.mkdir()
    except (Exception, ConvoFailure):
        pass
    after = attributes()
    changed = {name for name in before if after.get(name) != before[name]}
    assert not changed


def test_it_replays_after_a_failed_one(upstream: Upstream, cassette: Path):
    url = upstream.url()
    with use_cassette(cassette, record="once"):
        client(url).messages.create(**PAYLOAD)
    with pytest.raises(CassetteMiss), use_cassette(cassette):
        client(url, max_retries=0).messages.create(**body("Something else"))
    with use_cassette(cassette):
        client(url).messages.create(**PAYLOAD)
    assert client(url).messages.create(**body("And now without")).content[0].text == "Answer to: And now without"


@pytest.mark.skipif(not importlib.util.find_spec("h2"), reason="h2 is not installed")
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", LIBRARIES)
def test_http2_spoken_for_real(name, asynchronous, upstream: Upstream, cassette: Path):
    """With prior knowledge, in clear: the server upgrades its connection where h2 is at hand."""
    module = importlib.import_module(name)
    url = upstream.url("text", "/v1/messages")

    def ask() -> tuple[str, bytes]:
        if asynchronous:

            async def call() -> tuple[str, bytes]:
                async with module.AsyncClient(http1=False, http2=True) as api:
                    response = await api.post(url, json=body(stream=True), headers={"x-api-key": KEY})
                    return response.http_version, response.content

            return asyncio.run(call())
        with module.Client(http1=False, http2=True) as api:
            response = api.post(url, json=body(stream=True), headers={"x-api-key": KEY})
            return response.http_version, response.content

    with use_cassette(cassette, record="once"):
        recorded = ask()
    assert recorded[0] == "HTTP/2"
    upstream.stop()
    with use_cassette(cassette):
        assert ask() == recorded
