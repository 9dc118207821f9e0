"""The end of the history: A14, A15."""

from __future__ import annotations

import pytest

from convo_replay.validation.rules import prefill_unsupported, prefill_whitespace
from rule_cases import (
    assistant,
    body,
    errors,
    result,
    said,
    server_result,
    server_use,
    system,
    text,
    thinking,
    use,
    user,
)

COMPACTED = {"type": "compaction", "content": "They said hello."}
ENDS = {
    # the last message: what a model without prefill answers
    "text": (assistant("The answer is"), "error"),
    "a block": (assistant(text("{")), "error"),
    "thinking": (assistant(thinking()), "error"),
    "a call": (assistant(use()), "error"),
    "a paused turn, called": (assistant("Let me see.", server_use()), ""),
    "a paused turn, answered": (assistant(server_use(), server_result()), ""),
    "text after a server tool": (assistant(server_use(), server_result(), "So"), "warn"),
    "compacted": (assistant(COMPACTED), ""),
    "nothing": (assistant(), ""),
    "a question": (user("Go on."), ""),
    "instructions": (system("Be brief."), ""),
    "no role": ({"content": "The"}, ""),
}


@pytest.mark.parametrize(("last", "severity"), ENDS.values(), ids=ENDS.keys())
def test_what_a_history_may_end_with(last, severity):
    sent = body(user("Hi."), assistant("Hi!"), user("What is it?"), last, model="claude-opus-4-6")
    assert said(prefill_unsupported.check, sent) == ([(severity, "messages.3")] if severity else [])
    assert said(prefill_unsupported.check, sent | {"model": "claude-opus-4-5"}) == []


@pytest.mark.parametrize(
    ("model", "severity"),
    {
        "claude-sonnet-4-6": "error",
        "claude-opus-5": "error",
        "claude-haiku-5-5": "error",
        "claude-mythos-preview": "error",
        "claude-opus-9": "warn",
        "claude-haiku-4-5-20251001": "",
        "us.anthropic.claude-3-5-haiku-20241022-v1:0": "",
        "my-deployment": "",
    }.items(),
)
def test_models_without_prefill(model, severity):
    sent = body(user("What is it?"), assistant("It"), assistant(" is"), model=model)
    assert said(prefill_unsupported.check, sent) == ([(severity, "messages.2")] if severity else [])


def test_results_of_tools_are_a_user_message():
    sent = body(user("Go."), assistant("Sure.", use()), user(result()), model="claude-opus-4-6")
    assert said(prefill_unsupported.check, sent) == []
    assert said(prefill_unsupported.check, sent | {"messages": []}) == []


WHITE = {
    "a space": (assistant("The answer is "), ["messages.1.content"]),
    "a line feed": (assistant(text("Well."), text("The answer is\n")), ["messages.1.content.1"]),
    "within": (assistant("The answer\nis"), []),
    "in an earlier block": (assistant(text("Well. "), text("It is")), []),
    "before a call": (assistant(text("Well. "), use()), []),
    "nothing else": (assistant(" "), []),  # `content-empty`
    "not the last": (user("The answer is "), []),
}


@pytest.mark.parametrize(("last", "paths"), WHITE.values(), ids=WHITE.keys())
def test_a_prefill_does_not_end_with_whitespace(last, paths):
    sent = body(user("What is it?"), last, model="claude-haiku-4-5")
    assert said(prefill_whitespace.check, sent) == [("error", path) for path in paths]
    assert all("cannot end with trailing whitespace" in error for error in errors(prefill_whitespace.check, sent))
    for model in ("claude-opus-4-6", "my-deployment"):
        assert said(prefill_whitespace.check, sent | {"model": model}) == []
