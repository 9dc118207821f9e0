"""What is played, recorded and refused, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from convo_replay.exchange import Binary, Chunk, End, Exchange, Head, Json, Part, Parts, Request, Text
from convo_replay.matching import Fingerprints
from convo_replay.player import Play, Player, Record, Refuse
from convo_replay.redaction import Redactor

OWN, OTHER = "test_a.py::test_one", "test_a.py::test_two"


def request(text: str = "hi", host: str = "api.anthropic.com") -> Request:
    messages = [{"role": "user", "content": text}]
    return Request("POST", f"https://{host}/v1/messages", body=Json({"model": "m", "messages": messages}))


def exchange(
    text: str = "hi", answer: str = "", test: str = OWN, host: str = "api.anthropic.com", **more: Any
) -> Exchange:
    steps = (Head(200, (("content-type", "application/json"),)), Chunk(0.1, answer.encode()), End(at=0.1))
    return Exchange(request(text, host), steps, test=test, **more)


def player(*exchanges: Exchange, mode: str = "none", **more: Any) -> Player:
    return Player(exchanges, owner=OWN, mode=mode, fingerprints=Fingerprints(), **more)  # type: ignore[arg-type]


def ask(one: Player, text: str = "hi", host: str = "api.anthropic.com", raw: str | None = None) -> Any:
    decision = one.decide(request(text, host), request(text if raw is None else raw, host))
    return decision.exchange.body.decode() if isinstance(decision, Play) else type(decision)


def test_identical_requests_are_answered_in_recorded_order_and_no_more_often():
    one = player(*[exchange(answer=str(n)) for n in range(3)])
    assert [ask(one) for _ in range(4)] == ["0", "1", "2", Refuse]


def test_with_repeats_the_last_is_played_again():
    one = player(exchange(answer="0"), exchange(answer="1"), repeats=True)
    assert [ask(one) for _ in range(4)] == ["0", "1", "1", "1"]


RANKS = {
    "its own before unowned before others'": (
        [exchange(answer="other", test=OTHER), exchange(answer="none", test=""), exchange(answer="own")],
        "hi", ["own", "none", "other"]),
    "equal before normalize first": (
        [exchange("at 2026-01-01", "a"), exchange("at 2026-01-02", "b")], "at 2026-01-02", ["b", "a"]),
    "the host first": (
        [exchange(answer="a", host="gateway:4000"), exchange(answer="b")], "hi", ["b", "a"]),
    "whose placeholders map one-to-one": (
        [exchange("redacted-env-1 redacted-env-1", "same"), exchange("redacted-env-1 redacted-env-2", "two")],
        "redacted-env-7 redacted-env-8", ["two", "same"]),
}  # fmt: skip


@pytest.mark.parametrize(("exchanges", "text", "answers"), RANKS.values(), ids=RANKS)
def test_among_equals_it_plays_first(exchanges, text, answers):
    one = player(*exchanges)
    assert [ask(one, text) for _ in answers] == answers


def test_a_mapping_of_placeholders_holds_for_the_conversation():
    one = player(
        exchange("I am redacted-env-1", "1"), exchange("I am redacted-env-2", "2"),
        exchange("again redacted-env-1", "again 1"), exchange("again redacted-env-2", "again 2"),
    )  # fmt: skip
    assert ask(one, "I am redacted-env-1") == "1"
    assert ask(one, "I am redacted-env-2") == "2"
    assert ask(one, "again redacted-env-2") == "again 2"
    assert ask(one, "again redacted-env-1") == "again 1"


def test_a_recorded_placeholder_matches_what_is_no_secret_here():
    one = player(exchange("my key is redacted-env-1!", "a"), exchange("my id is redacted-env-1!", "b"))
    assert ask(one, "my key is None!") == "a"
    assert ask(one, "my id is hunter2!") is Refuse  # redacted-env-1 is None in this conversation
    assert ask(one, "my id is None!") == "b"


def test_placeholders_in_urls_are_wildcards_too():
    url = "https://aiplatform.example/v1/projects/{}/locations/x:rawPredict?key={}"
    stored = Request("post", url.format("my-project", "redacted-url-key-1"), body=Json({"messages": []}))
    one = player(Exchange(stored, (Head(200), Chunk(0.1, b"a"), End(at=0.1))))
    raw = Request("POST", url.format("my-project", "live"), body=Json({"messages": []}))
    redacted = Request("POST", url.format("redacted-gcp-project-1", "redacted-url-key-1"), body=raw.body)
    assert isinstance(one.decide(redacted, raw), Play)


def test_what_is_a_secret_here_and_was_none_there_matches_too():
    one = player(exchange("say banana-banana", "a"))
    assert ask(one, "say redacted-env-1", raw="say banana-banana") == "a"
    assert ask(one, "say redacted-env-1", raw="say something") is Refuse


MODES = {
    ("none", "own"): "a", ("none", "other"): "a", ("none", "nothing"): Refuse,
    ("once", "own"): "a", ("once", "other"): Record, ("once", "nothing"): Record, ("once", "unowned"): "a",
    ("new_episodes", "own"): "a", ("new_episodes", "other"): Record, ("new_episodes", "nothing"): Record,
    ("all", "own"): Record, ("rewrite", "own"): Record, ("live", "nothing"): Record,
}  # fmt: skip
HELD = {
    "own": [exchange(answer="a")],
    "other": [exchange(answer="a", test=OTHER)],
    "unowned": [exchange(answer="a", test="")],
    "nothing": [],
}


@pytest.mark.parametrize(("mode", "held"), MODES, ids=map("-".join, MODES))
def test_what_a_mode_does_with_a_request(mode, held):
    assert ask(player(*HELD[held], mode=mode)) == MODES[mode, held]


def test_once_refuses_what_is_new_to_a_recording():
    assert ask(player(exchange(), mode="once"), "something new") is Refuse


def test_what_a_failed_run_left_is_recorded_again():
    left = exchange(answer="a", outcome="failed")
    error = Exchange(request(), (Head(429), End()), test=OWN, outcome="failed")
    assert ask(player(left, mode="once")) is Record
    assert ask(player(left)) == "a"  # replay plays what there is
    assert ask(player(left, mode="new_episodes")) == "a"  # and what was paid for is not paid for again
    assert ask(player(error, mode="new_episodes")) is Record


def test_a_refusal_names_the_nearest_and_whether_it_was_played():
    one = player(exchange("a", "x"), exchange("b", "y"))
    assert ask(one, "a") == "x"
    again = one.decide(request("a"), request("a"))
    assert isinstance(again, Refuse)
    assert (again.index, again.played) == (0, True)
    other = one.decide(request("c"), request("c"))
    assert isinstance(other, Refuse)
    assert (other.index, other.played) == (1, False)
    assert ask(one, "b") == "y"
    extra = one.decide(request("c"), request("c"))
    assert isinstance(extra, Refuse)
    assert not extra.played  # nothing equal was; the nearest is named for its differences


def test_branches_are_played_only_under_their_fault():
    assert ask(player(exchange(after="cut:eof@t0.1"))) is Refuse


def test_a_branch_of_other_faults_is_named_and_is_never_the_nearest():
    one = player(exchange("a"), exchange("b", after="cut:eof@t0.1"), after=["cut:reset@t0.1"])
    same, other = one.decide(request("b"), request("b")), one.decide(request("c"), request("c"))
    assert isinstance(same, Refuse)
    assert isinstance(other, Refuse)
    assert (same.index, same.played, same.branch) == (0, False, "cut:eof@t0.1")
    assert (other.index, other.branch) == (0, "")


@pytest.mark.parametrize("agrees", [True, False, None])
def test_a_matcher_of_the_users_is_asked_too(agrees):
    asked: list[tuple[Request, Request]] = []
    one = player(exchange(answer="a"), matchers=[lambda a, b: asked.append((a, b)) or agrees])
    assert ask(one) == (Refuse if agrees is False else "a")
    assert asked


def test_unplayed_are_the_tests_own():
    one = player(exchange("a"), exchange("b"), exchange("c", test=OTHER), exchange("d", after="429"))
    ask(one, "a")
    assert [each.request.json["messages"][0]["content"] for each in one.unplayed()] == ["b"]


@pytest.mark.parametrize(
    ("text", "owner", "answered"),
    [
        ("write to redacted-email-1@example.com", "test_a", True),
        ("write to redacted-email-1@example.com", "test_b", False),
        ("write to redacted-email-1@example.com", "", True),
        ("the key is redacted-anthropic-key-1", "test_b", True),
        ("write to nobody", "test_b", True),
    ],
)
def test_another_test_answers_nothing_that_names_people(text: str, owner: str, answered: bool):
    """Two requests that differ only in an e-mail address have one redacted form."""
    recorded = exchange(text, test="test_a")
    one = Player([recorded], owner=owner, mode="none", fingerprints=Fingerprints())
    decision = one.decide(recorded.request, recorded.request)
    assert isinstance(decision, Play if answered else Refuse)
    assert isinstance(decision, Play) or decision.stranger


def _asked(body: Any) -> Request:
    return Request("POST", "https://api.anthropic.com/v1/messages", (), body)


def _parts(name: str, filename: str, body: Any) -> Parts:
    return Parts((Part(name, body, filename),))


@pytest.mark.parametrize(
    ("recorded", "sent", "answered"),
    [
        (Json({"redacted-env-1": 1, "b": 2}), Json({"b": 2, "tiger": 1}), True),
        (Json({"redacted-env-1": 1, "b": 2}), Json({"c": 2, "tiger": 1}), False),
        (Json({"a": 1, "x redacted-env-1": 2}), Json({"a": 1, "y tiger": 2}), False),
        (Json({"redacted-env-1": "redacted-env-1"}), Json({"tiger": "tiger"}), True),
        (Json({"redacted-env-1": "redacted-env-1"}), Json({"tiger": "lion"}), False),
        (Text("a redacted-env-1"), Text("a tiger"), True),
        (Text("a redacted-env-1"), Json("a tiger"), False),
        (Binary(b"\\xff redacted-env-1 \\0"), Binary(b"\\xff tiger \\0"), True),
        (Binary(b"\\xff redacted-env-1 \\0"), Binary(b"\\xfe tiger \\0"), False),
        (_parts("redacted-env-1", "a.txt", Text("b")), _parts("tiger", "a.txt", Text("b")), True),
        (_parts("f", "redacted-env-1.txt", Text("b")), _parts("f", "tiger.txt", Text("b")), True),
        (_parts("f", "a.txt", Text("b redacted-env-1")), _parts("f", "a.txt", Text("b tiger")), True),
        (_parts("f", "a.txt", Text("b redacted-env-1")), _parts("f", "a.txt", Text("c tiger")), False),
    ],
)
def test_a_recorded_placeholder_matches_what_nothing_knows_for_a_secret(recorded: Any, sent: Any, answered: bool):
    one = Player([Exchange(_asked(recorded), (End(),), test=OWN)], owner=OWN, mode="none", fingerprints=Fingerprints())
    decision = one.decide(_asked(sent), _asked(sent))
    assert isinstance(decision, Play) is answered


A, B, C = (f"redacted-email-{n}@example.com" for n in (1, 2, 3))
PEOPLE = [
    # recorded, live (with whom the placeholders of this run stand for), which are answered
    ([f"to {A}", f"to {B}"], ["to 1", "to 2"], [True, True]),
    ([f"to {A}", f"to {B}"], ["to 2", "to 1"], [True, True]),
    ([f"to {A}", f"to {A}"], ["to 1", "to 2"], [True, False]),
    ([f"to {A}", f"to {B}"], ["to 1", "to 1"], [True, False]),
    ([f"to {A}", f"to {B}", f"to {A}"], ["to 1", "to 1", "to 2"], [True, True, True]),
    ([f"to {A}, cc {B}"], ["to 1, cc 2"], [True]),
    ([f"to {A}, cc {B}"], ["to 1, cc 1"], [False]),
    ([f"to {A}, cc {A}"], ["to 1, cc 2"], [False]),
    ([f"to {A}", f"{A} of {B}"], ["to 1", "2 of 1"], [True, False]),
    ([f"to {A}", f"{A} of {B}"], ["to 3", "3 of 1"], [True, True]),
]


@pytest.mark.parametrize(("recorded", "live", "answered"), PEOPLE, ids=[" / ".join(row[1]) for row in PEOPLE])
def test_people_are_never_mixed_up(recorded: list[str], live: list[str], answered: list[bool]):
    redactor = Redactor()
    redactor.reserve([exchange(text) for text in recorded])
    one = Player([exchange(text) for text in recorded], owner=OWN, mode="none", fingerprints=Fingerprints(),
                 value_of=redactor.value_of)  # fmt: skip
    got = []
    for text in live:
        raw = request("".join(f"ada{c}@engines.co.uk" if c.isdigit() else c for c in text))
        decision = one.decide(redactor.request(raw), raw)
        got.append(isinstance(decision, Play))
        assert isinstance(decision, Play) or decision.stranger
        if isinstance(decision, Play):
            redactor.adopt(decision.pairs)
    assert got == answered


def test_keys_that_were_two_may_be_one():
    recorded = [exchange("redacted-env-1 and redacted-env-2"), exchange("again redacted-env-1")]
    one = Player(recorded, owner=OWN, mode="none", fingerprints=Fingerprints())
    for text in ("dummy and dummy", "again dummy"):
        assert isinstance(one.decide(request(text), request(text)), Play)
