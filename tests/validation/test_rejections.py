"""What an API has answered with 400: the rule fires, and on the place that the API named.

Every 400, 413 and 422 of the corpus is in one of the two tables. One that is about the conversation, a block or a
parameter is found; of the others is said why nothing is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

import all_formats
import corpus
from convo_replay.exchange import Exchange
from convo_replay.validation.findings import Finding
from convo_replay.validation.history import Validator

pytestmark = corpus.needs_corpus

STATUSES = (400, 413, 422)

FOUND = [
    # File, exchange, what the API said of the place, rule, our path.
    (
        "DataDog__dd-trace-py/tests/contrib/anthropic/cassettes/anthropic_completion_error.yaml", 0,
        "messages.0: Input does not match the expected shape.",
        "request-schema", "messages.0",
    ),
    (
        "posit-dev__chatlas/tests/_vcr/test_provider_bedrock/test_anthropic_images.yaml", 1,
        "messages.0.content.1.image.source.base64.data: URL sources are not supported",
        "url-source-unsupported", "messages.0.content.1",
    ),
    (
        "pydantic__pydantic-ai/tests/models/cassettes/test_openai/test_openai_o1_mini_system_role[developer].yaml", 0,
        "'messages[0].role' does not support 'developer' with this model.",
        "message-invalid", "messages.0.role",
    ),
    (
        "pydantic__pydantic-ai/tests/models/cassettes/test_openai/test_openai_o1_mini_system_role[system].yaml", 0,
        "'messages[0].role' does not support 'system' with this model.",
        "message-invalid", "messages.0.role",
    ),
    (
        "pydantic__pydantic-ai/tests/models/cassettes/test_openai/"
        "test_openai_web_search_tool_model_not_supported.yaml", 0,
        "Web search options not supported with this model.",
        "web-search-unsupported", "web_search_options",
    ),
    (
        "pydantic__pydantic-ai/tests/models/cassettes/test_anthropic/"
        "test_anthropic_explicit_effort_xhigh_unsupported_model_errors.yaml", 0,
        "This model does not support effort level 'xhigh'.",
        "effort-unsupported", "output_config.effort",
    ),
]  # fmt: skip

NOT_FOUND = [
    # File, what the API said, why nothing is found.
    ("*anthropic_test_completions_*.yaml", "not supported on this API", "the old completions API has no messages"),
    ("*response_create_error.yaml", "does not exist", "an unknown model, of the Responses API"),
    ("*test_responses_create_api_error*", "does not exist", "an unknown model, of the Responses API"),
    ("*test_inferred_model_name_suggestion.yaml", "does not exist", "an unknown model, of the Responses API"),
    ("*test_model_name_suggestion?openai-responses*", "does not exist", "an unknown model, of the Responses API"),
    ("*test_openai_responses_model_http_error.yaml", "temperature", "the Responses API, and a parameter's range"),
    (
        "*test_openai_responses_thinking_with_modified_history.yaml",
        "without its required following item",
        "the Responses API: its conversations are not validated yet",
    ),
    ("*test_generate_content_invalid_role.yaml", "valid role", "Gemini: not validated"),
    ("*test_generate_content_invalid_temperature.yaml", "temperature", "Gemini: not validated"),
    ("*invalid_model.yaml", "model identifier is invalid", "an unknown model, of Bedrock"),
    ("*test_model_name_suggestion?bedrock*", "model identifier is invalid", "an unknown model, of Bedrock's Converse"),
    ("*test_bedrock_error.yaml", "model identifier is invalid", "an unknown model, of Bedrock's Converse"),
    ("*test_bedrock_streaming_error.yaml", "model identifier is invalid", "an unknown model, of Bedrock's Converse"),
    ("*TestVoyageAI.test_embed_error.yaml", "is not supported", "an unknown model, of an embedding API"),
    ("*test_vision*.yaml", "Error while downloading", "the image could not be fetched: nobody knows that offline"),
]


def refused() -> Iterator[tuple[str, int]]:
    """File and exchange of every answer that says the request itself was wrong."""
    for row in rows().values():
        for at, one in enumerate(row["exchanges"]):
            if one["status"] in STATUSES:
                yield row["path"], at


def exchange_of(path: str, at: int) -> tuple[list[Exchange], Exchange]:
    exchanges = recorded(path)
    return exchanges[:at], exchanges[at]


@functools.cache
def recorded(path: str) -> list[Exchange]:
    return all_formats.read(rows()[path]).exchanges


@functools.cache
def rows() -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in corpus.index()}


def said(before: list[Exchange], exchange: Exchange) -> list[Finding]:
    validator = Validator()
    for one in before:
        validator.request(one.request)
        validator.response(one)
    return validator.request(exchange.request)


@pytest.mark.parametrize(("path", "at", "text", "rule", "where"), FOUND, ids=[path for path, *_ in FOUND])
def test_the_rule_fires_where_the_api_said(path: str, at: int, text: str, rule: str, where: str) -> None:
    before, exchange = exchange_of(path, at)
    assert exchange.status == 400
    assert text in exchange.body.decode()
    errors = [one for one in said(before, exchange) if one.severity == "error"]
    assert [(one.rule, one.api_path) for one in errors] == [(rule, where)]


def test_every_refusal_is_found_or_explained() -> None:
    found = {(path, at) for path, at, *_ in FOUND}
    left = [one for one in refused() if one not in found]
    known = {one: [text for name, text, _ in NOT_FOUND if fnmatchcase(one[0], name)] for one in left}
    assert [one for one, texts in known.items() if not texts] == []
    assert len(left) > 20
    for (path, at), texts in known.items():
        before, exchange = exchange_of(path, at)
        assert any(text in exchange.body.decode() for text in texts), path
        assert [one for one in said(before, exchange) if one.severity == "error"] == [], path
    names = [name for name, *_ in NOT_FOUND]
    assert [name for name in names if not any(fnmatchcase(path, name) for path, _ in left)] == []
