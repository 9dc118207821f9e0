"""Laws of faults, on what a client is handed and how it ends; CONVO_LAWS=50 for fifty times the examples."""

from __future__ import annotations

import json
import os
import typing
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from convo_replay import faults
from convo_replay.cassette import vcrpy
from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import Fault, NoFit, Plan, Spec, Where, expand, parse, positions
from convo_replay.faults.catalogue import catalogue
from corpus import index, needs_corpus, read
from fault_cases import EXCHANGES
from fault_recordings import body, delivered, ended, streamed, whole
from strategies import awkward_text, stream_bytes, surrogate_text

MORE = int(os.environ.get("CONVO_LAWS", "1"))
SAMPLES = [sample for fault in catalogue().values() for sample in fault.samples()]
BENIGN = [sample for sample in SAMPLES if sample.kind == "benign"]
CUTS = [sample for sample in SAMPLES if sample.name == "cut"]

few = settings(
    max_examples=30 * MORE, deadline=None, derandomize=MORE == 1, suppress_health_check=[HealthCheck.too_slow]
)
more = settings(few, max_examples=100 * MORE)

# --- answers ------------------------------------------------------------------------------------------

_DATA = st.one_of(
    st.sampled_from(['{"type": "ping"}', "[DONE]", "{}", '{"a": "é😀\\n"}', "", '{"choices": []}', '{ "b" : 1 }']),
    awkward_text.map(lambda text: json.dumps({"t": text}, ensure_ascii=False).replace("\x00", "")),
)


@st.composite
def written_events(draw: st.DrawFn) -> bytes:
    """A stream as servers write them, in one of the ways to end a line, with all that may stand between events."""
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    space = draw(st.sampled_from([" ", ""]))
    blocks: list[list[str]] = []
    for _ in range(draw(st.integers(0, 6))):
        blocks.append(draw(st.sampled_from([[], [], [": keep-alive"], [":", ""], ["id: 7", "retry: 10"]])))
        name = draw(st.sampled_from([[], ["event: ping"], ["event:x"]]))
        lines = draw(_DATA).split("\n") if draw(st.booleans()) else ["{", '"a": 1', "}"]
        blocks.append([*name, *[f"data:{space}{line}" for line in lines]])
    text = "".join("".join(f"{line}{line_end}" for line in [*block, ""]) for block in blocks if block)
    bom = b"\xef\xbb\xbf" if draw(st.integers(0, 9)) == 9 else b""
    rest = draw(st.sampled_from([b"", b"", b"data: half", b"event: e\ndata: {", b"data: \xf0\x9f", b"\n", b"\r"]))
    return bom + text.encode("utf-8", "surrogatepass") + rest


ANSWERS = st.one_of(
    st.one_of(written_events(), stream_bytes).map(streamed),
    st.binary(max_size=60).map(whole),
    st.sampled_from(list(EXCHANGES.values())),
)


def values(found: Sequence[tuple[str | None, str | None]]) -> list[tuple[str | None, Any]]:
    """Events by the value of their data, where that is JSON; pings, which no SDK hands on, left out."""
    made = []
    for name, data in found:
        try:
            value = json.dumps(json.loads(data or ""))
        except ValueError:
            value = data
        if (name, value) != ("ping", '{"type": "ping"}'):
            made.append((name, value))
    return made


def handed(fault: Fault, steps: Steps) -> tuple[Any, tuple[str, str]]:
    """What a client gets of an answer: its events, or its bytes; and the end."""
    got: Any = values(delivered(steps)) if fault.name in ("pings", "multiline") else delivered(steps)
    return got, ended(steps)


def check_benign(exchange: Exchange) -> int:
    recorded = positions.layout(exchange).steps
    checked = 0
    for fault in BENIGN:
        if fault.fits(exchange):
            continue
        made = positions.apply([fault.at()], exchange)
        assert handed(fault, made) == handed(fault, recorded), f"{fault} of {exchange.body!r}"
        if not positions.layout(exchange).streamed:
            assert body(made) == body(recorded), fault
        checked += 1
    return checked


# --- laws ---------------------------------------------------------------------------------------------


@more
@given(ANSWERS)
def test_noop_is_the_identity(exchange: Exchange) -> None:
    made = positions.apply([faults.Noop().at()], exchange)
    assert made == positions.layout(exchange).steps
    assert (delivered(made), ended(made), body(made)) == (
        delivered(exchange.steps),
        ended(exchange.steps),
        exchange.body,
    )


@more
@given(ANSWERS)
@example(streamed(b"\xef\xbb\xbfdata: {\ndata: 1\ndata: }\n\n"))
@example(streamed(b"data: 1\n\n\xef\xbb\xbfdata: {}\n\n"))
def test_benign_faults_change_nothing_that_is_delivered(exchange: Exchange) -> None:
    assert check_benign(exchange) >= 1 or not exchange.body


@needs_corpus
def test_benign_faults_change_nothing_of_what_others_have_recorded() -> None:
    rows = [row for row in index("vcrpy-yaml") if any(one.get("streaming") for one in row["exchanges"])]
    checked = 0
    for row in rows[:: max(1, 12 // MORE)]:
        for exchange in vcrpy.read(read(row), row["path"]).exchanges:
            if positions.events(exchange):
                checked += check_benign(exchange) > 3
    assert checked >= 10, "streams"


@more
@given(ANSWERS, st.sampled_from(CUTS), st.sampled_from(CUTS), st.booleans(), st.data())
def test_a_cut_hides_what_is_cut_behind_it(
    exchange: Exchange, one: Fault, other: Fault, in_bytes: bool, data: st.DataObject
) -> None:
    last = positions.size(exchange) if in_bytes else positions.events(exchange)
    j = data.draw(st.integers(0, last))
    k = data.draw(st.integers(0, j))
    first, second = (Spec(fault, Where(position=at, bytes=in_bytes)) for fault, at in ((one, k), (other, j)))
    alone = positions.apply([first], exchange)
    assert positions.apply([first, second], exchange) == alone
    if k < j:
        assert positions.apply([second, first], exchange) == alone


@few
@given(ANSWERS, st.sampled_from([sample for sample in SAMPLES if sample.kind != "benign"]), st.booleans())
def test_no_run_leaves_the_answer_as_it_was(exchange: Exchange, fault: Fault, in_bytes: bool) -> None:
    position = None if fault.positions == "none" else "*"
    spec = Spec(fault, Where(0, position, bytes=in_bytes and fault.positions == "any"))
    try:
        runs = expand([Plan((spec,))], [exchange])
    except NoFit:
        assume(False)
    recorded = positions.layout(exchange).steps
    for run in runs[:: 1 + len(runs) // 20]:
        made = positions.apply(run.plan.specs, exchange)
        seen = (body(made), ended(made), made[0] if exchange.status else None, [step.at for step in made])
        was = (
            body(recorded),
            ended(recorded),
            recorded[0] if exchange.status else None,
            [step.at for step in recorded],
        )
        assert seen != was
        if fault.name == "cut" and fault.how == "eof" and positions.layout(exchange).streamed:
            assert len(delivered(made)) < len(delivered(recorded))


# --- specs --------------------------------------------------------------------------------------------


def _settings(fault: Fault) -> st.SearchStrategy[Fault]:
    """The fault with other values in the settings that take any."""
    hints = typing.get_type_hints(type(fault))
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        str: st.one_of(awkward_text, surrogate_text, st.sampled_from(["2", "x3", "a::b", "[x]", "a@b#c", "%41", "="])),
        int: st.integers(-1000, 10**12),
        float: st.floats(allow_nan=False),
        bool: st.booleans(),
    }
    drawn = {}
    for one in fields(fault):
        given = typing.get_args(hints[one.name]) or (hints[one.name],)
        kind = next(kind for kind in (bool, int, float, str) if kind in given)
        old = st.just(getattr(fault, one.name))
        drawn[one.name] = old if one.metadata.get("choices") else st.one_of(old, kinds[kind])

    def made(given: dict[str, Any]) -> Fault:
        try:
            return replace(fault, **given)
        except ValueError:
            return fault

    return st.fixed_dictionaries(drawn).map(made)


models = st.one_of(
    st.sampled_from(["", "claude-opus-4-7", "grox3", "ax*", "claude@2026", "us.a.b-v1:0", "meta/l+x", "a::b", "a%20b"]),
    awkward_text,
    surrogate_text,
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    fault = draw(st.sampled_from(SAMPLES).flatmap(_settings))
    turn = draw(st.one_of(st.none(), st.integers(0, 999), st.just("*")))
    position: Any = None
    if fault.positions != "none" and (fault.position_needed or draw(st.booleans())):
        position = draw(st.one_of(st.integers(0, 10**6), st.just("*")))
    in_bytes = position is not None and fault.positions == "any" and draw(st.booleans())
    times = draw(st.one_of(st.none(), st.integers(1, 99)))
    return Spec(fault, Where(turn, position, bytes=in_bytes), draw(models), times)


@more
@given(st.lists(specs(), min_size=1, max_size=3))
def test_what_is_printed_is_read_back_and_is_a_good_id(drawn: list[Spec]) -> None:
    plan = Plan(tuple(drawn))
    text = str(plan)
    assert parse(text) == (plan,)
    assert str(parse(text)[0]) == text
    assert parse(f" {text}  noop") == (plan, parse("noop")[0])
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set(" []\\\"'")
    assert "::" not in text


@few
@given(awkward_text)
def test_any_text_is_read_or_refused(text: str) -> None:
    plans, said = (), "fault"
    try:
        plans = parse(text)
    except ValueError as error:
        said = str(error)
    assert said.startswith("fault")
    assert [parse(str(plan)) for plan in plans] == [(plan,) for plan in plans]
