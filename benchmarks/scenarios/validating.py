"""What validation costs: all checks together, beside the bare questions that a schema answers alone.

The floor is `jsonschema_rs` over the same values, which says yes or no and no more; `jsonschema`, which is
written in Python, is measured, too. Both know nothing of conversations, of the order of events, or of models.
"""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import measuring
from benchmarks.bench import Bench, Figure, short
from benchmarks.contenders import OURS
from benchmarks.measuring import Spread
from convo_replay import sse
from convo_replay.exchange import Exchange
from convo_replay.providers import wire

FORMAT = "anthropic"
REPEATED = 0.1  # seconds that one round takes at least, where one time is too short for the clock


@dataclass(frozen=True, slots=True)
class Work:
    """What is measured, and what is made before each time of it, and not measured."""

    run: Callable[[Any], Any]
    prepare: Callable[[], Any] = lambda: None

    def run_all(self, prepared: list[Any]) -> None:
        """Once with each, and lets go of it: what piles up would be walked by the garbage collector."""
        while prepared:
            self.run(prepared.pop())


@dataclass(frozen=True, slots=True)
class Validating:
    """Exchanges of one conversation, by a validator that has seen none of them.

    Attributes:
        exchanges: made once.
        sides: `request`, `response`, or both.
        goal: milliseconds.
        slow: whether `jsonschema` takes minutes.
    """

    text: str
    exchanges: Callable[[], Sequence[Exchange]]
    sides: Sequence[str]
    goal: float
    slow: bool = False

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints milliseconds, and ours as a multiple of the others."""
        given = self.exchanges()
        works: dict[str, Work] = {
            "jsonschema_rs": _alone(given, self.sides, _rust),
            OURS.name: self._ours(given),
        }
        if not self.slow or bench.full:
            works["jsonschema"] = _alone(given, self.sides, _python)
        measured = measuring.interleaved(
            {
                name: (bench.rounds if name != "jsonschema" or not self.slow else 1, _repeated(work))
                for name, work in works.items()
            }
        )
        spreads = {name: Spread.of([1000 * each for each in taken]) for name, taken in measured.items()}
        bench.floors[scenario] = f"{spreads['jsonschema_rs'].median:.3f} ms"
        for name in works:
            note, goal = "", None
            if name == OURS.name:
                goal = self.goal
                others = [other for other in spreads if other != name]
                times = [f"{short(spreads[name].median / spreads[other].median)} × {other}" for other in others]
                note = f"  ({', '.join(times)})"
            bench.add(Figure(scenario, name, spreads[name], "ms", goal, note))
        if self.slow and not bench.full:
            bench.unmeasured(scenario, "jsonschema", "takes minutes; --full measures it")

    def profile(self) -> pstats.Stats:
        """Where the time of all checks goes, over a hundred validators."""
        work = self._ours(self.exchanges())
        profiler = cProfile.Profile()
        every = [work.prepare() for _ in range(100 if self.goal < 10 else 3)]
        profiler.runcall(lambda: work.run_all(every))
        return pstats.Stats(profiler)

    def _ours(self, given: Sequence[Exchange]) -> Work:
        from convo_replay.validation.history import Validator

        def prepare() -> Validator:
            """One that has seen nothing, or the requests alone, where only answers are measured."""
            validator = Validator()
            for exchange in given if "request" not in self.sides else ():
                validator.request(exchange.request)
            return validator

        def work(validator: Validator) -> int:
            found = 0
            for exchange in given:
                if "request" in self.sides:
                    found += len(validator.request(exchange.request))
                if "response" in self.sides:
                    found += len(validator.response(exchange))
            return found

        if work(prepare()):
            raise AssertionError("there are findings where nothing is wrong")
        return Work(work, prepare)


def _repeated(work: Work) -> Callable[[], float]:
    """CPU seconds for one time, measured over as many as fill a moment."""
    given = work.prepare()
    once = max(measuring.cpu(lambda: work.run(given)), 1e-6)
    times = max(1, int(REPEATED / once))

    def measured() -> float:
        every = [work.prepare() for _ in range(times)]
        return measuring.cpu(lambda: work.run_all(every)) / times

    return measured


def _alone(given: Sequence[Exchange], sides: Sequence[str], ask: Callable[[Any], Callable[[Any], Any]]) -> Work:
    """A question to a compiled schema for each request, and for the events of each answer; they are parsed before."""
    params, events = _schema("params"), _schema("event")
    of_request, of_events = ask(params), ask({"type": "array", "items": events, "$defs": events["$defs"]})
    requests = [exchange.request.json for exchange in given if "request" in sides]
    answers = [
        [wire.parse(event.data) for event in sse.split(exchange.body) if event.dispatched]
        for exchange in given
        if "response" in sides
    ]

    def work(_: None) -> None:
        if not all(map(of_request, requests)) or not all(map(of_events, answers)):
            raise AssertionError("the schema refuses something in which nothing is wrong")

    return Work(work)


def _schema(root: str) -> dict[str, Any]:
    """A whole schema, that of the messages in the request's included."""
    from convo_replay.validation.schema_files import shapes

    given = shapes(FORMAT)
    schema = {**given.roots[f"ga.{root}"], "$defs": dict(given.defs)}
    if root == "params":
        messages = {"type": "array", "items": given.roots["ga.message"]}
        schema["properties"] = {**schema["properties"], "messages": messages}
    return schema


def _rust(schema: Any) -> Callable[[Any], Any]:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(schema).is_valid


def _python(schema: Any) -> Callable[[Any], Any]:
    from jsonschema import Draft202012Validator

    check: Callable[[Any], Any] = Draft202012Validator(schema).is_valid
    return check
