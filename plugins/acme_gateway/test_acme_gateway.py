"""Records from a gateway on this machine, stops it, replays: `pip install . && pytest`."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

import convo_replay
from convo_replay.exchange import Json, Request
from convo_replay.providers import find

USAGE = {"input_tokens": 9, "output_tokens": 1}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": USAGE}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "is"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        stream = self.path == "/gateway/v2/complete"
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS) if stream else "{}"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def gateway() -> Iterator[str]:
    """The URL of a gateway, for as long as the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask(url: str) -> None:
    """What an application does: a call that generates, and one that does not."""
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    trace = {"trace_id": uuid.uuid4().hex}
    body = {"model": "acme-large", "max_tokens": 64, "stream": True, "messages": messages, "acme": trace}
    with httpx.Client(base_url=url, headers={"x-acme-key": "acme-secret-4711"}) as client:
        client.post("/gateway/v2/complete", json=body).raise_for_status()
        client.post("/gateway/v2/feedback", json={"good": True}).raise_for_status()


def test_a_conversation_is_recorded_and_replayed_as_turns(tmp_path: Path) -> None:
    cassette = tmp_path / "capital.yaml"
    with gateway() as url, convo_replay.use_cassette(cassette, record="once"):
        ask(url)
    assert "acme-secret-4711" not in cassette.read_text("utf-8")

    with convo_replay.use_cassette(cassette) as convo:  # the gateway is gone, and the trace id another one
        ask(url)
    assert len(convo.exchanges) == 2
    (turn,) = convo.turns
    assert (turn.model, turn.response.text, turn.response.stop_reason) == ("acme-large", "Paris", "end_turn")
    assert (turn.usage.input_tokens, turn.usage.output_tokens) == (9, 2)


TURN = Json({"messages": []})


@pytest.mark.parametrize(
    ("method", "path", "body", "name", "is_turn"),
    [
        ("POST", "/gateway/v2/complete", TURN, "acme_gateway", True),
        ("GET", "/gateway/v2/complete", None, "acme_gateway", False),
        ("POST", "/gateway/v2/feedback", Json({}), "acme_gateway", False),
        ("POST", "/v1/messages", TURN, "anthropic", True),
        ("POST", "/gateway/v1/complete", TURN, None, False),
    ],
)
def test_it_claims_what_is_its_own(method: str, path: str, body: Json | None, name: str | None, is_turn: bool) -> None:
    request = Request(method, f"https://acme.example{path}", body=body)
    found = find(request)
    assert (found.name if found else None) == name
    assert bool(found and found.generates(request)) is is_turn
