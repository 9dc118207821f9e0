"""What belongs to one call of a model."""

from __future__ import annotations

import pytest

from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Json, Request, Steps
from convo_replay.providers import Usage
from convo_replay.turns import Grouper, turns, usage

URL = "https://api.anthropic.com/v1/messages"
WHOLE = (
    b'data: {"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":7}}}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)
FIRST = WHOLE.split(b"\n\n")[0] + b"\n\n"
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'


def outcome(
    status: int | None, body: bytes = b"", end: EndKind = "complete", took: float = 0.2, **headers: str
) -> Steps:
    if status is None:
        return (End(end, took),)
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return (Head(status, named, 0.1), *([Chunk(0.1, body)] if body else []), End(end, took))


def exchange(
    steps: Steps, words: str = "hi", url: str = URL, test: str = "", recorded: str = "", **body: object
) -> Exchange:
    messages = [{"role": "user", "content": words}]
    return Exchange(Request("POST", url, (), Json({"model": "m", "messages": messages, **body})), steps, test, recorded)


GOOD = outcome(200, WHOLE, content_type="text/event-stream")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (outcome(408), 1),
        (outcome(409), 1),
        (outcome(429), 1),
        (outcome(500), 1),
        (outcome(529), 1),
        (outcome(401), 1),
        (outcome(403), 1),
        (outcome(400, x_should_retry="true"), 1),
        (outcome(307), 1),
        (outcome(None, end="refused"), 1),
        (outcome(None, end="timeout"), 1),
        (outcome(None, end="cancelled"), 1),
        (outcome(200, end="cancelled"), 1),
        (outcome(200, FIRST, "reset"), 1),
        (outcome(200, FIRST, "truncated"), 1),
        (outcome(200, FIRST), 1),
        (outcome(200, FIRST + ERROR), 1),
        (outcome(200, b"<html>"), 1),
        # An answer: to ask again is another call.
        (GOOD, 2),
        (outcome(400), 2),
        (outcome(404), 2),
        (outcome(413), 2),
        (outcome(200, WHOLE, "reset"), 2),
        (outcome(200, WHOLE, "cancelled"), 2),
        (outcome(200, FIRST, "cancelled"), 2),
        (outcome(200, WHOLE.split(b'data: {"type":"message_stop')[0]), 2),
    ],
)
def test_asked_again_after(steps: Steps, expected: int) -> None:
    found = turns([exchange(steps), exchange(GOOD)])
    assert len(found) == expected
    assert found[-1].response.complete
    assert [turn.index for turn in found] == list(range(expected))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (exchange(GOOD, stream=True, max_tokens=1), 2),
        (exchange(GOOD, words="ho"), 2),
        (exchange(GOOD, test="b"), 2),
        (exchange(GOOD, url="https://gw.example/v1/messages?beta=true"), 1),
        (exchange(GOOD, url="https://gw.example/anthropic/v1/messages"), 2),
    ],
)
def test_only_the_same_question_is_another_attempt(other: Exchange, expected: int) -> None:
    assert len(turns([exchange(outcome(503)), other])) == expected


def test_a_redirect_may_lead_to_another_path() -> None:
    hop = exchange(outcome(307, location="/eu/v1/messages"))
    [turn] = turns([hop, exchange(GOOD, url="https://api.anthropic.com/eu/v1/messages")])
    assert [attempt.status for attempt in turn.attempts] == [307, 200]


def test_attempts_and_answer() -> None:
    calls = [exchange(outcome(429), stream=True), exchange(outcome(200, FIRST, "reset"), stream=True)]
    calls.append(exchange(GOOD, stream=True))
    [turn] = turns(calls)
    assert turn.attempts == tuple(calls)
    assert turn.exchange is calls[-1]
    assert turn.request is calls[-1].request
    assert turn.model == "m"
    assert turn.streamed
    assert turn.response is turn.response
    assert turn.response.usage == Usage(7, 3)
    assert usage([turn]) == Usage(14, 3)


def test_the_model_of_a_url_is_the_answered_one() -> None:
    url = "https://x-aiplatform.googleapis.com/v1/projects/p/publishers/anthropic/models/claude-x:rawPredict"
    request = Request("POST", url, (), Json({"messages": []}))
    [turn] = turns([Exchange(request, GOOD)])
    assert turn.model == "claude-x"


def test_what_generates_nothing_is_no_turn() -> None:
    counting = exchange(GOOD, url=URL + "/count_tokens")
    other = Exchange(Request("GET", "https://example.com/"), GOOD)
    grouper = Grouper()
    assert [grouper.add(each) for each in (counting, other)] == [None, None]
    assert grouper.turns == []


def test_identical_calls_at_once_each_get_their_attempts() -> None:
    at = "2026-11-22T10:00:00.{:03}Z".format
    failing = [exchange(outcome(429, took=0.2), recorded=at(number)) for number in range(1, 21)]
    answered = [exchange(GOOD, recorded=at(600 + number)) for number in range(20)]
    assert [len(turn.attempts) for turn in turns(failing + answered)] == [2] * 20
    assert [len(turn.attempts) for turn in turns(answered + failing)] == [1] * 40
    assert len(turns(answered)) == 20


def test_different_calls_at_once_keep_to_themselves() -> None:
    order = [("a", 429), ("b", 429), ("c", 200), ("b", 503), ("a", 200), ("b", 200)]
    found = turns(exchange(GOOD if status == 200 else outcome(status), words) for words, status in order)
    assert [[attempt.status for attempt in turn.attempts] for turn in found] == [[429, 200], [429, 503, 200], [200]]


def test_an_attempt_does_not_begin_before_the_last_one_ended() -> None:
    slow = exchange(outcome(429, took=30.0), recorded="2026-11-22T10:00:00Z")
    meanwhile = exchange(GOOD, recorded="2026-11-22T10:00:05Z")
    after = exchange(GOOD, recorded="2026-11-22T10:00:31Z")
    assert len(turns([slow, meanwhile])) == 2
    assert len(turns([slow, after])) == 1
    assert [len(turn.attempts) for turn in turns([slow, meanwhile, after])] == [2, 1]


def test_a_retry_within_the_same_millisecond_is_one() -> None:
    refused = exchange(outcome(529, took=0.0009), recorded="2026-11-22T10:00:00.012Z")
    at_once = exchange(GOOD, recorded="2026-11-22T10:00:00.012Z")
    assert [len(turn.attempts) for turn in turns([refused, at_once])] == [2]


def test_one_at_a_time_is_all_at_once() -> None:
    calls = [exchange(steps, words) for words in "abc" for steps in (outcome(429), outcome(None, end="reset"), GOOD)]
    grouper = Grouper()
    given = [grouper.add(call) for call in calls]
    assert grouper.turns == turns(calls)
    assert [turn.index if turn else None for turn in given] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


class Counted(list[object]):
    """A history that counts how often it is compared whole."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]


def test_the_cost_of_an_exchange_does_not_grow_with_the_conversation() -> None:
    history: list[object] = []
    calls = []
    for number in range(300):
        history = [*history, {"role": "user", "content": str(number)}]
        calls.append(Exchange(Request("POST", URL, (), Json({"messages": Counted(history)})), GOOD))
    assert len(turns(calls)) == 300
    assert Counted.compared == 0
