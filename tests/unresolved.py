"""Names that nobody has, refused without asking a resolver: where there is no network it says "try again" instead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unresolved() -> Iterator[None]:
    """Inside, the C library itself says `EAI_NONAME` of every name under `.invalid`."""
    resolve = socket.getaddrinfo

    def numeric(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        nobody = isinstance(name, str) and name.endswith(".invalid")
        return resolve(host, port, family, type, proto, flags | (socket.AI_NUMERICHOST if nobody else 0))

    socket.getaddrinfo = numeric
    try:
        yield
    finally:
        socket.getaddrinfo = resolve
