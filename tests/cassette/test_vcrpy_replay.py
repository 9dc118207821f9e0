"""The tool that replays whole folders of vcrpy's cassettes: on published ones, and on what it must not let pass."""

from __future__ import annotations

import gzip
import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import corpus

TOOL = Path(__file__).parents[2] / "tools" / "replay_vcrpy.py"
URL = "https://api.anthropic.com/v1/messages"

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(TOOL), run_name="replay_vcrpy")


@pytest.fixture
def run(tool: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str]:
        code = tool["main"]([str(argument) for argument in arguments])
        return code, capsys.readouterr().out

    return run


def interaction(number: int, answer: bytes = b"", headers: dict[str, Any] | None = None, **request: Any) -> Any:
    asked = {"method": "POST", "uri": URL, "headers": {"A": ["b"]}, "body": json.dumps({"n": number}), **request}
    body = {"string": answer or f"answer {number}".encode()}
    return {
        "request": asked,
        "response": {"status": {"code": 200, "message": "OK"}, "headers": headers or {}, "body": body},
    }


def cassette(path: Path, *interactions: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    value = {"interactions": list(interactions), "version": 1}
    is_json = path.suffix == ".json"
    path.write_text(json.dumps(value, default=bytes.decode) if is_json else yaml.safe_dump(value), encoding="utf-8")


def test_every_exchange_is_replayed_and_other_files_are_named(run: Run, tmp_path: Path) -> None:
    twice = [interaction(1, b"first"), interaction(2), interaction(1, b"second")]
    cassette(tmp_path / "one" / "a.yaml", *twice, *map(interaction, range(3, 20)))
    cassette(tmp_path / "one" / "b.json", interaction(1))
    cassette(
        tmp_path / "two" / "deep" / "c",
        interaction(
            1, gzip.compress(b"hello"), {"Content-Encoding": ["gzip"], "X": ["1", "2"], "Content-Length": ["9"]}
        ),
        interaction(2, b"plain", {"content-encoding": "gzip"}),
        interaction(3, b"\x1f\x8b\x08broken", {"content-encoding": "gzip"}),
    )
    (tmp_path / "two" / "README.md").write_text("no cassette")
    (tmp_path / "two" / "go.yaml").write_text("interactions: [{request: {url: a}, response: {}}]")
    code, out = run(tmp_path, "--seed", 7)
    name = tmp_path.name
    assert [line.split() for line in out.splitlines()] == [
        ["no", "cassette", "of", "vcrpy's:", str(tmp_path / "two" / "README.md")],
        ["no", "cassette", "of", "vcrpy's:", str(tmp_path / "two" / "go.yaml")],
        ["files", "loaded", "exchanges", "replayed"],
        [f"{name}/one", "2", "2", "21", "21"],
        [f"{name}/two", "1", "1", "3", "3"],
        ["all", "3", "3", "24", "24"],
        [],
        ["nothing", "is", "left", "unexplained"],
    ]
    assert code == 0


def test_a_token_endpoint_is_a_true_reason(run: Run, tmp_path: Path) -> None:
    cassette(tmp_path / "a.yaml", interaction(1), interaction(2, uri="https://oauth2.googleapis.com/token"))
    code, out = run(tmp_path)
    assert code == 0
    assert "1 of 2\n  1 × a token endpoint" in out


GOOD = """\
interactions:
- request: {method: GET, uri: "http://h/", headers: {}, body: null}
  response: {status: {code: 200}, headers: {}, body: {string: ""}}
"""


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ('"http://h/"', "5", "not loaded"),
        ("status: {code: 200}, ", "", "not read"),
        ("headers: {}", "headers: {a: !!python/name:os.system x}", "not loaded"),
        ("body: null}", "body: null", "not read"),
    ],
)
def test_what_does_not_load_is_named(run: Run, tmp_path: Path, good: str, bad: str, reason: str) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace(good, bad, 1))
    code, out = run(tmp_path)
    assert code == 1
    assert reason in out
    assert "1 files without a true reason" in out
    assert str(tmp_path / "bad.yaml") in out
    assert str(tmp_path / "good.yaml") not in out


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_where_there_is_no_cassette_nothing_is_proved(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / name)
    assert stopped.value.code == 2
    assert "no cassette of vcrpy's under" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["status", "body", "headers", "missing"])
def test_what_comes_back_otherwise_is_named(
    run: Run, tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """The cassette says one thing to the engine and another to the tool."""
    cassette(tmp_path / "a.yaml", *map(interaction, range(3)))
    read = tool["interactions"]
    changes: dict[str, dict[str, Any]] = {
        "status": {"status": 201}, "body": {"answer": b"other"}, "headers": {"answer_headers": [("a", "b")]},
        "missing": {"body": b"nobody asked this"},
    }  # fmt: skip

    def otherwise(data: bytes) -> Any:
        first, *rest = read(data)
        return [type(first)(**{**vars(first), **changes[wrong]}), *rest]

    monkeypatch.setitem(tool["main"].__globals__, "interactions", otherwise)
    code, out = run(tmp_path)
    assert code == 1
    assert {"status": "status 200, recorded 201", "missing": "is not in the cassette"}.get(wrong, wrong) in out


def test_equal_requests_keep_their_order_and_others_do_not(tool: dict[str, Any]) -> None:
    recorded = [tool["_recorded"](**_message(number % 2, index)) for index, number in enumerate(range(40))]
    ordered = tool["in_order"](recorded, 3)
    assert sorted(map(recorded.index, ordered)) == list(range(40))
    assert ordered != recorded
    for body in (b"0", b"1"):
        statuses = [one.status for one in ordered if one.body == body]
        assert statuses == sorted(statuses)


def _message(number: int, status: int) -> dict[str, Any]:
    return {
        "asked": {"method": "GET", "uri": URL, "body": str(number)},
        "answered": {"status": {"code": 200 + status}, "body": {"string": ""}},
    }


@corpus.needs_corpus
def test_published_cassettes_are_replayed(tool: dict[str, Any]) -> None:
    """All of them where CONVO_CORPUS_ALL is set, every twelfth otherwise."""
    assert corpus.CORPUS is not None
    rows = corpus.index("vcrpy-yaml")[:: 1 if os.environ.get("CONVO_CORPUS_ALL") else 12]
    explained = 0
    for row in rows:
        path = corpus.CORPUS / row["path"]
        result = tool["replay"](path, tool["interactions"](path.read_bytes()), seed=len(row["path"]))
        assert result.loaded, result
        assert result.exchanges == len(row["exchanges"]), result
        assert result.replayed + result.explained == result.exchanges, result
        explained += result.explained
    assert explained <= 1
