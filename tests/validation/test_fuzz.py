"""Nothing that comes over the wire makes validation raise, and nothing makes it walk in squares.

`CONVO_CORPUS_ALL=1` tries 10,000 requests and streams instead of a few hundred, `CONVO_FUZZ_SEED=7` others.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import convo_replay
from benchmarks import validated
from convo_replay import checking
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.reporting.findings import broken_answer, invalid_turn, told
from convo_replay.validation.catalogue import all_rules
from convo_replay.validation.findings import SEVERITIES

ALL = bool(os.environ.get("CONVO_CORPUS_ALL"))
SEED = int(os.environ.get("CONVO_FUZZ_SEED", "0"))


def few(number: int) -> Callable[[Any], Any]:
    """So many examples, the same in every run; and all of 10,000 where that was asked for."""
    examples = 10_000 if ALL else number
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

    def decorate(test: Any) -> Any:
        limited = settings(
            max_examples=examples, deadline=None, database=None, derandomize=not SEED, suppress_health_check=quiet
        )(test)
        return seed(SEED)(limited) if SEED else limited

    return decorate


# --- what is mutated -------------------------------------------------------------------------------

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
CACHED = {"cache_control": {"type": "ephemeral"}}
TOOLS = [*validated.TOOLS[:1], {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]
ANSWER = [
    {"type": "thinking", "thinking": "A tool knows it.", "signature": validated.SIGNATURE},
    {"type": "redacted_thinking", "data": "b3BhcXVl"},
    {"type": "text", "text": "I look."},
    {"type": "tool_use", "id": "toolu_01A", "name": "read_file", "input": {"path": "a", "query": "b"}},
    {"type": "server_tool_use", "id": "srvtoolu_01A", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01A", "content": []},
]
TURN_1: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "What is in a?", **CACHED}, IMAGE]}]
TURN_2: list[Any] = [
    *TURN_1,
    {"role": "assistant", "content": ANSWER},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01A", "content": [{"type": "text", "text": "b"}, IMAGE]},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "c"}},
            {"type": "text", "text": "go on", "citations": None},
        ],
    },
    {"role": "system", "content": "Be brief."},
]
TURN_3 = [*TURN_2[:-1], {"role": "assistant", "content": "It holds b."}, {"role": "user", "content": "Thank you"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CHAT_1: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "go"}]
CHAT_2: list[Any] = [
    *CHAT_1,
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "x"},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "1"}]},
]
CHAT_TOOLS = [{"type": "function", "function": {"name": "f", "parameters": validated.SCHEMA, "strict": True}}]
MESSAGE = {
    "id": "msg_01", "type": "message", "role": "assistant", "model": validated.MODEL, "content": ANSWER,
    "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
COMPLETION = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5.5",
    "choices": [{"index": 0, "message": CHAT_2[2], "finish_reason": "tool_calls", "logprobs": None}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
PIECES = [
    {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None},
    {"index": 0, "delta": {"tool_calls": [{"index": 0, **CALL}]}, "finish_reason": None},
    {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": " "}}]}, "finish_reason": None},
    {"index": 0, "delta": {}, "finish_reason": "tool_calls"},
]
CHUNKS = [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [p]} for p in PIECES]


def asked(messages: list[Any], **more: Any) -> dict[str, Any]:
    return validated.asked(messages, **{"tools": TOOLS, **more})


CONVERSATIONS: list[dict[str, Any]] = [
    {
        "url": validated.MESSAGES,
        "headers": [["anthropic-version", "2026-10-21"], ["anthropic-beta", "x-2026-01-01,y"]],
        "turns": [
            [asked(TURN_1), 200, validated.streamed(ANSWER[:4], "tool_use")],
            [asked(TURN_2, system=[{"type": "text", "text": "s", **CACHED}]), 200, MESSAGE],
            [asked(TURN_3, thinking={"type": "adaptive"}, tool_choice={"type": "any"}), 400, {"error": {}}],
        ],
    },
    {
        "url": validated.MESSAGES + "?beta=true",
        "headers": [["anthropic-version", "2023-06-01"]],
        "turns": [
            [asked(TURN_1, temperature=1, container="c", context_management={"edits": []}), 200, MESSAGE],
            [asked(TURN_2, mcp_servers=[], metadata={"user_id": "u"}), 200, validated.streamed(ANSWER)],
        ],
    },
    {
        "url": validated.CHAT,
        "headers": [],
        "turns": [
            [{"model": "gpt-5.5", "messages": CHAT_1, "tools": CHAT_TOOLS, "stream": True}, 200, [*CHUNKS, "[DONE]"]],
            [{"model": "deepseek-chat", "messages": CHAT_2, "n": 2}, 200, COMPLETION],
            [{"model": "o1-mini", "messages": [*CHAT_2, CHAT_2[2]]}, 200, COMPLETION],
        ],
    },
]

DEEP: Any = 1
for _ in range(180):  # what a cassette may hold
    DEEP = [DEEP] if _ % 2 else {"content": DEEP}
HOSTILE = [
    None, True, False, 0, -1, 1.5, 10**30, -(10**30), float("nan"), float("inf"), "", " ", "\x00", "\ud800", "☀️" * 50,
    [], {}, [[]], [None], {"": None}, {"type": None}, {"type": []}, {"type": "text"}, {"type": "tool_use"}, {"role": 7},
    {"type": "tool_result", "tool_use_id": {}}, {"$ref": "#"}, {"$ref": "#/properties/a"}, {"$ref": "http://x/y"},
    {"type": "object", "properties": {"a": {"$ref": "#"}}}, {"pattern": "(a+)+$"}, {"pattern": "("}, {"enum": 7},
    "a" * 5000, [1] * 300, {f"k{at}": at for at in range(100)}, DEEP, "toolu_01A", "call_1", "assistant", "system",
    "claude-3-5-haiku-20241022", "claude-opus-4-7", "claude-", "gpt-", "error", "ping", "message_stop", "[DONE]",
    "content_block_delta", "thinking", "redacted_thinking", "tool_result", "document", "compaction", "ephemeral",
]  # fmt: skip
KEYS = ("type", "role", "content", "id", "index", "delta", "$ref", "cache_control", "", "a.b[0]", "\ud800", "☀️")

Places = list[tuple[Any, Any]]


def places(value: Any) -> Places:
    """Each container with each of its keys, of a JSON value."""
    found: Places = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys: Any = one if isinstance(one, dict) else range(len(one))
        for key in keys:
            found.append((one, key))
            if isinstance(one[key], (dict, list)):
                waiting.append(one[key])
    return found


def put(container: Any, key: Any, value: Any) -> None:
    container[key] = value


def drop(container: Any, key: Any, _value: Any) -> None:
    del container[key]


def twice(container: Any, key: Any, _value: Any) -> None:
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))


def added(container: Any, key: Any, value: Any) -> None:
    if isinstance(container, list):
        container.insert(key, value)
    else:
        container[KEYS[len(str(key)) % len(KEYS)]] = value


def moved(container: Any, key: Any, _value: Any) -> None:
    if isinstance(container, list):
        container.append(container.pop(key))
    else:
        container[KEYS[len(container) % len(KEYS)]] = container.pop(key)


def wrapped(container: Any, key: Any, _value: Any) -> None:
    container[key] = [container[key]] if isinstance(container[key], dict) else {"type": container[key]}


Change = tuple[Callable[[Any, Any, Any], None], int, Any]
changes: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(
        st.sampled_from([put, put, drop, twice, added, moved, wrapped]),
        st.integers(0, 1 << 20),
        st.sampled_from(HOSTILE),
    ),
    min_size=1,
    max_size=5,
)


MATTERS = frozenset({
    "type", "role", "content", "id", "name", "index", "delta", "input", "arguments", "tool_calls", "tool_use_id",
    "tool_call_id", "finish_reason", "stop_reason", "usage", "model", "thinking", "system", "tools", "tool_choice",
    "cache_control", "choices", "message", "content_block", "function", "source",
})  # fmt: skip
"""Keys that much hangs on: every other change is at one of them."""


def changed(value: Any, how: list[Change]) -> Any:
    """A copy with all changes, each at one place."""
    value = copy.deepcopy(value)
    for change, number, hostile in how:
        there = places(value)
        if number % 2:
            there = [place for place in there if place[1] in MATTERS] or there
        if there:
            change(*there[number * 2654435761 % len(there)], copy.deepcopy(hostile))
    return value


def exchanges(conversation: dict[str, Any]) -> Iterator[Exchange]:
    """Whatever is left of a conversation, as exchanges. What HTTP itself forbids does not come as it is."""
    url = conversation.get("url")
    headers = [
        (str(pair[0]).lower(), str(pair[1]))
        for pair in _items(conversation.get("headers"))
        if isinstance(pair, list) and len(pair) == 2
    ]
    for turn in _items(conversation.get("turns")):
        body, status, answer = (*_items(turn), None, None, None)[:3]
        request = Request("POST", url if isinstance(url, str) else "https://x/v1/messages", tuple(headers), Json(body))
        status = status if isinstance(status, int) and 100 <= status < 600 else 200
        if isinstance(answer, list):
            yield validated.exchange(body, answer, url=request.url)
        head = Head(status, (("content-type", "application/json"),))
        yield Exchange(request, (head, Chunk(0.1, _bytes(answer)), End()))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def validate(given: list[Exchange]) -> None:
    """Validates them, and says what was found in every way there is."""
    found = checking.findings(given)
    for finding in found:
        assert finding.rule != "validation-failed", finding.message
        assert finding.rule in all_rules(), f"{finding.rule} is in no catalogue"
        assert finding.severity in SEVERITIES
        assert max(len(finding.message), len(finding.api_error)) <= 2000, finding.rule
        json.dumps(finding.to_json())
    if found:
        text = invalid_turn("turns[0]", "POST https://x", found) + broken_answer("turns[0]", "POST https://x", found)
        assert "\n\n" not in text
        told(found)


@few(50)
@given(conversation=st.sampled_from(CONVERSATIONS), how=changes)
def test_no_request_and_no_answer_makes_it_raise(conversation: dict[str, Any], how: list[Change]) -> None:
    validate(list(exchanges(changed(conversation, how))))


ODD: list[Any] = [[], {}, None, 7, "x", True, "\ud800", [None], {"type": []}]


@pytest.mark.parametrize("at", range(len(CONVERSATIONS)))
def test_no_value_at_any_place_makes_it_raise(at: int) -> None:
    """Each place of a conversation once; all places with all values where that was asked for."""
    number = len(places(CONVERSATIONS[at]))
    for place in range(0, number, 1 if ALL else 29):
        for odd in ODD if ALL else ODD[place % len(ODD) :][:1]:
            conversation = copy.deepcopy(CONVERSATIONS[at])
            container, key = places(conversation)[place]
            container[key] = odd
            validate(list(exchanges(conversation)))


# --- streams, by their bytes -----------------------------------------------------------------------

STREAMS = [
    validated.exchange(validated.asked(TURN_1), validated.streamed(ANSWER[:4], "tool_use")),
    validated.exchange(validated.asked(TURN_1), validated.streamed([ANSWER[2]])),
    validated.exchange({"model": "m", "messages": CHAT_1}, [*CHUNKS, "[DONE]"], url=validated.CHAT),
]
BYTES = [
    b"", b"\n", b"\n\n", b"\r\n\r\n", b"\r", b"data: ", b"data:\n\n", b"data: null\n\n", b"data: [DONE]\n\n",
    b": x\n\n",
    b"event: error\ndata: {}\n\n", b"event: error\n\n", b"event: ping\n\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00",
    b"\x1f\x8b\x08",
    b'data: {"error": {"message": "x"}}\n\n', b"data: 7\n\n", b'data: "x"\n\n', b"data: []\n\n", b"<html>", b"{}",
    b"data: " + b"[" * 2000 + b"\n\n", b"data: {\n\n", b"data: 1e999\n\n", b'data: "\xed\xa0\x80"\n\n',
    b"id: 1\nretry: x\n",
    b'data: {"type": "message_stop"}\n\n', b'event: message_start\ndata: {"type": "message_start"}\n\n', b"x" * 5000,
]  # fmt: skip
Edit = tuple[str, int, int, bytes]
edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.sampled_from(["events", "events", "bytes", "drop event", "twice", "swap", "cut"]),
        st.integers(0, 1 << 20),
        st.integers(0, 60),
        st.one_of(st.sampled_from(BYTES), st.binary(max_size=6)),
    ),
    min_size=1,
    max_size=4,
)
ENDS: list[Any] = ["complete", "complete", "truncated", "reset", "timeout", "cancelled", "undecodable"]
TYPES = ["text/event-stream", "text/event-stream; charset=utf-8", "application/json", "text/html", ""]


def edited(body: bytes, how: list[Edit]) -> bytes:
    """The bytes of a stream after all edits, each between two events or anywhere."""
    for kind, number, length, data in how:
        parts = body.split(b"\n\n")
        at, byte = number % len(parts), number % (len(body) + 1)
        if kind == "bytes":
            body = body[:byte] + data + body[byte + length :]
            continue
        if kind == "cut":
            body = body[:byte]
            continue
        if kind == "events":
            parts[at] = data
        elif kind == "drop event":
            del parts[at]
        elif kind == "twice":
            parts.insert(at, parts[at])
        else:
            other = length % len(parts)
            parts[at], parts[other] = parts[other], parts[at]
        body = b"\n\n".join(parts)
    return body


@few(60)
@given(
    one=st.sampled_from(STREAMS), how=edits, end=st.sampled_from(ENDS), kind=st.sampled_from(TYPES),
    status=st.sampled_from([200, 200, 200, 201, 304, 400, 529]),
)  # fmt: skip
def test_no_stream_makes_it_raise(one: Exchange, how: list[Edit], end: Any, kind: str, status: int) -> None:
    body = edited(one.body, how)
    head = Head(status, (("content-type", kind),) if kind else ())
    validate([Exchange(one.request, (head, Chunk(0.1, body), End(end, 1.0)))])


@pytest.mark.parametrize("steps", [(), (End("refused"),), (Head(200), End()), (Head(204), End("complete", 1.0))])
def test_no_answer_at_all(steps: Any) -> None:
    validate([Exchange(STREAMS[0].request, steps)])


# --- squares ---------------------------------------------------------------------------------------

PACKAGE = os.path.dirname(convo_replay.__file__)  # noqa: PTH120 -- compared with a code object's file name
SMALL = {"turns": 6, "branches of one beginning": 10, "answers to one request": 10}
"""What one, two and four times as much is counted of, where it is not 30."""


def steps(work: Callable[[], Any]) -> int:
    """How many instructions of ours run, loops inside of a line included: the same on a machine of any speed."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if event == "call":
            if not frame.f_code.co_filename.startswith(PACKAGE):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("kind", validated.KINDS)
def test_twice_as_much_is_twice_the_work(kind: str) -> None:
    small = SMALL.get(kind, 30)
    made = [validated.KINDS[kind](number) for number in (small, 2 * small, 4 * small)]
    steps(lambda: checking.findings(made[0]))  # reads what is read once; Python 3.12 counts from the second time on
    one, two, four = (steps(lambda given=given: checking.findings(given)) for given in made)
    assert four - two <= 2.2 * (two - one) + 1500, (one, two, four)
