"""Who has the last word on a request, and when an answer is judged (`use_cassette`, mode none and recording)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from convo_replay import CassetteMiss, Conversation, ConvoFailure, InvalidTurn, use_cassette
from convo_replay.bodies import body_of
from convo_replay.cassette import Cassette, create, dump
from convo_replay.exchange import Blob, Chunk, End, Exchange, Head, Json, Request
from convo_replay.validation.history import Validator

API = "https://api.anthropic.com/v1/messages"
GATEWAY = "https://gateway.example/v1/messages"
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ASK: dict[str, Any] = {"role": "user", "content": "Weather?"}
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}],
}
RESULT: dict[str, Any] = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 °C"}],
}
TEXT_ONLY: dict[str, Any] = {"role": "assistant", "content": "Let me look."}


def body(*messages: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 64, "tools": [TOOL], "messages": list(messages)} | other


def message(*content: dict[str, Any], stop: str = "end_turn", **other: Any) -> dict[str, Any]:
    usage = {"input_tokens": 9, "output_tokens": 5}
    return {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": list(content),
        "stop_reason": stop, "stop_sequence": None, "usage": usage,
    } | other  # fmt: skip


SAID = message({"type": "text", "text": "18 °C."})
CALLED = message(*CALL["content"], stop="tool_use")


def exchange(
    sent: Any, answer: Any, *, url: str = API, status: int = 200, end: str = "complete", version: str = "2026-10-21"
) -> Exchange:
    kind = "text/event-stream" if isinstance(answer, bytes) else "application/json"
    data = answer if isinstance(answer, bytes) else json.dumps(answer, separators=(",", ":")).encode()
    request = Request("POST", url, (("anthropic-version", version),), Json(sent))
    steps = (Head(status, (("content-type", kind),), 0.1), Chunk(0.2, data), End(end, 0.3))  # type: ignore[arg-type]
    return Exchange(request, steps, recorded="2026-11-22T10:00:00Z")


@pytest.fixture
def cassette(tmp_path: Path):
    def written(*exchanges: Exchange) -> Path:
        path = tmp_path / "c.yaml"
        create(path, dump(Cassette(exchanges=list(exchanges))))
        return path

    return written


def post(sent: Any, url: str = API) -> httpx.Response:
    return httpx.post(url, json=sent, headers={"anthropic-version": "2026-10-21"})


def run(path: Path, *sent: Any, url: str = API, **settings: Any) -> tuple[Conversation, BaseException | None]:
    """Sends the bodies one after the other; the conversation, and what ended it."""
    raised: BaseException | None = None
    try:
        with use_cassette(path, **settings) as convo:
            for each in sent:
                post(each, url)
    except ConvoFailure as error:
        raised = error
    return convo, raised


LOOP = [exchange(body(ASK), CALLED), exchange(body(ASK, CALL, RESULT), SAID)]


def test_what_nothing_answers_is_explained_by_the_rule_it_breaks(cassette):
    convo, raised = run(cassette(*LOOP), body(ASK), body(ASK, TEXT_ONLY, RESULT))
    assert isinstance(raised, InvalidTurn)
    text = str(raised)
    for part in (
        "turns[1]", "tool-result-unexpected", "request.messages[2].content[0]", "toolu_1",
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks",
        "nearest recorded: turns[1]", "messages[1].content", "ignore_rules=[", "convo-replay check --explain",
        str(convo.cassette_path.name),
    ):  # fmt: skip
        assert part in text
    assert [(one.rule, one.turn, one.severity) for one in convo.findings if one.severity == "error"] == [
        ("tool-result-unexpected", 1, "error")
    ]


@pytest.mark.parametrize(
    "settings",
    [{"validate": "warn"}, {"validate": "off"}, {"ignore_rules": ["tool-result-unexpected"]}],
    ids=["warn", "off", "ignored"],
)
def test_it_is_a_miss_where_the_rule_has_nothing_to_say(cassette, settings):
    convo, raised = run(cassette(*LOOP), body(ASK), body(ASK, TEXT_ONLY, RESULT), **settings)
    assert isinstance(raised, CassetteMiss)
    told = [(one.rule, one.severity) for one in convo.findings if one.rule == "tool-result-unexpected"]
    assert told == ([("tool-result-unexpected", "warn")] if settings.get("validate") == "warn" else [])


def test_a_legal_request_that_nothing_answers_is_a_miss(cassette):
    other = {**RESULT, "content": [{**RESULT["content"][0], "content": "20 °C"}]}
    _, raised = run(cassette(*LOOP), body(ASK), body(ASK, CALL, other))
    assert isinstance(raised, CassetteMiss)


BROKEN = body(ASK, TEXT_ONLY, RESULT)


def test_what_the_vendor_accepted_only_warns(cassette):
    convo, raised = run(cassette(exchange(BROKEN, SAID)), BROKEN)
    assert raised is None
    found = [one for one in convo.findings if one.rule == "tool-result-unexpected"]
    assert [one.severity for one in found] == ["warn"]
    assert "please report" in found[0].message


def test_what_the_vendor_accepted_explains_no_miss(cassette):
    _, raised = run(cassette(exchange(BROKEN, SAID)), {**BROKEN, "max_tokens": 65})
    assert isinstance(raised, CassetteMiss)


def test_what_a_gateway_accepted_fails_before_its_answer_is_played(cassette):
    _, raised = run(cassette(exchange(BROKEN, SAID, url=GATEWAY)), BROKEN, url=GATEWAY)
    assert isinstance(raised, InvalidTurn)
    assert "gateway.example" in str(raised)


def test_what_breaks_a_rule_in_each_turn_and_was_accepted_costs_no_square(cassette, monkeypatch):
    turns = []
    history: list[dict[str, Any]] = [ASK]
    for number in range(20):
        turns.append(exchange(body(*history), SAID))
        unasked = {**RESULT["content"][0], "tool_use_id": f"toolu_{number}"}
        history = [*history, TEXT_ONLY, {"role": "user", "content": [unasked]}]
    asked = []
    real = Validator.request
    monkeypatch.setattr(
        Validator, "request", lambda self, *given, **more: asked.append(1) or real(self, *given, **more)
    )
    convo, raised = run(cassette(*turns), *[one.request.json for one in turns])
    assert raised is None
    assert len([one for one in convo.findings if one.rule == "tool-result-unexpected"]) == 19
    assert len(asked) <= 40


OTHER_ID = {**RESULT, "content": [{**RESULT["content"][0], "tool_use_id": "toolu_zzz"}]}


@pytest.mark.parametrize(
    ("recorded", "sent", "settings", "rule"),
    [
        ([*LOOP], [body(ASK), body(ASK, CALL, OTHER_ID)], {}, "tool-result-missing"),
        (
            [exchange(body(ASK, temperature=1), SAID, version="2023-06-01")],
            [body(ASK, temperature=1)],
            {},
            "removed-parameter",
        ),
        ([*LOOP], [body(ASK), BROKEN], {"match_on": ["method", "path"]}, "tool-result-unexpected"),
    ],
    ids=["an id that is not compared", "a header that is not compared", "a body that is not compared"],
)
def test_what_the_vendor_accepted_was_the_request_that_was_recorded(cassette, recorded, sent, settings, rule):
    _, raised = run(cassette(*recorded), *sent, **settings)
    assert isinstance(raised, InvalidTurn)
    assert rule in str(raised)
    assert "please report" not in str(raised)
    assert "answered it all the same" not in str(raised)


def test_a_gateway_that_accepted_it_is_named_whatever_host_is_asked(cassette):
    _, raised = run(cassette(exchange(BROKEN, SAID, url=GATEWAY)), BROKEN)
    assert "gateway.example answered it all the same" in str(raised)


def test_a_miss_says_what_validation_warns_of(cassette):
    echo = {"role": "assistant", "content": [{**CALL["content"][0], "input": {"city": "Rome"}}]}
    convo, raised = run(cassette(*LOOP), body(ASK), body(ASK, echo, RESULT))
    assert isinstance(raised, CassetteMiss)
    assert "turn-altered at request.messages[1].content[0]: expected" in str(raised)
    assert [one.rule for one in convo.findings] == ["turn-altered"]


def test_what_the_api_rejected_is_no_finding_that_fails(cassette):
    answer = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages.2.content.0: …"}}
    convo, raised = run(cassette(exchange(BROKEN, answer, url=GATEWAY, status=400)), BROKEN, url=GATEWAY)
    assert raised is None
    assert {one.severity for one in convo.findings} == {"info"}


def test_a_finding_is_told_at_the_turn_that_broke_it_and_not_again(cassette):
    more = body(*BROKEN["messages"], {"role": "assistant", "content": "18 °C."}, {"role": "user", "content": "And?"})
    convo, _ = run(cassette(exchange(BROKEN, SAID), exchange(more, SAID)), BROKEN, more)
    assert [one.turn for one in convo.findings if one.rule == "tool-result-unexpected"] == [0]


# --- answers ---------------------------------------------------------------------------------------


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events)


EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**message(), "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "18 °C."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
     "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]  # fmt: skip


def test_a_broken_answer_interrupts_no_call_and_fails_at_the_end(cassette):
    streaming = body(ASK, stream=True)
    path = cassette(exchange(streaming, stream(*EVENTS[:-1])), exchange(body(ASK, CALL, RESULT), SAID))
    convo, raised = run(path, streaming, body(ASK, CALL, RESULT))
    assert len(convo.exchanges) == 2
    assert isinstance(raised, ConvoFailure)
    assert not isinstance(raised, InvalidTurn)
    for part in ("turns[0]", "stream-unterminated", "message_stop", "c.yaml", "ignore_rules=["):
        assert part in str(raised)


def test_what_the_client_left_unread_is_no_finding(cassette):
    streaming = body(ASK, stream=True)
    path = cassette(exchange(streaming, stream(*EVENTS[:-1])))
    with use_cassette(path) as convo, httpx.stream("POST", API, json=streaming) as response:
        next(response.iter_raw())
    assert not [one for one in convo.findings if one.side == "response"]


def test_a_stream_that_was_cut_is_an_outcome_and_no_finding(cassette):
    streaming = body(ASK, stream=True)
    path = cassette(exchange(streaming, stream(*EVENTS[:3]), end="reset"))
    with use_cassette(path) as convo, pytest.raises(httpx.ReadError):
        post(streaming)
    assert not [one for one in convo.findings if one.severity == "error"]


def test_an_exception_of_the_block_goes_before_a_broken_answer(cassette):
    streaming = body(ASK, stream=True)

    def block() -> None:
        with use_cassette(cassette(exchange(streaming, stream(*EVENTS[:-1])))):
            post(streaming)
            raise LookupError("of the block")

    with pytest.raises(LookupError):
        block()


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"validate": "maybe"}, "validate: expected one of error warn off, got 'maybe'"),
        ({"ignore_rules": ["tool-result-mising"]}, "'tool-result-missing'"),
        ({"ignore_rules": "nonsense"}, "there is no rule 'nonsense'"),
    ],
    ids=["level", "near", "far"],
)
def test_settings_that_do_not_exist(given, part):
    with pytest.raises(ValueError) as raised:
        use_cassette("c.yaml", **given)
    if part == "'tool-result-missing'":
        assert "tool-result-missing" in str(raised.value)
    else:
        assert part in str(raised.value)


# --- a message over 1 MB, which the cassette knows by its hash --------------------------------------

PHOTO = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" + "A" * (1 << 20)},
}
SHOWN: dict[str, Any] = {"role": "user", "content": [PHOTO, {"type": "text", "text": "What is it?"}]}


def large(*messages: dict[str, Any]) -> Any:
    """A body as it is read off the wire, so that it may be recorded."""
    return body_of(json.dumps(body(*messages), ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("messages", "rules"), [((SHOWN,), []), ((SHOWN, TEXT_ONLY, RESULT), ["tool-result-unexpected"])]
)
def test_a_large_request_is_judged_like_any_other(cassette, messages, rules):
    convo, raised = run(cassette(*LOOP), body(*messages))
    assert [one.rule for one in convo.findings if one.severity == "error"] == rules
    assert isinstance(raised, InvalidTurn if rules else CassetteMiss)


@pytest.mark.parametrize(("url", "severity"), [(API, "warn"), (GATEWAY, "error")], ids=["vendor", "gateway"])
def test_a_large_request_that_is_played_is_the_one_that_was_recorded(cassette, url, severity):
    messages = (SHOWN, TEXT_ONLY, RESULT)
    recorded = exchange(None, SAID, url=url)
    recorded = replace(recorded, request=replace(recorded.request, body=large(*messages)))
    assert isinstance(recorded.request.body, Blob)
    path = cassette(recorded)
    convo, raised = run(path, body(*messages), url=url)
    assert [one.severity for one in convo.findings if one.rule == "tool-result-unexpected"] == [severity]
    assert isinstance(raised, InvalidTurn) == (severity == "error")
    assert all(one.request.body.value is None for one in convo.exchanges)


# --- a body that cannot be decompressed --------------------------------------------------------------


class Raw(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"\x1f\x8b\x08\x00 no gzip after that"


@pytest.mark.parametrize(("streamed", "rule"), [(True, "stream-undecodable"), (False, "response-undecodable")])
def test_a_corrupt_encoding_is_recorded_as_that_and_found(tmp_path, streamed, rule):
    kind = "text/event-stream" if streamed else "application/json"

    def serve(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": kind, "content-encoding": "gzip"}, stream=Raw())

    def ask(record: str) -> Conversation:
        with (
            use_cassette(tmp_path / "c.yaml", record=record, intercept=["gw.example"], validate="warn") as convo,
            httpx.Client(transport=httpx.MockTransport(serve)) as client,
            pytest.raises(httpx.DecodingError),
        ):
            client.post("https://gw.example/v1/messages", json=body(ASK, stream=streamed))
        return convo

    for record in ("once", "none"):
        convo = ask(record)
        assert [one.end.kind for one in convo.exchanges] == ["undecodable"]
        assert rule in [one.rule for one in convo.findings]
