"""The small client that is run twice, on a real socket and in-process, and what an application sees of it.

It works in both SDK generations. A *call* is `create`, `raw` (`create(stream=True)`) or `stream` (the helper and its
final message), each sync and async; every one is told the *route*: which address each request of it goes to.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import anthropic
import openai

KEY = "sk-ant-api03-" + "Qw7eRt9yUi3oPa5sDf-" * 4 + "GhJkLzXcVbNm01234AA"
MODELS = {"anthropic": "claude-sonnet-4-6", "openai": "gpt-5.5"}
PATIENCE = 30.0
"""Seconds that a client waits for a server that answers at once."""
BRIEF = 0.25
"""Seconds that a client waits for what will not come."""
USAGE: Any = {"include_usage": True}
CALLS = ("create", "raw", "stream")
MODES = ("sync", "async")
SMALL_BUFFER = 4096
LONG = 400_000
"""Characters of a prompt that does not fit into the buffers between client and server."""

_TLS = ssl.create_default_context()
"""Loading a trust store takes 20 ms; the clients of this process share one."""
_SCOPE = re.compile(r"cancel scope [0-9a-f]+( by)?(?: <Task .*>)?")
_BASE = re.compile(r"https?://(?:127\.0\.0\.1|localhost|nobody\.invalid)(?::\d+)?(?:/k\d+-\d*)?")


@dataclass
class Route:
    """Where the requests of a call go, and with which client.

    Attributes:
        base: of the client, `http://127.0.0.1:PORT/KEY`.
        first: base addresses of the first requests, where they go elsewhere; `None`: to `base`.
        brief: for each of the first requests, the phase (`connect read write pool`) whose timeout is `BRIEF`, or
            none; so that a busy machine is not taken for a silent one.
        real: on a socket: retries wait for nothing, as nothing skips their waits.
        occupied: requests for which the only connection of the pool is taken; taken by `holder`.
        small: with small buffers and a long prompt, so that a request cannot be written at once.
    """

    base: str
    first: Sequence[str | None] = ()
    brief: Sequence[str] = ()
    timeout: float = PATIENCE
    real: bool = False
    occupied: int = 0
    holder: str = ""
    small: bool = False


@dataclass
class Seen:
    """What an application sees."""

    events: list[Any] = field(default_factory=list)
    final: Any = None
    error: list[list[str]] = field(default_factory=list)
    """The chain, the outermost first: class, text, link to the one before (`cause`, `context`, or a `hidden` context,
    which a traceback does not show)."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Of the outermost: `status_code`, `type`, `body`, `request_id` …"""
    requests: int = 0

    def event(self, value: Any) -> None:
        self.events.append(plain(value))

    def failed(self, error: BaseException) -> None:
        for name in ("status_code", "type", "code", "param", "body", "request_id", "error_code"):
            if hasattr(error, name):
                self.attributes[name] = plain(getattr(error, name))
        link, one, known = "", error, set[int]()
        while one is not None and id(one) not in known:
            known.add(id(one))
            cls = type(one)
            self.error.append([f"{cls.__module__}.{cls.__qualname__}", neutral(str(one)), link])
            link = "cause" if one.__cause__ is not None else "hidden" if one.__suppress_context__ else "context"
            one = one.__cause__ or one.__context__  # type: ignore[assignment]

    @property
    def outer(self) -> list[str]:
        """Class and text of the outermost exception."""
        return self.error[0][:2] if self.error else []


def neutral(text: str) -> str:
    """A text without what differs between two runs: addresses, ports, ids of objects; lines of Python's C files."""
    text = re.sub(r"\(\d+ sub-exceptions?\)", "(some)", text)  # attempts that were under way at that moment
    text = re.sub(r"_ssl\.c:\d+", "_ssl.c:<line>", text)
    return _SCOPE.sub(lambda found: "cancel scope <id>" + (" by <task>" if found[1] else ""), _BASE.sub("<base>", text))


def plain(value: Any) -> Any:
    """A value as data that can be compared: models with their type."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if hasattr(value, "model_dump"):
        try:
            dumped = value.model_dump(mode="json", warnings=False)
        except Exception:
            dumped = {key: plain(each) for key, each in vars(value).items()}
        return [type(value).__name__, dumped]
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return neutral(repr(value))


# the calls


def ask(sdk: str, *, long: bool = False) -> dict[str, Any]:
    """The request; the same for every call."""
    text = "What's the weather in Paris?" + " and then" * (LONG // 9 if long else 0)
    properties = {"city": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["city"], "additionalProperties": False}
    shared = {"model": MODELS[sdk], "messages": [{"role": "user", "content": text}]}
    if sdk == "anthropic":
        return {**shared, "max_tokens": 256, "tools": [{"name": "get_weather", "input_schema": schema}]}
    function = {"type": "function", "function": {"name": "get_weather", "parameters": schema, "strict": True}}
    return {**shared, "tools": [function]}


def anthropic_create(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    seen.final = plain(api.messages.create(**asked))


def anthropic_raw(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    for event in api.messages.create(**asked, stream=True):
        seen.event(event)


def anthropic_stream(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    with api.messages.stream(**asked) as stream:
        for event in stream:
            seen.event(event)
        seen.final = plain(stream.get_final_message())


def openai_create(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    seen.final = plain(api.chat.completions.create(**asked))


def openai_raw(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    for chunk in api.chat.completions.create(**asked, stream=True, stream_options=USAGE):
        seen.event(chunk)


def openai_stream(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    with api.chat.completions.stream(**asked, stream_options=USAGE) as stream:
        for event in stream:
            seen.event(event)
        seen.final = plain(stream.get_final_completion())


async def anthropic_create_async(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    seen.final = plain(await api.messages.create(**asked))


async def anthropic_raw_async(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    async for event in await api.messages.create(**asked, stream=True):
        seen.event(event)


async def anthropic_stream_async(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    async with api.messages.stream(**asked) as stream:
        async for event in stream:
            seen.event(event)
        seen.final = plain(await stream.get_final_message())


async def openai_create_async(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    seen.final = plain(await api.chat.completions.create(**asked))


async def openai_raw_async(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    async for chunk in await api.chat.completions.create(**asked, stream=True, stream_options=USAGE):
        seen.event(chunk)


async def openai_stream_async(api: Any, seen: Seen, asked: dict[str, Any]) -> None:
    async with api.chat.completions.stream(**asked, stream_options=USAGE) as stream:
        async for event in stream:
            seen.event(event)
        seen.final = plain(await stream.get_final_completion())


SYNC: dict[tuple[str, str], Callable[..., Any]] = {
    ("anthropic", "create"): anthropic_create, ("anthropic", "raw"): anthropic_raw,
    ("anthropic", "stream"): anthropic_stream, ("openai", "create"): openai_create,
    ("openai", "raw"): openai_raw, ("openai", "stream"): openai_stream,
}  # fmt: skip
ASYNC: dict[tuple[str, str], Callable[..., Any]] = {
    ("anthropic", "create"): anthropic_create_async, ("anthropic", "raw"): anthropic_raw_async,
    ("anthropic", "stream"): anthropic_stream_async, ("openai", "create"): openai_create_async,
    ("openai", "raw"): openai_raw_async, ("openai", "stream"): openai_stream_async,
}  # fmt: skip


# the clients


def _redirected(route: Route, seen: Seen, request: Any) -> None:
    """Counts a request, and sends it to where it should go."""
    number, seen.requests = seen.requests, seen.requests + 1
    if number < len(route.brief):
        phases = dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)
        request.extensions["timeout"] = {**phases, **({phase: BRIEF} if (phase := route.brief[number]) else {})}
    elsewhere = route.first[number] if number < len(route.first) else None
    if elsewhere is not None:
        scheme, _, rest = elsewhere.partition("://")
        host, _, port = rest.partition("/")[0].partition(":")
        request.url = request.url.copy_with(scheme=scheme, host=host, port=int(port) if port else None)
        request.headers["host"] = rest


def _options(route: Route, http: Any, transport: str) -> dict[str, Any]:
    options: dict[str, Any] = {"verify": _TLS}
    if route.occupied:
        options["limits"] = http.Limits(max_connections=1)
    if route.small:
        options["transport"] = getattr(http, transport)(
            verify=_TLS, socket_options=[(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)]
        )
    return options


def library(sdk: ModuleType) -> Any:
    """The HTTP library that an SDK is built on."""
    return sys.modules[sdk.DefaultHttpxClient.__bases__[0].__module__.partition(".")[0]]


def call(sdk: str, name: str, route: Route) -> Seen:
    """One call of a sync client."""
    package, seen = {"anthropic": anthropic, "openai": openai}[sdk], Seen()
    held: list[Any] = []

    def sent(request: Any) -> None:
        if held and seen.requests >= route.occupied:
            held.pop().close()
        _redirected(route, seen, request)

    http = package.DefaultHttpxClient(**_options(route, library(package), "HTTPTransport"))
    if route.occupied and route.holder:
        held.append(http.send(http.build_request("GET", route.holder), stream=True))
    http.event_hooks = {"request": [sent], "response": []}
    client = {"anthropic": anthropic.Anthropic, "openai": openai.OpenAI}[sdk]
    with client(api_key=KEY, base_url=_base(sdk, route), timeout=route.timeout, http_client=http) as api:
        if route.real:
            api._calculate_retry_timeout = lambda *_, **__: 0.0
        try:
            SYNC[sdk, name](api, seen, ask(sdk, long=route.small))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            seen.failed(error)
        while held:
            held.pop().close()
    return seen


async def call_async(sdk: str, name: str, route: Route) -> Seen:
    """One call of an async client."""
    package, seen = {"anthropic": anthropic, "openai": openai}[sdk], Seen()
    held: list[Any] = []

    async def sent(request: Any) -> None:
        if held and seen.requests >= route.occupied:
            await held.pop().aclose()
        _redirected(route, seen, request)

    http = package.DefaultAsyncHttpxClient(**_options(route, library(package), "AsyncHTTPTransport"))
    if route.occupied and route.holder:
        held.append(await http.send(http.build_request("GET", route.holder), stream=True))
    http.event_hooks = {"request": [sent], "response": []}
    client: Any = {"anthropic": anthropic.AsyncAnthropic, "openai": openai.AsyncOpenAI}[sdk]
    async with client(api_key=KEY, base_url=_base(sdk, route), timeout=route.timeout, http_client=http) as api:
        if route.real:
            api._calculate_retry_timeout = lambda *_, **__: 0.0
        try:
            await ASYNC[sdk, name](api, seen, ask(sdk, long=route.small))
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            raise
        except BaseException as error:
            seen.failed(error)
        while held:
            await held.pop().aclose()
    return seen


def _base(sdk: str, route: Route) -> str:
    return route.base + ("/v1" if sdk == "openai" else "")
