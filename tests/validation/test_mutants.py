"""What the API would reject is found where it stands, and what it would take is left alone: `mutations.toml`."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import all_formats
import corpus
from convo_replay.exchange import Exchange
from mutating import handmade, running
from mutating.running import Conversation, Operator, Result

ALL = bool(os.environ.get("CONVO_CORPUS_ALL"))
OPERATORS = running.operators()
SAMPLE = 40
"""One in so many of the recorded conversations, where not all of them are asked for."""

Named = list[tuple[str, Conversation]]


def conversations(recorded: Iterable[tuple[str, list[Exchange]]]) -> Named:
    return [(name, one) for name, exchanges in recorded for one in running.conversations(exchanges)]


@pytest.fixture(scope="module")
def written() -> Named:
    return conversations(handmade.recordings().items())


def shown(result: Result) -> str:
    return "\n".join([running.table([result]), *result.notes[:5]])


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_a_break_is_found_where_it_is_and_its_twin_is_not(operator: Operator, written: Named) -> None:
    result = running.run(operator, written, most=0 if ALL else 1)
    assert result.applied, operator.name
    assert result.twins, operator.name
    assert result.found == result.applied, shown(result)
    assert not result.twin_errors, shown(result)
    assert not result.twin_warnings, shown(result)


def test_conversations_written_by_hand_are_legal(written: Named) -> None:
    for name, conversation in written:
        for side in ("request", "response"):
            said = running.findings(conversation.exchanges, side, all=True)
            assert [one for one in said if one.rule != "model-deprecated"] == [], name


@corpus.needs_corpus
def test_recorded_conversations() -> None:
    rows = [row for row in corpus.index() if "conversation" in row]
    read = [all_formats.read(row) for row in (corpus.index() if ALL else rows[::SAMPLE])]
    recorded = conversations((one.path, one.exchanges) for one in read if not one.response_only)
    results = [running.run(operator, recorded, most=0 if ALL else 1) for operator in OPERATORS]
    applied = [result for result in results if result.applied]
    notes = [f"{one.operator.name}: {note}" for one in applied if not one.good for note in one.notes[:3]]
    assert [one.operator.name for one in applied if not one.good] == [], "\n".join([running.table(applied), *notes])
    assert len(applied) > (len(OPERATORS) - 1 if ALL else len(OPERATORS) // 2)
    assert sum(one.applied for one in applied) > (40_000 if ALL else 100)


# --- the proof itself --------------------------------------------------------------------------------


def operator(name: str) -> Operator:
    return next(one for one in OPERATORS if one.name == name)


def test_what_is_not_said_is_missed(written: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "findings", lambda exchanges, side, all=False: [])
    result = running.run(
        operator("result-dropped"), [(name, Conversation(one.exchanges, one.answers)) for name, one in written]
    )
    assert result.applied == result.missed > 0
    assert not result.good


def test_what_is_said_elsewhere_or_of_a_twin_is_told(written: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {id(one.last): one for _, one in written}
    right = running.findings

    def everywhere(exchanges: list[Exchange], side: str, *, all: bool = False) -> list[Any]:
        if id(exchanges[-1]) in known:
            return []
        said = right(written[1][1].exchanges[:1], "request") or []
        return [said[0].__class__("result-odd", "error", "request", ("tools",), "expected nothing")]

    fresh = [(name, Conversation(one.exchanges, one.answers)) for name, one in written]
    monkeypatch.setattr(running, "findings", everywhere)
    result = running.run(operator("result-dropped"), fresh)
    assert result.otherwise == result.applied > 0
    assert result.twin_errors == result.twins > 0


def test_every_row_that_mutants_can_show_is_in_the_table() -> None:
    numbers = {one.number for one in OPERATORS}
    rows = {*range(2, 9), *range(10, 18), 20, 22, 23, 26}
    assert {f"A{number}" for number in rows} | {"O1", "O2", "O3"} <= numbers
    faults = {24, 25, *range(30, 36), *range(37, 40), *range(41, 44), *range(44, 51), 53, 54}
    assert {f"row {number}" for number in faults} <= numbers
    assert {"§2.1", *(f"§2.2.{number}" for number in range(1, 7))} <= numbers


def test_the_tool_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exchanges = handmade.recordings()["two tools, plain"]
    interactions = [
        {
            "request": {
                "method": "POST",
                "uri": exchange.request.url,
                "headers": dict(exchange.request.headers),
                "body": json.dumps(exchange.request.json),
            },
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"content-type": ["application/json"]},
                "body": {"string": exchange.body.decode()},
            },
        }
        for exchange in exchanges
    ]
    (tmp_path / "a.yaml").write_text(json.dumps({"interactions": interactions, "version": 1}))
    rows = [{"path": "a.yaml", "format": "vcrpy-yaml", "exchanges": [{} for _ in exchanges]}]
    tool = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "mutants.py"))
    monkeypatch.setattr(corpus, "CORPUS", None)
    monkeypatch.syspath_prepend(tmp_path)  # the tool adds a path; this takes it back
    all_formats.recordings.cache_clear()
    assert tool["main"]([str(tmp_path)]) == 2
    (tmp_path / "INDEX.json").write_text(json.dumps(rows))
    all_formats.recordings.cache_clear()
    code = tool["main"]([str(tmp_path), "--only", "result-dropped", "O1"])
    all_formats.recordings.cache_clear()
    out = capsys.readouterr().out
    assert code == 1  # nothing of chat completions is in there
    (line,) = [line for line in out.splitlines() if line.startswith("result-dropped ")]
    assert line.split() == ["result-dropped", "A2", "4", "4", "0", "0", "2", "0", "0", "0", "100.0"]
    assert "tool-message-dropped" in out
