"""What is wrong, where, and what the API would say: the one shape of every finding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal

from convo_replay.providers import wire

Severity = Literal["error", "warn", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warn", "info")

Step = str | int
Path = tuple[Step, ...]
"""Where something is: `("messages", 2, "content", 0)`, from the body of the request or of the answer."""

_PLAIN = re.compile(r"[^\s.\[\]\"']+")
_SHOWN = 200  # characters of a value in a message
_SENTENCE = 2000  # characters of a message as a whole


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: the name that users see, and that `ignore_rules` takes: `tool-result-missing`.
        severity: `error` fails, `warn` is told, `info` is told where somebody asks (`check`).
        side: whether it is in what was sent or in what came back.
        where: the place in that body; `("events", 7)` is the eighth dispatched event of a stream.
        message: one sentence: what is expected, what is there. Redacted as the body is.
        api_error: what the API answers to this (protocol.md §3), empty where it answers nothing.
        turn: the turn that broke it, empty where it is no turn.
        exchange: the place of the exchange in its cassette or conversation, from 0.
    """

    rule: str
    severity: Severity
    side: Literal["request", "response"]
    where: Path
    message: str
    api_error: str = ""
    turn: int | None = None
    exchange: int | None = None

    @property
    def path(self) -> str:
        """`request.messages[2].content[0]`; `response` alone for the whole of it."""
        return shown((self.side, *self.where))

    @property
    def api_path(self) -> str:
        """As the API names it: `messages.2.content.0`. Of a response there is none."""
        return ".".join(map(str, self.where)) if self.side == "request" else ""

    def at(self, *, turn: int | None, exchange: int | None) -> Finding:
        """The same finding, with its place in a conversation."""
        return replace(self, turn=turn, exchange=exchange)

    def to_json(self) -> dict[str, Any]:
        """As `check --json` prints it, without the file (design.md §2.4)."""
        return {
            "exchange": self.exchange,
            "turn": self.turn,
            "rule": self.rule,
            "severity": self.severity,
            "path": self.path,
            "api_path": self.api_path,
            "message": self.message,
            "api_error": self.api_error,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What users can look up (`check --rules`, `--explain NAME`), and the maker of its findings.

    Attributes:
        name: `tool-result-missing`.
        number: its row in protocol.md: `A2`, `§2.1`, `§1.4`.
        format: the wire format it is about: `anthropic`, `openai_chat`, or empty for any.
        severity: of its findings, unless one says otherwise or a gateway's profile does.
        summary: what holds where nothing is wrong, one line.
        why: what goes wrong and how it usually comes about; what to do instead. A short paragraph.
        source: where the rule is from: a document, an SDK file and version, a thread.
        api_error: what the API answers, with `N`, `M` and `ID` for what varies.
        status: of that answer.
        needs: it is asked only where one of these is in what is new, or in the turn before it: types of blocks
            (also inside a `tool_result`), roles. Empty: always.
    """

    name: str
    number: str
    format: str
    severity: Severity
    summary: str
    why: str
    source: str
    api_error: str = ""
    status: int = 400
    side: Literal["request", "response"] = "request"
    needs: frozenset[str] = frozenset()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """By profile of a gateway (`gateways.py`), where it is another one there."""

    def found(self, where: Path, message: str, *, api_error: str = "", severity: Severity | None = None) -> Finding:
        """A finding of this rule.

        Args:
            message: "expected …, sent …" (of a response: "expected …, got …"), one sentence without a full stop.
            api_error: the API's words with this finding's ids and indexes in them.
        """
        texts = _sentence(message), _sentence(api_error)
        return Finding(self.name, severity or self.severity, self.side, where, *texts)


def _sentence(text: str) -> str:
    """Ids and names are the sender's, and as long as he likes."""
    return text if len(text) <= _SENTENCE else f"{text[: _SENTENCE - 1]}…"


def shown(where: Path) -> str:
    """A path as users read it: `messages[2].content[0].input["a b"]`."""
    out: list[str] = []
    for step in where:
        if isinstance(step, int):
            out.append(f"[{step}]")
        elif _PLAIN.fullmatch(step):
            out.append(f".{step}" if out else step)
        else:
            out.append(f'["{step}"]')
    return "".join(out)


def value(given: Any) -> str:
    """A value as a message quotes it: JSON, short, on one line; a string as in the rest of the messages, in '…'."""
    start = _start(given, [_SHOWN], 0)
    text = repr(start) if isinstance(start, str | bytes | _More) else wire.dump(start)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


class _More:
    def __repr__(self) -> str:
        return "…"


_MORE = _More()


def _start(given: Any, left: list[int], depth: int) -> Any:
    """As much of a value as a message can show: nothing is read whole that is cut afterwards."""
    left[0] -= 1
    if left[0] < 0 or depth > 20:
        return "…" if depth else _MORE
    if isinstance(given, str | bytes):
        return given[: _SHOWN + 1]
    if isinstance(given, list):
        return [_start(part, left, depth + 1) for part in given[:_SHOWN]]
    if isinstance(given, dict):
        shown_keys = islice(given.items(), _SHOWN)
        return {str(name)[: _SHOWN + 1]: _start(part, left, depth + 1) for name, part in shown_keys}
    return given
