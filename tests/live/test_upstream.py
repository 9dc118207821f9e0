"""The scripted server does what it says, to the bare SDKs: the control of every other file here."""

from __future__ import annotations

import pytest

from live.callers import (
    RAW,
    STREAMING,
    anthropic_create,
    anthropic_stream,
    anthropic_thinking,
    anthropic_tool_loop,
    openai_tool_loop,
)
from upstream import UNICODE, Upstream


@pytest.mark.parametrize("caller", STREAMING.values(), ids=STREAMING)
def test_it_streams(caller, upstream: Upstream):
    seen = caller(upstream.url("unicode,split=5"))
    assert seen.error is None
    assert len(seen.events) > 5
    (received,) = upstream.log()
    assert received.json["stream"] is True
    assert UNICODE[:8].encode() in received.sent


@pytest.mark.parametrize("caller", RAW.values(), ids=RAW)
@pytest.mark.parametrize("how", ["gzip=1", "crlf=1,comments=1,pings=1", "close=1", "split=1"])
def test_it_sends_what_it_logs(caller, how, upstream: Upstream):
    seen = caller(upstream.url("unicode," + how))
    assert b"".join(seen.events[1:]) == upstream.log()[0].sent


@pytest.mark.parametrize(
    ("how", "error"),
    [("reset", "ReadError"), ("truncated", "RemoteProtocolError"), ("short", "RemoteProtocolError"),
     ("silence", "ReadTimeout"), ("eof", None)],
)  # fmt: skip
def test_it_cuts(how, error, upstream: Upstream):
    seen = anthropic_stream(upstream.url(f"text,at=4,cut={how}"), timeout=0.5)
    assert len(seen.events) == 3  # the ping is not shown
    assert (seen.error[0].rpartition(".")[2] if seen.error else None) == error


def test_it_fails_a_given_number_of_times(upstream: Upstream):
    seen = anthropic_create(upstream.url("text,fail=429,times=2"))
    assert [received.status for received in upstream.log()] == [429, 429, 200]
    assert seen.error is None


def test_it_redirects(upstream: Upstream):
    assert anthropic_create(upstream.url("text,redirect=307")).error is None
    assert [received.status for received in upstream.log()] == [307, 200]


@pytest.mark.parametrize("caller", [anthropic_tool_loop, openai_tool_loop])
def test_its_tool_loop_has_three_turns(caller, upstream: Upstream):
    caller(upstream.url("tools"))
    assert [len(received.json["messages"]) for received in upstream.log()] == [1, 3, 5]


def test_it_checks_signatures(upstream: Upstream):
    anthropic_thinking(upstream.url("thinking"))
    assert [received.status for received in upstream.log()] == [200, 200]


def test_it_waits_for_confirmation(upstream: Upstream):
    seen = anthropic_stream(upstream.url("deltas,n=3,lock=a"), lambda n: upstream.ack("a", n))
    assert len(seen.events) == 8
    stuck = anthropic_stream(upstream.url("deltas,n=3,lock=b"), timeout=0.3)
    assert len(stuck.events) == 1


def test_it_refuses_connections_once_stopped(upstream: Upstream):
    upstream.stop()
    seen = anthropic_create(upstream.url(), max_retries=0)
    assert seen.error
    assert seen.error[0].endswith("APIConnectionError")
