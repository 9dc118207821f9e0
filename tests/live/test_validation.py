"""Turns are validated while they are recorded from a server that takes anything, with the real SDKs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from convo_replay import ConvoFailure, InvalidTurn
from convo_replay.cassette import load
from live.callers import async_client, body, client, use_cassette
from upstream import Upstream

BROKEN = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "I look that up."},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 °C"}]},
]


def create(url: str, seen: list[Any], **more: Any) -> None:
    with client(url, max_retries=0) as api:
        seen.append(api.messages.create(**{**body(), **more}))


def stream(url: str, seen: list[Any], **more: Any) -> None:
    with client(url, max_retries=0) as api:
        seen.extend(api.messages.create(**{**body(), **more}, stream=True))


def helper(url: str, seen: list[Any], **more: Any) -> None:
    with client(url, max_retries=0) as api, api.messages.stream(**{**body(), **more}) as events:
        seen.extend(events)


def async_create(url: str, seen: list[Any], **more: Any) -> None:
    async def call() -> None:
        async with async_client(url, max_retries=0) as api:
            seen.append(await api.messages.create(**{**body(), **more}))

    asyncio.run(call())


def async_stream(url: str, seen: list[Any], **more: Any) -> None:
    async def call() -> None:
        async with async_client(url, max_retries=0) as api:
            async for event in await api.messages.create(**{**body(), **more}, stream=True):
                seen.append(event)

    asyncio.run(call())


CALLERS = {each.__name__: each for each in (create, stream, helper, async_create, async_stream)}


@pytest.mark.parametrize("caller", CALLERS)
def test_what_a_gateway_accepts_fails_once_its_answer_is_there_and_before_it_on_replay(
    upstream: Upstream, cassette: Path, caller: str
) -> None:
    call, seen = CALLERS[caller], []

    def run(record: str) -> InvalidTurn:
        seen.clear()
        with pytest.raises(InvalidTurn) as raised, use_cassette(cassette, record=record):
            call(upstream.url(), seen, messages=BROKEN)
        return raised.value

    text = str(run("once"))
    assert len(upstream.log()) == 1
    assert bool(seen) == (caller in ("stream", "helper", "async_stream"))  # each event as it arrived
    for part in ("turns[0]", "tool-result-unexpected", "request.messages[2].content[0]", "answered it all the same"):
        assert part in text
    (kept,) = load(cassette).exchanges
    assert (kept.status, kept.outcome) == (200, "failed")

    text = str(run("none"))
    assert len(upstream.log()) == 1
    assert not seen
    assert "answered it all the same" in text


def test_in_mode_live_too(upstream: Upstream) -> None:
    with pytest.raises(InvalidTurn), use_cassette(None, record="live"):
        create(upstream.url(), [], messages=BROKEN)
    assert len(upstream.log()) == 1


def test_an_attempt_that_was_not_answered_leaves_the_word_to_the_next(upstream: Upstream, cassette: Path) -> None:
    with (
        pytest.raises(InvalidTurn),
        use_cassette(cassette, record="once") as convo,
        client(upstream.url("text,fail=529")) as api,
    ):
        api.messages.create(**{**body(), "messages": BROKEN})
    assert [each.status for each in convo.exchanges] == [529, 200]


def test_of_a_kept_attempt_nobody_reads_the_answer_and_the_next_one_is_judged_all_the_same(
    upstream: Upstream, cassette: Path
) -> None:
    for record in ("once", "none"):
        with (
            pytest.raises(InvalidTurn),
            use_cassette(cassette, record=record, keep=("errors",)) as convo,
            client(upstream.url("text,fail=529")) as api,
            api.messages.stream(**{**body(), "messages": BROKEN}) as events,
        ):
            list(events)
        assert [(one.severity, one.exchange) for one in convo.findings] == [("info", 0), ("error", 1)]


def test_a_stream_that_ends_without_its_end_is_recorded_and_fails_when_all_is_over(
    upstream: Upstream, cassette: Path
) -> None:
    seen: list[Any] = []
    url = upstream.url("deltas,n=3,cut=eof,at=6")
    for record in ("once", "none"):
        seen.clear()

        def both(record: str = record) -> None:
            with use_cassette(cassette, record=record):
                stream(url, seen)
                create(url.replace(",cut=eof,at=6", ""), seen)

        with pytest.raises(ConvoFailure, match="stream-unterminated") as raised:
            both()
        assert len(seen) == 7
        assert not isinstance(raised.value, InvalidTurn)


def test_what_the_scripted_server_says_is_what_the_api_would_say(upstream: Upstream, cassette: Path) -> None:
    with use_cassette(cassette, record="once") as convo:
        for scenario in ("text", "thinking", "unicode", "deltas,n=3,pings=1,comments=1", "text,crlf=1", "text,gzip=1"):
            create(upstream.url(scenario), [])
            stream(upstream.url(scenario), [])
    assert [(one.rule, one.path) for one in convo.findings] == []
