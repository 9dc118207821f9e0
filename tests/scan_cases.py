"""Recorded files of several recorders with the same made-up secrets in them; `convo-replay scan` is tried on them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from convo_replay.cassette import Cassette, dump
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request

KEY = "sk-ant-api03-" + "Ex4mple" * 13
ORGANIZATION = "3f0c9a52-8d1e-4b77-9c60-5e2d41ab73f8"
MAIL = "ada.lovelace@" + "analytical-engines.co.uk"
COOKIE = "__cf_bm=" + "pD3x9QvL2mN8rT5w" * 3
REQUEST_ID = "req_011" + "Ex4mple" * 3
RAY = "9a58bfc54c1300bb-CDG"
SECRETS = (KEY, ORGANIZATION, MAIL, COOKIE, REQUEST_ID, RAY)
URL = "https://api.anthropic.com/v1/messages"

ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5-5", "max_tokens": 9,
    "messages": [{"role": "user", "content": [{"type": "text", "text": f"I am {MAIL}, my key is {KEY}. ☀"}]}],
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "msg_01", "type": "message", "role": "assistant", "content": [{"type": "text", "text": f"Hi {MAIL}!"}],
}  # fmt: skip
SENT = {
    "Authorization": f"Bearer {KEY}", "User-Agent": "Anthropic/Python 2.12.0", "X-Stainless-OS": "Linux",
    "Accept": "application/json", "Cookie": COOKIE,
}  # fmt: skip
GOT = {
    "Content-Type": "application/json", "anthropic-organization-id": ORGANIZATION, "CF-RAY": RAY,
    "request-id": REQUEST_ID, "Set-Cookie": f"{COOKIE}; path=/; HttpOnly", "Server": "cloudflare",
    "anthropic-ratelimit-requests-limit": "4000",
}  # fmt: skip
FOUND = {
    ("anthropic-key", "request.headers.authorization"),
    ("machine", "request.headers.user-agent"),
    ("machine", "request.headers.x-stainless-os"),
    ("cookie", "request.headers.cookie"),
    ("email", "request.json.messages[0].content[0].text"),
    ("anthropic-key", "request.json.messages[0].content[0].text"),
    ("organization-id", "response.headers.anthropic-organization-id"),
    ("cf-ray", "response.headers.cf-ray"),
    ("request-id", "response.headers.request-id"),
    ("cookie", "response.headers.set-cookie"),
    ("rate-limit", "response.headers.anthropic-ratelimit-requests-limit"),
    ("email", "response.json.content[0].text"),
}
"""(class, path) of what stands in each of the files."""


def events(*pieces: str) -> str:
    """A stream that says the pieces."""
    made = "".join(
        "event: content_block_delta\ndata: "
        + json.dumps({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
        + "\n\n"
        for piece in pieces
    )
    return 'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01"}}\n\n' + made


def interaction(asked: Any = None, answer: Any = None, **more: Any) -> dict[str, Any]:
    """One of vcrpy's, with nothing taken out."""
    return {
        "request": {
            "method": "POST", "uri": more.get("uri", URL), "body": json.dumps(asked or ASKED),
            "headers": {name: [value] for name, value in {**SENT, **more.get("sent", {})}.items()},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {name: [value] for name, value in {**GOT, **more.get("got", {})}.items()},
            "body": {"string": answer if isinstance(answer, (str, bytes)) else json.dumps(answer or ANSWER)},
        },
    }  # fmt: skip


def vcrpy_yaml(*interactions: Any) -> bytes:
    """A cassette as vcrpy writes it."""
    return yaml.dump({"interactions": list(interactions or [interaction()]), "version": 1}).encode()


def vcrpy_json() -> bytes:
    return json.dumps({"version": 1, "interactions": [interaction()]}, indent=4).encode()


def flow_yaml() -> bytes:
    return yaml.dump({"interactions": [interaction()], "version": 1}, default_flow_style=True, width=200).encode()


def tagged() -> bytes:
    """With names as multidict's `istr`, which PyYAML writes as Python objects."""
    text = vcrpy_yaml().decode()
    for name in ("User-Agent", "CF-RAY"):
        tag = "? !!python/object/apply:multidict._multidict.istr"
        text = text.replace(f"      {name}:\n      -", f"      {tag}\n      - {name}\n      : -")
    assert text.count("istr") == 2
    return text.encode()


def packed() -> bytes:
    """The answer as it came, compressed."""
    body = gzip.compress(json.dumps(ANSWER).encode(), mtime=0)
    return vcrpy_yaml(interaction(answer=body, got={"Content-Encoding": "gzip", "Content-Length": str(len(body))}))


def base64_string() -> bytes:
    made = interaction()
    made["response"]["body"] = {"base64_string": base64.b64encode(json.dumps(ANSWER).encode()).decode()}
    return vcrpy_yaml(made)


def parsed_body() -> bytes:
    """As pydantic's serializer writes bodies: by value."""
    made = interaction()
    for side, body in (("request", ASKED), ("response", ANSWER)):
        del made[side]["body"]
        made[side]["parsed_body"] = body
    return vcrpy_yaml(made)


def go_vcr() -> bytes:
    made = interaction()
    asked, answered = made["request"], made["response"]
    asked["url"] = asked.pop("uri")
    answered = {"headers": answered["headers"], "body": answered["body"]["string"], "code": 200, "status": "200 OK"}
    return yaml.dump({"version": 2, "interactions": [{"id": 0, "request": asked, "response": answered}]}).encode()


def one_pair() -> bytes:
    """A request and its response in one JSON document."""
    made = {
        "request": {"method": "POST", "url": URL, "headers": SENT, "body": json.dumps(ASKED)},
        "response": {"status": {"code": 200}, "headers": GOT, "body": json.dumps(ANSWER)},
    }
    return json.dumps(made, indent=2).encode()


def har() -> bytes:
    def pairs(headers: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in headers.items()]

    text = base64.b64encode(json.dumps(ANSWER).encode()).decode()
    sent = {"mimeType": "application/json", "text": json.dumps(ASKED)}
    entry = {
        "request": {"method": "POST", "url": URL, "headers": pairs(SENT), "postData": sent},
        "response": {"status": 200, "headers": pairs(GOT), "content": {"text": text, "encoding": "base64"}},
    }
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}}).encode()


def _raw(first: str, headers: dict[str, str], body: str) -> str:
    return first + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n" + body


def httprr() -> bytes:
    asked = _raw(f"POST {URL} HTTP/1.1", SENT, json.dumps(ASKED))
    answered = _raw("HTTP/2.0 200 OK", GOT, json.dumps(ANSWER))
    return f"httprr trace v1\n{len(asked)} {len(answered)}\n{asked}{answered}".encode()


def wire() -> bytes:
    """HTTP in a text, as a proxy or a debugger prints it."""
    asked = _raw(f"POST {URL} HTTP/1.1", SENT, json.dumps(ASKED) + "\n")
    return (asked + _raw("HTTP/1.1 200 OK", GOT, json.dumps(ANSWER))).encode()


RECORDERS: dict[str, tuple[str, Callable[[], bytes], bool]] = {
    "vcrpy": ("a.yaml", vcrpy_yaml, True),
    "vcrpy-json": ("a.json", vcrpy_json, True),
    "vcrpy-without-a-suffix": ("cassette", vcrpy_yaml, True),
    "vcrpy-flow": ("a.yaml", flow_yaml, True),
    "vcrpy-tags": ("a.yaml", tagged, True),
    "vcrpy-gzip": ("a.yaml", packed, True),
    "vcrpy-base64": ("a.yaml", base64_string, True),
    "vcrpy-parsed": ("a.yaml", parsed_body, True),
    "go-vcr": ("a.yaml", go_vcr, False),
    "one-pair": ("a.json", one_pair, False),
    "har": ("a.har", har, False),
    "httprr": ("a.httprr", httprr, False),
    "wire": ("a.txt", wire, False),
}
"""Recorder → (name of a file, its bytes, whether it can be fixed)."""


def ours(*texts: str, test: str = "t.py::test_a") -> bytes:
    """A cassette of ours in which each turn says one more text; nothing is redacted."""
    messages: list[dict[str, Any]] = []
    exchanges = []
    for text in texts:
        messages = [*messages, {"role": "user", "content": text}]
        head = Head(200, (("content-type", "text/event-stream"),), 0.1)
        steps = (head, Chunk(0.2, events("Hi ", MAIL[:9], MAIL[9:], " there").encode()), End("complete", 0.3))
        asked = Json({"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": messages})
        exchanges.append(Exchange(Request("POST", URL, (), asked), steps, test=test))
    return dump(Cassette(exchanges=exchanges)).text


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
