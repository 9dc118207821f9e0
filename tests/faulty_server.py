"""A server in a process of its own that breaks answers on real sockets: what replay is compared with.

`python tests/faulty_server.py` listens on loopback and prints its ports as one line of JSON; each port is a
place that a request can be sent to:

    data      HTTP/1.1; the first segment of the path is the *key* of a script
    refused   bound, not listened on: connections are refused
    full      its queue is full: a connection is never made
    deaf      connections are made and nothing is ever read
    tls       speaks TLS with a self-signed certificate
    plain     answers everything, TLS too, with a line of HTTP
    admin     one JSON object per line, answered by one: see `Server.admin`

A script is a list of answers: the first request with its key gets the first one, what comes after the last one
gets the last one. An answer is a list of steps as plain data, `{"head": {"status", "reason", "headers"}}`,
`{"chunk": BASE64}` … `{"end": {"kind", "phase"}}`; a `chunk` is written as one chunk of HTTP/1.1, and:

    complete                 the framing is complete
    truncated                FIN: before the headers; or in a chunked body without its last chunk
    truncated phase=half     FIN in the middle of the header block
    truncated phase=garbage  bytes that are no HTTP, then FIN
    truncated phase=length   FIN before as much came as content-length says
    truncated phase=chunk    a line that is no chunk header, then FIN
    reset                    RST, once the client's side has acknowledged what was sent before
    timeout phase=read       silence until the client leaves

Times of steps are not kept: everything is written at once. Ends without a connection are no steps here but
another port. `FaultyServer` is its client. The process ends with its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections import Counter
from pathlib import Path
from typing import Any

HALF = b"HTTP/1.1 200 OK\r\ncontent-type: appl"
GARBAGE = b"this is not HTTP\r\n\r\n"
NO_CHUNK = b"not a chunk size\r\n"
MISSING = 100
"""Bytes that are announced beyond a body of which nothing is cut off."""
FRAMING = {"content-length", "transfer-encoding"}
NO_BODY = {204, 304}
RESET = struct.pack("ii", 1, 0)

Answer = list[dict[str, Any]]


def parts(answer: Answer) -> tuple[dict[str, Any] | None, list[bytes], str, str]:
    """Head, chunks, kind and phase of the end."""
    head = next((step["head"] for step in answer if "head" in step), None)
    end = answer[-1]["end"]
    return head, [base64.b64decode(step["chunk"]) for step in answer if "chunk" in step], end["kind"], end["phase"]


def status_line_and_headers(head: dict[str, Any], framing: list[tuple[str, str]]) -> bytes:
    headers = [(name, value) for name, value in head["headers"] if name not in FRAMING]
    lines = [f"HTTP/1.1 {head['status']} {head['reason']}"]
    lines += [f"{name}: {value}" for name, value in [*headers, *framing]]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def length_of(answer: Answer, chunks: list[bytes]) -> int:
    """What content-length says of a body: of one that is shorter, the length of the whole one."""
    sent, end = sum(map(len, chunks)), answer[-1]["end"]
    if end["kind"] == "complete":
        return sent
    whole = end.get("whole", 0)
    return whole if whole > sent else sent + MISSING


async def acknowledged(writer: asyncio.StreamWriter) -> None:
    """Waits until everything written has reached the other side's kernel: a reset may overtake nothing."""
    await writer.drain()
    sock = writer.get_extra_info("socket")
    while writer.transport.get_write_buffer_size() or unsent(sock):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)


def unsent(sock: Any) -> int:
    size: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return size


class Server:
    def __init__(self) -> None:
        self.scripts: dict[str, list[Answer]] = {}
        self.counts: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.quit = asyncio.Event()
        self.kept: list[socket.socket] = []

    # the data port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served: set[str] = set()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (key := await self.read(reader)) is not None:
                if key not in served:
                    served.add(key)
                    self.connections[key] += 1
                script = self.scripts[key]
                number = self.counts[key]
                self.counts[key] += 1
                if not await self.play(script[min(number, len(script) - 1)], reader, writer):
                    break
        writer.close()

    async def read(self, reader: asyncio.StreamReader) -> str | None:
        """The key of the next request, once all of it is here."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(":", 1) for line in lines if ":" in line)
        await reader.readexactly(int(fields.get("content-length", "0")))
        return first.split(" ")[1].split("/")[1].partition("?")[0]

    async def play(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Writes one answer; whether the connection may be used again."""
        head, chunks, kind, phase = parts(answer)
        if head is None:
            writer.write({"half": HALF, "garbage": GARBAGE}.get(phase, b"") if kind == "truncated" else b"")
        else:
            self.write(head, chunks, kind, phase, length_of(answer, chunks), writer)
        await writer.drain()
        if kind == "complete":
            return True
        if kind == "reset":
            await acknowledged(writer)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        elif kind == "timeout":
            await reader.read()
        elif kind != "truncated":
            raise ValueError(f"no end that a server can make: {kind}")
        return False

    def write(
        self,
        head: dict[str, Any],
        chunks: list[bytes],
        kind: str,
        phase: str,
        length: int,
        writer: asyncio.StreamWriter,
    ) -> None:
        if head["status"] in NO_BODY:
            writer.write(status_line_and_headers(head, []))
            return
        if (kind, phase) == ("truncated", "length") or (kind == "complete" and len(chunks) < 2):
            writer.write(status_line_and_headers(head, [("content-length", str(length))]) + b"".join(chunks))
            return
        writer.write(status_line_and_headers(head, [("transfer-encoding", "chunked")]))
        writer.write(b"".join(b"%x\r\n%b\r\n" % (len(data), data) for data in chunks if data))
        if kind == "complete":
            writer.write(b"0\r\n\r\n")
        elif (kind, phase) == ("truncated", "chunk"):
            writer.write(NO_CHUNK)

    # the other ports

    async def answer_plainly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    def bound(self, queue: int | None) -> int:
        """The port of a socket that nobody accepts from, listening with a queue of that length or not at all."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind(("127.0.0.1", 0))
        if queue is not None:
            sock.listen(queue)
        self.kept.append(sock)
        port: int = sock.getsockname()[1]
        return port

    def full(self) -> int:
        port = self.bound(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            self.kept.append(filler)
        return port

    async def listen(self) -> dict[str, int]:
        async def port(serve: Any, **options: Any) -> int:
            server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24, backlog=1024, **options)
            found: int = server.sockets[0].getsockname()[1]
            return found

        return {
            "data": await port(self.serve),
            "admin": await port(self.administer),
            "plain": await port(self.answer_plainly),
            "tls": await port(self.answer_plainly, ssl=self_signed()),
            "refused": self.bound(None),
            "deaf": self.bound(1024),
            "full": self.full(),
        }

    # the admin port

    async def administer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(self.admin(json.loads(line))).encode() + b"\n")
                await writer.drain()
        writer.close()

    def admin(self, line: dict[str, Any]) -> Any:
        if line["op"] == "script":  # answers per key, in place of what the key had
            self.scripts |= line["scripts"]
            return True
        if line["op"] == "counts":  # requests per key, and the connections they came on
            return {"requests": self.counts, "connections": self.connections}
        raise ValueError(line["op"])


def self_signed() -> ssl.SSLContext:
    """With the certificate of an authority in place of one that it issued."""
    import trustme

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = authority.private_key_pem.bytes() + authority.cert_pem.bytes()
    with tempfile.TemporaryDirectory() as directory:
        (path := Path(directory) / "both.pem").write_bytes(pem)
        context.load_cert_chain(path)
    return context


async def main() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # handshakes that fail, as they should
    server = Server()
    print(json.dumps(await server.listen()), flush=True)

    def parent() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(server.quit.set)

    threading.Thread(target=parent, daemon=True).start()
    await server.quit.wait()


# The test's side.


class Admin:
    """The admin port of a running server; for whoever was told the ports."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self._socket = socket.create_connection(("127.0.0.1", ports["admin"]), timeout=60)
        self._lines = self._socket.makefile("rb")

    def ask(self, op: str, **arguments: Any) -> Any:
        self._socket.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
        return json.loads(self._lines.readline())

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class FaultyServer:
    """The process, with its ports; it lives as long as the `with` block."""

    def __enter__(self) -> FaultyServer:
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-s", str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout
        self.ports: dict[str, int] = json.loads(self.process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


if __name__ == "__main__":
    asyncio.run(main())
