"""What applications do at the edges: leave late, wait themselves, move the directory, fork, upload."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convo_replay import ConvoFailure
from live import callers
from live.callers import HAS_TRIO, LIBRARIES, async_client, body, client, httpx, httpx2, plain, sdk_http
from live.project import ROOT
from upstream import Upstream

use_cassette = functools.partial(callers.use_cassette, validate="off")
"""What is sent here is not always what the API takes."""

ask_body = body("Hello")


# The caller's own clock ends it.


def test_a_timeout_of_the_caller_inside_a_stream(upstream: Upstream, cassette: Path):
    """Cancelled while it waits for an event that never comes; again, when it is replayed."""
    url = upstream.url("deltas,n=20,lock=a")

    async def call() -> tuple[list[Any], str]:
        seen: list[Any] = []
        async with async_client(url) as api:
            try:
                async with asyncio.timeout(0.4):
                    async for event in await api.messages.create(**body(), stream=True):
                        seen.append(plain(event))
            except TimeoutError:
                return seen, "timeout"
        return seen, "end"

    with use_cassette(cassette, record="once"):
        recorded = asyncio.run(call())
    assert recorded[1] == "timeout"
    assert len(recorded[0]) == 1
    upstream.stop()
    with use_cassette(cassette):
        assert asyncio.run(call()) == recorded


def test_a_timeout_of_the_caller_before_the_answer(upstream: Upstream, cassette: Path):
    url = upstream.url("text,delay=30")

    async def call() -> str:
        async with async_client(url, max_retries=0) as api:
            try:
                await asyncio.wait_for(api.messages.create(**body()), 0.3)
            except TimeoutError:
                return "gave up"
        return "answered"

    with use_cassette(cassette, record="once"):
        assert asyncio.run(call()) == "gave up"
    upstream.stop()
    with use_cassette(cassette):
        assert asyncio.run(call()) == "gave up"


@pytest.mark.skipif(not HAS_TRIO, reason="trio is not installed")
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_trio_cancel_scope(library, upstream: Upstream, cassette: Path):
    import trio

    module = httpx2 if library == "httpx2" else httpx
    url = upstream.url("deltas,n=20,lock=a", "/v1/messages")

    async def call() -> tuple[bytes, bool]:
        seen = b""
        with trio.move_on_after(0.4) as scope:
            async with (
                module.AsyncClient() as api,
                api.stream("POST", url, json=body(stream=True)) as response,
            ):
                async for chunk in response.aiter_bytes():
                    seen += chunk
        return seen, scope.cancelled_caught

    with use_cassette(cassette, record="once"):
        recorded = trio.run(call)
    assert recorded[1]
    assert recorded[0].startswith(b"event: message_start")
    upstream.stop()
    with use_cassette(cassette):
        assert trio.run(call) == recorded


def test_recorded_gaps_let_other_tasks_run(upstream: Upstream, cassette: Path):
    url = upstream.url("deltas,n=1,gaps=0~0.3")

    async def call() -> int:
        beats = 0

        async def heart() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        task = asyncio.create_task(heart())
        async with async_client(url) as api:
            async for _ in await api.messages.create(**body(), stream=True):
                pass
        task.cancel()
        return beats

    with use_cassette(cassette, record="once"):
        asyncio.run(call())
    with use_cassette(cassette, timing="recorded"):
        assert asyncio.run(call()) > 5


# A cassette that closes while something is still open.


def test_a_stream_read_on_after_its_cassette_closed(upstream: Upstream, cassette: Path):
    """What is recorded ends there; the application gets the rest."""
    url = upstream.url("deltas,n=5")
    with client(url) as api:
        with use_cassette(cassette, record="once"):
            stream = iter(api.messages.create(**body(), stream=True))
            first = [plain(next(stream)) for _ in range(2)]
        rest = [plain(event) for event in stream]
    assert len(first + rest) == 10
    with client(url) as api, use_cassette(cassette):
        stream = iter(api.messages.create(**body(), stream=True))
        assert [plain(next(stream)) for _ in range(2)] == first


def test_tasks_in_flight_when_it_closes(upstream: Upstream, cassette: Path):
    url = upstream.url("text,delay=0.3")

    async def call() -> str:
        async with async_client(url) as api:
            async with use_cassette(cassette, record="once"):
                task = asyncio.create_task(api.messages.create(**body()))
                await asyncio.sleep(0.1)
            return (await task).content[0].text

    assert asyncio.run(call()).startswith("Answer to")


def test_only_the_head_is_read(upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/messages")

    def head() -> tuple[int, str]:
        with httpx.Client() as api, api.stream("POST", url, json=body(stream=True)) as response:
            return response.status_code, response.headers["content-type"]

    with use_cassette(cassette, record="once"):
        recorded = head()
    upstream.stop()
    with use_cassette(cassette):
        assert head() == recorded


# Bodies.


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["multipart", "form", "bytes", "generator", "async generator", "text", "large"])
def test_uploads(kind, library, upstream: Upstream, cassette: Path):
    module = httpx2 if library == "httpx2" else httpx
    url = upstream.url("text", "/echo/v1/files")
    data = bytes(range(256)) * 20
    arguments: dict[str, Any] = {
        "multipart": {"files": {"file": ("a.bin", data, "application/pdf")}, "data": {"purpose": "x"}},
        "form": {"data": {"a": "1", "b": "ü"}},
        "bytes": {"content": data},
        "text": {"content": "plain ☀️ text", "headers": {"content-type": "text/plain; charset=utf-8"}},
        "large": {"content": b"x" * 3_000_000},
    }.get(kind, {})

    def generator() -> Iterator[bytes]:
        yield data
        yield b"end"

    async def async_generator() -> Any:
        yield data
        yield b"end"

    def send() -> tuple[int, bytes]:
        if kind == "async generator":

            async def call() -> tuple[int, bytes]:
                async with module.AsyncClient() as api:
                    response = await api.post(url, content=async_generator())
                    return response.status_code, response.content

            return asyncio.run(call())
        with module.Client() as api:
            response = api.post(url, **(arguments or {"content": generator()}))
            return response.status_code, response.content

    with use_cassette(cassette, record="once", intercept=["127.0.0.1"], sanitize="off"):
        recorded = send()
    assert upstream.log()[0].sent == recorded[1] == upstream.log()[0].body
    upstream.stop()
    with use_cassette(cassette, intercept=["127.0.0.1"], sanitize="off") as convo:
        status, content = send()
    assert status == recorded[0]
    if kind != "multipart":  # whose boundary is another
        assert content == recorded[1]
    assert convo.live_requests == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PUT"])
def test_no_body(method, upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/nothing/here?a=1&a=2&b=%20")
    with use_cassette(cassette, record="once", intercept=["127.0.0.1"]):
        recorded = httpx.request(method, url)
    upstream.stop()
    with use_cassette(cassette, intercept=["127.0.0.1"]):
        replayed = httpx.request(method, url)
    assert (replayed.status_code, replayed.content) == (recorded.status_code, recorded.content) == (204, b"")


def test_calls_that_generate_nothing_are_no_turns(upstream: Upstream, cassette: Path):
    def call(api: Any) -> list[Any]:
        count = api.messages.count_tokens(model="m", messages=ask_body["messages"]).input_tokens
        return [count, [model.id for model in api.models.list()], plain(api.messages.create(**ask_body))]

    with use_cassette(cassette, record="once") as convo, client(upstream.url()) as api:
        recorded = call(api)
    assert len(convo.exchanges) == 3
    assert len(convo.turns) == 1
    upstream.stop()
    with use_cassette(cassette), client(upstream.url()) as api:
        assert call(api) == recorded


def test_beta_raw_and_streaming_responses(upstream: Upstream, cassette: Path):
    def call() -> list[Any]:
        with client(upstream.url("unicode")) as api:
            seen: list[Any] = [plain(api.beta.messages.create(**ask_body, betas=["files-api-2025-04-14"]))]
            with api.messages.with_streaming_response.create(**ask_body, stream=True) as response:
                seen += list(response.iter_lines())
            seen.append(api.messages.with_raw_response.create(**ask_body).http_response.json())
            with api.messages.stream(**ask_body) as stream:
                seen += list(stream.text_stream)
        return seen

    with use_cassette(cassette, record="once"):
        recorded = call()
    upstream.stop()
    with use_cassette(cassette):
        assert call() == recorded


def test_a_response_looks_as_from_the_network(upstream: Upstream, cassette: Path):
    url = upstream.url("unicode,gzip=1", "/v1/messages")

    def look() -> dict[str, Any]:
        hooks: list[str] = []
        api = httpx.Client(
            event_hooks={
                "request": [lambda r: hooks.append(r.method)],
                "response": [lambda r: hooks.append(r.status_code)],
            }
        )
        with api:
            response = api.post(url, json=ask_body)
        return {
            "hooks": hooks,
            "version": response.http_version,
            "reason": response.reason_phrase,
            "url": str(response.url),
            "encoding": response.encoding,
            "text": response.text,
            "history": response.history,
            "closed": response.is_closed,
            "elapsed": response.elapsed.total_seconds() >= 0,
            "request": response.request.method,
        }

    with use_cassette(cassette, record="once"):
        recorded = look()
    upstream.stop()
    with use_cassette(cassette):
        assert look() == recorded


# Files and processes.


def test_a_relative_path_and_a_change_of_directory(upstream: Upstream, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with use_cassette("cassettes/ü b.yaml", record="once"), client(upstream.url()) as api:
        api.messages.create(**ask_body)
        os.chdir(tmp_path / "elsewhere")
    assert (tmp_path / "cassettes" / "ü b.yaml").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_may_be_read_like_any_other(upstream: Upstream, cassette: Path):
    mask = os.umask(0o022)
    try:
        with use_cassette(cassette, record="once"), client(upstream.url()) as api:
            api.messages.create(**ask_body)
        assert stat.S_IMODE(cassette.stat().st_mode) == 0o644
        assert [path.name for path in cassette.parent.iterdir()] == [cassette.name]
    finally:
        os.umask(mask)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_a_symbolic_link_stays_one(upstream: Upstream, cassette: Path, tmp_path: Path):
    real = tmp_path / "real.yaml"
    url = upstream.url("counter")
    with use_cassette(real, record="once"), client(url) as api:
        api.messages.create(**ask_body)
    cassette.parent.mkdir()
    cassette.symlink_to(real)
    with use_cassette(cassette, record="rewrite"), client(url) as api:
        api.messages.create(**ask_body)
    assert cassette.is_symlink()
    assert "number 2" in real.read_text()


def test_two_writers_at_once(upstream: Upstream, cassette: Path):
    """Each in a thread and a context of its own, into one file: nothing of either is lost."""
    url = upstream.url("text,delay=0.05")
    errors: list[BaseException] = []

    def one(n: int) -> None:
        try:
            with use_cassette(cassette, record="new_episodes"), client(url) as api:
                for m in range(3):
                    api.messages.create(**body(f"Thread {n}, question {m}"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    upstream.stop()
    with use_cassette(cassette), client(url) as api:
        for n in range(4):
            for m in range(3):
                api.messages.create(**body(f"Thread {n}, question {m}"))


def forked(url: str) -> None:
    with client(url) as api:
        api.messages.create(**body("from the child"))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_harms_nothing(upstream: Upstream, cassette: Path):
    url = upstream.url()
    with use_cassette(cassette, record="once") as convo, client(url) as api:
        api.messages.create(**ask_body)
        process = multiprocessing.get_context("fork").Process(target=forked, args=(url,))
        process.start()
        process.join(10)
        assert process.exitcode == 0
        api.messages.create(**ask_body)
    assert len(convo.exchanges) == 2
    upstream.stop()
    with use_cassette(cassette), client(url) as api:
        api.messages.create(**ask_body)
        api.messages.create(**ask_body)


@pytest.mark.skipif(httpx2 is None or not hasattr(httpx2, "alias_httpx"), reason="no httpx2.alias_httpx")
def test_where_httpx_is_an_alias_of_httpx2(upstream: Upstream, cassette: Path):
    script = f"""
import sys, httpx2
httpx2.alias_httpx()
import httpx
import convo_replay
for record in ("once", "none"):
    with convo_replay.use_cassette({str(cassette)!r}, record=record) as convo:
        print(httpx.post({upstream.url("text", "/v1/messages")!r}, json={ask_body!r}).json()["content"][0]["text"])
    assert convo.live_requests == (record == "once"), convo.live_requests
    assert len(convo.exchanges) == 1
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout == "Answer to: Hello\n" * 2, done.stderr
    assert len(upstream.log()) == 1


# What is sent differs in what does not matter, or in what does.


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"x-stainless-retry-count": "1", "user-agent": "other", "traceparent": "00-1-2-3"}},
        {"order": True},
        {"spaces": True},
        {"text": "run 3f6c1a52-9d0b-4c57-8f0e-5b1d2a7c9e10 of 2026-11-22 in /tmp/pytest-of-me/pytest-3/x0"},
        {"metadata": {"user_id": "user-2"}},
    ],
    ids=["headers", "key order", "whitespace", "volatile values", "user id"],
)
def test_what_does_not_matter(change, upstream: Upstream, cassette: Path):
    import json

    url = upstream.url("text", "/v1/messages")
    text = "run 0b1d2a7c-9d0b-4c57-8f0e-5b1d2a7c9e10 of 2025-01-31 in /tmp/pytest-of-me/pytest-1/x0"
    value = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}],
             "metadata": {"user_id": "user-1"}}  # fmt: skip
    with use_cassette(cassette, record="once"):
        httpx.post(url, json=value)
    upstream.stop()
    if "text" in change:
        value["messages"] = [{"role": "user", "content": change["text"]}]
    if "metadata" in change:
        value["metadata"] = change["metadata"]
    if "order" in change:
        value = dict(reversed(value.items()))
    content = json.dumps(value, indent=3 if "spaces" in change else None).encode()
    headers = {"content-type": "application/json", **change.get("headers", {})}
    with use_cassette(cassette):
        assert httpx.post(url, content=content, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "change",
    [{"max_tokens": 10}, {"max_tokens": 9.5}, {"max_tokens": "9"}, {"stream": False}, {"stop_sequences": None},
     {"model": "M"}, {"messages": []}],
    ids=str,
)  # fmt: skip
def test_what_matters(change, upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/messages")
    value = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    with use_cassette(cassette, record="once"):
        httpx.post(url, json=value)
    upstream.stop()
    with pytest.raises(ConvoFailure) as caught, use_cassette(cassette):
        httpx.post(url, json={**value, **change})
    assert next(iter(change)) in str(caught.value)


@pytest.mark.parametrize("numbers", [[1, 1.0], [0, -0.0], [10**20, 1e20], [True, 1]], ids=str)
def test_numbers_come_back_as_they_were(numbers, upstream: Upstream, cassette: Path):
    url = upstream.url("text", "/v1/messages")
    values = [{"model": "m", "messages": [], "n": number} for number in [*numbers, 0.1, 1e-9, 2**63, -(2**63), 1e300]]
    with use_cassette(cassette, record="once") as convo:
        for value in values:
            httpx.post(url, json=value)
    sent = [repr(received.json) for received in upstream.log()]
    upstream.stop()
    assert [repr(exchange.request.json) for exchange in convo.exchanges] == sent
    with use_cassette(cassette) as convo:
        for value in values:
            httpx.post(url, json=value)
    assert [repr(exchange.request.json) for exchange in convo.exchanges] == sent


@pytest.mark.parametrize(
    "text",
    ["\ud83d lone", "nul \x00 in", "\x85 \u2028 \ufeff", "tab\t \ttrailing  ", "\n\nlead", "end\n\n", " ", "",
     "yes", "0x1F", "2026-11-22", "~", "- a\n- b", "a: b", "# no", "$base", "'\"", "\r\n\r", "|\n  x", "x" * 70_000,
     "*a &b !c %d @e `f"],
    ids=lambda text: ascii(text[:12]),
)  # fmt: skip
def test_texts_come_back_as_they_were(text, upstream: Upstream, cassette: Path):
    import json

    url = upstream.url("echo,piece=3", "/v1/messages")
    content = json.dumps(body(text, stream=len(text) < 1000)).encode()
    headers = {"content-type": "application/json"}
    with use_cassette(cassette, record="once", sanitize="off") as convo:
        recorded = httpx.post(url, content=content, headers=headers).content
    upstream.stop()
    with use_cassette(cassette, sanitize="off") as convo:
        assert httpx.post(url, content=content, headers=headers).content == recorded
    if "\ud83d" not in text:
        assert convo.exchanges[0].request.json["messages"][0]["content"] == text


def test_user_agents_and_versions_are_noted(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="once"), client(upstream.url()) as api:
        api.messages.create(**ask_body)
    head = cassette.read_text()[:400]
    assert f"{sdk_http.__name__}: {sdk_http.__version__}" in head
