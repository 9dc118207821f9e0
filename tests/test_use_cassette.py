"""`use_cassette` around a block and around each kind of function."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

import convo_replay
from convo_replay import CassetteMiss, use_cassette

CASSETTE = Path(__file__).parent.parent / "cassettes" / "capital.yaml"
BODY = {
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "What is the capital of France? One word."}],
    "model": "claude-sonnet-5-5",
}
URL = "https://api.anthropic.com/v1/messages"


def ask(body: dict[str, object] = BODY) -> str:
    return str(httpx.post(URL, json=body).json()["content"][0]["text"])


async def ask_async() -> str:
    async with httpx.AsyncClient() as client:
        return str((await client.post(URL, json=BODY)).json()["content"][0]["text"])


@use_cassette(CASSETTE)
def decorated() -> str:
    return ask()


@use_cassette(CASSETTE)
async def decorated_async() -> str:
    return await ask_async()


@use_cassette(CASSETTE)
def generator():
    got = yield ask()
    yield got


@use_cassette(CASSETTE)
async def async_generator():
    yield await ask_async()
    yield "end"


async def _all() -> list[str]:
    return [value async for value in async_generator()]


def test_each_call_of_what_is_decorated_rewinds():
    assert [decorated(), decorated()] == ["Paris", "Paris"]
    assert [asyncio.run(decorated_async()), asyncio.run(decorated_async())] == ["Paris", "Paris"]


def test_generators_run_inside():
    running = generator()
    assert next(running) == "Paris"
    assert running.send("sent") == "sent"
    running.close()
    assert asyncio.run(_all()) == ["Paris", "end"]
    assert convo_replay.use_cassette is use_cassette


async def _in_async_with() -> str:
    async with use_cassette(CASSETTE):
        return await ask_async()


def test_async_with():
    assert asyncio.run(_in_async_with()) == "Paris"


def swallowing() -> None:
    with use_cassette(CASSETTE):
        try:
            ask({**BODY, "max_tokens": 7})
        except BaseException as error:
            print(f"swallowed {error!r}")


def asking(*bodies: dict[str, object]) -> None:
    with use_cassette(CASSETTE):
        for body in bodies:
            ask(body)


def test_a_miss_that_was_swallowed_is_raised_at_the_end():
    with pytest.raises(CassetteMiss, match="max_tokens: recorded 100, sent 7"):
        swallowing()


def test_an_extra_request_names_what_differs_from_the_nearest():
    with pytest.raises(CassetteMiss, match=r"nearest recorded: turns\[0\].*\n.*max_tokens: recorded 100, sent 7"):
        asking(BODY, {**BODY, "max_tokens": 7})


def test_an_equal_request_too_many_says_so():
    with pytest.raises(CassetteMiss, match="which has been played already"):
        asking(BODY, BODY)


MISSING = {
    "nothing near": ("c/a.yaml", [], "if it was recorded, it is not here: was it committed, and is this the path that"),
    "another folder's": ("c/a.yaml", ["d/a.yaml", "c/unlike.yaml"], "if it was recorded, it is not here: was it"),
    "another name": ("c/test_weather.yaml", ["c/test_wether.yaml"], "near it: c/test_wether.yaml (was the test"),
    "another module": (
        "cassettes/test_new/test_a[1].yaml", ["cassettes/test_old/test_a[1].yaml", "cassettes/test_old/test_a1.yaml"],
        "near it: cassettes/test_old/test_a[1].yaml (was the test renamed or moved? then move its cassette, too)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("named", "there", "told"), MISSING.values(), ids=MISSING)
def test_a_cassette_that_is_not_there_is_missed_at_the_first_request(named, there, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in there:
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).touch()
    with use_cassette(named):
        pass
    with pytest.raises(CassetteMiss) as caught, use_cassette(named):
        ask(BODY)
    lines = str(caught.value).splitlines()
    assert lines[1] == f"there is no such cassette yet: no file {named}"
    assert lines[2].startswith(told)
    assert f"cassette: {named} (mode 'none')" in lines
    assert f'to record: use_cassette("{named}", record="once")' in lines
    assert not Path(named).exists()


def test_the_path_is_asked_for():
    with pytest.raises(ValueError, match="expected the cassette's path"):
        use_cassette(None)
