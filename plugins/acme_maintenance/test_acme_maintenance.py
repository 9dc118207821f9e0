"""Clients of the gateway on the day of its maintenance: `pip install . && pytest`."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

import convo_replay
from convo_replay import faults
from convo_replay.cli import main

CASSETTE = """
convo_replay: 1
exchanges:
  - request:
      method: POST
      url: "https://acme.example/v1/messages"
      headers: {anthropic-version: "2026-10-21"}
      json: {model: claude-haiku-5-5, max_tokens: 64, messages: [{role: user, content: Hi}]}
    response:
      status: 200
      headers: {content-type: application/json}
      json:
        {id: msg_1, type: message, role: assistant, model: claude-haiku-5-5, stop_reason: end_turn,
         stop_sequence: null, content: [{type: text, text: Hello}], usage: {input_tokens: 9, output_tokens: 1}}
"""
ASKED = {"model": "claude-haiku-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}


def ask() -> httpx.Response:
    headers = {"anthropic-version": "2026-10-21"}
    return httpx.post("https://acme.example/v1/messages", json=ASKED, headers=headers)


def ask_again_when_the_gateway_says() -> str:
    while (answer := ask()).status_code == 503:
        time.sleep(float(answer.headers["retry-after"]))
    text: str = answer.json()["content"][0]["text"]
    return text


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "hello.yaml"
    path.write_text(CASSETTE, "utf-8")
    return path


def test_a_client_that_waits(cassette: Path) -> None:
    with (
        convo_replay.use_cassette(cassette, retry_modules=[__name__]) as convo,
        convo.replay(faults="acme_maintenance:2x2", expect="recovered") as run,
    ):
        assert ask_again_when_the_gateway_says() == "Hello"
    assert [seconds for exchange in run.exchanges for seconds in exchange.waits] == [120.0, 120.0]


def ask_again_at_once() -> None:
    assert ask().text == "Acme is being maintained.\n"
    assert ask().status_code == 200


def test_a_client_that_does_not_wait(cassette: Path) -> None:
    with (
        convo_replay.use_cassette(cassette) as convo,
        pytest.raises(convo_replay.ConvoFailure, match="retry-after-ignored"),
        convo.replay(faults="acme_maintenance"),
    ):
        ask_again_at_once()


def test_it_is_in_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert "acme_maintenance" in faults.catalogue()
    assert main(["faults"]) == 0
    assert "acme_maintenance[:MINUTES]\n    the Acme gateway is being maintained" in capsys.readouterr().out
