"""What redaction changed in a text, and the path of a place in JSON: told from the two texts alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convo_replay.redaction import placeholders
from convo_replay.scanning import text_edits

A, B = "redacted-env-1", "redacted-email-2@example.com"


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("same", "same", []),
        ("my hunter2!", f"my {A}!", [(3, 10, A)]),
        ("hunter2", A, [(0, 7, A)]),
        ("ab@c.de, hunter2.", f"{B}, {A}.", [(0, 7, B), (9, 16, A)]),
        (f"{A}-hunter2", f"{A}-{B}", [(15, 22, B)]),
        (f"hunter2-{A}", f"{B}-{A}", [(0, 7, B)]),
        ("one\nhunter2\nthree", f"one\n{A}\nthree", [(4, 11, A)]),
        ("hunter2ab@c.de", f"{A}{B}", [(0, 0, A), (0, 14, B)]),
        ("the rest of a value", "the  of a value", [(4, 8, "")]),
    ],
)  # fmt: skip
def test_a_placeholder_is_an_edit_of_what_it_took_the_place_of(old: str, new: str, edits: list[Any]) -> None:
    assert text_edits.between(old, new) == edits


TEXTS = st.text('ab@-. \n"', max_size=12)
PARTS = st.lists(st.tuples(TEXTS, TEXTS.filter(bool), st.sampled_from([A, B, "req_REDACTED4"])), max_size=4)


@given(PARTS, TEXTS)
def test_the_edits_make_the_new_text_of_the_old_one(parts: list[tuple[str, str, str]], rest: str) -> None:
    old = "".join(before + value for before, value, _ in parts) + rest
    new = "".join(before + name for before, _, name in parts) + rest
    made, at = [], 0
    for start, end, text in text_edits.between(old, new):
        assert at <= start <= end
        made += [old[at:start], text]
        at = end
    assert "".join([*made, old[at:]]) == new


VALUE = {"a": [{"b": "one"}, ["two", 3, 'th"ree']], "c d": {"": "four"}, "x" * 80: "five", "e": "six"}


def test_each_string_of_a_document_has_its_path() -> None:
    text = json.dumps(VALUE, indent=1)
    offsets = [text.index(word) for word in ("one", "two", "th\\", "four", "five", "six")]
    assert text_edits.paths_in_json(text, offsets, "json") == [
        "json.a[0].b", "json.a[1][0]", "json.a[1][2]", 'json["c d"][""]', 'json["…"]', "json.e",
    ]  # fmt: skip


def test_classes_of_placeholders_are_read_back() -> None:
    assert [place.cls for place in placeholders.places(f"{A} {B}")] == ["env", "email"]
