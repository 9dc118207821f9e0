"""What an API has answered with 2xx was legal: over recorded exchanges, validation finds no error."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import all_formats
import corpus
from all_formats import Recording
from convo_replay.cassette import load
from convo_replay.exchange import Exchange
from convo_replay.providers import find
from convo_replay.validation.findings import Finding
from convo_replay.validation.history import Validator

ALL = bool(os.environ.get("CONVO_CORPUS_ALL"))
SAMPLE = 12
OWN = sorted((Path(__file__).parents[2] / "cassettes").rglob("*.yaml"))

EXPLAINED = {
    # Path below the corpus: the rule, and why it is right.
    "pydantic__pydantic-ai/tests/models/cassettes/test_openai/test_invalid_response.yaml": (
        "response-schema",
        "an echo server (demo-endpoints.pydantic.workers.dev) answers the request's own JSON: made to be no completion",
    ),
    "pydantic__pydantic-ai/tests/models/cassettes/test_openai/test_text_response.yaml": (
        "response-not-json",
        "the same server answers text: made to be no completion",
    ),
    "prism-php__prism/tests/Fixtures/groq/speech-to-text-basic-1.json": (
        "response-schema",
        "a transcription, kept without its request: the index guesses chat completions",
    ),
    "prism-php__prism/tests/Fixtures/groq/speech-to-text-simple-1.json": (
        "response-schema",
        "a transcription, kept without its request: the index guesses chat completions",
    ),
}


def said(recording: Recording) -> Iterator[tuple[Exchange, Finding]]:
    """The findings of the exchanges with a 2xx, each conversation from its beginning."""
    validator = Validator()
    for exchange in recording.exchanges:
        asked = validator.request(exchange.request)
        answered = validator.response(exchange)
        if 200 <= (exchange.status or 0) < 300:
            yield from ((exchange, one) for one in ([] if recording.response_only else asked) + answered)


def judged(recordings: Iterable[Recording]) -> Counter[str]:
    """How many exchanges of each format a model answered with 2xx."""
    return Counter(
        provider.name
        for recording in recordings
        for exchange in recording.exchanges
        if 200 <= (exchange.status or 0) < 300
        if (provider := find(exchange.request)) is not None and provider.generates(exchange.request)
    )


@corpus.needs_corpus
def test_recorded_answers_break_no_rule() -> None:
    read = all_formats.recordings() if ALL else tuple(map(all_formats.read, corpus.index()[::SAMPLE]))
    errors, warnings = [], Counter[str]()
    for recording in read:
        rule, _ = EXPLAINED.get(recording.path, ("", ""))
        for exchange, one in said(recording):
            if one.severity == "error" and one.rule != rule:
                errors.append(f"{recording.path} {exchange.request.url}: {one.rule} at {one.path}: {one.message}")
            elif one.severity == "warn":
                warnings[one.rule] += 1
    print("\n".join(f"{count:6} {rule}" for rule, count in warnings.most_common()))
    assert errors == []
    assert not warnings["validation-failed"]
    assert not all_formats.skipped(read), all_formats.skipped(read)
    counts = judged(read)
    assert counts["anthropic"] > (500 if ALL else 30), counts
    assert counts["openai_chat"] > (750 if ALL else 45), counts


@corpus.needs_corpus
@pytest.mark.parametrize("path", EXPLAINED, ids=lambda path: Path(path).stem)
def test_what_is_explained_is_found(path: str) -> None:
    (row,) = [row for row in corpus.index() if row["path"] == path]
    rule, _ = EXPLAINED[path]
    found = {one.rule for _, one in said(all_formats.read(row)) if one.severity == "error"}
    assert found == {rule}


@pytest.mark.parametrize("path", OWN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_cassettes_of_this_project_break_no_rule(path: Path) -> None:
    exchanges = list(load(path).exchanges)
    assert judged([Recording(path.name, {"exchanges": []}, exchanges)])
    found = [one for _, one in said(Recording(path.name, {"exchanges": []}, exchanges))]
    assert [one for one in found if one.severity == "error"] == []
