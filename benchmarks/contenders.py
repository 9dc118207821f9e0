"""What is compared: recorders of HTTP exchanges, each as its users use it, matching on method, URL and body.

vcrpy and cassetter match on the body only when told to. They are told, because a conversation
posts every turn to the same URL.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.traffic import HOST, Workload, ask_all, ready


@dataclass(frozen=True, slots=True)
class Contender:
    """A recorder.

    Attributes:
        replaying: opens a cassette for replay alone.
        recording: opens a new cassette for requests to a host (`name` or `name:port`), at most so many.
        plugin: the pytest plugin's module.
    """

    name: str
    package: str
    replaying: Callable[[Path], AbstractContextManager[Any]]
    recording: Callable[[Path, str, int], AbstractContextManager[Any]]
    plugin: str

    @property
    def version(self) -> str:
        return metadata.version(self.package)

    def record(self, folder: Path, workload: Workload) -> None:
        """Records the workload's cassettes as `0.yaml`, `1.yaml`, … in `folder`, from a mock transport."""
        folder.mkdir(parents=True)
        recorded = Workload(workload.cassettes, workload.cassettes)

        def opening(number: int) -> AbstractContextManager[Any]:
            return self.recording(folder / f"{number}.yaml", HOST, len(recorded.asked[number]))

        texts = ask_all(recorded, opening, lambda asks: ready(asks, whole=False))
        if texts != recorded.texts:
            raise AssertionError(f"{self.name} recorded other answers than were given")

    def prepare(self, folder: Path, workload: Workload) -> None:
        """Records the workload's cassettes as they would be recorded from a model."""
        self.record(folder, workload)
        if self is OURS:
            for path in folder.glob("*.yaml"):
                _spread_times(path)

    def replay(self, folder: Path, workload: Workload) -> list[str]:
        """The texts of all answers, replayed."""
        return ask_all(workload, lambda number: self.replaying(folder / f"{number}.yaml"))


def _ours_replaying(path: Path) -> AbstractContextManager[Any]:
    import convo_replay

    return convo_replay.use_cassette(path)


def _ours_recording(path: Path, host: str, requests: int) -> AbstractContextManager[Any]:
    import convo_replay

    return convo_replay.use_cassette(path, record="all", intercept=[host], max_requests=requests)


def _spread_times(path: Path) -> None:
    """Times as of a model that answers after 0.4 s with some 80 events a second; a mock transport's are all zero."""
    from convo_replay import cassette
    from convo_replay.exchange import Chunk, End, Exchange

    def later(exchange: Exchange) -> Exchange:
        steps = exchange.steps
        at = [0.4 + 0.0123 * number for number in range(len(steps))]
        timed = [replace(s, at=t) if isinstance(s, Chunk | End) else s for s, t in zip(steps, at, strict=True)]
        return replace(exchange, steps=tuple(timed))

    found = cassette.load(path)
    path.write_bytes(cassette.dump(replace(found, exchanges=[later(each) for each in found.exchanges])).text)


def _vcrpy(path: Path, mode: str) -> AbstractContextManager[Any]:
    import vcr

    matchers = ["method", "scheme", "host", "port", "path", "query", "body"]
    found: AbstractContextManager[Any] = vcr.use_cassette(str(path), record_mode=mode, match_on=matchers)
    return found


def _cassetter(path: Path, mode: str) -> AbstractContextManager[Any]:
    found: AbstractContextManager[Any] = importlib.import_module("cassetter").use_cassette(
        path, record_mode=mode, match_on=["method", "uri", "json_body"]
    )
    return found


OURS = Contender("convo_replay", "convo-replay", _ours_replaying, _ours_recording, "convo_replay.plugin")
VCRPY = Contender(
    "vcrpy",
    "vcrpy",
    lambda path: _vcrpy(path, "none"),
    lambda path, _host, _requests: _vcrpy(path, "all"),
    "pytest_recording.plugin",
)
CASSETTER = Contender(
    "cassetter",
    "cassetter",
    lambda path: _cassetter(path, "none"),
    lambda path, _host, _requests: _cassetter(path, "all"),
    "cassetter.pytest_plugin",
)


def installed() -> list[Contender]:
    """Ours first."""
    return [OURS, VCRPY, *([CASSETTER] if importlib.util.find_spec("cassetter") else [])]
