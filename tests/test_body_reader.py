"""A body read at the cost of what it adds is the body that is read whole."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convo_replay import body_reader
from convo_replay.bodies import body_of
from convo_replay.body_reader import BodyReader
from convo_replay.exchange import Json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["model", "max_tokens", "system", "tools", "messages", "input", "contents"])
WRITERS = [
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"),
    lambda value: json.dumps(value).encode(),
    lambda value: json.dumps(value, indent=2).encode(),
]


@st.composite
def tellings(draw: st.DrawFn) -> list[bytes]:
    """The bodies of a conversation: each a longer history, now and then with something else changed."""
    key = draw(st.sampled_from(["messages", "input", "contents"]))
    head = draw(st.dictionaries(KEYS, VALUES, max_size=2))
    history = draw(st.lists(VALUES, min_size=1, max_size=6))
    bodies = []
    for length in draw(st.lists(st.integers(0, len(history)), min_size=1, max_size=6)):
        tail = draw(st.dictionaries(KEYS, VALUES, max_size=2))
        body = {**head, key: history[:length], **{name: value for name, value in tail.items() if name not in head}}
        bodies.append(draw(st.sampled_from(WRITERS))(body))
    return bodies


@given(tellings())
def test_each_body_is_what_it_is_when_it_is_read_whole(bodies):
    reader = BodyReader()
    for body in bodies:
        read, whole = reader.read(body), body_of(body)
        assert type(read) is type(whole)
        if isinstance(read, Json):
            assert json.dumps(read.value) == json.dumps(whole.value)  # order of keys, 1 and 1.0 and True apart
        else:
            assert read == whole


def compact(value: object) -> bytes:
    return orjson.dumps(value)


def told(n: int, **more: object) -> dict[str, object]:
    messages = [{"role": ("user", "assistant")[i % 2], "content": f"turn {i} ☀️"} for i in range(n)]
    return {"max_tokens": 10, "messages": messages, "model": "m", **more}


def test_only_what_a_request_adds_is_parsed(monkeypatch):
    sizes: list[int] = []
    parse = body_reader.parse_json
    monkeypatch.setattr(body_reader, "parse_json", lambda data: sizes.append(len(data)) or parse(data))
    reader = BodyReader()
    for n in range(1, 400, 2):
        reader.read(compact(told(n)))
    assert len(sizes) == 199  # the first was read whole, elsewhere
    assert max(sizes) < 150


def test_what_is_repeated_is_the_same_object():
    reader = BodyReader()
    first, second = reader.read(compact(told(3))), reader.read(compact(told(5, stream=True)))
    assert isinstance(first, Json)
    assert isinstance(second, Json)
    assert all(a is b for a, b in zip(first.value["messages"], second.value["messages"], strict=False))
    assert second.value["stream"] is True


@pytest.mark.parametrize(
    "body",
    [
        b'{"max_tokens":10,"messages":[{"a":1}],"messages":[]}',
        b'{"max_tokens":10,"messages":[{"a":1},{"b":2}],"max_tokens":11}',
        b'{"max_tokens":10,"messages":[{"a":1}],"model":"m"} trailing',
        b'{"max_tokens":10,"messages":[{"a":1}',
        b'{"max_tokens":10,"messages":[{"a":1}]',
        b'{"max_tokens":10,"messages":[{"a":1},]}',
    ],
    ids=["messages twice", "a head key twice", "trailing", "torn in the list", "torn after it", "trailing comma"],
)
def test_what_is_no_json_document_stays_text_after_one_that_was(body):
    reader = BodyReader()
    reader.read(b'{"max_tokens":10,"messages":[{"a":1}]}')
    assert reader.read(body) == body_of(body)
    assert not isinstance(reader.read(body), Json)


def test_conversations_may_go_on_at_once():
    reader = BodyReader()
    for n in range(1, 20, 2):
        for speaker in range(6):
            body = told(n)
            body["messages"][0] = {"role": "user", "content": f"I am {speaker}"}  # type: ignore[index]
            assert reader.read(compact(body)) == Json(body)
