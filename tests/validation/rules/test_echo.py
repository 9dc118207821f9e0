"""An assistant turn as received against the one sent back: what is a change, where it is, what it is called."""

from __future__ import annotations

import time
from typing import Any

import pytest

from convo_replay.exchange import Json, Request
from turn_cases import (
    assistant,
    calling,
    findings,
    request,
    result,
    said,
    searched,
    searching,
    text,
    thinking,
    told,
    tool,
    use,
    user,
)  # fmt: skip

RULES = ("thinking_modified", "turn_altered")
ASK = user("Weather?")
LOOK = text("I look it up for you.")
HM, AH = thinking("Hm, the weather.", "aGg="), thinking("Ah, in Paris.", "YWg=")
HIDDEN = {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="}
SILENT = thinking("", "c2lsZW50")
CITED = text("It is sunny.", citations=[{"type": "web_search_result_location", "url": "https://x.example"}])
USE = use("toolu_1", caller={"type": "direct"})
PLAIN = use("toolu_1")
WAVE = {"type": "gesture", "hand": "left"}
BACK = user(result("toolu_1"))


def echoed(received: list[Any], *sent: Any, after: Any = BACK, **body: Any) -> list[str]:
    """What is told of an answer that is sent back as these blocks."""
    asked = request(ASK, assistant(*sent), after, answers={1: received}, **body)
    return told(findings(asked, *RULES))


ALTERED, MODIFIED = "turn-altered messages[1]", "thinking-modified messages[1]"

CASES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "equal": ([HM, LOOK, USE], [HM, LOOK, USE], []),
    # A6
    "signature": ([HM, USE], [HM | {"signature": "b3RoZXI="}, USE], [f"{MODIFIED}.content[0]"]),
    "signature gone": ([HM, USE], [{"type": "thinking", "thinking": "Hm"}, USE], [f"{MODIFIED}.content[0]"]),
    "thinking trimmed": ([HM, USE], [HM | {"thinking": "Hm"}, USE], [f"{MODIFIED}.content[0]"]),
    "thinking filled in": ([SILENT, USE], [SILENT | {"thinking": "Hm"}, USE], [f"{MODIFIED}.content[0]"]),
    "data": ([HIDDEN, USE], [HIDDEN | {"data": "b3RoZXI="}, USE], [f"{MODIFIED}.content[0]"]),
    "another type": ([HIDDEN, USE], [thinking("", "cmVkYWN0ZWQ="), USE], [f"{MODIFIED}.content[0]"]),
    "one of two gone": ([HM, LOOK, AH, USE], [HM, LOOK, USE], [f"{MODIFIED}.content[2]"]),
    "an empty one gone": ([SILENT, HM, USE], [HM, USE], [f"{MODIFIED}.content[0]"]),
    "two changed places": ([HM, AH, USE], [AH, HM, USE], [f"{MODIFIED}.content[1]"]),
    "behind the call": ([HM, USE], [USE, HM], [f"{MODIFIED}.content[1]"]),
    "behind the text": ([HM, LOOK, USE], [LOOK, HM, USE], [f"{MODIFIED}.content[1]"]),
    "one twice": ([HM, USE], [HM, HM, USE], [f"{MODIFIED}.content[1]"]),
    "second of two": ([HM, LOOK, AH, USE], [HM, LOOK, AH | {"signature": "eA=="}, USE], [f"{MODIFIED}.content[2]"]),
    "all gone": ([HM, AH, USE], [USE], [f"{ALTERED}.content[0]"]),
    "thinking put in": ([LOOK, USE], [HM, LOOK, USE], [f"{ALTERED}.content[0]"]),
    "an unknown field of thinking": ([HM | {"index": 0}, USE], [HM, USE], []),
    # turn-altered
    "text gone": ([LOOK, USE], [USE], [f"{ALTERED}.content[0]"]),
    "call gone": ([LOOK, USE], [LOOK], [f"{ALTERED}.content[0]"]),
    "saved as a string": ([LOOK, USE], [], []),
    "text cut": ([LOOK, USE], [text("I look it up"), USE], [f"{ALTERED}.content[0]"]),
    "text changed": ([LOOK, USE], [text("I look it up for them."), USE], [f"{ALTERED}.content[0]"]),
    "text added": ([LOOK, USE], [text("I look it up for you. Wait!"), USE], [f"{ALTERED}.content[0]"]),
    "what a tool said behind the text": ([LOOK], [text("I look it up for you.\nObservation: 18")], []),
    "text stripped": ([text("I look it up.\n"), USE], [text("I look it up."), USE], []),
    "an empty text left out": ([text(""), USE], [USE], []),
    "texts merged": ([text("It is "), CITED, USE], [text("It is It is sunny."), USE], [f"{ALTERED}.content[0]"]),
    "text split": ([LOOK, USE], [text("I look it up "), text("for you."), USE], [f"{ALTERED}.content[0]"]),
    "calls changed places": ([USE, use("toolu_2")], [use("toolu_2"), PLAIN | {"caller": None} | USE], [
        f"{ALTERED}.content[1]"
    ]),
    "input": ([PLAIN], [use("toolu_1", input={"city": "Rome"})], [f"{ALTERED}.content[0]"]),
    "input as text": ([PLAIN], [use("toolu_1", input='{"city": "Paris"}')], [f"{ALTERED}.content[0]"]),
    "input with a null": ([PLAIN], [use("toolu_1", input={"city": "Paris", "unit": None})], []),
    "input in another order": ([use("t", input={"a": 1, "b": 2})], [use("t", input={"b": 2, "a": 1})], []),
    "input where there was none": ([use("toolu_1", input={})], [PLAIN], [f"{ALTERED}.content[0]"]),
    "name": ([PLAIN], [use("toolu_1", name="weather")], [f"{ALTERED}.content[0]"]),
    "id": ([LOOK, PLAIN], [LOOK, use("toolu_9")], [f"{ALTERED}.content[1]"]),
    "caller gone": ([USE], [PLAIN], [f"{ALTERED}.content[0]"]),
    "caller null": ([PLAIN], [use("toolu_1", caller=None)], []),
    "citations gone": ([CITED, USE], [text("It is sunny."), USE], [f"{ALTERED}.content[0]"]),
    "citations with nulls": (
        [CITED, USE],
        [CITED | {"citations": [CITED["citations"][0] | {"title": None}]}, USE],
        [],
    ),
    "citations null": ([LOOK | {"citations": None}, USE], [LOOK, USE], []),
    "cache_control added": ([LOOK, USE], [LOOK, USE | {"cache_control": {"type": "ephemeral"}}], []),
    "what an SDK adds": ([LOOK, USE], [LOOK | {"citations": None, "parsed_output": None}, USE], []),
    "text put in": ([LOOK, USE], [LOOK, text("Let me see."), USE], [f"{ALTERED}.content[1]"]),
    "the next turn behind it": ([LOOK], [LOOK, text("It is sunny.")], []),
    "a search's result gone": ([searching(), searched(), LOOK], [searching(), LOOK], [f"{ALTERED}.content[1]"]),
    "a new block type": ([WAVE, USE], [WAVE | {"hand": "left"}, USE], []),
    "a text gone beside a block without an id": ([WAVE, LOOK], [WAVE], [f"{ALTERED}.content[0]"]),
    "a new block type gone": ([WAVE, USE], [USE], [f"{ALTERED}.content[0]"]),
    "a new block type changed": ([WAVE, USE], [WAVE | {"hand": "right"}, USE], [f"{ALTERED}.content[0]"]),
    "two kinds of change": ([HM, USE], [HM | {"signature": "eA=="}, PLAIN], [
        f"{MODIFIED}.content[0]", f"{ALTERED}.content[1]"
    ]),
    # no echo
    "another answer": ([LOOK], [text("The weather is of no interest to me.")], []),
    "another call": ([PLAIN], [use("toolu_9", name="get_time", input={})], []),
    "another thought": ([HM], [AH], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_changed_is_told_where_it_is(name):
    received, sent, expected = CASES[name]
    assert echoed(received, *sent) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("signature", "with another `signature` in its `thinking` block"),
        (
            "signature gone",
            "with another text in its `thinking` block, without the `signature` of its `thinking` block",
        ),
        ("one of two gone", "without its `thinking` block"),
        ("behind the call", "with a thinking block moved"),
        ("caller gone", "without the `caller` of `tool_use` toolu_1"),
        ("input", "with another `input` in `tool_use` toolu_1"),
        ("text cut", "with its text cut to 12 of 21 characters"),
        ("call gone", "without `tool_use` toolu_1"),
        ("texts merged", "with its texts merged or split"),
        ("calls changed places", "with its blocks in another order"),
        ("text put in", "with a `text` block added"),
    ],
)
def test_a_change_has_a_name(name, said):
    received, sent, _ = CASES[name]
    (found,) = findings(request(ASK, assistant(*sent), BACK, answers={1: received}), *RULES)
    whose = "thinking of the latest assistant turn" if found.severity == "error" else "assistant turn of messages[1]"
    assert found.message == f"expected the {whose} as it was received, sent it {said}"


def test_the_api_is_quoted_with_the_place_and_refuses():
    asked = request(ASK, assistant(LOOK, HM | {"signature": "eA=="}, USE), BACK, answers={1: [LOOK, HM, USE]})
    (found,) = findings(asked, *RULES)
    assert found.severity == "error"
    assert found.api_error == (
        "messages.1.content.1: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
        "modified. These blocks must remain as they were in the original response."
    )
    assert {each.severity for each in findings(request(
        ASK, assistant(HM | {"signature": "eA=="}, USE), BACK, answers={1: [HM, USE]}, model="my-deployment"
    ), *RULES)} == {"warn"}  # fmt: skip


def test_thinking_of_an_earlier_turn_is_no_matter_of_the_api():
    sent = assistant(HM | {"signature": "eA=="}, USE)
    asked = request(ASK, sent, BACK, assistant("Sunny."), user("And Rome?"), answers={1: [HM, USE]})
    assert told(findings(asked, *RULES)) == [f"{ALTERED}.content[0]"]


def test_thinking_may_be_left_out_where_no_tool_is_used():
    assert echoed([HM, LOOK], LOOK, after=user("And Rome?")) == []
    assert echoed([HM, USE], USE) == [f"{ALTERED}.content[0]"]


def test_a_turn_split_over_messages_is_one_turn():
    split = request(ASK, assistant(HM, LOOK), assistant(USE), BACK, answers={1: [HM, LOOK, USE]})
    assert findings(split, *RULES) == []
    changed = request(ASK, assistant(HM, LOOK), assistant(PLAIN), BACK, answers={1: [HM, LOOK, USE]})
    assert told(findings(changed, *RULES)) == ["turn-altered messages[2].content[0]"]


def test_a_string_is_one_text_block():
    string = {"role": "assistant", "content": "I look it up for you."}
    assert findings(request(ASK, string, user("Go on."), answers={1: [LOOK]}), *RULES) == []
    asked = request(ASK, string, user("Go on."), answers={1: [LOOK, USE]})
    assert told(findings(asked, *RULES)) == [f"{ALTERED}.content"]


def test_what_an_earlier_request_sent_is_not_told_again():
    asked = request(ASK, assistant(PLAIN), BACK, assistant("Sunny."), user("Thanks."), answers={1: [USE]}, new=3)
    assert findings(asked, *RULES) == []


def test_many_changes_are_one_finding():
    received = [use(f"toolu_{at}", caller={"type": "direct"}) for at in range(5)]
    asked = request(ASK, assistant(*[use(f"toolu_{at}") for at in range(5)]), answers={1: received})
    (found,) = findings(asked, *RULES)
    assert found.message.endswith("`tool_use` toolu_2 and 2 more changes")


def test_what_matters_most_is_told_first():
    received = [use(f"toolu_{at}", caller={"type": "direct"}) for at in range(3)]
    asked = request(ASK, assistant(use("toolu_0"), use("toolu_1", input={})), answers={1: received})
    (found,) = findings(asked, *RULES)
    assert found.path == "request.messages[1].content[1]"
    assert found.message.endswith(
        "sent it with another `input` in `tool_use` toolu_1, without the `caller` of `tool_use` toolu_1 and without "
        "`tool_use` toolu_2 and without the `caller` of `tool_use` toolu_0"
    )


CALL = calling("call_1", content="I look it up.")
ARGUMENTS = {"name": "get_weather", "arguments": '{"city":"Paris"}'}

CHAT: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "equal": (CALL, CALL, []),
    "arguments in another shape": (CALL, CALL | {"tool_calls": [{"id": "call_1", "function": ARGUMENTS}]}, []),
    "arguments": (
        CALL,
        CALL | {"tool_calls": [{"id": "call_1", "function": ARGUMENTS | {"arguments": '{"city":"Rome"}'}}]},
        [f"{ALTERED}.tool_calls[0]"],
    ),
    "no arguments": (
        calling("call_1") | {"tool_calls": [{"id": "call_1", "function": {"name": "now", "arguments": ""}}]},
        calling("call_1") | {"tool_calls": [{"id": "call_1", "function": {"name": "now", "arguments": "{}"}}]},
        [],
    ),
    "name": (
        CALL,
        CALL | {"tool_calls": [{"id": "call_1", "function": ARGUMENTS | {"name": "weather"}}]},
        [f"{ALTERED}.tool_calls[0]"],
    ),
    "an id for a call that came without": (calling(""), calling("call_1"), []),
    "a call gone": (calling("call_1", "call_2"), calling("call_1"), [f"{ALTERED}.tool_calls[0]"]),
    "calls gone": (CALL, said("assistant", "I look it up."), [f"{ALTERED}.content"]),
    "content gone": (CALL, calling("call_1"), [f"{ALTERED}.tool_calls[0]"]),
    "content as parts": (CALL, CALL | {"content": [{"type": "text", "text": "I look it up."}]}, []),
    "content empty for null": (calling("call_1"), calling("call_1", content=""), []),
    "what OpenAI adds": (CALL | {"refusal": None, "annotations": [], "audio": None}, CALL, []),
    "text": (
        said("assistant", "It is sunny in Paris."),
        said("assistant", "It is sunny in Rome."),
        [f"{ALTERED}.content"],
    ),
    "reasoning left out": (CALL | {"reasoning": "Hm."}, CALL, []),
    "another answer": (said("assistant", "It is sunny in Paris."), said("assistant", "I do not know."), []),
}


@pytest.mark.parametrize("name", CHAT)
def test_a_chat_message_is_compared_by_what_it_means(name):
    received, sent, expected = CHAT[name]
    asked = request(said("user"), sent, tool("call_1"), format="openai_chat", answers={1: received})
    assert told(findings(asked, "turn_altered")) == expected


SYSTEM = [{"type": "text", "text": "Be brief."}]
TURN = (ASK, assistant(HM, USE), BACK)


@pytest.mark.parametrize(
    ("model", "before", "now", "expected"),
    [
        ("claude-fable-5-1", {"system": SYSTEM}, {"system": SYSTEM}, ""),
        ("claude-fable-5-1", {"system": SYSTEM}, {"system": "Be brief."}, "another `system`"),
        ("claude-opus-5-5", {"tools": [{"name": "a"}]}, {"tools": [{"name": "a"}, {"name": "b"}]}, "another `tools`"),
        ("claude-haiku-5-5", {}, {"system": SYSTEM}, "another `system`"),
        ("claude-fable-5-1", {"system": SYSTEM}, {"system": [SYSTEM[0] | {"cache_control": {"type": "e"}}]}, ""),
        ("claude-fable-5-1", {"messages": [user("Time?")]}, {}, "another messages[0]"),
        ("claude-fable-5-1", {"messages": [ASK, ASK]}, {}, "1 messages in place of 2"),
        ("claude-opus-5", {"system": SYSTEM}, {}, ""),
        ("claude-sonnet-4-5", {"system": SYSTEM}, {}, ""),
        ("my-deployment", {"system": SYSTEM}, {}, ""),
    ],
)
def test_what_stands_before_thinking_stays(model, before, now, expected):
    origin = Request("POST", "https://api.anthropic.com/v1/messages", (), Json({"messages": [ASK]} | before))
    asked = request(*TURN, answers={1: [HM, USE]}, origins={1: origin}, model=model, **now)
    found = findings(asked, "thinking_prefix_changed")
    assert [each.message.rpartition("sent ")[2] for each in found] == ([expected] if expected else [])
    assert {(each.severity, each.where) for each in found} <= {("warn", ("messages", 1, "content", 0))}


GARBAGE: tuple[Any, ...] = (
    None,
    7,
    "text",
    [],
    [None, 7, "x"],
    [{"type": 7}, {"type": "text", "text": 7}, {"type": "text"}],
    [{"type": "tool_use", "id": {}, "input": []}, {"type": "thinking", "thinking": [], "signature": {}}],
    {"role": 7, "content": {}, "tool_calls": [None, {"function": 7}, {"function": {"arguments": []}}]},
)


def test_garbage_raises_nothing():
    for received in GARBAGE:
        for sent in GARBAGE:
            for format in ("anthropic", "openai_chat"):
                for message in (
                    sent,
                    {"role": "assistant", "content": sent},
                    {"role": "assistant", "tool_calls": sent},
                ):
                    asked = request(ASK, message, format=format, answers={1: received}, model="claude-fable-5-1")
                    findings(asked, *RULES, "thinking_prefix_changed")


def test_deep_values_are_compared_without_an_end():
    one: Any = []
    two: Any = [None]
    for _ in range(3000):
        one, two = {"a": one}, {"a": two}
    # How deep two values can be compared depends on the interpreter.
    told = echoed([use("toolu_1", input=one)], use("toolu_1", input=two))
    assert told in ([], ["turn-altered messages[1].content[0]"])


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ([use(f"toolu_{at}") for at in range(2000)], [use(f"toolu_{at}") for at in range(1999, -1, -1)]),
        ([text(f"No. {at}") for at in range(2000)], [text(f"No. {at}!") for at in range(2000)]),
        ([thinking(f"{at}") for at in range(2000)] + [USE], [thinking(f"{at}!") for at in range(2000)] + [USE]),
        ([text("a" * 1_000_000)], [text("a" * 999_999)]),
    ],
    ids=["calls", "texts", "thoughts", "a long text"],
)
def test_long_turns_cost_no_more_than_their_size(received, sent):
    start = time.process_time()
    echoed(received, *sent)
    assert time.process_time() - start < 1.0
