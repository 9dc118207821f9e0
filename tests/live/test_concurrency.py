"""gather, TaskGroups and threads get the right answers, in whatever order they ask."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from convo_replay import CassetteMiss
from live.callers import async_client, body, client, use_cassette
from upstream import Upstream

N = 20
Ask = Callable[[str, list[str]], list[str]]


def gathered(url: str, questions: list[str]) -> list[str]:
    async def call() -> list[str]:
        async with async_client(url) as api:

            async def one(text: str) -> str:
                async with api.messages.stream(**body(text)) as stream:
                    return (await stream.get_final_message()).content[0].text

            return list(await asyncio.gather(*map(one, questions)))

    return asyncio.run(call())


def grouped(url: str, questions: list[str]) -> list[str]:
    async def call() -> list[str]:
        async with async_client(url) as api, asyncio.TaskGroup() as group:
            tasks = [group.create_task(api.messages.create(**body(text))) for text in questions]
        return [task.result().content[0].text for task in tasks]

    return asyncio.run(call())


def threaded(url: str, questions: list[str]) -> list[str]:
    with client(url) as api, ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda text: api.messages.create(**body(text)).content[0].text, questions))


def bare_threads(url: str, questions: list[str]) -> list[str]:
    """Threads that inherit no context."""
    answers: dict[str, str] = {}

    def one(text: str) -> None:
        with client(url) as api:
            answers[text] = api.messages.create(**body(text)).content[0].text

    threads = [threading.Thread(target=one, args=(text,)) for text in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[text] for text in questions]


WAYS = {"gather": gathered, "TaskGroup": grouped, "thread pool": threaded, "threads": bare_threads}


@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
def test_different_requests_in_another_order(ask: Ask, upstream: Upstream, cassette: Path):
    url = upstream.url("text,spread=0.1")
    questions = [f"Question {n}" for n in range(N)]
    with use_cassette(cassette, record="once") as convo:
        assert ask(url, questions) == [f"Answer to: {text}" for text in questions]
    assert len(convo.exchanges) == N
    upstream.stop()
    random.Random(7).shuffle(questions)
    with use_cassette(cassette):
        assert ask(url, questions) == [f"Answer to: {text}" for text in questions]


@pytest.mark.parametrize("ask", [gathered, grouped, threaded], ids=["gather", "TaskGroup", "thread pool"])
def test_identical_requests_answered_differently(ask: Ask, upstream: Upstream, cassette: Path):
    """None is lost, none is played twice; which task gets which answer is the order they start in."""
    url = upstream.url("counter,spread=0.05")
    with use_cassette(cassette, record="once"):
        recorded = ask(url, ["Again"] * N)
    assert sorted(recorded) == sorted(f"Answer number {n}" for n in range(1, N + 1))
    upstream.stop()
    with use_cassette(cassette):
        replayed = ask(url, ["Again"] * N)
    assert sorted(replayed) == sorted(recorded)


def test_identical_requests_come_in_the_order_they_were_started(upstream: Upstream, cassette: Path):
    url = upstream.url("counter")
    with use_cassette(cassette, record="once"), client(url) as api:
        recorded = [api.messages.create(**body("Again")).content[0].text for _ in range(5)]
    upstream.stop()
    replayed: list[str] = []

    def ask_once_more() -> None:
        with use_cassette(cassette), client(url) as api:
            for _ in range(6):
                replayed.append(api.messages.create(**body("Again")).content[0].text)

    with pytest.raises(CassetteMiss, match="repeats"):
        ask_once_more()
    assert replayed == recorded


def test_an_exchange_may_be_played_again_on_request(upstream: Upstream, cassette: Path):
    url = upstream.url("counter")
    with use_cassette(cassette, record="once"), client(url) as api:
        for _ in range(2):
            api.messages.create(**body("Again"))
    upstream.stop()
    with use_cassette(cassette, repeats=True), client(url) as api:
        answers = [api.messages.create(**body("Again")).content[0].text for _ in range(4)]
    assert answers[:2] == ["Answer number 1", "Answer number 2"]
    assert set(answers[2:]) <= set(answers[:2])


def test_streams_that_overlap(upstream: Upstream, cassette: Path):
    """Two streams read event by event in turn, each from its own exchange."""
    url = upstream.url("text,piece=1")

    def interleaved() -> list[str]:
        with client(url) as api:
            streams = [iter(api.messages.create(**body(text), stream=True)) for text in ("One", "Two")]
            texts = ["", ""]
            alive = {0, 1}
            while alive:
                for n in sorted(alive):
                    event = next(streams[n], None)
                    if event is None:
                        alive.discard(n)
                    elif event.type == "content_block_delta":
                        texts[n] += event.delta.text
            return texts

    with use_cassette(cassette, record="once"):
        assert interleaved() == ["Answer to: One", "Answer to: Two"]
    upstream.stop()
    with use_cassette(cassette):
        assert interleaved() == ["Answer to: One", "Answer to: Two"]


def test_cassettes_nest_per_context(upstream: Upstream, tmp_path: Path):
    url = upstream.url("counter")

    def ask() -> str:
        with client(url) as api:
            return api.messages.create(**body("Again")).content[0].text

    with use_cassette(tmp_path / "outer.yaml", record="once") as outer:
        first = ask()
        with use_cassette(tmp_path / "inner.yaml", record="once") as inner:
            second = ask()
        third = ask()
    assert (len(outer.exchanges), len(inner.exchanges)) == (2, 1)
    upstream.stop()
    with use_cassette(tmp_path / "outer.yaml"):
        assert ask() == first
        with use_cassette(tmp_path / "inner.yaml"):
            assert ask() == second
        assert ask() == third


def test_two_tasks_with_a_cassette_each(upstream: Upstream, tmp_path: Path):
    url = upstream.url("text,spread=0.05")

    async def one(n: int, record: str) -> str:
        async with use_cassette(tmp_path / f"{n}.yaml", record=record), async_client(url) as api:
            await asyncio.sleep(0)
            return (await api.messages.create(**body(f"Question {n}"))).content[0].text

    async def all_of(record: str) -> list[str]:
        return list(await asyncio.gather(*(one(n, record) for n in range(6))))

    recorded = asyncio.run(all_of("once"))
    assert recorded == [f"Answer to: Question {n}" for n in range(6)]
    upstream.stop()
    assert asyncio.run(all_of("none")) == recorded
