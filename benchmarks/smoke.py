"""Counts, not seconds: what must hold on a machine of any speed. Exits 1 where it does not.

    python -m benchmarks.smoke

Two kinds of bounds. What is done per request, event or cassette may not exceed an absolute number, with room for
change but not for another loop. And where the work is four times as much, or a stream ten times as long, what is
done for each part may not grow: that is how a walk over the history, or a copy per chunk, shows.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson

import convo_replay
from benchmarks import traffic, validated
from benchmarks.contenders import OURS
from benchmarks.counting import Counts, counted
from benchmarks.scenarios import scanning
from convo_replay import cassette, checking
from convo_replay.exchange import Chunk, Exchange
from convo_replay.redaction import Redactor
from convo_replay.validation.history import Validator

FEW, MANY = 30, 120
"""Turns of the conversations, and exchanges of the files, that are compared."""


@dataclass(slots=True)
class Bounds:
    """What was counted against what it may be."""

    broken: int = 0

    def topic(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def most(self, what: str, counted: float, bound: float) -> None:
        """It may be `bound`, and not more."""
        self._show(what, counted, "at most", bound, counted <= bound)

    def exactly(self, what: str, counted: float, bound: float) -> None:
        """It has to be `bound`: a count that counts nothing any more is noticed, too."""
        self._show(what, counted, "exactly", bound, counted == bound)

    def _show(self, what: str, counted: float, word: str, bound: float, good: bool) -> None:
        print(f"  {'ok  ' if good else 'FAIL'}  {what}: {counted:,.5g} ({word} {bound:,.5g})", flush=True)
        self.broken += not good


@dataclass(frozen=True, slots=True)
class Run:
    """One workload, recorded and replayed, and the files of it."""

    workload: traffic.Workload
    folder: Path
    recording: Counts
    replay: Counts

    @property
    def requests(self) -> int:
        return len(self.workload.texts)

    def opened(self, counts: Counts) -> int:
        """How often a file was opened that lies where the cassettes do."""
        return sum(path.startswith(str(self.folder)) for path in counts.opened)


def run(folder: Path, workload: traffic.Workload) -> Run:
    """Counts one recording and one replay."""
    recording = counted(lambda: OURS.record(folder, workload))
    texts: list[str] = []
    replay = counted(lambda: texts.extend(OURS.replay(folder, workload)))
    if texts != workload.texts:
        raise AssertionError("what was replayed is not what was recorded")
    return Run(workload, folder, recording, replay)


def growth(few: float, many: float) -> float:
    """What each part of the large work takes, over what each part of the small one takes."""
    return (many / MANY) / (few / FEW) if few else float("inf") if many else 1.0


def conversation(bounds: Bounds, folder: Path) -> None:
    bounds.topic(f"a streamed conversation; request k repeats all turns before it; {MANY} turns beside {FEW}")
    few, many = (run(folder / f"turns-{turns}", traffic.conversation(turns)) for turns in (FEW, MANY))
    sizes = [each.folder.joinpath("0.yaml").stat().st_size for each in (few, many)]
    bounds.most("bytes of the cassette per turn", sizes[1] / MANY, 2_500)
    bounds.most("bytes of the cassette per turn, growth", growth(*sizes), 1.05)
    for work, one, other in (
        ("replay", few.replay, many.replay), ("recording", few.recording, many.recording)
    ):  # fmt: skip
        print(f"    {work}")
        bounds.exactly("decisions per request", other.calls["Conversation.decide"] / MANY, 1)
        for what, some in costs(one).items():
            more = costs(other)[what]
            limit, grows = LIMITS[work][what]
            bounds.most(f"{what} per turn", more / MANY, limit)
            bounds.most(f"{what} per turn, growth", growth(some, more), grows)
    bounds.exactly("redactions per request in replay", many.replay.calls["Redactor.request"] / MANY, 1)
    bounds.most("fingerprints per request in replay", many.replay.calls["Fingerprints.of"] / MANY, 2)
    bounds.exactly("cassettes parsed in replay", many.replay.calls["loads"], 1)
    bounds.exactly("files opened in replay", many.opened(many.replay), 1)
    bounds.exactly("trust stores read in replay", many.replay.trust_stores, 0)
    bounds.exactly("trust stores read by a client outside", counted(lambda: traffic.client().close()).trust_stores, 1)


def costs(counts: Counts) -> dict[str, int]:
    """What may not grow with the history."""
    return {
        "our calls": counts.called,
        "built-in calls": counts.built_in.total(),
        "JSON bytes parsed": counts.bytes["loads"],
        "JSON bytes written": counts.bytes["dumps"],
        "bytes hashed": counts.bytes["hashed"],
        "texts searched for secrets": counts.searched,
    }


# Per turn, validation included: at most so much; and, with four times the turns, so many times as much.
LIMITS = {
    "replay": {
        "our calls": (1_150, 1.15),
        # The validator looks up each message of the history, once per turn.
        "built-in calls": (2_100, 1.3),
        "JSON bytes parsed": (3_900, 1.1),
        "JSON bytes written": (6_200, 1.1),
        "bytes hashed": (1_000, 1.1),
        "texts searched for secrets": (3, 1.1),
    },
    "recording": {
        # The redactor and the writer look up each message of the history, once per turn.
        "our calls": (2_800, 1.4),
        "built-in calls": (10_000, 1.5),
        "JSON bytes parsed": (8_000, 1.1),
        "JSON bytes written": (9_000, 1.1),
        "bytes hashed": (2_500, 1.1),
        "texts searched for secrets": (6, 1.1),
    },
}


def streams(bounds: Bounds, folder: Path) -> None:
    bounds.topic("five streams, of 330 events each beside 30")
    short, long = (run(folder / f"events-{events}", traffic.streams(5, events)) for events in (30, 330))
    for name, one, other, called, built_in, joined in (
        ("replay", short.replay, long.replay, 12, 40, 0.05),
        ("recording", short.recording, long.recording, 45, 250, 10),
    ):
        more = 5 * 300
        bounds.most(f"{name}: our calls per event", (other.called - one.called) / more, called)
        bounds.most(
            f"{name}: built-in calls per event", (other.built_in.total() - one.built_in.total()) / more, built_in
        )
        bounds.most(f"{name}: joins per event", (other.built_in["join"] - one.built_in["join"]) / more, joined)
        bytes_ = sum(map(len, (piece for ask in long.workload.asked[0] for piece in ask.pieces)))
        bounds.most(f"{name}: JSON bytes parsed per byte of the streams", other.bytes["loads"] / bytes_, 4)
    path = long.folder / "0.yaml"
    request = cassette.load(path).exchanges[0].request
    with convo_replay.use_cassette(path, unplayed="ignore") as convo, httpx2.Client() as client:
        with client.stream("POST", request.url, content=orjson.dumps(request.json)) as response:
            came = list(response.iter_raw())
        kept = [step.data for step in convo.exchanges[0].steps if isinstance(step, Chunk)]
    bounds.exactly("chunks that the client gets of a stream of 330 events", len(came), 330)
    bounds.exactly("of them, copied on the way", sum(a is not b for a, b in zip(came, kept, strict=True)), 0)


def files(bounds: Bounds, folder: Path) -> None:
    bounds.topic(f"exchanges in one file, in random order; {MANY} beside {FEW}")
    few, many = (run(folder / f"random-{number}", traffic.shuffled(number)) for number in (FEW, MANY))
    bounds.most("our calls per request", many.replay.called / MANY, 750)
    bounds.most("our calls per request, growth", growth(few.replay.called, many.replay.called), 1.1)
    built_in = (few.replay.built_in.total(), many.replay.built_in.total())
    bounds.most("built-in calls per request, growth", growth(*built_in), 1.1)
    recorded = (few.recording.called, many.recording.called)
    bounds.most("recording: our calls per exchange, growth", growth(*recorded), 1.1)
    bounds.topic("small cassettes, each opened, asked once through a client of its own, and closed")
    small = run(folder / "small", traffic.small(50))
    bounds.most("our calls per cassette", small.replay.called / 50, 1_500)
    bounds.most("built-in calls per cassette", small.replay.built_in.total() / 50, 2_500)
    bounds.exactly("cassettes parsed per cassette", small.replay.calls["loads"] / 50, 1)
    bounds.exactly("files opened per cassette", small.opened(small.replay) / 50, 1)


def validation(bounds: Bounds, _folder: Path) -> None:
    bounds.topic(f"validating a streamed tool loop; {MANY} turns beside {FEW}")
    few, many = (validated.conversation(turns) for turns in (FEW, MANY))
    findings = checking.findings(few)
    bounds.exactly("findings where nothing is wrong", len(findings), 0)
    one, other = (counted(lambda given=given: validate(given)) for given in (few, many))
    bounds.most("our calls per turn", other.called / MANY, 1_000)
    bounds.most("our calls per turn, growth", growth(one.called, other.called), 1.2)
    bounds.most("built-in calls per turn", other.built_in.total() / MANY, 2_300)
    bounds.most("built-in calls per turn, growth", growth(one.built_in.total(), other.built_in.total()), 1.5)
    bytes_ = sum(len(exchange.body) for exchange in many)
    bounds.most("JSON bytes parsed per byte of the answers", other.bytes["loads"] / bytes_, 1.5)
    bounds.topic("the same for one stream, of 330 events beside 30")
    short, long = (counted(lambda events=events: validate([validated.stream(events)])) for events in (30, 330))
    bounds.most("our calls per event", (long.called - short.called) / 300, 12)
    bounds.most("built-in calls per event", (long.built_in.total() - short.built_in.total()) / 300, 40)


def redaction(bounds: Bounds, _folder: Path) -> None:
    bounds.topic(f"redacting a streamed tool loop; {MANY} turns beside {FEW}")
    few, many = (validated.conversation(turns) for turns in (FEW, MANY))
    one, other = (counted(lambda given=given: redact(given)) for given in (few, many))
    bounds.most("our calls per turn", other.called / MANY, 1_100)
    bounds.most("our calls per turn, growth", growth(one.called, other.called), 1.1)
    bounds.most("built-in calls per turn", other.built_in.total() / MANY, 3_300)
    bounds.most("built-in calls per turn, growth", growth(one.built_in.total(), other.built_in.total()), 1.3)
    bounds.most("texts searched per turn", other.searched / MANY, 8)
    bounds.topic("texts that are nothing but beginnings of secrets; 4,000 characters beside 1,000")
    for name, grown in list(scanning.distinct())[::SAMPLED]:
        every = [counted(functools.partial(Redactor({}).text, grown(size))) for size in (1_000, 4_000)]
        work = [counts.called + counts.built_in.total() for counts in every]
        if work[1] > 5 * work[0] + 1_000:
            bounds.most(f"calls for {name}, over four times the text", work[1] / work[0], 5)


SAMPLED = 40
"""Of so many generated texts one is looked at; `python -m benchmarks.run scan-growth` times them all."""


def redact(exchanges: Sequence[Exchange]) -> None:
    """All of them, by a redactor that has seen nothing."""
    redactor = Redactor({})
    for exchange in exchanges:
        redactor.exchange(exchange)


def validate(exchanges: Sequence[Exchange]) -> None:
    """All checks, by a validator that has seen nothing."""
    validator = Validator()
    for exchange in exchanges:
        validator.request(exchange.request)
        validator.response(exchange)


# What takes tens of milliseconds to import, or belongs to a part that a test run may not need.
HEAVY = (
    "aiohttp", "anthropic", "convo_replay.cassette", "convo_replay.conversation", "convo_replay.redaction",
    "convo_replay.transports", "convo_replay.validation", "filelock",
    "httpcore", "httpcore2", "httpx", "httpx2", "jsonschema", "jsonschema_rs",
    "openai", "orjson", "pydantic", "rich", "syrupy", "urllib3", "vcr", "yaml",
)  # fmt: skip

NEW_MODULES = """\
import sys
import pytest

class Last:
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        modules[:] = sys.modules

modules = []
pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[Last()])
print("MODULES", *modules)
"""


def start_up(bounds: Bounds, folder: Path) -> None:
    bounds.topic("pytest with the plugin, over one test that does not use it")
    folder = folder / "start-up"
    folder.mkdir()
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

    def modules(*arguments: str) -> set[str]:
        command = [sys.executable, "-c", NEW_MODULES, *arguments]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
        return set(next(line for line in output.splitlines() if line.startswith("MODULES")).split()[1:])

    new = modules("-p", "convo_replay.plugin") - modules()
    ours = {name for name in new if name.partition(".")[0] == "convo_replay"}
    print(f"    {' '.join(sorted(ours))}")
    bounds.most("modules of ours imported", len(ours), 8)
    bounds.most("other modules imported", len(new - ours), 5)
    bounds.exactly("heavy ones among them", sum(name in new for name in HEAVY), 0)


def main() -> int:
    bounds = Bounds()
    with tempfile.TemporaryDirectory() as directory:
        run(Path(directory) / "first", traffic.streams(2, 10))  # fills what is worked out once per process
        for topic in (start_up, conversation, streams, files, validation, redaction):
            topic(bounds, Path(directory))
    print(f"\n{bounds.broken or 'no'} bound{'s' if bounds.broken > 1 else ''} broken")
    return 1 if bounds.broken else 0


if __name__ == "__main__":
    sys.exit(main())
