"""The ways in which a connection ends, each on a real socket and as a fault; for tests that compare the two."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from convo_replay.cassette import Cassette, update
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Steps
from convo_replay.faults.fault import Fault, word
from convo_replay.faults.specs import Plan, Spec
from faulty_server import Admin, FaultyServer
from unresolved import unresolved

CHUNKS = (b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', "data: drei, ü\n\n".encode())
HEAD = {"status": 200, "reason": "OK", "headers": [["content-type", "text/event-stream"]]}
BRIEF = 0.05
"""Seconds that a client waits where nothing comes."""
ANSWER = [{"head": HEAD}, *({"chunk": base64.b64encode(each).decode()} for each in CHUNKS)]


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


_IN_A_GROUP = re.compile(r"\(\d+ sub-exceptions?\)")
"""Trio tries the addresses of a name one after the other: how many attempts were under way is a matter of time."""


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
        while one is not None and len(self.chain) < 20:
            text = "" if isinstance(one, asyncio.CancelledError) else _IN_A_GROUP.sub("(some)", str(one))
            self.chain.append((f"{type(one).__module__}.{type(one).__qualname__}", text, link))
            link = "cause" if one.__cause__ is not None else "hidden" if one.__suppress_context__ else "context"
            one = one.__cause__ or one.__context__

    @property
    def classes(self) -> list[tuple[str, str]]:
        return [(name, link) for name, _, link in self.chain]


TYPE = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)


@contextmanager
def served() -> Iterator[dict[str, int]]:
    """The ports of a server on which every case ends as it says; its key is in the path."""
    with FaultyServer() as server, unresolved():
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


def settings() -> dict[str, Any]:
    return {"intercept": [lambda request: "/held/" not in request.url], "validate": "off", "unplayed": "ignore"}


def url_of(name: str, client: str, ports: dict[str, int]) -> str:
    case = CASES[name]
    scheme = "https" if case.end.kind == "tls" else "http"
    return f"{scheme}://{case.host}:{ports[case.port]}/{key(name)}/{key(client)}"


def whole(folder: Path, name: str, clients: Iterable[str], ports: dict[str, int]) -> Path:
    """A cassette in which all went well."""
    path = folder / "whole.yaml"
    steps = (Head(200, EVENTS), *(Chunk(0.1, data) for data in CHUNKS), End(at=0.2))
    urls = [url_of(name, client, ports) for client in clients]
    body = Json(json.loads(CASES[name].content))
    exchanges = [Exchange(Request("POST", url, TYPE, body), steps) for url in urls]
    update(path, lambda _: Cassette(clients={}, exchanges=exchanges))
    return path


@dataclass(frozen=True)
class Scripted(Fault):
    """A fault for tests: these steps, whatever was recorded."""

    steps: Steps = field(metadata={"word": True})

    name = "scripted"
    kind = "connect"
    summary = "answers as the test says"
    whole: ClassVar[bool] = True

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return tuple(self.steps)
