"""Specs: what is read, what is printed, and what is said of those that are none."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from convo_replay import faults
from convo_replay.faults import Plan, Spec, Where, parse
from convo_replay.faults.catalogue import catalogue
from convo_replay.faults.fault import key, word

AS_WRITTEN = [
    "429", "429x3", "529x*", "status:503x3", "status:503", "429:retry_after=2@t1", "502:should_retry=true,body=json",
    "connect:refused", "timeout:read@t*", "cut:reset@5", "cut:eof@t1.b1200", "cut:eof@*", "cut:eof@b*", "cut:eof@t*.*",
    "cut:eof@t2.b*", "stall@3", "error:overloaded_error@4", "html", "noop#claude-opus-4-7", "redirectx*",
    "429@t1#claude-opus-4-7x2", "cut:reset@0#us.anthropic.claude-sonnet-4-5-v1:0", "429#claude-3-5-sonnet@20240620",
    "429#meta/llama-3~x3x1", "429#foox3x2", "429#foox*x1", "429+cut:eof@*", "429x2+cut:reset@5+529",
    "rechunk:7", "content_type:text/plain", "bad_utf8", "bad_utf8@3", "slow:0.5", "429:retry_after=x3x1",
]  # fmt: skip

PRINTED = [
    ("429x1", "429"),
    ("0429", "429"),
    ("502:body=json,should_retry=true", "502:should_retry=true,body=json"),
    ("rechunk:1", "rechunk"),
    ("slow:2.50", "slow:2.5"),
    ("cut:how=eof@05", "cut:eof@5"),
    ("429:type=a%62c", "429:type=abc"),
    ("429#modèle", "429#mod%C3%A8le"),
    ("429#a::b", "429#a:%3Ab"),
    ("429#a%2Bb%20c", "429#a%2Bb%20c"),
    ("429#a[1]", "429#a%5B1%5D"),
    ("429#%78%78", "429#xx"),
    ("429:type=a%3Db%2Cc%40d%23e%25", "429:type=a%3Db%2Cc%40d%23e%25"),
]


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_is_printed_as_it_is_written(text: str) -> None:
    (plan,) = parse(text)
    assert str(plan) == text
    assert parse(str(plan)) == (plan,)


@pytest.mark.parametrize(("text", "printed"), PRINTED)
def test_other_ways_to_write_it(text: str, printed: str) -> None:
    (plan,) = parse(text)
    assert str(plan) == printed
    assert parse(printed) == (plan,)


OBJECTS = [
    (faults.Status(429), "429"),
    (faults.Status(429, retry_after="2").at(turn=1), "429:retry_after=2@t1"),
    (faults.Cut("reset").at(5), "cut:reset@5"),
    (faults.Cut("eof").at("b1200", turn=1), "cut:eof@t1.b1200"),
    (faults.Cut("eof").at("t1.b1200"), "cut:eof@t1.b1200"),
    (faults.Cut("eof").at("*"), "cut:eof@*"),
    (faults.Cut("eof").at("b*", turn="*"), "cut:eof@t*.b*"),
    (faults.Noop().at(model="grox3"), "noop#grox3x1"),
    (faults.Noop().at(model="grox3", times=None), "noop#grox3x*"),
    (faults.Status(503).at(times=3), "503x3"),
    (Plan((faults.Status(429).at(), faults.Cut("eof").at(2))), "429+cut:eof@2"),
]


@pytest.mark.parametrize(("given", "text"), OBJECTS, ids=[text for _, text in OBJECTS])
def test_objects_are_what_their_text_is(given: faults.Fault | Spec | Plan, text: str) -> None:
    assert str(given) == text
    assert parse(given) == parse(text)
    assert repr(parse(given)[0]) == f"<Plan {text}>"


def test_a_status_is_equal_however_it_is_written() -> None:
    assert parse("status:503") == parse("503") == parse(faults.Status(503))


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ([], []),
        ("429 529", ["429", "529"]),
        (["429", "529  cut:eof@*\n"], ["429", "529", "cut:eof@*"]),
        ([faults.Status(429), faults.Cut("eof").at(3), "html+529"], ["429", "cut:eof@3", "html+529"]),
        (("noop", ["429"]), ["noop", "429"]),
    ],
)
def test_what_is_listed_is_run_one_by_one(given: str, runs: list[str]) -> None:
    assert [str(plan) for plan in parse(given)] == runs


NO_SPECS: list[tuple[object, str]] = [
    ("ctu:reset@5", "fault 'ctu:reset@5': there is no fault 'ctu'; do you mean cut?"),
    ("429 cut:eof@1+cut:rest@5", "fault 'cut:rest@5' in 'cut:eof@1+cut:rest@5': cut: how is 'rest', expected one of"),
    (
        "cut:reset",
        "fault 'cut:reset' needs a position: an event (cut:reset@5), a byte (@b120) or all of them (@*, @b*)",
    ),
    ("cut:reset@t1x2", "fault 'cut:reset@t1x2' needs a position: an event (cut:reset@t1.5x2)"),
    ("drop", "fault 'drop' needs a position: an event (drop@5), or all of them (@*)"),
    ("drop@t1.b7", "fault 'drop@t1.b7': drop stands between events: drop@t1.5"),
    ("429@5", "fault '429@5': status takes no position; a turn is @t5"),
    ("429@b5", "fault '429@b5': status takes no position"),
    ("cut:reset@t1..5", "fault 'cut:reset@t1..5': @t1..5 is no place; expected @t1 (a turn), @t* (each turn), @5"),
    ("cut:reset@", "@ is no place; expected @t1"),
    ("cut:reset@-1", "@-1 is no place"),
    ("cut:reset@t1.", "@t1. is no place"),
    ("cut:reset@b", "@b is no place"),
    ("cut:reset@٥", "@٥ is no place"),
    (f"cut:reset@{'9' * 5000}", "is no place"),
    ("429x0", "fault '429x0': x0: times are a number from 1 on, or * for every attempt"),
    (f"429x{'9' * 5000}", "times are a number"),
    ("429#", "fault '429#': behind # there is no model"),
    ("", 'faults are a text such as "429 cut:eof@*"; got an empty one'),
    (" \n", "got an empty one"),
    ("429,500", "settings stand behind a colon (429:500), and faults apart by spaces"),
    ("503x*@t*", "times stand at the very end: 503@t*x*"),
    ("+429", "fault '' in '+429': there is no name of a fault"),
    ("429++529", "fault '' in '429++529': there is no name of a fault"),
    (":reset@5", "there is no name of a fault"),
    ("429#a%b", "fault '429#a%b': '%' is no escape"),
    ("429:type=%zz", "'%' is no escape: after % come two hexadecimal digits"),
    ("429#%ff", "'%ff' is no escape"),
    (429, 'a fault is a text such as "429" or "cut:eof@5", or an object of convo_replay.faults; got 429; write "429"'),
    ([faults.Noop], "; write Noop(…)"),
    (None, "got None"),
    (b"429", "got b'429'"),
    (faults.Cut("eof"), "needs a position"),
    (Plan(()), "a plan has at least one fault"),
    (faults.Noop().at(times=0), "times are a number from 1 on, or None"),
]


@pytest.mark.parametrize(("given", "said"), NO_SPECS, ids=[repr(given)[:30] for given, _ in NO_SPECS])
def test_what_is_no_spec_says_where_and_what_would_do(given: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(given)
    assert said in str(raised.value)


@pytest.mark.parametrize("position", ["x", "t1", "5.5", -3, "b-1", "t1.t2"])
def test_places_are_checked_where_they_are_made(position: int | str) -> None:
    with pytest.raises(ValueError, match="is no place"):
        faults.Cut("eof").at(position, turn=0)


def test_a_word_behind_one_that_is_left_out_names_itself() -> None:
    @dataclass(frozen=True)
    class Two(faults.Fault):
        first: str = word("a")
        second: int = word(1)
        third: float = key(0.5)
        name = "two"
        kind = "stream"
        summary = "has two words"

    assert [str(each) for each in (Two(), Two("b"), Two("b", 2), Two(second=2), Two(third=1e20), Two("status"))] == [
        "two", "two:b", "two:b,2", "two:second=2", "two:third=1e20", "two:status",
    ]  # fmt: skip


@pytest.mark.parametrize("model", ["\ud800", "a\udfff\U0001f600", "\x00\x7f\u2028", "%", "%25", "x*", "+", "#"])
def test_models_of_any_name(model: str) -> None:
    spec = faults.Status(429).at(model=model)
    assert parse(str(spec)) == (Plan((spec,)),)
    assert str(spec).isascii()
    assert str(spec).isprintable()


def test_places() -> None:
    assert Where.of(None) == Where()
    assert str(Where()) == ""
    assert Where.read("t*.b12") == Where("*", 12, bytes=True)


# --- convo_replay.faults --------------------------------------------------------------------------


def test_every_fault_has_its_name_here() -> None:
    own = [fault for fault in catalogue().values() if fault.__module__.startswith("convo_replay.")]
    assert [fault for fault in own if getattr(faults, fault.__name__) is not fault] == []
    assert sorted(fault.__name__ for fault in own if fault.__name__ not in faults.__all__) == []
    assert dir(faults) == sorted(faults.__all__)
    assert [name for name in faults.__all__ if not hasattr(faults, name)] == []


def test_functions_stay_functions_once_their_modules_are_imported() -> None:
    import convo_replay.faults.catalogue
    import convo_replay.faults.plans

    assert convo_replay.faults.catalogue is catalogue
    assert callable(convo_replay.faults.plans)
    assert convo_replay.faults is faults


def test_what_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match=r"module 'convo_replay\.faults' has no attribute 'Nope'"):
        faults.Nope  # noqa: B018
