"""`convo_transcript == snapshot`, as a project with syrupy sees it: the file, a failure, an update, workers."""

from __future__ import annotations

import re

pytest_plugins = ["pytester"]

TESTS = """
import os
import threading

import httpx
import pytest
from agent import ask

REPLY = "18 °C\\nlight rain"

def loop(text, scenario="tools"):
    messages = [{"role": "user", "content": text}]
    while True:
        body = {"model": "claude-opus-4-7", "max_tokens": 64, "messages": messages}
        said = httpx.post(f"{os.environ['UPSTREAM']}/{scenario}/v1/messages", json=body).json()["content"]
        messages.append({"role": "assistant", "content": said})
        calls = [block for block in said if block["type"] == "tool_use"]
        if not calls:
            return
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": REPLY} for call in calls]
        messages.append({"role": "user", "content": results})

def test_loop(convo_transcript, snapshot):
    loop("What's the weather in Paris?")
    assert convo_transcript == snapshot

def test_other_side(snapshot, convo_transcript):
    ask("Hello")
    assert snapshot == convo_transcript

@pytest.mark.convo(keep=["errors"])
def test_retry_and_threads(convo_transcript, snapshot):
    ask_again = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "retried"}]}
    for _ in range(2):
        httpx.post(f"{os.environ['UPSTREAM']}/text,fail=529/v1/messages", json=ask_again)
    threads = [threading.Thread(target=loop, args=(f"{name}?", f"tools,delay={delay}"))
               for name, delay in (("slow", 0.02), ("fast", 0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert convo_transcript == snapshot(name="threads")
    assert str(convo_transcript).count("claude-opus-4-7") == 6
"""

LOOP = """\
# name: test_loop
  '''
  turns[0] claude-opus-4-7
    → user: What's the weather in Paris?
    ← text: I look it up. ☀️
    ← tool 1 get_weather: {city: Paris}
    ← stop: tool_use
    ← usage: 42 tokens in, 17 out
  turns[1] claude-opus-4-7
    → tool 1 result:
      │ 18 °C
      │ light rain
    ← tool 2 get_time: {city: Paris, zone: Europe/Paris}
    ← stop: tool_use
    ← usage: 42 tokens in, 17 out
  turns[2] claude-opus-4-7
    → tool 2 result:
      │ 18 °C
      │ light rain
    ← text: In Paris it is 18 °C, and ten o'clock.
    ← stop: end_turn
    ← usage: 42 tokens in, 17 out
  '''
# ---
# name: test_other_side
  '''
  turns[0] claude-opus-4-7
    → user: Hello
    ← text: Answer to: Hello
    ← stop: end_turn
    ← usage: 42 tokens in, 17 out
  '''
# ---
"""


def test_a_snapshot_of_a_recording_holds_for_its_replays_and_a_failure_shows_what_changed(project):
    project.write("test_it.py", TESTS)
    result = project.run("--convo-record=once", "--snapshot-update", plugins=("syrupy",))
    result.assert_outcomes(passed=3)
    stored = (project.path / "__snapshots__" / "test_it.ambr").read_text("utf-8")
    assert LOOP in stored
    assert "  ← attempt 0: 529 Overloaded\n" in stored
    project.sent()

    result = project.run("-n1", plugins=("syrupy", "xdist"))
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 snapshots passed."])
    assert project.sent() == []

    project.write("test_it.py", TESTS.replace("light rain", "heavy rain"))
    result = project.run("-k", "loop", "--convo-record=rewrite", plugins=("syrupy",))
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(
        ["E*assert ?+ received? == ?- snapshot?", "E  *- *│ light rain", "E  *+ *│ heavy rain"], consecutive=False
    )
    assert not re.search(r"^E +[-+] +[→←]", result.stdout.str(), re.MULTILINE)

    result = project.run("-k", "loop", "--convo-record=rewrite", "--snapshot-update", plugins=("syrupy",))
    result.assert_outcomes(passed=1, deselected=2)
    changed = (project.path / "__snapshots__" / "test_it.ambr").read_text("utf-8")
    assert changed == stored.replace("      │ light rain\n", "      │ heavy rain\n", 2)


def test_the_fixture_alone_makes_a_test_with_a_conversation(project):
    project.write(
        "test_it.py",
        """
from agent import ask

def test_it(convo_transcript):
    ask("one")
    assert convo_transcript == '''\\
turns[0] claude-opus-4-7
  → user: one
  ← text: Answer to: one
  ← stop: end_turn
  ← usage: 42 tokens in, 17 out'''
""",
    )
    project.run("--convo-record=once").assert_outcomes(passed=1)
    assert project.cassettes() == ["cassettes/test_it/test_it.yaml"]
