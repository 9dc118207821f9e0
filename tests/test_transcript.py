"""The text of a conversation: what is in it, and what does not change it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.extensions.amber import AmberSnapshotExtension

import upstream
from convo_replay import Exchange, LeakFound, nesting, use_cassette
from convo_replay.cassette import update
from convo_replay.cassette.model import Cassette, stored
from convo_replay.exchange import Chunk, End, EndKind, Head, Json, Request
from convo_replay.reporting.transcript import Transcript, transcript
from strategies import awkward_text, json_values

MESSAGES, CHAT = "https://api.anthropic.com/v1/messages", "https://gw.example/v1/chat/completions"
SIGNATURE = upstream.SIGNATURE


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def call(id: str, name: str, **input: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def result(id: str, content: Any, **more: Any) -> dict[str, Any]:
    return user([{"type": "tool_result", "tool_use_id": id, "content": content, **more}])


def answer(*blocks: Any, stop: str = "end_turn", **more: Any) -> bytes:
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": blocks, "stop_reason": stop}
    return json.dumps({**message, "usage": usage, **more}).encode()


def turn(
    messages: Sequence[Any],
    body: bytes,
    *,
    url: str = MESSAGES,
    status: int = 200,
    end: EndKind = "complete",
    type: str = "application/json",
    recorded: str = "",
    **more: Any,
) -> Exchange:
    request = Request("POST", url, (), Json({"model": "claude-x", "messages": list(messages), **more}))
    steps = (
        Head(status, (("content-type", type),)),
        Chunk(0.1, body),
        End(end, 0.2, "read" if end == "timeout" else ""),
    )
    return Exchange(request, steps, recorded=recorded)


def told(*exchanges: Exchange, **settings: Any) -> list[str]:
    """The lines of a transcript, without what every answer ends with."""
    usual = ("  ← stop: end_turn", "  ← usage: 10 tokens in, 5 out")
    return [line for line in transcript(exchanges, **settings).split("\n") if line not in usual]


HI, OK = [user("hi")], answer(text("ok"))
DELTA = b'data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "o"}}\n\n'
REFUSED = b'{"choices": [{"message": {"role": "assistant", "refusal": "I can\'t."}, "finish_reason": "stop"}]}'

# --- one turn: what stands in it ------------------------------------------------------------------

FACTS: dict[str, tuple[Exchange, list[str]]] = {
    "text of several lines": (
        turn([user("Review:\n\n    def f(): ...  \n")], OK),
        ["  → user:", "    │ Review:", "    │", "    │     def f(): ...", "  ← text: ok"],
    ),
    "system and tools": (
        turn(HI, OK, system=[text("Be brief."), text("Be kind.")], tools=[
            {"name": "look", "input_schema": {"properties": {"at": {}, "deep": {}}, "required": ["at"]}},
            {"type": "web_search_20250305", "name": "web_search"},
        ]),
        ["  → system:", "    │ Be brief.", "    │ Be kind.", "  → tools:", "    │ look(at, deep?)", "    │ web_search",
         "  → user: hi", "  ← text: ok"],
    ),
    "thinking is folded, a signature is not told": (
        turn(HI, answer({"type": "thinking", "thinking": "Well. " * 50, "signature": SIGNATURE}, text("ok"))),
        ["  → user: hi", "  ← thinking: " + ("Well. " * 50)[:59] + "…  (300 characters)", "  ← text: ok"],
    ),
    "thinking that is kept back": (
        turn(HI, answer({"type": "redacted_thinking", "data": SIGNATURE}, text("ok"))),
        ["  → user: hi", "  ← redacted thinking: (kept back by the API)", "  ← text: ok"],
    ),
    "short arguments on a line, long ones in lines": (
        turn(HI, answer(call("toolu_a", "look", at="x", deep=5),
                        call("toolu_b", "write", path="a.py", text="x = 1\n\ny = 2\n"))),
        ["  → user: hi", "  ← tool 1 look: {at: x, deep: 5}", "  ← tool 2 write:", "    │ path: a.py", "    │ text: |",
         "    │   x = 1", "    │", "    │   y = 2"],
    ),
    "results": (
        turn([user([{"type": "tool_result", "tool_use_id": "a", "content": [text("18 °C"), text("rain")]},
                    {"type": "tool_result", "tool_use_id": "b", "content": "no such city", "is_error": True}])], OK),
        ["  → tool 1 result:", "    │ 18 °C", "    │ rain", "  → tool 2 failed: no such city", "  ← text: ok"],
    ),
    "media by type and size": (
        turn([user([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}},
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ])], OK),
        ["  → user image: image/png, 8 bytes",
         "  → user document: https://x.example/a.pdf",
         "  → user document: file 1",
         "  → user image: image/gif, 6 bytes", "  → user audio: wav, 4 bytes", "  ← text: ok"],
    ),
    "what only the provider can read": (
        turn(HI, answer(
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1",
             "content": [{"type": "web_search_result", "url": "https://x.example", "encrypted_content": SIGNATURE}]})),
        ["  → user: hi", "  ← tool 1 web_search: {query: x}",
         "  ← tool 1 web_search_tool_result:",
         '    │ content: [{type: web_search_result, url: "https://x.example", encrypted_content: "…"}]'],
    ),
    "cut arguments as they came": (
        turn(HI, b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
             b'{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}\n\n'
             b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
             b'{"type":"input_json_delta","partial_json":"{\\"at\\": \\"Pa"}}\n\n',
             type="text/event-stream", end="reset"),
        ["  → user: hi", '  ← tool 1 look: {"at": "Pa  (cut or invalid JSON)', "  ← cut off: reset"],
    ),
    "a stream without its end": (
        turn(HI, DELTA, type="text/event-stream"),
        ["  → user: hi", "  ← text: o", "  ← incomplete: the answer has no proper end"],
    ),
    "a stream that the client left": (
        turn(HI, DELTA, type="text/event-stream", end="cancelled"),
        ["  → user: hi", "  ← text: o", "  ← left by the client"],
    ),
    "an error": (
        turn(HI, b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}', status=429),
        ["  → user: hi", "  ← 429 Too Many Requests", "  ← error: rate_limit_error: Slow down"],
    ),
    "a page of a proxy": (
        turn(HI, b"<html>", type="text/html"), ["  → user: hi", "  ← no message in the answer"],
    ),
    "no answer": (
        replace(turn(HI, OK), steps=(End("timeout", 1.0, "connect"),)),
        ["  → user: hi", "  ← no answer, timeout (connect)"],
    ),
    "a refusal": (
        turn(HI, REFUSED, url=CHAT),
        ["  → user: hi", "  ← refusal: I can't.", "  ← stop: stop"],
    ),
    "cached tokens": (
        turn(HI, answer(usage={"input_tokens": 10, "cache_read_input_tokens": 1000, "output_tokens": 2})),
        ["  → user: hi", "  ← usage: 1,010 tokens in (1,000 of them cached), 2 out"],
    ),
    "nothing that a terminal acts on, no line break that is none": (
        turn([user("a\x1b[2J\u2028b\r\n\u202ec")], OK),
        ["  → user:", "    │ a\\x1b[2J\\u2028b", "    │ \\u202ec", "  ← text: ok"],
    ),
    "placeholders by class": (
        turn([user("key redacted-anthropic-key-7")], answer(call("t", "f", key="redacted-openai-key-3"))),
        ["  → user: key redacted-anthropic-key", "  ← tool 1 f: {key: redacted-openai-key}"],
    ),
    "an empty text": (turn([user("")], answer(text(""))), ["  → user: (empty)", "  ← text: (empty)"]),
    "messages of another format": (
        turn([{"role": "user", "parts": [{"text": "hi"}]}], OK),
        ["  → user block: {parts: [{text: hi}]}", "  ← text: ok"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_a_turn_is_told_fact_by_fact(name: str) -> None:
    exchange, lines = FACTS[name]
    assert told(exchange) == ["turns[0] claude-x", *lines]


def test_calls_that_generate_nothing_are_a_line_each_without_host_and_ids() -> None:
    file = "https://api.anthropic.com/v1/files/file_011CNha8iCJcU1wXNR6q4V8w?beta=true"
    other = [
        replace(turn(HI, b"{}", url=MESSAGES + "/count_tokens"), test="t"),
        Exchange(Request("GET", file), (Head(200), End())),
        Exchange(Request("DELETE", file), (Head(404), End("reset"))),
        Exchange(Request("GET", "http://[::1/"), (End("refused"),)),
    ]
    assert told(*other) == [
        "POST /v1/messages/count_tokens: 200 OK",
        "GET /v1/files/<file 1>: 200 OK",
        "DELETE /v1/files/<file 1>: 404 Not Found, reset",
        "GET (no URL): refused",
    ]
    assert transcript([]) == "(no exchanges)"


def test_attempts_are_named_and_only_the_last_is_told() -> None:
    overloaded = turn(HI, b'{"error":{"type":"overloaded_error","message":"Overloaded"}}', status=529)
    cut = turn(HI, b"", end="reset", type="text/event-stream")
    assert told(overloaded, cut, turn(HI, OK))[2:] == [
        "  ← attempt 0: 529 Overloaded", "  ← attempt 1: 200 OK, reset", "  ← text: ok",
    ]  # fmt: skip


# --- several turns: what is new in each -----------------------------------------------------------

ANSWERED = [user("hi"), assistant(text("ok"))]
LOOP = [user("hi"), assistant(call("toolu_1", "f")), result("toolu_1", "1")]
LOOPED = [*LOOP, assistant(call("toolu_2", "f")), result("toolu_2", "2")]
TOOL, OTHER = {"name": "f", "description": "x"}, {"name": "g", "input_schema": {"properties": {"a": {}}}}
CALLS = answer(call("toolu_1", "f")), answer(call("toolu_2", "f"))


def marked(message: dict[str, Any]) -> dict[str, Any]:
    """A message as a client sends it while its last block ends the cached part."""
    content = message["content"]
    blocks = [text(content)] if isinstance(content, str) else content
    return {**message, "content": [*blocks[:-1], {**blocks[-1], "cache_control": {"type": "ephemeral"}}]}


NEWS: dict[str, tuple[list[Exchange], list[str]]] = {
    "only what is new": (
        [turn(HI, OK, system="S", tools=[TOOL]), turn([*ANSWERED, user("and?")], OK, system="S", tools=[TOOL])],
        ["  → user: and?", "  ← text: ok"],
    ),
    "cache marks move": (
        [turn([marked(HI[0])], OK), turn([*ANSWERED, marked(user("and?"))], OK)], ["  → user: and?", "  ← text: ok"],
    ),
    "another system prompt": (
        [turn(HI, OK, system="A\nB"), turn([*ANSWERED, user("and?")], OK, system="A\nC")],
        ["  → system, changed:", "    │ - B", "    │ + C", "  → user: and?", "  ← text: ok"],
    ),
    "another system prompt, in the messages": (
        [turn([{"role": "system", "content": "A"}, *HI], OK),
         turn([{"role": "developer", "content": "A2"}, *ANSWERED, user("and?")], OK)],
        ["  → system, changed:", "    │ - A", "    │ + A2", "  → user: and?", "  ← text: ok"],
    ),
    "other tools": (
        [turn(HI, OK, tools=[TOOL]), turn([*ANSWERED, user("and?")], OK, tools=[{**TOOL, "description": "y"}, OTHER])],
        ["  → tools, changed:", "    │ ~ f, its description or schema", "    │ + g(a?)",
         "  → user: and?", "  ← text: ok"],
    ),
    "no tools any more": (
        [turn(HI, OK, tools=[TOOL]), turn([*ANSWERED, user("and?")], OK)],
        ["  → tools, changed: - f", "  → user: and?", "  ← text: ok"],
    ),
    "the same again": ([turn(HI, OK), turn(HI, OK)], ["  → the same as in turns[0]", "  ← text: ok"]),
    "a conversation of its own": (
        [turn(HI, OK, system="S", tools=[TOOL]), turn([user("ho")], OK, system="S", tools=[TOOL])],
        ["  → system: as in turns[0]", "  → tools: as in turns[0]", "  → user: ho", "  ← text: ok"],
    ),
    "the same words to another role": (
        [turn(HI, OK, system="S"), turn(HI, OK, system="T")], ["  → system: T", "  → user: hi", "  ← text: ok"],
    ),
    "an answer that was edited": (
        [turn(HI, OK), turn([*HI, assistant(text("no")), user("and?")], OK)],
        ["  → assistant: no", "  → user: and?", "  ← text: ok"],
    ),
    "nothing but the answer": (
        [turn(HI, OK), turn(ANSWERED, OK)], ["  → nothing but the answer, sent back", "  ← text: ok"],
    ),
    "not the turn before": (
        [turn(HI, OK), turn([user("ho")], answer(text("no"))), turn([*ANSWERED, user("and?")], OK)],
        ["  → continues turns[0]", "  → user: and?", "  ← text: ok"],
    ),
    "of two equal questions the one whose answer came back": (
        [turn(HI, OK), turn(HI, answer(text("no"))), turn([*ANSWERED, user("and?")], OK)],
        ["  → continues turns[0]", "  → user: and?", "  ← text: ok"],
    ),
    "examples that both begin with": (
        [turn([*ANSWERED, user("a")], OK), turn([*ANSWERED, user("b")], OK)],
        ["  → 2 messages as in turns[0]", "  → user: b", "  ← text: ok"],
    ),
    "a window that moves": (
        [turn(HI, CALLS[0]), turn(LOOP, CALLS[1]), turn(LOOPED[2:], OK)],
        ["  → without 2 messages of before", "  → tool 2 result: 2", "  ← text: ok"],
    ),
    "results that were cleared": (
        [turn(HI, CALLS[0]), turn(LOOP, CALLS[1]),
         turn([*LOOP[:2], result("toolu_1", "[cleared]"), *LOOPED[3:]], OK)],
        ["  → without 1 message of before", "  → tool 1 result: [cleared]", "  → tool 2 result: 2", "  ← text: ok"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEWS)
def test_of_a_turn_only_what_is_new_is_told(name: str) -> None:
    exchanges, last = NEWS[name]
    lines = told(*exchanges)
    assert lines[lines.index(f"turns[{len(exchanges) - 1}] claude-x") + 1 :] == last


# --- what does not change the text ----------------------------------------------------------------

SCENARIOS = [
    (name, path) for name in ("text", "tools", "thinking", "unicode") for path in ("messages", "chat/completions")
]


@pytest.mark.parametrize(("scenario", "path"), SCENARIOS)
def test_streamed_or_not_the_text_is_the_same(scenario: str, path: str) -> None:
    texts = []
    for stream in (False, True):
        options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        body = {"model": "m", "messages": HI, **options}
        asked = upstream.Call("POST", f"/{scenario}/v1/{path}", [], json.dumps(body).encode())
        said = upstream.Script().answer(asked, 1)
        steps = (Head(said.status, tuple(said.headers)), *(Chunk(0.1, piece) for piece in said.pieces), End())
        texts.append(transcript([Exchange(Request("POST", f"https://x.example/v1/{path}", (), Json(body)), steps)]))
    assert texts[0] == texts[1]
    assert "tokens in" in texts[0]
    assert "msg_" not in texts[0]
    assert SIGNATURE not in texts[0]


def minted(id: str, date: str, uuid: str, key: int) -> list[Exchange]:
    """A conversation with what differs between two recordings of it."""
    ask = [
        user(f"Today is {date}, run {uuid}, in /tmp/pytest-of-me/pytest-{key}/test_x0/a.txt, redacted-password-{key}")
    ]
    asks = answer(call(id, "book", day="2031-01-02", note=f"on {date}: {uuid}"), id=f"msg_{id}")
    back = [*ask, assistant(call(id, "book", day="2031-01-02", note=f"on {date}: {uuid}"))]
    done = [*back, result(id, f"2031-01-02 booked by {id} at {date}T10:00:0{key}")]
    return [turn(ask, asks, recorded=f"{date}T10:00:00Z"), turn(done, answer(text(f"Done: {date}, 2031-01-02")))]


ONE = minted("toolu_01AbCdEfGhJkLmNp", "2026-11-22", "0b8ad9d0-3c79-4f31-9c49-6fb0f2e1d7aa", 1)
TWO = minted("call_9KqRsTuVwXyZ", "2026-11-23", "7c1e2d3f-aaaa-4bbb-8ccc-0123456789ab", 2)


def test_ids_dates_paths_and_numbers_of_placeholders_do_not_change_it() -> None:
    assert (
        told(*ONE)
        == told(*TWO)
        == [
            "turns[0] claude-x",
            "  → user: Today is ~, run ~, in ~/test_x0/a.txt, redacted-password",
            '  ← tool 1 book: {day: "2031-01-02", note: "on ~: ~"}',
            "turns[1] claude-x",
            "  → tool 1 result: 2031-01-02 booked by tool 1 at ~",  # what the model said first is a fact
            "  ← text: Done: ~, 2031-01-02",
        ]
    )


def test_normalize_says_what_is_left_out() -> None:
    asked = [turn([user(f"Today is 2026-11-22, trace {trace}")], OK) for trace in ("a", "b")]
    assert told(asked[0], normalize=[])[1] == "  → user: Today is 2026-11-22, trace a"
    normalize = [("messages[*].content", "(a trace)")]
    assert told(asked[0], normalize=normalize) == told(asked[1], normalize=normalize)
    assert told(asked[0], normalize=normalize)[1] == "  → user: (a trace)"


def ask(client: httpx.Client, messages: Sequence[Any]) -> bytes:
    return client.post(MESSAGES, json={"model": "m", "max_tokens": 9, "messages": list(messages)}).content


def without_counting(exchange: Exchange) -> Exchange | None:
    return None if exchange.request.url.endswith("count_tokens") else exchange


def conversation(path: Path, run: Callable[[httpx.Client], None], **settings: Any) -> str:
    """The transcript of what `run` does with a client whose server is scripted: 529 once, then `Answer to: …`."""
    attempts: dict[bytes, int] = {}

    def serve(request: httpx.Request) -> httpx.Response:
        attempts[request.content] = attempts.get(request.content, 0) + 1
        if b"retried" in request.content and attempts[request.content] == 1:
            return httpx.Response(529, json={"error": {"type": "overloaded_error", "message": "Overloaded"}})
        said = upstream.last_user_text(json.loads(request.content)["messages"])
        return httpx.Response(
            200, content=answer(text(f"Answer to: {said}")), headers={"content-type": "application/json"}
        )

    with use_cassette(path, intercept=["api.anthropic.com"], **settings) as convo:
        with httpx.Client(transport=httpx.MockTransport(serve)) as client:
            run(client)
        return str(Transcript(convo))


@pytest.mark.parametrize("keep", [(), ("errors",)], ids=["dropped", "kept"])
def test_a_recording_has_the_text_of_its_replays(keep: tuple[str, ...], tmp_path: Path) -> None:
    def run(client: httpx.Client) -> None:
        client.post(MESSAGES + "/count_tokens", json={"messages": HI})
        assert b"Overloaded" in ask(client, [user("retried")])
        for number in range(5):  # a retry within the same millisecond looks like another call
            ask(client, [user(f"question {number}")])
        ask(client, [user("retried")])
        ask(client, [user("My key is sk-ant-api03-" + "Ex4mple" * 5)])

    def replay(client: httpx.Client) -> None:
        for said in [*["retried"] * (1 + bool(keep)), *(f"question {number}" for number in range(5))]:
            ask(client, [user(said)])
        ask(client, [user("My key is sk-ant-api03-" + "0ther9" * 6)])

    path = tmp_path / "a.yaml"
    recorded = conversation(path, run, record="once", keep=keep, before_record=[without_counting])
    assert recorded == conversation(path, replay)
    assert ("attempt 0: 529 Overloaded" in recorded) is bool(keep)
    assert "count_tokens" not in recorded
    assert "  → user: My key is redacted-anthropic-key\n" in recorded


def test_what_the_gate_keeps_from_the_cassette_reaches_no_snapshot(tmp_path: Path) -> None:
    key = "sk-ant-api03-" + "Ex4mple" * 5

    def with_key(exchange: Exchange) -> Exchange:
        return replace(exchange, request=replace(exchange.request, body=Json({"messages": [user(key)]})))

    def run(client: httpx.Client) -> None:
        ask(client, HI)
        convo = nesting.current()
        assert convo is not None
        with pytest.raises(LeakFound) as raised:
            str(Transcript(convo))
        assert key not in str(raised.value)
        seen.append("anthropic-key" in str(raised.value))

    seen: list[bool] = []
    with pytest.raises(LeakFound):
        conversation(tmp_path / "a.yaml", run, record="once", before_record=[with_key])
    assert seen == [True]


def test_what_is_added_to_a_recording_has_the_text_of_its_replays(tmp_path: Path) -> None:
    def run(*words: str) -> Callable[[httpx.Client], None]:
        return lambda client: [ask(client, [user(word)]) for word in words] and None

    path = tmp_path / "a.yaml"
    conversation(path, run("a", "c"), record="once")

    def earlier(previous: Cassette | None) -> Cassette:
        assert previous is not None
        return replace(
            previous, exchanges=[replace(one, recorded="2026-01-01T00:00:00Z") for one in previous.exchanges]
        )

    update(path, earlier)
    added = conversation(path, run("a", "b", "c"), record="new_episodes")
    assert re.findall("→ user: (.)", added) == ["a", "b", "c"]
    assert conversation(path, run("a", "b", "c")) == added


def test_calls_that_ran_at_once_are_told_in_the_order_of_the_recording(tmp_path: Path) -> None:
    agents = {name: [user(name), assistant(text(f"Answer to: {name}")), user(f"more of {name}")] for name in "AB"}
    order = [("A", 1), ("B", 1), ("B", 3), ("A", 3)]
    recorded = [
        turn(agents[name][:n], answer(text(f"Answer to: {agents[name][n - 1]['content']}")), max_tokens=9, model="m",
             recorded=f"2026-11-22T10:00:0{at}Z")
        for at, (name, n) in enumerate(order)
    ]  # fmt: skip
    path = tmp_path / "a.yaml"
    update(path, lambda _: Cassette(exchanges=[stored(one) for one in recorded]))
    texts = {
        conversation(path, lambda client, run=run: [ask(client, agents[name][:n]) for name, n in run] and None)
        for run in (order, sorted(order), sorted(order)[::-1])
    }
    assert texts == {transcript(recorded)}


# --- as an object ---------------------------------------------------------------------------------


class Given:
    """What `Transcript` asks of a conversation; without a cassette."""

    def __new__(cls, exchanges: list[Exchange]) -> Any:
        context = use_cassette(None, record="live")
        convo = context.__enter__()
        context.__exit__(None, None, None)
        convo._finished = list(exchanges)
        return convo


class Snapshot:
    """Compares as syrupy's does: equal to whatever serializes equally."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def __eq__(self, other: object) -> bool:
        self.seen.append(other)
        return True

    __hash__ = None  # type: ignore[assignment]


def test_it_is_evaluated_when_it_is_compared_and_lets_the_snapshot_compare() -> None:
    convo, snapshot = Given([]), Snapshot()
    late = Transcript(convo)
    assert late == "(no exchanges)"
    convo._finished = list(ONE)
    assert late == transcript(ONE)
    assert late != transcript(ONE[:1])
    assert late == Transcript(Given(TWO))
    assert late == snapshot
    assert snapshot.seen == [transcript(ONE)]


@pytest.mark.parametrize("exchanges", [ONE, []], ids=["lines", "one line"])
def test_amber_stores_the_same_whichever_side_it_stands_on(exchanges: list[Exchange]) -> None:
    amber, made = AmberSnapshotExtension(), Transcript(Given(exchanges))
    assert amber.serialize(made) == amber.serialize(str(made))


blocks = st.one_of(
    st.builds(text, awkward_text),
    st.builds(call, st.sampled_from(["", "toolu_01AbCdEfGhJk"]), awkward_text, input=json_values()),
    st.builds(lambda said: {"type": "thinking", "thinking": said}, awkward_text),
    st.builds(lambda kind, value: {"type": kind, "x": value}, awkward_text, json_values()),
    json_values(),
)
messages = st.one_of(st.builds(user, st.one_of(awkward_text, st.lists(blocks, max_size=3))), json_values())


@given(
    history=st.lists(messages, max_size=4), said=st.lists(blocks, max_size=3), cut=st.integers(0, 4), more=json_values()
)
def test_any_conversation_has_a_text_of_clean_lines(history: list[Any], said: list[Any], cut: int, more: Any) -> None:
    exchanges = [turn(history[:cut], answer(*said)), turn(history, answer(*said), system=more, tools=more)]
    made = transcript(exchanges)
    assert made == transcript(exchanges)
    assert made.splitlines() == made.split("\n")
    assert all(line and line == line.rstrip() for line in made.split("\n"))
