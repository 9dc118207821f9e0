"""Thinking as a parameter, by model: A7, A8, A10 to A13."""

from __future__ import annotations

from typing import Any

import pytest

from convo_replay.validation.rules import (
    thinking_budget,
    thinking_missing,
    thinking_not_enabled,
    thinking_unsupported,
    tool_choice_unsupported,
    tool_choice_with_thinking,
)
from rule_cases import (
    BEDROCK,
    assistant,
    body,
    errors,
    request_of,
    result,
    said,
    server_result,
    server_use,
    system,
    thinking,
    tool,
    use,
    user,
)

ENABLED = {"type": "enabled", "budget_tokens": 1024}
LOOP = (user("Go."), assistant(thinking(), use()), user(result()))
REDACTED = {"type": "redacted_thinking", "data": "x"}
LOST = (user("Go."), assistant("Sure.", use()), user(result()))


MISSING = {
    "lost in a tool loop": (LOST, "claude-sonnet-4-5", ["messages.1.content.0"]),
    "lost on 3.7": (LOST, "claude-3-7-sonnet-20250219", ["messages.1.content.0"]),
    "lost on 4.6": (LOST, "claude-opus-4-6", ["messages.1.content.0"]),
    "behind the call": (
        (user("Go."), assistant(use(), thinking()), user(result())), "claude-sonnet-4-5", ["messages.1.content.0"],
    ),
    "before a system message": ((*LOST, system("Be brief.")), "claude-opus-4-5", ["messages.1.content.0"]),
    "split results": ((*LOST[:2], user(result()), user("And?")), "claude-opus-4-5", ["messages.1.content.0"]),
    "prefill": ((user("Go."), assistant("The")), "claude-sonnet-4-5", ["messages.1"]),
    "kept": (LOOP, "claude-sonnet-4-5", []),
    "redacted": (
        (user("Go."), assistant(REDACTED, use()), user(result())), "claude-opus-4-5", [],
    ),
    "a new question": ((*LOST[:2], user(result()), assistant("Done."), user("And?")), "claude-sonnet-4-5", []),
    "no loop": ((user("Hi."), assistant("Hi!"), user("Go.")), "claude-sonnet-4-5", []),
    "a paused turn": ((user("Go."), assistant(thinking(), server_use())), "claude-sonnet-4-5", []),
    "a later round without": (
        (*LOOP, assistant(use("toolu_2")), user(result("toolu_2"))), "claude-sonnet-4-5", [],
    ),
    "a model that takes no budget": (LOST, "claude-opus-4-7", []),
    "a model nobody knows": (LOST, "my-deployment", []),
    "nothing before the results": ((user(result()),), "claude-sonnet-4-5", []),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "model", "paths"), MISSING.values(), ids=MISSING.keys())
def test_a_tool_loop_begins_with_its_thinking(messages, model, paths):
    sent = body(*messages, model=model, thinking=ENABLED)
    assert said(thinking_missing.check, sent) == [("error", path) for path in paths]
    assert said(thinking_missing.check, body(*messages, model=model)) == []


def test_a_round_that_was_answered_with_thinking_keeps_it():
    messages = (*LOOP, assistant("Again.", use("toolu_2")), user(result("toolu_2")))
    sent = body(*messages, model="claude-sonnet-4-5", thinking=ENABLED)
    received = {3: [thinking(), use("toolu_2")]}
    assert said(thinking_missing.check, sent, answers=received) == [("error", "messages.3.content.0")]
    assert said(thinking_missing.check, sent, answers={3: [use("toolu_2")]}) == []
    (error,) = errors(thinking_missing.check, sent, answers=received)
    assert error.startswith("messages.3.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.")


DISABLED = {"type": "disabled"}
NOT_ENABLED: dict[str, tuple[Any, str, Any, list[str]]] = {
    "disabled in a loop": (LOOP, "claude-sonnet-4-5", DISABLED, ["messages.1.content.0"]),
    "left out in a loop": (LOOP, "claude-sonnet-4-5", None, ["messages.1.content.0"]),
    "left out on 4.8": (LOOP, "claude-opus-4-8", None, ["messages.1.content.0"]),
    "disabled on a model that thinks": (LOOP, "claude-sonnet-5", DISABLED, ["messages.1.content.0"]),
    "behind a text": (
        (user("Go."), assistant("Hm.", thinking(), use()), user(result())),
        "claude-opus-4-5", None, ["messages.1.content.1"],
    ),
    "at the end": ((user("Go."), assistant(thinking(), "The")), "claude-opus-4-5", None, ["messages.1.content.0"]),
    "left out on a model that thinks": (LOOP, "claude-sonnet-5", None, []),
    "enabled": (LOOP, "claude-sonnet-4-5", ENABLED, []),
    "adaptive": (LOOP, "claude-opus-4-6", {"type": "adaptive"}, []),
    "an unknown kind": (LOOP, "claude-opus-4-6", {"type": "later"}, []),
    "no kind": (LOOP, "claude-opus-4-6", {"budget_tokens": 5}, []),
    "in an earlier turn": ((*LOOP, assistant("Done."), user("And?")), "claude-sonnet-4-5", None, []),
    "without thinking": (LOST, "claude-sonnet-4-5", DISABLED, []),
    "a model nobody knows": (LOOP, "my-deployment", DISABLED, []),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "model", "kind", "paths"), NOT_ENABLED.values(), ids=NOT_ENABLED.keys())
def test_thinking_is_off_and_the_turn_holds_thinking(messages, model, kind, paths):
    sent = body(*messages, model=model, **({} if kind is None else {"thinking": kind}))
    assert said(thinking_not_enabled.check, sent) == [("error", path) for path in paths]
    for path, error in zip(paths, errors(thinking_not_enabled.check, sent), strict=True):
        assert error.startswith(f"{path}: When thinking is disabled, an `assistant` message in the final position")


CHOICES = [{"type": "any"}, {"type": "tool", "name": "look"}]


@pytest.mark.parametrize("choice", CHOICES, ids=["any", "tool"])
def test_no_forced_tool_with_a_budget(choice):
    sent = body(user("Go."), model="claude-sonnet-4-5", thinking=ENABLED, tools=[tool()], tool_choice=choice)
    assert said(tool_choice_with_thinking.check, sent) == [("error", "tool_choice")]
    for legal in (sent | {"thinking": {"type": "adaptive"}}, sent | {"tool_choice": {"type": "auto"}}):
        assert said(tool_choice_with_thinking.check, legal) == []


@pytest.mark.parametrize("choice", CHOICES, ids=["any", "tool"])
@pytest.mark.parametrize(
    ("model", "severities"),
    {
        "claude-fable-5-1": ["error"],
        "claude-mythos-5-2": ["error"],
        "claude-opus-5-5": ["error"],
        "anthropic/claude-sonnet-5.5": ["error"],
        "claude-fable-5": [],
        "claude-opus-5": [],
        "claude-haiku-5-5": [],
        "claude-opus-4-6": [],
        "claude-opus-9": [],
        "claude-mythos-preview": [],
    }.items(),
)
def test_models_that_cannot_be_forced(model, severities, choice):
    sent = body(user("Go."), model=model, tools=[tool()], tool_choice=choice)
    assert said(tool_choice_unsupported.check, sent) == [(severity, "tool_choice") for severity in severities]
    assert said(tool_choice_unsupported.check, sent | {"tool_choice": {"type": "none"}}) == []


OLD_TEXT = '"thinking.type.enabled" is not supported for this model.'
NO_ADAPTIVE = "adaptive thinking is not supported on this model"
NO_OFF = '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive"'
NO_BETWEEN = '"thinking.type.between_tools" is not supported for this model.'
KINDS = {
    # model: what it answers to enabled, adaptive, disabled, between_tools; empty where it takes it
    "claude-3-7-sonnet-20250219": ("", NO_ADAPTIVE, "", NO_BETWEEN),
    "claude-opus-4-5": ("", NO_ADAPTIVE, "", NO_BETWEEN),
    "claude-haiku-4-5-20251001": ("", NO_ADAPTIVE, "", NO_BETWEEN),
    "claude-sonnet-4-6": ("", "", "", NO_BETWEEN),
    "claude-opus-4-7": (OLD_TEXT, "", "", NO_BETWEEN),
    "claude-opus-4-8": (OLD_TEXT, "", "", NO_BETWEEN),
    "claude-sonnet-5": (OLD_TEXT, "", "", NO_BETWEEN),
    "claude-opus-5": (OLD_TEXT, "", "", NO_BETWEEN),
    "claude-haiku-5-5": (OLD_TEXT, "", "", NO_BETWEEN),
    "claude-sonnet-5-5": (OLD_TEXT, "", 'Use "thinking.type.between_tools" for the lowest thinking setting', ""),
    "claude-opus-5-5": (OLD_TEXT, "", NO_OFF, NO_BETWEEN),
    "claude-fable-5": (OLD_TEXT, "", NO_OFF, NO_BETWEEN),
    "claude-mythos-5-1": (OLD_TEXT, "", NO_OFF, NO_BETWEEN),
    "claude-mythos-preview": ("", "", "Thinking defaults to adaptive mode", NO_BETWEEN),
    "gpt-6": ("", "", "", ""),
    "claude-next": ("", "", "", ""),
}  # fmt: skip


@pytest.mark.parametrize(("model", "texts"), KINDS.items())
def test_kinds_of_thinking_by_model(model, texts):
    for kind, text in zip(("enabled", "adaptive", "disabled", "between_tools"), texts, strict=True):
        sent = body(user("Go."), model=model, thinking={"type": kind})
        assert said(thinking_unsupported.check, sent) == ([("error", "thinking.type")] if text else []), kind
        assert all(text in error for error in errors(thinking_unsupported.check, sent)), kind


def test_a_model_younger_than_the_table_only_warns():
    sent = body(user("Go."), model="claude-opus-9", thinking=ENABLED)
    assert said(thinking_unsupported.check, sent) == [("warn", "thinking.type")]
    assert said(thinking_unsupported.check, sent | {"thinking": DISABLED}) == []


@pytest.mark.parametrize(
    ("model", "kind", "effort", "found"),
    [
        ("claude-opus-5", "disabled", "high", 0),
        ("claude-opus-5", "disabled", "xhigh", 1),
        ("claude-haiku-5-5", "disabled", "max", 1),
        ("claude-sonnet-5-5", "between_tools", "high", 0),
        ("claude-sonnet-5-5", "between_tools", "max", 1),
        ("claude-opus-4-8", "disabled", "max", 0),
    ],
)
def test_thinking_off_and_much_effort(model, kind, effort, found):
    sent = body(user("Go."), model=model, thinking={"type": kind}, output_config={"effort": effort})
    assert said(thinking_unsupported.check, sent) == [("error", "thinking.type")] * found
    for finding in thinking_unsupported.check(request_of(sent)):
        assert f"output_config.effort '{effort}' is not supported when thinking is disabled" in finding.api_error
        assert finding.message.endswith(f'"{effort}"')


def test_between_tools_takes_no_other_field():
    sent = body(user("Go."), model="claude-sonnet-5-5", thinking={"type": "between_tools", "display": "omitted"})
    assert said(thinking_unsupported.check, sent) == [("error", "thinking.display")]
    assert said(thinking_unsupported.check, sent | {"thinking": {"type": "adaptive", "display": "omitted"}}) == []


INTERLEAVED = "interleaved-thinking-2025-05-14"
BUDGETS: dict[str, tuple[Any, Any, dict[str, Any], list[str]]] = {
    # budget, max_tokens, how it is sent, severities
    "least": (1024, 4096, {}, []),
    "too small": (1023, 4096, {}, ["error"]),
    "nothing left": (4096, 4096, {}, ["error"]),
    "one left": (4095, 4096, {}, []),
    "larger": (9000, 4096, {}, ["error"]),
    "interleaved": (9000, 4096, {"betas": f"x, {INTERLEAVED}"}, []),
    "too small, interleaved": (5, 4096, {"betas": INTERLEAVED}, ["error"]),
    "beta, but which": (9000, 4096, {"url": "https://api.anthropic.com/v1/messages?beta=true"}, ["warn"]),
    "no headers": (9000, 4096, {"version": ""}, ["error"]),
    "bedrock": (9000, 4096, {"url": BEDROCK}, ["error"]),
    "no number": ("9000", 4096, {}, []),
    "true": (True, 4096, {}, []),
    "no max_tokens": (9000, None, {}, []),
}


@pytest.mark.parametrize(("budget", "most", "how", "severities"), BUDGETS.values(), ids=BUDGETS.keys())
def test_budgets(budget, most, how, severities):
    sent = body(user("Go."), model="claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": budget})
    found = said(thinking_budget.check, sent | {"max_tokens": most}, **how)
    assert found == [(severity, "thinking.budget_tokens") for severity in severities]


def test_a_budget_for_a_model_that_takes_none_is_told_once():
    sent = body(user("Go."), model="claude-opus-4-7", thinking={"type": "enabled", "budget_tokens": 9000})
    assert said(thinking_budget.check, sent) == []
    assert said(thinking_unsupported.check, sent) == [("error", "thinking.type")]


def test_a_finished_server_tool_does_not_hide_lost_thinking():
    messages = (user("Go."), assistant(server_use(), server_result(), use()), user(result()))
    sent = body(*messages, model="claude-sonnet-4-5", thinking=ENABLED)
    assert said(thinking_missing.check, sent) == [("error", "messages.1.content.0")]
