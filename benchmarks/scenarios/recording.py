"""Recording from a real server in another process, over real sockets; the floor is the same without a recorder."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import measuring, traffic
from benchmarks.bench import FLOOR, Bench, Works
from benchmarks.contenders import OURS, Contender
from tests.upstream import Upstream

PATIENCE = 2.0
"""Seconds that the server waits for the first event to arrive, before it sends the others all the same."""


@contextlib.contextmanager
def _server() -> Iterator[Upstream]:
    upstream = Upstream()
    try:
        yield upstream
    finally:
        upstream.close()


def _talk(upstream: Upstream, number: int, way: traffic.Way) -> None:
    with traffic.client(upstream.url("deltas,n=6")) as sdk:
        for nth in range(number):
            traffic.said(sdk, way, [traffic.question(nth)])


def _recorded(bench: Bench, contender: Contender, upstream: Upstream, number: int, work: Callable[[], Any]) -> Any:
    path = bench.new_folder() / "recorded.yaml"
    path.parent.mkdir(parents=True)
    with contender.recording(path, f"127.0.0.1:{upstream.port}", number):
        result = work()
    if not path.exists():
        raise AssertionError(f"{contender.name} wrote no cassette")
    return result


@dataclass(frozen=True, slots=True)
class Recording:
    """Separate exchanges through one client into one cassette; saving it is part of it."""

    text: str
    number: int
    way: traffic.Way
    goal: float

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints the multiples of the CPU time of this process."""
        with _server() as upstream:

            def talk() -> None:
                _talk(upstream, self.number, self.way)

            works: Works = {FLOOR: (bench.rounds, lambda: measuring.cpu(talk))}
            for contender in bench.contenders:

                def record(contender: Contender = contender) -> float:
                    return measuring.cpu(lambda: _recorded(bench, contender, upstream, self.number, talk))

                works[contender.name] = (bench.rounds if contender is OURS else 3, record)
            bench.compare(scenario, works, self.goal)

    def ours(self, bench: Bench) -> Callable[[], Any]:
        """Our part, ready to be run once."""
        upstream = Upstream()
        _recorded(bench, OURS, upstream, 5, lambda: _talk(upstream, 5, self.way))

        def work() -> None:
            _recorded(bench, OURS, upstream, self.number, lambda: _talk(upstream, self.number, self.way))
            upstream.close()

        return work


@dataclass(frozen=True, slots=True)
class FirstEvent:
    """The wait for the first event, while the server holds back the second until it is told to go on."""

    text: str
    goal: float

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints wall-clock milliseconds above the bare SDK."""
        with _server() as upstream:
            works: Works = {FLOOR: (3 * bench.rounds, lambda: _first_event(bench, upstream))}
            for contender in bench.contenders:

                def record(contender: Contender = contender) -> float:
                    waited: float = _recorded(
                        bench, contender, upstream, 1, lambda: _first_event(bench, upstream, contender.name)
                    )
                    return waited

                if record() >= PATIENCE:
                    bench.unmeasured(scenario, contender.name, "no event arrives before the whole stream has")
                    continue
                works[contender.name] = (3 * bench.rounds, record)
            bench.subtract(scenario, works, "ms", self.goal, scale=1000)


def _first_event(bench: Bench, upstream: Upstream, name: str = "bare") -> float:
    """Wall-clock seconds from the call to its first event; the client is there already."""
    lock = f"{name}-{bench.new_folder().name}"
    arrived = threading.Event()

    def let_go() -> None:
        arrived.wait(PATIENCE)
        upstream.ack(lock, 1 << 30)

    watcher = threading.Thread(target=let_go)
    with traffic.client(upstream.url(f"deltas,n=20,lock={lock}")) as sdk:
        watcher.start()
        try:
            started = time.perf_counter()
            with sdk.messages.stream(
                model="claude-x", max_tokens=99, messages=[{"role": "user", "content": "Hello"}]
            ) as stream:
                next(iter(stream))
                taken = time.perf_counter() - started
                arrived.set()
                stream.get_final_text()
        finally:
            arrived.set()
            watcher.join()
    return taken
