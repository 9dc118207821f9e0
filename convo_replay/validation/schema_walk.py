"""Where a value differs from a schema, and how: what a `anyOf` of JSON Schema cannot say.

A union is taken apart by the `type` (or `role`) that the value itself names, so that a thinking block
without a signature is missing one, and not "valid under none of 28 schemas". The walk goes as deep as the
schema, never as deep as the value, and stops at `MOST` problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from convo_replay.validation.findings import Path
from convo_replay.validation.findings import value as quoted
from convo_replay.validation.schema_files import Schema, Shapes, Union

MOST = 100
"""Problems that are told of one body; a list of a million nulls has no more."""

_MANY = 100
"""From so many items on a list is worth a compiled schema of its own."""

Kind = Literal["missing", "field", "type", "value", "tag"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One difference.

    Attributes:
        kind: a required property is `missing`; a `field` that no schema knows; a value of another `type`; a
            `value` that is none of those listed; a `tag`: the `type` or `role` of an object that no schema knows.
        where: the object that lacks a property; the unknown field; the value; the object with the tag.
        name: of the property, the field, or the tag itself.
        expected: what would fit, in words.
        given: what is there.
        owner: the tag of the object around it, where it has one.
        path: as the vendor's API names it, tags of unions in it: `messages.1.content.0.thinking`.
        null: whether a missing property may be null.
        choices: the values that fit, of a `value` or `tag`; the names that are known, of a `field`.
    """

    kind: Kind
    where: Path
    name: str
    expected: str
    given: Any
    owner: str = ""
    path: str = ""
    null: bool = False
    choices: tuple[Any, ...] = ()


def problems(shapes: Shapes, schema: Schema, given: Any, where: Path) -> list[Problem]:
    """All differences in order, at most `MOST`."""
    walk = _Walk(shapes)
    walk.at(schema, given, where, ".".join(map(str, where)), "")
    return walk.found


class _Walk:
    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.found: list[Problem] = []

    def at(self, schema: Schema, given: Any, where: Path, path: str, owner: str) -> None:
        if len(self.found) >= MOST:
            return
        alternatives = self.shapes.alternatives(schema)
        fitting = [each for each in alternatives if _fits(each, given)]
        if not fitting:
            expected = " or ".join(dict.fromkeys(_kind_of(each) for each in alternatives))
            self._add("type", where, "", f"expected {expected}", given, owner, path)
        elif isinstance(given, dict):
            self._object(self.shapes.union(schema), given, where, path, owner)
        elif isinstance(given, list):
            items = fitting[0].get("items")
            if items is not None and not self._plain(items, given):
                accepts = self.shapes.accepting(items) if len(given) > _MANY else None
                for index, part in enumerate(given):
                    if accepts is not None and accepts(part):
                        continue
                    self.at(items, part, (*where, index), f"{path}.{index}", owner)
                    if len(self.found) >= MOST:
                        return
        else:
            self._scalar(fitting, given, where, path, owner)

    def _plain(self, items: Schema, given: list[Any]) -> bool:
        return items == {"type": "string"} and all(isinstance(part, str) for part in given)

    def _scalar(self, fitting: list[Schema], given: Any, where: Path, path: str, owner: str) -> None:
        listed: list[Any] = []
        for each in fitting:
            choices = each["enum"] if "enum" in each else [each["const"]] if "const" in each else None
            if choices is not None:
                if any(given == choice and type(given) is type(choice) for choice in choices):
                    return
                listed += choices
            elif "pattern" not in each or re.search(each["pattern"], given):
                return
        if listed:
            self._add("value", where, "", f"expected {_listed(listed)}", given, owner, path, choices=tuple(listed))
        else:
            self._add("value", where, "", "expected data in base64, no URL", given, owner, path)

    def _object(self, union: Union, given: Mapping[str, Any], where: Path, path: str, owner: str) -> None:
        fitting, key = union.members, union.key
        if key and (key in given or len(fitting) > 1):
            tag = given.get(key)
            untagged = union.null if key in given else union.without
            if tag is None and not untagged:
                if key in given:
                    self._add("type", (*where, key), "", "expected a string", None, owner, f"{path}.{key}")
                else:
                    self._missing(key, given, where, path, owner)
                return
            if tag is not None and not isinstance(tag, str):
                self._add("type", (*where, key), "", "expected a string", tag, owner, f"{path}.{key}")
                return
            if tag is None:
                fitting, tag = untagged, union.tags[0]
            elif tag in union.tagged:
                fitting = union.tagged[tag]
            else:
                self._add("tag", where, tag, f"expected {_listed(union.tags)}", given, owner, path, choices=union.tags)
                return
            owner = tag
            if len(union.tags) > 1 and key == "type":
                path = f"{path}.{tag}"
        if len(fitting) == 1:
            self._properties(fitting[0], given, where, path, owner)
            return
        tried: list[list[Problem]] = []
        for each in fitting:
            walk = _Walk(self.shapes)
            walk._properties(each, given, where, path, owner)
            if not walk.found:
                return
            tried.append(walk.found)
        names = {name for each in fitting for name in each.get("properties", ())}
        nearest = min(tried, key=lambda found: _weight(found, len(where) + 1, names))
        self.found += nearest

    def _properties(self, schema: Schema, given: Mapping[str, Any], where: Path, path: str, owner: str) -> None:
        properties: Mapping[str, Schema] | None = schema.get("properties")
        other = schema.get("additionalProperties", properties is None)
        for name in schema.get("required", ()):
            if name not in given:
                null = any(_kind_of(each) == "null" for each in self.shapes.alternatives((properties or {})[name]))
                self._missing(name, given, where, path, owner, null=null)
        for name, part in given.items():
            if len(self.found) >= MOST:
                return
            within = properties.get(name) if properties is not None else None
            if within is None:
                if other is False:
                    self._unknown(name, part, properties or {}, (*where, name), f"{path}.{name}".lstrip("."), owner)
                    continue
                if other is True:
                    continue
                within = other
            if isinstance(part, str) and within == {"type": "string"}:
                continue
            self.at(within, part, (*where, name), f"{path}.{name}".lstrip("."), owner)

    def _missing(
        self, name: str, given: Mapping[str, Any], where: Path, path: str, owner: str, *, null: bool = False
    ) -> None:
        self._add("missing", where, name, f'"{name}" is a required property', given, owner, path, null=null)

    def _unknown(self, name: str, given: Any, known: Iterable[str], where: Path, path: str, owner: str) -> None:
        expected = f"expected a field that {self.shapes.sdk} knows"
        self._add("field", where, name, expected, given, owner, path, choices=tuple(known))

    def _add(
        self,
        kind: Kind,
        where: Path,
        name: str,
        expected: str,
        given: Any,
        owner: str,
        path: str,
        *,
        null: bool = False,
        choices: tuple[Any, ...] = (),
    ) -> None:
        if len(self.found) < MOST:
            self.found.append(Problem(kind, where, name, expected, given, owner, path, null, choices))


def _weight(found: list[Problem], depth: int, names: set[str]) -> tuple[int, int, int]:
    """How far off an alternative is: it was not meant if another one has the field that it does not know."""
    fields = [problem for problem in found if problem.kind == "field"]
    meant = sum(len(problem.where) == depth and problem.name in names for problem in fields)
    return meant, len(found) - len(fields), len(found)


_KINDS = {str: "string", bool: "boolean", int: "integer", type(None): "null", dict: "object", list: "array"}
_WORDS = {
    "string": "a string",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _kind_of(schema: Schema) -> str:
    kind = schema.get("type")
    if kind is None:
        sample = schema["const"] if "const" in schema else schema["enum"][0] if "enum" in schema else None
        kind = _KINDS.get(type(sample), "null")
    return _WORDS[kind]


def _fits(schema: Schema, given: Any) -> bool:
    """Whether the value is of the JSON type that a schema asks for."""
    kind = schema.get("type")
    if kind is None:
        listed = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else None
        return listed is None or type(given) is type(listed[0])
    if isinstance(given, bool):
        return bool(kind == "boolean")
    if isinstance(given, int):
        return kind in ("integer", "number")
    if isinstance(given, float):
        return kind == "number" or (kind == "integer" and given.is_integer())
    return _KINDS.get(type(given), "") == str(kind)


def _listed(choices: Iterable[Any]) -> str:
    shown = [f'"{choice}"' if isinstance(choice, str) else quoted(choice).lower() for choice in dict.fromkeys(choices)]
    if len(shown) > 12:
        shown[10:] = [f"one of {len(shown) - 10} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
