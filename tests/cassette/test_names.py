from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.cassette import default_path

HERE = Path("cassettes")

NAMES = [
    (("test_weather", [], "test_paris", None), "test_weather/test_paris.yaml"),
    (("test_weather", ["TestA", "TestB"], "test_paris", None), "test_weather/TestA.TestB.test_paris.yaml"),
    (("test_weather", [], "test_paris", "gpt-4.1-mini"), "test_weather/test_paris[gpt-4.1-mini].yaml"),
    (("sub/test_weather.py", [], "test_paris", ""), "sub/test_weather/test_paris[].yaml"),
    (("t", [], "t", "a/b:c*?"), "t/t[a%2Fb%3Ac%2A%3F].yaml"),
    (("t", [], "t", "100%\n"), "t/t[100%25%0A].yaml"),
    (("t", [], "t", "☀️ é"), "t/t[☀️ é].yaml"),
    (("t", [], "con", None), "t/%63on.yaml"),
    (("aux", [], "a.b", None), "%61ux/a%2Eb.yaml"),
    (("..", [], ".hidden", None), "%2E%2E/%2Ehidden.yaml"),
]


@pytest.mark.parametrize(("parts", "expected"), NAMES)
def test_names(parts: tuple[str, list[str], str, str | None], expected: str) -> None:
    assert default_path(HERE, *parts).as_posix() == f"cassettes/{expected}"


def test_a_long_name_is_cut_with_its_hash() -> None:
    one, two = (default_path(HERE, "t", [], "t", "é" * 100 + end).name for end in "ab")
    assert one != two
    assert all(len(name.encode()) <= 120 and name.endswith(".yaml") for name in (one, two))
    assert one.encode()[:100].decode() == two.encode()[:100].decode()


_part = st.text(st.one_of(st.characters(), st.sampled_from('.%/\\: []<>|"*?CONconaux1')), max_size=40)
_test = st.tuples(st.lists(_part, max_size=2), _part, st.one_of(st.none(), _part))


@settings(max_examples=300, deadline=None)
@given(_test, _test)
def test_never_merged_and_always_a_file_name(one: object, other: object) -> None:
    made = [default_path(HERE, "t", *parts) for parts in (one, other)]  # type: ignore[misc]
    assert (made[0] == made[1]) == (one == other)
    for path in made:
        assert path.parent == HERE / "t"
        assert len(path.name.encode()) <= 120
        assert not set(path.name) & set('<>:"/\\|?*\0\n')
        assert path.name[0] not in ". "
        assert path.stem.split(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1", "lpt1")
