"""Secrets of many kinds in one text, recordings of vcrpy's that hold them, and whether a text tells one."""

from __future__ import annotations

import base64
import json
from typing import Any

PLANTED = {
    "environment": "Zq8vLw3Rt6Yb1Nc5Pd2K",
    "secrets=": "Projekt Nachtigall 7781",
    "header": "hk7fQ2mZ9xW4aB8dE1cV",
    "pattern": "sk-ant-api03-" + "Ex4mple" * 13,
    "URL password": "pw9KdJ3hSx7Qe2Lm5Tb",
    "query key": "uk5TgB8nHy2WsxRf4Vc",
    "organization": "3f6c1a52-9d0b-4c57-8f0e-5b1d2a7c9e10",
    "cookie": "cv3NmZk8QwErTy6UiOp1",
    "e-mail": "ada.lovelace@mail.corp-example.io",
}
ELSEWHERE = {"another password": "qw4LkJ8hGf2DsaP0oIu", "another key": "mn6BvC3xZl1AsdF9gHj"}
SECRETS = ["Projekt Nachtigall 7781"]
EVERYTHING = ", ".join(PLANTED.values())
HOST = "gateway.invalid"
URL = f"https://ada:{PLANTED['URL password']}@{HOST}/v1/messages?key={PLANTED['query key']}"
HEADERS = {
    "x-api-key": PLANTED["header"],
    "anthropic-version": "2023-06-01",
    "anthropic-organization-id": PLANTED["organization"],
    "cookie": f"session={PLANTED['cookie']}",
}


def told(text: str) -> dict[str, str]:
    """The planted secrets of which a text holds more than a few characters, in whatever encoding."""
    found = {}
    for kind, secret in (PLANTED | ELSEWHERE).items():
        forms = {secret, secret[:12], secret[-12:], base64.b64encode(secret.encode()).decode()[:16]}
        if any(form in text for form in forms):
            found[kind] = text
    return found


def assert_silent(*texts: object) -> None:
    for text in texts:
        where = {kind: _around(said) for kind, said in told(str(text)).items()}
        assert not where


def _around(text: str) -> str:
    places = [text.find(secret[:12]) for secret in (PLANTED | ELSEWHERE).values() if secret[:12] in text]
    return text[max(0, min(places, default=0) - 80) :][:200]


def asked(text: str = EVERYTHING, **more: Any) -> dict[str, Any]:
    return {"model": "claude-opus-4-7", "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}


def message(text: str) -> dict[str, Any]:
    return {
        "id": "msg_01A", "type": "message", "role": "assistant", "model": "claude-opus-4-7", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip


def stream(text: str) -> str:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message(""), "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text[at : at + 7]}}
          for at in range(0, len(text), 7)),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def interaction(body: dict[str, Any], answer: str, content_type: str = "application/json", **more: Any) -> Any:
    headers = {
        "content-type": [content_type],
        "set-cookie": [f"session={PLANTED['cookie']}"],
        "anthropic-organization-id": [PLANTED["organization"]],
    }
    request = {"method": "POST", "uri": URL, "body": json.dumps(body), "headers": {k: [v] for k, v in HEADERS.items()}}
    response = {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": answer}}
    return {"request": request, "response": {**response, **more}}
