from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.sse import Decoder, Event, received, split
from strategies import stream_bytes

# From WHATWG HTML 9.2.6: bytes, and (event, data) of what a client dispatches.
EXAMPLES = [
    pytest.param(b"data: YHOO\ndata: +2\ndata: 10\n\n", [(None, "YHOO\n+2\n10")], id="lines"),
    pytest.param(b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third", [(None, "first"), (None, "second")], id="rest"),  # noqa: E501
    pytest.param(b"data\n\ndata\ndata\n\ndata:", [(None, ""), (None, "\n")], id="empty data"),
    pytest.param(b"data:test\n\ndata: test\n\n", [(None, "test"), (None, "test")], id="one space"),
    pytest.param(b"event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\r", [("a", "1"), ("b", "2")], id="crlf and cr"),
    pytest.param(b"\xef\xbb\xbfdata: x\n\n", [(None, "x")], id="bom"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: x\n\n", [(None, "a")], id="bom later"),
    pytest.param(b"event: ping\n\n", [], id="no data"),
    pytest.param(b"event: a\nevent: b\ndata: x\n\n", [("b", "x")], id="last event name"),
    pytest.param(b"data: \xff\n\n", [(None, "\ufffd")], id="no utf-8"),
    pytest.param("data: a\u2028b\x85c\n\n".encode(), [(None, "a\u2028b\x85c")], id="other line breaks"),
    pytest.param(b"", [], id="nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "dispatched"), EXAMPLES)
def test_what_a_client_dispatches(body: bytes, dispatched: list[tuple[str | None, str]]) -> None:
    assert [(event.event, event.data) for event in split(body) if event.dispatched] == dispatched


def test_what_a_client_drops_is_kept() -> None:
    comment, blank, rest = split(b": keep-alive\n\n\ndata: cut o")
    assert comment == Event(b": keep-alive\n\n", comment="keep-alive")
    assert blank == Event(b"\n")
    assert rest == Event(b"data: cut o", data="cut o", terminated=False)
    assert not rest.dispatched


@settings(max_examples=300, deadline=None)
@given(stream_bytes, st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_any_chunking_gives_the_same_events_and_the_same_bytes(body: bytes, sizes: list[int]) -> None:
    decoder, events, rest = Decoder(), [], body
    for size in sizes:
        events += decoder.feed(rest[:size])
        rest = rest[size:]
    events += [*decoder.feed(rest), *decoder.finish()]
    assert events == split(body)
    assert b"".join(event.raw for event in events) == body


def of_split(body: bytes) -> list[tuple[str | None, str | None]]:
    return [
        (each.event, each.data) for each in split(body) if each.terminated and (each.event, each.data) != (None, None)
    ]


@pytest.mark.parametrize("body", [example.values[0] for example in EXAMPLES], ids=[str(e.id) for e in EXAMPLES])
def test_what_is_received_in_haste_is_what_split_says(body: bytes) -> None:
    assert received(body) == of_split(body)


@settings(max_examples=300, deadline=None)
@given(stream_bytes)
def test_what_is_received_in_haste_is_what_split_says_of_any_bytes(body: bytes) -> None:
    assert received(body) == of_split(body)
    assert received(body.replace(b"\r", b"\n")) == of_split(body.replace(b"\r", b"\n"))


def test_an_event_is_there_with_its_last_byte() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\n") == []
    assert [event.data for event in decoder.feed(b"\n")] == ["1"]
    assert decoder.feed(b"data: 2\r\n\r") == []
    assert [event.data for event in decoder.feed(b"\n")] == ["2"]
