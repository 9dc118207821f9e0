"""Opaque fields: untouched, or replaced whole; and what that says about sending them again."""

from __future__ import annotations

import base64
import json
import random
from itertools import pairwise
from typing import Any

import pytest

from convo_replay.exchange import Chunk, End, Head, Json, Request
from convo_replay.redaction import Redactor
from convo_replay.redaction.placeholders import found

UUID = "a1b2c3d4-0000-4000-8000-0123456789ab"


def _opaque(clear: str = "", size: int = 60, *, urlsafe: bool = False, padded: bool = True) -> str:
    noise = random.Random(size).randbytes(size)
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    text = encode(noise + b"\x12\x24" + clear.encode() + b"\x18" + noise).decode()
    return text if padded else text.rstrip("=")


def _block(field: str, value: str) -> dict[str, Any]:
    kinds = {
        "signature": "thinking",
        "data": "redacted_thinking",
        "encrypted_stdout": "encrypted_code_execution_result",
    }
    return {"type": kinds.get(field, "reasoning"), field: value}


def _redacted(redactor: Redactor, *blocks: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"messages": [{"role": "assistant", "content": list(blocks)}]}
    return redactor.request(Request("POST", "https://x", (), Json(body))).json["messages"][0]["content"]


@pytest.mark.parametrize(
    "field", ["signature", "data", "encrypted_content", "encrypted_index", "encrypted_stdout", "thoughtSignature"]
)
@pytest.mark.parametrize("size", [40, 61, 62, 2001])
@pytest.mark.parametrize(("urlsafe", "padded"), [(False, True), (True, False)])
def test_one_that_identifies_is_replaced_whole(field: str, size: int, urlsafe: bool, padded: bool) -> None:
    value = _opaque(UUID, size, urlsafe=urlsafe, padded=padded)
    redactor = Redactor()
    first, second, other = _redacted(
        redactor, _block(field, value), _block(field, value), _block(field, _opaque(UUID, size + 3))
    )
    assert first == second
    assert first[field] != other[field]
    assert len(first[field]) == len(value)
    assert found(first[field]) == [first[field]]
    decoded = base64.b64decode(first[field] + "=" * (-len(first[field]) % 4))
    assert decoded.startswith(b"redacted-opaque-1 ")
    assert UUID.encode() not in decoded
    assert not redactor.resendable
    again = Redactor()
    assert _redacted(again, first) == [first]
    assert again.resendable


@pytest.mark.parametrize(
    "value",
    [
        _opaque(), _opaque(size=3000), _opaque(urlsafe=True, padded=False), _opaque("no identity: 12345-6789"),
        _opaque("user@localhost"), "not base64: sig nature", "", "EqoBCkgIARABGAI=",
    ],
)  # fmt: skip
def test_any_other_is_not_touched(value: str) -> None:
    redactor = Redactor({"DB_PASSWORD": "correct-horse-7"})
    block = _block("signature", value)
    assert _redacted(redactor, block)[0] is block
    assert redactor.resendable


@pytest.mark.parametrize("clear", ["ada@acme-corp.com", "correct-horse-7", "sk-ant-api03-" + "x1Y2" * 8])
def test_an_address_or_a_known_secret_in_clear_identifies(clear: str) -> None:
    redactor = Redactor({"DB_PASSWORD": "correct-horse-7"})
    assert found(_redacted(redactor, _block("signature", _opaque(clear)))[0]["signature"])


def test_key_like_text_inside_base64_is_no_key() -> None:
    for text in ("sk-" + "a1B2c3D4" * 5, "AKIAEXAMPLE234567ABC", "AIza" + "x1Y2z3W" * 5):
        value = "Ab1" + text + "x9Y8"
        value += "A" * (-len(value) % 4)
        for field in ("signature", "encrypted_content"):
            block = _block(field, value)
            assert _redacted(Redactor(), block)[0] is block


def test_a_thinking_text_is_edited_and_says_so() -> None:
    redactor = Redactor(secrets=["tiger-stripe"])
    block = {"type": "thinking", "thinking": "the tiger-stripe", "signature": _opaque()}
    assert _redacted(redactor, block) == [{**block, "thinking": "the redacted-secret-1"}]
    assert not redactor.resendable


def test_a_secret_beside_a_thinking_text_binds_nothing() -> None:
    redactor = Redactor(secrets=["tiger-stripe"])
    _redacted(
        redactor,
        {"type": "text", "text": "tiger-stripe"},
        {"type": "thinking", "thinking": "a", "signature": _opaque()},
    )
    assert redactor.resendable


@pytest.mark.parametrize("size", [16, 20, 24, 27])
def test_a_short_one_is_replaced_by_the_shortest_placeholder(size: int) -> None:
    secret = "kX7tiger"
    values = [base64.b64encode(bytes([n]) * (size * 3 // 4 - 8) + secret.encode()).decode()[:size] for n in (1, 2)]
    redactor = Redactor(secrets=[secret])
    one, other = _redacted(redactor, *[_block("signature", value) for value in values])
    assert one != other
    assert [found(block["signature"]) for block in (one, other)] == [[one["signature"]], [other["signature"]]]
    assert base64.b64decode(one["signature"]).startswith(b"redacted-opaque-1 ")
    assert not redactor.resendable
    deltas = [{"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": part}}
              for part in (values[0][:9], values[0][9:])]  # fmt: skip
    steps = redactor.steps(
        (Head(200), *[Chunk(0, b"data: " + json.dumps(d).encode() + b"\n\n") for d in deltas], End())
    )
    made = [json.loads(step.data[6:])["delta"]["signature"] for step in steps if isinstance(step, Chunk)]
    assert "".join(made) == one["signature"]
    again = Redactor(secrets=[secret])
    assert _redacted(again, one) == [one]
    assert again.resendable


def test_one_of_several_runs_is_replaced_whole() -> None:
    value = f"{_opaque(size=61)}.{_opaque(UUID, padded=False)}"
    (made,) = _redacted(Redactor(), _block("encrypted_content", value))
    assert len(made["encrypted_content"]) == len(value)
    assert found(made["encrypted_content"]) == [made["encrypted_content"]]
    clean = _block("encrypted_content", f"{_opaque(size=61)}.{_opaque(padded=False)}")
    assert _redacted(Redactor(), clean)[0] is clean


def test_a_key_in_the_place_of_a_signature_is_a_key() -> None:
    key = "sk-ant-api03-" + "Ex4mple" * 5
    assert _redacted(Redactor(), _block("signature", key))[0]["signature"] == "redacted-anthropic-key-1"
    deltas = [{"type": "signature_delta", "signature": part} for part in (key[:20], key[20:])]
    raws = [b"data: " + json.dumps({"delta": delta}).encode() + b"\n\n" for delta in deltas]
    steps = Redactor().steps((Head(200), *[Chunk(0, raw) for raw in raws], End()))
    made = [json.loads(step.data[6:])["delta"]["signature"] for step in steps if isinstance(step, Chunk)]
    assert made == ["redacted-anthropic-key-1", ""]


def test_the_organization_is_found_with_its_header_and_without() -> None:
    """In each of them, before and after the header told it; as one value each time."""
    value = _opaque(UUID)
    for headers in ((), (("anthropic-organization-id", UUID),), (("anthropic-organization-id", "masked"),)):
        redactor = Redactor()
        (before,) = _redacted(redactor, _block("signature", value))
        steps = redactor.steps((Head(200, headers), Chunk(0, json.dumps(_block("signature", value)).encode()), End()))
        (after,) = _redacted(redactor, _block("signature", value))
        assert before == after == json.loads(steps[1].data)  # type: ignore[union-attr]
        assert found(before["signature"])


def test_opaque_fields_stay_where_the_project_says_so() -> None:
    redactor = Redactor(redact={"opaque": "keep"})
    block = _block("signature", _opaque(UUID))
    assert _redacted(redactor, block)[0] is block
    assert redactor.resendable


def _url(text: bytes, kind: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{base64.b64encode(text).decode()}"}}


def test_a_data_url_of_text_holds_text_and_one_of_an_image_none() -> None:
    key = "sk-ant-api03-" + "Ex4mple" * 5
    (made,) = _redacted(Redactor(), _url(f"the key is {key}, keep it".encode(), "text/plain"))
    kind, _, data = made["image_url"]["url"].partition(",")
    assert kind == "data:text/plain;base64"
    assert base64.b64decode(data).startswith(b"the key i")
    assert key[:12].encode() not in base64.b64decode(data)
    image = _url(b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(3000) + UUID.encode(), "image/png")
    assert _redacted(Redactor(), image)[0] is image


def test_an_image_is_not_touched() -> None:
    data = base64.b64encode(b"\x89PNG" + random.Random(7).randbytes(5000) + UUID.encode()).decode()
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert _redacted(Redactor(), block)[0] is block


@pytest.mark.parametrize("cuts", [[], [40], [1, 2, 90]])
def test_a_signature_of_a_stream_is_the_one_that_comes_back(cuts: list[int]) -> None:
    value = _opaque(UUID)
    redactor = Redactor()
    bounds = [0, *cuts, len(value)]
    pieces = [value[a:b] for a, b in pairwise(bounds)]
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": piece}}
        for piece in pieces
    ]
    chunks = [
        Chunk(0, b"event: content_block_delta\ndata: " + json.dumps(delta).encode() + b"\n\n") for delta in deltas
    ]
    steps = redactor.steps((Head(200, (("content-type", "text/event-stream"),)), *chunks, End()))
    made = [
        json.loads(step.data.split(b"data: ")[1])["delta"]["signature"] for step in steps if isinstance(step, Chunk)
    ]
    assert [len(piece) for piece in made] == [len(piece) for piece in pieces]
    assert _redacted(redactor, _block("signature", value))[0]["signature"] == "".join(made)
    assert not redactor.resendable


@pytest.mark.parametrize("kind", [[1], {"a": 1}, None, 5], ids=repr)
def test_a_block_whose_type_is_no_text_is_read_like_any_other(kind):
    block = {"type": kind, "data": _opaque(UUID)}
    redacted = Redactor({}).request(Request("POST", "https://x/v1/messages", (), Json({"messages": [block]})))
    assert redacted.json["messages"][0]["type"] == kind


@pytest.mark.parametrize("form", ["16 bytes", "bare", "bare, capitals"])
def test_a_known_organization_is_found_as_programs_write_it(form: str) -> None:
    bare = UUID.replace("-", "")
    clear = {"16 bytes": bytes.fromhex(bare), "bare": bare.encode(), "bare, capitals": bare.upper().encode()}[form]
    noise = random.Random(7).randbytes(60)
    signature = base64.b64encode(noise + b"\x0a\x10" + clear + noise).decode()
    redactor = Redactor()
    assert _redacted(redactor, _block("signature", signature))[0]["signature"] == signature
    redactor.learn_request(Request("POST", "https://x", (("anthropic-organization-id", UUID),)))
    made = _redacted(redactor, _block("signature", signature))[0]["signature"]
    assert found(made) == [made]
    assert len(made) == len(signature)
    assert not redactor.resendable
