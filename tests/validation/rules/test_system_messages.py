"""Messages of role `system`: A20, A21."""

from __future__ import annotations

import pytest

from convo_replay.validation.rules import system_clear_at, system_misplaced
from rule_cases import assistant, body, errors, result, said, server_result, server_use, system, text, use, user

ADDITION = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "look"}}
EFFORT = system(output_config={"effort": "low"})
BRIEF = system("Be brief.")
PAUSED = assistant(server_use(), server_result())
PLACES = {
    # after a user message: the path, if any
    "last": ([BRIEF], ""),
    "before an answer": ([BRIEF, assistant("Yes."), user("Go on.")], ""),
    "after results": ([assistant(use()), user(result()), BRIEF], ""),
    "after results, before an answer": ([assistant(use()), user(result()), BRIEF, assistant("So.")], ""),
    "two in a row": ([BRIEF, system(text("And kind.")), assistant("Yes."), user("Go on.")], ""),
    "after a paused turn": ([PAUSED, BRIEF], ""),
    "with a change of the tools": ([system(ADDITION)], ""),
    "effort alone, anywhere": ([assistant("Yes."), EFFORT, user("Go on.")], ""),
    "effort alone, no list": ([assistant("Yes."), system("", output_config={"effort": "max"}), user("Hi.")], ""),
    "after an assistant turn": ([assistant("Yes."), BRIEF], "messages.2"),
    "before a user turn": ([BRIEF, user("Go on.")], "messages.1"),
    "between call and result": ([assistant(use()), BRIEF, user(result())], "messages.2"),
    "between results": ([assistant(use(), use("b")), user(result()), BRIEF, user(result("b"))], "messages.3"),
    "two before a user turn": ([BRIEF, system("And kind."), user("Go on.")], "messages.1"),
    "effort beside instructions": ([assistant("Yes."), EFFORT, BRIEF, user("Go on.")], "messages.2"),
    "a call still runs": ([assistant(server_use()), BRIEF], "messages.2"),
    "tools after a paused turn": ([PAUSED, system("Now.", ADDITION)], "messages.2"),
    "no content, no effort": ([assistant("Yes."), system(output_config={}), user("Go on.")], "messages.2"),
}


@pytest.mark.parametrize(("messages", "path"), PLACES.values(), ids=PLACES.keys())
def test_where_they_stand(messages, path):
    sent = body(user("Hi."), *messages, model="claude-opus-4-8")
    assert said(system_misplaced.check, sent) == ([("error", path)] if path else [])


def test_not_first():
    sent = body(BRIEF, user("Hi."), model="claude-opus-5")
    assert said(system_misplaced.check, sent) == [("error", "messages.0")]
    assert errors(system_misplaced.check, sent) == [
        "messages.0: use the top-level 'system' parameter for the initial system prompt"
    ]
    assert said(system_misplaced.check, body(EFFORT, user("Hi."), model="claude-opus-5")) == []


@pytest.mark.parametrize(
    ("model", "known"),
    {
        "claude-opus-4-7": False,
        "claude-haiku-4-5": False,
        "claude-sonnet-4-6": False,
        "claude-sonnet-5": False,
        "claude-opus-4-8": True,
        "claude-fable-5-1": True,
        "claude-sonnet-5-5": True,
        "claude-mythos-preview": True,
        "claude-opus-9": True,
        "my-deployment": True,
    }.items(),
)
def test_models_that_do_not_know_the_role(model, known):
    sent = body(user("Hi."), BRIEF, assistant("Yes."), user("Go on."), BRIEF, model=model)
    assert said(system_misplaced.check, sent) == ([] if known else [("error", "messages.1"), ("error", "messages.4")])
    assert set(errors(system_misplaced.check, sent)) <= {"role 'system' is not supported on this model"}


def test_what_follows_a_known_message_can_make_it_wrong():
    first = [user("Hi."), BRIEF]
    assert said(system_misplaced.check, body(*first, user("Go on."), model="claude-opus-5"), new=2) == [
        ("error", "messages.1")
    ]
    two = body(*first, system("And kind."), user("Go on."), model="claude-opus-5")
    assert said(system_misplaced.check, two, new=3) == [("error", "messages.1")]
    later = [*first, assistant("Yes."), user("Go on.")]
    assert said(system_misplaced.check, body(*later, BRIEF, user("?"), model="claude-opus-5"), new=4) == [
        ("error", "messages.4")
    ]
    assert said(system_misplaced.check, body(user("Hi."), assistant("Yes."), BRIEF, assistant("So."), user("?"))) != []
    passed = body(user("Hi."), assistant("Yes."), BRIEF, assistant("So."), user("?"), model="claude-opus-5")
    assert said(system_misplaced.check, passed, new=4) == []


SCOPED = {"clear_at": "next_user_message"}
CLEARED = {
    "text": (system("Be brief.", **SCOPED), []),
    "texts": (system(text("Be"), text("brief."), **SCOPED), []),
    "never": (system(ADDITION, clear_at="never", output_config={"effort": "low"}), []),
    "no field": (system(ADDITION), []),
    "a change of the tools": (system("Now.", ADDITION, **SCOPED), ["messages.1"]),
    "an effort": (system("Be brief.", output_config={"effort": "low"}, **SCOPED), ["messages.1"]),
    "a breakpoint": (
        system("Be", text("brief.", cache_control={"type": "ephemeral"}), **SCOPED), ["messages.1.content.1"],
    ),
    "another role": (user("Hi.") | SCOPED, ["messages.1.clear_at"]),
    "another value": (system("Be brief.", clear_at=7), []),
}  # fmt: skip


@pytest.mark.parametrize(("message", "paths"), CLEARED.values(), ids=CLEARED.keys())
def test_messages_that_are_cleared_are_text(message, paths):
    sent = body(user("Hi."), message, model="claude-opus-5")
    assert said(system_clear_at.check, sent) == [("error", path) for path in paths]
    assert all(error.startswith("messages.1") for error in errors(system_clear_at.check, sent))
    assert said(system_clear_at.check, sent, new=2) == []
