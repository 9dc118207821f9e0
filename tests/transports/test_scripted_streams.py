"""What a client takes of a broken answer, when it leaves, and how long it waits; told to whoever judges it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trio

from convo_replay import Conversation, ConvoFailure, use_cassette, waiting
from convo_replay.cassette import Cassette, update
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Steps
from convo_replay.faults.specs import Plan, Spec
from convo_replay.transports import scripted
from endings import EVENTS, TYPE, Scripted

URL = "http://127.0.0.1:9/v1/any"
CHUNKS = tuple(f"data: {n}\n\n".encode() for n in range(4))
SETTINGS: dict[str, Any] = {"intercept": ["127.0.0.1"], "validate": "off", "unplayed": "ignore", "repeats": True}
HEAD = Head(200, EVENTS)
BODY = tuple(Chunk(0, data) for data in CHUNKS)
WHOLE = (HEAD, *BODY, End())
RESET = (HEAD, *BODY, End("reset"))
STALL = (HEAD, BODY[0], End("timeout", phase="read"))
OF_HTTPX = r"\b(BoundAsyncStream|ByteStream)\.__aiter__"
"""What httpx 0.28 leaves to the collector itself, whatever its transport: of an answer, and of what it still sends."""
pytestmark = pytest.mark.filterwarnings(f"ignore:.*{OF_HTTPX}:pytest.PytestUnraisableExceptionWarning")
MODULES = pytest.mark.parametrize("module", [httpx, httpx2], ids=lambda module: module.__name__)


@contextlib.contextmanager
def playing(folder: Path, steps: Steps | None = None, recorded: Steps = WHOLE) -> Iterator[Conversation]:
    """A conversation whose next answer has these steps."""
    path = folder / "kept.yaml"
    update(path, lambda _: Cassette(clients={}, exchanges=[Exchange(Request("POST", URL, TYPE, Json({})), recorded)]))
    with use_cassette(path, **SETTINGS) as convo:
        if steps is not None:
            convo.inject(Plan((Spec(Scripted(steps)),)))
        yield convo


def post(client: Any) -> Any:
    return client.stream("POST", URL, content=b"{}", headers=dict(TYPE))


@MODULES
def test_a_chunk_at_a_time(module: Any, tmp_path: Path):
    seen, attempts = [], []

    def read(client: Any) -> None:
        with post(client) as response:
            attempts.append(response.extensions["convo_replay_fault"])
            for data in response.iter_raw():
                seen.append(data)
                assert attempts[0].delivered == sum(map(len, seen))

    with playing(tmp_path, RESET) as convo, module.Client() as client, pytest.raises(module.ReadError) as caught:
        read(client)
    assert tuple(seen) == CHUNKS
    assert (attempts[0].state, attempts[0].raised) == ("raised", caught.value)
    assert convo.run is not None
    assert convo.run.attempts == attempts


@MODULES
@pytest.mark.parametrize("end", [End("reset"), End()], ids=["cut", "whole"])
@pytest.mark.parametrize("taken", [0, 2, 4])
def test_who_leaves(module: Any, end: End, taken: int, tmp_path: Path):
    steps = (HEAD, *(Chunk(1, data) for data in CHUNKS), end)
    with playing(tmp_path, steps) as convo:
        with module.Client() as client, post(client) as response:
            for _, _ in zip(range(taken), response.iter_raw(), strict=False):
                pass
        asyncio.run(leave(module, taken))
        trio.run(leave, module, taken)
        assert convo.run is not None
        first = convo.run.attempts[0]
    has_all = taken == 4 and end.kind == "complete"
    assert (first.state, first.delivered) == ("read" if has_all else "left", sum(map(len, CHUNKS[:taken])))


async def leave(module: Any, taken: int) -> None:
    async with (
        module.AsyncClient() as client,
        post(client) as response,
        contextlib.aclosing(response.aiter_raw()) as chunks,
    ):
        for _ in range(taken):
            await anext(chunks)


@MODULES
def test_who_leaves_in_a_task_leaves_nothing_behind(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)

    async def cancelled() -> None:
        task = asyncio.create_task(hang(module))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def scoped() -> None:
        with trio.move_on_after(0.01):
            await hang(module)

    for run in (lambda: asyncio.run(leave(module, 1)), lambda: trio.run(leave, module, 1)):
        with playing(tmp_path, RESET) as convo:
            run()
        assert convo.run is not None
        assert convo.run.attempts[0].state == "left"
    for run in (lambda: asyncio.run(cancelled()), lambda: trio.run(scoped)):
        with playing(tmp_path, STALL) as convo:
            run()
        assert convo.run is not None
        assert convo.run.attempts[0].state in ("left", "raised")
    gc.collect()
    said = [str(one.exc_value) for one in found]
    assert [text for text in said if not re.search(OF_HTTPX, text)] == []


async def hang(module: Any, timeout: float | None = 5e6) -> None:
    async with module.AsyncClient(timeout=timeout) as client, post(client) as response:
        await response.aread()


@MODULES
def test_who_waits_for_ever_is_told(module: Any, tmp_path: Path):
    def wait() -> None:
        with module.Client(timeout=None) as client, post(client) as response:
            response.read()

    for run in (wait, lambda: asyncio.run(hang(module, None)), lambda: trio.run(hang, module, None)):
        with pytest.raises(ConvoFailure), playing(tmp_path, STALL) as convo:
            run()
        assert convo.run is not None
        assert [attempt.number for attempt in convo.run.hung] == [0]


@MODULES
def test_a_deadline_around_comes_first(module: Any, tmp_path: Path):
    async def in_asyncio() -> None:
        async with asyncio.timeout(3600):
            await hang(module, None)

    async def in_trio() -> None:
        with trio.fail_after(3600):
            await hang(module, None)

    for run, error in (
        (lambda: asyncio.run(in_asyncio()), TimeoutError),
        (lambda: trio.run(in_trio), trio.TooSlowError),
    ):
        with playing(tmp_path, STALL) as convo, pytest.raises(error):
            run()
        assert convo.run is not None
        assert not convo.run.hung


@MODULES
@pytest.mark.parametrize("can_skip", [True, False])
def test_waits_of_a_fault(module: Any, can_skip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They pass on the clock of the run, and a client's timeout counts."""
    monkeypatch.setattr(waiting, "can_skip", lambda: can_skip)
    slow = (HEAD, Chunk(40, b"one"), Chunk(0, b"two"))

    def read() -> bytes:
        with module.Client(timeout=60) as client, post(client) as response:
            return b"".join(response.iter_raw())

    async def in_task() -> bytes:
        async with module.AsyncClient(timeout=60) as client, post(client) as response:
            return await response.aread()

    for run in (read, lambda: asyncio.run(in_task()), lambda: trio.run(in_task)):
        with playing(tmp_path, (*slow, End())):
            before = waiting.now()
            assert run() == b"onetwo"
            assert waiting.now() - before >= (40 if can_skip or run is read else 0)
        with playing(tmp_path, (*slow, Chunk(90, b"three"), End())) as convo:
            before = waiting.now()
            with pytest.raises(module.ReadTimeout):
                run()
            assert waiting.now() - before >= (100 if can_skip or run is read else 0)
        assert convo.run is not None
        assert convo.run.attempts[0].delivered == 6


@MODULES
@pytest.mark.parametrize("timeout", [600, None])
def test_a_recorded_timeout_comes_at_once(module: Any, timeout: float | None, tmp_path: Path):
    """Whatever the client's own is by now."""

    def wait() -> None:
        with module.Client(timeout=timeout) as client:
            client.post(URL, content=b"{}", headers=dict(TYPE))

    async def in_asyncio() -> None:
        async with asyncio.timeout(5):
            await hang(module, timeout)

    async def in_trio() -> None:
        with trio.fail_after(5):
            await hang(module, timeout)

    for run in (wait, lambda: asyncio.run(in_asyncio()), lambda: trio.run(in_trio)):
        with playing(tmp_path, recorded=STALL), pytest.raises(module.ReadTimeout):
            run()


@MODULES
def test_a_version_that_is_built_otherwise_gets_the_same_classes(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert scripted.is_usable(scripted_library(module))
    monkeypatch.setattr(scripted, "is_usable", lambda _: False)
    with playing(tmp_path, RESET), module.Client() as client, pytest.raises(module.ReadError):
        client.post(URL, content=b"{}", headers=dict(TYPE))


def scripted_library(module: Any) -> Any:
    from convo_replay.transports.httpx import library_of

    return library_of(module)


@MODULES
@pytest.mark.parametrize(
    ("end", "error"),
    [
        (End("truncated", detail="<StreamReset stream_id:1, error_code:2>"), "RemoteProtocolError"),
        (End("truncated", detail="peer closed connection (received 7 bytes, expected 99)"), "RemoteProtocolError"),
        (End("reset", detail="[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] (_ssl.c:2580)"), "ReadError"),
        (End("reset", detail="[Errno 54] Connection reset by peer"), "ReadError"),
    ],
    ids=["HTTP/2", "a body that came encoded", "TLS", "macOS"],
)
def test_the_words_of_a_recording_from_elsewhere_stay(module: Any, end: End, error: str, tmp_path: Path):
    kind = getattr(module, error)
    with playing(tmp_path, recorded=(HEAD, *BODY, end)), module.Client() as client, pytest.raises(kind) as caught:
        client.post(URL, content=b"{}", headers=dict(TYPE))
    assert str(caught.value) == end.detail
