"""Tools, their results and the turns these stand in: each broken conversation beside the legal one next to it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from turn_cases import assistant, findings, request, result, searched, searching, text, told, use, user

RULES = (
    "tool_result_missing",
    "tool_result_not_first",
    "tool_result_unexpected",
    "tool_result_duplicate",
    "tool_use_duplicate",
    "server_tool_result_missing",
    "server_tool_result_unexpected",
)
SYSTEM = {"role": "system", "content": [text("Be brief.")]}
SEARCH = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
ASK = user("Weather?")
ONE = assistant(use("toolu_1"))
TWO = assistant("I look.", use("toolu_1"), use("toolu_2"))
GO_ON = user("Go on.")

CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any], list[str]]] = {
    # A2
    "nothing follows": ((ASK, ONE), {}, ["tool-result-missing messages[1]"]),
    "text in place of the result": ((ASK, ONE, GO_ON), {}, ["tool-result-missing messages[1]"]),
    "a string in place of the result": (
        (ASK, ONE, {"role": "user", "content": "Go on."}), {}, ["tool-result-missing messages[1]"]
    ),
    "one of two": ((ASK, TWO, user(result("toolu_1"))), {}, ["tool-result-missing messages[1]"]),
    "both": ((ASK, TWO, user(result("toolu_2"), result("toolu_1"))), {}, []),
    "spread over two user messages": ((ASK, TWO, user(result("toolu_1")), user(result("toolu_2"))), {}, []),
    "asked in two assistant messages": (
        (ASK, ONE, assistant(use("toolu_2")), user(result("toolu_1"))), {}, ["tool-result-missing messages[2]"]
    ),
    "answered after two assistant messages": (
        (ASK, ONE, assistant("Wait."), user(result("toolu_1"))), {}, []
    ),
    "the second round of a loop": (
        (ASK, ONE, user(result("toolu_1")), assistant(use("toolu_2")), GO_ON), {}, ["tool-result-missing messages[3]"]
    ),
    "a system message between": ((ASK, ONE, SYSTEM, user(result("toolu_1"))), {}, []),
    "a system message and no result": ((ASK, ONE, SYSTEM, GO_ON), {}, ["tool-result-missing messages[1]"]),
    "a role nobody knows between": ((ASK, ONE, {"role": "robot", "content": "?"}), {}, []),
    "an empty user turn": ((ASK, ONE, {"role": "user", "content": []}), {}, ["tool-result-missing messages[1]"]),
    "ids were counted, not compared": (
        (ASK, ONE, user(result("toolu_9"))),
        {"model": "claude-3-opus-20240229"},
        ["tool-result-missing messages[1]", "tool-result-unexpected messages[2].content[0]"],
    ),
    # A3
    "text before the result": (
        (ASK, ONE, user("Here:", result("toolu_1"))), {}, ["tool-result-not-first messages[1]"]
    ),
    "text in a user message before the result": (
        (ASK, ONE, user("Here:"), user(result("toolu_1"))), {}, ["tool-result-not-first messages[1]"]
    ),
    "text between two results": (
        (ASK, TWO, user(result("toolu_1"), "and", result("toolu_2"))), {}, ["tool-result-not-first messages[1]"]
    ),
    "text after the results": ((ASK, TWO, user(result("toolu_1"), result("toolu_2"), "Thanks.")), {}, []),
    "a new block type before the result": ((ASK, ONE, user({"type": "gesture"}, result("toolu_1"))), {}, []),
    "late and missing": (
        (ASK, TWO, user("Here:", result("toolu_2"))),
        {},
        ["tool-result-missing messages[1]", "tool-result-not-first messages[1]"],
    ),
    "late, and ids were counted": (
        (ASK, ONE, user("Here:", result("toolu_9"))),
        {"model": "claude-3-opus-20240229"},
        [
            "tool-result-missing messages[1]",
            "tool-result-not-first messages[1]",
            "tool-result-unexpected messages[2].content[1]",
        ],
    ),
    # A4
    "another id": (
        (ASK, ONE, user(result("toolu_9"))),
        {},
        ["tool-result-missing messages[1]", "tool-result-unexpected messages[2].content[0]"],
    ),
    "the turn was saved as text": (
        (ASK, assistant("I look."), user(result("toolu_1"))), {}, ["tool-result-unexpected messages[2].content[0]"]
    ),
    "the call was trimmed": ((user(result("toolu_1")),), {}, ["tool-result-unexpected messages[0].content[0]"]),
    "a result too many": (
        (ASK, ONE, user(result("toolu_1"), result("toolu_9"))), {}, ["tool-result-unexpected messages[2].content[1]"]
    ),
    "a result of an earlier round": (
        (ASK, ONE, user(result("toolu_1")), assistant(use("toolu_2")), user(result("toolu_2"), result("toolu_1"))),
        {},
        ["tool-result-unexpected messages[4].content[1]"],
    ),
    "an id that is no string": ((ASK, assistant(use(7)), user(result(7))), {}, []),
    "a result after a system message alone": (
        (SYSTEM, user(result("toolu_1"))), {}, ["tool-result-unexpected messages[1].content[0]"]
    ),
    "a result after a role nobody knows": (({"role": "robot", "content": "?"}, user(result("toolu_1"))), {}, []),
    "a result in a thread that the API holds": (
        (user(result("toolu_1")),), {"thread": {"type": "continue", "previous_message_id": "msg_1"}}, []
    ),
    "a result that begins a thread": (
        (user(result("toolu_1")),), {"thread": {"type": "create"}}, ["tool-result-unexpected messages[0].content[0]"]
    ),
    # duplicates
    "one result twice": (
        (ASK, ONE, user(result("toolu_1"), result("toolu_1"))), {}, ["tool-result-duplicate messages[2].content[1]"]
    ),
    "one result twice, in two messages": (
        (ASK, ONE, user(result("toolu_1")), user(result("toolu_1"))),
        {},
        ["tool-result-duplicate messages[3].content[0]"],
    ),
    "one result twice, the second one new": (
        (ASK, ONE, user(result("toolu_1")), user(result("toolu_1"))),
        {"new": 3},
        ["tool-result-duplicate messages[3].content[0]"],
    ),
    "one id for two calls, the second one new": (
        (ASK, ONE, ONE, user(result("toolu_1"))), {"new": 2}, ["tool-use-duplicate messages[2].content[0]"]
    ),
    "one id for two calls": (
        (ASK, assistant(use("toolu_1"), use("toolu_1")), user(result("toolu_1"))),
        {},
        ["tool-use-duplicate messages[1].content[1]"],
    ),
    "one id in two turns": (
        (ASK, ONE, user(result("toolu_1")), ONE, user(result("toolu_1"))), {}, []
    ),
    # A5
    "a search without its result": (
        (ASK, assistant(searching(), "It is sunny."), GO_ON), SEARCH, ["server-tool-result-missing messages[1]"]
    ),
    "a search with its result": ((ASK, assistant(searching(), searched(), "It is sunny."), GO_ON), SEARCH, []),
    "paused": ((ASK, assistant("I search.", searching())), SEARCH, []),
    "paused, and the tool is gone": (
        (ASK, assistant("I search.", searching())), {}, ["server-tool-result-missing messages[1]"]
    ),
    "a search with its result, last of all": ((ASK, assistant(searching(), searched(), "Sunny.")), {}, []),
    "paused, then text": ((ASK, assistant(searching()), GO_ON), SEARCH, ["server-tool-result-missing messages[1]"]),
    "deferred": ((ASK, assistant(searching(), use("toolu_1")), user(result("toolu_1"))), SEARCH, []),
    "deferred, with text after the result": (
        (ASK, assistant(searching(), use("toolu_1")), user(result("toolu_1"), "Hurry.")),
        SEARCH,
        ["server-tool-result-missing messages[1]"],
    ),
    "deferred, done in the next turn": (
        (ASK, assistant(searching(), use("toolu_1")), user(result("toolu_1")), assistant(searched(), "Sunny."), GO_ON),
        SEARCH,
        [],
    ),
    "code that calls tools, in three turns": (
        (
            ASK,
            assistant(searching("srvtoolu_1", "code_execution"), use("toolu_1")),
            user(result("toolu_1")),
            assistant(use("toolu_2")),
            user(result("toolu_2")),
            assistant(searched("srvtoolu_1", "code_execution_tool_result"), "Done."),
            GO_ON,
        ),
        {"tools": [{"type": "code_execution_20260120", "name": "code_execution"}]},
        [],
    ),
    "deferred, and never done": (
        (
            ASK,
            assistant(searching(), use("toolu_1")),
            user(result("toolu_1")),
            assistant(use("toolu_2")),
            user(result("toolu_2")),
            assistant("Sunny."),
            GO_ON,
        ),
        SEARCH | {"new": 5},
        ["server-tool-result-missing messages[1]"],
    ),
    "code of a tool with another name": (
        (ASK, assistant(searching("srvtoolu_1", "bash_code_execution"))),
        {"tools": [{"type": "code_execution_20260120", "name": "code_execution"}]},
        [],
    ),
    "an MCP tool without its result": (
        (ASK, assistant(searching() | {"type": "mcp_tool_use"}), GO_ON), {}, ["server-tool-result-missing messages[1]"]
    ),
    "a result without its search": (
        (ASK, assistant("I searched.", searched()), GO_ON),
        SEARCH,
        ["server-tool-result-unexpected messages[1].content[1]"],
    ),
    "a result before its search": (
        (ASK, assistant(searched(), searching(), "Sunny."), GO_ON),
        SEARCH,
        ["server-tool-result-unexpected messages[1].content[0]"],
    ),
    "a search's result with a number as id": (
        (ASK, assistant({"type": "web_search_tool_result", "tool_use_id": 7})), SEARCH, []
    ),
    "a search with a number as id": ((ASK, assistant({"type": "server_tool_use", "id": 7}), GO_ON), SEARCH, []),
    "a search's result in a thread that the API holds": (
        (assistant(searched(), "Sunny."), GO_ON), SEARCH | {"thread": {"type": "continue"}}, []
    ),
    "a result after a summary": (
        (ASK, assistant({"type": "compaction", "content": "They searched."}, searched()), GO_ON), SEARCH, []
    ),
    # nothing at all
    "a conversation without tools": ((ASK, assistant("Sunny."), GO_ON), {}, []),
    "no messages": ((), {}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_conversation_is_told_where_it_breaks(name):
    messages, body, expected = CASES[name]
    assert told(findings(request(*messages, **body), *RULES)) == sorted(expected)


WORDS = {
    "one of two": "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_2. Each "
    "`tool_use` block must have a corresponding `tool_result` block in the next message.",
    "text before the result": "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: "
    "toolu_1. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
    "a result too many": "messages.2.content.1: unexpected `tool_use_id` found in `tool_result` blocks: toolu_9. Each "
    "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
    "one result twice": "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` "
    "blocks with id: toolu_1",
    "one id for two calls": "messages.1.content.1: `tool_use` ids must be unique",
    "paused, then text": "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a corresponding "
    "`web_search_tool_result` block",
    "paused, and the tool is gone": "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a "
    "corresponding `web_search_tool_result` block, but no `web_search` tool was provided",
    "a result before its search": "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` "
    "blocks: srvtoolu_1. Each `web_search_tool_result` block must have a corresponding `server_tool_use` block before "
    "it.",
}


@pytest.mark.parametrize("name", WORDS)
def test_the_api_is_quoted_with_its_ids_and_places(name):
    messages, body, _ = CASES[name]
    (found,) = findings(request(*messages, **body), *RULES)
    assert (found.api_error, found.severity) == (WORDS[name], "error")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nothing follows",
            "expected a user message with a `tool_result` for toolu_1 next, sent none after messages[1]",
        ),
        ("one of two", "expected a `tool_result` for toolu_2 at the start of messages[2], sent none"),
        (
            "text between two results",
            "expected the `tool_result` for toolu_2 before anything else of the next turn, sent `text` at "
            "messages[2].content[1] before it",
        ),
        (
            "the turn was saved as text",
            "expected the id of a `tool_use` of the turn before, sent 'toolu_1'; that turn asks for no tool",
        ),
    ],
)
def test_a_finding_says_what_was_expected_and_what_was_sent(name, message):
    messages, body, _ = CASES[name]
    (found,) = findings(request(*messages, **body), *RULES)
    assert found.message == message


def test_an_api_that_counts_results_is_content_with_as_many():
    """A recording of June 2024 with other ids was answered with 200."""
    old = {"model": "claude-3-opus-20240229"}
    as_many = findings(request(ASK, TWO, user(result("toolu_1"), result("toolu_9")), **old), *RULES)
    too_few = findings(request(ASK, TWO, user(result("toolu_1")), **old), *RULES)
    assert [found.severity for found in as_many] == ["warn", "warn"]
    assert [found.severity for found in too_few] == ["error"]
    dated = findings(request(ASK, ONE, user(result("toolu_9")), on="2024-06-12"), *RULES)
    assert {found.severity for found in dated} == {"warn"}


def test_ids_are_compared_where_nothing_says_otherwise():
    found = findings(request(ASK, ONE, user(result("toolu_9"))), *RULES)
    assert [each.severity for each in found] == ["error", "error"]


def test_what_an_earlier_request_had_is_not_told_again():
    conversation = (ASK, ONE, user(result("toolu_1"), result("toolu_1"), result("toolu_9")), user("Hurry."))
    assert len(findings(request(*conversation), *RULES)) == 2
    assert findings(request(*conversation, new=3), *RULES) == []
    assert findings(request(*conversation, new=4), *RULES) == []


def test_what_follows_a_known_turn_can_break_it():
    assert told(findings(request(ASK, ONE, GO_ON, new=2), *RULES)) == ["tool-result-missing messages[1]"]


GARBAGE: tuple[Any, ...] = (
    None,
    7,
    "text",
    [],
    {},
    {"role": 7, "content": 7},
    {"role": "user"},
    {"role": "user", "content": None},
    {"role": "user", "content": [None, 7, "x", [], {}, {"type": 7}, {"type": "tool_result"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": {"a": 1}, "content": 7}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": ["x"]}, {"type": "server_tool_use", "id": 7}]},
    {
        "role": "assistant",
        "content": [{"type": "web_search_tool_result"}, {"type": "x_tool_result", "tool_use_id": []}],
    },
    {"role": "system", "content": {"type": "tool_use"}},
)


def test_garbage_raises_nothing():
    for one in GARBAGE:
        for two in GARBAGE:
            findings(request(one, two, one, tools=[7, {"type": []}, {"name": 7}]), *RULES)
            findings(request(ASK, one, two), *RULES)


@pytest.mark.parametrize(
    "messages",
    [
        [user(*[result(f"toolu_{at}") for at in range(4000)])],
        [assistant(*[use(f"toolu_{at}") for at in range(4000)]), user(*[result(f"toolu_{at}x") for at in range(4000)])],
        [assistant(searched(f"srvtoolu_{at}")) for at in range(4000)],
        [assistant(searching(f"srvtoolu_{at}")) if at % 2 else GO_ON for at in range(4000)],
        [ONE, *[SYSTEM] * 4000],
        [ONE, GO_ON] * 2000,
    ],
    ids=["results", "wrong results", "server results", "open searches", "system messages", "open calls"],
)
def test_large_histories_cost_no_more_than_their_size(messages):
    start = time.process_time()
    findings(request(*messages), *RULES)
    assert time.process_time() - start < 1.0
