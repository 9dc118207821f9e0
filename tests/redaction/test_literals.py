"""Many known values are looked for in another way than a few, and what is found is the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.redaction import Redactor
from convo_replay.redaction.literals import FEW, Literals, ManyLiterals

DENSE = st.text("abcXY01-/=", min_size=8, max_size=14)
ANY = st.text('ab "\\é', min_size=1, max_size=6)
TEXTS = st.lists(DENSE | ANY, min_size=1, max_size=12, unique=True)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 11) | DENSE | ANY, max_size=30), st.integers(0, 12))
def test_the_two_searches_find_the_same(known: list[str], parts: list[int | str], first: int) -> None:
    text = "".join(known[part % len(known)] if isinstance(part, int) else part for part in parts)
    many = ManyLiterals(known[:first])
    many.add(known[first:])
    assert list(many.find(text)) == list(Literals(known).find(text))


def test_of_hundreds_of_values_none_stays() -> None:
    keys = [f"sk-ant-api03-{number:04d}" + "Ex4mple" * 12 for number in range(FEW // 2)]
    redactor = Redactor()
    told = redactor.text(" and ".join(keys[: FEW // 4]))
    assert told.count("redacted-anthropic-key-") == FEW // 4
    later = redactor.text(", ".join(f"x{key}x" for key in keys[: FEW // 4]) + f" {' '.join(keys)}")
    assert not [key for key in keys if key in later]
    assert redactor.text(keys[3]) == "redacted-anthropic-key-4"
