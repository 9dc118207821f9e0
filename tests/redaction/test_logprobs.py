"""Tokens with their probabilities: the same text once more, in pieces, and each piece as bytes too."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from convo_replay.exchange import Chunk, End, Head
from convo_replay.redaction import Redactor

KEY = "sk-ant-api03-" + "Ex4mple" * 5
KNOWN = "pässwörd-😀-tiger"
NAME = "redacted-anthropic-key-1"


def _tokens(text: str, seed: int = 1) -> list[bytes]:
    """The text's bytes in pieces of one to five."""
    rest, noise, made = text.encode(), random.Random(seed), []
    while rest:
        size = noise.randint(1, 5)
        made.append(rest[:size])
        rest = rest[size:]
    return made


def _shown(token: bytes) -> str:
    """As the API writes a token that ends inside a character."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in token)


def _entry(token: bytes, *, bytes_too: bool = True) -> dict[str, Any]:
    def one(data: bytes) -> dict[str, Any]:
        return {"token": _shown(data), "logprob": -0.5, **({"bytes": list(data)} if bytes_too else {})}

    return {**one(token), "top_logprobs": [one(token), one(token + b"x9"), one(b"other")]}


def _chat(tokens: list[bytes], *, stream: bool, field: str = "content") -> dict[str, Any]:
    text = b"".join(tokens).decode("utf-8", "ignore")
    held = {"delta" if stream else "message": {"role": "assistant", field: text}}
    return {"choices": [{"index": 0, **held, "logprobs": {field: [_entry(token) for token in tokens]}}]}


def _responses(tokens: list[bytes], *, stream: bool) -> dict[str, Any]:
    text, entries = b"".join(tokens).decode("utf-8", "ignore"), [_entry(token) for token in tokens]
    if stream:
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        return {"type": "response.output_text.delta", **place, "delta": text, "logprobs": entries}
    return {"output": [{"content": [{"type": "output_text", "text": text, "logprobs": entries}]}]}


def _completion(tokens: list[bytes], *, stream: bool) -> dict[str, Any]:
    texts = [token.decode("utf-8", "ignore") for token in tokens]
    offsets = [sum(map(len, texts[:at])) for at in range(len(texts))]
    lists = {
        "tokens": texts,
        "token_logprobs": [-0.5] * len(texts),
        "top_logprobs": [{text: -0.5, f"{text}x9": -2, "other": -3} for text in texts],
        "text_offset": offsets,
    }
    return {"choices": [{"index": 0, "text": "".join(texts), "logprobs": lists}]}


def _gemini(tokens: list[bytes], *, stream: bool) -> dict[str, Any]:
    chosen = [{"token": _shown(token), "tokenId": 7000 + at, "logProbability": -1} for at, token in enumerate(tokens)]
    tops = [{"candidates": [one, {"token": one["token"] + "x9", "tokenId": 1, "logProbability": -2}]} for one in chosen]
    parts = [{"text": b"".join(tokens).decode("utf-8", "ignore")}]
    result = {"chosenCandidates": chosen, "topCandidates": tops}
    return {"candidates": [{"content": {"parts": parts, "role": "model"}, "logprobsResult": result}]}


SHAPES = {"chat": _chat, "responses": _responses, "completion": _completion, "gemini": _gemini}


def _played(redactor: Redactor, raws: list[bytes], type: str = "text/event-stream") -> list[bytes]:
    steps = redactor.steps((Head(200, (("content-type", type),)), *[Chunk(0, raw) for raw in raws], End()))
    return [step.data for step in steps if isinstance(step, Chunk)]


def _told(value: Any) -> list[str]:
    """The chosen tokens of an answer, and that their bytes and alternatives agree with them."""
    told: list[str] = []
    if isinstance(value, dict):
        if "tokens" in value:
            told += value["tokens"]
            assert all(token in tops for token, tops in zip(value["tokens"], value["top_logprobs"], strict=True))
        elif "token" in value:
            told.append(value["token"])
            if "bytes" in value:
                assert value["token"] == _shown(bytes(value["bytes"]))
        else:
            told += [text for key, held in value.items() if key != "topCandidates" for text in _told(held)]
    elif isinstance(value, list):
        told += [text for held in value for text in _told(held)]
    return told


@pytest.mark.parametrize("how", [{}, {"separators": (",", ":")}, {"indent": 2}], ids=["spaced", "compact", "indented"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer(shape: str, how: dict[str, Any]) -> None:
    text = f"it is {KEY}, yes"
    value = SHAPES[shape](_tokens(text), stream=False)
    (made,) = _played(Redactor(), [json.dumps(value, **how).encode()], "application/json")
    assert "".join(_told(json.loads(made))) == f"it is {NAME}, yes"
    if "indent" not in how:
        assert made.decode() == json.dumps(json.loads(made), **how)
    for piece in (KEY[4:10], *(KEY[at : at + 6] for at in range(13, 20))):
        assert piece not in made.decode()
    # Alternatives stay where the text did, and only there.
    assert 0 < made.count(b'x9"') < json.dumps(value).count('x9"') - 8
    assert Redactor().steps((Head(200), Chunk(0, made), End()))[1] == Chunk(0, made)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_a_stream_one_token_an_event(shape: str, seed: int) -> None:
    text = f"it is {KEY}, yes"
    raws = [
        b"data: " + json.dumps(SHAPES[shape]([token], stream=True)).encode() + b"\n\n" for token in _tokens(text, seed)
    ]
    made = _played(Redactor(), raws)
    assert len(made) == len(raws)
    assert "".join("".join(_told(json.loads(raw[6:]))) for raw in made) == f"it is {NAME}, yes"
    assert [raw for raw, was in zip(made, raws, strict=True) if raw == was]


@pytest.mark.parametrize("seed", range(8))
def test_a_secret_whose_characters_stand_over_tokens(seed: int) -> None:
    """Tokens may end inside a character; then only their bytes say what they are."""
    value = _chat(_tokens(f"ö {KNOWN} ö", seed), stream=False)
    (made,) = _played(Redactor(secrets=[KNOWN]), [json.dumps(value).encode()], "application/json")
    entries = json.loads(made)["choices"][0]["logprobs"]["content"]
    assert b"".join(bytes(entry["bytes"]) for entry in entries).decode() == "ö redacted-secret-1 ö"


@pytest.mark.parametrize("stream", [False, True])
def test_a_token_is_no_credential_for_being_called_so(stream: bool) -> None:
    """What looks random stands under `token` wherever an id is told; a comma of the text may be part of it."""
    pieces = [b"It is proj_NGPMFHZLuGcuat", b"XMZ7nQqxI1,", b" noted."]
    values = [_chat([piece], stream=True) for piece in pieces] if stream else [_chat(pieces, stream=False)]
    raws = [(b"data: %s\n\n" if stream else b"%s") % json.dumps(value).encode() for value in values]
    made = _played(Redactor(), raws, *() if stream else ("application/json",))
    told = "".join("".join(_told(json.loads(raw.removeprefix(b"data: ")))) for raw in made)
    assert told == "It is proj_REDACTED1, noted."


def test_a_refusal_and_an_answer_are_apart() -> None:
    value = _chat(_tokens(f"a {KEY[:20]}"), stream=False)
    refusal = _chat(_tokens(f"{KEY[20:]} b"), stream=False, field="refusal")
    value["choices"][0]["logprobs"]["refusal"] = refusal["choices"][0]["logprobs"]["refusal"]
    raw = json.dumps(value).encode()
    assert _played(Redactor(), [raw], "application/json") == [raw]


def test_offsets_count_the_text_that_is_left() -> None:
    value = _completion(_tokens(f"it is {KEY}, yes"), stream=False)
    (made,) = _played(Redactor(), [json.dumps(value).encode()], "application/json")
    lists = json.loads(made)["choices"][0]["logprobs"]
    assert lists["text_offset"] == [sum(map(len, lists["tokens"][:at])) for at in range(len(lists["tokens"]))]


@pytest.mark.parametrize(
    "held",
    [None, 5, [], [1, "a"], {}, {"content": None}, {"tokens": [1]}, {"tokens": ["a"], "top_logprobs": None},
     {"content": [{"token": 5}, {"token": "a", "bytes": None}, {"token": "b", "bytes": [300]}]},
     {"chosenCandidates": [{}], "topCandidates": [5]}],
    ids=repr,
)  # fmt: skip
def test_what_is_written_otherwise_is_read_like_any_value(held: Any) -> None:
    raw = json.dumps({"choices": [{"logprobs": held, "text": KEY, "logprobsResult": held}]}).encode()
    assert _played(Redactor(), [raw], "application/json") == [raw.replace(KEY.encode(), NAME.encode())]
