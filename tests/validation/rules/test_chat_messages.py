"""Chat completions: tool calls and their answers, roles, contents; each broken one beside the legal one next to it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from turn_cases import calling, findings, request, said, told, tool

RULES = ("tool_message_missing", "tool_message_unexpected", "message_invalid", "reasoning_missing")
ASK = said("user", "Weather?")
ONE = calling("call_1")
TWO = calling("call_1", "call_2")
DEEPSEEK = {"url": "https://api.deepseek.com/chat/completions", "model": "deepseek-v4-pro"}
THOUGHT = calling("call_1", reasoning_content="They ask for the weather.")
NAMELESS = {"role": "assistant"}

CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any], list[str]]] = {
    # O1
    "nothing follows": ((ASK, ONE), {}, ["tool-message-missing messages[1]"]),
    "a user message follows": ((ASK, ONE, ASK), {}, ["tool-message-missing messages[1]"]),
    "one of two": ((ASK, TWO, tool("call_2"), ASK), {}, ["tool-message-missing messages[1]"]),
    "both, the other way round": ((ASK, TWO, tool("call_2"), tool("call_1"), ASK), {}, []),
    "a user message between": (
        (ASK, TWO, tool("call_1"), ASK, tool("call_2")),
        {},
        ["tool-message-missing messages[1]", "tool-message-unexpected messages[4].role"],
    ),
    "two assistant messages are two turns": (
        (ASK, ONE, said("assistant"), tool("call_1")),
        {},
        ["tool-message-missing messages[1]", "tool-message-unexpected messages[3].role"],
    ),
    "calls without ids": ((ASK, calling("", None), tool(""), ASK), {}, []),
    # O2
    "an answer without a call": (
        (ASK, said("assistant"), tool("call_1")), {}, ["tool-message-unexpected messages[2].role"]
    ),
    "an answer first of all": ((tool("call_1"),), {}, ["tool-message-unexpected messages[0].role"]),
    "an answer to nobody's call": (
        (ASK, ONE, tool("call_1"), tool("call_9")), {}, ["tool-message-unexpected messages[3].tool_call_id"]
    ),
    "an answer to a user": ((ASK, tool("call_1")), {}, ["tool-message-unexpected messages[1].role"]),
    # O3
    "every role": ((said("system"), said("developer"), ASK, said("assistant"), said("function", name="f")), {}, []),
    "no content": ((ASK, NAMELESS), {}, ["message-invalid messages[1].content"]),
    "null content": ((ASK, said("assistant", None)), {}, ["message-invalid messages[1].content"]),
    "null content beside null tool_calls": (
        (ASK, said("assistant", None, tool_calls=None)), {}, ["message-invalid messages[1].content"]
    ),
    "null content beside a refusal": ((ASK, said("assistant", None, refusal="No.")), {}, []),
    "null content beside audio": ((ASK, said("assistant", None, audio={"id": "a"})), {}, []),
    "null content beside calls": ((ASK, ONE, tool("call_1")), {}, []),
    "empty content": ((ASK, said("assistant", "")), {}, []),
    "null content beside reasoning": ((ASK, said("assistant", None, reasoning_details=[])), {}, []),
    "no content beside reasoning": (
        (ASK, NAMELESS | {"reasoning_content": "Hm."}), {}, ["message-invalid messages[1].content"]
    ),
    "no content beside images": ((ASK, NAMELESS | {"images": []}), {}, []),
    "a tool's new kind of part": ((ASK, ONE, tool("call_1", [{"type": "hologram"}])), {}, []),
    "a tool's text parts": ((ASK, ONE, tool("call_1", [{"type": "text", "text": "18"}])), {}, []),
    "a tool's image": (
        (ASK, ONE, tool("call_1", [{"type": "image_url", "image_url": {"url": "data:,"}}])),
        {},
        ["message-invalid messages[2].content[0]"],
    ),
    "no calls in the list of calls": (
        (ASK, said("assistant", tool_calls=[])), {}, ["message-invalid messages[1].tool_calls"]
    ),
    "o1-mini, system": ((said("system"), ASK), {"model": "o1-mini"}, ["message-invalid messages[0].role"]),
    "o1-preview, developer": (
        (said("developer"), ASK), {"model": "o1-preview-2024-09-12"}, ["message-invalid messages[0].role"]
    ),
    "o1, system": ((said("system"), ASK), {"model": "o1"}, []),
    # reasoning_content
    "reasoning left out": (
        (ASK, ONE, tool("call_1")), DEEPSEEK | {"answers": {1: THOUGHT}}, ["reasoning-missing messages[1]"]
    ),
    "reasoning sent back": ((ASK, THOUGHT, tool("call_1")), DEEPSEEK | {"answers": {1: THOUGHT}}, []),
    "reasoning left out, thinking disabled": (
        (ASK, ONE, tool("call_1")), DEEPSEEK | {"answers": {1: THOUGHT}, "thinking": {"type": "disabled"}}, []
    ),
    "reasoning left out of a turn without calls": (
        (ASK, said("assistant"), ASK), DEEPSEEK | {"answers": {1: said("assistant", reasoning_content="Hm.")}}, []
    ),
    "no reasoning came": ((ASK, ONE, tool("call_1")), DEEPSEEK | {"answers": {1: ONE}}, []),
    "another vendor's reasoning": ((ASK, ONE, tool("call_1")), {"answers": {1: THOUGHT}}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_conversation_is_told_where_it_breaks(name):
    messages, body, expected = CASES[name]
    assert told(findings(request(*messages, format="openai_chat", **body), *RULES)) == sorted(expected)


WORDS = {
    "one of two": "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: call_1",
    "an answer without a call": "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
    "message with 'tool_calls'.",
    "an answer to nobody's call": "Invalid parameter: 'tool_call_id' of 'call_9' not found in 'tool_calls' of previous "
    "message.",
    "o1-mini, system": "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "null content": "Invalid value for 'content': expected a string, got null.",
    "no calls in the list of calls": "Invalid 'messages[1].tool_calls': empty array. Expected an array with minimum "
    "length 1, but got an empty array instead.",
    "reasoning left out": "The `reasoning_content` in the thinking mode must be passed back to the API.",
}


@pytest.mark.parametrize("name", WORDS)
def test_the_api_is_quoted(name):
    messages, body, _ = CASES[name]
    (found,) = findings(request(*messages, format="openai_chat", **body), *RULES)
    assert (found.api_error, found.severity) == (WORDS[name], "error")


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ((said("system"), ASK), {"model": "openai/o1-mini", "url": "https://openrouter.ai/api/v1/chat/completions"}),
        ((ASK, ONE, tool("call_1", [{"type": "image_url"}])), {"url": "http://localhost:4000/chat/completions"}),
        ((ASK, said("assistant", tool_calls=[])), {"url": "http://localhost:11434/v1/chat/completions"}),
        (
            (ASK, ONE, tool("call_1")),
            {"url": "http://localhost:4000/chat/completions", "model": "deepseek-v4", "answers": {1: THOUGHT}},
        ),
    ],
    ids=["o1-mini", "image", "tool_calls", "reasoning"],
)
def test_what_a_gateway_may_take_is_a_warning(messages, body):
    (found,) = findings(request(*messages, format="openai_chat", **body), *RULES)
    assert found.severity == "warn"


def test_what_an_earlier_request_had_is_not_told_again():
    conversation = (ASK, TWO, tool("call_1"), said("assistant"), ASK)
    assert told(findings(request(*conversation, format="openai_chat"), *RULES)) == ["tool-message-missing messages[1]"]
    assert findings(request(*conversation, format="openai_chat", new=4), *RULES) == []
    assert told(findings(request(*conversation, format="openai_chat", new=3), *RULES)) == [
        "tool-message-missing messages[1]"
    ]


GARBAGE: tuple[Any, ...] = (
    None,
    7,
    [],
    {},
    {"role": 7, "content": 7},
    {"role": "tool"},
    {"role": "tool", "tool_call_id": [], "content": [None, 7, {"type": 7}]},
    {"role": "assistant", "tool_calls": 7},
    {"role": "assistant", "tool_calls": [None, {"id": 7}, {"id": {}, "function": 7}]},
    {"role": "assistant", "content": {}, "function_call": []},
)


def test_garbage_raises_nothing():
    for one in GARBAGE:
        for two in GARBAGE:
            findings(request(one, two, one, format="openai_chat", answers={1: one}, **DEEPSEEK), *RULES)


@pytest.mark.parametrize(
    "messages",
    [
        [calling(*range(4000)), *[tool(f"call_{at}") for at in range(4000)]],
        [calling(*[f"call_{at}" for at in range(4000)]), *[tool(f"call_{at}x") for at in range(4000)]],
        [tool(f"call_{at}") for at in range(4000)],
        [ONE] * 4000,
    ],
    ids=["numbers", "wrong ids", "answers alone", "calls alone"],
)
def test_large_histories_cost_no_more_than_their_size(messages):
    start = time.process_time()
    findings(request(*messages, format="openai_chat"), *RULES)
    assert time.process_time() - start < 1.0
