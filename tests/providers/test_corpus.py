"""Recorded answers of many vendors: each one that succeeded is read whole."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.providers import find
from corpus import CORPUS

FAMILIES = {"anthropic-messages", "anthropic-gateway", "vertex-anthropic", "openai-chat", "openai-chat-gateway"}
BROKEN = {"missing-[DONE]", "unterminated-last-event", "no-final-newline"}
NO_MESSAGE = {"test_invalid_response.yaml", "test_text_response.yaml"}  # of an echo server


def recorded() -> Iterator[tuple[str, Mapping[str, Any], Exchange]]:
    """File, row of the index, exchange: of the YAML cassettes that a safe loader reads."""
    assert CORPUS is not None
    for row in json.loads((CORPUS / "INDEX.json").read_bytes()):
        if row["format"] not in ("vcrpy-yaml", "go-vcr-yaml") or not FAMILIES & {e["family"] for e in row["exchanges"]}:
            continue
        try:
            loaded = yaml.load((CORPUS / row["path"]).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.constructor.ConstructorError:
            continue  # Python object tags
        for said, interaction in zip(row["exchanges"], loaded["interactions"], strict=True):
            yield row["path"], said, exchange_of(interaction["request"], interaction["response"])


def exchange_of(request: Mapping[str, Any], response: Mapping[str, Any]) -> Exchange:
    sent = request["parsed_body"] if "parsed_body" in request else _json(_bytes(request.get("body")))
    body = response.get("content", response.get("body"))
    answer = json.dumps(response["parsed_body"]).encode() if "parsed_body" in response else _bytes(body)
    status = response.get("status_code") or response.get("code") or response["status"]["code"]
    return Exchange(
        Request(request["method"], request.get("uri") or request["url"], _headers(request), Json(sent)),
        (Head(int(status), _headers(response)), Chunk(0.0, answer), End()),
    )


def _headers(message: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    fields = [(name, [value] if isinstance(value, str) else value) for name, value in message["headers"].items()]
    return tuple((name.lower(), text) for name, values in fields for text in values)


def _bytes(body: Any) -> bytes:
    value = body.get("string") if isinstance(body, dict) else body
    value = value.encode() if isinstance(value, str) else value or b""
    return gzip.decompress(value) if value[:2] == b"\x1f\x8b" else value


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


@pytest.mark.skipif(CORPUS is None, reason="the corpus of recorded exchanges is not here (CONVO_CORPUS)")
def test_recorded_answers_are_read_whole() -> None:
    seen: Counter[str] = Counter()
    for path, said, exchange in recorded():
        provider = find(exchange.request)
        if provider is None or not provider.generates(exchange.request):
            no_turn = said["family"] not in FAMILIES or said["endpoint"].endswith("count_tokens")
            assert no_turn or "turns" not in said, path
            continue
        reply = provider.reply(exchange)
        where = f"{path} {said}"
        if (exchange.status or 0) >= 300:
            seen["error"] += 1
            assert reply.error, where
            assert not reply.complete, where
        elif not reply.complete:
            seen["incomplete"] += 1
            assert BROKEN & set(said.get("quirks") or ()) or reply.error or Path(path).name in NO_MESSAGE, where
        else:
            seen[provider.name] += 1
            assert reply.id, where
            assert reply.model, where
            assert (reply.stop_reason in said["stop"]) if said.get("stop") else True, where
            seen["usage"] += reply.usage.output_tokens > 0
            if provider.name == "anthropic":
                blocks = {kind: n for kind, n in (said.get("resp_blocks") or {}).items() if kind.isidentifier()}
                assert Counter(block["type"] for block in reply.content) == blocks, where
                assert reply.usage.output_tokens, where
    assert seen["anthropic"] > 450, seen
    assert seen["openai_chat"] > 650, seen
    assert seen["error"] > 20, seen
    assert seen["incomplete"] < 25, seen
    assert seen["usage"] > 1100, seen
