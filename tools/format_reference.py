"""Writes docs/format-reference.md from the schema of a cassette: `python tools/format_reference.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from convo_replay.cassette import yaml_writer

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "convo_replay" / "cassette" / "schema.json"
PAGE = ROOT / "docs" / "format-reference.md"

Schema = Mapping[str, Any]

OPENING = """\
# The cassette format, key by key

Written by `tools/format_reference.py` from `convo_replay/cassette/schema.json` (JSON Schema, draft 2020-12), which
ships in the package. [The cassette format](cassette-format.md) says what it is made for, and what a schema cannot say.
"""


def page(schema: Schema) -> str:
    """The page: the file, then each object under its name in the schema."""
    objects = {"file": {**schema, "description": f"{schema['title']}. {schema['description']}"}, **schema["$defs"]}
    return "\n".join([OPENING, *(line for name, found in objects.items() for line in _object(name, found))])


def _object(name: str, found: Schema) -> Iterator[str]:
    yield f"## {name}\n\n{found['description']}\n"
    keys = found.get("properties") or found.get("then", {}).get("properties")
    if keys:
        required = found.get("required", ())
        yield "| key | value | | meaning |\n|---|---|---|---|"
        for key, value in keys.items():
            needed = "required" if key in required else _default(value)
            yield f"| `{key}` | {_kind(value)} | {needed} | {value['description']}{_inline(value)} |"
        yield ""
    else:
        yield f"Value: {', '.join(filter(None, [_kind(found), _default(found)]))}.\n"
    yield from (f"{rule}\n" for rule in _rules(found))
    for example in found.get("examples", ()):
        yield f"```yaml\n{yaml_writer.render(example)}```\n"


def _kind(value: Schema) -> str:
    """The values there may be, in words; a link where they are described elsewhere."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return "one of " + " ".join(f"`{word}`" for word in value["enum"])
    if "anyOf" in value:
        return " or ".join(map(_kind, value["anyOf"]))
    words = {"integer": "whole number", "object": "mapping", "array": "list", "string": "text"}
    kind = words.get(value.get("type", ""), value.get("type", "any JSON value"))
    inner = value.get("items") or value.get("additionalProperties")
    limits = [f"{sign} {value[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in value]
    return kind + (f" of {_kind(inner)}" if inner else "") + (f" {', '.join(limits)}" if limits else "")


def _default(value: Schema) -> str:
    return f"default `{json.dumps(value['default'])}`" if "default" in value else ""


def _inline(value: Schema) -> str:
    """A key's first example, where it fits into the table."""
    lines = [yaml_writer.render({"": each}).partition(": ")[2].strip() for each in value.get("examples", ())[:1]]
    return "".join(f" Example: `{line}`" for line in lines if "\n" not in line and "|" not in line)


def _rules(found: Schema) -> Iterator[str]:
    """What holds between keys, a sentence each."""
    apart = {frozenset(rule["not"]["required"]) for rule in found.get("allOf", ())}
    names = list(dict.fromkeys(key for rule in found.get("allOf", ()) for key in rule["not"]["required"]))
    if apart != {frozenset(pair) for pair in combinations(names, 2)}:
        raise ValueError(f"allOf: a rule that is not about one of several keys: {apart}")
    for words, several in (
        ("At most one of", names),
        ("One of", [key for rule in found.get("oneOf", ()) for key in rule["required"]]),
        ("At least one of", [key for rule in found.get("anyOf", ()) for key in rule["required"]]),
    ):
        if several:
            yield f"{words} {' '.join(f'`{key}`' for key in several)}."
    beside: dict[tuple[str, ...], list[str]] = {}
    for key, others in (found.get("then") or found).get("dependentRequired", {}).items():
        beside.setdefault(tuple(others), []).append(key)
    for others, keys in beside.items():
        yield f"{' '.join(f'`{key}`' for key in keys)} only beside {' '.join(f'`{other}`' for other in others)}."


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(SCHEMA.read_text("utf-8"))), "utf-8")
