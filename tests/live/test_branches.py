"""What a client does after a fault and was never recorded: it diverges, is recorded as a branch, and replays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import yaml

from convo_replay import ConvoFailure, use_cassette
from upstream import Upstream

QUESTION = "Tell me something long about the weather"


def anthropic_client(url: str) -> Any:
    return anthropic.Anthropic(api_key="sk-ant-test", base_url=url, max_retries=1)


def streamed(client: Any, model: str, messages: list[dict[str, Any]]) -> tuple[str, str | None]:
    with client.messages.stream(model=model, max_tokens=100, messages=messages) as stream:
        answer = stream.get_final_message()
    return "".join(block.text for block in answer.content), answer.stop_reason


def falls_back(url: str) -> str:
    """Another model, where the first one is overloaded."""
    with anthropic_client(url) as client:
        messages = [{"role": "user", "content": QUESTION}]
        try:
            return streamed(client, "claude-sonnet-5-5", messages)[0]
        except anthropic.APIStatusError:
            return streamed(client, "claude-haiku-5-5", messages)[0]


def goes_on(url: str) -> str:
    """The part that came is sent back, with the wish for the rest."""
    with anthropic_client(url) as client:
        messages: list[dict[str, Any]] = [{"role": "user", "content": QUESTION}]
        text, stop = streamed(client, "claude-sonnet-5-5", messages)
        if stop is None:
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "continue"}]
            text += streamed(client, "claude-sonnet-5-5", messages)[0]
        return text


def falls_back_openai(url: str) -> str:
    with openai.OpenAI(api_key="sk-test", base_url=f"{url}/v1", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": QUESTION}]
        try:
            made = client.chat.completions.create(model="gpt-5.5", messages=messages)
        except openai.APIStatusError:
            made = client.chat.completions.create(model="gpt-5.4-mini", messages=messages)
        return str(made.choices[0].message.content)


# client, faults, the cassette's line, what explains the divergence, other faults after which it does the same
CLIENTS = {
    "another model": (falls_back, "529x*", "after: 529@t0x*", "", "400x*"),
    "continue": (goes_on, "cut:eof@5", "after: cut:eof@t0.5", "partial-turn-sent-back", "cut:eof@6"),
    "another model, openai": (falls_back_openai, "503x*", "after: 503@t0x*", "", "400x*"),
}


@pytest.mark.parametrize(("client", "faults", "line", "rule", "others"), CLIENTS.values(), ids=CLIENTS)
def test_a_client_that_does_something_else(
    client: Any, faults: str, line: str, rule: str, others: str, upstream: Upstream, cassette: Path
) -> None:
    url = upstream.url("text,piece=4")
    with use_cassette(cassette, record="once"):
        whole = client(url)
    asked = len(upstream.log())

    with use_cassette(cassette) as convo:
        with pytest.raises(ConvoFailure) as diverged, convo.replay(faults=faults) as run:
            client(url)
        assert run.verdict is not None
        assert run.verdict.outcome == "diverged"
        assert [one.rule for one in run.verdict.findings] == ([rule] if rule else [])
    text = str(diverged.value)
    assert text.startswith("diverged")
    assert text.index(rule) < text.index("after the fault the client sent")
    assert "record it as a branch" in text
    assert len(upstream.log()) == asked

    with use_cassette(cassette, record="new_episodes") as convo, convo.replay(faults=faults) as run:
        branched = client(url)
    assert run.verdict is not None
    assert run.verdict.outcome == "recovered"
    assert len(upstream.log()) == asked + 1
    assert line in cassette.read_text()
    assert [exchange.get("after", "") != "" for exchange in yaml.safe_load(cassette.read_text())["exchanges"]] == [
        False, True,
    ]  # fmt: skip

    upstream.stop()
    with use_cassette(cassette) as convo, convo.replay(faults=faults) as run:
        assert client(url) == branched
    assert run.verdict is not None
    assert run.verdict.outcome == "recovered"
    assert [one for one in run.verdict.findings if one.level == "error"] == []

    with use_cassette(cassette, unplayed="error"):  # the plain run knows nothing of branches
        assert client(url) == whole
    with use_cassette(cassette) as convo:
        with pytest.raises(ConvoFailure) as diverged, convo.replay(faults=others) as run:
            client(url)  # and of no other fault
        assert run.verdict is not None
        assert [(one.rule, one.level) for one in run.verdict.findings] == ([(rule, "error")] if rule else [])
    same = f"the same is recorded as a branch after {line.removeprefix('after: ')}, and is played after that alone"
    assert (same in str(diverged.value)) == (rule == "")  # half of it was another half
