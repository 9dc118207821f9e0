"""Whose exchanges a run replaces, keeps and adds, and what is left when it ends badly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from convo_replay import CassetteMiss, ConvoFailure
from live.callers import body, client, httpx, use_cassette
from upstream import Upstream


def ask(url: str, text: str) -> str:
    answer: str = httpx.post(url + "/v1/messages", json=body(text)).json()["content"][0]["text"]
    return answer


def held(cassette: Path) -> list[str]:
    """The questions in the file, with the answers."""
    found = []
    for exchange in yaml.safe_load(cassette.read_text())["exchanges"]:
        question, answer = exchange["request"]["json"]["messages"][-1], exchange["response"]["json"]["content"][0]
        found.append(f"{question['content']}: {answer['text']}")
    return found


@pytest.fixture
def url(upstream: Upstream) -> str:
    return upstream.url("counter")


@pytest.fixture
def recorded(url: str, cassette: Path) -> Path:
    with use_cassette(cassette, record="once"):
        for text in ("a", "b"):
            ask(url, text)
    return cassette


MODES = {
    "none": (CassetteMiss, ["a: Answer number 1", "b: Answer number 1"]),
    "once": (CassetteMiss, ["a: Answer number 1", "b: Answer number 1"]),
    "new_episodes": (None, ["a: Answer number 1", "b: Answer number 1", "c: Answer number 1"]),
    "all": (None, ["a: Answer number 2", "b: Answer number 1", "c: Answer number 1"]),
    "rewrite": (None, ["a: Answer number 2", "c: Answer number 1"]),
}


@pytest.mark.parametrize(("record", "error", "after"), [(mode, *row) for mode, row in MODES.items()], ids=MODES)
def test_modes(record: Any, error: Any, after: list[str], url: str, recorded: Path):
    """`a` is asked again, `b` is not, `c` is new."""

    def run() -> None:
        with use_cassette(recorded, record=record, unplayed="ignore"):
            ask(url, "a")
            ask(url, "c")

    if error:
        with pytest.raises(error, match="'c'"):
            run()
    else:
        run()
    assert sorted(held(recorded)) == after


def test_live_writes_nothing(url: str, cassette: Path):
    with use_cassette(cassette, record="live") as convo:
        ask(url, "a")
    assert len(convo.exchanges) == 1
    assert not cassette.exists()


def fail(cassette: Path, record: Any, url: str, text: str, error: type[BaseException], notes: list[str]) -> None:
    context = use_cassette(cassette, record=record)
    convo = None
    try:
        with context as convo:
            ask(url, text)
            raise error("the test fails")
    finally:
        notes += convo.notes if convo else []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, ConvoFailure])
@pytest.mark.parametrize("record", ["rewrite", "all", "new_episodes"])
def test_a_failing_run_leaves_the_old_cassette_and_keeps_the_new_recording(record, error, url: str, recorded: Path):
    before = recorded.read_bytes()
    notes: list[str] = []
    with pytest.raises(error):
        fail(recorded, record, url, "c", error, notes)
    assert recorded.read_bytes() == before
    new = recorded.with_name("conversation.new.yaml")
    assert "c: Answer number 1" in held(new)
    assert any("accept" in note for note in notes)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_first_run_is_kept_and_says_so(error, url: str, cassette: Path):
    with pytest.raises(error):
        fail(cassette, "once", url, "a", error, [])
    assert held(cassette) == ["a: Answer number 1"]
    assert yaml.safe_load(cassette.read_text())["exchanges"][0]["outcome"] == "failed"


def test_the_budget(url: str, cassette: Path, upstream: Upstream):
    def run() -> None:
        with use_cassette(cassette, record="once", max_requests=2):
            for text in "abcd":
                ask(url, text)

    with pytest.raises(ConvoFailure, match="max_requests") as caught:
        run()
    assert "2" in str(caught.value)
    assert len(upstream.log()) == 2
    assert held(cassette) == ["a: Answer number 1", "b: Answer number 1"]  # paid for, so kept


def test_a_miss_is_raised_again_at_once(url: str, recorded: Path, upstream: Upstream):
    texts = []

    def run() -> None:
        with use_cassette(recorded):
            for text in ("z", "a"):
                try:
                    ask(url, text)
                except CassetteMiss as miss:
                    texts.append(str(miss))

    with pytest.raises(CassetteMiss) as caught:
        run()
    assert texts == [str(caught.value)] * 2
    assert "'z'" in texts[0]


@pytest.mark.parametrize("unplayed", ["error", "warn", "ignore"])
def test_what_was_not_asked_for(unplayed, url: str, recorded: Path):
    if unplayed == "error":
        with pytest.raises(ConvoFailure, match="1"), use_cassette(recorded, unplayed=unplayed):
            ask(url, "a")
        return
    with use_cassette(recorded, unplayed=unplayed) as convo:
        ask(url, "a")
    assert bool(convo.notes) == (unplayed == "warn")


def test_an_exchange_dropped_before_it_is_recorded(url: str, cassette: Path):
    with use_cassette(cassette, record="once", before_record=[lambda exchange: None]):
        assert ask(url, "a") == "Answer number 1"
    assert not cassette.exists() or held(cassette) == []


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_requests_that_differ_in_volatile_values_get_their_own_answers(order, url: str, cassette: Path):
    """Equal once normalized; the one that is equal before comes first."""
    ids = ["7a9c1a52-9d0b-4c57-8f0e-5b1d2a7c9e10", "0b1d2a7c-1111-4c57-8f0e-5b1d2a7c9e10"]
    url = url.replace("counter", "echo")
    with use_cassette(cassette, record="once"):
        for each in ids:
            ask(url, f"run {each}")
    with use_cassette(cassette):
        assert [ask(url, f"run {ids[n]}") for n in order] == [f"run {ids[n]}" for n in order]


@pytest.mark.parametrize(
    ("settings", "sent", "found"),
    [
        ({}, {"path": "/v1/messages?beta=true"}, False),
        ({"match_on": ["method", "path", "body"]}, {"path": "/v1/messages?beta=true"}, True),
        ({"match_on": ["method", "path"]}, {"text": "other"}, True),
        ({"match_on": ["method", "path", "query", "body", "host"]}, {}, True),
        ({"match_on": ["method", "path", lambda recorded, sent: recorded.json["model"] == sent.json["model"]]},
         {"text": "other"}, True),
        ({"match_on": ["method", "path", lambda recorded, sent: False]}, {}, False),
        ({"normalize": ["default", ("messages[0].content", "any")]}, {"text": "other"}, True),
        ({"normalize": []}, {}, True),
    ],
)  # fmt: skip
def test_what_is_matched_on(settings, sent, found, url: str, cassette: Path):
    def send(path: str = "/v1/messages", text: str = "a") -> None:
        httpx.post(url + path, json=body(text))

    with use_cassette(cassette, record="once", **settings):
        send()
    if found:
        with use_cassette(cassette, **settings):
            send(**sent)
    else:
        with pytest.raises(CassetteMiss), use_cassette(cassette, **settings):
            send(**sent)


def test_retries_are_attempts_of_one_turn(upstream: Upstream, cassette: Path):
    url = upstream.url("text,fail=500,times=1")
    with use_cassette(cassette, record="once", keep=["errors"]) as convo, client(url) as api:
        api.messages.create(**body("one"))
        api.messages.create(**body("two"))
    assert [len(turn.attempts) for turn in convo.turns] == [2, 2]
