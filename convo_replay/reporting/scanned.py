"""`convo-replay scan` as a person reads it: by file, then by class, with the first places; then what to do.

Two hundred cassettes of another recorder have thousands of findings, nearly all of them the same few headers. So a
class is one line in a file, what is kept by policy is only counted, and where many files are listed a file's warnings
share a line: what gives access must not drown in user agents.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from convo_replay.redaction.classes import Severity
from convo_replay.reporting.lines import write
from convo_replay.reporting.outcomes import number
from convo_replay.reporting.printable import one_line, styled
from convo_replay.scanning import FAILING, SEVERITIES, Fixed, Hit, Scanned

_STYLES: dict[Severity, str] = {"error": "bold red", "warn": "yellow", "info": "dim"}
_PLACES = 2
"""Places of a class that are named in a file; the rest is counted."""
_MANY = 25
"""Files with findings from which on the warnings of a file share a line."""


class Lines:
    """Prints JSON, one finding on a line."""

    def file(self, scanned: Scanned) -> None:
        for hit in scanned.findings:
            print(json.dumps(hit.to_json()))

    def fixed(self, fixed: Fixed) -> None:
        """One file that `--fix` has seen: what is left in it."""
        self.file(fixed.after)

    def summary(self) -> None:
        """JSON has none."""


class Page:
    """Prints for a person. No colour and no wrapping where nobody watches."""

    def __init__(self, paths: Sequence[Path] = (), console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._paths = " ".join(map(str, paths)) or "PATH"
        self._scanned: list[Scanned] = []
        self._fixed: list[Fixed] = []

    def file(self, scanned: Scanned) -> None:
        """One file that was looked at."""
        self._scanned.append(scanned)

    def fixed(self, fixed: Fixed) -> None:
        """One file that `--fix` has seen; nothing is said of one without findings."""
        self._fixed.append(fixed)
        self._scanned.append(fixed.after)

    def summary(self) -> None:
        """All of it: how it is told depends on how much there is."""
        for fixed in self._fixed:
            self._what_was_fixed(fixed)
        failing = [scanned for scanned in self._scanned if scanned.failing]
        reasons = {fixed.file: fixed.reasons for fixed in self._fixed}
        for scanned in failing:
            self._file(scanned, brief=len(failing) > _MANY)
            for reason in reasons.get(scanned.file, ()):
                write(self._console, 4, styled(f"not fixed: {one_line(reason, 300)}", "dim"))
        for scanned in self._scanned:
            if scanned.skipped:
                write(self._console, 0, styled(f"{one_line(scanned.file, 300)}: {scanned.skipped}, not scanned", "dim"))
        self._counts()
        self._what_next(failing)

    def _what_was_fixed(self, fixed: Fixed) -> None:
        if fixed.after is fixed.before:
            return
        gone = Counter(hit.cls for hit in fixed.before.failing)
        gone.subtract(Counter(hit.cls for hit in fixed.after.failing))
        told = ", ".join(f"{cls} ×{count}" for cls, count in sorted(gone.items()) if count > 0)
        name = styled(one_line(fixed.file, 300), "bold")
        write(self._console, 0, name, styled(f": fixed {number(fixed.count, 'finding')} ({told})"))
        for note in fixed.notes:
            write(self._console, 4, styled(one_line(note, 300), "dim"))

    def _file(self, scanned: Scanned, *, brief: bool) -> None:
        held = number(scanned.exchanges, "exchange") if scanned.exchanges else ""
        write(
            self._console, 0, styled(f"\n{one_line(scanned.file, 300)}", "bold underline"),
            styled(f"  {held}" if held else "", "dim"),
        )  # fmt: skip
        for severity in FAILING:
            groups = _by_class(hit for hit in scanned.findings if hit.severity == severity)
            if brief and severity != "error" and groups:
                told = ", ".join(f"{cls} ×{len(hits)}" for cls, hits in groups)
                first = groups[0][1][0]
                self._row(severity, styled(told), styled(f"  from line {first.line} on", "dim"))
                continue
            for cls, hits in groups:
                more = f", and {len(hits) - _PLACES} more" if len(hits) > _PLACES else ""
                places = ", ".join(_place(hit) for hit in hits[:_PLACES])
                count = f" ×{len(hits)}" if len(hits) > 1 else ""
                self._row(severity, styled(f"{cls}{count}", "bold"), styled(f"  {places}{more}"))

    def _row(self, severity: Severity, *rest: Text) -> None:
        write(self._console, 2, styled(f"{severity:<5}  ", _STYLES[severity]), *rest)

    def _counts(self) -> None:
        scanned = [one for one in self._scanned if not one.skipped]
        counts: dict[Severity, Counter[str]] = {severity: Counter() for severity in SEVERITIES}
        files: dict[tuple[Severity, str], set[Path]] = defaultdict(set)
        for one in scanned:
            for hit in one.findings:
                counts[hit.severity][hit.cls] += 1
                files[hit.severity, hit.cls].add(one.file)
        size = sum(one.size for one in scanned)
        held = f"{number(len(scanned), 'file')}, {number(sum(one.exchanges for one in scanned), 'exchange')}"
        bad = sum(counts[severity].total() for severity in FAILING)
        clean = sum(not one.failing for one in scanned)
        found = f"{number(bad, 'finding')}, {number(clean, 'file')} clean" if bad else "clean"
        if not scanned:
            found = "nothing to scan"
        if unread := [one for one in scanned if one.unread]:
            how = "not read but as text" if any(one.size for one in unread) else "not read"
            found = f"{number(bad, 'finding')}, {number(len(unread), 'file')} {how}"
        write(self._console, 0, styled(f"\n{held}, {size / 1e6:.1f} MB: {found}", "bold"))
        for severity in SEVERITIES:
            for cls, count in counts[severity].most_common():
                kept = "  (kept by policy or masked; listed by --json)" if severity == "info" else ""
                told = f"{cls:<22} {count:>6,} in {number(len(files[severity, cls]), 'file')}"
                self._row(severity, styled(told), styled(kept, "dim"))

    def _what_next(self, failing: Sequence[Scanned]) -> None:
        hits = [hit for scanned in failing for hit in scanned.failing]
        if not hits:
            return
        can = sum(hit.fixable for hit in hits)
        lines = []
        if any(hit.severity == "error" and hit.cls != "cookie" for hit in hits):
            lines.append(
                "revoke the keys and passwords first: what was committed stays in the history of the repository"
            )
        if can and not self._fixed:
            lines.append(f"placeholders in place of {can:,} of {len(hits):,}:  convo-replay scan --fix {self._paths}")
        if any(scanned.format == "vcrpy" for scanned in failing):
            lines.append("or as cassettes of ours, without what clients never read:  convo-replay convert SRC DST")
        if can < len(hits):
            left = len(hits) - can
            lines.append(f"{left:,} in files that are not rewritten: edit them, or record them again")
        common = Counter(hit.cls for hit in hits if hit.severity == "warn").most_common(1)
        if common:
            lines.append(f"what may stay:  --keep {common[0][0]}  (setting: redact={{{common[0][0]!r}: 'keep'}})")
        write(self._console, 0, styled(""))
        for line in lines:
            write(self._console, 2, styled(f"→ {line}"))


def _by_class(hits: Iterable[Hit]) -> list[tuple[str, list[Hit]]]:
    made: dict[str, list[Hit]] = {}
    for hit in hits:
        made.setdefault(hit.cls, []).append(hit)
    return sorted(made.items(), key=lambda item: (-len(item[1]), item[0]))


def _place(hit: Hit) -> str:
    number_ = f"exchanges[{hit.exchange}]." if hit.exchange is not None else ""
    path = one_line(f"{number_}{hit.path}", 100) if hit.path else ""
    return f"line {hit.line}" + (f" {path}" if path else "")
