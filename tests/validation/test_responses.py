"""Answers that are no streams, and who gave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from convo_replay import cassette, providers
from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Headers, Json, Request
from convo_replay.providers.anthropic import Anthropic
from convo_replay.validation import gateways
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Severity
from convo_replay.validation.responses import RULES, Read, read
from corpus import CORPUS, index, needs_corpus

VENDOR = {
    "anthropic": "https://api.anthropic.com/v1/messages",
    "openai_chat": "https://api.openai.com/v1/chat/completions",
}
GATEWAY = {"anthropic": "https://gate.example/v1/messages", "openai_chat": "https://gate.example/v1/chat/completions"}
MESSAGE = {
    "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-4-5", "stop_sequence": None,
    "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 2},
}  # fmt: skip
COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5.5",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {"anthropic": MESSAGE, "openai_chat": COMPLETION}
STREAM = b'event: ping\ndata: {"type": "ping"}\n\n'


def answered(
    format: str,
    body: Any,
    *,
    url: str = "",
    type: str = "application/json",
    headers: Headers = (),
    status: int | None = 200,
    end: EndKind = "complete",
    stream: bool | None = None,
    **sent: Any,
) -> Read:
    asked = {"model": "m", "messages": [], **sent, **({} if stream is None else {"stream": stream})}
    request = Request("POST", url or VENDOR[format], (), Json(asked))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = () if status is None else (Head(status, (("content-type", type), *headers)),)
    steps = (*head, *([Chunk(0.0, data)] if data else ()), End(end))
    return read(Exchange(request, steps), Asked(request, format, []))


def told(read: Read) -> list[tuple[str, Severity]]:
    return [(finding.rule, finding.severity) for finding in read.findings]


@pytest.mark.parametrize("format", ANSWERS)
def test_nothing_is_told_of_an_answer(format: str) -> None:
    for stream in (None, False):
        for type in ("application/json", "text/plain", ""):
            read = answered(format, ANSWERS[format], stream=stream, type=type)
            assert told(read) == []
            assert read.reply is not None
            assert read.reply.text == "Hello"


NO_JSON = [("response-not-json", "error")]
NO_MESSAGE = [("response-not-message", "error")]
BODIES = {
    "14 half a document": (b'{"id": "msg', "application/json", NO_JSON),
    "14 nothing": (b"", "application/json", NO_JSON),
    "14 HTML said to be JSON": (b"<html>Sign in</html>", "application/json", NO_JSON),
    "15 HTML": (b"<html>Sign in</html>", "text/html", NO_JSON),
    "15 text": (b"Hello", "text/plain", NO_JSON),
    "20 no utf-8": (b'{"id": "\xff"}', "application/json", NO_JSON),
    "18 null": (b"null", "application/json", NO_MESSAGE),
    "18 a list": (b"[]", "application/json", NO_MESSAGE),
    "18 a string": (b'"x"', "application/json", NO_MESSAGE),
    "18 a number": (b"NaN", "application/json", NO_MESSAGE),
    "17 an error": (b'{"type": "error", "error": {"type": "api_error", "message": "no"}}', "application/json",
        [("response-error", "error")]),
    "17 an error of text": (b'{"error": "no"}', "application/json", [("response-error", "error")]),
    "deep": (b"[" * 100_000, "application/json", NO_JSON),
}  # fmt: skip


@pytest.mark.parametrize("format", ANSWERS)
@pytest.mark.parametrize(("body", "type", "expected"), BODIES.values(), ids=BODIES)
def test_an_answer_that_is_none(format: str, body: bytes, type: str, expected: list[tuple[str, Severity]]) -> None:
    assert told(answered(format, body, type=type)) == expected


@pytest.mark.parametrize("format", ANSWERS)
def test_an_answer_of_another_kind_is_told_by_the_schema(format: str) -> None:
    assert {"error"} <= {finding.severity for finding in answered(format, {"hello": "world"}).findings}


@pytest.mark.parametrize(
    ("status", "end", "body"),
    [
        (429, "complete", b'{"error": {}}'),
        (500, "complete", b"<html>"),
        (302, "complete", b""),
        (None, "refused", b""),
        (None, "timeout", b""),
        (200, "truncated", b'{"id": '),
        (200, "reset", b'{"id": '),
        (200, "timeout", b""),
        (200, "cancelled", b""),
        (200, "cancelled", b'{"id": '),
        (200, "cancelled", STREAM[:30]),
    ],
)
def test_an_outcome_is_no_finding(status: int | None, end: EndKind, body: bytes) -> None:
    for format in ANSWERS:
        for stream in (None, True):
            assert told(answered(format, body, status=status, end=end, stream=stream)) == []


TOOLS = [{"name": "look", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


@pytest.mark.parametrize(
    ("input", "end", "expected"),
    [
        pytest.param({"city": "Paris"}, "complete", [], id="fits"),
        pytest.param({"city": 1}, "complete", [("tool-input-invalid", "warn")], id="does not fit"),
        pytest.param({"city": 1}, "cancelled", [], id="may be cut"),
    ],
)
def test_the_input_of_a_tool_is_judged_where_it_is_whole(
    input: Any, end: EndKind, expected: list[tuple[str, Severity]]
) -> None:
    use = {"type": "tool_use", "id": "toolu_01", "name": "look", "input": input}
    read = answered("anthropic", MESSAGE | {"content": [use], "stop_reason": "tool_use"}, tools=TOOLS, end=end)
    assert told(read) == expected


@pytest.mark.parametrize("format", ANSWERS)
def test_21_an_answer_that_cannot_be_decompressed(format: str) -> None:
    read = answered(format, b"", end="undecodable", headers=(("content-encoding", "gzip"),))
    assert told(read) == [("response-undecodable", "error")]
    assert "gzip" in read.findings[0].message


@pytest.mark.parametrize(
    ("url", "headers", "severity"),
    [
        (VENDOR["anthropic"], (), "error"),
        (GATEWAY["anthropic"], (), "error"),
        (GATEWAY["anthropic"], (("x-litellm-call-id", "1"),), "warn"),
        ("http://127.0.0.1:4000/v1/messages", (("x-litellm-version", "1"),), "warn"),
        (VENDOR["anthropic"], (("x-litellm-call-id", "1"),), "error"),
    ],
)
def test_json_in_place_of_a_stream_is_as_severe_as_the_gateway_makes_it(
    url: str, headers: Headers, severity: Severity
) -> None:
    read = answered("anthropic", MESSAGE, url=url, headers=headers, stream=True)
    assert told(read) == [("stream-not-events", severity)]
    assert read.reply is not None
    assert read.reply.text == "Hello"


def test_html_in_place_of_a_stream_is_an_error_behind_any_gateway() -> None:
    headers = (("x-litellm-call-id", "1"),)
    read = answered("anthropic", b"<html>", url=GATEWAY["anthropic"], headers=headers, stream=True)
    assert told(read) == [("stream-not-events", "error")]
    assert "HTML" in read.findings[0].message


def test_a_stream_that_nobody_asked_for() -> None:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}
    chunk = json.dumps(COMPLETION | {"object": "chat.completion.chunk", "choices": [choice]}).encode()
    body = b"data: " + chunk + b"\n\ndata: [DONE]\n\n"
    assert told(answered("openai_chat", body, type="text/event-stream")) == [("stream-not-asked", "warn")]


def test_vertex_asks_for_a_stream_by_its_path() -> None:
    url = (
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
        "/publishers/anthropic/models/claude-opus-4-5:streamRawPredict"
    )
    assert told(answered("anthropic", MESSAGE, url=url)) == [("stream-not-events", "error")]


def test_without_the_request_nothing_is_told_of_what_was_asked() -> None:
    request = Request("POST", VENDOR["anthropic"])
    exchange = Exchange(request, (Head(200), Chunk(0.0, json.dumps(MESSAGE).encode()), End()))
    assert read(exchange, Asked(request, "anthropic", [])).findings == []


CHAT_URL = "/v1/chat/completions"
DONE = b"data: [DONE]\n\n"


def chunks(*deltas: dict[str, Any], finish: str | None = "stop") -> bytes:
    given = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    given.append({"index": 0, "delta": {}, "finish_reason": finish})
    base = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"".join(b"data: " + json.dumps({**base, "choices": [choice]}).encode() + b"\n\n" for choice in given)


HI = {"role": "assistant", "content": "Hi"}
TWO = chunks(HI) + chunks(HI, finish=None).replace(b'"choices": [{"index": 0', b'"choices": [{"index": 1')
CALL = {"index": 0, "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param(chunks(HI), "stream-unterminated", id="no [DONE]"),
        pytest.param(TWO + DONE, "stream-unterminated", id="no finish_reason of the second choice"),
        pytest.param(chunks({"content": "Hi"}) + DONE, "stream-role-missing", id="no role"),
        pytest.param(chunks(HI, {"tool_calls": [CALL]}) + DONE, "stream-tool-call", id="no id"),
    ],
)
def test_the_habits_of_gateways_are_warnings(body: bytes, rule: str) -> None:
    for url, severity in [(VENDOR["openai_chat"], "error"), (GATEWAY["openai_chat"], "warn")]:
        assert told(answered("openai_chat", body, url=url, type="text/event-stream", stream=True)) == [(rule, severity)]


ANTHROPIC_START = (
    b'event: message_start\ndata: {"type": "message_start", "message": '
    + json.dumps({**MESSAGE, "content": [], "stop_reason": None}).encode()
    + b"}\n\n"
)


@pytest.mark.parametrize(
    ("format", "body", "rule"),
    [
        pytest.param("openai_chat", chunks(HI, finish=None), "stream-unterminated", id="chat"),
        pytest.param("anthropic", ANTHROPIC_START, "stream-unterminated", id="anthropic"),
        pytest.param(
            "anthropic",
            ANTHROPIC_START + b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
            "stream-order",
            id="anthropic with message_stop",
        ),
    ],
)
@pytest.mark.parametrize("headers", [(), (("x-litellm-call-id", "1"),), (("x-oneapi-request-id", "1"),)])
def test_an_answer_without_a_reason_to_stop_is_an_error_behind_any_gateway(
    format: str, body: bytes, rule: str, headers: Headers
) -> None:
    read = answered(format, body, url=GATEWAY[format], type="text/event-stream", headers=headers, stream=True)
    assert told(read) == [(rule, "error")]


@pytest.mark.parametrize(("urls", "severity"), [(GATEWAY, "warn"), (VENDOR, "error")], ids=["gateway", "vendor"])
def test_a_stream_that_ends_with_done_was_not_cut(urls: dict[str, str], severity: Severity) -> None:
    body = chunks(HI, finish=None) + DONE
    read = answered("openai_chat", body, url=urls["openai_chat"], type="text/event-stream", stream=True)
    assert told(read) == [("stream-unterminated", severity)]


@pytest.mark.parametrize(("headers", "severity"), [((), "error"), ((("x-oneapi-request-id", "1"),), "warn")])
def test_a_message_that_said_why_it_stopped_may_lack_its_end(headers: Headers, severity: Severity) -> None:
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    body = ANTHROPIC_START + b"event: message_delta\ndata: " + json.dumps(delta).encode() + b"\n\n"
    for url, expected in [(GATEWAY["anthropic"], severity), (VENDOR["anthropic"], "error")]:
        read = answered("anthropic", body, url=url, type="text/event-stream", headers=headers, stream=True)
        assert told(read) == [("stream-unterminated", expected)]


@pytest.mark.parametrize(
    ("url", "headers", "name"),
    [
        ("https://api.anthropic.com/v1/messages", (), "vendor"),
        ("https://openrouter.ai/api/v1/chat/completions", (), "openrouter"),
        ("https://eu.openrouter.ai/api/v1/chat/completions", (), "openrouter"),
        ("https://gate.example/v1/chat/completions", (("x-generation-id", "gen-1"),), "openrouter"),
        ("http://localhost:4000/chat/completions", (("x-litellm-model-id", "1"),), "litellm"),
        ("https://me.openai.azure.com/openai/deployments/x/chat/completions", (), "azure"),
        ("https://api.deepseek.com/chat/completions", (), "deepseek"),
        ("https://gate.example/v1/messages", (("x-oneapi-request-id", "1"),), "new-api"),
        ("https://gate.example/v1/messages", (("x-litellmost", "1"),), "unknown"),
        ("https://notopenrouter.ai/v1/messages", (), "unknown"),
    ],
)
def test_gateways_are_known_by_host_or_headers(url: str, headers: Headers, name: str) -> None:
    exchange = Exchange(Request("POST", url), (Head(200, headers), End()))
    assert gateways.profile_of(exchange).name == name


@pytest.mark.parametrize(
    ("url", "is_vendor"),
    [
        ("https://api.anthropic.com/v1/messages", True),
        ("https://API.Anthropic.com:443/v1/messages", True),
        ("https://api.openai.com/v1/chat/completions", True),
        ("https://eu.api.openai.com/v1/chat/completions", True),
        ("https://us-east5-aiplatform.googleapis.com/v1/projects/p", True),
        ("https://aiplatform.googleapis.com/v1/projects/p", True),
        ("https://aiplatform.us.rep.googleapis.com/v1/projects/p", True),
        ("https://claude.googleapis.com/v1/projects/p", True),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/anthropic", True),
        ("https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages", True),
        ("https://aws-external-anthropic.us-east-1.api.aws/v1/messages", True),
        ("https://me.services.ai.azure.com/anthropic/v1/messages", True),
        ("https://openrouter.ai/api/v1/messages", False),
        ("https://api.anthropic.com.example/v1/messages", False),
        ("https://xapi.anthropic.com/v1/messages", False),
        ("https://evil-aiplatform.googleapis.com.example/", False),
        ("https://-aiplatform.googleapis.com/", False),
        ("https://bedrock-runtime.amazonaws.com.example/", False),
        ("http://localhost/v1/messages", False),
        ("http://127.0.0.1:8080/api.anthropic.com/v1/messages", False),
        ("http://[::1]/v1/messages", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_the_vendor_is_known_by_its_host_alone(url: str, is_vendor: bool) -> None:
    request = Request("POST", url)
    assert gateways.is_vendor(request) is is_vendor
    assert gateways.is_vendor(Exchange(request, (Head(200, (("x-litellm-call-id", "1"),)), End()))) is is_vendor


class Lenient(Anthropic):
    severities: ClassVar[dict[Any, Any]] = {"stream-not-events": "info", "stream-order": "shrug", 3: []}


def test_a_provider_brings_its_own_severities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "providers", lambda: (Lenient(),))
    assert told(answered("anthropic", MESSAGE, stream=True)) == [("stream-not-events", "info")]
    body = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
    read = answered("anthropic", body, type="text/event-stream", stream=True)
    assert told(read) == [("stream-order", "error")]


def test_each_rule_is_told_apart_and_says_where_it_is_from() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule.side == "response"
        assert rule.summary
        assert rule.why
        assert rule.source


def test_severities_of_gateways_are_of_rules_that_exist() -> None:
    names = {rule.name for rule in RULES}
    for profile in gateways.PROFILES:
        assert set(profile.severities) <= names, profile.name


# Real answers.

FORMATS = {"anthropic", "openai_chat"}
MOCKS = {
    # An echo server, made for these tests: it answers with the request, as text and as JSON.
    "pydantic__pydantic-ai/tests/models/cassettes/test_openai/test_text_response.yaml",
    "pydantic__pydantic-ai/tests/models/cassettes/test_openai/test_invalid_response.yaml",
}


@needs_corpus
@pytest.mark.parametrize("part", range(4))
def test_no_error_is_told_of_real_answers(part: int) -> None:
    assert CORPUS is not None
    rows = [row for row in index("vcrpy-yaml") if row["path"] not in MOCKS][part * 10 :: 40]
    count = 0
    for row in rows:
        for exchange in cassette.load(Path(CORPUS / row["path"])).exchanges:
            provider = providers.find(exchange.request)
            format = getattr(provider, "format", "")
            if provider is None or not provider.generates(exchange.request) or format not in FORMATS:
                continue
            count += 1
            read_ = read(exchange, Asked(exchange.request, format, []))
            wrong = [finding for finding in read_.findings if finding.severity == "error"]
            assert wrong == [], row["path"]
            if gateways.is_vendor(exchange):
                streams = [finding for finding in read_.findings if finding.rule.startswith("stream-")]
                assert streams == [], row["path"]
    assert count > 10
