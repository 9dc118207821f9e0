"""A conversation that only keeps what is waited for, clients that retry, and a count of what was really waited."""

from __future__ import annotations

import contextlib
import selectors
import time
import types
from collections.abc import Iterator
from typing import Any

import trio

from convo_replay import nesting, waiting
from convo_replay.pauses import retries
from convo_replay.transports.patching import Patches

_replaying = Patches(waiting.install)


class Waits:
    """What `waiting` asks of a conversation."""

    parent = None
    is_active = False
    cassette_path = None
    owner = ""

    def __init__(self, *retry_modules: str, replays: bool = True) -> None:
        self.retry_modules = retry_modules
        self.replays = replays
        self.waits: list[Any] = []

    @property
    def seconds(self) -> list[float]:
        return [wait.seconds for wait in self.waits]

    def skips(self, module: str) -> bool:
        return self.replays and retries(module, self.retry_modules)

    def waited(self, wait: Any) -> None:
        self.waits.append(wait)


@contextlib.contextmanager
def replaying(*retry_modules: str, replays: bool = True) -> Iterator[Waits]:
    """A cassette replays."""
    conversation: Any = Waits(*retry_modules, replays=replays)
    with _replaying:
        token = nesting.enter(conversation)
        try:
            yield conversation
        finally:
            nesting.leave(conversation, token)


def module(name: str, source: str) -> Any:
    """The functions of a module with this name, which nobody else can import."""
    made = types.ModuleType(name)
    exec(compile(f"import asyncio, threading, time\n{source}", f"<{name}>", "exec"), vars(made))
    return made


SDK = module(
    "openai._waits",
    """
import anyio, trio
def wait(seconds): time.sleep(seconds)
async def wait_asyncio(seconds): return await asyncio.sleep(seconds, "result")
async def wait_anyio(seconds): await anyio.sleep(seconds)
async def wait_trio(seconds): await trio.sleep(seconds)
def clocks():
    return {name: getattr(time, name)() for name in
            ("monotonic", "time", "perf_counter", "monotonic_ns", "time_ns", "perf_counter_ns")}
""",
)
"""Code of an SDK."""


class Failing:
    """A call that fails each time, and knows how often it was made."""

    def __init__(self) -> None:
        self.calls = 0

    def call(self) -> None:
        self.calls += 1
        raise ConnectionError

    async def call_async(self) -> None:
        self.call()


class Counting(trio.abc.Instrument):
    """What was really waited: calls of `time.sleep`, and I/O that a loop was ready to block for."""

    def __init__(self, monkeypatch: Any) -> None:
        self.slept: list[float] = []
        self.blocked: list[float] = []
        select = selectors.DefaultSelector.select

        def counting(selector: Any, timeout: float | None = None) -> Any:
            # A loop that is woken from another thread blocks without a timer, or for ever.
            if timeout is not None and timeout > 0:
                self.blocked.append(timeout)
            return select(selector, timeout)

        monkeypatch.setattr(selectors.DefaultSelector, "select", counting)
        monkeypatch.setattr(time, "sleep", self.slept.append)

    def before_io_wait(self, timeout: float) -> None:
        if 0 < timeout < 86400:  # for trio a day is for ever
            self.blocked.append(timeout)

    @property
    def total(self) -> list[float]:
        return self.slept + self.blocked
