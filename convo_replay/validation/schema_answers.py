"""Answers against the SDKs' types: what a client cannot do without is an error, the rest of the type a warning.

The types are stricter than real answers: fields are added and enumerations grow, older recordings lack
what is new, gateways send null. So a missing, null or unknown part counts only where somebody loses
something by it (`_KERNEL`); elsewhere it is told as a warning, or not at all: counters of `usage`, null
for what is not set, tiers and categories that are new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convo_replay.validation.findings import Finding, Path, Rule, Severity
from convo_replay.validation.findings import value as quoted
from convo_replay.validation.schema_files import accepting, gateway_fields, shapes
from convo_replay.validation.schema_rules import (
    RESPONSE_FIELD,
    RESPONSE_SCHEMA,
    UNKNOWN_BLOCK,
    UNKNOWN_DELTA,
    UNKNOWN_EVENT,
    UNKNOWN_FIELD,
    UNKNOWN_ROLE,
    UNKNOWN_VALUE,
)
from convo_replay.validation.schema_walk import MOST, Problem, problems

_KERNEL: Mapping[str, frozenset[str]] = {
    # By the `type` of the object: the parts that every client reads.
    "text": frozenset({"text"}),
    "thinking": frozenset({"thinking"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input"}),
    "server_tool_use": frozenset({"id", "name", "input"}),
    "mcp_tool_use": frozenset({"id", "name", "input"}),
    "message_start": frozenset({"message"}),
    "content_block_start": frozenset({"index", "content_block"}),
    "content_block_delta": frozenset({"index", "delta"}),
    "content_block_stop": frozenset({"index"}),
    "message_delta": frozenset({"delta"}),
    "text_delta": frozenset({"text"}),
    "input_json_delta": frozenset({"partial_json"}),
    "thinking_delta": frozenset({"thinking"}),
    "signature_delta": frozenset({"signature"}),
    "citations_delta": frozenset({"citation"}),
}
_RESULT = frozenset({"tool_use_id", "content"})
_CHAT_KERNEL = frozenset({"choices", "message", "delta", "tool_calls"})
_WHOLE = frozenset({"choices", "message"})
"""Of a whole chat completion: what no client can do without."""
_PROMISED = frozenset({"id", "type", "role", "model", "finish_reason", "function", "name", "arguments", "signature"})
"""What is never null in a whole answer."""
_IN_EVENTS = frozenset({"usage", "delta", "index"})
"""What the SDKs' helpers read of a streamed answer as if it were never null."""
_START = ("message", "content")
"""In `message_start`: what the SDK's helper appends to."""
_ANNOTATIONS = frozenset({"content_filter_results", "content_filter_offsets", "content_filter_result"})
"""What Azure's chunks of annotations have in place of a delta."""
_ENDS = frozenset({"stop_reason", "finish_reason"})
_NO_EVENTS = ("ping", "error")


def response_findings(format: str, message: Mapping[str, Any], *, beta: bool) -> Iterator[Finding]:
    """What is wrong with the form of a whole answer: a `message`, a `chat.completion`.

    Args:
        format: `anthropic`, `openai_chat`.
        beta: whether it is one of the beta API; only a hint, what either API knows is fine.
    """
    if _accepted(format, "answer", message, beta=beta):
        return
    found = list(_Judge(format).findings("answer", message, ()))
    # Where it is no such answer at all, what else it lacks is no news.
    yield from [finding for finding in found if finding.severity == "error" and not finding.where] or found


def event_findings(format: str, events: Sequence[Any], *, beta: bool) -> Iterator[Finding]:
    """What is wrong with the form of a stream's events; the same in many of them is told once.

    Args:
        events: the parsed data of each dispatched event, in order; what is no object is skipped, and so are
            pings, errors, and Messages API events without a type.
    """
    anthropic = format == "anthropic"
    known = [
        event
        for event in events
        if isinstance(event, dict) and not (anthropic and event.get("type", "ping") in _NO_EVENTS)
    ]
    if _accepted(format, "event", known, beta=beta, many=True):
        return
    judge = _Judge(format)
    told: set[tuple[str, Path, str]] = set()
    for index, event in enumerate(events):
        if not isinstance(event, dict) or (anthropic and event.get("type", "ping") in _NO_EVENTS):
            continue
        if _accepted(format, "event", event, beta=beta):
            continue
        for finding in judge.findings("event", event, ("events", index)):
            place = tuple(step for step in finding.where if isinstance(step, str))
            if (key := (finding.rule, place, finding.message.partition(", got")[0])) not in told:
                told.add(key)
                yield finding
                if len(told) == MOST:
                    return


def _accepted(format: str, root: str, given: Any, *, beta: bool, many: bool = False) -> bool:
    apis = [api for api in (("beta", "ga") if beta else ("ga", "beta")) if f"{api}.{root}" in shapes(format).roots]
    return any(accepting(format, f"{api}.{root}", many=many)(given) for api in apis)


class _Judge:
    """What the differences between an answer and the SDK's types mean."""

    def __init__(self, format: str) -> None:
        self.shapes = shapes(format)
        self.anthropic = format == "anthropic"

    def findings(self, root: str, given: Any, where: Path) -> Iterator[Finding]:
        schema = self.shapes.roots.get(f"beta.{root}") or self.shapes.roots[f"ga.{root}"]
        for problem in problems(self.shapes, schema, given, where):
            finding = getattr(self, f"_{problem.kind}")(problem)
            if finding is not None:
                yield finding

    def _missing(self, problem: Problem) -> Finding | None:
        name = problem.name
        severity = self._severity(problem, name)
        whole = problem.where == ()
        if severity == "warn" and not whole and (problem.null or "usage" in problem.where or self._is_silent(problem)):
            return None
        return self._wrong(problem, f'"{name}" is missing, expected in every answer', severity)

    def _is_silent(self, problem: Problem) -> bool:
        """Whether the grammar of streams says it, or it is a habit that nobody is harmed by."""
        if self.anthropic:
            return problem.name == "usage" and problem.where[2:] != ("message",)
        if problem.name == "delta":
            return not _ANNOTATIONS.isdisjoint(problem.given)
        return problem.name == "usage" or (problem.name == "index" and "tool_calls" in problem.where)

    def _type(self, problem: Problem) -> Finding | None:
        name = next((step for step in reversed(problem.where) if isinstance(step, str)), "")
        severity = self._severity(problem, name)
        if problem.given is None:
            streamed = problem.where[:1] == ("events",)
            if not self.anthropic and (streamed or name not in _WHOLE):
                severity = "warn"
            if severity == "warn" and name not in (_IN_EVENTS if streamed else _PROMISED):
                return None  # gateways write null for what is not set
        return self._wrong(problem, f"{problem.expected}, got {quoted(problem.given)}", severity)

    def _value(self, problem: Problem) -> Finding | None:
        last = problem.where[-1] if problem.where else ""
        message = f"{problem.expected}, got {quoted(problem.given)}"
        if last == "role" and self.anthropic:
            return RESPONSE_SCHEMA.found(problem.where, message)
        return _in_answer(UNKNOWN_VALUE, problem.where, message) if last in _ENDS and problem.given else None

    def _field(self, problem: Problem) -> Finding | None:
        if not self.anthropic and problem.name in gateway_fields("answer"):
            return None
        message = f'expected a field that {self.shapes.sdk} knows, got "{problem.name[:100]}": {quoted(problem.given)}'
        return _in_answer(UNKNOWN_FIELD, problem.where, message)

    def _tag(self, problem: Problem) -> Finding | None:
        where, kind = problem.where, problem.name
        message = f'expected one that {self.shapes.sdk} knows, got "{kind[:100]}"'
        if not self.anthropic:
            # Gateways leave the type of a tool call, and the role, empty in fragments.
            rule = UNKNOWN_ROLE if where[-1:] in (("message",), ("delta",)) else UNKNOWN_BLOCK
            return _in_answer(rule, where, message) if kind else None
        if where == () or where[-1] == "message":
            return RESPONSE_SCHEMA.found((*where, "type"), f'expected "message", got "{kind[:100]}"')
        if where[:1] == ("events",):
            if len(where) == 2:
                return UNKNOWN_EVENT.found(where, message)
            if where[2:] == ("delta",):
                return UNKNOWN_DELTA.found(where, message)
        return _in_answer(UNKNOWN_BLOCK, where, message)

    def _severity(self, problem: Problem, name: str) -> Severity:
        if not self.anthropic:
            kernel = problem.kind == "type" and name in _CHAT_KERNEL
            return "error" if kernel or (problem.where == () and name == "choices") else "warn"
        if problem.where == () or problem.where == ("content",):
            return "error" if name == "content" else "warn"
        if problem.where[:1] == ("events",) and problem.where[2:] in (_START[:1], _START):
            whole = problem.kind == "type" and problem.where[2:] == _START[:1]
            return "error" if name == "content" or whole else "warn"
        if problem.owner.endswith("_tool_result"):
            return "error" if name in _RESULT else "warn"
        return "error" if name == "type" or name in _KERNEL.get(problem.owner, ()) else "warn"

    def _wrong(self, problem: Problem, message: str, severity: Severity) -> Finding:
        return (RESPONSE_SCHEMA if severity == "error" else RESPONSE_FIELD).found(problem.where, message)


def _in_answer(rule: Rule, where: Path, message: str) -> Finding:
    return Finding(rule.name, rule.severity, "response", where, message)
