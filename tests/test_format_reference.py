"""docs/format-reference.md is what the tool makes of the schema, which says what each key is, with true examples."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from convo_replay import cassette
from convo_replay.cassette import yaml_writer

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "convo_replay" / "cassette" / "schema.json").read_text("utf-8"))


def _objects() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from {"file": SCHEMA, **SCHEMA["$defs"]}.items()


def _keys() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, found in _objects():
        for key, value in {**found.get("properties", {}), **found.get("then", {}).get("properties", {})}.items():
            yield f"{name}.{key}", value


def test_the_page_is_what_the_tool_writes():
    place = ROOT / "tools" / "format_reference.py"
    spec = importlib.util.spec_from_file_location("format_reference", place)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    written = (ROOT / "docs" / "format-reference.md").read_text("utf-8")
    assert written == tool.page(SCHEMA), "the schema has changed: run `python tools/format_reference.py`"
    for name, _ in _objects():
        assert f"\n## {name}\n" in written
    for name, _ in _keys():
        assert f"| `{name.partition('.')[2]}` |" in written


def test_every_object_and_key_is_described():
    assert [name for name, found in (*_objects(), *_keys()) if not found.get("description", "").strip()] == []


EXAMPLES = [
    pytest.param({**found, "$defs": SCHEMA["$defs"]}, example, id=f"{name}-{number}")
    for name, found in (*_objects(), *_keys())
    for number, example in enumerate(found.get("examples", ()))
]


@pytest.mark.parametrize(("schema", "example"), EXAMPLES)
def test_an_example_is_valid(schema, example):
    jsonschema.Draft202012Validator(schema).validate(example)


def test_the_example_of_a_file_loads():
    [example] = SCHEMA["examples"]
    [exchange] = cassette.loads(yaml_writer.render(example).encode(), "example.yaml").exchanges
    assert (exchange.status, exchange.is_stream, exchange.end.at) == (200, True, 0.725)
