"""A conversation costs what is new in each turn, on disk and in memory."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convo_replay.cassette import Cassette, dump, loads, stored
from convo_replay.errors import CassetteError
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request

TOOLS = [{"name": "get_weather", "input_schema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}}]


def _exchange(body: Any, test: str = "t.py::t") -> Exchange:
    return Exchange(Request("POST", "http://h/v1/messages", (), Json(body)), (Head(200), End()), test=test)


def _turns(count: int, words: int = 40) -> list[Exchange]:
    made, messages, dice = [], [{"role": "user", "content": "hello"}], random.Random(count)
    for turn in range(count):
        reply = " ".join(dice.choice(["sun", "rain", "☀️", "Paris,"]) for _ in range(words))
        made.append(_exchange({"model": "m", "tools": TOOLS, "messages": messages}))
        messages = [
            *messages,
            {"role": "assistant", "content": reply},
            {"role": "user", "content": f"and {turn}?\nyes"},
        ]
    return made


def _roundtrip(made: list[Exchange]) -> tuple[str, list[Exchange]]:
    text = dump(Cassette(exchanges=made)).text
    loaded = loads(text, "c.yaml").exchanges
    assert loaded == [stored(exchange) for exchange in made]
    return text.decode(), loaded


def test_messages_are_written_once_and_are_the_same_objects() -> None:
    text, loaded = _roundtrip(_turns(5))
    assert text.count("hello") == 1
    assert text.count("get_weather") == 1
    assert text.count("$base: -1") == 4
    first, last = loaded[0].request.json, loaded[-1].request.json
    assert last["messages"][0] is first["messages"][0]
    assert last["tools"] is first["tools"]


def test_size_is_proportional() -> None:
    sizes = {count: len(_roundtrip(_turns(count))[0]) for count in (50, 200)}
    assert sizes[200] == pytest.approx(4 * sizes[50], rel=0.05)


def test_the_longest_prefix_wins_over_the_nearest_and_stays_in_its_test() -> None:
    a, b, c = ({"role": "user", "content": word} for word in "abc")
    bodies = [{"messages": [a, b]}, {"messages": [a]}, {"messages": [a, b, c]}]
    text, _ = _roundtrip([_exchange(body) for body in bodies])
    assert "$base: -2\n        $keep: 2" in text
    text, _ = _roundtrip([_exchange(bodies[0], "one"), _exchange(bodies[2], "two")])
    assert "$base" not in text


@pytest.mark.parametrize("key", ["messages", "input", "contents"])
def test_keys_added_changed_dropped(key: str) -> None:
    turn = {"role": "user", "content": "a"}
    base = {"model": "m", "system": "s", "n": 1, key: [turn, turn]}
    after = {"n": True, "$literal": {"$$deep": 1}, key: [turn], "model": "m"}
    text, loaded = _roundtrip([_exchange(base), _exchange(after)])
    assert "$drop: [system]" in text
    assert "$$literal: {$$$deep: 1}" in text
    assert repr(loaded[1].request.json["n"]) == "True"


def test_a_message_that_only_gained_cache_control_is_written_again() -> None:
    one, two = (
        {"role": "user", "content": "a"},
        {"role": "user", "content": "a", "cache_control": {"type": "ephemeral"}},
    )
    text, _ = _roundtrip([_exchange({"messages": [one]}), _exchange({"messages": [two]})])
    assert "$base" not in text


@pytest.mark.parametrize("body", [{"$base": -1}, {"$keep": 2, "messages": []}, {"$": 1, "$$": 2, "a": [{"$x": 1}]}])
def test_literal_dollar_keys(body: Any) -> None:
    _roundtrip([_exchange({"messages": [1]}), _exchange(body)])


BAD_BASES = [
    ("$base: -2\n        $keep: 1", r"exchanges\[1\].request.json.\$base: expected -1, got -2: so far from here there"),
    ("$base: 0\n        $keep: 1", "there is no exchange"),
    ("$base: 1\n        $keep: 1", "there is no exchange"),
    ("$base: x\n        $keep: 1", "expected a whole number, got text"),
    ("$base: -1\n        $keep: 9", r"\$keep: 9, but that exchange has 1 messages"),
    ("$base: -1\n        $keep: -1", "expected the number of messages kept"),
    ("$base: -1\n        $keep: 1\n        $drop: x", "expected a list of keys"),
    ("$base: -1\n        $keep: 1\n        $drap: [x]", "a literal key is written"),
    ("$keep: 1", r"\$base: missing"),
]


@pytest.mark.parametrize(("written", "reason"), BAD_BASES)
def test_a_base_that_cannot_be(written: str, reason: str) -> None:
    text = dump(Cassette(exchanges=_turns(2))).text.decode()
    broken = text.replace("$base: -1\n        $keep: 1", written)
    assert broken != text
    with pytest.raises(CassetteError, match=reason) as caught:
        loads(broken.encode(), "c.yaml")
    assert caught.value.line is not None
    assert "$" in broken.splitlines()[caught.value.line - 1] or "json" in broken.splitlines()[caught.value.line - 1]


def test_a_base_in_another_test_or_without_messages() -> None:
    text = dump(Cassette(exchanges=_turns(2))).text.decode()
    first, second = text.split("  - test: ")[1:]
    with pytest.raises(CassetteError, match="belongs to another test"):
        loads(text.replace(second, second.replace("t.py::t", "t.py::u", 1)).encode(), "c")
    with pytest.raises(CassetteError, match="expected a request with JSON, that of"):
        loads(
            text.replace(first, first[: first.index("json:")] + "text: x\n" + "    response: {status: 200}\n").encode(),
            "c",
        )


def test_chunks_of_a_stream_are_in_stored_form() -> None:
    head = Head(200, (("Content-Type", "text/event-stream"), ("A", "1"), ("b", "2"), ("a", "3")), 0.1004, "OK, then")
    steps = (head, Chunk(0.2, b"data: 1\n"), Chunk(0.3, b"\ndata: 2\n\nda"), Chunk(0.25, b"ta"), End("reset", 0.1))
    made = stored(Exchange(Request("GET", "u"), steps))
    assert made.steps == (
        Head(200, (("content-type", "text/event-stream"), ("a", "1"), ("a", "3"), ("b", "2")), 0.1, "OK, then"),
        Chunk(0.3, b"data: 1\n\n"),
        Chunk(0.3, b"data: 2\n\n"),
        Chunk(0.3, b"data"),
        End("reset", 0.3),
    )
