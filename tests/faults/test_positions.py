"""Positions in a recorded answer: what is counted, and what comes before and after."""

from __future__ import annotations

import pytest

from convo_replay import faults
from convo_replay.exchange import Chunk, End, Exchange, Head
from convo_replay.faults import Where, parse, positions
from fault_recordings import STREAM, asked, body, ended, events, streamed, whole

MIXED = b": hello\n\nevent: ping\ndata: {}\n\n\n: more\n\ndata: 1\ndata: 2\n\nevent: none\n\ndata: last\n\ndata: re"
CUTS = [
    # where, and the body that comes before it
    ("0", b""),
    ("1", b": hello\n\nevent: ping\ndata: {}\n\n"),
    ("2", b": hello\n\nevent: ping\ndata: {}\n\n\n: more\n\ndata: 1\ndata: 2\n\n"),
    ("3", MIXED.removesuffix(b"data: re")),
    ("b0", b""),
    ("b3", b": h"),
    ("b9", b": hello\n\n"),
    (f"b{len(MIXED)}", MIXED),
]


@pytest.mark.parametrize(("place", "before"), CUTS, ids=[place for place, _ in CUTS])
def test_a_position_lies_right_behind_an_event(place: str, before: bytes) -> None:
    exchange = streamed(MIXED)
    first, second = positions.split(exchange.steps, Where.of(place))
    assert body(first) == before
    assert body(second) == MIXED.removeprefix(before)
    assert isinstance(first[0], Head)
    assert ended(second) == ("complete", "")
    assert {step.at for step in (*first, *second)} == {0.0}, "times of the recording are not replayed"


def test_comments_and_rests_are_no_events() -> None:
    assert positions.events(streamed(MIXED)) == 3
    assert positions.size(streamed(MIXED)) == len(MIXED)
    assert positions.events(whole()) == 0
    assert positions.size(whole(b"12345")) == 5


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_line_ends_and_a_bom_count_as_bytes_of_their_event(line_end: bytes) -> None:
    data = b"\xef\xbb\xbf" + events(3).replace(b"\n", line_end)
    first, _ = positions.split(streamed(data).steps, Where.of(1))
    assert body(first) == b"\xef\xbb\xbf" + events(1).replace(b"\n", line_end)


def test_whatever_the_chunks_of_the_recording_are_each_event_is_one() -> None:
    data = events(4)
    chunks = [Chunk(0.0, data[at : at + 7]) for at in range(0, len(data), 7)]
    exchange = Exchange(asked(0), (Head(200, STREAM), *chunks, End()))
    _, after = positions.split(exchange.steps, Where.of(2))
    assert [step.data for step in after if isinstance(step, Chunk)] == [
        events(3)[len(events(2)) :],
        events(4)[len(events(3)) :],
    ]
    assert positions.split(exchange.steps, Where())[0] == ()


def test_a_stream_of_another_type_is_one_all_the_same() -> None:
    head = Head(200, (("content-type", "text/plain"),))
    assert positions.events(Exchange(asked(0), (head, Chunk(0.0, events(3)), End()))) == 3
    assert positions.events(Exchange(asked(0), (head, Chunk(0.0, b"no stream"), End()))) == 0
    assert positions.events(Exchange(asked(0), (End("refused"),))) == 0


@pytest.mark.parametrize("place", ["4", "b9999", "*"])
def test_what_is_beyond_the_body_is_no_position(place: str) -> None:
    with pytest.raises(ValueError, match=r"is no position of a body of 3 events and 78 bytes"):
        positions.split(streamed(3).steps, Where.of(place))


# --- several faults of one attempt ------------------------------------------------------------------

KEPT = [
    # what is asked for, how many events arrive, and the end
    ("cut:eof@2", 2, "complete"),
    ("cut:eof@2+cut:reset@4", 2, "complete"),
    ("cut:reset@4+cut:eof@2", 2, "complete"),
    ("cut:eof@2+cut:reset@2", 2, "complete"),
    ("cut:reset@2+cut:eof@2", 2, "reset"),
    ("drop@0+cut:eof@3", 2, "complete"),
    ("cut:eof@3+drop@0", 2, "complete"),
    ("duplicate@1+cut:eof@4", 5, "complete"),
    ("drop@0+drop@1+drop@2", 2, "complete"),
    ("rechunk+cut:eof@3", 3, "complete"),
    ("crlf+cut:reset@3", 3, "reset"),
    ("cut:eof@b80", 3, "complete"),
    ("cut:eof@b80+drop@0", 2, "complete"),
]


@pytest.mark.parametrize(("text", "count", "kind"), KEPT, ids=[text for text, _, _ in KEPT])
def test_faults_of_one_attempt_do_not_shift_each_other(text: str, count: int, kind: str) -> None:
    (plan,) = parse(text)
    made = positions.apply(plan.specs, streamed(5))
    assert body(made).replace(b"\r", b"").count(b"data:") == count
    assert ended(made)[0] == kind


def test_what_is_written_first_comes_first_at_one_place() -> None:
    (plan,) = parse("error:overloaded_error@2+cut:reset@2")
    made = positions.apply(plan.specs, streamed(5))
    assert b"overloaded_error" in body(made)


def test_an_answer_is_laid_out_once() -> None:
    exchange = streamed(5)
    assert positions.layout(exchange) is positions.layout(exchange)
    assert positions.layout(exchange) is not positions.layout(streamed(5))
    assert positions.apply([faults.Noop().at()], exchange) == positions.layout(exchange).steps
