"""A scripted model server in a process of its own: what the tests record from, and then stop.

`python tests/upstream.py` listens on two loopback ports and prints them as one line of JSON. The
*data* port speaks HTTP/1.1 (and, where h2 is installed, HTTP/2 with prior knowledge); asked as a
forward proxy it answers for every host itself. What it does is said by the first path segment, so
that any client can ask for it through its base URL:

    http://127.0.0.1:PORT/SCENARIO[,option=value …]/v1/messages            Anthropic Messages
    http://127.0.0.1:PORT/SCENARIO[,option=value …]/v1/chat/completions    OpenAI chat

Scenarios, by what the model says:
    text      `Answer to: <last user text>`                 (also where there is no such segment)
    counter   `Answer number <n>`, n counts equal requests
    tools     a tool loop: two tool calls, then text; which one depends on the number of tool results
    thinking  thinking with a signature, then text; a thinking block that comes back changed is a 400
    echo      the last user text, word for word
    echotool  a tool call whose input holds the last user text, after thinking it
    unicode   text with emoji, combining marks, CR, LF, tab, NUL-free control characters
    deltas    `n` text deltas, five events around them, no ping     (n=)

Options on how it is said:
    piece=N   characters per delta                  n=N       number of deltas of `deltas`
    lock=KEY  send event k+1 only once event k was acknowledged on the admin port
    gap=S     seconds before each event             gaps=a~b  the same, in turn
    delay=S   seconds before the answer             spread=S  the same, by a hash of the request
    gzip=1    compressed body                       split=N   chunks of N bytes, whatever the events
    crlf=1    CRLF line ends                        comments=1, pings=1
    json=spaced|indent2                             close=1   neither length nor chunks: read to the end
    fail=STATUS,times=N[,after=SECONDS]             the first N equal requests fail
    redirect=STATUS                                 to the same URL without the option
    cut=KIND,at=K[,mid=B]                           after K events (and B bytes of the next):
        reset (RST), truncated (no last chunk), short (content-length too long), silence, eof (clean)

The *admin* port takes one JSON object per line and answers each: see `Script.admin`. `Upstream` is
its client, for tests. The process ends with its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ORGANIZATION = "3f6c1a52-9d0b-4c57-8f0e-5b1d2a7c9e10"
COOKIE = "__cf_bm=Zk3QmT9pYv2LrXw8NcB4"
PHRASES = {200: "OK", 302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
           401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error",
           503: "Service Unavailable", 529: "Overloaded"}  # fmt: skip
ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error",
               429: "rate_limit_error", 500: "api_error", 503: "api_error", 529: "overloaded_error"}  # fmt: skip
UNICODE = "Grüße 👩‍🚀 aus e\u0301 \u0085\u2028 日本 \t|\r|\n|\u001b tab 𝄞 end ☀️"
SIGNATURE = base64.b64encode(hashlib.sha512(b"signature").digest() * 3).decode()


def digest(*parts: object, length: int = 24) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:length]


def compact(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate can only be sent escaped
        return json.dumps(value, separators=(",", ":"))
    return text


@dataclass
class Call:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    name: str = "text"
    options: dict[str, str] = field(default_factory=dict)
    path: str = ""
    """Without scenario segment and query."""

    def __post_init__(self) -> None:
        path = re.sub(r"^https?://[^/]*", "", self.target).partition("?")[0]
        first, _, rest = path.lstrip("/").partition("/")
        if re.match(r"^(text|counter|tools|thinking|echo|echotool|unicode|deltas)(,|$)", first):
            self.name, *options = first.split(",")
            self.options = dict(option.split("=", 1) for option in options)
            path = "/" + rest
        self.path = path

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def number(self, option: str, default: float = 0.0) -> float:
        return float(self.options.get(option, default))


# What the model says: the content blocks of an Anthropic message.


def last_user_text(messages: list[Any]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return " ".join(part.get("text", "") for part in content or () if part.get("type") == "text")
    return ""


def tool_results(messages: list[Any]) -> int:
    count = 0
    for message in messages:
        count += message.get("role") == "tool"
        content = message.get("content")
        if isinstance(content, list):
            count += sum(part.get("type") == "tool_result" for part in content)
    return count


def blocks(call: Call, serial: int) -> list[dict[str, Any]]:
    messages = (call.json or {}).get("messages") or []
    text = last_user_text(messages)
    if call.name == "counter":
        return [{"type": "text", "text": f"Answer number {serial}"}]
    if call.name == "echo":
        return [{"type": "text", "text": text}]
    if call.name == "echotool":
        return [{"type": "thinking", "thinking": f"They said {text}", "signature": SIGNATURE},
                {"type": "tool_use", "id": "toolu_01AbCdEfGhJkLmNpQrStUv", "name": "note",
                 "input": {"text": text, "nested": [text]}}]  # fmt: skip
    if call.name == "unicode":
        return [{"type": "text", "text": UNICODE}]
    if call.name == "deltas":
        return [{"type": "text", "text": "".join(f"<{i:04}> ☀" for i in range(int(call.number("n", 10))))}]
    if call.name == "thinking":
        return [
            {"type": "thinking", "thinking": "The user wants the weather. I look it up.", "signature": SIGNATURE},
            {"type": "text", "text": f"Answer to: {text}"},
        ]
    if call.name == "tools":
        done = tool_results(messages)
        if done == 0:
            return [{"type": "text", "text": "I look it up. ☀️"},
                    {"type": "tool_use", "id": "toolu_01AbCdEfGhJkLmNpQrStUv", "name": "get_weather",
                     "input": {"city": "Paris"}}]  # fmt: skip
        if done == 1:
            return [{"type": "tool_use", "id": "toolu_01BcDeFgHjKmNpQrStUvWx", "name": "get_time",
                     "input": {"city": "Paris", "zone": "Europe/Paris"}}]  # fmt: skip
        return [{"type": "text", "text": "In Paris it is 18 °C, and ten o'clock."}]
    return [{"type": "text", "text": f"Answer to: {text}"}]


def changed_thinking(messages: list[Any]) -> bool:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") == "thinking" and part.get("signature") != SIGNATURE:
                return True
    return False


def fragments(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def anthropic_message(call: Call, serial: int, content: list[dict[str, Any]]) -> dict[str, Any]:
    asks = content[-1]["type"] == "tool_use"
    return {
        "id": "msg_01" + digest(call.target, call.body, serial, length=22), "type": "message", "role": "assistant",
        "model": (call.json or {}).get("model", "claude-sonnet-4-6"), "content": content,
        "stop_reason": "tool_use" if asks else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 42, "output_tokens": 17},
    }  # fmt: skip


def anthropic_events(call: Call, message: dict[str, Any]) -> list[str]:
    piece = int(call.number("piece", 8))
    events: list[dict[str, Any]] = []
    usage = {"input_tokens": 42, "output_tokens": 1}
    opening = {**message, "content": [], "stop_reason": None, "usage": usage}
    events.append({"type": "message_start", "message": opening})
    for index, block in enumerate(message["content"]):
        empty: dict[str, Any] = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""},
                                 "tool_use": {"input": {}}}[block["type"]]  # fmt: skip
        deltas: list[dict[str, Any]]
        if block["type"] == "text":
            deltas = [{"type": "text_delta", "text": part} for part in fragments(block["text"], piece)]
        elif block["type"] == "thinking":
            deltas = [{"type": "thinking_delta", "thinking": part} for part in fragments(block["thinking"], piece)]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            parts = ["", *fragments(compact(block["input"]), piece)]
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        events.append({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        if index == 0 and call.name != "deltas":  # whose every event reaches an SDK's caller
            events.append({"type": "ping"})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 17}})
    events.append({"type": "message_stop"})
    return [f"event: {event['type']}\ndata: {compact(event)}\n\n" for event in events]


def openai_completion(call: Call, serial: int, content: list[dict[str, Any]]) -> dict[str, Any]:
    text = "".join(block.get("text", "") for block in content)
    calls = [{"id": block["id"].replace("toolu_", "call_"), "type": "function",
              "function": {"name": block["name"], "arguments": compact(block["input"])}}
             for block in content if block["type"] == "tool_use"]  # fmt: skip
    answer: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        answer["tool_calls"] = calls
    return {
        "id": "chatcmpl-" + digest(call.target, call.body, serial), "object": "chat.completion", "created": 1795392000,
        "model": (call.json or {}).get("model", "gpt-5.5"),
        "choices": [{"index": 0, "message": answer, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": {"prompt_tokens": 42, "completion_tokens": 17, "total_tokens": 59},
    }  # fmt: skip


def openai_events(call: Call, completion: dict[str, Any]) -> list[str]:
    piece = int(call.number("piece", 8))
    choice = completion["choices"][0]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": part} for part in fragments(choice["message"]["content"] or "", piece)]
    for index, asked in enumerate(choice["message"].get("tool_calls", ())):
        function = asked["function"]
        deltas.append({"tool_calls": [{**asked, "index": index, "function": {**function, "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": part}}]}
                   for part in fragments(function["arguments"], piece)]  # fmt: skip
    base = {name: completion[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    if ((call.json or {}).get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "choices": [], "usage": completion["usage"]})
    return [f"data: {compact(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]


def decorated(call: Call, events: list[str]) -> list[bytes]:
    if "comments" in call.options:
        events = [text for event in events for text in (": processing\n\n", event)]
    if "pings" in call.options and events[0].startswith("event:"):
        events = [text for event in events for text in (event, 'event: ping\ndata: {"type":"ping"}\n\n')]
    if "crlf" in call.options:
        events = [event.replace("\n", "\r\n") for event in events]
    return [event.encode() for event in events]


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    pieces: list[bytes]


class Cut(Exception):
    """The connection ends here, abruptly."""


class Script:
    """The data server, its log, and the admin server beside it."""

    def __init__(self) -> None:
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.connections = 0
        self.log: list[dict[str, Any]] = []
        self.seen: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}
        self.progress = asyncio.Condition()
        self.quit = asyncio.Event()

    # what to answer

    def answer(self, call: Call, serial: int) -> Answer:
        request_id = "req_011" + digest("request", call.target, call.body, serial, length=21)
        headers = [
            ("request-id", request_id), ("x-request-id", request_id), ("anthropic-organization-id", ORGANIZATION),
            ("openai-organization", "org-" + digest("org")), ("set-cookie", COOKIE + "; HttpOnly"),
            ("set-cookie", "second=2"), ("cf-ray", "9a1b2c3d4e5f6071-CDG"), ("server", "upstream"),
        ]  # fmt: skip
        options = call.options
        if "redirect" in options:
            segment = ",".join([call.name, *[f"{k}={v}" for k, v in options.items() if k != "redirect"]])
            target = f"/{segment}{call.path}"
            return Answer(int(options["redirect"]), [*headers, ("location", target)], [b""])
        if "fail" in options and serial <= call.number("times", 1):
            headers.append(("retry-after", options.get("after", "0.01")))
            return self.error(int(options["fail"]), headers, request_id)
        if call.path.endswith("/v1/oauth/token"):
            token = {"access_token": "sk-ant-oat01-" + digest("t", length=40), "expires_in": 3600,
                     "token_type": "bearer"}  # fmt: skip
            return Answer(200, [*headers, ("content-type", "application/json")], [compact(token).encode()])
        body = call.json
        chat = call.path.endswith("/chat/completions")
        if call.method != "POST" or not isinstance(body, dict) or not (chat or call.path.endswith("/v1/messages")):
            if call.path.endswith("/count_tokens"):
                value: Any = {"input_tokens": 42}
            elif call.path.startswith("/echo"):  # the body, as its own type, with a header's value
                kind = next((value for name, value in call.headers if name == "content-type"), "text/plain")
                extra = [("x-echo", value) for name, value in call.headers if name == "x-say"]
                return Answer(200, [*headers, *extra, ("content-type", kind)], [call.body])
            elif call.path.startswith("/nothing"):
                return Answer(204, headers, [b""])
            elif call.path.startswith("/plain"):
                value = {"plain": call.path, "serial": serial, "length": len(call.body)}
            elif call.path.endswith("/v1/models"):
                value = {"data": [{"id": "claude-sonnet-4-6", "type": "model", "display_name": "S",
                                   "created_at": "2026-01-01T00:00:00Z"}], "has_more": False,
                         "first_id": None, "last_id": None}  # fmt: skip
            else:
                return self.error(404, headers, request_id)
            return Answer(200, [*headers, ("content-type", "application/json")], [compact(value).encode()])
        if call.name == "thinking" and changed_thinking(body["messages"]):
            return self.error(400, headers, request_id, "messages.1.content.0: blocks cannot be modified")
        content = blocks(call, serial)
        whole = openai_completion(call, serial, content) if chat else anthropic_message(call, serial, content)
        if body.get("stream"):
            events = openai_events(call, whole) if chat else anthropic_events(call, whole)
            return Answer(200, [*headers, ("content-type", "text/event-stream; charset=utf-8"),
                                ("cache-control", "no-cache")], decorated(call, events))  # fmt: skip
        form = options.get("json", "compact")
        text = {"compact": lambda: compact(whole), "spaced": lambda: json.dumps(whole, ensure_ascii=False),
                "indent2": lambda: json.dumps(whole, ensure_ascii=True, indent=2) + "\n"}[form]()  # fmt: skip
        return Answer(200, [*headers, ("content-type", "application/json")], [text.encode()])

    def error(self, status: int, headers: list[tuple[str, str]], request_id: str, text: str = "") -> Answer:
        value = {"type": "error", "error": {"type": ERROR_TYPES.get(status, "api_error"),
                 "message": text or PHRASES.get(status, "Error")}, "request_id": request_id}  # fmt: skip
        return Answer(status, [*headers, ("content-type", "application/json")], [compact(value).encode()])

    # how to send it

    async def send(self, call: Call, answer: Answer, writer: asyncio.StreamWriter, entry: dict[str, Any]) -> bool:
        """Whether the connection may be used again."""
        options = call.options
        faulty = answer.status < 300
        cut, at = (options.get("cut") if faulty else None), int(call.number("at", 1 << 30))
        pieces = answer.pieces
        encode = flush = None
        if "gzip" in options and faulty:
            answer.headers.append(("content-encoding", "gzip"))
            if len(pieces) == 1:
                pieces, raw = [gzip.compress(pieces[0], mtime=0)], [pieces[0]]
            else:
                packer = zlib.compressobj(wbits=31)
                encode, flush = (lambda data: packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)), packer.flush
                raw = pieces
        else:
            raw = pieces
        if cut and len(pieces) == 1:  # a body in one piece is cut by bytes
            half = int(call.number("mid", len(pieces[0]) // 2))
            pieces, raw, at = [pieces[0][:half], pieces[0][half:]], [raw[0][:half], raw[0][half:]], 1
            options = {**options, "mid": "0"}
        length = sum(map(len, pieces))
        chunked = False
        if "close" in options:
            answer.headers.append(("connection", "close"))
        elif cut == "short" or (len(answer.pieces) == 1 and cut != "truncated" and cut != "eof"):
            answer.headers.append(("content-length", str(length)))
        else:
            chunked = True
            answer.headers.append(("transfer-encoding", "chunked"))
        head = f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, 'Status')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        writer.write(head.encode() + b"\r\n")
        gaps = [float(gap) for gap in options.get("gaps", options.get("gap", "0")).split("~")]
        sent = bytearray()

        def write(data: bytes) -> None:
            if data:
                writer.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

        try:
            for index, piece in enumerate(pieces):
                if cut and index >= at:
                    extra = piece[: int(options.get("mid", 0))]
                    write(encode(extra) if encode else extra)
                    sent += extra
                    await self.cut(cut, writer, chunked)
                    return False
                if len(answer.pieces) > 1:
                    await asyncio.sleep(gaps[index % len(gaps)])
                    if "lock" in options and index > 0:
                        await self.wait_for(options["lock"], index - 1)
                data = encode(piece) if encode else piece
                size = int(options.get("split", len(data) or 1))
                for start in range(0, len(data), size):
                    write(data[start : start + size])
                    await writer.drain()
                    if "split" in options:
                        await asyncio.sleep(0)
                sent += raw[index]
                entry["sent"] = bytes(sent)
            if flush:
                write(flush())
            if cut:
                await self.cut(cut, writer, chunked)
                return False
            if chunked:
                writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            entry["sent"] = bytes(sent)
        return "close" not in options

    async def cut(self, kind: str, writer: asyncio.StreamWriter, chunked: bool) -> None:
        await writer.drain()
        if kind == "eof" and chunked:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        elif kind == "silence":
            await asyncio.wait_for(self.gone(writer), 30)
        elif kind == "reset":
            await asyncio.sleep(0.05)  # let the bytes before it arrive
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def gone(self, writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():
            await asyncio.sleep(0.01)

    async def wait_for(self, lock: str, n: int) -> None:
        async with self.progress:
            await self.progress.wait_for(lambda: self.acknowledged.get(lock, -1) >= n)

    # HTTP/1.1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        try:
            while call := await self.read(reader, writer):
                key = digest(call.method, call.target, call.body)
                serial = self.seen[key] = self.seen.get(key, 0) + 1
                entry: dict[str, Any] = {"call": call, "sent": b"", "status": 0, "serial": serial}
                self.log.append(entry)
                spread = call.number("spread") * int(digest(call.body, length=4), 16) / 0xFFFF
                await asyncio.sleep(call.number("delay") + spread)
                answer = self.answer(call, serial)
                entry["status"] = answer.status
                sending = asyncio.ensure_future(self.send(call, answer, writer, entry))
                if not await sending:
                    break
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, Cut):
            pass
        finally:
            self.writers.discard(writer)
            self.tasks.discard(task)
            writer.close()

    async def read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        if method == "PRI":
            await self.serve_http2(reader, writer, head)
            return None
        pairs = [line.split(":", 1) for line in lines[1:] if line]
        headers = [(name.strip().lower(), value.strip()) for name, value in pairs]
        named = dict(headers)
        body = b""
        if "chunked" in named.get("transfer-encoding", ""):
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readline()
        elif int(named.get("content-length", 0)):
            body = await reader.readexactly(int(named["content-length"]))
        return Call(method, target, headers, body)

    async def serve_http2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
        """Prior knowledge, in clear; one stream at a time, no options but those of the content."""
        from h2.config import H2Configuration
        from h2.connection import H2Connection
        from h2.events import DataReceived, RequestReceived, StreamEnded

        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        data = first
        while data:
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    heads[event.stream_id], bodies[event.stream_id] = dict(event.headers), b""
                elif isinstance(event, DataReceived):
                    bodies[event.stream_id] += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    head, stream = heads[event.stream_id], event.stream_id
                    call = Call(head[":method"], head[":path"], list(head.items()), bodies[stream])
                    answer = self.answer(call, 1)
                    entry = {"call": call, "sent": b"".join(answer.pieces), "status": answer.status, "serial": 1}
                    self.log.append(entry)
                    connection.send_headers(stream, [(":status", str(answer.status)), *answer.headers])
                    for piece in answer.pieces:
                        connection.send_data(stream, piece)
                        writer.write(connection.data_to_send())
                        await writer.drain()
                    connection.end_stream(stream)
            writer.write(connection.data_to_send())
            await writer.drain()
            data = await reader.read(65536)

    async def listen(self) -> int:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 26, backlog=512)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self.server:
            self.server.close()
            self.server = None
        for task in list(self.tasks):
            task.cancel()
        for writer in list(self.writers):
            writer.transport.abort()

    # the admin port

    async def admin(self, line: dict[str, Any]) -> Any:
        op = line["op"]
        if op == "ack":  # event `n` (from 0) of the streams locked on `lock` has reached the caller
            async with self.progress:
                self.acknowledged[line["lock"]] = max(self.acknowledged.get(line["lock"], -1), line["n"])
                self.progress.notify_all()
            return True
        if op == "log":  # every request, with what was sent for it so far
            return [
                {"method": entry["call"].method, "target": entry["call"].target, "headers": entry["call"].headers,
                 "body": base64.b64encode(entry["call"].body).decode(), "status": entry["status"],
                 "sent": base64.b64encode(entry["sent"]).decode()}
                for entry in self.log
            ]  # fmt: skip
        if op == "connections":
            return self.connections
        if op == "clear":
            self.log.clear()
            self.seen.clear()
            self.acknowledged.clear()
            self.connections = 0
            return True
        if op == "stop":  # refuse connections from now on; the log stays
            await self.stop()
            return True
        if op == "start":
            await self.stop()
            return await self.listen()
        if op == "quit":
            self.quit.set()
            return True
        raise ValueError(op)

    async def administer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self.admin(json.loads(line))).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def main() -> None:
    script = Script()
    port = await script.listen()
    admin = await asyncio.start_server(script.administer, "127.0.0.1", 0, limit=1 << 26)
    print(json.dumps({"port": port, "admin": admin.sockets[0].getsockname()[1]}), flush=True)
    loop = asyncio.get_running_loop()

    def parent() -> None:  # a thread: pipes are no selectable things on Windows
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(script.quit.set)

    threading.Thread(target=parent, daemon=True).start()
    await script.quit.wait()
    await script.stop()
    admin.close()


# The test's side.


@dataclass(frozen=True)
class Received:
    """A request as the server saw it, and what it sent for it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    sent: bytes
    """The body of the answer before content-encoding and chunks."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Upstream:
    """A running server. Thread-safe; its own sockets are plain ones, which nobody patches."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-s", str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout
        ports = json.loads(self.process.stdout.readline())
        self.port: int = ports["port"]
        self.admin_port: int = ports["admin"]
        self._socket = socket.create_connection(("127.0.0.1", self.admin_port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._lock = threading.Lock()

    def ask(self, op: str, **arguments: Any) -> Any:
        with self._lock:
            self._socket.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            return json.loads(self._lines.readline())

    def url(self, scenario: str = "text", path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{scenario}{path}"

    def ack(self, lock: str, n: int) -> None:
        self.ask("ack", lock=lock, n=n)

    def log(self) -> list[Received]:
        return [
            Received(item["method"], item["target"], tuple((k, v) for k, v in item["headers"]),
                     base64.b64decode(item["body"]), item["status"], base64.b64decode(item["sent"]))
            for item in self.ask("log")
        ]  # fmt: skip

    def connections(self) -> int:
        """Connections accepted since the start or the last `clear`."""
        count: int = self.ask("connections")
        return count

    def clear(self) -> None:
        self.ask("clear")

    def stop(self) -> None:
        """From now on the data port refuses connections."""
        self.ask("stop")

    def start(self) -> None:
        """Listen again, on another port."""
        self.port = self.ask("start")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
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
