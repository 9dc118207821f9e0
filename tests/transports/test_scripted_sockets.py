"""A connection that ends badly looks to the clients that are met at their sockets as on a real one."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests
import urllib3

from convo_replay import use_cassette
from endings import BRIEF, CASES, TYPE, Seen, fault, served, settings, url_of, whole

_CONTEXT = ssl.create_default_context()


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with served() as found:
        yield found


def by_requests(url: str, content: bytes, timeout: float) -> Seen:
    seen = Seen()
    with requests.Session() as session:
        try:
            with session.post(url, data=content, headers=dict(TYPE), timeout=timeout, stream=True) as response:
                for data in response.iter_content(None):
                    seen.body += data
        except Exception as error:
            seen.caught(error)
    return seen


def by_urllib3(url: str, content: bytes, timeout: float) -> Seen:
    seen = Seen()
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        try:
            response = pool.request("POST", url, body=content, headers=dict(TYPE), preload_content=False)
            for data in response.stream():
                seen.body += data
        except Exception as error:
            seen.caught(error)
    return seen


def by_http_client(url: str, content: bytes, timeout: float) -> Seen:
    seen, parts = Seen(), urlsplit(url)
    if parts.scheme == "https":
        connection: Any = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=_CONTEXT)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path, content, dict(TYPE))
        response = connection.getresponse()
        while data := response.read1():
            seen.body += data
    except Exception as error:
        seen.caught(error)
    finally:
        connection.close()
    return seen


def by_aiohttp(url: str, content: bytes, timeout: float) -> Seen:
    async def call() -> Seen:
        seen = Seen()
        limits = aiohttp.ClientTimeout(total=5, sock_read=timeout, sock_connect=timeout, connect=timeout)
        async with aiohttp.ClientSession(timeout=limits) as session:
            try:
                async with session.post(url, data=content, headers=dict(TYPE)) as response:
                    async for data in response.content.iter_any():
                        seen.body += data
            except Exception as error:
                seen.caught(error)
        return seen

    return asyncio.run(call())


CLIENTS = {"requests": by_requests, "urllib3": by_urllib3, "http client": by_http_client, "aiohttp": by_aiohttp}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.end.phase not in ("pool", "write")])
def test_a_connection_ends_as_on_a_socket(name: str, ports: dict[str, int], tmp_path: Path):
    case = CASES[name]
    timeout = BRIEF if case.end.kind == "timeout" else 5
    real, broken = {}, {}
    with use_cassette(tmp_path / "kept.yaml", record="once", **settings()):
        for client, call in CLIENTS.items():
            real[client] = call(url_of(name, client, ports), case.content, timeout)
    with use_cassette(whole(tmp_path, name, CLIENTS, ports), **settings()) as convo:
        for client, call in CLIENTS.items():
            convo.inject(fault(case))
            broken[client] = call(url_of(name, client, ports), case.content, timeout)
    if name == "no size of a chunk":
        # aiohttp: on the socket it came in one piece with the head. In a piece of its own it lets the reader hang.
        assert real.pop("aiohttp").chain
        assert isinstance(broken.pop("aiohttp").error, TimeoutError)
    for client, seen in real.items():
        assert broken[client].body == seen.body, client
        assert broken[client].classes == seen.classes, client
