"""What a model asks a tool for, against the schema that the request itself declared for that tool.

The schema is the application's, and may be anything: it is compiled without a network, within limits,
and once per text. One that would take too long to check is not checked.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from convo_replay.providers import wire
from convo_replay.providers.reply import Reply
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule
from convo_replay.validation.findings import value as quoted

if TYPE_CHECKING:
    from jsonschema_rs import Validator

TOOL_INPUT_INVALID = Rule(
    name="tool-input-invalid",
    number="§1.1",
    format="",
    severity="warn",
    summary="What the model asks a tool for fits the schema that the request declared.",
    why="The model may invent a field, leave one out or send text for a number: nothing checks that unless the tool is "
    "declared `strict`. The application must check it, too, before it runs the tool, and hand the model a result with "
    "`is_error` that says what is wrong.",
    source="the `input_schema` (chat completions: `parameters`) of the request itself",
    side="response",
    status=0,
)
TOOL_SCHEMA_INVALID = Rule(
    name="tool-schema-invalid",
    number="§1.1",
    format="",
    severity="warn",
    summary="The schema of a tool is a JSON schema.",
    why="The schema cannot be read: a keyword has a wrong value, a `$ref` leads nowhere or to the network, a pattern "
    "is no regular expression. The vendor rejects some of these requests; where it does not, what the model asks this "
    "tool for is not checked by anybody.",
    source="JSON Schema draft 2020-12",
    api_error="tools.N.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
)
RULES: tuple[Rule, ...] = (TOOL_INPUT_INVALID,)

_MOST_ERRORS = 5
"""Told of one input."""
_MOST_TEXT = 500_000
"""Characters of a schema."""
_MOST_STEPS = 20_000
"""Subschemas that one pass over a schema may meet, each `$ref` followed where it stands."""
_MOST_OTHERS = 10
"""References by an anchor or an identifier: those are not followed."""
_MOST_DOUBLINGS = 16
_MOST_EXPLAINED = 6
"""Explaining costs far more than judging: with so many doublings it is not said what exactly does not fit."""
_BACKTRACKS = 10_000
_CUT = frozenset({"max_tokens", "length", "model_context_window_exceeded", "refusal", "content_filter"})
"""Ends after which the last input may be a part of one."""


class _Use(NamedTuple):
    """A tool that is asked for: `where` its input is, and the input."""

    where: Path
    name: str
    input: Any


def check(reply: Reply, asked: Asked) -> Iterator[Finding]:
    """What of the inputs does not fit; nothing for tools without a schema that can be read, and for a cut answer."""
    if not reply.complete or reply.stop_reason in _CUT:
        return
    key = _KEYS[asked.format]
    for use in _anthropic(reply) if asked.format == "anthropic" else _openai_chat(reply):
        schema = asked.tools.get(use.name, {}).get(key)
        if schema is not None:
            yield from _input_invalid(use, _compiled(_text(schema)))


def check_schemas(asked: Asked) -> Iterator[Finding]:
    """The tools of a request whose schema is none. Looked at once per conversation and set of tools."""
    if asked.new:
        return
    key = _KEYS[asked.format]
    for name, declared in asked.tools.items():
        schema = declared.get(key)
        if schema is not None and (broken := _compiled(_text(schema)).broken):
            yield _schema_invalid(asked, name, key, broken)


_KEYS = {"anthropic": "input_schema", "openai_chat": "parameters"}


def _schema_invalid(asked: Asked, name: str, key: str, broken: str) -> Finding:
    where: Path = ("tools",)
    for index, tool in enumerate(map(wire.mapping, wire.items(asked.body.get("tools")))):
        if asked.format == "anthropic" and tool.get("name") == name:
            where = ("tools", index, key)
        elif wire.mapping(tool.get("function")).get("name") == name:
            where = ("tools", index, "function", key)
    said = ""
    if asked.format == "anthropic" and len(where) > 1:
        said = TOOL_SCHEMA_INVALID.api_error.replace("N", str(where[1]), 1)
    return TOOL_SCHEMA_INVALID.found(where, f"expected a JSON schema, sent one that is none: {broken}", api_error=said)


def _input_invalid(use: _Use, schema: _Compiled) -> Iterator[Finding]:
    validator, work = schema.validator, schema.doublings * _depth(use.input)
    if validator is None or work > _MOST_DOUBLINGS:
        return
    declares = f'expected what "{use.name[:100]}" declares, got'
    try:
        if validator.is_valid(use.input):
            return
        if work > _MOST_EXPLAINED:
            yield TOOL_INPUT_INVALID.found(use.where, f"{declares} {quoted(use.input)}")
            return
        errors = list(islice(validator.iter_errors(use.input), _MOST_ERRORS))
    except Exception:  # lone surrogates, a nesting that the compiled schema does not follow
        return
    for error in errors:
        if type(error.kind).__name__.endswith("BacktrackLimitExceeded"):
            continue
        said = error.message if len(error.message) <= 200 else f"{error.message[:199]}…"
        yield TOOL_INPUT_INVALID.found((*use.where, *error.instance_path), f"{declares}: {said}")


def _anthropic(reply: Reply) -> Iterator[_Use]:
    for index, block in enumerate(map(wire.mapping, wire.items(reply.message.get("content")))):
        if block.get("type") == "tool_use" and "input" in block:
            yield _Use(("content", index, "input"), wire.string(block.get("name")), block["input"])


def _openai_chat(reply: Reply) -> Iterator[_Use]:
    for at, choice in enumerate(map(wire.mapping, wire.items(reply.message.get("choices")))):
        if wire.string(choice.get("finish_reason")) in _CUT:
            continue
        message = wire.mapping(choice.get("message"))
        for index, call in enumerate(map(wire.mapping, wire.items(message.get("tool_calls")))):
            function = wire.mapping(call.get("function"))
            given = function.get("arguments")
            where = ("choices", at, "message", "tool_calls", index, "function", "arguments")
            # Some gateways send an object, and an empty text where the tool has no parameters.
            read = wire.parse(given) if isinstance(given, str) and given.strip() else given or {}
            yield _Use(where, wire.string(function.get("name")), given if read is None else read)


class _Compiled(NamedTuple):
    """A tool's schema: why it is `broken`, or what judges an input.

    `doublings`: how often the work may double with each level of an input, where the schema is recursive.
    """

    broken: str
    validator: Validator | None
    doublings: int


def _text(schema: Any) -> str:
    """A schema as JSON; the one that says nothing where it is too long or nests too deep."""
    try:
        text = wire.dump(schema)
    except (RecursionError, ValueError):
        return "{}"
    return text if len(text) <= _MOST_TEXT else "{}"


@functools.lru_cache(256)
def _compiled(text: str) -> _Compiled:
    schema = wire.parse(text)
    if not isinstance(schema, dict):
        return _Compiled(f"{quoted(schema)} is not an object", None, 0)
    recursions = _recursions(schema)
    if recursions is None:
        return _Compiled("", None, 0)
    circle = _circle(schema)
    if circle:
        return _Compiled(f'"$ref": "{circle[:100]}" leads back to itself and never to a schema', None, 0)
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(
            schema,
            validate_formats=False,
            retriever=_refuse,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
        )
    except Exception as error:
        first = str(getattr(error, "message", "") or error).partition("\n")[0]
        return _Compiled(first if len(first) <= 200 else f"{first[:199]}…", None, 0)
    return _Compiled("", validator, (recursions - 1).bit_length() if recursions > 1 else 0)


def _refuse(_uri: str) -> NoReturn:
    raise ValueError("schemas are not fetched; write what it says under $defs")


def _recursions(schema: dict[str, Any]) -> int | None:
    """How many references lead back to a schema around them; `None` where following all takes too long.

    A schema of a few lines can name itself twice in each of thirty definitions: a thousand million checks.
    """
    steps = recursions = others = 0
    todo: list[tuple[Any, frozenset[str]]] = [(schema, frozenset({"#"}))]
    while todo:
        part, around = todo.pop()
        steps += 1
        if steps > _MOST_STEPS:
            return None
        if isinstance(part, list):
            todo += [(each, around) for each in part if isinstance(each, dict | list)]
        elif isinstance(part, dict):
            ref = part.get("$ref")
            if isinstance(ref, str):
                if ref in around:
                    recursions += 1
                elif ref.startswith("#/"):
                    todo.append((_at(schema, ref), around | {ref}))
                else:
                    others += 1
            others += "$dynamicRef" in part or "$recursiveRef" in part
            aside = ("$defs", "definitions") if part is schema else ()
            todo += [
                (each, around) for name, each in part.items() if isinstance(each, dict | list) and name not in aside
            ]
    return recursions if others <= _MOST_OTHERS else None


_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose schemas are asked about the same value."""


def _circle(schema: dict[str, Any]) -> str:
    """A reference that leads back to itself without a step into the value; empty where there is none."""
    followed: set[str] = set()
    names = [ref for part in _dicts(schema) if isinstance(ref := part.get("$ref"), str)]
    for name in dict.fromkeys(names):
        chain: list[tuple[str, list[str]]] = []
        todo = [name]
        while todo or chain:
            if not todo:
                followed.add(chain.pop()[0])
                todo = chain[-1][1] if chain else []
                continue
            ref = todo.pop()
            if any(ref == before for before, _ in chain):
                return ref
            if ref not in followed and (ref == "#" or ref.startswith("#/")):
                todo = _asked_in_place(schema if ref == "#" else _at(schema, ref))
                chain.append((ref, todo))
    return ""


def _asked_in_place(part: Any) -> list[str]:
    """The references that are asked about the same value as a schema."""
    found: list[str] = []
    todo = [part]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each
        elif isinstance(each, dict):
            if isinstance(ref := each.get("$ref"), str):
                found.append(ref)
            todo += [each[name] for name in _IN_PLACE if name in each]
    return found


def _dicts(part: Any) -> Iterator[dict[str, Any]]:
    todo = [part]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            yield each
            todo += each.values()
        elif isinstance(each, list):
            todo += each


def _at(schema: Any, ref: str) -> Any:
    for step in ref[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        schema = schema.get(name) if isinstance(schema, dict) else None
    return schema


def _depth(given: Any) -> int:
    """How deep a value nests; as deep as counts, not further."""
    depth, level = 0, [given]
    while level and depth <= _MOST_DOUBLINGS:
        depth += 1
        level = [
            part
            for each in level
            if isinstance(each, dict | list)
            for part in (each.values() if isinstance(each, dict) else each)
            if isinstance(part, dict | list)
        ]
    return depth
