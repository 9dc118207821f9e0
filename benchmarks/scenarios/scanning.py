"""What looking for secrets costs, in megabytes of cassette text a second, and that no text makes it slow.

Measured are the search of a text, the redaction of exchanges that are parsed already, and all that `scan` does with
a file, reading it included. The floor of the last is libyaml over the same bytes.
"""

from __future__ import annotations

import base64
import cProfile
import gc
import json
import os
import pstats
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import measuring, validated, worst
from benchmarks.bench import Bench, Figure
from benchmarks.contenders import OURS
from benchmarks.measuring import Spread
from convo_replay import scanning
from convo_replay.cassette import Cassette, dump, load, vcrpy_writing
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.redaction import Redactor
from convo_replay.redaction.detect import Detector

MEGABYTE = 1_000_000
CORPUS = Path(os.environ.get("CONVO_CORPUS") or Path(__file__).resolve().parents[3] / "shared" / "corpus")


@dataclass(frozen=True, slots=True)
class Files:
    """Cassettes as they lie there, and what they hold."""

    texts: Sequence[bytes]
    exchanges: Sequence[Sequence[Exchange]]
    suffix: str = ".yaml"

    @property
    def megabytes(self) -> float:
        return sum(map(len, self.texts)) / MEGABYTE


def ours() -> Files:
    """Twenty conversations of fifty turns in our format."""
    every = [validated.conversation(50) for _ in range(20)]
    return Files([dump(Cassette(clients={}, exchanges=exchanges)).text for exchanges in every], every)


def vcrpy() -> Files:
    """The same, ten turns each, in vcrpy's: a request repeats all turns before it."""
    every = [validated.conversation(10) for _ in range(20)]
    return Files(
        [vcrpy_writing.dump(Cassette(clients={}, exchanges=exchanges, format="vcrpy")) for exchanges in every], every
    )


def published() -> Files:
    """vcrpy's cassettes of other projects, where the corpus is at hand; every fourth of them."""
    rows = json.loads((CORPUS / "INDEX.json").read_text(encoding="utf-8"))
    paths = [CORPUS / row["path"] for row in rows if row["format"] == "vcrpy-yaml"][::4]
    return Files([path.read_bytes() for path in paths], [load(path).exchanges for path in paths])


def encoded() -> Files:
    """A text that is base64 from beginning to end, of bytes that are no image and no text."""
    data = random.Random(7).randbytes(3 * MEGABYTE // 4)
    pieces = [base64.b64encode(data[at : at + 60_000]).decode() for at in range(0, len(data), 60_000)]
    message = [{"role": "user", "content": [{"type": "text", "text": piece} for piece in pieces]}]
    answer = json.dumps({"output": pieces}).encode()
    head = Head(200, (("content-type", "application/json"),))
    exchange = Exchange(
        Request("POST", validated.MESSAGES, (), Json({"messages": message})), (head, Chunk(0.0, answer), End())
    )
    return Files([dump(Cassette(clients={}, exchanges=[exchange])).text], [[exchange]])


def search(files: Files) -> None:
    """The detector over the text of the files."""
    for text in files.texts:
        Detector().find(text.decode())


def redact(files: Files) -> None:
    """A redactor for each file, over its exchanges; parsed values are read, not bytes."""
    for exchanges in files.exchanges:
        redactor = Redactor({})
        for exchange in exchanges:
            redactor.exchange(exchange)


def scan(files: Files) -> None:
    """Everything that the command does but printing."""
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(files.texts):
            file = Path(folder, f"{number}{files.suffix}")
            file.write_bytes(text)
            scanning.scan(file, environ={})


def parse(files: Files) -> None:
    """libyaml alone."""
    for text in files.texts:
        yaml.compose(text, yaml.CSafeLoader)


@dataclass(frozen=True, slots=True)
class Scanning:
    """Attributes:
    files: made once.
    work: what is measured.
    goal: megabytes a second, at least.
    """

    text: str
    files: Callable[[], Files]
    work: Callable[[Files], None]
    goal: float | None = None

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints megabytes a second, ours and libyaml's."""
        try:
            files = self.files()
        except FileNotFoundError as error:
            bench.unmeasured(scenario, OURS.name, f"no {error.filename}")
            return
        works = {OURS.name: (bench.rounds, lambda: measuring.cpu(lambda: self.work(files)))}
        if self.work is scan:
            works["libyaml"] = (bench.rounds, lambda: measuring.cpu(lambda: parse(files)))
        for name, taken in measuring.interleaved(works).items():
            spread = Spread.of([files.megabytes / max(each, 1e-9) for each in taken])
            goal = self.goal if name == OURS.name else None
            bench.add(Figure(scenario, name, spread, "MB/s", goal, at_least=True))

    def profile(self) -> pstats.Stats:
        files = self.files()
        profiler = cProfile.Profile()
        profiler.runcall(self.work, files)
        return pstats.Stats(profiler)


@dataclass(frozen=True, slots=True)
class Growth:
    """The text that makes the search slowest for its length: time for twice as much over time for as much.

    Attributes:
        size: characters of the texts that are looked at first, all of them; what grows faster than they do there is
            measured with more.
        goal: at most so much for twice as much.
    """

    text: str
    size: int
    goal: float

    def measure(self, bench: Bench, scenario: str) -> None:
        """Prints the greatest growth of all texts, and the slowest of them by megabytes a second."""
        gc.collect()
        first: list[tuple[float, str, worst.Grown]] = []
        slowest = (0.0, "")
        for name, grown in distinct():
            short, long = (_seconds(grown(size)) for size in (self.size, 8 * self.size))
            first.append((long / max(short, 1e-4), name, grown))
            slowest = max(slowest, (long, name))
        first.sort(key=lambda one: one[0], reverse=True)
        grows = [(self._doubling(grown), name) for _, name, grown in first[:12]]
        most, name = max(grows)
        bench.add(Figure(scenario, OURS.name, Spread.of([most]), "×", self.goal, f"  ({name}; {len(first)} texts)"))
        rate = 8 * self.size / MEGABYTE / slowest[0]
        bench.add(Figure(scenario, "the slowest text", Spread.of([rate]), "MB/s", note=f"  ({slowest[1]})"))

    def _doubling(self, grown: worst.Grown) -> float:
        size = 8 * self.size
        while size < 400_000 and _seconds(grown(size)) < 0.02:
            size *= 2
        once = self._growth(grown, size, 2)
        # One round more because of where the text is cut is a step: over the next doubling it is none.
        return once if once <= self.goal else min(once, self._growth(grown, size, 4) ** 0.5)

    def _growth(self, grown: worst.Grown, size: int, times: int) -> float:
        # Half of a secret at the end costs a round more, and where the text is cut decides whether one is there.
        texts = [grown(n) + " ." for n in (size, times * size)]
        least = [float("inf"), float("inf")]
        for number in range(_MOST_ROUNDS):  # a moment of other work is in one round, and a square in all of them
            least = [min(known, _seconds(text)) for known, text in zip(least, texts, strict=True)]
            if number >= 2 and least[1] <= times / 2 * self.goal * least[0]:
                break
        return least[1] / least[0]


_MOST_ROUNDS = 9


def distinct() -> list[tuple[str, worst.Grown]]:
    """The worst texts, each once."""
    seen: dict[str, tuple[str, worst.Grown]] = {}
    for name, grown in worst.strings():
        seen.setdefault(grown(300), (name, grown))
    return list(seen.values())


def _seconds(text: str) -> float:
    redactor = Redactor({})
    started = time.process_time()
    redactor.text(text)
    return time.process_time() - started
