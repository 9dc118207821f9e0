"""Faults in a running conversation: which request is hit, what answers the next one, what is on record."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings

import convo_replay
import fault_scenes
from convo_replay import CassetteError, CassetteMiss, ConvoFailure, InvalidTurn, breaking, faults, sse
from convo_replay.cassette import Cassette, update
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.reporting.transcript import Transcript
from convo_replay.verdict.evidence import Wait

use_cassette = functools.partial(convo_replay.use_cassette, ignore_rules=["no-backoff"])
"""What is asked here is asked at once: it is about what is answered."""

URL = "https://api.anthropic.com/v1/messages"
MODEL = "claude-sonnet-5-5"
JSON = (("content-type", "application/json"), ("request-id", "req_1"))


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


def message(text: str) -> dict[str, Any]:
    return {
        "id": f"msg_{text}", "type": "message", "role": "assistant", "model": MODEL, "stop_sequence": None,
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip


def answered(text: str, answer: Any = None, *, status: int = 200, url: str = URL, **more: Any) -> Exchange:
    """A question, which is answered with the same word."""
    data = json.dumps(message(text) if answer is None else answer).encode()
    head = Head(status, JSON, 0.1)
    request = Request("POST", url, (("anthropic-version", "2026-10-21"),), Json(body(text, **more)))
    return Exchange(request, (head, Chunk(0.2, data), End(at=0.2)), recorded="2026-11-23T10:00:00Z")


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
COUNT = f"{URL}/count_tokens"

Kept = Callable[..., Path]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Writes a cassette."""

    def write(*exchanges: Exchange) -> Path:
        path = tmp_path / "cassettes" / "kept.yaml"
        update(path, lambda _: Cassette(clients={}, exchanges=list(exchanges)))
        return path

    return write


def ask(text: str, url: str = URL, **more: Any) -> int | str:
    """A client that does not retry: what it was told, or the status."""
    headers = {"anthropic-version": "2026-10-21", "x-api-key": "k"}
    response = httpx2.post(url, json=body(text, **more), headers=headers)
    if response.status_code != 200:
        return response.status_code
    value = response.json()
    return str(value["content"][0]["text"] if "content" in value else value["input_tokens"])


# faults, the questions, what each is answered with
REQUESTS: dict[str, tuple[str, list[str], list[int | str]]] = {
    "the retry gets the real answer": ("429@t0", ["a", "a", "b"], [429, "a", "b"]),
    "the second turn": ("529@t1", ["a", "b", "b"], ["a", 529, "b"]),
    "the order of requests does not matter": ("529@t1", ["b", "a", "b"], [529, "a", "b"]),
    "three attempts": ("503@t0x3", ["a"] * 4, [503, 503, 503, "a"]),
    "each attempt": ("503@t0x*", ["a"] * 5 + ["b"], [503] * 5 + ["b"]),
    "one after the other": ("429@t0x2+529@t0", ["a"] * 4, [429, 429, 529, "a"]),
    "two turns": ("429@t0+529@t1", ["a", "a", "b", "b"], [429, "a", 529, "b"]),
    "starting all over": ("529@t1", ["a", "b", "a", "b"], ["a", 529, "a", "b"]),
    "and over": ("529@t1x2", ["a", "b", "a", "b", "a", "b"], ["a", 529, "a", 529, "a", "b"]),
}


@pytest.mark.parametrize(("spec", "asked", "got"), REQUESTS.values(), ids=REQUESTS)
def test_which_request_is_hit(spec: str, asked: list[str], got: list[int | str], kept: Kept) -> None:
    with use_cassette(kept(answered("a"), answered("b"))) as convo, convo.replay(faults=spec, expect="handled") as run:
        assert [ask(text) for text in asked] == got
    assert [exchange.status for exchange in run.exchanges] == [one if isinstance(one, int) else 200 for one in got]
    assert run.verdict is not None
    assert run.verdict.outcome in ("recovered", "handled")


def test_recorded_attempts_are_attempts_too(kept: Kept) -> None:
    cassette = kept(answered("a", OVERLOADED, status=529), answered("a"))
    with use_cassette(cassette) as convo:
        with convo.replay(faults="429") as run:
            assert [ask("a") for _ in range(3)] == [429, 529, "a"]
        with convo.replay(faults="content_type:none") as run:
            assert [ask("a") for _ in range(2)] == [529, "a"]
    assert [attempt.faults != () for attempt in run.run.attempts] == [False, True]


def test_identical_requests_are_told_apart_by_the_recording(kept: Kept) -> None:
    cassette = kept(answered("a", message("one")), answered("a", message("two")))
    with use_cassette(cassette) as convo, convo.replay(faults="429@t1") as run:
        assert [ask("a") for _ in range(3)] == ["one", 429, "two"]
    assert run.verdict.outcome == "recovered"


def test_a_fault_that_another_one_kept_from_coming(kept: Kept) -> None:
    with use_cassette(kept(answered("a"))) as convo:
        [plan] = faults.parse("cut:reset@b10+429")
        with pytest.raises(httpx2.ReadError) as ended, convo.replay(faults=plan) as run:
            ask("a")
        assert run.verdict.outcome == "not-fired"
        assert ended.value.__notes__[0].startswith("not-fired: 429@t0 never applied")
        with convo.replay(faults=replace(plan, drawn=True)) as run:  # hypothesis cannot know what a client survives
            ask("a")
        assert run.verdict.outcome == "raised"


# how a fault is made, what is said
OBJECTS: dict[str, tuple[Callable[[], object], str]] = {
    "no such word": (lambda: faults.Cut("foo"), "cut: how is 'foo', expected one of reset, eof"),
    "a text for a number": (lambda: faults.Status("429"), "status: code is '429', expected a whole number"),
    "a number for a text": (lambda: faults.Error(5), "error: type is 5, expected a text"),
    "a number for a bool": (lambda: faults.Status(429, should_retry=1), "should_retry is 1, expected true or false"),
}


@pytest.mark.parametrize(("make", "said"), OBJECTS.values(), ids=OBJECTS)
def test_objects_are_checked_as_specs_are(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_replay_rewinds(kept: Kept) -> None:
    with use_cassette(kept(answered("a"), answered("b")), unplayed="error") as convo:
        for spec in (None, "429", "noop", None):
            with convo.replay(faults=spec, expect="handled") as run:
                assert ask("a") in ("a", 429)
                assert (run.verdict is None) == (spec is None)
        with convo.replay():
            assert ask("b") == "b"
        assert convo.exchanges == []
        assert ask("a") == "a"
        with pytest.raises(CassetteMiss), convo.replay():
            ask("c")
    assert convo.verdict is None


def test_what_is_no_good_end_is_raised(kept: Kept) -> None:
    cassette = kept(answered("a"))
    with use_cassette(cassette) as convo:
        with pytest.raises(ConvoFailure, match="silent") as told, convo.replay(faults="429"):
            ask("a")
        assert "429@t0" in str(told.value)
        with pytest.raises(ZeroDivisionError) as crashed, convo.replay(faults="429") as run:
            1 / (ask("a") == "a")
        assert run.verdict.outcome == "crashed"
        assert "crashed" in crashed.value.__notes__[0]
        with pytest.raises(ConvoFailure, match="not-fired"), convo.replay(faults="429"):
            pass
        with convo.replay(faults="cut:reset@b10") as run:  # what the fault makes the client raise goes no further
            ask("a")
        assert run.verdict.outcome == "raised"
        with pytest.raises(httpx2.ReadError), convo.replay(faults="cut:reset@b10", expect="recovered") as run:
            ask("a")


# spec, error, what is said
MISTAKES: dict[str, tuple[str, str]] = {
    "no fault": ("4x29", "4x29"),
    "several runs": ("429 529", "429 529"),
    "a turn beyond the recording": ("429@t7", "t7"),
    "no stream": ("malformed@2", "malformed"),
    "one run per turn": ("429@t*", "429@t0"),
}


@pytest.mark.parametrize(("spec", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_spec_that_does_not_fit(spec: str, said: str, kept: Kept) -> None:
    with use_cassette(kept(answered("a"), answered("b"))) as convo:
        with pytest.raises((ValueError, CassetteError)) as told, convo.replay(faults=spec):
            pass
        assert said in str(told.value)


def test_inject(kept: Kept) -> None:
    cassette = kept(answered("a"), answered("b"), answered("a", {"input_tokens": 7}, url=COUNT))
    with use_cassette(cassette) as convo:
        assert ask("a") == "a"
        convo.inject("429x2")
        convo.inject(faults.Status(503).at(turn=0))
        assert [ask("b") for _ in range(3)] == [429, 429, "b"]
        convo.inject("500")
        assert [ask("a", COUNT), ask("a", COUNT)] == [500, "7"]
        assert ask("a") == 503
        for spec in ("429@t1", "529@t1"):
            convo.inject(spec)
        assert [ask("b") for _ in range(3)] == [429, 529, "b"]
        convo.expect("handled")
        assert convo.verdict is not None
        assert convo.verdict.outcome == "handled"
        with pytest.raises(ValueError, match="expected recovered, raised or handled"):
            convo.expect("fine")  # type: ignore[arg-type]
    with pytest.raises(ConvoFailure, match="malformed@3"), use_cassette(cassette) as convo:  # noqa: PT012 - two steps
        convo.inject("malformed@3")
        ask("a")


def test_what_is_recorded_is_played_and_broken_in_mode_once_too(kept: Kept) -> None:
    with use_cassette(kept(answered("a")), record="once") as convo:
        convo.inject("429")
        assert [ask("a"), ask("a")] == [429, "a"]


def test_what_the_test_declares_holds_for_what_it_replays(kept: Kept) -> None:
    with use_cassette(kept(answered("a"))) as convo:
        with convo.replay(faults="429") as run:
            assert ask("a") == 429
            convo.expect("handled")
        with convo.replay(faults="529") as again:
            assert ask("a") == 529
        assert [run.verdict.outcome, again.verdict.outcome] == ["handled", "handled"]
        with pytest.raises(ConvoFailure), convo.replay(faults="529", expect="recovered"):
            ask("a")


def test_while_recording_nothing_is_broken(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "new.yaml", record="once") as convo:
        convo.inject("429")
        assert convo.verdict is None
        with pytest.raises(ValueError, match="there is no fault"):
            convo.inject("no-such-fault")
        with convo.replay(faults="429") as run:
            assert run is convo  # nothing is recorded yet: it is now
            run.expect("handled")


def test_a_request_that_breaks_a_rule_is_evidence(kept: Kept) -> None:
    result = [{"type": "tool_result", "tool_use_id": "toolu_x", "content": "1"}]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": result},
    ]
    cassette = kept(answered("a"))
    with use_cassette(cassette) as convo:
        with pytest.raises(ConvoFailure) as told, convo.replay(faults="429") as run:
            ask("a" if ask("a") else "b", messages=messages)
        assert not isinstance(told.value, InvalidTurn)
        assert run.verdict.outcome == "diverged"
        assert [one.rule for one in run.run.attempts[-1].broken] == ["tool-result-unexpected"]
        assert "tool-result-unexpected" in str(told.value)
        with pytest.raises(InvalidTurn), convo.replay(faults="429"):  # before any fault it is what it always was
            ask("a", messages=messages)


class Incomplete(Exception):
    """What a client raises that looks at stop_reason."""


def _checks(body: dict[str, Any]) -> str:
    if body.get("stop_reason") is None:
        raise Incomplete("not whole")
    return str(body["content"][0]["text"])


# what the client does with what it parsed, faults, the outcome
LOOKING: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "it raises over an answer that is not whole": (_checks, "foreign_json", "raised"),
    "it stumbles over it": (lambda body: body["stop_reason"], "foreign_json", "crashed"),
    "it raises over a whole one": (lambda _: _checks({}), "content_type:none", "crashed"),
}


@pytest.mark.parametrize(("looks", "spec", "outcome"), LOOKING.values(), ids=LOOKING)
def test_what_a_client_raises_itself(looks: Any, spec: str, outcome: str, kept: Kept) -> None:
    with use_cassette(kept(answered("a"))) as convo:
        context = pytest.raises((Incomplete, KeyError)) if outcome == "crashed" else contextlib.nullcontext()
        with context, convo.replay(faults=spec) as run:
            looks(httpx2.post(URL, json=body("a"), headers={"anthropic-version": "2026-10-21"}).json())
        assert run.verdict.outcome == outcome


@pytest.mark.parametrize("swallows", [False, True])
def test_a_deadline_in_a_stream_that_is_slow(swallows: bool) -> None:
    path = Path(__file__).parents[2] / "cassettes" / "umbrella.yaml"
    question = {"role": "user", "content": "It is 18 °C and raining in Paris. Do I need an umbrella?"}

    async def call() -> None:
        async with anthropic.AsyncAnthropic(api_key="k") as client:
            stream = await client.messages.create(model=MODEL, max_tokens=100, messages=[question], stream=True)
            async for _ in stream:
                pass

    async def main() -> None:
        with contextlib.suppress(TimeoutError) if swallows else contextlib.nullcontext():
            await asyncio.wait_for(call(), 5)

    with use_cassette(path) as convo:
        context = pytest.raises(ConvoFailure) if swallows else contextlib.nullcontext()
        with context, convo.replay(faults="slow:2") as run:
            asyncio.run(main())
    assert run.verdict.outcome == ("silent" if swallows else "raised")


# faults, what the client sends back of the answer that it got, the outcome
DAMAGED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "a doubled delta, which nobody can see": ("duplicate@2", str, "recovered"),
    "a lost delta": ("drop@2", str, "recovered"),
    "a lost delta that showed": ("empty_data@2", str, "handled"),
    "another text than came": ("duplicate@2", str.upper, "diverged"),
    "an answer that broke off": ("cut:eof@3", str, "diverged"),
}


@pytest.mark.parametrize(("spec", "kept_of_it", "outcome"), DAMAGED.values(), ids=DAMAGED)
def test_an_answer_is_sent_back_as_it_came(
    spec: str, kept_of_it: Callable[[str], str], outcome: str, kept: Kept
) -> None:
    said = [fault_scenes.text("It is 18 degrees in Paris."), fault_scenes.text("Take a hat.")]
    asked = [fault_scenes.user("How is Paris?"), fault_scenes.user("And what do I wear?")]
    first = fault_scenes.ask(asked[:1])
    second = fault_scenes.ask([asked[0], {"role": "assistant", "content": said[0]["text"]}, asked[1]])
    third = fault_scenes.ask([*second.json["messages"], {"role": "assistant", "content": said[1]["text"]}, asked[0]])
    cassette = kept(
        *(fault_scenes.answered(request, said[at % 2]) for at, request in enumerate((first, second, third)))
    )

    def client() -> None:
        messages: list[Any] = []
        for question in (*asked, asked[0]):
            messages.append(question)
            headers = {"anthropic-version": "2026-10-21"}
            sent = httpx2.post(URL, json={**first.json, "messages": messages}, headers=headers)
            deltas = [json.loads(data or "{}") for _, data in sse.received(sent.content)]
            got = "".join([delta["delta"].get("text", "") for delta in deltas if "delta" in delta])
            messages.append({"role": "assistant", "content": kept_of_it(got)})

    with use_cassette(cassette) as convo:
        if outcome == "diverged":
            with pytest.raises(ConvoFailure), convo.replay(faults=spec) as run:
                client()
        else:
            with convo.replay(faults=spec, expect="handled") as run:
                client()
        assert run.verdict.outcome == outcome
        assert (len(run.turns) == 3) == (outcome != "diverged")


def test_a_token_that_was_fetched_anew_is_another_credential(kept: Kept) -> None:
    token = {"grant_type": "refresh_token"}
    for refreshes, found in ((False, ["non-retryable-retried"]), (True, [])):
        with use_cassette(kept(answered("a"))) as convo:
            convo.inject("401")
            assert ask("a") == 401
            if refreshes:
                assert httpx2.post("https://oauth2.googleapis.com/token", data=token).status_code == 200
            assert ask("a") == "a"
            assert [one.rule for one in convo.judge(None).findings] == found


def test_a_branch_is_found_where_turns_overlap(kept: Kept) -> None:
    slow = [replace(answered(text), recorded="2026-11-23T10:00:00.000Z") for text in ("a", "b")]
    slow = [replace(one, steps=(*one.steps[:-1], End(at=5.0))) for one in slow]
    branch = replace(answered("c"), after="529@t1x*")
    with use_cassette(kept(*slow, branch)) as convo:
        with convo.replay(faults=faults.Status(529).at(turn=1, times=None, model=MODEL), expect="handled"):
            assert [ask("b"), ask("c")] == [529, "c"]
        with pytest.raises(ConvoFailure), convo.replay(faults=f"529@t0#{MODEL}x*"):
            ask("a" if ask("a") == "a" else "c")


def test_waits_belong_to_the_attempt_before_them() -> None:
    path = Path(__file__).parents[2] / "cassettes" / "umbrella.yaml"
    question = {"role": "user", "content": "It is 18 °C and raining in Paris. Do I need an umbrella?"}
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": [question], "stream": True}

    def sync() -> None:
        with anthropic.Anthropic(api_key="k") as client:
            list(client.messages.create(**asked))

    async def on_a_loop() -> None:
        async with anthropic.AsyncAnthropic(api_key="k") as client:
            async for _ in await client.messages.create(**asked):
                pass

    with use_cassette(path) as convo:
        for run_it in (sync, lambda: asyncio.run(on_a_loop())):
            with convo.replay(faults="429:retry_after=2+529:retry_after_ms=1500") as run:
                run_it()
            assert [exchange.waits for exchange in run.exchanges] == [(2.0,), (1.5,), ()]
            assert run.turns[0].waits == (2.0, 1.5)
            assert [attempt.began - run.run.attempts[0].began for attempt in run.run.attempts] == [
                0, pytest.approx(2, abs=0.5), pytest.approx(3.5, abs=0.8),
            ]  # fmt: skip
            assert run.verdict.outcome == "recovered"
            assert run.verdict.findings == ()


@pytest.mark.parametrize("spec", ["429", "cut:reset@b10"])
def test_a_verdict_repeats_no_key(spec: str, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = "sk-ant-api03-" + "Qw7eRt9yUi3oPa5sDf-" * 5 + "AA", "Zk3QmT9pYv2LrXw8NcB4"
    monkeypatch.setenv("MY_API_KEY", other)

    def client() -> None:
        try:
            assert ask("a") == "a"
        except (httpx2.HTTPError, AssertionError) as error:
            raise RuntimeError(f"cannot reach with {key}, {other}") from error

    with use_cassette(kept(answered("a"))) as convo:
        with pytest.raises(RuntimeError) as ended, convo.replay(faults=spec, expect="recovered") as run:
            client()
        assert "RuntimeError: cannot reach with redacted-" in run.verdict.reason
        for text in (str(run.verdict), repr(run.verdict), *ended.value.__notes__):
            assert key not in text
            assert other not in text


@pytest.mark.parametrize("faulty", [True, False])
def test_a_storm_is_stopped(faulty: bool, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaking, "MOST_ATTEMPTS", 50)
    cassette = kept(answered("a"))
    with use_cassette(cassette, repeats=True) as convo:
        if faulty:
            with pytest.raises(ConvoFailure, match="51 attempts") as told, convo.replay(faults="503x*") as run:
                any(ask("a") == "a" for _ in range(2_000))
            assert str(told.value).startswith("crashed")
            assert [one.rule for one in run.verdict.findings] == ["retry-storm"]
        wait = Wait(1.0, "tenacity.nap", "time.sleep")
        said = [convo.waited(wait) for _ in range(10_001)]
        assert said[:-1] == [None] * 10_000
        assert "10,000 waits" in str(said[-1])
        convo.failure = None


def test_a_client_without_a_timeout_would_wait_for_ever(kept: Kept) -> None:
    with use_cassette(kept(answered("a"))) as convo:
        with pytest.raises(ConvoFailure, match="no read timeout") as told, convo.replay(faults="timeout:read") as run:
            httpx2.post(URL, json=body("a"), headers={"anthropic-version": "2026-10-21"}, timeout=None)
        assert [one.rule for one in run.verdict.findings] == ["no-read-timeout"]
        assert "no-read-timeout" in str(told.value)


def test_cassettes_of_another_recorder(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "cassettes" / "vcrpy" / "capital.yaml"
    with use_cassette(path) as convo:
        [recorded] = convo.recorded_exchanges
        with convo.replay(faults="529+cut:chunk@b20", expect="handled") as run:
            for _ in range(3):
                try:
                    httpx2.request(
                        recorded.request.method, recorded.request.url, json=recorded.request.json,
                        headers=dict(recorded.request.headers),
                    )  # fmt: skip
                except httpx2.RemoteProtocolError:
                    continue
    assert [(exchange.status, exchange.end.kind) for exchange in run.exchanges] == [
        (529, "complete"), (200, "truncated"), (200, "complete"),
    ]  # fmt: skip


def test_the_one_snapshot_is_of_the_plain_run(kept: Kept) -> None:
    snapshot = type("SnapshotAssertion", (), {"__module__": "syrupy.assertion", "__eq__": lambda *_: False})()
    with use_cassette(kept(answered("a"))) as convo, convo.replay(faults="429") as run:
        assert [ask("a"), ask("a")] == [429, "a"]
        assert Transcript(run) == snapshot
        assert Transcript(run) != "another text"
        assert Transcript(convo) != snapshot


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=...)
def test_in_given(data: bool, kept: Kept) -> None:
    with use_cassette(kept(answered("a"))) as convo, convo.replay(faults="429" if data else "529") as run:
        assert [ask("a"), ask("a")] == [429 if data else 529, "a"]
    assert run.verdict.outcome == "recovered"
