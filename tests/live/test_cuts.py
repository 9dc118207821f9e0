"""A stream that dies while it is recorded dies again when it is replayed: same class, message and events."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from convo_replay import ConvoFailure
from live.callers import (
    RAW,
    Seen,
    anthropic_async_helper,
    anthropic_async_stream,
    anthropic_create,
    anthropic_stream,
    async_client,
    body,
    client,
    openai_async_stream,
    openai_create,
    openai_stream,
    plain,
    use_cassette,
)
from upstream import Upstream

CALLERS = {
    "anthropic": anthropic_stream, "anthropic async": anthropic_async_stream, "helper": anthropic_async_helper,
    "openai": openai_stream, "openai async": openai_async_stream, **RAW,
}  # fmt: skip
CUTS = {
    "reset": ("reset", "ReadError"), "truncated framing": ("truncated", "RemoteProtocolError"),
    "short content-length": ("short", "RemoteProtocolError"), "silence": ("silence", "ReadTimeout"),
    "reset inside an event": ("reset,mid=25", "ReadError"),
    "truncated inside an event": ("truncated,mid=25", "RemoteProtocolError"),
}  # fmt: skip


def joined(seen: Seen) -> Seen:
    if len(seen.events) > 1 and isinstance(seen.events[1], bytes):
        return Seen([seen.events[0], b"".join(seen.events[1:])], seen.error)
    return seen


@pytest.mark.parametrize(("cut", "error"), CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_a_cut_stream(caller, cut, error, upstream: Upstream, cassette: Path):
    url = upstream.url(f"text,at=5,cut={cut}")
    timeout = 0.4 if cut == "silence" else 5
    with use_cassette(cassette, record="once"):
        recorded = caller(url, timeout=timeout)
    assert recorded.error
    assert recorded.error[0].rpartition(".")[2] in (error, "APIConnectionError", "APITimeoutError", "APIError")
    assert recorded.events
    upstream.stop()
    with use_cassette(cassette) as convo:
        replayed = caller(url, timeout=timeout)
    assert joined(replayed) == joined(recorded)
    assert convo.exchanges[-1].end.kind in ("reset", "truncated", "timeout")


@pytest.mark.parametrize("cut", ["reset", "truncated", "short", "silence"])
@pytest.mark.parametrize("caller", [anthropic_create, openai_create])
def test_a_cut_body(caller, cut, upstream: Upstream, cassette: Path):
    url = upstream.url(f"text,cut={cut},mid=40")
    with use_cassette(cassette, record="once") as convo:
        recorded = caller(url, timeout=0.4, max_retries=1)
    assert recorded.error
    assert len(convo.turns) == 1
    upstream.stop()
    with use_cassette(cassette):
        replayed = caller(url, timeout=0.4, max_retries=1)
    assert replayed == recorded


def test_a_refused_connection(upstream: Upstream, cassette: Path):
    url = upstream.url()
    upstream.stop()
    with use_cassette(cassette, record="once"):
        recorded = anthropic_create(url, max_retries=0)
    upstream.start()  # elsewhere; replay must not come here
    upstream.clear()
    with use_cassette(cassette) as convo:
        replayed = anthropic_create(url, max_retries=0)
    assert replayed == recorded
    assert convo.exchanges[-1].end.kind == "refused"
    assert upstream.connections() == 0


@pytest.mark.parametrize("leave", [0, 1, 5])
def test_the_caller_breaks(leave, upstream: Upstream, cassette: Path):
    """While the server holds the next event back: the recording ends with what was read."""
    url = upstream.url("deltas,n=20,lock=a")

    def call() -> list:
        seen = []
        with client(url) as api, api.messages.create(**body(), stream=True) as stream:
            for n, event in enumerate(stream):
                seen.append(plain(event))
                if n == leave:
                    break
                if recording:
                    upstream.ack("a", n)
        return seen

    recording = True
    with use_cassette(cassette, record="once") as convo:
        recorded = call()
    assert convo.exchanges[-1].end.kind == "cancelled"
    upstream.stop()
    recording = False
    with use_cassette(cassette):
        replayed = call()
    assert replayed == recorded


def test_an_abandoned_stream_is_recorded_when_the_cassette_closes(upstream: Upstream, cassette: Path):
    url = upstream.url("deltas,n=20,lock=a")
    with use_cassette(cassette, record="once"):
        api = client(url)
        stream = iter(api.messages.create(**body(), stream=True))
        recorded = plain(next(stream))
    api.close()
    upstream.stop()
    with use_cassette(cassette), client(url) as api:
        assert plain(next(iter(api.messages.create(**body(), stream=True)))) == recorded
    del stream


def test_a_cancelled_task(upstream: Upstream, cassette: Path):
    url = upstream.url("deltas,n=20,lock=a")

    async def call(recording: bool) -> list:
        seen: list = []
        got = asyncio.Event()

        async def read() -> None:
            async with async_client(url) as api:
                async for event in await api.messages.create(**body(), stream=True):
                    seen.append(plain(event))
                    if len(seen) == 4:
                        got.set()
                        await asyncio.sleep(0)
                    elif recording:
                        upstream.ack("a", len(seen) - 1)

        task = asyncio.create_task(read())
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    with use_cassette(cassette, record="once") as convo:
        recorded = asyncio.run(call(True))
    assert convo.exchanges[-1].end.kind == "cancelled"
    upstream.stop()
    with use_cassette(cassette):
        replayed = asyncio.run(call(False))
    assert replayed[:4] == recorded == replayed


def test_a_task_cancelled_before_the_answer(upstream: Upstream, cassette: Path):
    url = upstream.url("text,delay=30")

    async def call() -> str:
        async with async_client(url) as api:
            try:
                await asyncio.wait_for(api.messages.create(**body()), 0.3)
            except TimeoutError:
                return "gave up"
        return "answered"

    with use_cassette(cassette, record="once"):
        assert asyncio.run(call()) == "gave up"


def test_who_reads_on_where_the_recording_left_is_told(upstream: Upstream, cassette: Path):
    """What was never read cannot be invented, and its lack is not passed off as the end of the stream."""
    url = upstream.url("deltas,n=20,lock=a")

    def read(events: int) -> int:
        count = 0
        with client(url) as api, api.messages.create(**body(), stream=True) as stream:
            for _ in stream:
                count += 1
                if count == events:
                    break
        return count

    with use_cassette(cassette, record="once"):
        assert read(1) == 1
    upstream.stop()
    with pytest.raises(ConvoFailure, match="recorded"), use_cassette(cassette):
        read(25)
