"""What a run sent to the network, counted over its conversations and xdist's workers, and what is said about it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from filelock import FileLock

from convo_replay.conversation import Budget

if TYPE_CHECKING:
    import pytest

    from convo_replay.conversation import Conversation


class Sums(TypedDict):
    """One process's share, in types that xdist carries. Tokens are those of conversations that went live."""

    live_requests: int
    turns: int
    input_tokens: int
    output_tokens: int
    passed: dict[str, int]
    notes: list[str]
    warnings: dict[str, list[str]]
    """What validation warns of, by rule: a line for each finding."""


class Tally:
    """Adds up the conversations of one process."""

    def __init__(self) -> None:
        self._sums = Sums(live_requests=0, turns=0, input_tokens=0, output_tokens=0, passed={}, notes=[], warnings={})

    def add(self, conversation: Conversation) -> None:
        """Counts a conversation that has been closed."""
        sums = self._sums
        sums["notes"] += conversation.notes
        warnings = conversation.warnings()
        if warnings:
            from convo_replay.reporting.findings import told

            for each in warnings:
                place = conversation.owner or conversation.cassette_path or ""
                sums["warnings"].setdefault(each.rule, []).extend(f"{place}: {line}" for line in told([each]))
        for host, count in conversation.passed.items():
            sums["passed"][host] = sums["passed"].get(host, 0) + count
        if conversation.live_requests:
            usage = conversation.usage
            sums["live_requests"] += conversation.live_requests
            sums["turns"] += len(conversation.turns)
            sums["input_tokens"] += usage.total_input_tokens
            sums["output_tokens"] += usage.output_tokens

    def sums(self) -> Sums:
        return self._sums


def summary_lines(parts: Iterable[Sums]) -> list[str]:
    """The end of the run in words; nothing where everything was replayed and nothing is to be said."""
    parts = list(parts)
    lines = []
    live = sum(part["live_requests"] for part in parts)
    if live:
        turns, tokens_in, tokens_out = (
            sum(part[key] for part in parts) for key in ("turns", "input_tokens", "output_tokens")
        )
        calls = f"{live} live request{'s' if live != 1 else ''} in {turns} turn{'s' if turns != 1 else ''}"
        lines.append(f"{calls}, {tokens_in:,} tokens in, {tokens_out:,} tokens out")
    passed: dict[str, int] = {}
    for part in parts:
        for host, count in part["passed"].items():
            passed[host] = passed.get(host, 0) + count
    if passed:
        hosts = ", ".join(f"{host} ({count})" for host, count in sorted(passed.items()))
        lines.append(f"passed through unrecorded: {hosts}")
    lines += dict.fromkeys(note for part in parts for note in part["notes"])
    for rule in sorted({rule for part in parts for rule in part["warnings"]}):
        told = list(dict.fromkeys(line for part in parts for line in part["warnings"].get(rule, ())))
        lines += [f"validation warns: {line}" for line in told[:_TOLD]]
        if len(told) > _TOLD:
            rest = f"{len(told) - _TOLD} more of {rule}"
            lines.append(f"validation warns: {rest} (convo-replay check CASSETTES lists them)")
    return lines


_TOLD = 3  # warnings of one rule


def write_summary(terminal: pytest.TerminalReporter, parts: Iterable[Sums]) -> None:
    """A section at the end of the run, where there is something to say."""
    lines = summary_lines(parts)
    if lines:
        terminal.section("convo")
        for line in lines:
            terminal.write_line(line)


class LiveRequests:
    """The session's count of live requests, one for all its processes.

    A limit divided among xdist's workers would stop one that still may; so they count in one file,
    under a lock. Live requests alone pay for it.

    Args:
        file: where the workers count together; `None` outside xdist, where memory will do.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._used = 0
        self._lock = threading.Lock()

    def take(self, limit: int) -> bool:
        """Counts one more, unless there have been `limit` of them."""
        with self._lock:
            if self._file is None:
                return self._count(limit)
            with FileLock(f"{self._file}.lock"):
                self._used = int(self._file.read_text(encoding="ascii") or 0)
                taken = self._count(limit)
                if taken:
                    self._file.write_text(str(self._used), encoding="ascii")
                return taken

    def _count(self, limit: int) -> bool:
        if self._used >= limit:
            return False
        self._used += 1
        return True


class SessionBudget(Budget):
    """The limit that one conversation was told, on the count of the whole session."""

    def __init__(self, limit: int, count: LiveRequests) -> None:
        super().__init__(limit)
        self._count = count

    def take(self) -> bool:
        """Takes one request from the budget; `False` where none is left."""
        return self._count.take(self.limit)
