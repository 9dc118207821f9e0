"""`convo-replay scan` on files that are not what they should be: nothing is called clean that was not looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convo_replay import scanning
from convo_replay.cli import main
from convo_replay.errors import CassetteError
from scan_cases import KEY, MAIL, interaction, vcrpy_yaml, write


def classes(path: Path) -> set[str]:
    return {hit.cls for hit in scanning.scan(path, environ={}).failing}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.txt", "a.yaml", "a.json"])
def test_utf_16_is_text(name: str, encoding: str, tmp_path: Path) -> None:
    text = f'{{"note": "the key is {KEY} of {MAIL}"}}\n'
    data = text.encode(encoding)
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b"\xfe\xff"
    file = write(tmp_path / name, mark + data)
    assert classes(file) == {"anthropic-key", "email"}
    assert scanning.fix(file, environ={}).count == 0
    assert file.read_bytes() == mark + data


BROKEN = {
    "an unknown tag": f"interactions:\n- custom: !my_tag {{a: 1}}\n  key: {KEY}\n",
    "two documents": f"interactions: []\n---\ninteractions:\n- key: {KEY}\n",
    "no YAML": f"interactions:\n- [a: {{b\n# {KEY}\n",
    "one of ours": f"convo_replay: 1\nexchanges: 3\nnote: {KEY}\n",
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("options", [[], ["--fix"], ["--json"], ["--sarif"]], ids=lambda options: "".join(options))
def test_what_cannot_be_read_is_searched_as_text(
    kind: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "a.yaml", BROKEN[kind].encode())
    assert main(["scan", *options, str(file)]) == 2
    out, err = capsys.readouterr()
    assert "anthropic-key" in out
    assert ("1 file not read but as text" in out) == (not options or options == ["--fix"])
    assert str(file) in err
    assert KEY not in out + err
    assert file.read_text() == BROKEN[kind]


def test_an_unread_file_is_not_called_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.yaml", b"interactions:\n- !my_tag {a: 1}\n")
    assert main(["scan", str(file)]) == 2
    assert "clean" not in capsys.readouterr().out


def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "a.yaml"
    os.mkfifo(pipe)
    with pytest.raises(CassetteError, match="no regular file"):
        scanning.scan(pipe)
    assert main(["scan", str(pipe)]) == 2
    assert "clean" not in capsys.readouterr().out


def test_headers_of_ours_are_taken_out_as_they_are_spelled(tmp_path: Path) -> None:
    text = f"""convo_replay: 1
exchanges:
  - test: t.py::test_a
    request:
      method: POST
      url: https://api.anthropic.com/v1/messages
      headers: {{anthropic-version: "2023-06-01", X-Api-Key: "{KEY}", User-Agent: 'Anthropic/Python 2.1'}}  # kept
      json: {{a: 1}}
    response:
      status: 200
      headers: {{Content-Type: application/json, CF-RAY: 9a58bfc54c1300bb-CDG}}
      json: {{}}
"""
    file = write(tmp_path / "a.yaml", text.encode())
    fixed = scanning.fix(file, environ={})
    assert (fixed.count, list(fixed.reasons), fixed.after.failing) == (3, [], [])
    expected = text.replace(KEY, "redacted-anthropic-key-1").replace(", User-Agent: 'Anthropic/Python 2.1'", "")
    assert file.read_text() == expected.replace(", CF-RAY: 9a58bfc54c1300bb-CDG", "")


def test_line_breaks_of_another_system_stay(tmp_path: Path) -> None:
    text = vcrpy_yaml(interaction({"a": 1}, {"b": 2})).decode()
    text = text.replace("version: 1", f"note: >-\n  folded for\n  {MAIL} and\n  others\nversion: 1")
    assert MAIL in text
    file = write(tmp_path / "a.yaml", text.replace("\n", "\r\n").encode())
    assert scanning.fix(file, environ={}).after.failing == []
    data = file.read_bytes()
    assert MAIL.encode() not in data
    assert data.count(b"\n") == data.count(b"\r\n")


def test_nothing_is_not_called_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert main(["scan", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "0 files, 0 exchanges, 0.0 MB: nothing to scan" in out
    assert "binary, not scanned" in out


def test_what_is_not_fixed_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = vcrpy_yaml({"request": {"uri": "https://a.example/", "method": "GET"}, "response": {"status": {}}}).decode()
    for text, reason in (
        (clean + f"# {KEY}\n", "not fixed: a comment"),
        (clean + f"held:\n  {KEY}: 1\n", "not fixed: the name of a key"),
    ):
        file = write(tmp_path / "a.yaml", text.encode())
        assert main(["scan", "--fix", str(file)]) == 1
        out = capsys.readouterr().out
        assert reason in out
        assert "fixed 0" not in out
        assert file.read_text() == text
