"""Looks for secrets and identifying data in files as they lie there: cassettes of any recorder, and any text.

A finding is what redaction changes: the same function that a recording goes through on its way to a cassette is
applied to what a file holds, and each stretch that becomes a placeholder is named by class and place, never by value.
So what this finds clean is what a save would have written, and nothing is looked for by other rules. Headers are the
exception: a recording drops all that it has no use for, here those of the table are named, each by its class.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from convo_replay import converting
from convo_replay.cassette import yaml_reader
from convo_replay.cassette.files import no_collection
from convo_replay.errors import CassetteError
from convo_replay.redaction.classes import Policy, Severity
from convo_replay.redaction.detect import Secret
from convo_replay.scanning.looking import Look
from convo_replay.scanning.reading import BOMS, read, read_text

SEVERITIES: tuple[Severity, ...] = ("error", "warn", "info")
FAILING: tuple[Severity, ...] = ("error", "warn")


@dataclass(frozen=True, slots=True)
class Hit:
    """One finding.

    Attributes:
        file: as it was named, or found under the folder that was named.
        exchange: its number in the file, from 0; `None` outside of exchanges.
        cls: its class (docs/redaction.md).
        path: `request.headers.authorization`, `response.sse[14]`; empty for a plain text.
        fixable: whether `--fix` can put a placeholder there, or take it out.
        severity: `error` gives access, `warn` tells who or where, `info` is kept by policy or masked already.
        line: in the file, from 1.
    """

    file: Path
    exchange: int | None
    cls: str
    path: str
    fixable: bool
    severity: Severity
    line: int

    def to_json(self) -> dict[str, object]:
        """The fields of a line of `scan --json`."""
        return {
            "file": str(self.file),
            "exchange": self.exchange,
            "class": self.cls,
            "path": self.path,
            "fixable": self.fixable,
            "severity": self.severity,
            "line": self.line,
        }


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file that was looked at.

    Attributes:
        findings: in order of exchanges, request first.
        format: `convo`, `vcrpy`, or `text` for everything else.
        exchanges: how many were read in it.
        size: bytes.
        skipped: why it was not looked at; empty where it was.
        unread: why it was looked at as text only, if at all, though it should be a cassette.
    """

    file: Path
    findings: Sequence[Hit] = ()
    format: str = "text"
    exchanges: int = 0
    size: int = 0
    skipped: str = ""
    unread: str = ""

    @property
    def failing(self) -> list[Hit]:
        """The findings that make a run fail: all but `info`."""
        return [hit for hit in self.findings if hit.severity in FAILING]


def files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file that the paths mean, once, and whether it was named itself; of a folder no hidden ones.

    Blobs beside cassettes are read with the cassettes that name them.
    """
    seen = set()
    for path in paths:
        for file in converting.files(path):
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield file, file == path


def scan(
    file: Path,
    *,
    redact: Mapping[str, Policy] | None = None,
    secrets: Sequence[Secret] = (),
    environ: Mapping[str, str] | None = None,
) -> Scanned:
    """What a file holds that it should not.

    Args:
        redact: class → what becomes of it, where that is not what the table says; `keep` is not named.
        secrets: what else is a secret: strings, patterns, callables `text -> [(start, end), …]`.
        environ: whose credential-like values are secrets, by default the environment's.

    Raises:
        CassetteError: the file cannot be read.
    """
    data = contents(file)
    if reason := binary(data):
        return Scanned(file, size=len(data), skipped=reason)
    with no_collection():
        # No name holds the look: it is gone before garbage is collected again.
        return found(read(data, file, redact, secrets, environ), file, len(data))


def scan_unread(file: Path, reason: str, *, redact: Mapping[str, Policy] | None = None) -> Scanned:
    """What a file holds that cannot be read as the cassette that it should be, and why it cannot."""
    try:
        data = contents(file)
    except CassetteError:
        return Scanned(file, unread=reason)
    return replace(found(read_text(data, redact), file, len(data)), unread=reason)


def found(look: Look, file: Path, size: int) -> Scanned:
    """The findings of a file that was looked at."""
    hits = [
        Hit(file, one.exchange, one.cls, one.path, one.fixable, one.severity, look.line(one)) for one in look.findings
    ]
    order = {severity: at for at, severity in enumerate(SEVERITIES)}
    hits.sort(key=lambda hit: (hit.exchange is None, hit.exchange or 0, hit.line, order[hit.severity], hit.path))
    return Scanned(file, list(dict.fromkeys(hits)), look.format, look.exchanges, size)


def contents(file: Path) -> bytes:
    """The bytes of a file.

    Raises:
        CassetteError: it is missing, too large, or cannot be read.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise CassetteError(file, "no regular file, not scanned")
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size > yaml_reader.MAX_FILE:
                raise CassetteError(file, f"over {yaml_reader.MAX_FILE:,} bytes (256 MB), not scanned")
            return opened.read()
    except OSError as error:
        raise CassetteError(file, f"cannot be read: {error.strerror or error}") from None


def binary(data: bytes) -> str:
    """Why bytes are no text; empty where they are."""
    start = data[:8192]
    if start.startswith(BOMS):
        return ""
    if b"\0" in start:
        return "binary"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        odd = sum(byte < 9 or 13 < byte < 32 for byte in start)
        return "binary" if odd * 20 > len(start) else ""
    return ""


def shown_from(scanned: Scanned, folder: Path) -> Scanned:
    """The same with files named as seen from a folder, where they are below it."""
    try:
        file = Path(os.path.realpath(scanned.file)).relative_to(os.path.realpath(folder))
    except ValueError:
        return scanned
    return replace(scanned, file=file, findings=[replace(hit, file=file) for hit in scanned.findings])
