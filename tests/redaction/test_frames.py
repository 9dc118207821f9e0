"""Bedrock's frames: read, searched like any stream, and built anew so that a reader's checksums fit."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest

from convo_replay.cassette import load
from convo_replay.exchange import Chunk, End, Head, Steps
from convo_replay.redaction import Redactor, frames
from convo_replay.redaction.frames import Header
from corpus import CORPUS, index, needs_corpus

KEY = "sk-ant-api03-" + "Ex4mple" * 5
TYPE = "application/vnd.amazon.eventstream"


def _frame(value: Any, kind: str = "chunk", **more: str) -> bytes:
    given = {":event-type": kind, ":content-type": "application/json", ":message-type": "event", **more}
    payload = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return frames.build(tuple(Header(name, 7, text.encode()) for name, text in given.items()), payload).raw


def _carried(event: dict[str, Any]) -> dict[str, str]:
    return {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcdefgh"}


def _anthropic(piece: str) -> bytes:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    return _frame(_carried(delta))


def _nova(piece: str, index: int = 0) -> bytes:
    return _frame(_carried({"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": index}}))


def _converse(piece: str, index: int = 0) -> bytes:
    return _frame({"contentBlockIndex": index, "delta": {"text": piece}, "p": "abc"}, "contentBlockDelta")


def _tool(piece: str, index: int = 0) -> bytes:
    return _frame({"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}, "p": ""}, "contentBlockDelta")


def _redacted(raws: Sequence[bytes], redactor: Redactor | None = None) -> bytes:
    steps: Steps = (Head(200, (("content-type", TYPE),)), *[Chunk(0, raw) for raw in raws], End())
    return b"".join(step.data for step in (redactor or Redactor()).steps(steps) if isinstance(step, Chunk))


def _said(body: bytes) -> list[str]:
    """The text of each frame of a body, which has nothing but whole frames."""
    parsed = frames.parse(body)
    assert parsed is not None
    assert parsed[1] == b""
    told = []
    for frame in parsed[0]:
        value = json.loads(frame.payload)
        value = json.loads(base64.b64decode(value["bytes"])) if "bytes" in value else value
        delta = value.get("contentBlockDelta", value)["delta"]
        told.append(delta["toolUse"]["input"] if "toolUse" in delta else delta["text"])
    return told


GRAMMARS = {"invoke": _anthropic, "invoke, another model": _nova, "converse": _converse}


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_secret_split_anywhere_is_one_secret(grammar: str) -> None:
    text = f"it is {KEY} é."
    for cut in range(len(text) + 1):
        raws = [GRAMMARS[grammar](piece) for piece in (text[:cut], text[cut:])]
        body = _redacted(raws)
        assert "".join(_said(body)) == "it is redacted-anthropic-key-1 é."
        assert _redacted([body]) == body


def test_the_frame_that_is_not_touched_stays_byte_for_byte() -> None:
    raws = [_anthropic("before "), _anthropic(KEY[:9]), _anthropic(KEY[9:]), _anthropic(" after")]
    made = _redacted(raws)
    assert made.startswith(raws[0])
    assert made.endswith(raws[3])
    assert _said(made) == ["before ", "redacted-anthropic-key-1", "", " after"]


def test_a_text_whose_deltas_are_counted_as_blocks() -> None:
    assert _said(_redacted([_nova(KEY[:20], 0), _nova(KEY[20:], 1)])) == ["redacted-anthropic-key-1", ""]


def test_tools_are_apart() -> None:
    same = _redacted([_tool(json.dumps({"k": KEY})[:20], 1), _tool(json.dumps({"k": KEY})[20:], 1)])
    assert json.loads("".join(_said(same))) == {"k": "redacted-anthropic-key-1"}
    raws = [_tool(KEY[:20], 1), _tool(KEY[20:], 2)]
    assert _redacted(raws) == b"".join(raws)


def test_headers_and_payloads_of_any_kind_are_searched() -> None:
    error = _frame({"message": f"bad key {KEY}"}, **{":error-message": f"bad {KEY}"})
    parsed = frames.parse(_redacted([error, _frame(b"plain " + KEY.encode()), _frame(b"\xff" + KEY.encode())]))
    assert parsed is not None
    name = "redacted-anthropic-key-1"
    assert [frame.payload for frame in parsed[0]] == [
        json.dumps({"message": f"bad key {name}"}, separators=(",", ":")).encode(),
        f"plain {name}".encode(),
        b"\xff" + name.encode(),
    ]
    assert parsed[0][0].text(":error-message") == f"bad {name}"


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_headers_of_every_type_survive(kind: int) -> None:
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: 300, 7: 5, 8: 8, 9: 16}
    given = (Header("a", kind, b"x" * sizes[kind]), Header(":event-type", 7, b"chunk"))
    frame = frames.build(given, KEY.encode())
    assert frames.parse(frame.raw) == ([frame], b"")
    parsed = frames.parse(_redacted([frame.raw]))
    assert parsed is not None
    assert parsed[0][0].headers == given


def test_what_was_cut_is_searched_as_bytes() -> None:
    whole, cut = _converse("a"), _frame({"message": KEY, "more": "x" * 50})[:-9]
    made = _redacted([whole, cut])
    assert made.startswith(whole)
    assert KEY.encode() not in made
    assert b"redacted-anthropic-key-1" in made
    assert frames.parse(whole + cut) == (frames.parse(whole)[0], cut)  # type: ignore[index]


def test_what_was_cut_begins_like_a_frame() -> None:
    whole, cut = _converse("a"), bytearray(_converse("b")[:-9])
    cut[2] ^= 1
    assert frames.parse(whole + bytes(cut)) is None


@pytest.mark.parametrize("at", [0, 5, 9, 13, 60, -1])
def test_a_wrong_checksum_is_no_frame(at: int) -> None:
    raw = bytearray(_converse(KEY) + _converse("b"))
    raw[at] ^= 1
    assert frames.parse(bytes(raw)) is None
    assert KEY.encode() not in _redacted([bytes(raw)])


@pytest.mark.parametrize(
    "body",
    [b"", b"\0" * 12, b"data: x\n\n", b"\x7fELF" + bytes(40), (16).to_bytes(4, "big") + b"\0" * 20],
)
def test_other_bytes_are_no_frames(body: bytes) -> None:
    assert frames.parse(body) is None
    assert not frames.begins(body)


@pytest.mark.parametrize("head", [b"\x05a", b"\x01a\x07\x00", b"\x01a\x07\x00\x09b", b"\x01a\x63", b"\x01a\x09abc"])
def test_headers_that_make_no_sense_make_no_frame(head: bytes) -> None:
    start = (16 + len(head)).to_bytes(4, "big") + len(head).to_bytes(4, "big")
    raw = start + crc32(start).to_bytes(4, "big") + head
    assert frames.parse(raw + crc32(raw).to_bytes(4, "big")) is None


@needs_corpus
def test_recorded_frames_are_rebuilt_byte_for_byte() -> None:
    bodies = 0
    assert CORPUS is not None
    for row in index("vcrpy-yaml"):
        if b"vnd.amazon.eventstream" not in (CORPUS / row["path"]).read_bytes():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exchanges = load(CORPUS / row["path"]).exchanges
        for exchange in exchanges:
            if exchange.content_type != TYPE:
                continue
            bodies += 1
            parsed = frames.parse(exchange.body)
            assert parsed is not None, row["path"]
            found, rest = parsed
            assert rest == b""
            assert [frames.build(frame.headers, frame.payload) for frame in found] == found
            redacted = frames.parse(_redacted([exchange.body]))
            assert redacted is not None
            assert len(redacted[0]) == len(found)
    assert bodies > 80
