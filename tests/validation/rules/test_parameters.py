"""Parameters by model and version: sampling, effort, max_tokens, tool_choice, tools, web search."""

from __future__ import annotations

from typing import Any

import pytest

from convo_replay.validation.rules import (
    audio_unsupported,
    effort_unsupported,
    max_tokens_limit,
    prefill_unsupported,
    removed_parameter,
    sampling_unsupported,
    system_misplaced,
    thinking_unsupported,
    tool_choice_unresolved,
    tool_choice_unsupported,
    tool_names_repeated,
    tool_type_unsupported,
    unknown_model,
    unknown_version,
    web_search_unsupported,
)
from rule_cases import BEDROCK, DIRECT, NEW, OLD, VERTEX, assistant, body, errors, said, system, tool, user

OPENAI = "https://api.openai.com/v1/chat/completions"
ALL = {"temperature": 1.0, "top_p": 0.9, "top_k": 5}


@pytest.mark.parametrize(
    ("version", "names"), [(NEW, list(ALL)), ("2027-01-01", []), ("banana", []), (OLD, []), ("", [])]
)
def test_parameters_that_a_version_has_removed(version, names):
    sent = body(user("Hi."), model="claude-sonnet-4-5", **ALL)
    assert said(removed_parameter.check, sent, version=version) == [("error", name) for name in names]
    if names:
        assert errors(removed_parameter.check, sent)[0] == "temperature: Extra inputs are not permitted"


def test_the_version_may_stand_in_the_body():
    sent = body(user("Hi."), temperature=0)
    assert said(removed_parameter.check, sent | {"anthropic_version": NEW}, version="", url=BEDROCK) != []
    assert (
        said(removed_parameter.check, sent | {"anthropic_version": "bedrock-2023-05-31"}, version="", url=BEDROCK) == []
    )
    assert said(removed_parameter.check, body(user("Hi."), temperature=None)) == []


SAMPLING: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "4.7": ("claude-opus-4-7", {"temperature": 0.2, "top_p": 0.5, "top_k": 5}, ["temperature", "top_p", "top_k"]),
    "4.7, defaults": ("claude-opus-4-7", {"temperature": 1, "top_p": 1.0}, []),
    "5.5": ("claude-haiku-5-5", {"temperature": 0}, ["temperature"]),
    "4.6": ("claude-opus-4-6", {"temperature": 0.2}, []),
    "4.6, both": ("claude-sonnet-4-6", {"temperature": 0.2, "top_p": 0.9}, ["top_p"]),
    "4.5, both": ("claude-haiku-4-5", {"temperature": 0.2, "top_p": 0.9}, ["top_p"]),
    "4.1, both": ("claude-opus-4-1-20250805", {"temperature": 0.2, "top_p": 0.9}, ["top_p"]),
    "4.0, both": ("claude-sonnet-4-20250514", {"temperature": 0.2, "top_p": 0.9, "top_k": 5}, []),
    "3.5, both": ("claude-3-5-haiku-20241022", {"temperature": 0.2, "top_p": 0.9}, []),
    "younger": ("claude-opus-9", {"temperature": 0.2}, []),
    "another": ("my-deployment", {"temperature": 0.2, "top_p": 0.9}, []),
    "none": ("claude-opus-4-7", {"temperature": None}, []),
    "a word": ("claude-opus-4-7", {"temperature": "warm"}, ["temperature"]),
}


@pytest.mark.parametrize(("model", "parameters", "names"), SAMPLING.values(), ids=SAMPLING.keys())
def test_sampling_by_model(model, parameters, names):
    sent = body(user("Hi."), model=model, **parameters)
    for version in (OLD, ""):
        assert said(sampling_unsupported.check, sent, version=version) == [("error", name) for name in names]
    assert said(sampling_unsupported.check, sent, version=NEW) == []


def test_temperature_with_a_thinking_budget():
    thinks = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    sent = body(user("Hi."), model="claude-sonnet-4-5", temperature=0.5, **thinks)
    assert said(sampling_unsupported.check, sent, version=OLD) == [("error", "temperature")]
    for legal in (sent | {"temperature": 1.0}, sent | {"thinking": {"type": "disabled"}}):
        assert said(sampling_unsupported.check, legal, version=OLD) == []


LEVEL = "This model does not support effort level"
EFFORTS = {
    "claude-opus-4-6": ("xhigh", f"{LEVEL} 'xhigh'. Supported levels: high, low, max, medium."),
    "claude-opus-4-5": ("max", f"{LEVEL} 'max'. Supported levels: high, low, medium."),
    "claude-haiku-4-5": ("low", "This model does not support the effort parameter."),
    "claude-3-7-sonnet-20250219": ("high", "This model does not support the effort parameter."),
    "claude-mythos-preview": ("xhigh", f"{LEVEL} 'xhigh'."),
    "claude-sonnet-4-6": ("max", ""),
    "claude-opus-4-7": ("xhigh", ""),
    "claude-haiku-5-5": ("max", ""),
    "claude-opus-9": ("xhigh", ""),
    "my-deployment": ("xhigh", ""),
}  # fmt: skip


@pytest.mark.parametrize(("model", "level", "text"), [(model, *rest) for model, rest in EFFORTS.items()])
def test_levels_of_effort_by_model(model, level, text):
    sent = body(user("Hi."), model=model, output_config={"effort": level})
    assert said(effort_unsupported.check, sent) == ([("error", "output_config.effort")] if text else [])
    assert all(error.startswith(text) for error in errors(effort_unsupported.check, sent))
    for other in (None, "utmost", 5, ["low"]):
        assert said(effort_unsupported.check, sent | {"output_config": {"effort": other}}) == []


@pytest.mark.parametrize(
    ("model", "most"),
    {
        "claude-3-opus-20240229": 4096,
        "claude-3-5-haiku-20241022": 8192,
        "claude-3-7-sonnet-20250219": 128_000,
        "claude-opus-4-1-20250805": 32_000,
        "claude-sonnet-4-5": 64_000,
        "claude-opus-4-8": 128_000,
    }.items(),
)
def test_max_tokens_by_model(model, most):
    sent = body(user("Hi."), model=model) | {"max_tokens": most}
    assert said(max_tokens_limit.check, sent) == []
    assert said(max_tokens_limit.check, sent | {"max_tokens": most + 1}) == [("error", "max_tokens")]
    assert errors(max_tokens_limit.check, sent | {"max_tokens": most + 1}) == [
        f"max_tokens: {most + 1} > {most}, which is the maximum allowed number of output tokens for {model}"
    ]
    unknown = [{"model": name, "max_tokens": 1 << 40} for name in ("my-deployment", "claude-mythos-preview")]
    for other in (*unknown, {"max_tokens": "many"}, {"max_tokens": 0.5e9}):
        assert said(max_tokens_limit.check, sent | other) == []


ADDED = system({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "late"}}})
CHOICES: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "no tools": ({"type": "auto"}, {}, ["tool_choice"]),
    "an empty list": ({"type": "any"}, {"tools": []}, ["tool_choice"]),
    "none, no tools": ({"type": "none"}, {}, []),
    "of a server": ({"type": "any"}, {"mcp_servers": [{"name": "calendar"}]}, []),
    "named": ({"type": "tool", "name": "look"}, {"tools": [tool()]}, []),
    "another name": ({"type": "tool", "name": "gone"}, {"tools": [tool()]}, ["tool_choice.name"]),
    "behind a toolset": ({"type": "tool", "name": "gone"}, {"tools": [{"type": "browser_toolset_20260801"}]}, []),
    "added by a message": ({"type": "tool", "name": "late"}, {"tools": [tool()], "messages": [user("?"), ADDED]}, []),
    "no name": ({"type": "tool"}, {"tools": [tool()]}, []),
    "no object": ("any", {}, []),
}


@pytest.mark.parametrize(("choice", "other", "paths"), CHOICES.values(), ids=CHOICES.keys())
def test_a_choice_of_tools_that_are_sent(choice, other, paths):
    sent = body(user("Hi."), tool_choice=choice) | other
    assert said(tool_choice_unresolved.check, sent) == [("error", path) for path in paths]


def test_tools_have_names_of_their_own():
    sent = body(user("Hi."), tools=[tool(), tool("other"), tool(), {"type": "mcp_toolset"}, {"type": "mcp_toolset"}])
    assert said(tool_names_repeated.check, sent) == [("error", "tools.2")]
    assert said(tool_names_repeated.check, sent | {"tools": [tool(), tool("other"), None, {}, {}]}) == []


@pytest.mark.parametrize(
    ("model", "found"),
    {"gpt-4o": 1, "gpt-4o-mini-2024-07-18": 1, "gpt-4o-search-preview": 0, "gpt-6": 0, "": 0}.items(),
)
def test_web_search_of_chat_models(model, found):
    sent = {"model": model, "messages": [user("Hi.")], "web_search_options": {}}
    paths = said(web_search_unsupported.check, sent, format="openai_chat")
    assert paths == [("error", "web_search_options")] * found
    sent.pop("web_search_options")
    assert said(web_search_unsupported.check, sent, format="openai_chat") == []


@pytest.mark.parametrize(
    ("model", "url", "found"),
    [
        ("claude-opus-5-5", DIRECT, 1),
        ("claude-fable-5-2", VERTEX, 1),
        ("claude-opus-5-5", BEDROCK, 0),
        ("claude-opus-5-5", "https://gateway.example/v1/messages", 0),
        ("claude-opus-5", DIRECT, 0),
        ("claude-fable-5-1", DIRECT, 0),
    ],
)
def test_earlier_computer_tools(model, url, found):
    old = {"type": "computer_20251124", "name": "computer"}
    sent = body(user("Hi."), model=model, tools=[tool(), old, {"type": "computer_toolset_20260801"}, None])
    assert said(tool_type_unsupported.check, sent, url=url) == [("error", "tools.1")] * found


PASSED_ON = {
    effort_unsupported: {"model": "anthropic/claude-opus-4.6", "output_config": {"effort": "xhigh"}},
    max_tokens_limit: {"model": "anthropic/claude-opus-4.1", "max_tokens": 64_000},
    prefill_unsupported: {"model": "anthropic/claude-opus-4.6", "messages": [user("Hi."), assistant("The")]},
    removed_parameter: {"temperature": 0.5},
    sampling_unsupported: {"model": "anthropic/claude-opus-4.7", "temperature": 0.5, "anthropic_version": OLD},
    system_misplaced: {"model": "anthropic/claude-opus-4.6", "messages": [user("Hi."), ADDED]},
    thinking_unsupported: {"model": "anthropic/claude-opus-4.7", "thinking": {"type": "enabled"}},
    tool_choice_unsupported: {"model": "anthropic/claude-opus-5.5", "tool_choice": {"type": "any"}},
}


@pytest.mark.parametrize("rule", PASSED_ON, ids=lambda rule: rule.RULE.name)
def test_what_a_gateway_leaves_out_for_a_model_is_a_warning(rule):
    sent = body(user("Hi."), model="anthropic/claude-sonnet-4.5") | PASSED_ON[rule]
    version = "" if "anthropic_version" in sent else NEW
    for url, severity in ((DIRECT, "error"), ("https://openrouter.ai/api/v1/messages", "warn")):
        assert {each for each, _ in said(rule.check, sent, url=url, version=version)} == {severity}
    assert rule.RULE.severities == {"openrouter": "warn"}


@pytest.mark.parametrize(
    ("model", "url", "found"),
    [
        ("gpt-5-mini", OPENAI, 1),
        ("gpt-5.1-2025-11-13", OPENAI, 1),
        ("gpt-audio", OPENAI, 0),
        ("gpt-4o-audio-preview", OPENAI, 0),
        ("gpt-5-mini", "https://gw.example/v1/chat/completions", 0),
    ],
)
def test_sound_for_chat_models(model, url, found):
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    sent = {"model": model, "messages": [user("Hi."), user(sound)]}
    assert said(audio_unsupported.check, sent, format="openai_chat", url=url) == [("error", "messages.1")] * found
    sent["messages"].pop()
    assert said(audio_unsupported.check, sent, format="openai_chat", url=url) == []


OPENAI_ERROR = "Invalid 'messages[0]'. Content blocks are expected to be either text or image_url type."


def test_sound_for_chat_models_in_the_words_of_the_api():
    sent = {"model": "gpt-5-mini", "messages": [user({"type": "input_audio", "input_audio": {}})]}
    assert errors(audio_unsupported.check, sent, format="openai_chat", url=OPENAI) == [OPENAI_ERROR]


@pytest.mark.parametrize(
    ("version", "told"),
    {NEW: 0, OLD: 0, "2023-01-01": 0, "": 0, "2027-01-01": 1, "banana": 1, "vertex-2023-10-16": 0}.items(),
)
def test_a_version_that_nobody_knows(version, told):
    assert said(unknown_version.check, body(user("Hi.")), version=version) == [("warn", "")] * told


@pytest.mark.parametrize(
    ("model", "url", "told"),
    [
        ("claude-omega-9", DIRECT, 1),
        ("gpt-5", DIRECT, 1),
        ("claude-sonnet-latest", DIRECT, 1),
        ("claude-sonnet-5-5", DIRECT, 0),
        ("claude-3-haiku-20240307", DIRECT, 0),
        ("claude-2.1", DIRECT, 0),
        ("claude-instant-1.2", DIRECT, 0),
        ("claude-mythos-preview", DIRECT, 0),
        ("claude-fable-5-2", DIRECT, 0),
        ("my-deployment", "https://gw.example/v1/messages", 0),
    ],
)
def test_a_model_that_nobody_knows(model, url, told):
    sent = body(user("Hi."), model=model)
    assert said(unknown_model.check, sent, url=url) == [("warn", "model")] * told
