"""The law of the format: `load(dump(x)) == x` for x in stored form, and the bytes are equal."""

from __future__ import annotations

import json
import os
import random
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import corpus
from convo_replay.cassette import Cassette, dump, loads, stored, yaml_reader
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from strategies import exchanges, stream_bytes

SCHEMA = json.loads((resources.files("convo_replay.cassette") / "schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _check(cassette: Cassette) -> tuple[Cassette, str]:
    written = dump(cassette)
    loaded = loads(written.text, "c.yaml", written.blobs)
    canonical = [stored(exchange) for exchange in cassette.exchanges]
    assert [stored(exchange) for exchange in canonical] == canonical
    assert loaded.exchanges == canonical
    assert [x.body for x in loaded.exchanges] == [x.body for x in cassette.exchanges]
    assert dump(loaded) == written
    return loaded, written.text.decode()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(exchanges(), max_size=3))
def test_generated_exchanges_come_back(made: list[Exchange]) -> None:
    cassette = Cassette({"anthropic": "2.12"}, exchanges=made)
    loaded, text = _check(cassette)
    for one, other in zip(loaded.exchanges, cassette.exchanges, strict=True):
        if isinstance(one.request.body, Json):
            assert other.request.body is not None
            assert repr(sorted_keys(one.request.json)) == repr(sorted_keys(other.request.json))
    VALIDATOR.validate(yaml_reader.read(text.encode(), "c.yaml").value)


def sorted_keys(value: Any) -> Any:
    """The value with keys in order: `$base` does not keep the order in which a request's top keys came."""
    if isinstance(value, dict):
        return [(key, sorted_keys(value[key])) for key in sorted(value)]
    return [sorted_keys(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=250, deadline=None)
@given(stream_bytes, st.lists(st.tuples(st.integers(1, 30), st.floats(0, 10)), max_size=10))
def test_a_stream_keeps_its_bytes(body: bytes, cuts: list[tuple[int, float]]) -> None:
    chunks, rest = [], body
    for size, at in cuts:
        chunks.append(Chunk(at, rest[:size]))
        rest = rest[size:]
    head = Head(200, (("content-type", "text/event-stream"),), 0.1234)
    exchange = Exchange(Request("POST", "http://h/"), (head, *chunks, Chunk(11.0, rest), End("reset", 11.5)))
    _check(Cassette(exchanges=[exchange]))


@corpus.needs_corpus
@pytest.mark.parametrize("shard", range(4) if os.environ.get("CONVO_CORPUS_ALL") else [0])
def test_published_recordings_come_back(shard: int) -> None:
    """A quarter of them; the others, too, where CONVO_CORPUS_ALL is set."""
    rows = corpus.index("vcrpy-yaml")[shard::4]
    events = odd = 0
    for row in rows:
        loaded = loads(corpus.read(row), row["path"])
        assert len(loaded.exchanges) == len(row["exchanges"]), row["path"]
        assert [x.status for x in loaded.exchanges] == [e["status"] for e in row["exchanges"]], row["path"]
        _, text = _check(loaded)
        events += sum(line.startswith("        +") for line in text.splitlines())
        odd += sum(line.startswith("        +") and ' = "' in line for line in text.splitlines())
    assert len(rows) > 250
    assert odd < events / 100


@corpus.needs_corpus
def test_published_cassettes_satisfy_the_schema() -> None:
    for row in random.Random(1).sample(corpus.index("vcrpy-yaml"), 60):
        written = dump(loads(corpus.read(row), row["path"]))
        VALIDATOR.validate(yaml_reader.read(written.text, row["path"]).value)


@corpus.needs_corpus
def test_published_streams_come_back() -> None:
    for row in corpus.index("bare-sse"):
        body = corpus.read(row)
        head = Head(200, (("content-type", "text/event-stream"),))
        _check(Cassette(exchanges=[Exchange(Request("POST", "http://h/"), (head, Chunk(0, body), End()))]))
