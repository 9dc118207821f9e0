"""The quick reader of what we wrote says what the full reader says, or nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.cassette import load, loads, plain_yaml, yaml_reader, yaml_writer
from convo_replay.errors import CassetteError
from strategies import awkward_text, json_values

WRITTEN = sorted((Path(__file__).parents[2] / "cassettes").glob("*.yaml"))
LONG_KEY = re.compile(r"^ *(- )*\? ", re.MULTILINE)
SNIPPETS = (
    "\n", " ", "  ", "- ", "-", ": ", ":", "#", " #", "'", '"', "\\", "|", ">", "|2", "|+", "{", "}", "[", "]", ", ",
    "&a ", "*a", "!!str ", "? ", "---", "...", "%", "~", "null", "yes", "0x1F", "0o7", "1e3", ".5", "+1", "<<", "\t",
    "\\x41", "\\0", "\\ud83d\\ude00", "\\N", "\\/", "\r", "\x85", "\ufeff", "\0", "é", "😀", "2026-11-22T10:00:00Z",
)  # fmt: skip


def slowly(text: bytes) -> Any:
    try:
        return repr(yaml_reader.read(text, "c.yaml").value)
    except CassetteError as error:
        return error


def agree(text: str) -> Any:
    """What the quick reader made, once it is known to be right."""
    data = text.encode("utf-8", "surrogatepass")
    made = plain_yaml.read(data)
    if made is not None:
        assert repr(made) == slowly(data), text
    return made


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(awkward_text, json_values(), min_size=1, max_size=4))
def test_what_is_written_is_read_quickly(value: dict[str, Any]) -> None:
    text = yaml_writer.render(value)
    if not LONG_KEY.search(text):
        assert repr(agree(text)) == repr(value)


@settings(max_examples=250, deadline=None)
@given(st.data(), st.dictionaries(awkward_text, json_values(), min_size=1, max_size=4))
def test_whatever_is_edited_is_read_alike_or_left_to_the_full_reader(
    data: st.DataObject, value: dict[str, Any]
) -> None:
    text = yaml_writer.render(value)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 5)))
        text = text[:start] + data.draw(st.sampled_from(SNIPPETS)) + text[end:]
    agree(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: b\n  c\n",  # a plain scalar of two lines
        "a:\n- 1\n",
        "a:\n   b: 1\n",
        "a:\nb: 1\n",  # nothing
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "a: {b: 1, 'b': 2}\n",
        "a: {b}\n",
        "a: [b: c]\n",
        "a: [b, ]\n",
        "a: 'b'\n",
        "a: b # c\n",
        "a: &x 1\nb: *x\n",
        "a: |\n  b\n c\n",
        "a: |\n   b\n  c\n",
        "a: |\n\n  b\n",
        "a: |\n  \n  b\n",
        "a: |2\n   b\n\n",
        "a: |2+\n\n  b\n\n",
        "a: >\n  b\n",
        "a: b: c\n",
        "a: http://x\n",
        "a: yes\nb: ~\nc: 0x1F\nd: 1_000\ne: .inf\n",
        "true: 1\n",
        "1: 1\n",
        "{a: 1}\n",
        "- a\n",
        "a: 1",
        'a: "b\n  c"\n',
        'a: "\\ud83d\\ude00"\n',
        'a: "\\x41\\0\\e"\n',
        "a:  1\n",
        "a: 1 \n",
        "a: - 1\n",
        "a: " + "9" * 5000 + "\n",
        "a: " + "[" * 300 + "]" * 300 + "\n",
        "".join("  " * depth + "a:\n" for depth in range(300)),
        "a:\n  - - 1\n    - 2\n  -   - 3\n",
        "a:\n  - b: 1\n    c: 2\n  -\n    b: 3\n",
        'convo_replay: 1  # whole if its last line is "..."\na: 1\n',
        'convo_replay: 1  # whole if its last line is "..."\na: 1\n...\n',
        'convo_replay: 1  # whole if its last line is "..."\na: |\n  x\n\n...\n',
    ],
)
def test_styles_of_others(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_cassettes_are_read_quickly_and_alike(path: Path) -> None:
    data = path.read_bytes()
    assert plain_yaml.read(data) == yaml_reader.read(data, str(path)).value


def test_an_error_still_has_its_line(tmp_path: Path) -> None:
    text = (
        'convo_replay: 1\nexchanges:\n  - request: {method: GET, url: "https://a.example/"}\n'
        "    response: {status: 200, head: soon}\n"
    )
    assert plain_yaml.read(text.encode()) is not None
    with pytest.raises(CassetteError, match=r"c\.yaml:4: exchanges\[0\]\.response\.head: expected a number"):
        loads(text.encode(), "c.yaml")


def test_an_edit_by_hand_replays_as_edited(tmp_path: Path) -> None:
    path = tmp_path / "capital.yaml"
    text = WRITTEN[0].read_text()
    for edit, answer in (("Paris", "Rome"), ("Paris", "'Rome'"), ("Paris", "Oslo")):
        path.write_text(text.replace(edit, answer))
        body = b"".join(step.data for step in load(path).exchanges[0].steps if hasattr(step, "data"))
        assert answer.partition("#")[0].strip(" '").encode() in body
