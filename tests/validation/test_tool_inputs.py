"""What a model asks a tool for fits what the request declared; the schema itself may be anything."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from convo_replay.exchange import Json, Request
from convo_replay.providers.reply import Reply, ToolUse
from convo_replay.validation import tool_inputs
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city"],
    "additionalProperties": False,
}
TREE = {
    "$defs": {
        "node": {"type": "object", "properties": {"left": {"$ref": "#/$defs/node"}, "value": {"type": "integer"}}}
    },
    "$ref": "#/$defs/node",
}


def anthropic(schema: Any, *inputs: Any, stop: str = "tool_use", complete: bool = True) -> list[Finding]:
    content = [{"type": "text", "text": "Let me see."}]
    content += [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": given} for given in inputs]
    tools = [{"name": "other", "input_schema": {"type": 5}}, {"name": "weather", "input_schema": schema}]
    asked = Asked(Request("POST", "https://x/v1/messages", (), Json({"tools": tools})), "anthropic", [])
    uses = tuple(ToolUse("toolu_1", "weather", given, "") for given in inputs)
    reply = Reply(tool_uses=uses, stop_reason=stop, complete=complete, message={"content": content})
    return list(tool_inputs.check(reply, asked))


def chat(schema: Any, *arguments: Any, finish: str = "tool_calls") -> list[Finding]:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": given}} for given in arguments
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    asked = Asked(Request("POST", "https://x/chat/completions", (), Json({"tools": tools})), "openai_chat", [])
    answer = {"choices": [{"index": 0, "finish_reason": finish, "message": message}]}
    return list(tool_inputs.check(Reply(stop_reason=finish, complete=True, message=answer), asked))


@pytest.mark.parametrize(
    ("schema", "given", "path", "says"),
    [
        (WEATHER, {"city": 5}, "content[1].input.city", "5 is not of type"),
        (WEATHER, {}, "content[1].input", '"city" is a required property'),
        (WEATHER, {"city": "Ulm", "days": [1, "2"]}, "content[1].input.days[1]", '"2" is not of type'),
        (WEATHER, {"city": "Ulm", "town": 1}, "content[1].input", "'town' was unexpected"),
        (WEATHER, [], "content[1].input", "not of type"),
        (WEATHER, None, "content[1].input", "not of type"),
        (TREE, {"left": {"left": {"value": "x"}}}, "content[1].input.left.left.value", '"x" is not of type'),
    ],
)
def test_an_input_that_does_not_fit(schema, given, path, says):
    (finding,) = anthropic(schema, given)
    assert (finding.rule, finding.severity, finding.path) == ("tool-input-invalid", "warn", f"response.{path}")
    assert says in finding.message
    assert '"weather"' in finding.message
    (finding,) = chat(schema, json.dumps(given)) if given is not None else anthropic(schema, given)
    assert finding.rule == "tool-input-invalid"


def test_the_path_of_chat_completions_goes_on_inside_the_arguments():
    (finding,) = chat(WEATHER, "{}", '{"city": 5}')[1:]
    assert finding.where == ("choices", 0, "message", "tool_calls", 1, "function", "arguments", "city")


@pytest.mark.parametrize("arguments", ['{"city": ', "nothing", {"city": 5}, 5], ids=repr)
def test_arguments_that_are_no_object_of_json(arguments):
    assert [finding.rule for finding in chat(WEATHER, arguments)] == ["tool-input-invalid"]


@pytest.mark.parametrize("given", [{"city": "Ulm"}, {"city": "Ulm", "days": []}], ids=range(2))
def test_an_input_that_fits(given):
    assert anthropic(WEATHER, given) == []
    assert chat(WEATHER, json.dumps(given)) == []
    assert chat({"type": "object"}, "", {}) == []


def test_an_answer_that_was_cut_or_broke_off_is_no_input_yet():
    assert anthropic(WEATHER, {}, stop="max_tokens") == []
    assert anthropic(WEATHER, {}, complete=False) == []
    assert chat(WEATHER, '{"ci', finish="length") == []


def test_a_tool_without_a_schema_says_nothing():
    assert anthropic(None, {"anything": 1}) == []
    assert chat(None, '{"anything": 1}') == []


BROKEN = {
    "no object": [],
    "a word": "object",
    "a type that is none": {"type": "strnig"},
    "properties as a list": {"properties": []},
    "a pattern that is none": {"properties": {"a": {"pattern": "("}}},
    "a reference to nowhere": {"$ref": "#/$defs/none"},
    "a remote reference": {"$ref": "http://127.0.0.1:9/schema.json"},
    "a file": {"$ref": "file:///etc/hostname"},
    "an unknown dialect": {"$schema": "https://schemas.example/mine"},
    "itself": {"$ref": "#"},
    "itself by another": {
        "properties": {"p": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}},
    },
}


def declared(format: str, *tools: Any, new: int = 0) -> list[Finding]:
    asked = Asked(Request("POST", "https://x/v1/messages", (), Json({"tools": list(tools)})), format, [], new)
    return list(tool_inputs.check_schemas(asked))


@pytest.mark.parametrize("case", BROKEN)
def test_a_schema_that_is_none_is_told_where_it_is_declared(case, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    tools = [{"name": "a", "input_schema": {"type": "object"}}, {"name": "b", "input_schema": BROKEN[case]}]
    (finding,) = declared("anthropic", *tools)
    assert (finding.rule, finding.severity) == ("tool-schema-invalid", "warn")
    assert finding.path == "request.tools[1].input_schema"
    assert finding.api_error.startswith("tools.1.custom.input_schema: JSON schema is invalid.")
    (finding,) = declared("openai_chat", {"type": "function", "function": {"name": "b", "parameters": BROKEN[case]}})
    assert finding.path == "request.tools[0].function.parameters"
    assert anthropic(BROKEN[case], {}, {"again": 1}) == []


def test_the_schemas_of_a_conversation_are_looked_at_once():
    assert declared("anthropic", {"name": "b", "input_schema": "object"}, new=1) == []


@pytest.mark.parametrize(
    "schema",
    [TREE, {"properties": {"a": {"$ref": "#"}}}, {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}],
    ids=range(3),
)
def test_a_schema_may_name_itself_for_what_is_inside(schema):
    assert declared("anthropic", {"name": "b", "input_schema": schema}) == []


def nested(depth: int, around: Any) -> Any:
    made: Any = {}
    for _ in range(depth):
        made = around(made)
    return made


def bomb(count: int) -> dict[str, Any]:
    defs: dict[str, Any] = {f"a{index}": {"allOf": [{"$ref": f"#/$defs/a{index + 1}"}] * 2} for index in range(count)}
    return {"$defs": defs | {f"a{count}": {"type": "string"}}, "$ref": "#/$defs/a0"}


TWICE = {"anyOf": [{"properties": {"c": {"$ref": "#"}}, "required": ["x"]}, {"properties": {"c": {"$ref": "#"}}}]}
HOSTILE = {
    "names itself": ({"$ref": "#"}, {}),
    "names each other": ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, {}),
    "a bomb": (bomb(60), "x"),
    "a bomb by anchors": (
        {"allOf": [{"$ref": f"#x{index}"} for index in range(20)]}
        | {"$defs": {str(index): {"$anchor": f"x{index}", "type": "object"} for index in range(20)}},
        {},
    ),
    "branches at each level": (TWICE | {"not": TWICE, "if": TWICE}, nested(60, lambda inner: {"c": inner})),
    "branches that all fail": (
        {"anyOf": [{"properties": {"c": {"$ref": "#"}}, "required": [name]} for name in ("x", "y")]},
        nested(12, lambda inner: {"c": inner}),
    ),
    "a pattern that backtracks": (
        {"items": {"type": "string", "pattern": "^(a|aa)+\\1(?=b)$"}},
        ["a" * 60 + "c"] * 20,
    ),
    "a pattern that is huge": ({"pattern": "((a{100}){100}){100}"}, "a"),
    "a deep schema": (nested(900, lambda inner: {"properties": {"a": inner}}), {}),
    "a deep input": ({"properties": {"c": {"$ref": "#"}}}, nested(900, lambda inner: {"c": inner})),
    "a long schema": ({"enum": ["x" * 100] * 10_000}, "x"),
    "a wide schema": ({"properties": {f"p{index}": {"type": "string"} for index in range(30_000)}}, {"p0": 1}),
    "lone surrogates": ({"properties": {"\ud800": {"type": "string"}}}, {"\ud800": "\ud800"}),
    "huge numbers": ({"maximum": 10**40, "multipleOf": 1e-300}, 10**60),
    "many errors": ({"items": {"type": "string"}}, [5] * 2_000),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_schema_ends_soon_and_raises_nothing(case):
    schema, given = HOSTILE[case]
    assert len(anthropic(schema, given)) <= 5
    assert len(chat(schema, json.dumps(given))) <= 5


def test_a_recursive_schema_is_judged_deeper_than_it_is_explained():
    either = {"anyOf": [{"properties": {"c": {"$ref": "#"}}, "required": [name]} for name in ("x", "y")]}
    (shallow,) = anthropic(either, {"c": {}})
    (deep,) = anthropic(either, nested(10, lambda inner: {"c": inner}))
    assert "anyOf" in shallow.message
    shown = json.dumps(nested(10, lambda inner: {"c": inner}), separators=(",", ":"))
    assert deep.message == f'expected what "weather" declares, got {shown}'


def test_a_schema_is_compiled_once_however_often_it_is_sent():
    tool_inputs._compiled.cache_clear()
    for _ in range(3):
        anthropic(json.loads(json.dumps(WEATHER)), {"city": "Ulm"}, {"city": "Bonn"})
    assert tool_inputs._compiled.cache_info().misses == 1


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": "text"},
        {"content": [None, 5, {"type": "tool_use"}]},
        {"choices": [{"message": {"tool_calls": [None, {}]}}]},
    ],
    ids=range(4),
)
@pytest.mark.parametrize("tools", [None, "x", [None], [{"name": None, "function": {"name": []}}]], ids=range(4))
@pytest.mark.parametrize("format", ["anthropic", "openai_chat"])
def test_answers_and_tools_of_any_shape(message, tools, format):
    asked = Asked(Request("POST", "https://x/", (), Json({"tools": tools})), format, [])
    assert list(tool_inputs.check(Reply(complete=True, message=message), asked)) == []
