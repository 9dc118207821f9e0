"""The demo: what a first-time user sees, and that nothing in the environment leads it astray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convo_replay import demo

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("anthropic", reason="the demo needs an SDK")
    nowhere = "http://127.0.0.1:9"  # the discard port: nobody is there
    astray = dict.fromkeys(("HTTP_PROXY", "https_proxy", "ALL_PROXY", "ANTHROPIC_BASE_URL"), nowhere)
    astray |= {"ANTHROPIC_API_KEY": "sk-ant-yours", "CI": "1"}
    folder = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [sys.executable, "-m", "convo_replay", "demo"],
        env={**os.environ, **astray, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "PYTHONUTF8": "1"},
        cwd=folder, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == b""
    assert done.returncode == 0
    assert list(folder.iterdir()) == []
    return done.stdout.decode()


def test_it_says_what_happened_in_two_screens(shown: str) -> None:
    assert len(shown.splitlines()) < 80
    assert max(map(len, shown.splitlines())) <= 105
    assert shown.count("It is 18 °C in Paris, with light rain: take an umbrella.") == 2
    assert "2 turns, 36 events" in shown
    assert "connection refused" in shown
    assert "The same events, one at a time" in shown
    assert "no key, no address: `convo-replay scan` finds nothing." in shown
    assert "Paris? I am redacted-email-1@example.com." in shown
    assert '"text":' in shown
    assert "sk-ant" not in shown


def test_it_breaks_the_connection_and_says_what_came_of_it(shown: str) -> None:
    said = " ".join(shown.partition("5. Break.")[2].split())
    assert "429:retry_after=2 recovered: the SDK waited 2 s on a clock that was moved and asked again; " in said
    assert "assistant It is 18 °C silent: " in said
    assert "error truncated-stream-accepted (turns[1], attempt 0): " in said


def test_it_breaks_the_conversation_and_says_how(shown: str) -> None:
    said = " ".join(shown.partition("4. Validate.")[2].split())
    assert "assistant InvalidTurn, without a network: turns[1] is a request that the API rejects: POST http://" in said
    assert "tool-result-unexpected: " in said
    assert "at request.messages[2].content[0] expected " in said
    assert "the API answers 400: messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks" in said


def test_without_an_sdk_it_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert demo.run() == 2
    assert "pip install 'convo-replay[demo]'" in capsys.readouterr().err


def test_the_variables_of_the_user_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://mine")
    monkeypatch.setenv("https_proxy", "http://proxy")
    with demo._at_home():
        assert not {"ANTHROPIC_BASE_URL", "https_proxy"} & set(os.environ)
    assert os.environ["ANTHROPIC_BASE_URL"] == "http://mine"
    assert os.environ["https_proxy"] == "http://proxy"
