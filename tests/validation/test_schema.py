"""The form of requests and answers: the right rule, on the place that the API would name, and nothing else."""

from __future__ import annotations

import copy
import importlib.util
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from convo_replay.exchange import Json, Request
from convo_replay.validation import messages, schema
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding
from convo_replay.validation.schema_files import shapes
from convo_replay.validation.schema_walk import MOST

API = "https://api.anthropic.com/v1/messages"
CHAT = "https://api.openai.com/v1/chat/completions"
VERTEX = "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu"
GATEWAY = "https://openrouter.ai/api/v1/chat/completions"


def asked(body: Any, *, url: str = API, beta: bool = False, new: int = 0) -> Asked:
    headers = (("anthropic-version", "2026-10-21"), *((("anthropic-beta", "some-2026-01-01"),) if beta else ()))
    format = "anthropic" if "/messages" in url else "openai_chat"
    read = messages.anthropic if format == "anthropic" else messages.openai_chat
    sent = body.get("messages") if isinstance(body, dict) else None
    return Asked(
        Request("POST", url, headers, Json(body)),
        format,
        [read(message) for message in sent] if isinstance(sent, list) else [],
        new=new,
    )


def paths(findings: Any) -> list[tuple[str, str, str]]:
    return [(finding.rule, finding.severity, finding.path.partition(".")[2]) for finding in findings]


def found(body: Any, **how: Any) -> list[tuple[str, str, str]]:
    return paths(schema.request_findings(asked(body, **how)))


def body(*turns: Any, **other: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 64, "messages": list(turns) or [user("Hi")]} | other


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if len(content) == 1 and content[0] is None else _content(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": _content(content)}


def _content(content: tuple[Any, ...]) -> Any:
    return content[0] if len(content) == 1 and isinstance(content[0], str) else list(content)


TEXT = {"type": "text", "text": "Hi"}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"deep": [{"free": None}]}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "yes"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
FILE = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}}
PLAIN = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"any": {"$ref": "#/x"}}, "anything": 1}}


def without(block: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: part for key, part in block.items() if key != name}


def source(**other: Any) -> dict[str, Any]:
    return {**IMAGE, "source": {**IMAGE["source"], **other}}  # type: ignore[dict-item]


GOOD = [
    body(),
    body(user(TEXT, IMAGE, FILE, PDF, PLAIN), assistant(THINKING, TEXT, USE), user(RESULT, TEXT)),
    body(user("a"), user("b"), assistant("c"), temperature=0.5, top_k=3, stream=True, metadata={"user_id": "x"}),
    body(user("a"), assistant(SEARCH, FOUND, TEXT), tools=[{"type": "web_search_20250305", "name": "web_search"}]),
    body(tools=[TOOL, {**TOOL, "type": "custom", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
    body(thinking={"type": "enabled", "budget_tokens": 1024}, tool_choice={"type": "auto"}, system=[TEXT]),
    body(user({**RESULT, "content": [TEXT, IMAGE, PDF]}, without(RESULT, "content"))),
    body(user("a"), {"role": "system", "content": "Be brief."}, assistant("b")),
    body(user("a"), assistant({**TEXT, "citations": None}, {**USE, "caller": {"type": "direct"}})),
]


@pytest.mark.parametrize("given", GOOD, ids=range(len(GOOD)))
@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_a_request_that_the_api_takes_gives_nothing(given, beta):
    assert found(given, beta=beta) == []


ERROR = "request-schema"
WRONG = {
    # (request, what is found)
    "no model": (without(body(), "model"), [(ERROR, "error", "")]),
    "no max_tokens": (without(body(), "max_tokens"), [(ERROR, "error", "")]),
    "no messages": (without(body(), "messages"), [(ERROR, "error", "")]),
    "messages empty": (body() | {"messages": []}, [(ERROR, "error", "messages")]),
    "messages null": (body() | {"messages": None}, [(ERROR, "error", "messages")]),
    "messages an object": (body() | {"messages": {"role": "user"}}, [(ERROR, "error", "messages")]),
    "a message is null": (body(user("a"), None), [(ERROR, "error", "messages[1]")]),
    "a message is a string": (body("a"), [(ERROR, "error", "messages[0]")]),
    "a message is a list": (body([]), [(ERROR, "error", "messages[0]")]),
    "no role": (body({"content": "a"}), [(ERROR, "error", "messages[0]")]),
    "role null": (body({"content": "a", "role": None}), [(ERROR, "error", "messages[0].role")]),
    "role a number": (body({"content": "a", "role": 1}), [(ERROR, "error", "messages[0].role")]),
    "unknown role": (body({"content": "a", "role": "tool"}), [("unknown-role", "warn", "messages[0].role")]),
    "no content": (body({"role": "user"}), [(ERROR, "error", "messages[0]")]),
    "content null": (body(user(None)), [(ERROR, "error", "messages[0].content")]),
    "content a number": (body({"role": "user", "content": 5}), [(ERROR, "error", "messages[0].content")]),
    "a block is null": (body(user(TEXT, None)), [(ERROR, "error", "messages[0].content[1]")]),
    "a block is a string": (body(user(TEXT, "a")), [(ERROR, "error", "messages[0].content[1]")]),
    "a block without a type": (body(user({"text": "a"})), [(ERROR, "error", "messages[0].content[0]")]),
    "a block's type is null": (body(user({"type": None})), [(ERROR, "error", "messages[0].content[0].type")]),
    "unknown block": (body(user({"type": "hologram"})), [("unknown-block", "warn", "messages[0].content[0]")]),
    "no signature": (
        body(user("a"), assistant(without(THINKING, "signature"), TEXT)),
        [(ERROR, "error", "messages[1].content[0]")],
    ),
    "signature null": (
        body(user("a"), assistant({**THINKING, "signature": None})),
        [(ERROR, "error", "messages[1].content[0].signature")],
    ),
    "no text": (body(user(without(TEXT, "text"))), [(ERROR, "error", "messages[0].content[0]")]),
    "text a list": (body(user({"type": "text", "text": []})), [(ERROR, "error", "messages[0].content[0].text")]),
    "no id of a use": (body(user("a"), assistant(without(USE, "id"))), [(ERROR, "error", "messages[1].content[0]")]),
    "input as text": (
        body(user("a"), assistant({**USE, "input": "{}"})),
        [(ERROR, "error", "messages[1].content[0].input")],
    ),
    "is_error null": (
        body(user({**RESULT, "is_error": None})),
        [(ERROR, "error", "messages[0].content[0].is_error")],
    ),
    "no tool_use_id": (body(user(without(RESULT, "tool_use_id"))), [(ERROR, "error", "messages[0].content[0]")]),
    "a result's content null": (
        body(user({**RESULT, "content": None})),
        [(ERROR, "error", "messages[0].content[0].content")],
    ),
    "unknown block in a result": (
        body(user({**RESULT, "content": [{"type": "hologram"}]})),
        [("unknown-block", "warn", "messages[0].content[0].content[0]")],
    ),
    "a use in a result": (
        body(user({**RESULT, "content": [TEXT, USE]})),
        [("block-misplaced", "error", "messages[0].content[0].content[1]")],
    ),
    "a result in an assistant turn": (
        body(user("a"), assistant(TEXT, RESULT)),
        [("block-misplaced", "error", "messages[1]")],
    ),
    "a use in a user turn": (body(user(TEXT, USE)), [("block-misplaced", "error", "messages[0]")]),
    "thinking in a user turn": (
        body(user(TEXT, THINKING)),
        [("block-misplaced", "error", "messages[0].content[1]")],
    ),
    "a server tool's result in a user turn": (
        body(user(FOUND)),
        [("block-misplaced", "error", "messages[0].content[0]")],
    ),
    "an image in an assistant turn": (
        body(user("a"), assistant(IMAGE)),
        [("block-misplaced", "error", "messages[1].content[0]")],
    ),
    "a tool's use in a system message": (
        body(user("a"), {"role": "system", "content": [USE]}),
        [("block-misplaced", "error", "messages[1]")],
    ),
    "an image for the system": (body(system=[IMAGE]), [("block-misplaced", "error", "system[0]")]),
    "a bitmap": (
        body(user(source(media_type="image/bmp"))),
        [(ERROR, "error", "messages[0].content[0].source.media_type")],
    ),
    "a URL for base64": (
        body(user(TEXT, source(data="https://x.example/a.png"))),
        [(ERROR, "error", "messages[0].content[1].source.data")],
    ),
    "a data URL for base64": (
        body(user(source(data="data:image/png;base64,iVBO"))),
        [(ERROR, "error", "messages[0].content[0].source.data")],
    ),
    "unknown source": (
        body(user({"type": "image", "source": {"type": "ftp", "url": "ftp://x"}})),
        [(ERROR, "error", "messages[0].content[0].source.type")],
    ),
    "no data in a source": (
        body(user({"type": "image", "source": without(IMAGE["source"], "data")})),  # type: ignore[arg-type]
        [(ERROR, "error", "messages[0].content[0].source")],
    ),
    "a document's media type": (
        body(user({**PLAIN, "source": {**PLAIN["source"], "media_type": "text/html"}})),  # type: ignore[dict-item]
        [(ERROR, "error", "messages[0].content[0].source.media_type")],
    ),
    "unknown field of a block": (
        body(user({**TEXT, "colour": "red"})),
        [("unknown-field", "warn", "messages[0].content[0].colour")],
    ),
    "unknown field of a message": (
        body({**user("a"), "name": "Ann"}),
        [("unknown-field", "warn", "messages[0].name")],
    ),
    "unknown parameter": (body(verbosity="low"), [("unknown-field", "warn", "verbosity")]),
    "unknown tool": (body(tools=[TOOL, {"type": "teleport_2027"}]), [("unknown-tool", "warn", "tools[1]")]),
    "a tool without a schema": (body(tools=[without(TOOL, "input_schema")]), [(ERROR, "error", "tools[0]")]),
    "a schema that is no object's": (
        body(tools=[{**TOOL, "input_schema": {"properties": {}}}]),
        [(ERROR, "error", "tools[0].input_schema")],
    ),
    "tools an object": (body(tools=TOOL), [(ERROR, "error", "tools")]),
    "tool_choice as text": (body(tool_choice="auto"), [(ERROR, "error", "tool_choice")]),
    "tool_choice of another vendor": (
        body(tool_choice={"type": "required"}),
        [(ERROR, "error", "tool_choice.type")],
    ),
    "tool_choice without a name": (body(tool_choice={"type": "tool"}), [(ERROR, "error", "tool_choice")]),
    "thinking as a flag": (body(thinking=True), [(ERROR, "error", "thinking")]),
    "thinking of no kind": (body(thinking={"budget_tokens": 2000}), [(ERROR, "error", "thinking")]),
    "thinking without a budget": (body(thinking={"type": "enabled"}), [(ERROR, "error", "thinking")]),
    "max_tokens as text": (body() | {"max_tokens": "5"}, [(ERROR, "error", "max_tokens")]),
    "max_tokens a fraction": (body() | {"max_tokens": 5.5}, [(ERROR, "error", "max_tokens")]),
    "max_tokens a flag": (body() | {"max_tokens": True}, [(ERROR, "error", "max_tokens")]),
    "a parameter that is null": (body(stop_sequences=None), [(ERROR, "warn", "stop_sequences")]),
    "max_tokens null": (body() | {"max_tokens": None}, [(ERROR, "error", "max_tokens")]),
    "stop as text": (body(stop_sequences="\n"), [(ERROR, "error", "stop_sequences")]),
    "effort": (body(output_config={"effort": "huge"}), [(ERROR, "error", "output_config.effort")]),
    "a cache's life": (
        body(user({**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1d"}})),
        [(ERROR, "error", "messages[0].content[0].cache_control.ttl")],
    ),
    "a new server tool in an assistant turn": (
        body(user("a"), assistant({**SEARCH, "name": "dream"})),
        [("unknown-value", "warn", "messages[1].content[0].name")],
    ),
    "a beta's parameter": (body(mcp_servers=[]), [("beta-block", "warn", "mcp_servers")]),
    "a beta's block": (
        body(user("a"), assistant({"type": "compaction", "content": "so far"})),
        [("beta-block", "warn", "messages[1].content[0]")],
    ),
    "two things": (
        body(user({**TEXT, "colour": 1}), assistant(without(THINKING, "signature")), verbosity=1),
        [
            ("unknown-field", "warn", "verbosity"),
            ("unknown-field", "warn", "messages[0].content[0].colour"),
            (ERROR, "error", "messages[1].content[0]"),
        ],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found_once_and_in_its_place(case):
    given, expected = WRONG[case]
    before = copy.deepcopy(given)
    assert found(given) == expected
    assert given == before


BETA_IS_FINE = ("a beta's parameter", "a beta's block")


@pytest.mark.parametrize("case", WRONG)
def test_a_beta_request_is_judged_by_the_beta_s_types(case):
    given, expected = WRONG[case]
    assert found(given, beta=True) == ([] if case in BETA_IS_FINE else expected)


@pytest.mark.parametrize(
    "given", [None, 5, "text", [], [{"role": "user"}]], ids=["null", "number", "text", "[]", "list"]
)
def test_a_body_that_is_no_object(given):
    assert found(given) == [(ERROR, "error", "")]


@pytest.mark.parametrize(
    ("case", "api_error"),
    [
        ("no signature", "messages.1.content.0.thinking.signature: Field required"),
        ("no max_tokens", "max_tokens: Field required"),
        ("a message is a string", "messages.0: Input does not match the expected shape."),
        ("is_error null", "messages.0.content.0.tool_result.is_error: Input should be a valid boolean"),
        ("unknown field of a block", "messages.0.content.0.text.colour: Extra inputs are not permitted"),
        ("a URL for base64", "messages.0.content.1.image.source.base64.data: URL sources are not supported"),
        ("effort", "output_config.effort: Input should be 'high', 'low', 'max', 'medium' or 'xhigh'"),
        ("a use in a user turn", "messages.0: `tool_use` blocks can only be in `assistant` messages"),
        ("a result in an assistant turn", "messages.1: `tool_result` blocks can only be in `user` messages"),
        ("messages empty", "messages: at least one message is required"),
        ("a schema that is no object's", "tools.0.custom.input_schema.type: Field required"),
    ],
)
def test_the_api_s_words(case, api_error):
    (finding,) = schema.request_findings(asked(WRONG[case][0]))
    assert finding.api_error == api_error


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no signature", '"signature" is a required property, sent only "type", "thinking"'),
        ("content null", "expected a string or a list, sent null"),
        ("max_tokens as text", "expected an integer, sent '5'"),
        (
            "a use in a user turn",
            'content[1]: "tool_use" blocks stand in assistant messages, sent one in a message of role user',
        ),
        ("a bitmap", 'expected "image/gif", "image/jpeg", "image/png" or "image/webp", sent \'image/bmp\''),
        ("unknown role", 'expected "user", "assistant" or "system", sent "tool"'),
        ("tool_choice of another vendor", 'expected "auto", "any", "tool" or "none", sent "required"'),
    ],
)
def test_the_message_says_what_is_expected_and_what_was_sent(case, message):
    (finding,) = schema.request_findings(asked(WRONG[case][0]))
    assert finding.message == message


def test_a_misspelled_field_is_told_with_the_one_that_is_meant():
    (finding,) = schema.request_findings(asked(body(user({**TEXT, "cache_contol": {"type": "ephemeral"}}))))
    assert finding.message == 'expected "cache_control", sent "cache_contol": {"type":"ephemeral"}'


@pytest.mark.parametrize(
    ("url", "model", "expected"),
    [
        (
            "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic/models/m:rawPredict",
            {},
            0,
        ),
        ("https://r.openai.azure.com/openai/deployments/d/chat/completions", {}, 0),
        ("https://r.openai.azure.com/openai/deployments/d/chat/completions", {"model": None}, 0),
        (CHAT, {}, 1),
        (CHAT, {"model": None}, 1),
        (CHAT, {"model": "gpt-5.5"}, 0),
    ],
    ids=["vertex", "azure", "azure and null", "chat without", "chat and null", "chat with"],
)
def test_the_model_may_stand_in_the_url(url, model, expected):
    given = {"messages": [user("a")]} | model
    if "anthropic" in url:
        given |= {"max_tokens": 5, "anthropic_version": "vertex-2023-10-16"}
    format = "anthropic" if "anthropic" in url else "openai_chat"
    request = Request("POST", url, (), Json(given))
    assert len(list(schema.request_findings(Asked(request, format, [])))) == expected


def test_only_what_is_new_is_looked_at():
    given = body(user({"type": "text"}), assistant("b"), user({"type": "text"}))
    assert found(given) == [(ERROR, "error", "messages[0].content[0]"), (ERROR, "error", "messages[2].content[0]")]
    assert found(given, new=1) == [(ERROR, "error", "messages[2].content[0]")]
    assert found(given, new=3) == []


def test_parameters_that_are_sent_again_are_walked_once_and_told_again(monkeypatch):
    walked = []
    problems = schema.problems
    monkeypatch.setattr(schema, "problems", lambda *given: walked.append(1) or problems(*given))
    first = found(body(first_unknown=1))
    count = len(walked)
    assert count > 0
    assert found(body(user("another"), first_unknown=1)) == first == [("unknown-field", "warn", "first_unknown")]
    assert len(walked) == count
    assert found(body(first_unknown=1, second_unknown=2)) != first


DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "given",
    [
        body(user({**TEXT, "text": "\ud800"})),
        body(user({"type": "\ud800", "\ud800": 1})),
        body(user(DEEP)),
        body(user({**RESULT, "content": DEEP})),
        body(user("a"), assistant({**USE, "input": {"deep": DEEP}})),
        body(user({"type": {"type": "text"}})),
        body(temperature=float("nan"), top_k=2**70, thinking=DEEP, tools=[[], {}, None, DEEP]),
        body({"role": ["user"], "content": {"type": "text"}}),
        {"messages": [user({str(index): index for index in range(2000)})], str(2**100): {}},
        {"messages": {"messages": []}, "tools": {"type": []}, "model": {}, "max_tokens": []},
    ],
    ids=range(10),
)
@pytest.mark.parametrize("url", [API, CHAT, GATEWAY], ids=["messages", "chat", "gateway"])
def test_nothing_raises(given, url):
    findings = list(schema.request_findings(asked(given, url=url)))
    assert len(findings) <= 2 * MOST
    assert all(isinstance(finding, Finding) and len(finding.message) < 1000 for finding in findings)


@pytest.mark.parametrize(
    ("turns", "count"),
    [
        ([None] * 20_000, MOST),
        ([user("a")] * 20_000 + [None], 1),
        ([user(*[TEXT] * 20_000, {"type": "text"})], 1),
        ([user(*[None] * 20_000)], MOST),
        ([{**user("a"), **{f"x{index}": 0 for index in range(20_000)}}], MOST),
    ],
    ids=["nulls", "one null", "one block", "null blocks", "fields"],
)
def test_many_of_a_kind_are_looked_at_once_and_told_in_part(turns, count):
    assert len(list(schema.request_findings(asked(body(*turns))))) == count


def chat(*turns: Any, **other: Any) -> dict[str, Any]:
    return {"model": "gpt-5.5", "messages": list(turns) or [user("Hi")]} | other


CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
ASKS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOLD = {"role": "tool", "tool_call_id": "call_1", "content": "yes"}
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CHATS = {
    # (request, found at OpenAI, found at a gateway)
    "a tool loop": (chat(user("a"), ASKS, TOLD, tools=[FUNCTION], stream=True), [], []),
    "a tool's name": (chat(user("a"), ASKS, {**TOLD, "name": "look"}), [], []),
    "an image as text": (chat(user({"type": "image_url", "image_url": "https://x.example/a.png"})), [], []),
    "roles": (chat({"role": "developer", "content": "a"}, {"role": "system", "content": [TEXT]}), [], []),
    "what gateways take": (
        chat({**assistant("a"), "reasoning_content": "b"}, top_k=5, provider={}),
        [
            ("unknown-field", "warn", "top_k"),
            ("unknown-field", "warn", "provider"),
            ("unknown-field", "warn", "messages[0].reasoning_content"),
        ],
        [],
    ),
    "null for nothing": (chat({**assistant("a"), "tool_calls": None, "audio": None, "name": None}), [], []),
    "a parameter that is null": (chat(tools=None), [(ERROR, "warn", "tools")], []),
    "an image in an assistant turn": (
        chat(assistant({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}})),
        [(ERROR, "error", "messages[0].content[0].type")],
        [(ERROR, "warn", "messages[0].content[0].type")],
    ),
    "an image in a tool's answer": (chat(user("a"), ASKS, {**TOLD, "content": [{"type": "image_url"}]}), [], []),
    "unknown parameter": (
        chat(colour=1),
        [("unknown-field", "warn", "colour")],
        [("unknown-field", "warn", "colour")],
    ),
    "unknown role": (
        chat({"role": "robot", "content": "a"}),
        [("unknown-role", "warn", "messages[0].role")],
        [("unknown-role", "warn", "messages[0].role")],
    ),
    "unknown part": (
        chat(user({"type": "video_url"})),
        [("unknown-block", "warn", "messages[0].content[0]")],
        [("unknown-block", "warn", "messages[0].content[0]")],
    ),
    "no tool_call_id": (
        chat(user("a"), ASKS, without(TOLD, "tool_call_id")),
        [(ERROR, "error", "messages[2]")],
        [(ERROR, "error", "messages[2]")],
    ),
    "content null": (
        chat({"role": "user", "content": None}),
        [(ERROR, "error", "messages[0].content")],
        [(ERROR, "error", "messages[0].content")],
    ),
    "arguments as an object": (
        chat(user("a"), {**ASKS, "tool_calls": [{**CALL, "function": {"name": "look", "arguments": {}}}]}),
        [(ERROR, "error", "messages[1].tool_calls[0].function.arguments")],
        [(ERROR, "error", "messages[1].tool_calls[0].function.arguments")],
    ),
    "a tool of a gateway": (
        chat(tools=[{"type": "openrouter:web_search"}]),
        [("unknown-tool", "warn", "tools[0]")],
        [],
    ),
    "effort": (
        chat(reasoning_effort="huge"),
        [(ERROR, "warn", "reasoning_effort")],
        [(ERROR, "warn", "reasoning_effort")],
    ),
    "max_tokens as text": (
        chat(max_tokens="5"),
        [(ERROR, "error", "max_tokens")],
        [(ERROR, "warn", "max_tokens")],
    ),
}


@pytest.mark.parametrize("case", CHATS)
def test_chat_completions_at_the_vendor_and_at_a_gateway(case):
    given, vendor, gateway = CHATS[case]
    assert found(given, url=CHAT) == vendor
    assert found(given, url=GATEWAY) == gateway


def test_the_words_of_chat_completions():
    (finding,) = schema.request_findings(asked(CHATS["no tool_call_id"][0], url=CHAT))
    assert finding.api_error == "Missing required parameter: 'messages[2].tool_call_id'."


USAGE = {"input_tokens": 9, "output_tokens": 5}
ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
    "content": [THINKING, TEXT, USE], "stop_reason": "tool_use", "stop_sequence": None, "usage": USAGE,
}  # fmt: skip
SAID = {"role": "assistant", "content": "a"}
COMPLETION = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5.5", "usage": None,
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": SAID}],
}  # fmt: skip


def choice(**other: Any) -> dict[str, Any]:
    return {**COMPLETION, "choices": [{**COMPLETION["choices"][0], **other}]}  # type: ignore[index]


BROKEN, LESS = ("response-schema", "error"), ("response-field", "warn")
ANSWERS = {
    "as it is": (ANSWER, []),
    "older: no stop_details, no cache counters": (without(ANSWER, "stop_sequence"), []),
    "a counter of a tool is missing": ({**ANSWER, "usage": {**USAGE, "server_tool_use": {}}}, []),
    "null for what is not set": ({**ANSWER, "usage": {**USAGE, "output_tokens": None}, "stop_details": None}, []),
    "null for what is promised": ({**ANSWER, "id": None}, [(*LESS, "id")]),
    "a new tier": ({**ANSWER, "usage": {**USAGE, "service_tier": "gold"}}, []),
    "no content": (without(ANSWER, "content"), [(*BROKEN, "")]),
    "content null": ({**ANSWER, "content": None}, [(*BROKEN, "content")]),
    "another role": ({**ANSWER, "role": "user"}, [(*BROKEN, "role")]),
    "another type": ({**ANSWER, "type": "completion"}, [(*BROKEN, "type")]),
    "no text": ({**ANSWER, "content": [{"type": "text"}]}, [(*BROKEN, "content[0]")]),
    "no id of a use": ({**ANSWER, "content": [without(USE, "id")]}, [(*BROKEN, "content[0]")]),
    "input as text": ({**ANSWER, "content": [{**USE, "input": "{}"}]}, [(*BROKEN, "content[0].input")]),
    "no signature": ({**ANSWER, "content": [without(THINKING, "signature")]}, [(*LESS, "content[0]")]),
    "no model": (without(ANSWER, "model"), [(*LESS, "")]),
    "content alone": ({"content": [TEXT]}, [(*LESS, "")] * 5),
    "no usage": (without(ANSWER, "usage"), [(*LESS, "")]),
    "a counter as text": ({**ANSWER, "usage": {**USAGE, "input_tokens": "9"}}, [(*LESS, "usage.input_tokens")]),
    "a new stop": ({**ANSWER, "stop_reason": "bored"}, [("unknown-value", "warn", "stop_reason")]),
    "a new field": ({**ANSWER, "mood": "good"}, [("unknown-field", "warn", "mood")]),
    "a new block": ({**ANSWER, "content": [TEXT, {"type": "hologram"}]}, [("unknown-block", "warn", "content[1]")]),
    "a beta's block": ({**ANSWER, "content": [{"type": "compaction", "content": "so far"}]}, []),
}
COMPLETIONS = {
    "as it is": (COMPLETION, []),
    "what gateways add": (choice(native_finish_reason="stop", message={**SAID, "reasoning": "b"}), []),
    "null for what is not set": (choice(message={"role": "assistant", "content": None, "tool_calls": None}), []),
    "choices null": ({**COMPLETION, "choices": None}, [(*BROKEN, "choices")]),
    "message null": (choice(message=None), [(*BROKEN, "choices[0].message")]),
    "finish_reason null": (choice(finish_reason=None), [(*LESS, "choices[0].finish_reason")]),
    "no choices": (without(without(COMPLETION, "choices"), "id"), [(*BROKEN, "")]),
    "no id": (without(COMPLETION, "id"), [(*LESS, "")]),
    "tool_calls as text": (
        choice(message={"role": "assistant", "content": "a", "tool_calls": "x"}),
        [(*BROKEN, "choices[0].message.tool_calls")],
    ),
    "a new stop": (choice(finish_reason="eos"), [("unknown-value", "warn", "choices[0].finish_reason")]),
    "a new field": (choice(mood="good"), [("unknown-field", "warn", "choices[0].mood")]),
    "another role": (choice(message={**SAID, "role": "model"}), [("unknown-role", "warn", "choices[0].message")]),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_an_answer(case, beta):
    given, expected = ANSWERS[case]
    findings = list(schema.response_findings("anthropic", given, beta=beta))
    assert paths(findings) == expected
    assert all(finding.side == "response" for finding in findings)


@pytest.mark.parametrize("case", COMPLETIONS)
def test_a_completion(case):
    given, expected = COMPLETIONS[case]
    findings = list(schema.response_findings("openai_chat", given, beta=False))
    assert paths(findings) == expected
    assert all(finding.side == "response" for finding in findings)


START = {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None}}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
CLOSE = {"type": "content_block_stop", "index": 0}
END = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 5},
}
STOP = {"type": "message_stop"}
STREAM = [START, OPEN, DELTA, DELTA, CLOSE, END, STOP]
CHUNK = {
    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.5",
    "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}],
}  # fmt: skip
STREAMS = {
    "as it is": ("anthropic", STREAM, []),
    "pings, errors, what is no event": (
        "anthropic",
        [{"type": "ping"}, *STREAM, None, "x", {"no": "type"}, {"type": "error", "error": {"type": "x"}}],
        [],
    ),
    "a new event": ("anthropic", [*STREAM, {"type": "applause"}], [("unknown-event", "warn", "events[7]")]),
    "a new delta": (
        "anthropic",
        [START, OPEN, {**DELTA, "delta": {"type": "smell_delta"}}],
        [("unknown-delta", "warn", "events[2].delta")],
    ),
    "a new block": (
        "anthropic",
        [START, {**OPEN, "content_block": {"type": "hologram"}}],
        [("unknown-block", "warn", "events[1].content_block")],
    ),
    "a new field": ("anthropic", [START, {**OPEN, "mood": 1}], [("unknown-field", "warn", "events[1].mood")]),
    "the same in each": (
        "anthropic",
        [START, OPEN, *[{**DELTA, "mood": index, "weather": 0} for index in range(50)]],
        [("unknown-field", "warn", "events[2].mood"), ("unknown-field", "warn", "events[2].weather")],
    ),
    "two things missing in each": (
        "anthropic",
        [START, OPEN, *[{"type": "content_block_delta"}] * 50],
        [(*BROKEN, "events[2]"), (*BROKEN, "events[2]")],
    ),
    "index as text": ("anthropic", [START, {**OPEN, "index": "0"}], [(*BROKEN, "events[1].index")]),
    "no index": ("anthropic", [START, OPEN, without(DELTA, "index")], [(*BROKEN, "events[2]")]),
    "no text": ("anthropic", [START, OPEN, {**DELTA, "delta": {"type": "text_delta"}}], [(*BROKEN, "events[2].delta")]),
    "delta null": ("anthropic", [START, OPEN, {**DELTA, "delta": None}], [(*BROKEN, "events[2].delta")]),
    "a start with little in it": (
        "anthropic",
        [{**START, "message": {"content": [], "usage": {}}}],
        [("response-field", "warn", "events[0].message")] * 4,
    ),
    "a start that the helper cannot append to": (
        "anthropic",
        [{**START, "message": {**START["message"], "content": None}}],
        [(*BROKEN, "events[0].message.content")],
    ),
    "a start without content and usage": (
        "anthropic",
        [{**START, "message": without(without(START["message"], "content"), "usage")}],
        [(*BROKEN, "events[0].message"), ("response-field", "warn", "events[0].message")],
    ),
    "a start whose message is null": (
        "anthropic",
        [{**START, "message": None}],
        [(*BROKEN, "events[0].message")],
    ),
    "a start whose usage is null": (
        "anthropic",
        [{**START, "message": {**START["message"], "usage": None}}],
        [("response-field", "warn", "events[0].message.usage")],
    ),
    "a delta that is null": (
        "openai_chat",
        [{**CHUNK, "choices": [{"index": 0, "delta": None, "finish_reason": None}]}],
        [("response-field", "warn", "events[0].choices[0].delta")],
    ),
    "a chunk of annotations": (
        "openai_chat",
        [{**CHUNK, "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}}]}],
        [],
    ),
    "a choice without a delta": (
        "openai_chat",
        [{**CHUNK, "choices": [{"index": 0, "finish_reason": None}]}],
        [("response-field", "warn", "events[0].choices[0]")],
    ),
    "a choice without an index": (
        "openai_chat",
        [{**CHUNK, "choices": [{"delta": {"content": "x"}, "finish_reason": None}]}],
        [("response-field", "warn", "events[0].choices[0]")],
    ),
    "a tool call without an index": (
        "openai_chat",
        [{**CHUNK, "choices": [{"index": 0, "delta": {"tool_calls": [{"function": {"name": "look"}}]}}]}],
        [],
    ),
    "no usage": ("anthropic", [without(END, "usage"), {**END, "usage": {}}], []),
    "chunks": ("openai_chat", [CHUNK, {**CHUNK, "choices": []}, None], []),
    "choices null": ("openai_chat", [{**CHUNK, "choices": None}], []),
    "a gateway's chunk": ("openai_chat", [{**CHUNK, "provider": "x", "object": "", "service_tier": "gold"}], []),
    "delta as text": (
        "openai_chat",
        [CHUNK, {**CHUNK, "choices": [{"index": 0, "delta": "a"}]}],
        [(*BROKEN, "events[1].choices[0].delta")],
    ),
    "a chunk's new field": (
        "openai_chat",
        [CHUNK, {**CHUNK, "mood": 1}],
        [("unknown-field", "warn", "events[1].mood")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STREAMS)
def test_events(case):
    format, events, expected = STREAMS[case]
    findings = list(schema.event_findings(format, events, beta=False))
    assert paths(findings) == expected
    assert all(finding.side == "response" for finding in findings)


@pytest.mark.parametrize("given", [DEEP, {"content": DEEP, "\ud800": DEEP}, {}, None, 5], ids=range(5))
@pytest.mark.parametrize("format", ["anthropic", "openai_chat"])
def test_no_answer_raises(given, format):
    list(schema.response_findings(format, given, beta=True))
    list(
        schema.event_findings(
            format, [given, {"type": "message_start", "message": given, "choices": given}], beta=False
        )
    )


def test_rules_have_different_names_and_all_that_a_reader_asks():
    assert len({rule.name for rule in schema.RULES}) == len(schema.RULES)
    assert all(rule.summary and rule.why and rule.source for rule in schema.RULES)


@pytest.mark.parametrize("format", ["anthropic", "openai_chat"])
def test_the_packaged_schema_is_what_the_installed_sdk_says(format):
    sdk, _, stated = shapes(format).sdk.partition(" ")
    installed = version(sdk)
    if installed != stated:
        pytest.skip(f"schemas/{format}.json is made from {sdk} {stated}, and {installed} is installed here")
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("generate_schemas", root / "tools" / "generate_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = (root / "convo_replay" / "validation" / "schemas" / f"{format}.json").read_text(encoding="utf-8")
    made = tool.written(getattr(tool, format)())
    assert made == text, "run `make schemas`"
    assert json.loads(text)["version"] == installed
