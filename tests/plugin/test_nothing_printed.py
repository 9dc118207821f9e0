"""What a run of pytest prints and writes: no planted secret, with locals, diffs, logs, snapshots and reports."""

from __future__ import annotations

import json
import re

import pytest

from planted_everywhere import (
    EVERYTHING,
    HEADERS,
    PLANTED,
    SECRETS,
    URL,
    asked,
    assert_silent,
    interaction,
    message,
    stream,
)

pytest_plugins = ["pytester"]

AGENT = """
import json, os, httpx

__tracebackhide__ = True  # what the application has in its variables is its own

def sent(text, **more):
    asked = {"model": "claude-opus-4-7", "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}
    return httpx.post(os.environ["PLANTED_URL"], json=asked, headers=json.loads(os.environ["PLANTED_HEADERS"]))

def everything():
    return os.environ["PLANTED"]

def broken(text):
    return 1 / 0
"""
HEAD = """
import os, pytest, unittest
from agent import broken, everything, sent
from convo_replay import use_cassette

FOREIGN = os.environ["PLANTED_FILE"]

@pytest.fixture(scope="session")
def convo_config():
    return {"secrets": [os.environ["PLANTED_NAME"]], "unplayed": "warn"}

def named(**more):
    return pytest.mark.convo(cassette=FOREIGN, **more)
"""
TESTS = (
    HEAD
    + """
@named()
def test_miss():
    sent(everything() + " and more")

@named()
def test_invalid():
    sent([{"type": "tool_result", "tool_use_id": everything(), "content": "x"}])

@named(validate="off")
def test_swallowed():
    try:
        sent("?" + everything(), system=everything())
    except BaseException:
        raise ValueError("of the application") from None

@named()
def test_compared(convo):
    sent("again " + everything())
    assert [convo.exchanges, convo.turns, convo.turns[0].request.json, convo.turns[0].response] == [convo.config]

@named()
def test_compared_as_objects(convo):
    sent("again " + everything())
    assert convo.exchanges[0] == convo.turns[0].request

@named()
def test_one_and_another(convo):
    import dataclasses
    sent("again " + everything())
    assert convo.exchanges[0] == dataclasses.replace(convo.exchanges[0], test="x", steps=())

@named(faults=["error:overloaded_error@9", "cut:eof@12", "429", "cut:reset@b700"])
def test_faults():
    sent(everything(), stream=True)

@named()
def test_transcript(convo_transcript, snapshot):
    sent("again " + everything())
    assert convo_transcript == snapshot

@named(before_record=[print], record="new_episodes")
def test_leak():
    try:
        sent("nobody answers " + everything())
    except Exception:
        pass

def test_in_our_frames():
    # A bug of ours, say: an exception that comes from our frames, with a raw request in them.
    from convo_replay.redaction import Redactor
    Redactor(secrets=[broken]).text(everything())

class TestCase(unittest.TestCase):
    @named()
    def test_unittest(self):
        sent("unittest " + everything())
"""
)


@pytest.fixture
def planted(project, monkeypatch):
    items = [
        interaction(asked(stream=True), stream(EVERYTHING), "text/event-stream"),
        interaction(asked(f"again {EVERYTHING}"), json.dumps(message(EVERYTHING))),
    ]
    project.write("foreign.json", json.dumps({"version": 1, "interactions": items}))
    project.write("agent.py", AGENT)
    project.write("test_it.py", TESTS)
    environ = {
        "PLANTED": EVERYTHING,
        "PLANTED_URL": URL.replace("gateway.invalid", "127.0.0.1:9"),
        "PLANTED_HEADERS": json.dumps(HEADERS),
        "PLANTED_FILE": str(project.path / "foreign.json"),
        "PLANTED_NAME": SECRETS[0],
        "MY_SERVICE_TOKEN": PLANTED["environment"],
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return project


def test_a_run_with_all_that_can_be_shown(planted):
    arguments = ("--showlocals", "-vv", "--tb=long", "--log-level=DEBUG", "--convo-report=report.json", "-rA")
    result = planted.run(*arguments, "--snapshot-update", plugins=("syrupy",))
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] >= 8
    shown = result.stdout.str()
    assert "CassetteMiss: " in shown
    assert "InvalidTurn: " in shown
    assert "truncated-stream-accepted" in shown
    assert "ZeroDivisionError" in shown
    # What httpx and httpcore log is theirs.
    ours = "\n".join(line for line in shown.splitlines() if not re.match(r"(INFO|DEBUG) +http(x|core)\b", line))
    written = [path.read_text() for name in ("report.json", "*.ambr") for path in planted.path.rglob(name)]
    assert len(written) == 2
    assert_silent(ours, result.stderr.str(), *written)
