"""The commands as a user runs them: what they print, their exit codes, what they leave alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from convo_replay import __version__
from convo_replay.cassette import load, update
from convo_replay.cassette.model import Cassette, stored
from convo_replay.cli import main
from convo_replay.exchange import Chunk, End, EndKind, Exchange, Head, Json, Request
from convo_replay.reporting.printable import one_line, printable
from convo_replay.reporting.terminal import show

ROOT = Path(__file__).parents[1]
URL = "https://api.anthropic.com/v1/messages"
EVIL = "\x1b]0;owned\x07\x1b[2J [bold]x[/bold] \u202egpj.exe\r\x9b31m \x00 :smile: 日本 ☀️"


def event(kind: str, at: float, **data: Any) -> Chunk:
    return Chunk(at, f"event: {kind}\ndata: {json.dumps({'type': kind, **data}, ensure_ascii=False)}\n\n".encode())


def exchange(
    messages: list[Any], *chunks: Chunk, status: int = 200, end: EndKind = "complete", url: str = URL, **body: Any
) -> Exchange:
    head = Head(status, (("content-type", "text/event-stream" if status == 200 else "application/json"),), 0.1)
    request = Request("POST", url, (), Json({"model": "claude-x", "stream": True, "messages": messages, **body}))
    return Exchange(request, (head, *chunks, End(end, 1.5)), test="tests/test_a.py::test_weather")


ASKED = [{"role": "user", "content": "What's the weather in [red]Paris[/red]?"}]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
TOLD = [
    *ASKED,
    {"role": "assistant", "content": [CALL]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 °C"}]},
]
OVERLOADED = b'{"error":{"type":"overloaded_error","message":"Overloaded"}}'
WEATHER = [
    exchange(ASKED, Chunk(0.2, OVERLOADED), status=529, tools=[{"name": "get_weather"}]),
    exchange(
        ASKED,
        event("message_start", 0.2, message={"usage": {"input_tokens": 12, "output_tokens": 1}}),
        event("content_block_start", 0.3, index=0, content_block={"type": "thinking", "thinking": "Paris is " * 40}),
        event("content_block_start", 0.4, index=1, content_block=CALL),
        event("message_delta", 0.5, delta={"stop_reason": "tool_use"}, usage={"output_tokens": 7}),
        event("message_stop", 0.6),
        tools=[{"name": "get_weather"}],
    ),
    exchange(TOLD, url=URL + "/count_tokens", status=404),
    exchange(TOLD, event("content_block_delta", 0.2, index=0, delta={"type": "text_delta", "text": EVIL}), end="reset"),
]


def save(path: Path, *exchanges: Exchange) -> Path:
    update(path, lambda _: Cassette(exchanges=[stored(one) for one in exchanges]))
    return path


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return save(tmp_path / "weather.yaml", *WEATHER)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # argparse
        code = int(stopped.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_show_tells_the_conversation(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", cassette)
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    assert lines == [
        f"{cassette}  2 turns, 4 exchanges, 12 tokens in, 7 out",
        "tests/test_a.py::test_weather",
        "turns[0]  claude-x  streamed  0.10 s to the head, 1.50 s",
        "tools  get_weather",
        "→ user  What's the weather in [red]Paris[/red]?",
        "attempt 0  529 Overloaded  0.10 s to the head, 1.50 s",
        "attempt 1  200 OK  0.10 s to the head, 1.50 s",
        "← thinking  Paris is Paris is Paris is Paris is Paris is Paris is Paris…  (360 characters)",
        '← calls get_weather  {"city":"Paris"}  toolu_1',
        "tool_use, 12 tokens in, 7 out",
        f"exchanges[2]  POST {URL}/count_tokens  404 Not Found  0.10 s to the head, 1.50 s",
        "turns[1]  claude-x  streamed  0.10 s to the head, 1.50 s",
        "1 message as before",
        "→ assistant  the answer of turns[0], sent back",
        "→ user result for toolu_1  18 °C",
        "attempt 0  200 OK, reset after 214 bytes  0.10 s to the head, 1.50 s",
        f"← text  {printable(EVIL)}",
        "← incomplete: the answer has no proper end",
        "no stop reason",
    ]


def test_show_one_turn_in_full_with_its_events(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", cassette, "--turn", 0, "--events")
    assert code == 0
    assert "turns[1]" not in out
    assert ("Paris is " * 40).strip() in out
    assert '   0 +0.100 message_start {"type": "message_start"' in out
    assert '   4 +0.100 message_stop {"type": "message_stop"}' in out
    assert "no events: 60 bytes application/json" in out


@pytest.mark.parametrize("width", [1, 20, 80, 300])
@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_recorded_reaches_the_terminal_raw(width: int, terminal: bool) -> None:
    seen = io.StringIO()
    evil = [
        Exchange(
            Request(EVIL, "https://x/" + EVIL, (), Json({"model": EVIL})),
            (Head(200, (("content-type", EVIL),), reason=EVIL), Chunk(0.1, EVIL.encode()), End("reset", 1, EVIL, EVIL)),
            test=EVIL, after=EVIL,
        ),
        exchange(
            [{"role": EVIL, "content": EVIL}, {"role": EVIL, "content": [EVIL, None, 7, {"type": EVIL, EVIL: EVIL}]}],
            event("content_block_start", 0.1, index=0, content_block={"type": EVIL, EVIL: EVIL}),
            event("content_block_start", 0.1, index=1, content_block={"type": "tool_use", "id": EVIL, "name": EVIL}),
            event("error", 0.2, error={"type": EVIL, "message": EVIL}),
            system=EVIL, tools=[{"name": EVIL}, EVIL, None],
        ),
    ]  # fmt: skip
    console = Console(file=seen, width=width, force_terminal=terminal, color_system=None, highlight=False)
    show(evil, title=EVIL, events=True, console=console)
    show(evil, turn=0, events=True, console=console)
    assert {char for char in seen.getvalue() if not char.isprintable()} <= {"\n", "\ufe0f"}


def test_plain_where_nobody_watches_or_colour_is_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for variables, terminal, coloured in (({"NO_COLOR": "1"}, True, False), ({}, False, False), ({}, True, True)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        seen = io.StringIO()
        show(WEATHER, console=Console(file=seen, force_terminal=terminal, width=80, highlight=False))
        assert ("\x1b[36m" in seen.getvalue() or "\x1b[1;36m" in seen.getvalue()) is coloured


@pytest.mark.parametrize("name", ["missing.yaml", "empty.yaml", "foreign.yaml", "cut.yaml", "folder"])
def test_what_cannot_be_read_is_named_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "foreign.yaml").write_text("a: [1, \x1b[2J\n")
    whole = save(tmp_path / "whole.yaml", *WEATHER).read_bytes()
    (tmp_path / "cut.yaml").write_bytes(whole[: len(whole) // 2])
    code, out, err = run(capsys, "show", tmp_path / name)
    assert (code, out) == (2, "")
    assert name in err
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()


@pytest.fixture
def pipe(tmp_path: Path, cassette: Path) -> Iterator[Path]:
    """A named pipe into which somebody is about to write a whole cassette."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)

    def write() -> None:
        with contextlib.suppress(OSError):
            pipe.write_bytes(cassette.read_bytes())

    writer = threading.Thread(target=write)
    writer.start()
    yield pipe
    while writer.is_alive():
        with contextlib.suppress(OSError):
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
        writer.join(0.01)


COMMANDS = ["check {} {good}", "scan {} {good}", "scan --fix {}", "show {}", "convert {} {good}.new", "check --json {}"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_and_a_device_are_named_and_not_read(
    command: str, kind: str, pipe: Path, cassette: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = pipe if kind == "pipe" else Path(os.devnull)
    code, out, err = run(capsys, *command.format(named, good=cassette).split())
    assert code == 2
    assert err.startswith(f"convo-replay: {named}: no regular file")
    assert err.count("\n") == 1
    assert "but as text" not in out
    if "{good}" in command and "convert" not in command:
        assert "exchanges" in out  # of the other file


def test_a_pipe_in_a_folder_is_passed_over(pipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "scan"):
        code, out, err = run(capsys, command, pipe.parent)
        assert (code in (0, 1), err) == (True, "")
        assert "1 file" in out


@pytest.mark.parametrize("turn", [-1, 2, 10**9])
def test_a_turn_that_is_not_there(turn: int, cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "show", cassette, "--turn", turn)
    assert code == 2
    assert f"there is no turn {turn}; the cassette has turns 0 to 1" in err


@pytest.mark.parametrize("named", ["weather.new.yaml", "weather.yaml", "."])
def test_accept_takes_the_kept_recording(named: str, cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = save(cassette.with_name("weather.new.yaml"), WEATHER[1])
    code, out, err = run(capsys, "accept", cassette.parent / named)
    assert (code, err) == (0, "")
    assert out == f"{cassette}: took 1 exchange of weather.new.yaml\n"
    assert not kept.exists()
    assert [one.status for one in load(cassette).exchanges] == [200]


def test_accept_refuses_a_corrupt_recording_and_takes_the_others(
    cassette: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = cassette.read_bytes()
    torn = cassette.with_name("weather.new.yaml")
    torn.write_bytes(before[: len(before) // 2])
    save(cassette.with_name("zebra.new.yaml"), WEATHER[1])
    code, out, err = run(capsys, "accept", cassette.parent)
    assert code == 2
    assert "weather.new.yaml" in err
    assert "zebra.yaml: took 1 exchange" in out
    assert cassette.read_bytes() == before
    assert torn.exists()


def test_accept_with_nothing_to_accept(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "accept", cassette.parent)
    assert (code, out[:18]) == (0, "nothing to accept:")
    for path in (cassette, cassette.with_name("other.new.yaml")):
        code, out, err = run(capsys, "accept", path)
        assert (code, out) == (2, "")
        assert "nothing to accept, there is no" in err


KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
VCRPY = f"""\
interactions:
- request: {{method: POST, uri: "{URL}", body: '{{"model": "m", "k": "{KEY}"}}', headers: {{}}}}
  response: {{status: {{code: 200, message: OK}}, headers: {{}}, body: {{string: hello}}}}
version: 1
"""


def test_convert_one_cassette_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    src, dst, back = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "back.yaml"
    src.write_text(VCRPY)
    assert run(capsys, "convert", src, dst) == (0, f"{dst}\n", "")
    assert [one.body for one in load(dst).exchanges] == [b"hello"]
    save(tmp_path / "weather.yaml", *WEATHER)
    code, out, err = run(capsys, "convert", tmp_path / "weather.yaml", back)
    assert (code, out) == (0, f"{back}\n")
    assert [line.partition(": lost in back.yaml: ")[2] for line in err.splitlines()] == [
        "exchanges[3]: the answer broke off (reset); it will end after its 214 bytes",
        "times of 4 exchange(s)",
        "the tests that 4 exchange(s) belong to",
    ]
    assert [one.status for one in load(back).exchanges] == [529, 200, 404, 200]
    code, out, err = run(capsys, "convert", src, dst)
    assert (code, out) == (2, "")
    assert "new.yaml: there is a file of this name already, which is not overwritten" in err


def test_convert_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    src, dst = tmp_path / "old", tmp_path / "new"
    (src / "deep" / "_blobs").mkdir(parents=True)
    (src / ".hidden").mkdir()
    (src / "a.yaml").write_text(VCRPY)
    (src / "deep" / "b.json").write_text(json.dumps({"interactions": []}))
    (src / "deep" / "suffixless").write_text(VCRPY)
    (src / "README.md").write_text("These are: [cassettes")
    (src / "other.yaml").write_text("a: 1\n")
    (src / ".hidden" / "c.yaml").write_text(VCRPY)
    (src / "deep" / "_blobs" / "ab.png").write_bytes(b"\x89PNG")
    code, out, err = run(capsys, "convert", src, dst)
    assert code == 0
    assert out.splitlines() == [str(dst / name) for name in ("a.yaml", "deep/b.yaml", "deep/suffixless")]
    assert [line.split(": ")[1].partition(":")[0] for line in err.splitlines()] == [
        str(src / "README.md"), str(src / "other.yaml"),
    ]  # fmt: skip
    assert sorted(path.name for path in dst.rglob("*") if path.is_file()) == ["a.yaml", "b.yaml", "suffixless"]

    (src / "broken.yaml").write_text(VCRPY[:150])
    code, out, err = run(capsys, "convert", src, tmp_path / "again")
    assert code == 2
    assert "broken.yaml" in err
    assert len(out.splitlines()) == 3, "the others are converted all the same"

    code, out, err = run(capsys, "convert", src, dst)
    assert (code, out) == (2, "")
    assert err.count("is not overwritten") == 3
    (tmp_path / "nothing").mkdir()
    assert run(capsys, "convert", tmp_path / "nothing", dst)[:2] == (
        0, f"nothing to convert: no file under {tmp_path / 'nothing'}\n",
    )  # fmt: skip


def test_convert_sanitizes_unless_it_is_told_not_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / "old").mkdir(exist_ok=True)
        (tmp_path / "old" / f"{name}.yaml").write_text(VCRPY)
    assert run(capsys, "convert", tmp_path / "old", tmp_path / "on")[0] == 0
    assert KEY not in (tmp_path / "on" / "a.yaml").read_text()
    assert run(capsys, "convert", tmp_path / "old", tmp_path / "off", "--sanitize=off")[0] == 0
    assert KEY in (tmp_path / "off" / "a.yaml").read_text()
    (tmp_path / "project" / ".git").mkdir(parents=True)
    code, out, err = run(capsys, "convert", tmp_path / "old", tmp_path / "project" / "new", "--sanitize=off")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "refused inside a git work tree" in err
    assert run(capsys, "convert", tmp_path / "old", tmp_path / "new", "--sanitize=maybe")[0] == 2


def test_convert_writes_no_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    src = tmp_path / "old.yaml"
    src.write_text(VCRPY.replace("body: {string: hello}", f"body: {{string: hello}}, http_version: {KEY}"))
    code, out, err = run(capsys, "convert", src, tmp_path / "new.yaml")
    assert (code, out) == (2, "")
    assert "not saved, it would hold" in err
    assert KEY not in err
    assert not (tmp_path / "new.yaml").exists()


@pytest.mark.parametrize("command", [[], ["demo"], ["show"], ["check"], ["accept"], ["convert"]])
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *command, "--help")
    assert code == 0
    assert "example: convo-replay " in out


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["show"], ["show", "a", "--turn", "x"], ["accept"], ["convert", "a"]]
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "convo-replay" in err


def test_the_module_runs_and_starts_light() -> None:
    heavy = "{'rich', 'pydantic', 'yaml', 'orjson', 'httpx', 'httpx2', 'pytest', 'anthropic'}"
    program = (
        "import sys, runpy; sys.argv[1:] = ['--version']\n"
        "try: runpy.run_module('convo_replay', run_name='__main__')\n"
        f"finally: print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"convo-replay {__version__}\n[]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ntext", "plain\ntext"),
        ("a\r\nb\tc", "a\nb    c"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("☀️ é 日本", "☀️ é 日本"),
        (7, "7"),
    ],
)
def test_printable(text: object, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"), [("a\nb", 9, "a b"), ("abcdef", 4, "abc…"), ("x" * 9, 1, "…"), ("", 3, "")]
)
def test_one_line(text: str, width: int, expected: str) -> None:
    assert one_line(text, width) == expected
