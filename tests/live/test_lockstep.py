"""Tokens flow while they are recorded: the server sends an event only once the one before was confirmed."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from live.callers import RAW, STREAMING, anthropic_async_stream, anthropic_stream, openai_stream, use_cassette
from upstream import Upstream


@pytest.mark.parametrize("caller", STREAMING.values(), ids=STREAMING)
def test_a_hundred_events_pass_one_by_one(caller, upstream: Upstream, cassette: Path):
    url = upstream.url("deltas,n=99,piece=8,lock=a")
    with use_cassette(cassette, record="once"):
        recorded = caller(url, lambda n: upstream.ack("a", n))
    assert recorded.error is None
    assert len(recorded.events) >= 100
    upstream.stop()
    with use_cassette(cassette):
        replayed = caller(url)
    assert replayed == recorded  # raw callers too: one chunk is one event, in both


@pytest.mark.parametrize("caller", RAW.values(), ids=RAW)
def test_replay_gives_one_event_at_a_time_however_it_was_chunked(caller, upstream: Upstream, cassette: Path):
    url = upstream.url("unicode,split=5")
    with use_cassette(cassette, record="once"):
        caller(url)
    upstream.stop()
    with use_cassette(cassette):
        replayed = caller(url)
    chunks = replayed.events[1:]
    assert all(chunk.count(b"\n\n") == 1 and chunk.endswith(b"\n\n") for chunk in chunks)
    assert len(chunks) == b"".join(chunks).count(b"\n\n")


@pytest.mark.parametrize("caller", [anthropic_stream, anthropic_async_stream, openai_stream])
@pytest.mark.parametrize(("timing", "factor"), [("recorded", 1.0), (3.0, 3.0)])
def test_recorded_gaps_come_back(caller, timing, factor, upstream: Upstream, cassette: Path):
    """A lower bound only: waiting never ends early, and machines may be slow."""
    url = upstream.url("deltas,n=2,gaps=0~0.15")
    with use_cassette(cassette, record="once"):
        at: list[float] = []
        caller(url, lambda n: at.append(time.monotonic()))
    recorded = [later - earlier for earlier, later in pairwise(at)]
    upstream.stop()
    at.clear()
    with use_cassette(cassette, timing=timing):
        caller(url, lambda n: at.append(time.monotonic()))
    replayed = [later - earlier for earlier, later in pairwise(at)]
    assert len(replayed) == len(recorded)
    long = [n for n, gap in enumerate(recorded) if gap > 0.1]
    assert long
    for n in long:
        assert replayed[n] > 0.1 * factor
