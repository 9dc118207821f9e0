"""`validate`, `ignore_rules`: what turns that the API would reject, and broken answers, mean for a test."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import contextlib, json
import httpx, pytest
from pathlib import Path
from convo_replay.cassette import Cassette, dump
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request

API = "https://api.anthropic.com/v1/messages"
TOOL = {"name": "f", "input_schema": {"type": "object"}}
ASK = {"role": "user", "content": "Go."}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"}]}

def body(*messages, **other):
    return {"model": "claude-sonnet-5-5", "max_tokens": 9, "tools": [TOOL], "messages": list(messages)} | other

def message(*content, stop="end_turn"):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
            "content": list(content), "stop_reason": stop, "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 5}}

START = {"type": "message_start", "message": message() | {"stop_reason": None}}
STREAM = f"event: message_start\\ndata: {json.dumps(START)}\\n\\n".encode()

def exchange(sent, answer, kind="application/json"):
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Exchange(Request("POST", API, (), Json(sent)), (Head(200, (("content-type", kind),)), Chunk(0, data), End()))

Path("c.yaml").write_bytes(dump(Cassette(exchanges=[
    exchange(body(ASK), message(*CALL["content"], stop="tool_use")),
    exchange(body(ASK, CALL, RESULT), message({"type": "text", "text": "Done."})),
    exchange(body(ASK, stream=True), STREAM, "text/event-stream"),
])).text)

def post(*messages, **other):
    return httpx.post(API, json=body(*messages, **other))
"""
BROKEN_TURN = """
@pytest.mark.convo(cassette="c.yaml"{settings})
def test_it():
    post(ASK)
    post(ASK, {{"role": "assistant", "content": "Let me see."}}, RESULT)
"""
SWALLOWED = """
@pytest.mark.convo(cassette="c.yaml")
def test_it():
    with contextlib.suppress(BaseException):
        post(ASK, RESULT)
"""
BROKEN_ANSWER = """
@pytest.mark.convo(cassette="c.yaml")
def test_it():
    assert post(ASK, stream=True).status_code == 200
"""


def lines(result: pytest.RunResult) -> str:
    return result.stdout.str()


def test_a_turn_that_the_api_would_reject_fails_the_test_with_the_rule(project):
    project.write("test_it.py", HEAD + BROKEN_TURN.format(settings=""))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   InvalidTurn: turns[[]1] is a request that the API rejects: POST https://api.anthropic.com/v1/messages",
            "E   tool-result-unexpected: *",
            "E     at request.messages[[]2].content[[]0]",
            "E       expected *toolu_1*",
            "E       the API answers 400: messages.2.content.0: unexpected `tool_use_id` found in *",
            "E   nearest recorded: turns[[]1]; it differs in",
            "*test_it.py:*: in test_it",
            "    post(ASK, {*}, RESULT)",
        ]
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [(SWALLOWED, "InvalidTurn: turns[0]"), (BROKEN_ANSWER, "ConvoFailure: turns[0] was answered")],
    ids=["swallowed", "answer"],
)
def test_it_fails_the_call_phase_once(project, text, first):
    project.write("test_it.py", HEAD + text)
    result = project.run()
    result.assert_outcomes(failed=1)
    assert lines(result).count(f"E   {first}") == 1


MISS, PASSED = "CassetteMiss", "1 passed"
WARNED = ("validation warns: test_it.py::test_it: turns[0]  stream-unterminated", PASSED)


@pytest.mark.parametrize(
    ("ini", "args", "settings", "text", "expected"),
    [
        ((), ("--convo-validate=off",), ', validate="error"', BROKEN_TURN, (MISS,)),
        (("convo_validate = warn",), (), "", BROKEN_TURN, (MISS,)),
        (("convo_ignore_rules = tool-result-unexpected",), (), "", BROKEN_TURN, (MISS,)),
        ((), (), ', ignore_rules=["tool-result-unexpected"]', BROKEN_TURN, (MISS,)),
        ((), ("-n2", "--convo-validate=warn"), "", BROKEN_ANSWER, WARNED),
        ((), (), ', validate="off"', BROKEN_TURN, (MISS,)),
        (("convo_validate = loud",), (), "", BROKEN_ANSWER, ("convo_validate: expected one of error warn off, got",)),
        (("convo_ignore_rules = nonsense",), (), "", BROKEN_ANSWER, ("there is no rule 'nonsense'",)),
        ((), (), ', ignore_rules=["nonsense"]', BROKEN_TURN, ("ignore_rules: there is no rule 'nonsense'",)),
    ],
    ids=[
        "option before marker", "ini", "ini rules", "marker rules", "warned by a worker", "marker", "wrong level",
        "wrong rule", "wrong rule on the marker",
    ],
)  # fmt: skip
def test_settings(project, ini, args, settings, text, expected):
    project.ini(*ini)
    project.write("test_it.py", HEAD + text.format(settings=settings))
    result = project.run(*args)
    text = lines(result) + result.stderr.str()
    for part in expected:
        assert part in text
    assert "InvalidTurn" not in text
