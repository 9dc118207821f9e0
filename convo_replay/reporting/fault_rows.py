"""The catalogue of faults as a person and a program read it: `convo-replay faults`, and the table of the docs.

A fault whose word decides what a client sees has a row for each word.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console

from convo_replay.faults import outcomes, provider_errors
from convo_replay.faults.catalogue import catalogue, usage
from convo_replay.faults.fault import Fault
from convo_replay.reporting.lines import write
from convo_replay.reporting.outcomes import number
from convo_replay.reporting.printable import styled

_WHERE = {
    "benign": "nowhere that a client could see",
    "connect": "on the way to the server",
    "head": "before the headers",
    "status": "in place of the answer",
    "body": "in the body",
    "stream": "in the stream",
    "tools": "in a tool call",
}
_POSITIONS = {"none": "", "events": ", at an event", "any": ", at an event or a byte"}
_WIDTH = 78
_SPEC = "NAME[:ARG,…][@WHERE][#MODEL][xTIMES]; e.g. 429:retry_after=2@t1, cut:eof@5, stall@t1.b1200, 529x3"
_LEGEND = {
    "create, raw, stream": "the call: without streaming; create(stream=True); .stream() and its final message",
    "normal, result, silent": "no exception: as recorded; another value; less than was recorded, or other events",
    "(bare)": "an exception that is none of the SDK's: `except APIError` misses it",
    "after 3 requests": "with the SDK's own retries (2), where the fault lasts: x*",
}


@dataclass(frozen=True)
class Row:
    """One entry of the catalogue.

    Attributes:
        spec: how it is written: `cut:reset@EVENT or @bBYTE`.
        outcomes: what each SDK makes of it, by SDK and call: `anthropic raw`.
        source: the rows of protocol.md that it covers.
    """

    name: str
    spec: str
    where: str
    description: str
    outcomes: Mapping[str, str]
    source: str

    def to_json(self) -> dict[str, object]:
        """What `--json` prints of it."""
        kept = ("name", "spec", "where", "description", "outcomes")
        return {key: getattr(self, key) for key in kept}

    def told(self) -> Iterator[tuple[str, str]]:
        """The outcomes, those that are the same together: `raw, stream, anthropic`, and what they are."""
        calls: dict[tuple[str, ...], list[str]] = {}
        for call in outcomes.CALLS:
            texts = tuple(self.outcomes.get(f"{sdk} {call}", "").replace(f"{sdk}.", "") for sdk in outcomes.SDKS)
            if any(texts):
                calls.setdefault(texts, []).append(call)
        for texts, same in calls.items():
            named = [] if len(calls) == 1 else same
            if len(set(texts)) == 1:
                yield ", ".join(named), texts[0]
                continue
            for sdk, text in zip(outcomes.SDKS, texts, strict=True):
                if text:
                    yield ", ".join([*named, sdk]), text


def rows() -> Iterator[Row]:
    """The whole catalogue.

    Raises:
        RuntimeError: a package registers something that is no fault.
    """
    for fault in catalogue().values():
        begins = [key.split()[0] for key in fault.outcomes]
        for word in dict.fromkeys("" if begin in outcomes.SDKS else begin for begin in begins or [""]):
            yield _row(fault, word)


class Lines:
    """Prints JSON, one object on a line."""

    def row(self, row: Row) -> None:
        print(json.dumps(row.to_json(), ensure_ascii=False))

    def summary(self) -> None:
        """JSON has none."""


class Page:
    """Prints for a person, by where a fault sits. No colour and no wrapping to a terminal where nobody watches."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._place = ""
        self._names: set[str] = set()

    def row(self, row: Row) -> None:
        self._names.add(row.name)
        place = row.where.partition(",")[0]
        if place != self._place:
            self._wrapped(0, "", f"{place[0].upper()}{place[1:]}:")
            self._place = place
        write(self._console, 2, styled(row.spec, "bold cyan"))
        self._wrapped(4, "", row.description)
        for who, text in row.told():
            self._wrapped(4, who, text)
        self._console.print()

    def summary(self) -> None:
        """How many there are, and how they are written."""
        write(self._console, 0, styled(number(len(self._names), "fault")))
        self._wrapped(0, "a spec", _SPEC)
        for word, meaning in _LEGEND.items():
            self._wrapped(0, word, meaning)

    def _wrapped(self, indent: int, label: str, text: str) -> None:
        begins = f"{label}: " if label else ""
        width = min(_WIDTH, self._console.width)
        lines = textwrap.wrap(
            begins + text, max(width - indent, 20), subsequent_indent="  " * bool(label),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        for at, line in enumerate(lines):
            named = len(begins) if not at else 0
            write(self._console, indent, styled(line[:named], "dim"), styled(line[named:]))


def _row(fault: type[Fault], word: str) -> Row:
    prefix = f"{word} " if word else ""
    told = {
        key.removeprefix(prefix): text
        for key, text in fault.outcomes.items()
        if key.startswith(prefix) and key.removeprefix(prefix).split()[0] in outcomes.SDKS
    }
    where = _WHERE[fault.kind] + _POSITIONS[fault.positions] + ("" if fault.position_needed else " or where it likes")
    return Row(fault.name, _spec(fault, word), where, _description(fault, word), told, fault.source)


def _spec(fault: type[Fault], word: str) -> str:
    if word.isdecimal():
        return word
    written = usage(fault)
    if not word:
        return written
    place = written.partition("@")[1] + written.partition("@")[2]
    left_out = any(field.default == word for field in dataclasses.fields(fault))
    return f"{fault.name}{place}" if left_out else f"{fault.name}:{word}{place}"


def _description(fault: type[Fault], word: str) -> str:
    if word.isdecimal():
        return provider_errors.phrase(int(word))
    said = "; ".join([field.metadata.get("help", "") for field in dataclasses.fields(fault)])
    meant = dict(part.split(": ", 1) for part in said.split("; ") if ": " in part)
    return f"{fault.summary}: {meant[word]}" if word in meant else fault.summary
