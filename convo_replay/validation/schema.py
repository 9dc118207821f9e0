"""What was sent and what came back, against the types of the vendors' SDKs (protocol.md §1).

A whole history is asked about once, in Rust; only what that does not accept is walked, and told with the
place and the missing property. Requests are judged as the API judges them: a wrong type is an error, an
unknown field or block a warning, for the API grows faster than SDKs. Answers are judged by what a client
cannot do without (`schema_answers.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation import schema_answers
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, shown
from convo_replay.validation.findings import value as quoted
from convo_replay.validation.gateways import is_vendor
from convo_replay.validation.schema_files import Shapes, accepting, gateway_fields, shapes
from convo_replay.validation.schema_rules import (
    BETA_BLOCK,
    BLOCK_MISPLACED,
    REQUEST_SCHEMA,
    RULES,
    UNKNOWN_BLOCK,
    UNKNOWN_FIELD,
    UNKNOWN_ROLE,
    UNKNOWN_TOOL,
    UNKNOWN_VALUE,
)
from convo_replay.validation.schema_walk import MOST, Problem, problems

__all__ = ["RULES", "event_findings", "request_findings", "response_findings"]

event_findings = schema_answers.event_findings
response_findings = schema_answers.response_findings

_AT_ONCE = 1000
"""Messages of a long history that are asked about together, where not all of it is accepted."""
_IN_URL = ("/models/", "/model/", "/deployments/")
"""Where a cloud variant has the model, or what stands for it."""


def request_findings(asked: Asked) -> Iterator[Finding]:
    """What is wrong with the form of a request: of its parameters, and of the messages that are new.

    At most `MOST` findings about messages. Costs a walk only for what is not known in every part.
    """
    body = asked.request.json
    if not isinstance(body, dict):
        yield REQUEST_SCHEMA.found((), f"expected a JSON object as the body, sent {quoted(body)}")
        return
    yield from _params(asked, body)
    sent = body.get("messages")
    if sent == []:
        yield REQUEST_SCHEMA.found(
            ("messages",),
            "expected at least one message, sent none",
            api_error="messages: at least one message is required" if asked.format == "anthropic" else "",
        )
    elif isinstance(sent, list):
        yield from islice(_messages(asked, sent), MOST)


_walked: tuple[Mapping[str, Any] | None, bool, bool, tuple[Finding, ...]] = (None, False, False, ())
"""The parameters that were walked last, with what was found: a conversation repeats them with each turn."""


def _params(asked: Asked, body: Mapping[str, Any]) -> Iterator[Finding]:
    global _walked
    if "model" not in body and not _model_in_url(asked):
        said = "model: Field required" if asked.format == "anthropic" else "you must provide a model parameter"
        finding = REQUEST_SCHEMA.found((), '"model" is a required property', api_error=said)
        yield finding if _vendor(asked) else replace(finding, severity="warn")
    rest = {**body, "messages": []} if isinstance(body.get("messages"), list) else body
    if _accepted(asked, "params", rest):
        return
    vendor = _vendor(asked)
    known, beta, known_vendor, found = _walked
    if beta != asked.beta or known_vendor != vendor or known != rest:
        found = tuple(_Judge(asked, vendor).params(rest))
        _walked = (rest, asked.beta, vendor, found)
    yield from found


def _messages(asked: Asked, sent: Sequence[Any]) -> Iterator[Finding]:
    fresh = sent[asked.new : len(asked.messages)] if asked.messages else sent
    if not fresh or _accepted(asked, "message", fresh, many=True):
        return
    judge = _Judge(asked, _vendor(asked))
    for start in range(0, len(fresh), _AT_ONCE):
        some = fresh[start : start + _AT_ONCE]
        if len(fresh) > _AT_ONCE and _accepted(asked, "message", some, many=True):
            continue
        for index, message in enumerate(some, asked.new + start):
            if not _accepted(asked, "message", message):
                yield from judge.message(index, message)


def _accepted(asked: Asked, root: str, given: Any, *, many: bool = False) -> bool:
    return accepting(asked.format, f"ga.{root}", many=many)(given) or (
        asked.beta
        and f"beta.{root}" in shapes(asked.format).roots
        and accepting(asked.format, f"beta.{root}", many=many)(given)
    )


def _model_in_url(asked: Asked) -> bool:
    return any(part in asked.request.url for part in _IN_URL)


def _vendor(asked: Asked) -> bool:
    """Whether the format is the host's own: Google's clouds speak chat completions, too, in their way."""
    return is_vendor(asked.request) and (asked.format == "anthropic" or "openai.com" in wire.address(asked.request)[0])


class _Judge:
    """What the differences between one request and the SDK's types mean."""

    def __init__(self, asked: Asked, vendor: bool) -> None:
        self.asked = asked
        self.shapes: Shapes = shapes(asked.format)
        self.anthropic = asked.format == "anthropic"
        self.vendor = vendor
        self.role = ""
        """Of the message that is judged."""

    def params(self, rest: Mapping[str, Any]) -> Iterator[Finding]:
        yield from self._findings("params", rest, ())

    def message(self, index: int, message: Any) -> Iterator[Finding]:
        self.role = wire.string(wire.mapping(message).get("role"))
        yield from self._findings("message", message, ("messages", index))

    def _findings(self, root: str, given: Any, where: Path) -> Iterator[Finding]:
        found = problems(self.shapes, self.shapes.roots[f"ga.{root}"], given, where)
        beta = self.shapes.roots.get(f"beta.{root}")
        if beta is None or not found:
            yield from self._judged(found)
            return
        of_beta = problems(self.shapes, beta, given, where)
        if self.asked.beta:
            yield from self._judged(of_beta)
            return
        places = {problem.where for problem in of_beta}
        for problem in found:
            if problem.where in places:
                yield from self._judged([problem])
            else:
                sent = f'"{problem.name}"' if problem.name else quoted(problem.given)
                yield BETA_BLOCK.found(problem.where, f"expected what the API knows without a beta, sent {sent}")

    def _judged(self, found: list[Problem]) -> Iterator[Finding]:
        for problem in found:
            finding = getattr(self, f"_{problem.kind}")(problem)
            if finding is not None:
                yield finding

    def _missing(self, problem: Problem) -> Finding | None:
        names = [f'"{name}"' for name in islice(problem.given, 6)]
        only = f"only {', '.join(names)}{' …' if len(problem.given) > 6 else ''}" if names else "nothing"
        message = f'"{problem.name}" is a required property, sent {only}'
        at = f"{problem.path}.{problem.name}".lstrip(".")
        chat = f"Missing required parameter: '{shown((*problem.where, problem.name))}'."
        return self._wrong(problem, message, f"{at}: Field required" if self.anthropic else chat)

    def _type(self, problem: Problem) -> Finding | None:
        last = problem.where[-1] if problem.where else ""
        optional = isinstance(last, str) and (
            last not in _NEVER_NULL or (last == "name" and problem.where[0] == "messages" and len(problem.where) == 3)
        )
        unset = problem.given is None and (optional or (last == "model" and _model_in_url(self.asked)))
        if unset and not self.anthropic and (self.in_message(problem) or last == "model" or not self.vendor):
            return None
        said = ""
        if self.anthropic:
            if len(problem.where) == 2 and problem.where[0] == "messages":
                said = f"{problem.path}: Input does not match the expected shape."
            elif problem.expected in _PYDANTIC:
                said = f"{problem.path}: Input should be a valid {_PYDANTIC[problem.expected]}"
        else:
            said = _openai_type(problem)
        finding = self._wrong(problem, f"{problem.expected}, sent {quoted(problem.given)}", said)
        # Whether null counts as not set is known of a few parameters alone.
        return replace(finding, severity="warn") if unset and not self.in_message(problem) else finding

    def _value(self, problem: Problem) -> Finding | None:
        message = f"{problem.expected}, sent {quoted(problem.given)}"
        if self.role == "assistant" and problem.choices:
            return UNKNOWN_VALUE.found(problem.where, message)
        said = ""
        if not self.anthropic:
            said = f"Invalid value: {quoted(problem.given)}."
        elif problem.choices:
            *others, last = [f"'{choice}'" for choice in problem.choices]
            said = f"{problem.path}: Input should be {', '.join(others)}{' or ' if others else ''}{last}"
        elif wire.string(problem.given).startswith("http"):
            said = f"{problem.path}: URL sources are not supported"
        return self._wrong(problem, message, said)

    def _field(self, problem: Problem) -> Finding | None:
        if not self.anthropic and not self.vendor and problem.name in gateway_fields("request"):
            return None
        if not self.anthropic and problem.name in _OF_SDK and problem.given is None:
            return None
        said = f"{problem.path}: Extra inputs are not permitted"
        if not self.anthropic:
            said = f"Unknown parameter: '{shown(problem.where)}'."
        near = difflib.get_close_matches(problem.name[:100], problem.choices, n=1, cutoff=0.8)
        expected = f'expected "{near[0]}"' if near else problem.expected
        message = f'{expected}, sent "{problem.name[:100]}": {quoted(problem.given)}'
        return UNKNOWN_FIELD.found(problem.where, message, api_error=said)

    def _tag(self, problem: Problem) -> Finding | None:
        where, sent = problem.where, f'sent "{problem.name[:100]}"'
        if where[:1] == ("messages",):
            if len(where) == 2:
                return UNKNOWN_ROLE.found((*where, "role"), f"{problem.expected}, {sent}")
            if _is_block(where):
                return self._block(problem, sent) if self.anthropic else self._part(problem, sent)
            if self.role == "assistant":
                return UNKNOWN_BLOCK.found(where, f"{problem.expected}, {sent}")
        elif where[:1] == ("tools",) and len(where) == 2:
            if not self.anthropic and not self.vendor:
                return None
            return UNKNOWN_TOOL.found(where, f"expected a tool of a type that {self.shapes.sdk} knows, {sent}")
        elif where[:1] == ("system",) and problem.name in self.shapes.places:
            return BLOCK_MISPLACED.found(where, f'expected a "text" block, {sent}')
        return self._wrong(problem, f"{problem.expected}, {sent}", "", (*where, "type"))

    def _block(self, problem: Problem, sent: str) -> Finding:
        where, kind = problem.where, problem.name
        place = self.shapes.places.get(kind, "")
        if not place:
            return UNKNOWN_BLOCK.found(where, f"expected a block of a type that {self.shapes.sdk} knows, {sent}")
        elsewhere = " or ".join(_PLACES[letter] for letter in place)
        here = _PLACES["T"] if len(where) > 4 else f"in a message of role {self.role}"
        message = f'"{kind}" blocks stand {elsewhere}, sent one {here}'
        if kind in ("tool_use", "tool_result") and len(where) == 4:
            # The API names the message.
            role = "assistant" if kind == "tool_use" else "user"
            said = f"{shown(where[:2]).replace('[', '.').rstrip(']')}: `{kind}` blocks can only be in `{role}` messages"
            return BLOCK_MISPLACED.found(where[:2], f"content[{where[3]}]: {message}", api_error=said)
        return BLOCK_MISPLACED.found(where, message)

    def _part(self, problem: Problem, sent: str) -> Finding | None:
        """A part of a chat message."""
        where, kind = problem.where, problem.name
        if kind not in self.shapes.tags:
            return UNKNOWN_BLOCK.found(where, f"expected a part of a type that {self.shapes.sdk} knows, {sent}")
        if self.role == "tool":
            return None  # a rule of its own knows more
        return self._wrong(
            problem, f"{problem.expected} in a message of role {self.role}, {sent}", "", (*where, "type")
        )

    def in_message(self, problem: Problem) -> bool:
        return problem.where[:1] == ("messages",) and len(problem.where) > 1

    def _wrong(self, problem: Problem, message: str, said: str, where: Path | None = None) -> Finding:
        """What the vendor rejects; a gateway takes other parameters and values, and OpenAI took other values."""
        parameter = not self.in_message(problem) and "messages" not in (problem.name, *problem.where)
        listed = problem.kind in ("value", "tag")
        lax = not self.anthropic and (parameter and listed if self.vendor else parameter or listed)
        at = problem.where if where is None else where
        return REQUEST_SCHEMA.found(at, message, api_error=said, severity="warn" if lax else None)


_PLACES = {
    "U": "in user messages",
    "A": "in assistant messages",
    "S": "in system messages",
    "T": "in the content of a tool_result",
}
_OF_SDK = frozenset({"parsed", "parsed_arguments"})
"""What the helpers of OpenAI's SDK add to a message, and leave null (openai 3.54 lib/_parsing)."""
_NEVER_NULL = frozenset(
    # What is needed; for the rest of chat messages null counts as not set (measured at OpenAI for an assistant's
    # `tool_calls`, `function_call`, `refusal` and `audio`).
    {
        "messages", "model", "max_tokens", "role", "content", "type", "text", "tool_call_id", "id", "function", "name",
        "arguments", "input_schema", "image_url", "url", "input_audio", "file",
    }
)  # fmt: skip
_PYDANTIC = {
    "expected a string": "string",
    "expected an integer": "integer",
    "expected a number": "number",
    "expected true or false": "boolean",
    "expected a list": "list",
    "expected an object": "dictionary",
}


def _openai_type(problem: Problem) -> str:
    """OpenAI's words for a wrong type."""
    kinds = [kind for kind in problem.expected.removeprefix("expected ").split(" or ") if kind != "null"]
    if not all(kind in _OPENAI for kind in kinds):
        return ""
    *others, last = [_OPENAI[kind] for kind in kinds]
    expected = f"one of {' or '.join([*others, last.removeprefix('an ')])}" if others else last
    got = _OPENAI.get(_given(problem.given), "null")
    return f"Invalid type for '{shown(problem.where)}': expected {expected}, but got {got} instead."


def _given(given: Any) -> str:
    kinds = {str: "a string", bool: "true or false", int: "an integer", float: "a number", list: "a list"}
    return kinds.get(type(given), "an object" if isinstance(given, dict) else "null")


_OPENAI = {
    "a string": "a string",
    "an integer": "an integer",
    "a number": "a decimal",
    "true or false": "a boolean",
    "a list": "an array",
    "an object": "an object",
}


def _is_block(where: Path) -> bool:
    """Whether it is the place of a content block: of a message, or of a tool's result."""
    return len(where) in (4, 6) and all(step == "content" for step in where[2::2])
