"""The benchmarks measure what they say: everybody in turn, right answers, and counts that see a broken bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import measuring, smoke, traffic, worst
from benchmarks.bench import FLOOR, Bench, Figure
from benchmarks.contenders import OURS, VCRPY, Contender
from benchmarks.counting import counted
from benchmarks.measuring import Spread
from benchmarks.run import chosen
from benchmarks.scenarios import SCENARIOS, Replaying, scanning
from convo_replay.redaction.classes import CLASSES

WORKLOADS = {
    "small": traffic.small(3),
    "streams": traffic.streams(3, 9),
    "events": traffic.streams(3, 9, "events"),
    "conversation": traffic.conversation(3),
    "shuffled": traffic.shuffled(9),
}


@pytest.mark.parametrize("contender", [OURS, VCRPY], ids=["ours", "vcrpy"])
@pytest.mark.parametrize("name", WORKLOADS)
def test_a_contender_gives_the_answers_that_the_floor_gives(tmp_path: Path, name: str, contender: Contender) -> None:
    workload = WORKLOADS[name]
    contender.prepare(tmp_path / "cassettes", workload)
    texts = contender.replay(tmp_path / "cassettes", workload)
    assert texts == traffic.bare(workload) == traffic.bare(workload, whole=False) == workload.texts


def test_everybody_is_measured_in_turn_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def work(name: str) -> float:
        order.append(name)
        return float(len(order))

    measured = measuring.interleaved(
        {"a": (5, lambda: work("a")), "b": (5, lambda: work("b")), "slow": (1, lambda: work("slow"))}
    )
    assert "".join(name[0] for name in order) == "ab" + "abs" + "ab" * 4
    assert {name: len(taken) for name, taken in measured.items()} == {"a": 5, "b": 5, "slow": 1}
    assert measured["a"][0] == 3


def test_a_ratio_is_of_one_round() -> None:
    assert measuring.ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert measuring.differences([2.0], [1.0, 3.0, 4.0]) == Spread(1.0, 1.0, 1.0, 1)


@pytest.mark.parametrize(
    ("goal", "verdict"), [(None, ""), (1.2, "goal 1.2: met"), (1.1, "goal 1.1: MISSED")], ids=["none", "met", "missed"]
)
def test_a_figure_says_whether_its_goal_is_met(goal: float | None, verdict: str) -> None:
    figure = Figure("small", "convo_replay", Spread(1.15, 1.0, 1.3, 5), goal=goal)
    assert str(figure).endswith(verdict or "k=5")
    assert figure.missed is ("MISSED" in verdict)


@pytest.mark.parametrize(("goal", "missed"), [(20, True), (5, False), (None, False)])
def test_a_rate_misses_its_goal_where_it_is_less(goal: float | None, missed: bool) -> None:
    figure = Figure("scan-text", "convo_replay", Spread(9, 8, 21, 5), "MB/s", goal, at_least=True)
    assert figure.missed is missed


def test_every_class_that_is_searched_for_has_its_worst_texts() -> None:
    named = {name.partition(":")[0] for name, _ in worst.strings()}
    assert named >= {item.name for item in CLASSES if item.pattern and item.example}
    assert all(len(grown(2_000)) > 2 * len(grown(500)) for _, grown in list(worst.strings())[::97])


def test_the_rate_of_a_scan_is_of_the_bytes_of_its_files(tmp_path: Path) -> None:
    files = scanning.Files([b"x" * 500_000], [[]])
    bench = Bench(tmp_path, [OURS], rounds=1, full=False)
    seen: list[scanning.Files] = []
    scanning.Scanning("half a megabyte", lambda: files, lambda given: seen.append(given)).measure(bench, "scan")
    assert seen == [files]
    assert files.megabytes == 0.5
    assert bench.figures[0].unit == "MB/s"


def test_a_scenario_prints_everybody_over_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path, [OURS, VCRPY], rounds=1, full=False)
    Replaying("three turns", lambda: WORKLOADS["conversation"], 1000, {"vcrpy": 0}).measure(bench, "turns-3")
    printed = capsys.readouterr().out
    assert FLOOR in printed
    assert "goal 1000: met" in printed
    assert [figure.contender for figure in bench.figures] == ["vcrpy", "floor, piece by piece", "convo_replay"]
    assert "not measured" in str(bench.figures[0])


def test_scenarios_are_chosen_by_name_or_by_how_they_begin() -> None:
    assert list(chosen(["record"])) == ["record"]
    assert list(chosen(["turns"])) == ["turns-50", "turns-100", "turns-200", "turns-400"]
    assert list(chosen([])) == list(SCENARIOS)
    with pytest.raises(SystemExit, match="expected a scenario, got 'nothing'; there are start-up, "):
        chosen(["nothing"])


def test_a_broken_bound_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    bounds = smoke.Bounds()
    bounds.most("calls per turn", 7, 8)
    assert not bounds.broken
    bounds.most("calls per turn", 9, 8)
    bounds.exactly("parses", 0, 1)
    assert bounds.broken == 2
    assert "FAIL  calls per turn: 9 (at most 8)" in capsys.readouterr().out


def test_counts_see_what_is_done(tmp_path: Path) -> None:
    workload = WORKLOADS["conversation"]
    OURS.record(tmp_path / "cassettes", workload)
    counts = counted(lambda: OURS.replay(tmp_path / "cassettes", workload))
    assert counts.calls["Conversation.decide"] == 3
    assert counts.opened.count(str(tmp_path / "cassettes" / "0.yaml")) == 1
    assert counts.bytes["loads"] > 0
    assert counts.bytes["dumps"] > 0
    assert counts.bytes["hashed"] > 0
    assert counts.searched > 0
    assert counts.trust_stores == 0
