"""The server that the demo records from: a model that knows one tool and one answer.

It runs as a file of its own, in a process of its own, on the standard library alone. It speaks the
Messages API's events over a real socket, one at a time, prints its port and ends with its stdin.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAUSE = 0.025  # seconds between two events

WORDS = {
    "tool_use": "Let| me| look| that| up|.",
    "end_turn": "It| is| 18| °C| in| Paris|,| with| light| rain|:| take| an| umbrella|.",
}
INPUT = ("", '{"city":', '"Paris"}')


class Model(BaseHTTPRequestHandler):
    """Answers `POST /v1/messages`: first with a call of the first tool, then with a sentence."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("request-id", "req_demo")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in _answer(body):
            data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            self._chunk(f"event: {event['type']}\ndata: {data}\n\n".encode())
            time.sleep(PAUSE)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the demo says what happens."""


def _answer(body: dict[str, Any]) -> list[dict[str, Any]]:
    number = (len(body["messages"]) + 1) // 2
    stop = "tool_use" if number == 1 else "end_turn"
    words = WORDS[stop].split("|")
    message = {
        "id": f"msg_demo_{number}", "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 40 * number, "output_tokens": 1},
    }  # fmt: skip
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    events += _block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in words])
    if stop == "tool_use":
        call = {"type": "tool_use", "id": "toolu_demo", "name": body["tools"][0]["name"], "input": {}}
        events += _block(1, call, [{"type": "input_json_delta", "partial_json": part} for part in INPUT])
    last = {"stop_reason": stop, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": last, "usage": {"output_tokens": 3 * len(words)}})
    events.append({"type": "message_stop"})
    return events


def _block(index: int, start: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    print(server.server_address[1], flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
