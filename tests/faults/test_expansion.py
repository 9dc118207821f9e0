"""Expansion: which runs a spec stands for in a recording, and what is said where it fits nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from convo_replay import faults
from convo_replay.exchange import End, Exchange
from convo_replay.faults import NoFit, expand, expansion, parse
from fault_recordings import asked, events, ids, streamed, whole

RECORDED = [whole(number=0), streamed(18, 1, model="big"), streamed(3, 2), whole(b"{}", 3, model="big")]
SIZE = len(whole().body)

EXPANDED = [
    ("429", ["429"], "429@t0"),
    ("429x2", ["429x2"], "429@t0x2"),
    ("status:503", ["status:503"], "status:503@t0"),
    ("429@t2", ["429@t2"], "429@t2"),
    ("429@t*", ["429@t0", "429@t1", "429@t2", "429@t3"], "429@t3"),
    ("429#big", ["429#big"], "429@t1"),
    ("429@t1#big", ["429@t1#big"], "429@t3"),
    ("429@t*#big", ["429@t0#big", "429@t1#big"], "429@t3"),
    ("cut:reset@5", ["cut:reset@5"], "cut:reset@t1.5"),
    ("cut:reset@5#big", ["cut:reset@5#big"], "cut:reset@t1.5"),
    ("cut:reset@t2.1", ["cut:reset@t2.1"], "cut:reset@t2.1"),
    ("cut:reset@b1", ["cut:reset@b1"], "cut:reset@t0.b1"),
    ("cut:eof@t2.*", ["cut:eof@t2.0", "cut:eof@t2.1", "cut:eof@t2.2"], "cut:eof@t2.2"),
    ("cut:eof@*#m", ["cut:eof@0#m", "cut:eof@1#m", "cut:eof@2#m"], "cut:eof@t2.2"),
    ("cut:eof@t*.7", ["cut:eof@t1.7"], "cut:eof@t1.7"),
    ("cut:reset@t*.3", ["cut:reset@t1.3", "cut:reset@t2.3"], "cut:reset@t2.3"),
    ("reorder@t2.*", ["reorder@t2.0", "reorder@t2.1"], "reorder@t2.1"),
    ("cut:eof@t3.b*", ["cut:eof@t3.b0", "cut:eof@t3.b1"], "cut:eof@t3.b1"),
    ("cut:reset@t3.b*", ["cut:reset@t3.b0", "cut:reset@t3.b1", "cut:reset@t3.b2"], "cut:reset@t3.b2"),
    ("429+cut:eof@3", ["429+cut:eof@3"], "429@t0+cut:eof@t1.3"),
    ("429@t*+cut:reset@t*.3", ["429@t1+cut:reset@t1.3", "429@t2+cut:reset@t2.3"], "429@t2+cut:reset@t2.3"),
    ("stall@t2.*+429", ["stall@t2.0+429", "stall@t2.1+429", "stall@t2.2+429"], "stall@t2.2+429@t0"),
    ("noop", ["noop"], "noop@t0"),
    ("429 429 429", ["429"], "429@t0"),
    ("cut:eof@t2.1 cut:eof@t2.*", ["cut:eof@t2.1", "cut:eof@t2.0", "cut:eof@t2.2"], "cut:eof@t2.2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "runs", "last"), EXPANDED, ids=[text for text, _, _ in EXPANDED])
def test_a_spec_stands_for_these_runs(text: str, runs: list[str], last: str) -> None:
    found = expand(parse(text), RECORDED)
    assert ids(found) == runs
    assert str(found[-1].plan) == last
    assert {run.asked for run in found} <= set(text.split())
    for run in found:
        assert [each.plan for each in expand(parse(run.id), RECORDED)] == [run.plan], "the id asks for this run alone"
        assert [each.plan for each in expand([run.plan], RECORDED)] == [run.plan]


def test_every_position_of_every_streamed_turn() -> None:
    found = expand(parse("cut:reset@*"), RECORDED)
    assert ids(found) == [f"cut:reset@t1.{at}" for at in range(18)] + [f"cut:reset@t2.{at}" for at in range(3)]
    assert ids(expand(parse("cut:eof@*"), RECORDED[:2])) == [f"cut:eof@{at}" for at in range(18)]


@pytest.mark.parametrize("count", [3, 40, 255, 256, 300])
def test_bytes_are_both_ends_every_boundary_and_evenly_to_256(count: int) -> None:
    exchange = streamed(count)
    found = [int(run.id.partition("@b")[2]) for run in expand(parse("cut:reset@b*"), [exchange])]
    ends = [len(events(at)) for at in range(count + 1)]
    size = len(exchange.body)
    assert found == sorted(set(found))
    assert set(ends) <= set(found)
    assert len(found) == max(count + 1, min(256, size + 1))
    if count < 100:
        assert max(until - start for start, until in itertools.pairwise(found)) <= 1 + 1.5 * size / 256


def test_bytes_of_a_short_body_are_all_of_them() -> None:
    found = expand(parse("cut:reset@t0.b*"), [whole(b"0123456789")])
    assert ids(found) == [f"cut:reset@t0.b{at}" for at in range(11)]


MISFITS = [
    ("cut:eof@t0.5", f"fault 'cut:eof@t0.5': turns[0] is not streamed; bytes fit: @t0.b0 to b{SIZE - 1}"),
    ("cut:reset@t0.5", f"bytes fit: @t0.b0 to b{SIZE}"),
    ("cut:eof@t1.18", "fault 'cut:eof@t1.18': turns[1]: there it changes nothing, the stream has 18 events: 0 to 17"),
    ("cut:reset@t1.19", "turns[1]: the stream has 18 events: 0 to 18"),
    ("cut:reset@t2.b79", "turns[2]: the body has 78 bytes: b0 to b78"),
    ("cut:eof@t2.b78", "turns[2]: there it changes nothing, the body has 78 bytes: b0 to b77"),
    ("drop@t2.3", "the stream has 3 events: 0 to 2"),
    ("reorder@t2.2", "the stream has 3 events: 0 to 1"),
    ("drop@t0.1", "fault 'drop@t0.1': turns[0] is not streamed"),
    ("cut:reset@400", "fault 'cut:reset@400' fits no turn: turns[0] is not streamed"),
    ("cut:reset@400", "; turns[2]: the stream has 3 events: 0 to 3; and 1 more"),
    ("429@t4", "fault '429@t4': there is no t4; recorded: @t0, @t1, @t2, @t3"),
    ("429@t2#big", "there is no t2; recorded: @t0#big, @t1#big"),
    ("429#small", "fault '429#small': no turn asked for the model 'small'; recorded: 'm', 'big'"),
    ("truncated_json@t1", "fault 'truncated_json@t1': turns[1]"),
    ("crlf@t0", "fault 'crlf@t0': turns[0]"),
    ("429x*+cut:eof@t0.b1", "429x* takes every attempt, so cut:eof never comes"),
    ("crlf@t1+429@t1", "crlf breaks nothing and asks for no further attempt, so 429 never comes"),
    ("429@t1x*+503@t1", "429x* takes every attempt, so 503 never comes"),
    ("cut:eof@t1.1x*+429@t1", "so 429 never comes"),
    ("drop@t*.7+truncated_json@t*", "there is no turn that all of its faults fit"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISFITS, ids=[text for text, _ in MISFITS])
def test_what_fits_nothing_says_what_would(text: str, said: str) -> None:
    with pytest.raises(NoFit) as raised:
        expand(parse(text), RECORDED)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("recorded", "text", "said"),
    [
        ([], "429", "fault '429': the recording has no turns; record the test first"),
        ([whole()], "cut:eof@*", "no turn is streamed; the bytes of one that is not: @t0.b*"),
        ([whole()], "drop@*", "fault 'drop@*': no turn is streamed"),
        ([whole(b"{}\n\n")], "cut:eof@t0.b3", "the body has 4 bytes: b0 to b1"),
        ([streamed(0)], "cut:reset@2", "turns[0] has no events"),
        (
            [Exchange(asked(0), (End("refused"),))],
            "cut:reset@t0.b0",
            "turns[0] has no answer in which a position could",
        ),
        ([Exchange(asked(0), (End("refused"),))], "connect:refused", "turns[0]: that is how it was recorded"),
    ],
)
def test_recordings_that_nothing_fits(recorded: Sequence[Exchange], text: str, said: str) -> None:
    with pytest.raises(NoFit) as raised:
        expand(parse(text), recorded)
    assert said in str(raised.value)


@pytest.mark.parametrize("rest", [b": bye\n\n", b"data: half", b"\n\n"])
def test_what_no_client_is_handed_may_be_cut_away_and_changes_nothing(rest: bytes) -> None:
    exchange = streamed(events(3) + rest)
    assert ids(expand(parse("cut:eof@b*"), [exchange])) == [f"cut:eof@b{at}" for at in range(78)]
    with pytest.raises(NoFit, match="the stream has 3 events: 0 to 2"):
        expand(parse("cut:eof@3"), [exchange])
    assert ids(expand(parse("cut:reset@3"), [exchange])) == ["cut:reset@3"]


def test_too_many_runs_are_refused() -> None:
    with pytest.raises(NoFit, match="stands for more than 10000 runs; name some of its positions"):
        expand(parse("drop@*+duplicate@*"), [streamed(120)])


# --- turns that overlap -------------------------------------------------------------------------------


def beside(number: int, model: str, began: str, took: float) -> Exchange:
    return streamed(3, number, model=model, end=End(at=took), recorded=f"2026-11-23T10:00:{began}Z")


OVERLAPPING = [beside(0, "a", "00.100", 2.0), beside(1, "b", "01.000", 2.0), beside(2, "a", "09.000", 1.0)]


def test_turns_that_overlap_are_named_by_their_model() -> None:
    with pytest.raises(NoFit) as raised:
        expand(parse("429@t1"), OVERLAPPING)
    assert str(raised.value) == (
        "fault '429@t1': turns overlap in this recording, so that t1 needs the model that it counts: "
        "@t0#a, @t0#b, @t1#a"
    )
    assert ids(expand(parse("429"), OVERLAPPING)) == ["429"]
    for text, runs in [("429@t*", ["429@t0#a", "429@t0#b", "429@t1#a"]), ("429@t1#a", ["429@t1#a"])]:
        found = expand(parse(text), OVERLAPPING)
        assert ids(found) == runs
        for run in found:
            assert [each.plan for each in expand(parse(run.id), OVERLAPPING)] == [run.plan]
            assert [each.plan for each in expand([run.plan], OVERLAPPING)] == [run.plan]
    assert ids(expand(parse("cut:eof@*"), OVERLAPPING))[3:6] == ["cut:eof@t0.0#b", "cut:eof@t0.1#b", "cut:eof@t0.2#b"]
    assert str(found[0].plan) == "429@t2"


def test_turns_one_after_the_other_need_no_model() -> None:
    apart = [beside(0, "a", "00.000", 0.9), beside(1, "b", "01.000", 2.0), beside(2, "a", "09.000", 1.0)]
    assert ids(expand(parse("429@t1"), apart)) == ["429@t1"]


# --- whose exchanges, which attempts --------------------------------------------------------------------


def test_a_test_plays_its_own_and_those_of_nobody_and_no_branches() -> None:
    mine, free, other = streamed(1, 0, test="a"), streamed(1, 1), streamed(1, 2, test="b")
    branch = streamed(1, 3, test="a", after="cut:eof@t0.0")
    assert expansion.own([mine, free, other, branch], "a") == [mine, free]
    assert expansion.own([other, branch], "a") == [other]
    assert expansion.own([mine, other, branch], "") == [mine, other]


DUE = [
    ("429@t0", 0, [[0], [], []]),
    ("429@t0x2", 0, [[0], [0], []]),
    ("429@t0x*", 0, [[0], [0], [0]]),
    ("429@t0", 1, [[], [], []]),
    ("429@t0x2+cut:reset@t0.5", 0, [[0], [0], [1], []]),
    ("cut:eof@t0.2+drop@t0.1", 0, [[0, 1], []]),
    ("cut:eof@t0.2x3+drop@t0.1+429@t0+crlf@t0", 0, [[0, 1], [0], [0], [2], [3], []]),
    ("429@t1+cut:eof@t0.2+503@t1", 1, [[0], [2], []]),
    ("429@t1+cut:eof@t0.2+503@t1", 0, [[1], []]),
    ("drop@t0.1+cut:reset@t0.5x*", 0, [[0, 1], [1], [1]]),
    ("429", None, [[0], []]),
]


@pytest.mark.parametrize(("text", "turn", "attempts"), DUE, ids=[f"{text} t{turn}" for text, turn, _ in DUE])
def test_which_faults_hit_which_attempt(text: str, turn: int | None, attempts: list[list[int]]) -> None:
    (plan,) = parse(text)
    assert [expansion.due(plan, turn, number) for number in range(len(attempts))] == attempts


def test_the_next_request_is_hit_whichever_it_is() -> None:
    (plan,) = parse("cut:eof@2#x+429")
    aimed = expansion.aimed(plan, 7, streamed(3))
    assert str(aimed) == "cut:eof@t7.2+429@t7"
    assert str(expansion.aimed(plan, None, streamed(3))) == "cut:eof@2+429"
    for text, exchange, said in [
        ("cut:eof@*", streamed(3), "takes one position: @5, @b120"),
        ("cut:eof@9", streamed(3), r"turns\[7\] the stream has 3 events: 0 to 2"),
        ("cut:eof@9", whole(), r"turns\[7\] is not streamed; bytes fit: @t7.b0"),
    ]:
        with pytest.raises(NoFit, match=said):
            expansion.aimed(parse(text)[0], 7, exchange)


def test_expanding_is_quick_and_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    applied = []
    apply = faults.Cut.apply
    monkeypatch.setattr(faults.Cut, "apply", lambda self, *args: applied.append(self) or apply(self, *args))
    exchange = streamed(300)
    first = expand(parse("cut:eof@* cut:reset@*"), [exchange])
    assert len(first) == 600
    assert len(applied) == 600, "one look at each position"
    assert expand(parse("cut:eof@* cut:reset@*"), [exchange]) == first
