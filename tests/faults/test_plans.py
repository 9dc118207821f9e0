"""Plans that hypothesis draws: they fit what was recorded, and the smallest one that breaks a test is found."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anthropic
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from convo_replay import Conversation, ConvoFailure, faults, use_cassette
from convo_replay.exchange import End, Exchange
from convo_replay.faults import NoFit, Plan, Spec, expand, parse
from fault_recordings import streamed, whole

UMBRELLA = Path(__file__).parents[2] / "cassettes" / "umbrella.yaml"
MORE = int(os.environ.get("CONVO_LAWS", "1"))
quick = settings(
    max_examples=30 * MORE, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


class Recorded:
    """As much of a conversation as plans need."""

    def __init__(self, *exchanges: Exchange) -> None:
        self.recorded_exchanges = list(exchanges)


MIXED = Recorded(whole(number=0), streamed(18, 1), streamed(5, 2))


def smallest(strategy: st.SearchStrategy[Plan], breaks: Callable[[Plan], bool], seed: int = 0) -> str:
    thorough = settings(
        max_examples=3000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    return str(find(strategy, breaks, settings=thorough, random=random.Random(seed)))


def some(holds: Callable[[Spec], bool]) -> Callable[[Plan], bool]:
    return lambda plan: any(map(holds, plan.specs))


def is_cut(spec: Spec, *how: str) -> bool:
    return isinstance(spec.fault, faults.Cut) and spec.fault.how in how


FEW = ["noop", "status", "connect", "cut", "drop"]
SMALLEST: list[tuple[str, Callable[[Plan], bool]]] = [
    ("404@t0", some(lambda spec: str(spec.fault) in ("404", "drop", "connect:tls"))),
    ("cut:eof@t1.7", some(lambda spec: is_cut(spec, "eof", "garbage") and is_event(spec, 7))),
    ("noop@t2", some(lambda spec: spec.where.turn == 2)),
    ("noop@t0x*", some(lambda spec: spec.times is None)),
    ("noop@t0", lambda plan: True),
    ("529@t0", some(lambda spec: spec.fault == faults.Status(529))),
    ("cut:eof@t1.0", some(lambda spec: is_cut(spec, "eof") and not spec.where.bytes)),
    ("drop@t1.17", some(lambda spec: spec.fault.name == "drop" and is_event(spec, 17))),
    ("cut:reset@t0.b1", some(lambda spec: is_cut(spec, "reset") and spec.where.bytes and is_at(spec, 1))),
]
TRIED = SMALLEST[: 2 if MORE == 1 else None]


def is_at(spec: Spec, least: int) -> bool:
    return isinstance(spec.where.position, int) and spec.where.position >= least


def is_event(spec: Spec, least: int) -> bool:
    return spec.where.turn == 1 and not spec.where.bytes and is_at(spec, least)


@pytest.mark.parametrize(("plan", "breaks"), TRIED, ids=[plan for plan, _ in TRIED])
def test_the_smallest_plan_is_found(plan: str, breaks: Callable[[Plan], bool]) -> None:
    strategy = faults.plans(MIXED, names=FEW)
    assert {smallest(strategy, breaks, seed) for seed in range(min(MORE, 5))} == {plan}


def test_the_smallest_plan_of_two_faults_is_found() -> None:
    strategy = faults.plans(MIXED, names=["noop", "crlf", "cut"])
    assert smallest(strategy, lambda plan: len(plan.specs) == 2) == "noop@t0+noop@t0"


@quick
@given(faults.plans(MIXED))
def test_what_is_drawn_fits(plan: Plan) -> None:
    [run] = expand([plan], MIXED.recorded_exchanges)
    assert run.id == str(plan)
    assert 1 <= len(plan.specs) <= 2
    assert parse(str(plan)) == (plan,)


def test_each_fault_that_fits_is_drawn() -> None:
    drawn: set[str] = set()

    @settings(quick, max_examples=150)
    @given(faults.plans(MIXED, max_faults=3, names=["cut", "noop", "crlf", "truncated_json"]))
    def draws(plan: Plan) -> None:
        drawn.update(str(spec.fault) for spec in plan.specs)
        drawn.add(f"{len(plan.specs)} faults")

    draws()
    assert drawn >= {"noop", "crlf", "truncated_json", "cut:reset", "cut:eof", "cut:garbage", "1 faults", "3 faults"}


@settings(quick, max_examples=60)
@given(faults.plans(Recorded(streamed(3)), names=["html", "stall", "status", "disconnect"]))
def test_what_comes_later_on_a_turn_comes_where_a_client_asks_again(plan: Plan) -> None:
    for spec in plan.specs[:-1]:
        together = not any(each.fault.whole for each in plan.specs)
        retried = str(spec.fault)[:3] in ("408", "409", "429", "dis") or str(spec.fault)[0] == "5"
        assert (retried and spec.times is not None) or together, plan


def test_turns_that_overlap_are_drawn_with_their_model() -> None:
    beside = [
        streamed(3, number, model=model, end=End(at=2.0), recorded=f"2026-11-23T10:00:0{number}.100Z")
        for number, model in enumerate("aba")
    ]
    strategy = faults.plans(Recorded(*beside), names=["cut"], max_faults=1)
    found = smallest(strategy, some(lambda spec: spec.where.turn == 1 and is_cut(spec, "eof")))
    assert found == "cut:eof@t1.0#a"
    assert len(expand(parse(found), beside)) == 1


@pytest.mark.parametrize(
    ("exchanges", "names", "error", "said"),
    [
        ([], None, NoFit, "no fault fits: there are 0 recorded turns; record first"),
        ([whole()], ["drop", "crlf"], NoFit, "drop and crlf fits: there are 1 recorded turns"),
        ([whole()], ["nope"], ValueError, "there is no fault 'nope'"),
    ],
)
def test_where_nothing_fits_it_says_so(
    exchanges: Sequence[Exchange], names: list[str] | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        faults.plans(Recorded(*exchanges), names=names)


# --- with a client ---------------------------------------------------------------------------------------


def ask(**more: Any) -> str:
    """What an application with the SDK's defaults does: it believes whatever it is told."""
    question = {"role": "user", "content": "It is 18 °C and raining in Paris. Do I need an umbrella?"}
    asked: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [question], "stream": True}
    with anthropic.Anthropic(api_key="k", **more) as client:
        return "".join(
            event.delta.text
            for event in client.messages.create(**asked)
            if event is not None and event.type == "content_block_delta" and event.delta.type == "text_delta"
        )


def outcome(convo: Conversation, plan: Plan, **more: Any) -> str:
    try:
        with convo.replay(faults=plan) as run:
            ask(**more)
    except (ConvoFailure, Exception):
        pass
    assert run.verdict is not None
    return run.verdict.outcome


def test_every_plan_hits_a_client_that_retries() -> None:
    found: dict[str, str] = {}
    with use_cassette(UMBRELLA) as convo:

        @settings(quick, max_examples=20 * MORE)
        @given(faults.plans(convo))
        def runs(plan: Plan) -> None:
            found[str(plan)] = outcome(convo, plan)

        runs()
    assert [plan for plan, said in found.items() if said == "not-fired"] == []
    assert set(found.values()) >= {"recovered", "raised"}


def test_the_smallest_plan_that_a_client_does_not_notice() -> None:
    with use_cassette(UMBRELLA) as convo:
        strategy = faults.plans(convo, names=["noop", "cut"], max_faults=1 if MORE == 1 else 2)
        assert smallest(strategy, lambda plan: outcome(convo, plan) == "silent") == "cut:eof@t0.0"
