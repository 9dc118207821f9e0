"""Each message is judged once, each finding told once, and what comes back meets what was received."""

from __future__ import annotations

from typing import Any

import pytest

from convo_replay.exchange import Blob, Exchange, Json, Request, Text
from convo_replay.validation import history
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.history import Validator
from validation_cases import answer, asked, exchange

URL = "https://api.anthropic.com/v1/messages"


class Watching:
    """A rule that notes what it is shown, and finds what it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[list[int]] = []
        self.asked: list[Asked] = []
        self.rule = Rule("watching", "", "anthropic", "error", "", "", "")
        self.finds: list[tuple[Any, ...]] = []
        monkeypatch.setattr(history, "rules_of", lambda _format: ((self.check, frozenset()),))

    def check(self, asked: Asked) -> list[Finding]:
        self.seen.append([index for index, _ in asked.fresh])
        self.asked.append(asked)
        return [self.rule.found(where, "it is there") for where in self.finds if len(asked.messages) > where[1]]


@pytest.fixture
def watching(monkeypatch) -> Watching:
    return Watching(monkeypatch)


def user(text: str, **other: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text, **other}]}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def send(validator: Validator, *messages: Any, **other: Any) -> Request:
    request = asked(*messages, **other)
    validator.request(request)
    return request


FIRST, SECOND = user("one"), user("two")
HELLO = assistant("Hello.")
CACHED: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("requests", "seen"),
    [
        ([[FIRST], [FIRST, HELLO, SECOND]], [[0], [1, 2]]),
        ([[FIRST], [user("one"), assistant("Hello."), SECOND]], [[0], [1, 2]]),
        ([[FIRST], [FIRST]], [[0], []]),
        ([[FIRST, HELLO, SECOND], [FIRST]], [[0, 1, 2], []]),
        ([[FIRST], [SECOND], [FIRST, HELLO, SECOND], [SECOND, HELLO]], [[0], [0], [1, 2], [1]]),
        ([[FIRST, HELLO, user("two", **CACHED)], [FIRST, HELLO, SECOND, HELLO, FIRST]], [[0, 1, 2], [2, 3, 4]]),
        ([[user("one", **CACHED), HELLO], [FIRST, HELLO, SECOND]], [[0, 1], [0, 1, 2]]),
    ],
    ids=[
        "extended", "equal objects", "repeated", "shortened", "two conversations", "moved cache_control",
        "dropped cache_control",
    ],
)  # fmt: skip
def test_a_message_is_shown_once(watching, requests, seen):
    validator = Validator()
    for messages in requests:
        send(validator, *messages)
    assert watching.seen == seen


@pytest.mark.parametrize(
    "other",
    [{"model": "claude-opus-4-5"}, {"thinking": {"type": "adaptive"}}, {"tools": [{"name": "f", "input_schema": {}}]}],
    ids=["model", "thinking", "tools"],
)
def test_under_other_circumstances_all_is_judged_again(watching, other):
    validator = Validator()
    send(validator, FIRST)
    send(validator, FIRST, HELLO, SECOND, **other)
    assert watching.seen == [[0], [0, 1, 2]]


def test_a_finding_is_told_once_on_its_way_and_again_elsewhere(watching):
    validator = Validator()
    watching.finds = [("messages", 0)]
    told = [validator.request(asked(*messages)) for messages in ([FIRST], [FIRST, HELLO, SECOND], [SECOND])]
    assert [[one.path for one in found] for found in told] == [["request.messages[0]"], [], ["request.messages[0]"]]


def test_what_is_ignored_is_not_told(watching):
    watching.finds = [("messages", 0)]
    assert Validator(ignore=["watching"]).request(asked(FIRST)) == []


@pytest.mark.parametrize("status", [400, 429, 529, None], ids=str)
def test_an_attempt_that_failed_settles_nothing(watching, status):
    validator = Validator()
    watching.finds = [("messages", 0)]
    request = asked(FIRST)
    assert validator.request(request)
    validator.response(exchange(request, answer("?"), status=status))
    assert validator.request(asked(FIRST))


def test_what_comes_back_meets_what_was_received(watching):
    validator = Validator()
    request = send(validator, FIRST)
    validator.response(exchange(request, answer("Hello.")))
    send(validator, user("one", **CACHED), assistant("Hello!"), SECOND)
    answers = watching.asked[-1].answers
    assert dict(answers) == {1: [{"type": "text", "text": "Hello."}]}
    assert watching.asked[-1].origins[1] is request


def test_of_two_answers_to_one_history_the_one_that_was_sent_back_counts(watching):
    validator = Validator()
    for text in ("Hello.", "Hi."):
        validator.response(exchange(send(validator, FIRST), answer(text)))
    for text in ("Hello.", "Hi.", "Hey."):
        send(validator, FIRST, assistant(text), SECOND)
    assert [dict(each.answers)[1][0]["text"] for each in watching.asked[-3:]] == ["Hello.", "Hi.", "Hi."]


def test_an_answer_is_found_by_its_tool_where_an_earlier_message_was_edited(watching):
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    validator = Validator()
    validator.response(exchange(send(validator, FIRST), answer(use)))
    send(validator, SECOND, {"role": "assistant", "content": [use]}, user("!"))
    assert dict(watching.asked[-1].answers) == {1: [use]}


def test_a_rule_that_breaks_says_so_and_breaks_nothing_else(monkeypatch):
    def broken(_asked: Asked) -> list[Finding]:
        raise LookupError("sk-ant-api03-secret")

    monkeypatch.setattr(history, "rules_of", lambda _format: ((broken, frozenset()),))
    [found] = Validator().request(asked(FIRST))
    assert (found.rule, found.severity) == ("validation-failed", "warn")
    assert "LookupError" in found.message
    assert "secret" not in found.message


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "https://api.anthropic.com/v1/models"),
        Request("POST", "https://api.openai.com/v1/embeddings", (), Json({"input": "x"})),
        Request("POST", URL + "/count_tokens", (), Json({"model": "m", "messages": None})),
        Request("POST", URL),
    ],
    ids=["models", "embeddings", "count_tokens", "no body"],
)
def test_what_asks_no_model_is_not_judged(request_):
    validator = Validator()
    assert validator.request(request_) == []
    assert validator.response(Exchange(request_, ())) == []


@pytest.mark.parametrize("body", [Text("{"), Json(None), Json({}), Json({"messages": None}), Json([])], ids=str)
@pytest.mark.parametrize("url", [URL, "https://gw.example/v1/chat/completions"], ids=["anthropic", "chat"])
def test_a_body_without_a_history_is_judged_all_the_same(url, body):
    found = Validator().request(Request("POST", url, (), body))
    assert {one.rule for one in found} == {"request-schema"}
    assert "error" in {one.severity for one in found}


def test_of_too_many_messages_nothing_else_is_said():
    found = Validator().request(asked(*[FIRST, HELLO] * 60_000))
    assert [(one.rule, one.path) for one in found] == [("messages-limit", "request.messages")]


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (2 << 20, [("request-unread", "info")]),
        (40 << 20, [("request-too-large", "error"), ("request-unread", "info")]),
    ],
    ids=["2 MB", "40 MB"],
)
def test_a_body_that_is_known_by_its_hash_says_so(size, told):
    found = Validator().request(Request("POST", URL, (), Blob("0" * 64, size)))
    assert [(one.rule, one.severity) for one in found] == told


SUMMARY = {"type": "compaction", "content": "They said hello.", "signature": "c2ln", "tool_changes": None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"cache_control": {"type": "ephemeral"}}, []),
        ({"content": "They said nothing."}, ["compaction_content_mismatch"]),
        ({"signature": "b3RoZXI="}, ["compaction_signature_invalid"]),
        ({"tool_changes": []}, ["compaction_tool_changes_mismatch"]),
        ({"content": "Another one.", "signature": "b3RoZXI="}, []),
    ],
    ids=["as received", "cached", "content", "signature", "tool changes", "of another conversation"],
)
def test_a_compaction_block_comes_back_as_it_was_received(change, words):
    validator = Validator()
    first = asked(FIRST, HELLO, SECOND)
    validator.request(first)
    validator.response(exchange(first, answer(SUMMARY, stop="compaction")))
    found = validator.request(
        asked({"role": "user", "content": [{**SUMMARY, **change}, {"type": "text", "text": "?"}]})
    )
    assert [one.api_error for one in found if one.rule == "compaction-invalid"] == words
