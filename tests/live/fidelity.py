"""The same client against a real socket and in-process, fault by fault: what an application sees must be the same.

`python tests/live/fidelity.py PORTS SPECS KEY` (JSON; the ports of `faulty_server.py`; with what keys of this process
begin: `k1-`) runs every spec for each
installed SDK, sync and async, and each of the calls of `fidelity_clients.py`, and prints one line of JSON per cell.

The reference is recorded here and now: the broken answer is computed once from the spec and the recorded exchange
and given to the server, which breaks a real connection. Waits between retries are 0 on that side (the SDK's own
`_calculate_retry_timeout` is replaced on each client), a silent server is given up after 0.25 s, and cells run side
by side. In-process they run one after the other, as a test would, with nothing replaced.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import faulthandler
import gc
import itertools
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import anthropic  # noqa: E402
import openai  # noqa: E402

import convo_replay  # noqa: E402
from convo_replay import ConvoFailure, cassette  # noqa: E402
from convo_replay.exchange import Chunk, End, Exchange, Head, Steps  # noqa: E402
from convo_replay.faults import specs  # noqa: E402
from convo_replay.faults.expansion import due, expand  # noqa: E402
from convo_replay.faults.positions import apply, events  # noqa: E402
from convo_replay.faults.specs import Plan  # noqa: E402
from faulty_server import Admin, Answer  # noqa: E402
from live.fidelity_answers import ANSWERS  # noqa: E402
from live.fidelity_clients import BRIEF, CALLS, MODELS, MODES, PATIENCE, Route, Seen, call, call_async, library  # noqa: E402
from unresolved import unresolved  # noqa: E402

VERSIONS = {"anthropic": anthropic.__version__, "openai": openai.__version__}
THREADS = 16
TASKS = 32
MOST = 6
"""Attempts for which a script holds an answer of its own; no client makes more but in a loop of redirects."""
MOST_HOPS = 3 * 21


# answers


def recorded_answer(sdk: str, name: str) -> Answer:
    whole, stream = ANSWERS[sdk]()
    kind = "application/json" if name == "create" else "text/event-stream; charset=utf-8"
    header = "request-id" if sdk == "anthropic" else "x-request-id"
    head = Head(200, (("content-type", kind), (header, "req_011Fidelity")))
    chunks = [whole] if name == "create" else stream
    return as_data((head, *[Chunk(0.0, data) for data in chunks], End()))


def as_data(steps: Steps, home: str = "", key: str = "", whole: int = 0) -> Answer:
    """Steps as the server reads them; what was an address of `home` in the recording is one of `key`; the whole body
    has so many bytes."""
    found: Answer = []
    for step in steps:
        if isinstance(step, Head):
            reason = step.reason or library(anthropic).codes.get_reason_phrase(step.status)
            headers = [(name, value.replace(f"/{home}/", f"/{key}/")) for name, value in step.headers]
            found.append({"head": {"status": step.status, "reason": reason, "headers": headers}})
        elif isinstance(step, Chunk):
            found.append({"chunk": base64.b64encode(step.data).decode()})
        else:
            found.append({"end": {"kind": step.kind, "phase": step.phase, "detail": step.detail, "whole": whole}})
    return found


# cells


@dataclass
class Cell:
    """A spec for one SDK and call: what it makes of each attempt. One for sync and async."""

    spec: str
    sdk: str
    name: str
    why_not: str = ""
    plan: Plan | None = None
    whole: int = 0
    """Bytes of the recorded body."""
    attempts: list[Steps] = field(default_factory=list)
    here: list[bool] = field(default_factory=list)
    """Which of its requests reach the server."""
    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    """By side (`socket`, `played`) and mode."""
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Requests that the server saw, and the connections they came on, by mode."""

    @property
    def ends(self) -> list[End]:
        return [steps[-1] for steps in self.attempts if isinstance(steps[-1], End)]

    @property
    def long(self) -> bool:
        return any((end.kind, end.phase) == ("timeout", "write") for end in self.ends)

    @property
    def timeout(self) -> float:
        return BRIEF if any(end.kind == "timeout" for end in self.ends) else PATIENCE


class Cassettes:
    """One cassette for each SDK and call, recorded from the server, where it is asked for by the key `home`."""

    def __init__(self, admin: Admin, directory: Path, home: str) -> None:
        self.home = home
        self._admin = admin
        self._directory = directory
        self._found: dict[tuple[str, str, bool], tuple[Path, list[Exchange]]] = {}

    def of(self, sdk: str, name: str, long: bool) -> tuple[Path, list[Exchange]]:
        known = self._found.get((sdk, name, long))
        if known is None:
            path = self._directory / f"{sdk}-{name}{'-long' * long}.yaml"
            self._admin.ask("script", scripts={self.home: [recorded_answer(sdk, name)]})
            with convo_replay.use_cassette(path, record="once"):
                seen = call(sdk, name, Route(f"http://127.0.0.1:{self._admin.ports['data']}/{self.home}", small=long))
            assert not seen.error, seen
            known = self._found[sdk, name, long] = path, list(cassette.load(path).exchanges)
        return known


def cells(wanted: Sequence[str], cassettes: Cassettes) -> Iterator[Cell]:
    for template, sdk, name in itertools.product(wanted, MODELS, CALLS):
        _, exchanges = cassettes.of(sdk, name, False)
        body = exchanges[0].body
        text = template.format(n=events(exchanges[0]), mid=len(body) // 2 + 3)
        try:
            (run,) = expand(specs.parse(text), exchanges)
        except ValueError as no_fit:
            yield Cell(template, sdk, name, why_not=str(no_fit))
            continue
        plan = run.plan
        turn = plan.specs[0].where.turn
        assert isinstance(turn, int)
        answers: list[Steps] = []
        while len(answers) < MOST and (places := due(plan, turn, len(answers))):
            answers.append(apply([plan.specs[place] for place in places], exchanges[turn]))
        if len(answers) < MOST:
            answers.append(apply([], exchanges[turn]))
        yield Cell(template, sdk, name, plan=plan, whole=len(exchanges[turn].body), attempts=answers)


# on a socket


def route(cell: Cell, home: str, key: str, ports: dict[str, int]) -> tuple[Route, list[Answer]]:
    """Where its requests go, and what the server answers to those that reach it."""
    address, silent = [f"http://127.0.0.1:{ports['data']}/{each}" for each in (key, "silent")]

    def elsewhere(steps: Steps) -> str | None:
        end = steps[-1]
        assert isinstance(end, End)
        place = {
            ("refused", ""): f"http://127.0.0.1:{ports['refused']}",
            ("dns", ""): "http://nobody.invalid",
            ("timeout", "connect"): f"http://127.0.0.1:{ports['full']}",
            ("timeout", "write"): f"http://127.0.0.1:{ports['deaf']}",
            ("tls", ""): f"https://localhost:{ports['plain' if end.detail == 'not-tls' else 'tls']}",
        }
        return None if len(steps) > 1 else place.get((end.kind, end.phase if end.kind == "timeout" else ""))

    ends = [steps[-1] if len(steps) == 1 else None for steps in cell.attempts]
    full = [isinstance(end, End) and (end.kind, end.phase) == ("timeout", "pool") for end in ends]
    first = [elsewhere(steps) for steps in cell.attempts]
    cell.here = [not away and not none_free for away, none_free in zip(first, full, strict=True)]
    script = [
        as_data(steps, home, key, cell.whole) for steps, here in zip(cell.attempts, cell.here, strict=True) if here
    ]
    brief = [end.phase if end.kind == "timeout" else "" for end in cell.ends]
    if len(cell.attempts) == MOST:
        first += [first[-1]] * MOST_HOPS
        brief += [brief[-1]] * MOST_HOPS
        cell.here += [cell.here[-1]] * MOST_HOPS
    occupied = 0 if not any(full) else full.index(False) if False in full else MOST
    way = Route(address, first, brief, real=True, occupied=occupied, holder=silent, small=cell.long)
    return way, script or [as_data((End("reset"),))]


def on_sockets(cells: Sequence[Cell], admin: Admin, home: str) -> None:
    """Runs all of them, many at a time, and asks the server what it saw."""
    jobs: list[tuple[Cell, str, str, Route]] = []
    scripts: dict[str, list[Answer]] = {"silent": [as_data((Head(200), End("timeout", phase="read")))]}
    for cell, mode in itertools.product(cells, MODES):
        key = f"{home}{len(jobs)}"
        way, scripts[key] = route(cell, home, key, admin.ports)
        jobs.append((cell, mode, key, way))
    admin.ask("script", scripts=scripts)
    # Those that wait for a silence first: the others fill the time.
    jobs.sort(key=lambda job: not any(job[3].brief))

    def one(job: tuple[Cell, str, str, Route]) -> None:
        cell, mode, _, way = job
        cell.seen["socket", mode] = call(cell.sdk, cell.name, way)

    async def asynchronous() -> None:
        free = asyncio.Semaphore(TASKS)

        async def one(cell: Cell, mode: str, way: Route) -> None:
            async with free:
                cell.seen["socket", mode] = await call_async(cell.sdk, cell.name, way)

        await asyncio.gather(*[one(cell, mode, way) for cell, mode, _, way in jobs if mode == "async"])

    with unresolved(), ThreadPoolExecutor(THREADS + 1) as pool:
        running = pool.submit(asyncio.run, asynchronous())
        list(pool.map(one, [job for job in jobs if job[1] == "sync"]))
        running.result()
    counts = admin.ask("counts")
    for cell, mode, key, _ in jobs:
        cell.counted[mode] = counts["requests"].get(key, 0), counts["connections"].get(key, 0)


# in-process


def in_process(cells: Sequence[Cell], cassettes: Cassettes, ports: dict[str, int]) -> None:
    """Runs all of them, one after the other, each cassette opened once."""
    order = sorted(cells, key=lambda cell: (cell.sdk, cell.name, cell.long))
    for (sdk, name, long), group in itertools.groupby(order, key=lambda cell: (cell.sdk, cell.name, cell.long)):
        with convo_replay.use_cassette(cassettes.of(sdk, name, long)[0]) as convo, asyncio.Runner() as runner:
            for cell, mode in itertools.product(list(group), MODES):
                base = f"127.0.0.1:{ports['refused']}/{cassettes.home}"
                cell.seen["played", mode] = played(cell, mode, convo, base, runner)


def played(cell: Cell, mode: str, convo: Any, base: str, runner: asyncio.Runner) -> Seen:
    scheme = "https" if any(end.kind == "tls" for end in cell.ends) else "http"
    occupied = int(any((end.kind, end.phase) == ("timeout", "pool") for end in cell.ends))
    way = Route(f"{scheme}://{base}", timeout=cell.timeout, occupied=occupied, small=cell.long)
    seen = Seen()
    with contextlib.suppress(ConvoFailure), convo.replay(faults=cell.plan):  # what the verdict says is tested elsewhere
        if mode == "sync":
            seen = call(cell.sdk, cell.name, way)
        else:
            seen = runner.run(call_async(cell.sdk, cell.name, way), context=contextvars.copy_context())
    return seen


# what is said of it


def told(cell: Cell, mode: str, plain: Seen | None) -> dict[str, Any]:
    """A cell as data: both sides in short, and in full where they differ; `plain` is the one without a fault."""
    said: dict[str, Any] = {"spec": cell.spec, "sdk": cell.sdk, "version": VERSIONS[cell.sdk], "call": cell.name,
                            "mode": mode}  # fmt: skip
    if cell.why_not:
        return {**said, "n/a": cell.why_not}
    sides = {side: cell.seen[side, mode] for side in ("socket", "played") if (side, mode) in cell.seen}
    for side, seen in sides.items():
        said[side] = {"error": seen.error, "events": len(seen.events), "final": seen.final is not None,
                      "requests": seen.requests}  # fmt: skip
    said["socket"]["reached"] = sum(cell.here[: sides["socket"].requests])
    said["socket"]["counted"], said["socket"]["connections"] = cell.counted[mode]
    if plain is not None:
        said["as_recorded"] = {
            what: getattr(sides["socket"], what) == getattr(plain, what) for what in ("events", "final")
        }
    if len(sides) == 2:
        one, other = sides["socket"], sides["played"]
        pairs = {
            "outer": (one.outer, other.outer), "chain": (one.error[1:], other.error[1:]),
            "attributes": (one.attributes, other.attributes), "events": (one.events, other.events),
            "final": (one.final, other.final), "requests": (one.requests, other.requests),
        }  # fmt: skip
        said["differs"] = {what: pair for what, pair in pairs.items() if pair[0] != pair[1]}
    return said


def main(ports: dict[str, int], wanted: Sequence[str], home: str = "k1-", sides: str = "both") -> None:
    warnings.simplefilter("ignore")
    faulthandler.dump_traceback_later(300, exit=True)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    admin = Admin(ports)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        cassettes = Cassettes(admin, Path(directory), home)
        made = list(cells(wanted, cassettes))
        running = [cell for cell in made if not cell.why_not]
        on_sockets(running, admin, home)
        half = time.perf_counter()
        if sides == "both":
            for cell in running:
                cassettes.of(cell.sdk, cell.name, cell.long)
            recorded = admin.ask("counts")["requests"][home]
            in_process(running, cassettes, ports)
            assert admin.ask("counts")["requests"][home] == recorded, "a request of the in-process side got out"
        print(f"sockets {half - started:.1f} s, in-process {time.perf_counter() - half:.1f} s", file=sys.stderr)
    plain = {(cell.sdk, cell.name, mode): cell.seen["socket", mode]
             for cell, mode in itertools.product(running, MODES) if cell.spec == "noop"}  # fmt: skip
    for cell, mode in itertools.product(made, MODES):
        print(json.dumps(told(cell, mode, plain.get((cell.sdk, cell.name, mode)))))
    admin.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]), *sys.argv[3:])
