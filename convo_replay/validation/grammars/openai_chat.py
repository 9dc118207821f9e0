"""The stream of chat completions (protocol.md §2.2, §2.4).

    stream  := chunk* usage? [DONE]
    chunk   := a piece of one or more choices, or none (Azure: what its filters say)
    choice  := role, then content, refusal and tool calls in fragments, then finish_reason
    call    := the first fragment of an index with id, type and name, then arguments

Choices are interleaved, calls of a choice may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from convo_replay.providers import wire
from convo_replay.validation import stream_rules as rules
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Path, Severity, value
from convo_replay.validation.streams import Look, Reading, Told

TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "chunks": {"chunk": "chunks", "empty": "chunks", "usage": "counted", "done": "ended", "error": "failed"},
    "counted": {"empty": "counted", "done": "ended", "error": "failed"},
    "failed": {"chunk": "failed", "empty": "failed", "usage": "failed", "done": "ended"},
    "ended": {},
}
CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "start": {"role": "open"},
    "open": {"role": "open", "delta": "open", "finish": "finished"},
    "finished": {},
}
"""The same for one choice. A delta may be several of these at once, in this order."""

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
_ANSWER: Final = ("content", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning")
"""Keys of a delta that are lost where they come too late; others (annotations, filters) may come at any time."""
_CUT: Final = frozenset({"length", "content_filter", "error"})
"""Finish reasons of an answer that may be cut in the middle of a call."""


class _Call:
    """A tool call while it is streamed."""

    __slots__ = ("arguments", "id", "name", "where")

    def __init__(self, ident: str, name: str) -> None:
        self.id = ident
        self.name = name
        self.arguments: list[str] = []
        self.where: Path = ()


class _Choice:
    """A choice while it is streamed."""

    __slots__ = ("calls", "finish", "state", "told")

    def __init__(self) -> None:
        self.state = "start"
        self.finish = ""
        self.calls: dict[int, _Call] = {}
        self.told = False
        """Whether something after its end was told of."""


class ChatStream(Reading):
    """One stream of chat completions."""

    start = "chunks"
    table = TABLE
    names = frozenset({"error"})

    def __init__(self, asked: Asked, told: Told, *, whole: bool, rest: str = "") -> None:
        super().__init__(asked, told, whole=whole, rest=rest)
        self.choices: dict[int, _Choice] = {}
        self.id: Any = None
        self.model: Any = None
        self.changed: set[str] = set()
        self.counted = False
        self.failed = False
        self.late = False
        """Whether something after the end was told of."""

    def symbol(self, at: int, name: str | None, data: dict[str, Any]) -> str:
        choices = data.get("choices")
        if choices and choices.__class__ is list:
            return "error" if data.get("error") else "chunk"
        if data.get("error") or name == "error":
            return "error"
        if choices is None and "choices" in data:
            self.tell(
                rules.CHOICES_NULL, ("events", at, "choices"), "expected a list (an empty one if need be), got null"
            )
        if data.get("usage"):
            return "usage"
        return "empty"

    def unreadable(self, at: int, name: str | None, text: str) -> str:
        if text.strip() == "[DONE]":
            return "done"
        self.damaged = True
        self.tell(
            rules.DATA_INVALID,
            ("events", at),
            f"expected a JSON object or [DONE] as data, got {value(text) if text else 'none'}",
        )
        return "error" if name == "error" else ""

    def misplaced(self, at: int, symbol: str, data: dict[str, Any]) -> str:  # noqa: ARG002  # order is all there is
        where = ("events", at)
        if self.state == "ended":
            if not self.late:
                self.late = True
                rule, got = (rules.DUPLICATE, "[DONE] again") if symbol == "done" else (rules.AFTER_END, symbol)
                self.tell(rule, where, f"expected nothing after [DONE], got {got}")
            return ""
        if self.state == "counted":
            severity: Severity = "warn" if symbol == "chunk" else "info"
            self.tell(rules.ORDER, where, f"expected [DONE] after the usage chunk, got {symbol}", severity)
            return "chunks"
        return "failed"

    def chunk(self, at: int, data: dict[str, Any]) -> None:
        if data.get("id") != self.id or data.get("model") != self.model:
            self._identity(at, data)
        if data.get("usage"):
            self.counted = True
        for nth, part in enumerate(data["choices"]):
            if part.__class__ is not dict:
                continue
            index = part.get("index")
            choice = self.choices.get(index) if index.__class__ is int else None
            if choice is None:
                choice = self.choices[index if index.__class__ is int else 0] = _Choice()
            delta = part.get("delta")
            finish = part.get("finish_reason")
            if delta.__class__ is not dict:
                delta = {}
            calls = delta.get("tool_calls")
            if choice.state != "open":
                if not delta and not finish:
                    continue  # Azure: what its filters say of the text so far
                self._step(at, nth, choice, delta)
            if calls and calls.__class__ is list:
                self._fragments(at, nth, choice, calls)
            if finish and finish.__class__ is str:
                self._finish(at, nth, choice, finish)

    def _identity(self, at: int, data: dict[str, Any]) -> None:
        for key in ("id", "model"):
            given = data.get(key)
            if not given:  # Azure's first chunk
                continue
            known = getattr(self, key)
            if known is None:
                setattr(self, key, given)
            elif given != known and key not in self.changed:
                self.changed.add(key)
                self.tell(
                    rules.IDENTITY,
                    ("events", at, key),
                    f"expected {value(known)} as in the first chunk, got {value(given)}",
                )

    def _step(self, at: int, nth: int, choice: _Choice, delta: Mapping[str, Any]) -> None:
        """The first delta of a choice, and what comes after its end."""
        where = ("events", at, "choices", nth, "delta")
        if choice.state == "start":
            if not delta.get("role") and not self.damaged:
                self.tell(rules.ROLE_MISSING, where, "expected the role in the first delta, got none")
            choice.state = CHOICES["start"]["role"]
            return
        late = [key for key in _ANSWER if delta.get(key) not in _EMPTY]
        if late and not choice.told:
            choice.told = True
            self.tell(
                rules.AFTER_END, where, f"expected nothing after finish_reason {value(choice.finish)}, got {late[0]}"
            )

    def _finish(self, at: int, nth: int, choice: _Choice, finish: str) -> None:
        following = CHOICES[choice.state].get("finish")
        if following is None:
            self.tell(
                rules.DUPLICATE,
                ("events", at, "choices", nth, "finish_reason"),
                f"expected one finish_reason in a choice, got {value(finish)} after {value(choice.finish)}",
                "info" if finish == choice.finish else "warn",  # OpenRouter: again with the usage
            )
            return
        choice.state, choice.finish = following, finish

    def _fragments(self, at: int, nth: int, choice: _Choice, calls: list[Any]) -> None:
        for mth, fragment in enumerate(calls):
            if fragment.__class__ is not dict:
                continue
            function = wire.mapping(fragment.get("function")) or wire.mapping(fragment.get("custom"))
            given, name = fragment.get("id"), function.get("name")
            index = fragment.get("index")
            where = ("events", at, "choices", nth, "delta", "tool_calls", mth)
            if index.__class__ is not int:
                self.tell(rules.TOOL_CALL, where, "expected the index of the call, got none")
                index = len(choice.calls) if given or not choice.calls else len(choice.calls) - 1
            call = choice.calls.get(index)
            if call is None:
                missing = [key for key, part in (("id", given), ("name", name)) if not part]
                if missing and not self.damaged:
                    self.tell(
                        rules.TOOL_CALL,
                        where,
                        f"expected {' and '.join(missing)} in the first fragment of a call, got none",
                    )
                if index != len(choice.calls) and not self.damaged:
                    self.tell(rules.TOOL_CALL, (*where, "index"), f"expected index {len(choice.calls)}, got {index}")
                call = choice.calls[index] = _Call(wire.string(given), wire.string(name))
            else:
                again = [key for key, part in (("id", given), ("name", name)) if part]
                if again:
                    self.tell(
                        rules.TOOL_CALL,
                        where,
                        f"expected only arguments after the first fragment of call {index}, got {' and '.join(again)}",
                    )
            for key in ("arguments", "input"):
                if key in function:
                    call.where = (*where, "function" if "function" in fragment else "custom", key)
                    if key == "input":
                        call.where = ()  # of a custom tool: any text
                    elif function[key].__class__ is str:
                        call.arguments.append(function[key])

    def usage(self, at: int, data: dict[str, Any]) -> None:
        self.counted = True
        self._identity(at, data)

    def empty(self, at: int, data: dict[str, Any]) -> None:
        self._identity(at, data)

    def error(self, at: int, data: dict[str, Any]) -> None:
        self.failed = True
        if data:
            said = data.get("error") or data
            self.tell(rules.ERROR, ("events", at), f"expected the answer to end, got the error {value(said)}")

    looks: ClassVar[Mapping[str, Look]] = {"chunk": chunk, "usage": usage, "empty": empty, "error": error}

    def finish(self, events: int) -> None:
        unfinished = [index for index, choice in self.choices.items() if choice.state != "finished"]
        failed = self.failed or self.damaged
        if self.state in ("chunks", "counted") and self.whole:
            # An answer without its end is cut, whoever sent it.
            cut = bool(unfinished) or not self.choices
            self.tell(
                rules.UNTERMINATED,
                (),
                f"expected {'finish_reason and ' if cut else ''}[DONE], got {self.cut(events)}",
                "error" if cut else None,
            )
        elif self.state == "ended" and not failed:
            if not self.choices:
                self.tell(rules.UNTERMINATED, (), "expected an answer before [DONE], got none", "error")
            # It was not cut: some gateways give one for the first choice alone (LiteLLM), or none (Snowflake).
            for index in unfinished:
                message = f"expected a finish_reason of choice {index} before [DONE], got none"
                self.tell(rules.UNTERMINATED, (), message)
            options = wire.mapping(self.asked.body.get("stream_options"))
            if options.get("include_usage") is True and not self.counted:
                message = "expected a chunk with usage before [DONE] (include_usage), got none"
                self.tell(rules.USAGE_MISSING, (), message, "warn")  # OpenAI, too, has left it out
        if not failed:
            for choice in self.choices.values():
                for call in choice.calls.values():
                    self._arguments(choice, call)

    def _arguments(self, choice: _Choice, call: _Call) -> None:
        joined = "".join(call.arguments)
        if not joined.strip() or not call.where or isinstance(wire.parse(joined), dict):
            return
        if choice.finish in _CUT or choice.state != "finished":
            if self.whole:
                self.tell(rules.TOOL_JSON, call.where, _broken(call, joined), "info")
            return
        self.tell(rules.TOOL_JSON, call.where, _broken(call, joined))


def _broken(call: _Call, joined: str) -> str:
    return f"expected the arguments of {value(call.name)} to be one JSON object, got {value(joined)}"
