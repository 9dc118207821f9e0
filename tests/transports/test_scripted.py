"""A connection that ends badly looks to httpx and httpx2 as on a real socket: recorded and replayed, and as a fault."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trio

from convo_replay import use_cassette
from endings import BRIEF, CASES, TYPE, Seen, fault, served, settings, url_of, whole

_CONTEXT = ssl.create_default_context()


@dataclass
class Call:
    """One request: to where, and with which patience.

    Attributes:
        held: a URL that takes the only connection of the client first.
    """

    url: str
    content: bytes = b"{}"
    timeout: float | None = BRIEF
    held: str = ""

    def transport(self, module: Any, kind: str) -> Any:
        return getattr(module, kind)(
            limits=module.Limits(max_connections=1),
            verify=_CONTEXT,
            socket_options=[(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)],
        )


def sync(module: Any, call: Call) -> Seen:
    seen = Seen()
    with module.Client(transport=call.transport(module, "HTTPTransport"), timeout=call.timeout) as client:
        held = client.send(client.build_request("GET", call.held), stream=True) if call.held else None
        try:
            with client.stream("POST", call.url, content=call.content, headers=dict(TYPE)) as response:
                for data in response.iter_raw():
                    seen.body += data
        except Exception as error:
            seen.caught(error)
        if held is not None:
            held.close()
    return seen


async def in_task(module: Any, call: Call) -> Seen:
    seen = Seen()
    inner = call.transport(module, "AsyncHTTPTransport")
    async with module.AsyncClient(transport=inner, timeout=call.timeout) as client:
        held = await client.send(client.build_request("GET", call.held), stream=True) if call.held else None
        try:
            async with client.stream("POST", call.url, content=call.content, headers=dict(TYPE)) as response:
                async for data in response.aiter_raw():
                    seen.body += data
        except Exception as error:
            seen.caught(error)
        if held is not None:
            await held.aclose()
    return seen


KINDS: dict[str, Callable[[Any, Call], Seen]] = {
    "sync": sync,
    "asyncio": lambda module, call: asyncio.run(in_task(module, call)),
    "trio": lambda module, call: trio.run(in_task, module, call),
}
CLIENTS = {f"{module.__name__} {name}": (module, kind) for module in (httpx, httpx2) for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with served() as found:
        yield found


def call_of(name: str, client: str, ports: dict[str, int], held: str = "") -> Call:
    case = CASES[name]
    return Call(url_of(name, client, ports), case.content, BRIEF if case.end.kind == "timeout" else 5, held)


# httpcore 1 leaves the generator of a body that it could not send to the collector, on a socket, too.
@pytest.mark.filterwarnings("ignore:.*ByteStream.__aiter__:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_connection_ends_as_on_a_socket(name: str, ports: dict[str, int], tmp_path: Path):
    held = f"http://127.0.0.1:{ports['data']}/held/" if CASES[name].end.phase == "pool" else ""
    real, replayed, broken = {}, {}, {}
    path = tmp_path / "kept.yaml"
    with use_cassette(path, record="once", **settings()) as convo:
        for client, (module, kind) in CLIENTS.items():
            real[client] = kind(module, call_of(name, client, ports, held))
    assert {exchange.end.kind for exchange in convo.exchanges} == {CASES[name].end.kind}
    with use_cassette(path, **settings()):
        for client, (module, kind) in CLIENTS.items():
            replayed[client] = kind(module, call_of(name, client, ports))
    with use_cassette(whole(tmp_path, name, CLIENTS, ports), **settings()) as convo:
        for client, (module, kind) in CLIENTS.items():
            convo.inject(fault(CASES[name]))
            broken[client] = kind(module, call_of(name, client, ports))
    for client, seen in real.items():
        assert seen.chain, client
        assert replayed[client].body == broken[client].body == seen.body, client
        for again in (replayed[client], broken[client]):
            assert again.classes == seen.classes, client
            if CASES[name].end.kind != "tls":  # whose words are those of whichever OpenSSL says them
                assert again.chain == seen.chain, client
