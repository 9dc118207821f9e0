"""No connection leaves a test: what pytest-recording's `block_network` does, where it is not installed."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from convo_replay.pytest_adoption import is_recording_there
from convo_replay.transports.patching import Patches


@contextmanager
def blocked(config: pytest.Config, allowed_hosts: list[str] | None) -> Iterator[None]:
    """Inside, `socket.connect` raises `RuntimeError`, but for hosts that one of the patterns matches."""
    if is_recording_there(config.pluginmanager):
        from pytest_recording.network import blocking_context  # it knows pycurl, too

        with blocking_context(allowed_hosts=allowed_hosts):
            yield
        return
    patches = Patches()
    within = _SocketPair()
    allowed = None if allowed_hosts is None else re.compile("(" + ")|(".join(allowed_hosts) + ")")

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any, *args: Any) -> Any:
            host = address[0] if self.family in (socket.AF_INET, socket.AF_INET6) else address
            name = host.decode() if isinstance(host, (bytes, bytearray)) else str(host)
            if within.active or (allowed is not None and allowed.match(name)):
                return original(self, address, *args)
            raise RuntimeError(f"Network is disabled for host {host!r}")

        return connect

    patches.put(socket.socket, "connect", guarded)
    patches.put(socket.socket, "connect_ex", guarded)
    patches.put(socket, "socketpair", within.noting)
    try:
        yield
    finally:
        patches.undo()


class _SocketPair(threading.local):
    """On Windows a socket pair, and so every event loop, is made by connecting to itself."""

    active = False

    def noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def socketpair(*args: Any, **kwargs: Any) -> Any:
            before, self.active = self.active, True
            try:
                return original(*args, **kwargs)
            finally:
                self.active = before

        return socketpair
