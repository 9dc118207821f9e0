"""A connection that ends badly looks to httpx and httpx2 as on a real socket: recorded and replayed, and as a fault."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
import httpx2
import pytest
import trio

from convo_replay import use_cassette
from convo_replay.cassette import Cassette, update
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Steps
from convo_replay.faults.fault import Fault, word
from convo_replay.faults.specs import Plan, Spec
from faulty_server import Admin, FaultyServer

CHUNKS = (b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', "data: drei, ü\n\n".encode())
HEAD = {"status": 200, "reason": "OK", "headers": [["content-type", "text/event-stream"]]}
BRIEF = 0.05
"""Seconds that a client waits where nothing comes."""
ANSWER = [{"head": HEAD}, *({"chunk": base64.b64encode(each).decode()} for each in CHUNKS)]
_CONTEXT = ssl.create_default_context()


@dataclass(frozen=True)
class Case:
    """One way to end, and where on the server it happens."""

    end: End
    has_body: bool = False
    port: str = "data"
    host: str = "127.0.0.1"
    content: bytes = b"{}"


CASES = {
    "refused": Case(End("refused"), port="refused"),
    "no such name": Case(End("dns"), host="nobody.invalid"),
    "a certificate that nobody trusts": Case(End("tls"), port="tls", host="localhost"),
    "no TLS": Case(End("tls", detail="not-tls"), port="plain", host="localhost"),
    "no connection in time": Case(End("timeout", phase="connect"), port="full"),
    "not taken in time": Case(End("timeout", phase="write"), port="deaf", content=b"{%400000s}" % b""),
    "no connection free": Case(End("timeout", phase="pool")),
    "no answer in time": Case(End("timeout", phase="read")),
    "closed before the answer": Case(End("truncated")),
    "half an answer": Case(End("truncated", phase="half")),
    "no HTTP": Case(End("truncated", phase="garbage")),
    "reset before the answer": Case(End("reset")),
    "no last chunk": Case(End("truncated"), has_body=True),
    "shorter than its length": Case(End("truncated", phase="length"), has_body=True),
    "no size of a chunk": Case(End("truncated", phase="chunk"), has_body=True),
    "reset inside the body": Case(End("reset"), has_body=True),
    "silence inside the body": Case(End("timeout", phase="read"), has_body=True),
}


@dataclass(frozen=True)
class Ending(Fault):
    """A fault for these tests: any end at all."""

    kind_of_end: str = word()
    phase: str = word(default="")
    detail: str = word(default="")
    has_body: bool = word(default=False)

    name = "ending"
    kind = "connect"
    summary = "ends as the test says"
    whole: ClassVar[bool] = True

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        end = End(self.kind_of_end, phase=self.phase, detail=self.detail)  # type: ignore[arg-type]
        if not self.has_body:
            return (end,)
        return (*(step for step in (*before, *after) if not isinstance(step, End)), end)


def fault(case: Case) -> Plan:
    end = case.end
    return Plan((Spec(Ending(end.kind, end.phase, end.detail, case.has_body)),))


# --- clients --------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What an application sees: the body as far as it came, and the chain of exceptions."""

    body: bytes = b""
    chain: list[tuple[str, str, str]] = field(default_factory=list)
    """Class, text, and how the one before has it: as its cause, as its context, or as one that is not shown."""
    error: BaseException | None = None

    def caught(self, error: BaseException) -> None:
        self.error = error
        one: BaseException | None = error
        link = ""
        while one is not None:
            text = "" if isinstance(one, asyncio.CancelledError) else str(one)
            self.chain.append((f"{type(one).__module__}.{type(one).__qualname__}", text, link))
            link = "cause" if one.__cause__ is not None else "hidden" if one.__suppress_context__ else "context"
            one = one.__cause__ or one.__context__

    @property
    def classes(self) -> list[tuple[str, str]]:
        return [(name, link) for name, _, link in self.chain]


@dataclass
class Call:
    """One request: to where, and with which patience."""

    url: str
    content: bytes = b"{}"
    timeout: float | None = BRIEF
    held: str = ""
    """A URL that takes the only connection of the client first."""

    def options(self, module: Any) -> dict[str, Any]:
        slow = "/patient" in self.url
        return {
            "timeout": module.Timeout(5 if slow else self.timeout),
            "limits": module.Limits(max_connections=1),
            "verify": _CONTEXT,
            "socket_options": [(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)],
        }


def transport(module: Any, kind: str, options: dict[str, Any]) -> Any:
    return getattr(module, kind)(**{name: value for name, value in options.items() if name != "timeout"})


def sync(module: Any, call: Call) -> Seen:
    seen, options = Seen(), call.options(module)
    with module.Client(transport=transport(module, "HTTPTransport", options), timeout=options["timeout"]) as client:
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
    seen, options = Seen(), call.options(module)
    inner = transport(module, "AsyncHTTPTransport", options)
    async with module.AsyncClient(transport=inner, timeout=options["timeout"]) as client:
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


TYPE = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)
KINDS: dict[str, Callable[[Any, Call], Seen]] = {
    "sync": sync,
    "asyncio": lambda module, call: asyncio.run(in_task(module, call)),
    "trio": lambda module, call: trio.run(in_task, module, call),
}
CLIENTS = {f"{module.__name__} {name}": (module, kind) for module in (httpx, httpx2) for name, kind in KINDS.items()}


# --- on a socket and in memory ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with FaultyServer() as server:
        admin = Admin(server.ports)
        scripts = {}
        for name, case in CASES.items():
            end = {"end": {"kind": case.end.kind, "phase": case.end.phase}}
            scripts[key(name)] = [[*(ANSWER if case.has_body else []), end]]
        scripts["held"] = [[*ANSWER, {"end": {"kind": "timeout", "phase": "read"}}]]
        scripts["fine"] = [[*ANSWER, {"end": {"kind": "complete", "phase": ""}}]]
        admin.ask("script", scripts=scripts)
        yield server.ports
        admin.close()


def key(name: str) -> str:
    return name.replace(" ", "-")


def settings(ports: dict[str, int]) -> dict[str, Any]:
    return {"intercept": [lambda request: "/held/" not in request.url], "validate": "off", "unplayed": "ignore"}


def call_of(name: str, client: str, ports: dict[str, int], held: str = "") -> Call:
    case = CASES[name]
    scheme = "https" if case.end.kind == "tls" else "http"
    url = f"{scheme}://{case.host}:{ports[case.port]}/{key(name)}/{key(client)}"
    patient = case.end.kind != "timeout"
    return Call(url, case.content, 5 if patient else BRIEF, held)


def whole(tmp_path: Path, calls: Sequence[Call]) -> Path:
    """A cassette in which all went well."""
    path = tmp_path / "whole.yaml"
    steps = (Head(200, EVENTS), *(Chunk(0.1, data) for data in CHUNKS), End(at=0.2))
    exchanges = [Exchange(Request("POST", call.url, TYPE, body_of(call.content)), steps) for call in calls]
    update(path, lambda _: Cassette(clients={}, exchanges=exchanges))
    return path


def body_of(content: bytes) -> Json:
    return Json(json.loads(content))


@pytest.mark.parametrize("name", CASES)
def test_a_connection_ends_as_on_a_socket(name: str, ports: dict[str, int], tmp_path: Path):
    held = f"http://127.0.0.1:{ports['data']}/held/" if CASES[name].end.phase == "pool" else ""
    real, replayed, broken = {}, {}, {}
    path = tmp_path / "kept.yaml"
    with use_cassette(path, record="once", **settings(ports)) as convo:
        for client, (module, kind) in CLIENTS.items():
            real[client] = kind(module, call_of(name, client, ports, held))
    assert {exchange.end.kind for exchange in convo.exchanges} == {CASES[name].end.kind}
    with use_cassette(path, **settings(ports)):
        for client, (module, kind) in CLIENTS.items():
            replayed[client] = kind(module, call_of(name, client, ports))
    with use_cassette(
        whole(tmp_path, [call_of(name, client, ports) for client in CLIENTS]), **settings(ports)
    ) as convo:
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
