"""Placeholders: recognized in any text, numbered apart, opaque ones of the length they replace."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.redaction import Redactor
from convo_replay.redaction.classes import BY_NAME
from convo_replay.redaction.placeholders import OPAQUE_CLASS, classes_only, found, make, make_opaque, places
from convo_replay.redaction.values import Values

TEXTS = [
    ("", []),
    ("redacted", []),
    ("redacted-", []),
    ("redacted-1", []),
    ("redacted-env-1", ["redacted-env-1"]),
    ("a redacted-anthropic-key-12, b", ["redacted-anthropic-key-12"]),
    ("redacted-env-1redacted-env-2", ["redacted-env-1", "redacted-env-2"]),
    ("redacted-redacted-env-1", ["redacted-env-1"]),
    ("redacted-env-1-2", ["redacted-env-1"]),
    ("redacted-Env-1 redacted-é-1", []),
]


@pytest.mark.parametrize(("text", "names"), TEXTS)
def test_found(text: str, names: list[str]) -> None:
    assert found(text) == names


def test_classes_only_drops_numbers_and_nothing_else() -> None:
    text = f"1 redacted-api-key-3 2 redacted-api-key-4, {make_opaque('x' * 48, 7)} 5"
    assert classes_only(text) == "1 redacted-api-key 2 redacted-api-key, redacted-opaque 5"


@given(st.integers(min_value=22, max_value=400), st.integers(min_value=1, max_value=99_999))
@settings(max_examples=60, deadline=None)
def test_an_opaque_placeholder_has_the_length_decodes_and_says_its_number(size: int, number: int) -> None:
    original = base64.b64encode(b"\xff" * size).decode()
    made = make_opaque(original, number)
    assert len(made) == len(original)
    assert base64.b64decode(made, validate=True).startswith(f"redacted-opaque-{number} ".encode()[:size])
    assert found(f'"{made}"') == [made]


def test_numbers_count_by_class_and_first_appearance() -> None:
    redactor = Redactor(secrets=["alpha", "beta", "gamma"])
    assert redactor.text("beta alpha beta AKIAEXAMPLE234567ABC gamma") == (
        "redacted-secret-1 redacted-secret-2 redacted-secret-1 redacted-aws-key-id-1 redacted-secret-3"
    )


def test_numbers_met_in_a_text_are_taken() -> None:
    redactor = Redactor(secrets=["alpha", "beta"])
    assert redactor.text("alpha redacted-secret-4") == "redacted-secret-5 redacted-secret-4"
    assert redactor.text("redacted-secret-9 beta") == "redacted-secret-9 redacted-secret-10"


def test_digits_beside_a_secret_do_not_join_its_number() -> None:
    redactor = Redactor(secrets=["alpha"])
    assert redactor.text("alpha23") == "redacted-secret-1"
    assert redactor.text("alpha 23") == "redacted-secret-2 23"
    assert make("secret", 123) not in redactor.text("alpha23")


@pytest.mark.parametrize("around", ["{}", "a {} b", '"{}"', "id={}&x=1", "x/{}/y", "<{}>,"])
@pytest.mark.parametrize("number", [1, 12, 4711])
def test_each_class_knows_its_placeholder_and_no_pattern_takes_it(number: int, around: str) -> None:
    shaped = [(cls, shape.format(n=number)) for cls, item in BY_NAME.items() for _, shape in item.shapes]
    # base64, see above
    for cls, made in [*((cls, make(cls, number)) for cls in BY_NAME if cls != OPAQUE_CLASS), *shaped]:
        text = around.format(made)
        assert [(place.cls, place.number) for place in places(text)] == [(cls, number)]
        assert found(text) == [made]
        assert classes_only(text) == around.format(f"redacted-{cls}")
        assert Redactor().text(text) == text


@pytest.mark.parametrize(
    ("cls", "value", "made"),
    [
        ("file-id", "file-" + "U6Ke78" * 4, "file-REDACTED1"),
        ("file-id", "file_011" + "Ex4mple" * 3, "file_REDACTED1"),
        ("container-id", "cntr_68c3" + "0a1b" * 8, "cntr_REDACTED1"),
        ("request-id", "gen-1785000000-" + "Ex4mple" * 2, "gen-REDACTED1"),
        ("request-id", "req_vrtx_011" + "Ex4mple" * 3, "req_vrtx_REDACTED1"),
        ("request-id", "3266ca30-1009-4f7a-8d3e-2c6b5a4f3e2d", "5ec2e7ed-0000-4002-8000-000000000001"),
        ("request-id", "0a1b2c3d" * 4, "req_REDACTED1"),
    ],
)
def test_an_id_keeps_the_look_of_its_vendor(cls: str, value: str, made: str) -> None:
    assert Values().place(cls, value) == made
    assert classes_only(made) == f"redacted-{cls}"


def test_a_short_opaque_value_becomes_one_that_can_be_told() -> None:
    made = make_opaque("c2hvcnQ=", 7)
    assert found(made) == [made]
    assert base64.b64decode(made, validate=True).startswith(b"redacted-opaque-7")


@pytest.mark.parametrize("text", ["redacted-request-id-3", "req_REDACTED3"])
def test_older_placeholders_mean_the_same_class(text: str) -> None:
    assert classes_only(text) == "redacted-request-id"
