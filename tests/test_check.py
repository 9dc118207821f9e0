"""`convo-replay check`: what it reads, what it says of it, its exit codes; and how findings read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from convo_replay import checking, converting
from convo_replay.cassette import Cassette, load, update
from convo_replay.cassette.model import stored
from convo_replay.cli import main
from convo_replay.errors import CassetteError
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.reporting.checked import Page
from convo_replay.reporting.findings import (
    broken_answer,
    errors_text,
    folded,
    ignoring,
    invalid_turn,
    near,
    outvoted,
    told,
)  # fmt: skip
from convo_replay.validation.catalogue import all_rules
from convo_replay.validation.findings import Finding

ROOT = Path(__file__).parents[1]
URL = "https://api.anthropic.com/v1/messages"
KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
EVIL = "\x1b]0;owned\x07\x1b[2J [bold]x[/bold] \u202egpj.exe"

ASKED: list[Any] = [{"role": "user", "content": "What's the weather in Paris?"}]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 °C"}
TOLD: list[Any] = [*ASKED, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]
BROKEN: list[Any] = [*ASKED, {"role": "assistant", "content": "I look."}, {"role": "user", "content": [RESULT]}]
"""The assistant's turn was saved as text only, so that the result of its tool call hangs in the air."""
ODD: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "hello", "colour": "red"}]}]
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def said(messages: list[Any], *, status: int = 200, test: str = "t.py::test_a", **body: Any) -> Exchange:
    """A question with an answer that is as it should be, or an error."""
    answer: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Paris"}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    if status >= 400:
        answer = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    request = Request(
        "POST", URL, (("anthropic-version", "2026-10-21"),),
        Json({"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": messages, "tools": [TOOL], **body}),
    )  # fmt: skip
    head = Head(status, (("content-type", "application/json"),), 0.1)
    return Exchange(request, (head, Chunk(0.2, json.dumps(answer).encode()), End("complete", 0.3)), test=test)


def save(path: Path, *exchanges: Exchange) -> Path:
    update(path, lambda _: Cassette(exchanges=[stored(one) for one in exchanges]))
    return path


def vcrpy(path: Path, *exchanges: Exchange, **headers: str) -> Path:
    """The same as vcrpy's JSON, with nothing taken out."""
    path.write_text(json.dumps({
        "version": 1,
        "interactions": [
            {
                "request": {
                    "method": "POST", "uri": one.request.url, "body": json.dumps(one.request.json),
                    "headers": {name: [value] for name, value in (*one.request.headers, *headers.items())},
                },
                "response": {
                    "status": {"code": one.status, "message": "OK"}, "headers": {"content-type": ["application/json"]},
                    "body": {"string": one.body.decode()},
                },
            }
            for one in exchanges
        ],
    }))  # fmt: skip
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main(["check", *map(str, arguments)])
    except SystemExit as stopped:  # argparse
        code = int(stopped.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def rows(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    """The findings as JSON; nothing is said on stderr."""
    _, out, err = run(capsys, "--json", *arguments)
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


# --- what is found ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchanges", "severities", "code", "strict"),
    [
        ([said(ASKED), said(TOLD)], [], 0, 0),
        ([said(ODD)], ["warn"], 0, 1),
        ([said(BROKEN)], ["error"], 1, 1),
        ([said(BROKEN), said(ODD)], ["error", "warn"], 1, 1),
        ([said(BROKEN, status=400)], ["info"], 0, 0),
        ([said(ODD, status=404)], ["info"], 0, 0),
        ([said(BROKEN, status=529)], ["error"], 1, 1),
    ],
    ids=["good", "warning", "error", "both", "400", "404", "529"],
)
@pytest.mark.parametrize("write", [save, vcrpy])
def test_exit_codes(
    write: Any, exchanges: list[Exchange], severities: list[str], code: int, strict: int,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = write(tmp_path / "a.yaml", *exchanges)
    assert run(capsys, file)[0] == code
    assert run(capsys, file, "--strict")[0] == strict
    assert [row["severity"] for row in rows(capsys, file)] == severities


def test_a_finding_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = replace(said(ASKED), request=replace(said(ASKED).request, url=f"{URL}/count_tokens"))
    file = save(tmp_path / "a.yaml", said(ASKED), count, said(BROKEN))
    [row] = rows(capsys, file)
    message = row.pop("message")
    assert row == {
        "file": str(file), "exchange": 2, "turn": 1, "rule": "tool-result-unexpected", "severity": "error",
        "path": "request.messages[2].content[0]", "api_path": "messages.2.content.0",
        "api_error": "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. Each "
        "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
    }  # fmt: skip
    assert "expected" in message
    assert "toolu_1" in message


def test_a_finding_as_a_person_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = save(tmp_path / "a.yaml", said(ASKED), said(BROKEN))
    code, out, err = run(capsys, file)
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    assert (code, err) == (1, "")
    assert lines[:4] == [
        str(file),
        "t.py::test_a",
        "turns[1]  claude-sonnet-5-5  exchange 1, 200 OK",
        "error  tool-result-unexpected  request.messages[2].content[0]",
    ]
    assert lines[4].startswith("expected ")
    assert lines[5].startswith("the API answers 400: messages.2.content.0: unexpected `tool_use_id`")
    assert lines[6:] == [
        "1 file, 2 exchanges: 1 error, 0 warnings",
        "what a rule is about: convo-replay check --explain tool-result-unexpected",
    ]
    assert "\x1b" not in out


def test_nothing_is_said_of_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, ROOT / "cassettes" / "capital.yaml") == (0, "1 file, 1 exchange: 0 errors, 0 warnings\n", "")


def test_each_test_is_a_conversation_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What one test was told is not held against another; turns count through the file, as `show` counts them."""
    broken = [said(ASKED, test="t.py::a"), said(BROKEN, test="t.py::b"), said(BROKEN, test="t.py::c")]
    found = rows(capsys, save(tmp_path / "a.yaml", *broken))
    assert [(row["turn"], row["exchange"]) for row in found] == [(1, 1), (2, 2)]


def test_what_a_turn_repeats_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    longer = [*BROKEN, {"role": "assistant", "content": "Paris"}, {"role": "user", "content": "Thank you"}]
    found = rows(capsys, save(tmp_path / "a.yaml", said(BROKEN), said(longer)))
    assert [row["turn"] for row in found] == [0]


def test_what_a_4xx_refused_is_an_error_where_it_is_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(capsys, save(tmp_path / "a.yaml", said(BROKEN, status=400), said(BROKEN)))
    assert [row["severity"] for row in found] == ["info", "error"]


def test_equal_warnings_are_folded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = [said([{"role": "user", "content": [{**ODD[0]["content"][0], "text": f"{at}"}]}]) for at in range(40)]
    file = save(tmp_path / "a.yaml", *many, said(BROKEN))
    _, out, _ = run(capsys, file)
    assert out.count("warn   unknown-field") == 1
    assert "the first of 40 like it in this file" in out
    assert out.endswith(
        "\n1 file, 41 exchanges: 1 error, 40 warnings\n"
        "what a rule is about: convo-replay check --explain tool-result-unexpected\n"
    )
    assert len(rows(capsys, file)) == 41


# --- which files -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "_blobs").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    save(tmp_path / "good.yaml", said(ASKED))
    vcrpy(tmp_path / "deep" / "old.json", said(BROKEN))
    save(tmp_path / ".hidden" / "c.yaml", said(BROKEN))
    (tmp_path / "deep" / "_blobs" / "ab.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_folders_are_walked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, folder)
    assert (code, err) == (1, "")
    assert "2 files, 2 exchanges: 1 error" in out
    assert str(folder / "deep" / "old.json") in out


def test_a_file_that_is_named_twice_is_read_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(rows(capsys, folder, folder / "deep" / "old.json", folder / "deep")) == 1


def test_what_is_no_cassette_is_named_and_stops_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "README.md").write_text("These are: [cassettes")
    (folder / "other.yaml").write_text("a: 1\n")
    code, out, err = run(capsys, folder)
    assert code == 1
    assert [line.split(": ")[1].partition(":")[0] for line in err.splitlines()] == [
        str(folder / "README.md"), str(folder / "other.yaml"),
    ]  # fmt: skip
    assert "2 files" in out
    (folder / "deep" / "old.json").unlink()
    assert run(capsys, folder)[0] == 0


def test_a_cassette_that_cannot_be_read_is_exit_2_and_stops_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (folder / "good.yaml").read_bytes()
    (folder / "cut.yaml").write_bytes(whole[: len(whole) // 2])
    code, out, err = run(capsys, folder)
    assert code == 2
    assert err.count("\n") == 1
    assert "cut.yaml" in err
    assert "2 files, 2 exchanges: 1 error" in out


def test_what_should_have_been_a_cassette(tmp_path: Path) -> None:
    broken = CassetteError("a", "cut off")
    (tmp_path / "suffixless").write_text("version: 1\ninteractions:\n- [")
    (tmp_path / "LICENSE").write_text("Permission is granted\n" * 9000 + "interactions:\n")
    assert converting.is_expected(tmp_path / "suffixless", broken)
    assert not converting.is_expected(tmp_path / "LICENSE", broken)
    assert converting.is_expected(tmp_path / "cannot-be-read", broken)
    assert not converting.is_expected(tmp_path / "picture.png", broken)


@pytest.mark.parametrize("name", ["missing.yaml", "empty.yaml", "README.md", "other.yaml", "cut.yaml"])
def test_a_file_that_was_named_has_to_be_a_cassette(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (folder / "good.yaml").read_bytes()
    (folder / "cut.yaml").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.yaml").touch()
    (folder / "README.md").write_text("These are: [cassettes \x1b[2J")
    (folder / "other.yaml").write_text("a: 1\n")
    code, _, err = run(capsys, folder / name)
    assert code == 2
    assert name in err
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()


def test_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, tmp_path) == (0, "0 files, 0 exchanges: 0 errors, 0 warnings\n", "")


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--strict"], ["--explain"], ["x", "--nonsense"]])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "convo-replay" in err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "example: convo-replay check " in out


# --- what is never printed -------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_no_key_of_a_foreign_cassette_is_printed(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = "correct-horse-battery-staple-81"  # looks like nothing; a later request has it as its key
    for secret in (KEY, password):
        broken = [*BROKEN[:-1], {"role": "user", "content": [{**RESULT, "tool_use_id": secret}, {secret: 1}]}]
        file = vcrpy(tmp_path / "a.json", said(broken, model=secret), said(ASKED), **{"x-api-key": secret})
        _, out, err = run(capsys, file, *arguments)
        assert "tool-result-unexpected" in out
        assert secret not in out + err


def test_a_key_that_a_later_exchange_gives_away_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = "correct-horse-battery-staple-81"
    broken = [*BROKEN[:-1], {"role": "user", "content": [{**RESULT, "tool_use_id": password}]}]
    later = replace(said(ASKED), request=replace(said(ASKED).request, headers=(("x-api-key", password),)))
    _, out, _ = run(capsys, vcrpy(tmp_path / "a.json", said(broken), later))
    assert "tool-result-unexpected" in out
    assert password not in out


@pytest.mark.parametrize("width", [20, 80])
@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_recorded_reaches_the_terminal_raw(width: int, terminal: bool) -> None:
    broken = [*BROKEN[:-1], {"role": "user", "content": [{**RESULT, "tool_use_id": EVIL, EVIL: EVIL}]}]
    exchanges = [said(broken, test=EVIL, model=EVIL, **{EVIL: 1})]
    seen = io.StringIO()
    page = Page(Console(file=seen, width=width, force_terminal=terminal, color_system=None, highlight=False))
    page.file(checking.Checked(Path(EVIL), exchanges, checking.findings(exchanges)))
    page.summary()
    assert "tool-result-unexpected" in seen.getvalue().replace("\n", "").replace(" ", "")
    assert {char for char in seen.getvalue() if not char.isprintable()} <= {"\n"}


@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_wrapped_and_coloured_on_a_terminal_alone(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    exchanges = [said(BROKEN)]
    seen = io.StringIO()
    page = Page(Console(file=seen, width=80, force_terminal=terminal, highlight=False))
    page.file(checking.Checked(Path("a.yaml"), exchanges, checking.findings(exchanges)))
    assert ("\x1b[" in seen.getvalue()) is terminal
    lines = re.sub("\x1b\\[[\\d;]*m", "", seen.getvalue()).splitlines()
    assert (max(map(len, lines)) <= 80) is terminal


# --- the catalogue ---------------------------------------------------------------------------------


def test_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--rules")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == list(all_rules())
    assert max(map(len, out.splitlines())) <= 80
    listed = rows(capsys, "--rules")
    assert [row["name"] for row in listed] == list(all_rules())
    keys = {"name", "number", "severity", "format", "summary", "source", "api_error"}
    assert all(row.keys() == keys for row in listed)


@pytest.mark.parametrize("name", all_rules())
def test_every_rule_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rule = all_rules()[name]
    code, out, err = run(capsys, "--explain", name)
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    for text in (name, rule.summary, rule.why, rule.source, rule.api_error, f'ignore_rules=["{name}"]'):
        assert " ".join(text.split()) in words
    assert max(map(len, out.splitlines())) <= 80
    [row] = rows(capsys, "--explain", name)
    assert row["name"] == name
    assert row["why"] == rule.why


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("tool-result-mising", "tool-result-missing"),
        ("thinking-budgets", "thinking-budget"),
        ("prefill", "prefill-whitespace"),
    ],
)
def test_an_unknown_rule_is_exit_2_with_near_names(asked: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--explain", asked)
    assert (code, out) == (2, "")
    assert meant in err
    assert meant in near(asked)
    assert near("qqq") == []


def test_the_catalogue_and_paths_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = save(tmp_path / "a.yaml", said(BROKEN))
    code, out, _ = run(capsys, file, "--rules", "--json")
    listed = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [row["rule"] for row in listed if "rule" in row] == ["tool-result-unexpected"]
    assert len(listed) == len(all_rules()) + 1


# --- the texts of failures -------------------------------------------------------------------------


def found(exchanges: Iterable[Exchange]) -> list[Finding]:
    return checking.findings(list(exchanges))


def test_an_invalid_turn_reads_well() -> None:
    text = invalid_turn(
        "turns[1]", f"POST {URL}", found([said(BROKEN)]), nearest="turns[1]",
        differences=["messages[1].content: recorded [{…}], sent 'I look.'"],
        cassette="cassettes/a.yaml", mode="none", rerecord="pytest t.py::test_a --convo-record=rewrite",
    )  # fmt: skip
    lines = text.splitlines()
    rule = all_rules()["tool-result-unexpected"]
    assert lines[0] == f"turns[1] is a request that the API rejects: POST {URL}"
    assert lines[1] == f"tool-result-unexpected: {rule.summary}"
    assert lines[2] == "  at request.messages[2].content[0]"
    assert lines[3].startswith("    expected ")
    assert lines[4].startswith("    the API answers 400: messages.2.content.0: unexpected `tool_use_id`")
    assert lines[5:] == [
        "nearest recorded: turns[1]; it differs in",
        "  messages[1].content: recorded [{…}], sent 'I look.'",
        "cassette: cassettes/a.yaml (mode 'none')",
        "to fix: send what the API accepts, then record: pytest t.py::test_a --convo-record=rewrite",
        'if this request is meant to be wrong: ignore_rules=["tool-result-unexpected"]; '
        'only to be told: validate="warn"',
        "what the rule is about: convo-replay check --explain tool-result-unexpected",
    ]


def test_a_request_that_a_gateway_accepted() -> None:
    text = invalid_turn("turns[0]", f"POST {URL}", found([said(BROKEN)]), accepted="gw.example")
    assert "gw.example answered it all the same" in text
    assert "cassette" not in text.replace("recorded", "")
    assert "nearest" not in text


def test_an_error_without_known_words_says_what_happens() -> None:
    messages = [
        *ASKED,
        {"role": "assistant", "content": [{"type": "document", "source": {"type": "text", "data": "a"}}]},
    ]
    [finding] = [one for one in found([said(messages)]) if one.rule == "document-in-assistant"]
    assert errors_text("turns[0]", "", [replace(finding, api_error="")])[-1] == "    the API answers 400"
    warning = replace(finding, api_error="", severity="warn")
    assert errors_text("turns[0]", "", [warning])[-1] == f"    {finding.message}"


def test_errors_come_before_warnings_and_places_of_one_rule_together() -> None:
    many = [{"role": "user", "content": [{**RESULT, "tool_use_id": f"toolu_{at}"} for at in range(9)]}]
    lines = errors_text("turns[0]", "", sorted(found([said([*ODD, *many])]), key=lambda one: one.severity == "error"))
    assert lines[0] == "turns[0]"
    rules = [line.partition(":")[0] for line in lines[1:] if not line.startswith(" ")]
    assert rules == ["tool-result-unexpected", "unknown-field"]
    assert sum(line.startswith("  at ") for line in lines) == 4
    assert "  and at 6 more, the last is request.messages[1].content[8]" in lines
    assert "  at request.messages[0].content[0].colour (warn)" in lines


def test_a_broken_answer_reads_well() -> None:
    cut = replace(said(ASKED), steps=(
        Head(200, (("content-type", "text/event-stream"),)),
        Chunk(0.1, b'event: message_start\ndata: {"type": "message_start", "message": {"id": "m", "type": "message", '
              b'"role": "assistant", "model": "claude-x", "content": [], "stop_reason": null, "stop_sequence": null, '
              b'"usage": {"input_tokens": 1, "output_tokens": 1}}}\n\n'),
        End("complete", 1.0),
    ))  # fmt: skip
    findings = found([cut])
    text = broken_answer("turns[0]", f"POST {URL}", findings, cassette="a.yaml", mode="none", rerecord="pytest x")
    assert text.startswith(f"turns[0] was answered with what the API does not send: POST {URL}\nstream-unterminated: ")
    assert "record it again: pytest x" in text
    assert 'ignore_rules=["stream-unterminated"]' in text


def test_warnings_and_votes_are_a_line_each() -> None:
    findings = found([said(ODD), said([*ODD, {"role": "assistant", "content": "x"}, *ODD])])
    [line] = told(findings)
    assert line.startswith("turns[0]  unknown-field  request.messages[0].content[0].colour  ")
    assert line.endswith("(2 times)")
    line = outvoted("turns[3]", "api.anthropic.com", found([said(BROKEN)]))
    assert line.startswith(
        "turns[3]: api.anthropic.com accepted what breaks tool-result-unexpected at request.messages"
    )
    assert "please report" in line
    assert "\n" not in line


def test_what_says_the_same_is_one() -> None:
    findings = found([said(BROKEN), said(ODD), said([*ASKED, *ODD])])
    assert [(each.first.rule, each.count) for each in folded(findings)] == [
        ("tool-result-unexpected", 1), ("unknown-field", 2),
    ]  # fmt: skip
    assert ignoring(["a", "b"]) == 'ignore_rules=["a", "b"]'


def test_reading_redacts_what_is_foreign_and_what_was_written_by_hand(tmp_path: Path) -> None:
    cassette = load(save(tmp_path / "a.yaml", said(ASKED)))
    assert all(a is b for a, b in zip(checking.readable(cassette), cassette.exchanges, strict=True))
    for write in (save, vcrpy):
        file = write(tmp_path / "b.yaml", said([{"role": "user", "content": KEY}]))
        assert KEY not in json.dumps(checking.readable(load(file))[0].request.json)
