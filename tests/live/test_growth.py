"""A conversation of k turns repeats itself in every request; its cassette does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from live.callers import httpx, httpx2, use_cassette
from upstream import Upstream

ANSWER = 'The answer to that is a sentence or two of ordinary length, with a little ünïcode ☀️ and "quotes".'


def converse(url: str, turns: int) -> list[bytes]:
    answers = []
    messages: list[Any] = []
    with (httpx2 or httpx).Client() as api:
        for n in range(turns):
            messages.append({"role": "user", "content": f"Question {n:04}: " + "what about this? " * 8})
            response = api.post(url + "/v1/messages", json={
                "model": "m", "max_tokens": 9, "stream": True, "messages": messages,
                "tools": [{"name": "t", "description": "d" * 500, "input_schema": {"type": "object"}}],
            })  # fmt: skip
            answers.append(response.content)
            messages.append({"role": "assistant", "content": [{"type": "text", "text": f"{n:04} {ANSWER}"}]})
    return answers


def test_the_file_grows_with_the_conversation_not_with_its_square(upstream: Upstream, tmp_path: Path):
    sizes = {}
    for turns in (50, 200):
        cassette = tmp_path / f"{turns}.yaml"
        with use_cassette(cassette, record="once"):
            recorded = converse(upstream.url("text,piece=40"), turns)
        sizes[turns] = cassette.stat().st_size
        if turns == 200:
            with use_cassette(cassette):
                assert converse(upstream.url("text,piece=40"), turns) == recorded
    each = sizes[200] / 200
    assert sizes[200] <= 1_000_000
    assert sizes[50] == pytest.approx(50 * each, rel=0.05)


def test_branches_and_edits_of_the_history(upstream: Upstream, cassette: Path):
    """Compaction, an edit in the middle, a branch, a cache mark that moves: each request comes back as sent."""
    url = upstream.url("text", "/v1/messages")

    def user(text: str, **more: Any) -> dict[str, Any]:
        return {"role": "user", "content": [{"type": "text", "text": text, **more}]}

    def assistant(text: str) -> dict[str, Any]:
        return {"role": "assistant", "content": text}

    cache = {"cache_control": {"type": "ephemeral"}}
    histories = [
        [user("a", **cache)],
        [user("a"), assistant("b"), user("c", **cache)],
        [user("a"), assistant("b"), user("c"), assistant("d"), user("e", **cache)],
        [user("a"), assistant("B"), user("c")],
        [user("summary"), assistant("ok"), user("f")],
        [user("a"), assistant("b"), user("c"), assistant("d"), user("g")],
        [user("a")],
        [user("$base"), {"role": "assistant", "content": "x", "$keep": 1}, user("y")],
    ]
    requests = [{"model": "m", "max_tokens": 9, "messages": history, "$base": n, "extra": None} for n, history in
                enumerate(histories)]  # fmt: skip
    with use_cassette(cassette, record="once") as convo, httpx.Client() as api:
        for request in requests:
            api.post(url, json=request)
    upstream.stop()
    assert [exchange.request.json for exchange in convo.exchanges] == requests
    with use_cassette(cassette) as convo, httpx.Client() as api:
        for request in reversed(requests):
            assert api.post(url, json=request).status_code == 200
    assert sorted(convo.exchanges, key=lambda e: e.request.json["$base"])[3].request.json == requests[3]
