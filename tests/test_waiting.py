"""Waits of retry code are on record and skipped while a cassette replays, and every clock agrees."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import json
import logging
import math
import queue
import socket
import threading
import time
import unittest.mock
import weakref
from pathlib import Path
from time import monotonic, sleep  # the real ones, for good

import anthropic
import anyio
import backoff
import openai
import pytest
import stamina
import tenacity
import trio
import trio.testing

from convo_replay import ConvoFailure, use_cassette, waiting
from convo_replay.waiting import outside
from convo_replay.waiting.jobs import Job
from convo_replay.waiting.outside import JOB, STREAM, Outside
from waits import SDK, Counting, Failing, module, replaying

USER = module(
    "my_app.polling",
    """
def wait(seconds): time.sleep(seconds)
async def wait_asyncio(seconds): await asyncio.sleep(seconds)
def clock(): return time.monotonic()
""",
)
ORIGINALS = {
    name: getattr(time, name)
    for name in ("sleep", "monotonic", "time", "perf_counter", "monotonic_ns", "time_ns", "perf_counter_ns")
}
CAPITAL = Path(__file__).parent.parent / "cassettes" / "capital.yaml"


@pytest.fixture(autouse=True)
def quiet():
    """stamina logs each retry."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def run(loop: str, function, *args, instruments=()):
    """Runs a function, or a coroutine function, where `loop` says."""
    if loop == "sync":
        return function(*args)
    if loop == "asyncio":
        return asyncio.run(function(*args))
    return trio.run(function, *args, instruments=instruments)


# --- who waits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "retry_modules", "skipped"),
    [
        ("openai._base_client", (), True),
        ("anthropic", (), True),
        ("google.genai._api_client", (), True),
        ("tenacity.nap", (), True),
        ("my_app.retries", ("my_app.retries",), True),
        ("my_app.retries.inner", ("my_app",), True),
        ("my_app.retries", (), False),
        ("my_app.retries", ("my_app.retr",), False),
        ("openai_tools", (), False),
        ("google.cloud.storage", (), False),
        ("__main__", (), False),
    ],
)
def test_waits_of_retry_code_are_skipped_and_those_of_anybody_else_are_not(monkeypatch, name, retry_modules, skipped):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    code = module(name, "def wait(): time.sleep(7)")
    with replaying(*retry_modules) as convo:
        code.wait()
    assert (convo.seconds, slept) == (([7.0], []) if skipped else ([], [7]))


@pytest.mark.parametrize(
    ("loop", "function", "called"),
    [
        ("sync", "wait", "time.sleep"),
        ("asyncio", "wait", "time.sleep"),
        ("asyncio", "wait_asyncio", "asyncio.sleep"),
        ("asyncio", "wait_anyio", "anyio.sleep"),
        ("trio", "wait_anyio", "anyio.sleep"),
        ("trio", "wait_trio", "trio.sleep"),
        ("trio", "wait", "time.sleep"),
    ],
)
def test_each_way_to_wait_is_on_record_and_takes_no_time(monkeypatch, loop, function, called):
    counting = Counting(monkeypatch)
    asked = getattr(SDK, function)

    async def inside():
        result = asked(3600)
        return await result if inspect.isawaitable(result) else result

    with replaying() as convo:
        began = waiting.now()
        result = run(loop, asked, 3600) if loop == "sync" else run(loop, inside, instruments=[counting])
        assert waiting.now() - began == pytest.approx(3600, abs=30)
    (wait,) = convo.waits
    assert (wait.seconds, wait.module, wait.function) == (3600.0, "openai._waits", called)
    assert result == ("result" if called == "asyncio.sleep" else None)
    assert counting.total == []


def test_anyio_hands_on_whose_wait_it_is():
    early = module(
        "openai._early", "from anyio import sleep\nasync def wait(seconds):\n    await sleep(seconds)"
    )  # bound before the cassette opened
    with replaying() as convo:
        trio.run(early.wait, 3600)
    assert convo.seconds == [3600.0]


@pytest.mark.parametrize(
    ("seconds", "error"),
    [(-1, ValueError), (math.nan, ValueError), (1e30, OverflowError), ("5", TypeError), (None, TypeError)],
)
def test_what_is_no_wait_is_refused_as_ever(seconds, error):
    with replaying() as convo:
        with pytest.raises(error):
            SDK.wait(seconds)
        SDK.wait(0)
        asyncio.run(SDK.wait_asyncio(-1))
    assert convo.waits == []


def test_a_conversation_that_does_not_replay_waits():
    with replaying() as outer, replaying(replays=False) as inner:
        began = monotonic()
        SDK.wait(0.01)
        assert monotonic() - began >= 0.01
    assert (outer.waits, inner.waits) == ([], [])


def test_the_innermost_conversation_has_the_wait():
    with replaying() as outer:
        with replaying() as inner:
            SDK.wait(5)
        SDK.wait(7)
    assert (outer.seconds, inner.seconds) == ([7.0], [5.0])


def test_a_thread_without_a_conversation_uses_the_one_that_is_open():
    with replaying() as convo:
        thread = threading.Thread(target=SDK.wait, args=(3600,))
        thread.start()
        thread.join()
    assert convo.seconds == [3600.0]


def test_what_is_put_over_sleep_before_stays_unasked_and_inside_it_wins(monkeypatch):
    before, inside = unittest.mock.Mock(), unittest.mock.Mock()
    monkeypatch.setattr(time, "sleep", before)
    with replaying() as convo:
        SDK.wait(5)
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", inside)
            SDK.wait(7)
        SDK.wait(9)
    assert (convo.seconds, before.mock_calls, inside.mock_calls) == ([5.0, 9.0], [], [unittest.mock.call(7)])
    assert time.sleep is before


# --- clocks ----------------------------------------------------------------------------------------


def test_clocks_move_for_retry_code_and_for_nobody_else():
    with replaying():
        before = SDK.clocks()
        SDK.wait(3600)
        after = SDK.clocks()
        for name, read in after.items():
            unit = 1e9 if name.endswith("_ns") else 1
            assert read - before[name] == pytest.approx(3600 * unit, abs=30 * unit), name
            assert isinstance(read, type(ORIGINALS[name]())), name
        assert USER.clock() == pytest.approx(monotonic(), abs=30)
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append(SDK.clocks()["monotonic"]))
        thread.start()
        thread.join()
        assert elsewhere[0] == pytest.approx(monotonic(), abs=30)
    assert SDK.clocks()["monotonic"] == pytest.approx(monotonic(), abs=30)


def test_a_clock_that_a_class_keeps_is_no_method():
    with replaying():
        SDK.wait(3600)
        timed = type("Timed", (), {"clock": time.monotonic})
    assert timed().clock() == pytest.approx(monotonic(), abs=30)


def test_nothing_moves_from_one_cassette_to_the_next():
    with replaying():
        SDK.wait(3600)
    with replaying():
        before = SDK.clocks()["monotonic"]
        SDK.wait(5)
        assert SDK.clocks()["monotonic"] - before == pytest.approx(5, abs=3)


# --- libraries for retries -------------------------------------------------------------------------

RETRIES = {
    # name: the decorator, waits asked for on a clock that stands still but for them
    "tenacity, delay": (
        tenacity.retry(stop=tenacity.stop_after_delay(1), wait=tenacity.wait_exponential(0.1)),
        [0.1, 0.2, 0.4, 0.8],
    ),
    "tenacity, before delay": (
        tenacity.retry(stop=tenacity.stop_before_delay(10), wait=tenacity.wait_fixed(3)), [3, 3, 3]
    ),
    "backoff": (backoff.on_exception(backoff.expo, ConnectionError, max_time=20, jitter=None), [1, 2, 4, 8, 5]),
    "stamina": (
        stamina.retry(on=ConnectionError, attempts=None, timeout=4, wait_jitter=0), [0.1, 0.2, 0.4, 0.8, 1.6]
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("library", "loop"),
    [
        (library, loop)
        for library in RETRIES
        for loop in ("sync", "asyncio", "trio")
        if (library, loop) != ("backoff", "trio")  # knows asyncio only
    ],
)
def test_deadlines_of_libraries_for_retries_come_after_as_many_attempts_as_on_a_real_clock(monkeypatch, library, loop):
    counting = Counting(monkeypatch)
    retry, expected = RETRIES[library]
    failing = Failing()
    with replaying() as convo, pytest.raises((ConnectionError, tenacity.RetryError)):
        run(loop, retry(failing.call if loop == "sync" else failing.call_async), instruments=[counting])
    # What the code between takes counts, too: a wait more or less, and the last one cut short.
    assert abs(failing.calls - 1 - len(expected)) <= 1
    assert convo.seconds[: len(expected) - 1] == pytest.approx(expected[: failing.calls - 1][: len(expected) - 1])
    assert counting.total == []


# --- deadlines and timers of loops -----------------------------------------------------------------


async def under_timeout(wait):
    async with asyncio.timeout(1):
        await wait(60)


async def under_wait_for(wait):
    await asyncio.wait_for(wait(60), 1)


async def under_fail_after(wait):
    with anyio.fail_after(1):
        await wait(60)


async def under_trio(wait):
    with trio.fail_after(1):
        await wait(60)


@pytest.mark.parametrize(
    ("loop", "deadline"),
    [("asyncio", under_timeout), ("asyncio", under_wait_for), ("asyncio", under_fail_after),
     ("trio", under_fail_after), ("trio", under_trio)],
)  # fmt: skip
def test_a_deadline_comes_first(monkeypatch, loop, deadline):
    counting = Counting(monkeypatch)

    async def main():
        began = anyio.current_time(), waiting.now()
        with pytest.raises((TimeoutError, trio.TooSlowError)):
            await deadline(SDK.wait_anyio)
        assert anyio.current_time() - began[0] == pytest.approx(1, abs=0.9)
        assert waiting.now() - began[1] == pytest.approx(1, abs=0.9)

    with replaying() as convo:
        run(loop, main, instruments=[counting])
    assert convo.seconds == [60.0]
    assert counting.total == []


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_wait_for_a_fault_of_ours_is_cut_short_by_a_deadline_and_not_on_record(loop):
    async def main():
        with anyio.move_on_after(5) as scope:
            await waiting.async_wait(86400)
        assert scope.cancelled_caught
        await waiting.async_wait(0)
        waiting.wait(10)
        return anyio.current_time()

    with replaying() as convo:
        began = waiting.now()
        run(loop, main)
        assert waiting.now() - began == pytest.approx(15, abs=4)
    assert convo.waits == []


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_timers_fire_in_their_order(loop):
    order = []

    async def after(seconds, wait):
        await wait(seconds)
        order.append(seconds)

    async def main():
        async with anyio.create_task_group() as tasks:
            for seconds in (30, 10, 20):
                tasks.start_soon(after, seconds, SDK.wait_anyio)
            tasks.start_soon(after, 15, anyio.sleep)  # anybody's timer moves with the loop

    with replaying() as convo:
        began = waiting.now()
        run(loop, main)
        assert waiting.now() - began == pytest.approx(30, abs=9)  # side by side, not one after the other
    assert order == [10, 15, 20, 30]
    assert sorted(convo.seconds) == [10.0, 20.0, 30.0]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_blocking_wait_in_a_loop_moves_its_clock(loop):
    async def main():
        began = anyio.current_time()
        with anyio.move_on_after(30) as scope:
            SDK.wait(60)
            await anyio.lowlevel.checkpoint()
            await anyio.sleep(60)
        assert scope.cancelled_caught
        return anyio.current_time() - began

    with replaying():
        assert run(loop, main) == pytest.approx(60, abs=9)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_anybody_elses_wait_alone_is_waited_for(loop):
    async def main():
        began = monotonic()
        await anyio.sleep(0.02)
        return monotonic() - began

    with replaying():
        assert run(loop, main) >= 0.02


def test_a_trio_run_settles_before_its_clock_moves():
    order = []

    async def main():
        async with trio.open_nursery() as nursery:

            async def wait():
                await SDK.wait_trio(60)
                order.append("waited")

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            order.append("blocked")

    with replaying():
        trio.run(main)
    assert order == ["blocked", "waited"]


def test_loops_that_cannot_be_moved_wait(monkeypatch):
    class Own(asyncio.SelectorEventLoop):
        def time(self):
            return super().time()

    async def main():
        began = monotonic()
        assert not waiting.can_skip()
        await SDK.wait_asyncio(0.01)
        return monotonic() - began

    async def mocked():
        assert not waiting.can_skip()
        began = trio.current_time()
        await SDK.wait_trio(3600)
        return trio.current_time() - began

    assert not waiting.can_skip()
    with replaying() as convo:
        loop = Own()
        assert loop.run_until_complete(main()) >= 0.01
        loop.close()
        assert trio.run(mocked, clock=trio.testing.MockClock(autojump_threshold=0)) == 3600
        assert waiting.can_skip()
    assert convo.seconds == [0.01, 3600.0]


# --- threads, and what else is outside of a loop -----------------------------------------------------


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_wait_in_a_thread_passes_on_the_loop_that_awaits_it(loop):
    async def main():
        began = anyio.current_time()
        with anyio.move_on_after(1) as scope:
            await anyio.to_thread.run_sync(SDK.wait, 60, abandon_on_cancel=True)
        assert scope.cancelled_caught
        assert anyio.current_time() - began == pytest.approx(1, abs=0.9)
        async with anyio.create_task_group() as tasks:
            began = anyio.current_time()
            for _ in range(3):
                tasks.start_soon(anyio.to_thread.run_sync, SDK.wait, 100)
        return anyio.current_time() - began

    with replaying() as convo:
        began = waiting.now()
        assert run(loop, main) == pytest.approx(100, abs=50)
        assert waiting.now() - began == pytest.approx(101, abs=50)
    assert convo.seconds == [60.0, 100.0, 100.0, 100.0]


def in_its_own_loop(seconds):
    asyncio.run(SDK.wait_asyncio(seconds))


@pytest.mark.parametrize("wait", [SDK.wait, in_its_own_loop])
def test_a_deadline_around_a_thread_comes_before_what_the_thread_does_next(wait):
    order = []

    def work():
        wait(60)
        if wait is SDK.wait:  # a loop in the thread has a clock of its own; it catches up with the outer one at its end
            order.append("work")

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(work), 1)
        order.append("deadline")

    with replaying() as convo:
        asyncio.run(main())
    assert order[0] == "deadline"
    assert convo.seconds == [60.0]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_thread_that_nobody_awaits_any_more_holds_nothing_up(monkeypatch, loop):
    counting = Counting(monkeypatch)
    done = threading.Event()

    def work():
        SDK.wait(60)
        done.wait(30)

    async def main():
        with anyio.move_on_after(1):
            await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        counting.blocked.clear()
        await SDK.wait_anyio(100)  # in which the thread's wait ends
        assert counting.blocked == []
        done.set()

    with replaying() as convo:
        run(loop, main, instruments=[counting])
    assert convo.seconds == [60.0, 100.0]


def test_a_job_within_a_job_waits_as_one(monkeypatch):
    counting = Counting(monkeypatch)

    async def main():
        job = Job(SDK.wait, awaited=True)  # as anyio gives one to trio's threads, where it has met ours there
        job.works()
        await trio.to_thread.run_sync(job, 60)
        job.ends()

    with replaying() as convo:
        run("trio", main, instruments=[counting])
    assert (convo.seconds, counting.total) == ([60.0], [])


def test_a_job_reads_clocks_no_earlier_than_whoever_gave_it():
    with replaying(), concurrent.futures.ThreadPoolExecutor(1) as pool:
        SDK.wait(3600)
        given = SDK.clocks()
        read = pool.submit(SDK.clocks).result()
        assert all(read[name] >= given[name] for name in given)


def test_retries_around_calls_in_a_pool_see_what_these_wait():
    failing = Failing()

    def call():
        SDK.wait(4)
        failing.call()

    with replaying() as convo, concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(tenacity.RetryError):
        tenacity.retry(stop=tenacity.stop_after_delay(9), wait=tenacity.wait_fixed(1))(
            lambda: pool.submit(call).result()
        )()
    assert convo.seconds == [4.0, 1.0, 4.0]


def test_a_pool_that_blocks_its_loop():
    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(SDK.wait, 60).result()
        return loop.time() - began

    with replaying():
        assert asyncio.run(main()) == pytest.approx(60, abs=9)


def test_threads_side_by_side_have_clocks_of_their_own():
    def waits(seconds):
        began = SDK.clocks()["monotonic"]
        SDK.wait(seconds)
        read.append((seconds, SDK.clocks()["monotonic"] - began))

    read = []
    with replaying():
        threads = [threading.Thread(target=waits, args=(seconds,)) for seconds in (100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {seconds: round(moved, -1) for seconds, moved in read} == {100: 100, 200: 200}


def test_a_thread_that_polls_and_waits_that_are_none_of_ours_are_real():
    polls = []

    def poll():
        until = USER.clock() + 0.02
        while (now := USER.clock()) < until:
            polls.append(now - monotonic())
            USER.wait(0.005)

    with replaying() as convo:
        thread = threading.Thread(target=poll)
        began = monotonic()
        thread.start()
        SDK.wait(3600)
        thread.join()
        assert monotonic() - began >= 0.02
        assert polls == pytest.approx([0] * len(polls), abs=30)
        began = monotonic()
        assert not threading.Event().wait(0.02)
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=0.02)
        assert monotonic() - began >= 0.04
    assert convo.seconds == [3600.0]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_work_in_threads_gets_its_time_before_a_deadline_around_it(monkeypatch, loop):
    monkeypatch.setattr(outside, "JOB", 20)

    async def work():
        with anyio.fail_after(30):
            await anyio.to_thread.run_sync(sleep, 0.03, abandon_on_cancel=True)

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(SDK.wait_anyio, 60)

    with replaying() as convo:
        run(loop, main)
    assert convo.seconds == [60.0]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("patience", [20, 0])
def test_what_comes_in_through_a_socket_is_read_before_a_deadline_around_it(monkeypatch, loop, patience):
    monkeypatch.setattr(outside, "STREAM", patience)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def read():
        with anyio.fail_after(30):
            await anyio.wait_readable(ours)
            await anyio.lowlevel.checkpoint()

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(SDK.wait_anyio, 60)
            if patience:
                threading.Thread(target=lambda: (sleep(0.01), theirs.send(b"x"))).start()
            else:
                tasks.start_soon(send)

    async def send():
        await anyio.lowlevel.checkpoint()
        theirs.send(b"x")

    with ours, theirs, replaying() as convo:
        run(loop, main)
    assert convo.seconds == [60.0]


def test_how_long_a_loop_is_patient(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(outside, "monotonic", lambda: clock[0])

    class Loop: ...

    loop = Loop()
    work = Outside(loop)
    assert work.patience([]) == 0
    assert work.patience(["a"]) == pytest.approx(STREAM)
    clock[0] += STREAM / 2
    assert work.patience(["a"]) == pytest.approx(STREAM / 2)
    assert work.patience(["a", "b"]) == pytest.approx(STREAM)
    clock[0] += STREAM
    assert work.patience(["a", "b"]) == 0
    work.heard(["b"])
    assert work.patience(["a", "b"]) == pytest.approx(STREAM)
    job = object()
    outside.started(loop, job)
    assert work.patience(["a"]) == pytest.approx(JOB)
    clock[0] += JOB
    assert work.patience(["a"]) == 0
    outside.finished(loop, job)
    assert work.patience([]) == 0


def test_a_thread_that_polls_for_a_loop_holds_nothing_up_for_long(monkeypatch):
    monkeypatch.setattr("convo_replay.waiting.outside.JOB", 0.02)

    async def main():
        done = threading.Event()
        poller = asyncio.ensure_future(asyncio.to_thread(done.wait, 30))
        await asyncio.sleep(0)
        began = monotonic()
        for _ in range(5):
            await SDK.wait_asyncio(60)
        assert monotonic() - began < 20
        done.set()
        assert await poller

    with replaying() as convo:
        asyncio.run(main())
    assert convo.seconds == [60.0] * 5


# --- taken back --------------------------------------------------------------------------------------


def in_place():
    return (
        {name: getattr(time, name) for name in ORIGINALS},
        asyncio.sleep, anyio.sleep, trio.sleep, trio.to_thread.run_sync,
        vars(asyncio.BaseEventLoop)["run_in_executor"],
        concurrent.futures.ThreadPoolExecutor.submit,
        backoff._sync.datetime, backoff._async.datetime,
    )  # fmt: skip


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_everything_is_put_back(error):
    assert anyio.sleep is not None  # anyio gets its names when they are asked for
    before = in_place()
    with contextlib.suppress(*([error] if error else [])), replaying():
        SDK.wait(3600)
        asyncio.run(SDK.wait_asyncio(3600))
        trio.run(SDK.wait_trio, 3600)
        assert in_place() != before
        if error is not None:
            raise error
    assert in_place() == before
    assert time.monotonic is ORIGINALS["monotonic"]


def test_a_loop_that_goes_on_keeps_its_time_and_nothing_else():
    async def main():
        loop = asyncio.get_running_loop()
        with replaying():
            await SDK.wait_asyncio(0.001)
            left = asyncio.ensure_future(SDK.wait_asyncio(60))  # nobody is there any more when it would end
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            SDK.wait(3600)
            last = loop.time()
        assert loop.time() >= last
        assert "select" not in vars(loop._selector)
        left.cancel()
        began = monotonic()
        await SDK.wait_asyncio(0.01)
        assert monotonic() - began >= 0.01
        with replaying():
            assert loop.time() >= last
            before = loop.time()
            await SDK.wait_asyncio(3600)
            assert loop.time() - before == pytest.approx(3600, abs=9)
        assert "select" not in vars(loop._selector)
        return weakref.ref(loop)

    asyncio.run(main())


def test_a_loop_that_was_not_moved_is_as_it_was():
    async def main():
        loop = asyncio.get_running_loop()
        with replaying():
            task = asyncio.ensure_future(SDK.wait_asyncio(3600))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert "time" in vars(loop)
            task.cancel()
        assert "time" not in vars(loop)
        assert "select" not in vars(loop._selector)

    asyncio.run(main())


def test_a_trio_run_that_goes_on_keeps_its_time(monkeypatch):
    counting = Counting(monkeypatch)

    async def main():
        async with trio.open_nursery() as nursery:
            with replaying():
                await SDK.wait_trio(3600)
                nursery.start_soon(SDK.wait_trio, 60)  # nobody is there any more when it would end
                await trio.sleep(0.001)
                last = trio.current_time()
            assert trio.current_time() >= last
            counting.blocked.clear()
            began = monotonic()
            await SDK.wait_trio(0.01)
            assert monotonic() - began >= 0.01
            assert counting.blocked
            nursery.cancel_scope.cancel()

    trio.run(main, instruments=[counting])


# --- whole conversations -----------------------------------------------------------------------------

MESSAGES = [{"role": "user", "content": "Hi"}]
SDKS = {
    "anthropic": (
        "https://api.anthropic.com/v1/messages",
        {"max_tokens": 10, "messages": MESSAGES, "model": "claude-sonnet-5-5"},
        {"type": "error", "error": {"type": "rate_limit_error", "message": "slower"}},
        {"id": "msg_01AbCdEfGhJkLmNpQrStUvWx", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
         "content": [{"type": "text", "text": "Paris"}], "stop_reason": "end_turn", "stop_sequence": None,
         "usage": {"input_tokens": 1, "output_tokens": 1}},
        lambda: anthropic.Anthropic().messages.create(**SDKS["anthropic"][1]),
        lambda: anthropic.AsyncAnthropic().messages.create(**SDKS["anthropic"][1]),
    ),
    "openai": (
        "https://api.openai.com/v1/chat/completions",
        {"messages": MESSAGES, "model": "gpt-5"},
        {"error": {"message": "slower", "type": "rate_limit", "param": None, "code": None}},
        {"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-5",
         "choices": [{"index": 0, "finish_reason": "stop",
                      "message": {"role": "assistant", "content": "Paris", "refusal": None}}],
         "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
        lambda: openai.OpenAI().chat.completions.create(**SDKS["openai"][1]),
        lambda: openai.AsyncOpenAI().chat.completions.create(**SDKS["openai"][1]),
    ),
}  # fmt: skip


def recorded(path: Path, sdk: str, *retry_after: str) -> Path:
    """A cassette with one turn: answers 429, each with its `retry-after`, and then a good one."""
    url, request, refused, answer = SDKS[sdk][:4]
    answers = [(429, {"retry-after": seconds}, refused) for seconds in retry_after] + [(200, {}, answer)]
    exchanges = [
        {
            "request": {"method": "POST", "url": url, "json": request},
            "response": {"status": status, "headers": {"content-type": "application/json", **headers}, "json": body},
        }
        for status, headers, body in answers
    ]
    path.write_text(json.dumps({"convo_replay": 1, "exchanges": exchanges}))  # JSON is YAML
    return path


@pytest.mark.parametrize("loop", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("sdk", SDKS)
def test_what_an_sdk_waits_before_a_retry_is_told_of_its_attempt(tmp_path, monkeypatch, sdk, loop):
    counting, counted = Counting(monkeypatch), []
    call, call_async = SDKS[sdk][4:]
    with use_cassette(recorded(tmp_path / "a.yaml", sdk, "2", "0.5")) as convo:

        async def main():
            await call_async()
            # When it ends, asyncio (from 3.12 on) blocks for threads of its own with a timer.
            counted.extend(counting.total)

        run(loop, call if loop == "sync" else main, instruments=[counting])
    assert [exchange.waits for exchange in convo.exchanges] == [(2.0,), (0.5,), ()]
    assert counted == counting.slept == []


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_deadline_around_an_sdk(tmp_path, loop):
    async def main():
        with pytest.raises(TimeoutError), anyio.fail_after(1):
            await SDKS["anthropic"][5]()

    with use_cassette(recorded(tmp_path / "a.yaml", "anthropic", "60"), unplayed="ignore") as convo:
        run(loop, main)
    assert [exchange.waits for exchange in convo.exchanges] == [(60.0,)]


def test_retry_modules_is_a_setting():
    mine = module("my_app.retries", "def wait(): time.sleep(3600)")
    with use_cassette(CAPITAL, unplayed="ignore", retry_modules="my_app"):
        before = waiting.now()
        mine.wait()
        assert waiting.now() - before >= 3600


def test_who_waits_without_end_is_stopped():
    waits = []

    def storm():
        with use_cassette(CAPITAL, unplayed="ignore"):
            for number in range(20_000):
                waits.append(number)
                SDK.wait(1)

    with pytest.raises(ConvoFailure, match="10,000"):
        storm()
    assert len(waits) == 10_001


TIMED = """
import threading, time
import pytest
from convo_replay import use_cassette

def sdk(seconds):
    space = {"__name__": "openai._waits", "time": time}
    exec("def wait(seconds): time.sleep(seconds)", space)
    space["wait"](seconds)

@pytest.mark.timeout(20, method="thread")
def test_skipped_under_a_thread():
    with use_cassette(%r, unplayed="ignore"):
        sdk(3600)

@pytest.mark.timeout(20, method="signal")
def test_skipped_under_a_signal():
    with use_cassette(%r, unplayed="ignore"):
        sdk(3600)

@pytest.mark.timeout(0.2, method="signal")
def test_hanging():
    with use_cassette(%r, unplayed="ignore"):
        sdk(3600)
        threading.Event().wait(60)
"""


def test_pytest_timeout_goes_by_the_real_clock(pytester):
    pytester.makepyfile(TIMED % ((str(CAPITAL),) * 3))
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:asyncio")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Timeout (>0.2s) from pytest-timeout*"])
