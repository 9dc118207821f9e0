"""Which requests are the same, and what is said where they are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convo_replay.exchange import Binary, Blob, Json, Part, Parts, Request, Text
from convo_replay.explaining import explain, nearest
from convo_replay.matching import Fingerprints
from convo_replay.normalizing import VOLATILE, normalized, parse_path
from convo_replay.pairing import wildcard_pairs

URL = "https://api.anthropic.com/v1/messages"


def body(**changes: Any) -> dict[str, Any]:
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [
            {"role": "user", "content": "What's the weather in Paris?"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_01A", "name": "get", "input": {"c": 1}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01A", "content": "18 °C"}]},
        ],
        **changes,
    }


def request(value: Any = None, url: str = URL, method: str = "POST") -> Request:
    return Request(method, url, (("anthropic-version", "2026-10-21"),), Json(body() if value is None else value))


def with_message(index: int, message: Any) -> dict[str, Any]:
    value = body()
    value["messages"] = [*value["messages"][:index], message, *value["messages"][index + 1 :]]
    return value


def minted(name: str, answered: str | None = None) -> dict[str, Any]:
    value = with_message(
        1, {"role": "assistant", "content": [{"type": "tool_use", "id": name, "name": "get", "input": {"c": 1}}]}
    )
    value["messages"][2] = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": answered or name, "content": "18 °C"}],
    }
    return value


def asking(text: str) -> dict[str, Any]:
    return with_message(0, {"role": "user", "content": text})


SAME = {
    "itself": (request(), request()),
    "other key order": (request(), request(dict(reversed(body().items())))),
    "another host": (request(), request(url="http://127.0.0.1:4000/v1/messages")),
    "other headers": (request(), replace(request(), headers=(("x-stainless-retry-count", "2"),))),
    "query in another order": (request(url=f"{URL}?a=1&b=2"), request(url=f"{URL}?b=2&a=1")),
    "tool ids minted anew": (request(), request(minted("call_" + "9" * 24))),
    "a server's token, or none": (
        request(body(mcp_servers=[{"url": "https://m.example", "authorization_token": "redacted-api-key-1"}])),
        request(body(mcp_servers=[{"url": "https://m.example"}])),
    ),
    "a tool's authorization, or none": (
        request(body(tools=[{"type": "mcp", "authorization": "redacted-api-key-1"}])),
        request(body(tools=[{"type": "mcp"}])),
    ),
    "another user": (request(body(metadata={"user_id": "u1"})), request(body(metadata={"user_id": "u2"}))),
    "another day": (request(asking("Today is 2026-11-22.")), request(asking("Today is 2027-01-01."))),
    "another moment": (
        request(asking("Now: 2026-11-22T10:00:00.123Z")), request(asking("Now: 2027-01-01T23:59:59+00:00"))),
    "a day in words": (
        request(asking("It is Sunday, November 22, 2026.")), request(asking("It is Monday, November 23, 2026."))),
    "another UUID": (
        request(asking("run 0b8a2f0e-1111-4111-8111-111111111111")),
        request(asking("run 77777777-2222-4222-8222-222222222222"))),
    "another temp folder": (
        request(asking("see /tmp/pytest-of-ann/pytest-3/test_a0/x.py")),
        request(asking("see /tmp/pytest-of-bob/pytest-17/popen-gw1/test_a0/x.py"))),
    "placeholders of one class": (
        request(asking("key redacted-anthropic-key-1")), request(asking("key redacted-anthropic-key-2"))),
    "an upload with another boundary": (
        replace(request(), body=Parts((Part("f", Text("x"), "a.txt"),))),
        replace(request(), body=Parts((Part("f", Text("x"), "a.txt"),)))),
}  # fmt: skip

DIFFERENT = {
    "another path": (request(), request(url="https://api.anthropic.com/v1/complete")),
    "another method": (request(), request(method="PUT")),
    "another query": (request(), request(url=f"{URL}?beta=true")),
    "another word": (request(), request(asking("What's the weather in Rome?"))),
    "another model": (request(body(model="gpt-5.5-2026-04-23")), request(body(model="gpt-5.5-2026-05-01"))),
    "a date in a name": (request(asking("use gpt-5-2026-04-23")), request(asking("use gpt-5-2026-05-01"))),
    "an answer to another call": (request(), request(minted("toolu_01A", "toolu_x"))),
    "1 and true": (request(body(stream=1)), request(body(stream=True))),
    "1 and 1.0": (request(body(top=1)), request(body(top=1.0))),
    "a message more": (request(), request(body(messages=[*body()["messages"], {"role": "user", "content": "and?"}]))),
    "placeholders of two classes": (
        request(asking("key redacted-anthropic-key-1")), request(asking("key redacted-openai-key-1"))),
    "text and bytes": (replace(request(), body=Text("a")), replace(request(), body=Binary(b"a"))),
    "two blobs": (replace(request(), body=Blob("a" * 64, 1)), replace(request(), body=Blob("b" * 64, 1))),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_these_are_the_same_request(one, other):
    assert Fingerprints().of(one).loose == Fingerprints().of(other).loose
    rules = Fingerprints()
    assert rules.of(one).loose == rules.of(other).loose  # and with what the first left in memory


@given(st.from_regex(VOLATILE), st.text(max_size=5))
def test_whatever_is_volatile_is_found(value, around):
    text = f"{around} {value} {around}"
    assert normalized(text) == VOLATILE.sub("~", text)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_these_are_not(one, other):
    rules = Fingerprints()
    assert rules.of(one).loose != rules.of(other).loose
    assert Fingerprints().of(one).loose != Fingerprints().of(other).loose


def test_without_the_preset_nothing_is_ignored():
    rules = Fingerprints(normalize=())
    one, other = SAME["another day"]
    assert rules.of(one).loose != rules.of(other).loose


def test_what_the_preset_ignores_still_ranks():
    rules = Fingerprints()
    one, other = SAME["another day"]
    assert rules.of(one).exact != rules.of(other).exact


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("metadata.trace", body(metadata={"trace": "b"})),
        ("$.metadata.trace", body(metadata={"trace": "b"})),
        ("messages[0].content", asking("something else")),
        ("messages[*].content", asking("something else")),
        ("messages", body(messages=[])),
    ],
)
def test_a_path_of_normalize_is_ignored(path, changed):
    rules = Fingerprints(normalize=("default", (path, "-")))
    original = request(body(metadata={"trace": "a"}) if "metadata" in changed else body())
    assert rules.of(original).loose == rules.of(request(changed)).loose
    assert Fingerprints().of(original).loose != Fingerprints().of(request(changed)).loose


@pytest.mark.parametrize("path", ["", "$", "a..b", "a[", "a[x]", "[-1]"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="no JSON path"):
        parse_path(path)


def test_hashing_a_request_costs_what_it_adds(monkeypatch):
    rules = Fingerprints()
    counted: list[int] = []
    message = rules._message
    monkeypatch.setattr(rules, "_message", lambda index, one: counted.append(index) or message(index, one))
    history = [{"role": "user", "content": f"turn {n}"} for n in range(300)]
    for n in range(1, 301):
        rules.of(request({"messages": history[:n]}))
    assert counted == list(range(300))


def test_a_history_that_goes_another_way_is_hashed_anew():
    history = [{"role": "user", "content": f"turn {n}"} for n in range(4)]
    other = [*history[:2], {"role": "user", "content": "no"}, {"role": "user", "content": "further"}]
    tellings = [history[:2], history, other, history[:3], other, history]
    rules = Fingerprints()
    assert [rules.of(request({"messages": told})) for told in tellings] == [
        Fingerprints().of(request({"messages": told})) for told in tellings
    ]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (asking("What's the weather in Rome?"),
         ["messages[0].content: recorded 'What's the weather in Paris?', sent 'What's the weather in Rome?'"]),
        (minted("toolu_01A", "toolu_x"),
         ["messages[2].content[0].tool_use_id: recorded 'toolu_01A', sent 'toolu_x'"]),
        (body(max_tokens=200), ["max_tokens: recorded 100, sent 200"]),
        (body(stream=True), ["stream: recorded nothing, sent true"]),
        (body(messages=body()["messages"][:2]), ['messages[2]: recorded {"content":']),
        (minted("call_x"), []),
        (asking("x" * 500 + "Paris" + "y" * 500), ["messages[0].content: recorded \"What's the weather"]),
    ],
)  # fmt: skip
def test_a_difference_is_said_with_its_path_and_both_values(sent, said):
    found = [str(difference).replace('"', "'") for difference in explain(request(), request(sent), Fingerprints())]
    assert len(found) == len(said)
    for line, start in zip(found, said, strict=True):
        assert line.startswith(start.replace('"', "'"))
        assert len(line) < 500


def test_a_long_text_is_shown_where_it_begins_to_differ():
    one, other = request(asking("a" * 1000 + "Paris" + "b" * 1000)), request(asking("a" * 1000 + "Rome" + "b" * 1000))
    (difference,) = explain(one, other, Fingerprints())
    assert "…'" in str(difference)
    assert "Paris" in str(difference)
    assert "Rome" in str(difference)


def test_the_nearest_is_the_one_with_the_fewest_parts_changed():
    recorded = [request(asking("other")), request(body(max_tokens=1)), request(body(messages=[]))]
    changed = body(max_tokens=1)
    changed["messages"] = [*changed["messages"][:2], {"role": "user", "content": "19 °C"}]
    assert nearest(request(changed), recorded, Fingerprints()) == 1
    assert nearest(request(), [], Fingerprints()) is None


MAIL, KEY = "redacted-email-1@example.com", "redacted-anthropic-key-1"


@pytest.mark.parametrize(
    ("stored", "live", "pairs"),
    [
        ("key redacted-env-1.", "key s3cret-value.", [("redacted-env-1", "s3cret-value")]),
        ("redacted-env-1", "", [("redacted-env-1", "")]),
        ("redacted-env-1 and redacted-env-2", "a and b", [("redacted-env-1", "a"), ("redacted-env-2", "b")]),
        ("key redacted-env-1.", "key s3cret-value!", None),
        ("redacted-private-key-1\n", "dummy", [("redacted-private-key-1", "dummy")]),
        ("redacted-private-key-1", "-----END-----\n", [("redacted-private-key-1", "-----END-----\n")]),
        ("a redacted-private-key-1\n\nb", "a dummy\nb", [("redacted-private-key-1", "dummy")]),
        ('{"k": "redacted-private-key-1\\n"}', '{"k": ""}', [("redacted-private-key-1", "")]),
        ("redacted-private-key-1\\\\u000a.", "dummy.", [("redacted-private-key-1", "dummy")]),
        ("redacted-env-1\n", "dummy", None),
        ("key redacted-env-1.", "lock s3cret-value.", None),
        ("plain", "plain", []),
        ("plain", "other", None),
        ({"a": ["redacted-env-1"]}, {"a": ["x"]}, [("redacted-env-1", "x")]),
        ({"a": ["redacted-env-1"]}, {"a": ["x", "y"]}, None),
        ({"a": 1}, {"a": True}, None),
        *(
            (f"to {MAIL} end", f"to {live} end", [(MAIL, live)] if fits else None)
            for live, fits in (
                ("bob@corp.dev", True),
                ("None", True),
                ("", True),
                ("redacted-email-7@example.com", True),
                ("nobody", False),
                ("everyone in the company", False),
                ("ada@corp.dev, bob@corp.dev", False),
                ("+44 20 7946 0958", False),
            )
        ),
        *(
            (f"use {KEY} now", f"use {live} now", [(KEY, live)] if fits else None)
            for live, fits in (
                ("dummy", True),
                ("", True),
                ("sk-ant-api03-other", True),
                ("my grandmother for it", False),
            )
        ),
        *(
            (f"send {name}", f"send {live}", [(name, live)] if fits else None)
            for name, live, fits in (
                ("redacted-env-1", "correct horse battery staple", True),
                ("redacted-env-1", "{a: 1,\n b: 2 , c: d, e: f }", True),
                ("redacted-env-1", "it to the shredder and tell nobody", False),
                ("redacted-private-key-1", "-----BEGIN A KEY-----\nEx 4m ple\n-----END", True),
                ("redacted-private-key-1", "the shredder, please", False),
                ("redacted-cookie-1", "a=b; c=d; e=f", True),
                ("redacted-cookie-1", "cookies to all of us", False),
                ("redacted-user-name-1", "the shredder, then", False),
            )
        ),
        ("call +00-555-0000001.", "call +44 20 7946 0958.", [("00-555-0000001", "44 20 7946 0958")]),
        ("call +00-555-0000001.", "call +me.", None),
        ("/home/redacted-user-name-1/x", "/home/Ada L/x", [("redacted-user-name-1", "Ada L")]),
        ("/home/redacted-user-name-1/x", "/home/a/b/x", None),
        ("file file-REDACTED1", "file file_011abc", [("file-REDACTED1", "file_011abc")]),
        ("file file_REDACTED1", "file of mine", None),
    ],
)
def test_placeholders_are_wildcards_where_the_hash_missed(stored, live, pairs):
    assert wildcard_pairs(stored, live, Fingerprints()) == pairs


def test_forms_differ_part_by_part():
    def form(*parts: Part) -> Request:
        return Request("POST", "https://api.openai.com/v1/files", body=Parts(parts))

    recorded = form(
        Part("purpose", Text("batch")), Part("file", Blob("ab" * 32, 2_000_000), "a.jsonl"), Part("x", Text("1"))
    )
    sent = form(Part("purpose", Text("evals")), Part("file", Blob("cd" * 32, 2_000_000), "b.jsonl"))
    assert [str(each) for each in explain(recorded, sent, Fingerprints())] == [
        "body.parts[0] (purpose): recorded 'batch', sent 'evals'",
        "body.parts[1].filename: recorded 'a.jsonl', sent 'b.jsonl'",
        "body.parts[1] (file): recorded '2000000 bytes, SHA-256 abababababab…', "
        "sent '2000000 bytes, SHA-256 cdcdcdcdcdcd…'",
        "body.parts[2]: recorded 'x', sent nothing",
    ]
    assert explain(recorded, recorded, Fingerprints()) == []


def test_numbers_of_placeholders_are_no_difference_to_look_at():
    known = "key redacted-github-token-1 for redacted-email-1@example.com " + "and so on " * 12 + "in Paris"
    given = "key redacted-github-token-4 for redacted-email-3@example.com " + "and so on " * 12 + "in Rome"
    (difference,) = explain(request({"system": known}), request({"system": given}), Fingerprints())
    said = str(difference)
    assert "in Paris" in said
    assert "in Rome" in said
    assert "token" not in said
