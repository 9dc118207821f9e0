"""The packaged JSON schemas (`tools/generate_schemas.py` makes them), read and compiled on first use.

A file holds objects without `additionalProperties`; they are closed here, so that one question to the
compiled schema, in Rust, says of a whole history whether there is anything to say about it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal

Schema = Mapping[str, Any]

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Union:
    """The objects among what a schema accepts, told apart by what they call themselves.

    Attributes:
        members: all of them.
        key: where their tag is, `type` or `role`; empty where not all have one.
        tagged: by tag; an SDK may have two types for one.
        tags: in order.
        without: those that may lack the tag.
        null: those that may have null for it.
    """

    members: Sequence[Schema]
    key: str
    tagged: Mapping[str, Sequence[Schema]]
    tags: tuple[str, ...]
    without: Sequence[Schema]
    null: Sequence[Schema]


@dataclass(frozen=True, eq=False)
class Shapes:
    """What one SDK's types say.

    Attributes:
        sdk: its name on PyPI, with its version: `anthropic 2.12.0`.
        roots: `ga.params`, `ga.message`, `ga.answer`, `ga.event`, and `beta.…` where there is a beta.
        defs: what they refer to.
        places: where a block may stand: letters of `UATS` (protocol.md §1.2) by its type.
    """

    sdk: str
    roots: Mapping[str, Schema]
    defs: Mapping[str, Schema]
    places: Mapping[str, str]
    _alternatives: dict[int, tuple[Schema, ...]] = field(default_factory=dict)
    _unions: dict[int, Union] = field(default_factory=dict)
    _accepting: dict[tuple[int, bool, frozenset[str]], Callable[[Any], bool]] = field(default_factory=dict)
    _closed_defs: dict[frozenset[str], dict[str, Schema]] = field(default_factory=dict)

    def alternatives(self, schema: Schema) -> tuple[Schema, ...]:
        """What a schema accepts, one by one: references followed, `anyOf` taken apart."""
        known = self._alternatives.get(id(schema))
        if known is None:
            if "$ref" in schema:
                known = self.alternatives(self.defs[schema["$ref"].rpartition("/")[2]])
            elif "anyOf" in schema:
                known = tuple(each for part in schema["anyOf"] for each in self.alternatives(part))
            else:
                known = (schema,)
            self._alternatives[id(schema)] = known
        return known

    def union(self, schema: Schema) -> Union:
        """The objects that a schema accepts."""
        known = self._unions.get(id(schema))
        if known is None:
            known = self._unions[id(schema)] = _union(
                [each for each in self.alternatives(schema) if each.get("type") == "object" or not each]
            )
        return known

    def accepting(self, schema: Schema, *, many: bool = False, also: frozenset[str] = NONE) -> Callable[[Any], bool]:
        """A function that says whether a value (`many`: each of a list) is one that the SDK knows in every part.

        What cannot be asked (a lone surrogate, a nesting deeper than the compiled schema goes) is not accepted.

        Args:
            schema: one of these shapes, or one that lives as long.
            also: names of fields that any object may have.
        """
        key = (id(schema), many, also)
        known = self._accepting.get(key)
        if known is None:
            from jsonschema_rs import Draft202012Validator

            top = _close(schema, also)
            top = {"type": "array", "items": top} if many else top
            ask = Draft202012Validator({**top, "$defs": self._closed(also)}).is_valid
            known = self._accepting[key] = functools.partial(_careful, ask)
        return known

    @functools.cached_property
    def tags(self) -> frozenset[str]:
        """Every `type` that any object has."""
        return frozenset(tag for part in self.defs.values() for tag in _tags(part, "type"))

    def _closed(self, also: frozenset[str]) -> dict[str, Schema]:
        """The definitions without room for what they do not name."""
        if also not in self._closed_defs:
            self._closed_defs[also] = {name: _close(part, also) for name, part in self.defs.items()}
        return self._closed_defs[also]


@functools.cache
def gateway_fields(side: Literal["request", "answer"]) -> frozenset[str]:
    """Fields of chat completions that others than OpenAI send."""
    return frozenset(json.loads((files(__package__) / "schemas" / "chat_gateways.json").read_bytes())[side])


@functools.cache
def shapes(format: str) -> Shapes:
    """The shapes of a wire format: `anthropic`, `openai_chat`."""
    text = (files(__package__) / "schemas" / f"{format}.json").read_bytes()
    given = json.loads(text)
    return Shapes(f"{given['sdk']} {given['version']}", given["roots"], given["$defs"], given.get("places", {}))


def accepting(format: str, root: str, *, many: bool = False) -> Callable[[Any], bool]:
    """`Shapes.accepting` of a root; an answer of chat completions may have what gateways add."""
    given = shapes(format)
    also = gateway_fields("answer") if format == "openai_chat" and root in ("ga.answer", "ga.event") else NONE
    return given.accepting(given.roots[root], many=many, also=also)


def _union(members: Sequence[Schema]) -> Union:
    key = next((name for name in ("type", "role") if all(_tags(each, name) for each in members)), "")
    tagged: dict[str, list[Schema]] = {}
    for each in members:
        for tag in _tags(each, key):
            tagged.setdefault(tag, []).append(each)
    without = [each for each in members if key not in each.get("required", ())]
    null = [each for each in members if key and {"type": "null"} in each["properties"][key].get("anyOf", ())]
    return Union(members, key, tagged, tuple(tagged), without, null)


def _tags(schema: Schema, key: str) -> list[str]:
    """The values that an object's tag may have."""
    part = schema.get("properties", {}).get(key, {})
    if key == "type" and "enum" in part:
        return list(part["enum"])
    return [each["const"] for each in part.get("anyOf", [part]) if "const" in each]


def _careful(ask: Callable[[Any], bool], value: Any) -> bool:
    try:
        return ask(value)
    except Exception:
        return False


def _close(schema: Schema, also: frozenset[str]) -> Schema:
    if "properties" in schema and "additionalProperties" not in schema:
        properties = {**dict.fromkeys(also, True), **schema["properties"]}
        return {**schema, "properties": properties, "additionalProperties": False}
    return schema
