"""`convo-replay scan`: what is found in the files of which recorder, where it is said to be, and what is never said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convo_replay import scanning
from convo_replay.cli import main
from convo_replay.errors import CassetteError
from convo_replay.scanning import Hit
from scan_cases import (
    ANSWER,
    ASKED,
    COOKIE,
    FOUND,
    KEY,
    MAIL,
    RECORDERS,
    SECRETS,
    events,
    interaction,
    ours,
    vcrpy_yaml,
    write,
)  # fmt: skip

ROOT = Path(__file__).parents[2]


def scan(path: Path, **settings: Any) -> list[Hit]:
    return list(scanning.scan(path, environ={}, **settings).findings)


def named(hits: list[Hit]) -> set[tuple[str, str]]:
    return {(hit.cls, hit.path) for hit in hits}


@pytest.mark.parametrize("recorder", RECORDERS)
def test_the_same_is_found_in_whatever_recorder_wrote(recorder: str, tmp_path: Path) -> None:
    name, make, fixable = RECORDERS[recorder]
    file = write(tmp_path / name, make())
    hits = scan(file)
    assert named(hits) == FOUND
    assert {hit.exchange for hit in hits} == {0}
    assert {hit.fixable for hit in hits if hit.severity != "info"} == {fixable}
    assert {hit.cls: hit.severity for hit in hits} == {
        "anthropic-key": "error", "cookie": "error", "email": "warn", "machine": "warn", "organization-id": "warn",
        "cf-ray": "warn", "request-id": "warn", "rate-limit": "info",
    }  # fmt: skip
    shown = json.dumps([hit.to_json() for hit in hits]) + repr(hits)
    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize("recorder", sorted(set(RECORDERS) - {"vcrpy-gzip", "vcrpy-base64", "vcrpy-flow", "har"}))
def test_a_finding_names_the_line_that_its_value_stands_on(recorder: str, tmp_path: Path) -> None:
    name, make, _ = RECORDERS[recorder]
    data = make()
    lines = data.decode().split("\n")
    begins = {"anthropic-key": KEY[:12], "email": MAIL[:4], "cookie": COOKIE[:8]}
    hits = [hit for hit in scan(write(tmp_path / name, data)) if hit.cls in begins and "headers" not in hit.path]
    hits += [hit for hit in scan(tmp_path / name) if hit.cls == "anthropic-key" and "headers" in hit.path]
    assert len(hits) >= 4
    for hit in hits:
        assert begins[hit.cls][:4] in lines[hit.line - 1], hit


def test_a_value_split_over_events_is_one_finding_at_the_first(tmp_path: Path) -> None:
    stream = events("Hi ", MAIL[:5], MAIL[5:9], MAIL[9:], "!")
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction(answer=stream, got={"Content-Type": "text/event-stream"})))
    assert [(hit.path, hit.fixable) for hit in scan(file) if hit.cls == "email" and "response" in hit.path] == [
        ("response.sse[2]", True)
    ]


def test_our_cassette_names_a_repeated_message_once_where_it_is_written(tmp_path: Path) -> None:
    data = ours(f"I am {MAIL}", "and now?", f"my key is {KEY}")
    hits = scan(write(tmp_path / "a.yaml", data))
    assert [(hit.exchange, hit.cls, hit.path) for hit in hits if hit.path.startswith("request")] == [
        (0, "email", "request.json.messages[0].content"),
        (2, "anthropic-key", "request.json.messages[2].content"),
    ]
    lines = data.decode().split("\n")
    assert [(hit.exchange, hit.path) for hit in hits if hit.path.startswith("response")] == [
        (at, "response.sse[2]") for at in range(3)
    ]
    for hit in hits:
        assert MAIL[:9] in lines[hit.line - 1] or KEY in lines[hit.line - 1]


PLAIN = [
    ("answer.json", json.dumps(ANSWER, indent=1), {("email", "content[0].text")}),
    ("answer.sse", events("Hi ", MAIL), {("email", "sse[2]")}),
    ("lines.ndjson", '{"a": 1}\n' + json.dumps({"text": f"to {MAIL}"}) + "\n", {("email", "lines[1]")}),
    ("notes.md", f"# Notes\n\nthe key is {KEY}\n", {("anthropic-key", "")}),
    ("settings.yaml", f"one: two\nnested:\n  text: mail {MAIL}\n", {("email", "nested.text")}),
    ("headers.json", json.dumps({"headers": {"x-api-key": KEY}}), {("anthropic-key", "request.headers.x-api-key")}),
    ("clean.json", json.dumps({"text": "sk-learn and task-1 by ada@example.com"}), set()),
    ("empty.yaml", "", set()),
    ("broken.json", '{"a": [' + f'"{KEY}', {("anthropic-key", "")}),
    ("odd.yaml", f"a: [b\n# {KEY}\n", {("anthropic-key", "")}),
]


@pytest.mark.parametrize(("name", "text", "found"), PLAIN, ids=[name for name, *_ in PLAIN])
def test_plain_files_are_scanned_as_what_they_look_like(
    name: str, text: str, found: set[tuple[str, str]], tmp_path: Path
) -> None:
    hits = scan(write(tmp_path / name, text.encode()))
    assert named(hits) == found
    assert not any(hit.fixable for hit in hits)


def test_what_stands_outside_of_bodies_is_found_too(tmp_path: Path) -> None:
    made = interaction(asked={"a": 1}, answer={"b": 2}, uri=f"{URL_WITH_KEY}")
    made["recorded_by"] = f"mailto {MAIL}"
    data = vcrpy_yaml(made) + f"# left by {KEY}\n".encode()
    found = {(hit.exchange, hit.cls, hit.path) for hit in scan(write(tmp_path / "a.yaml", data))}
    assert {(0, "email", "recorded_by"), (None, "anthropic-key", "")} <= found
    assert any(path == "request.url" for _, _, path in found)


URL_WITH_KEY = "https://generativelanguage.googleapis.com/v1beta/models/x:generateContent?key=" + "AIza" + "Ex4mple" * 5


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("authorization", "Bearer **REDACTED**", [("masked", "info")]),
        ("x-api-key", "X-API-KEY-XXX", [("masked", "info")]),
        ("authorization", "Bearer redacted-anthropic-key-1", []),
        ("request-id", "req_REDACTED1", []),
        ("authorization", "", []),
        ("authorization", f"Bearer {KEY}", [("anthropic-key", "error")]),
        ("x-internal", f"token {KEY}", [("anthropic-key", "error")]),
        ("accept", "application/json", []),
    ],
    ids=["mask", "name-as-mask", "placeholder", "shaped-placeholder", "empty", "key", "unknown-header", "harmless"],
)
def test_a_header_counts_for_what_is_left_in_it(
    name: str, value: str, found: list[tuple[str, str]], tmp_path: Path
) -> None:
    pair = {"request": {"url": "https://a.example/", "headers": {name: value}}, "response": {"headers": {}}}
    hits = scan(write(tmp_path / "a.json", json.dumps(pair).encode()))
    assert [(hit.cls, hit.severity) for hit in hits] == found


def test_a_class_that_is_kept_is_not_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", vcrpy_yaml())
    kept = named(scan(file, redact={"machine": "keep", "email": "keep"}))
    assert FOUND - kept == {one for one in FOUND if one[0] in ("machine", "email")}


def test_what_a_project_calls_secret_and_what_the_environment_holds(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps({"text": "project Bluebird, door 4711-Xk9QpL2m"}).encode())
    assert scan(file) == []
    found = scanning.scan(file, secrets=["Bluebird"], environ={"DOOR_TOKEN": "4711-Xk9QpL2m"}).findings
    assert sorted(hit.cls for hit in found) == ["env", "secret"]


def test_a_key_of_an_object_is_not_repeated_in_a_path(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps({KEY: {"to": MAIL}}).encode())
    hits = scan(file)
    assert {hit.cls for hit in hits} == {"anthropic-key", "email"}
    assert KEY not in json.dumps([hit.to_json() for hit in hits])


def test_files_are_walked_once_and_binary_ones_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "in" / "a.yaml", vcrpy_yaml())
    write(tmp_path / "in" / ".hidden" / "b.yaml", vcrpy_yaml())
    image = write(tmp_path / "in" / "c.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert list(scanning.files([tmp_path / "in", file])) == [(file, False), (image, False)]
    assert scanning.scan(image).skipped == "binary"
    with pytest.raises(CassetteError, match="cannot be read"):
        scanning.scan(tmp_path / "missing.yaml")


# --- the command ---------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main(["scan", *map(str, arguments)])
    except SystemExit as stopped:  # argparse
        code = int(stopped.code or 0)
    out, err = capsys.readouterr()
    assert not [secret for secret in SECRETS if secret in out + err]
    return code, out, err


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.yaml", vcrpy_yaml())
    code, out, err = run(capsys, file, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (1, "")
    assert {tuple(row) for row in rows} == {("file", "exchange", "class", "path", "fixable", "severity", "line")}
    assert {(row["class"], row["path"]) for row in rows} == FOUND
    assert {row["file"] for row in rows} == {str(file)}


def test_exit_codes_and_what_is_said_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = write(tmp_path / "clean.json", b'{"a": "ada@example.com"}')
    limits = write(tmp_path / "limits.json", b'{"headers": {"x-ratelimit-limit-requests": "5"}}')
    bad = write(tmp_path / "bad.yaml", b"convo_replay: 1\nexchanges: 3\n")
    assert run(capsys, clean, limits)[0] == 0
    code, _, err = run(capsys, clean, bad)
    assert code == 2
    assert f"{bad}:2: exchanges: expected a list" in err
    code, _, err = run(capsys, tmp_path / "nothing")
    assert (code, err) == (2, f"convo-replay: {tmp_path / 'nothing'}: there is no such file or directory\n")
    code, _, err = run(capsys, clean, "--keep", "emails")
    assert (code, "near it: email" in err) == (2, True)
    code, _, err = run(capsys, clean, "--keep", "anthropic-key")
    assert (code, "anthropic-key" in err) == (2, True)
    assert run(capsys, clean, "--json", "--sarif")[0] == 2


def test_the_page_of_one_cassette(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.yaml", vcrpy_yaml())
    code, out, _ = run(capsys, "a.yaml")
    assert code == 1
    lines = out.splitlines()
    assert "a.yaml  1 exchange" in lines
    row = next(line for line in lines if "anthropic-key ×2" in line)
    assert row.startswith("  error  ")
    assert "exchanges[0].request.headers.authorization" in row
    assert "1 file, 1 exchange, 0.0 MB: 11 findings, 0 files clean" in lines
    assert [line for line in lines if line.startswith("  → ")] == [
        "  → revoke the keys and passwords first: what was committed stays in the history of the repository",
        "  → placeholders in place of 11 of 11:  convo-replay scan --fix a.yaml",
        "  → or as cassettes of ours, without what clients never read:  convo-replay convert SRC DST",
        "  → what may stay:  --keep email  (setting: redact={'email': 'keep'})",
    ]
    assert "rate-limit" in next(line for line in lines if line.startswith("  info"))


def test_the_page_of_many_cassettes_keeps_errors_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(30):
        write(tmp_path / "c" / f"{number:02}.yaml", vcrpy_yaml())
    _, out, _ = run(capsys, "c")
    lines = out.splitlines()
    assert len(lines) < 30 * 5 + 20
    assert sum(line.startswith("  warn   cf-ray ×1, ") or "cf-ray ×1" in line for line in lines) == 30
    assert any(
        line.startswith("30 files, 30 exchanges, ") and ": 330 findings, 0 files clean" in line for line in lines
    )


def test_nothing_that_a_terminal_would_act_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07 [bold]"
    file = write(tmp_path / "a.json", json.dumps({evil: {"text": f"to {MAIL}"}, "plain": ASKED}).encode())
    for option in ((), ("--json",), ("--sarif",)):
        _, out, err = run(capsys, file, *option)
        assert "\x1b" not in out + err


def test_the_project_s_own_cassettes_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, ROOT / "cassettes", "--json")
    assert (code, out) == (0, "")
