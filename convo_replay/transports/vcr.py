"""Clients other than httpx and httpx2.

Those over `http.client` are met at their sockets (`http_client.py`), aiohttp at its connector
(`aiohttp_client.py`), both below their own redirects and retries. tornado is met through vcrpy: its stub
stands around `fetch_impl`, and is given a cassette of the one exchange that is to be played or
recorded. Opening a cassette only puts gates in place; what they need is imported by the first
request that comes through one.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from convo_replay.nesting import current
from convo_replay.transports import guard, http_client
from convo_replay.transports.patching import Patches


def install(patches: Patches, watch: guard.Guard) -> None:
    """Puts the gates in place for each library that is imported, now or later, until `patches` is undone.

    `watch` is asked about what is not ours; it must have been installed before.
    """
    http_client.install(patches, watch)

    def put(owner: str, name: str, wrap: Callable[[Any], Any]) -> Callable[[ModuleType], None]:
        return lambda module: patches.put(getattr(module, owner), name, wrap)

    def fetch_impl(original: Any) -> Any:
        return _fetch_impl(original, watch)

    patches.when_imported("aiohttp.connector", put("TCPConnector", "connect", _connect))
    patches.when_imported("tornado.simple_httpclient", put("SimpleAsyncHTTPClient", "fetch_impl", fetch_impl))
    patches.when_imported("tornado.curl_httpclient", put("CurlAsyncHTTPClient", "fetch_impl", fetch_impl))


def _connect(original: Any) -> Any:
    async def connect(connector: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if guard.is_permitted() or current() is None:
            return await original(connector, req, *args, **kwargs)
        from convo_replay.transports import aiohttp_client

        timeout = kwargs.get("timeout", args[1] if len(args) > 1 else None)
        return await aiohttp_client.connect(lambda: original(connector, req, *args, **kwargs), connector, req, timeout)

    return connect


def _fetch_impl(original: Any, watch: guard.Guard) -> Any:
    def fetch_impl(client: Any, request: Any, callback: Callable[[Any], None]) -> Any:
        __tracebackhide__ = True
        if guard.is_permitted() or current() is None:
            return original(client, request, callback)
        from convo_replay.transports import tornado_client

        return tornado_client.fetch(original, client, request, callback, watch)

    return fetch_impl
