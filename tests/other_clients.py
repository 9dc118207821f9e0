"""One request through each client that is neither httpx nor httpx2, and what its caller sees.

`CLIENTS[name](method, url, headers=…, body=…)` gives an `Answer`.
A library that is not installed skips the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


def _requests(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"", **more: Any) -> Answer:
    requests = pytest.importorskip("requests")
    with requests.Session() as session:
        session.trust_env = False
        got = session.request(method, url, headers=dict(headers), data=body or None, **more)
        return Answer(got.status_code, got.reason, list(got.raw.headers.items()), got.content)


def _urllib3(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    urllib3 = pytest.importorskip("urllib3")
    with urllib3.PoolManager(retries=urllib3.Retry(None, connect=0, read=0, redirect=3)) as pool:
        got = pool.request(method, url, headers=dict(headers), body=body or None)
        return Answer(got.status, got.reason, list(got.headers.items()), got.data)


def _urllib(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        got = opener.open(urllib.request.Request(url, body or None, dict(headers), method=method), timeout=20)
    except urllib.error.HTTPError as error:
        got = error
    with got:
        return Answer(got.status, got.reason, got.headers.items(), got.read())


def _http_client(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    parts = urllib.parse.urlsplit(url)
    cls = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with contextlib.closing(cls(parts.netloc, timeout=20)) as connection:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(method, target, body or None, dict(headers))
        got = connection.getresponse()
        return Answer(got.status, got.reason, got.getheaders(), got.read())


def _httplib2(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    httplib2 = pytest.importorskip("httplib2")
    client = httplib2.Http(proxy_info=None, timeout=20)
    with contextlib.closing(client):
        got, content = client.request(url, method, body=body or None, headers=dict(headers))
        return Answer(got.status, got.reason, list(got.items()), content)


def _botocore(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    session = pytest.importorskip("botocore.httpsession").URLLib3Session(timeout=20)
    awsrequest = pytest.importorskip("botocore.awsrequest")
    with contextlib.closing(session):
        got = session.send(awsrequest.AWSRequest(method, url, headers=dict(headers), data=body).prepare())
        return Answer(got.status_code, got.raw.reason, list(got.raw.headers.items()), got.content)


def _aiohttp(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    aiohttp = pytest.importorskip("aiohttp")

    async def send() -> Answer:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers, data=body or None) as got,
        ):
            raw = [(name.decode(), value.decode()) for name, value in got.raw_headers]
            return Answer(got.status, got.reason, raw, await got.read())

    return asyncio.run(send())


def _tornado(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Answer:
    httpclient = pytest.importorskip("tornado.httpclient")

    async def send() -> Answer:
        client = httpclient.AsyncHTTPClient(force_instance=True)
        with contextlib.closing(client):
            got = await client.fetch(
                url, method=method, headers=dict(headers), body=body or None, raise_error=False, request_timeout=20,
                allow_nonstandard_methods=True,
            )  # fmt: skip
            return Answer(got.code, got.reason, list(got.headers.get_all()), got.body or b"")

    return asyncio.run(send())


CLIENTS = {
    "requests": _requests,
    "urllib3": _urllib3,
    "urllib": _urllib,
    "http.client": _http_client,
    "httplib2": _httplib2,
    "botocore": _botocore,
    "aiohttp": _aiohttp,
    "tornado": _tornado,
}
