"""What the writer writes every reader reads back equal, and hostile YAML is refused before it grows."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.cassette import yaml_reader, yaml_writer
from convo_replay.errors import CassetteError
from strategies import awkward_text, json_values

LIBYAML = getattr(yaml, "CSafeLoader", None)


def _read(text: str) -> Any:
    return yaml_reader.read(text.encode("utf-8"), "c.yaml").value


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(awkward_text, json_values(), min_size=1, max_size=4))
def test_every_value_reads_back_equal(value: dict[str, Any]) -> None:
    text = yaml_writer.render(value)
    assert repr(_read(text)) == repr(value)
    if LIBYAML is not None:
        assert repr(yaml.load(text, LIBYAML)) == repr(value)


@pytest.mark.parametrize("number", [0, -0.0, 1e16, 1e-7, 1.5e300, 10**30, -1, 0.1, float("inf")])
def test_numbers_keep_their_type(number: float) -> None:
    for text in (yaml_writer.render({"n": number}), yaml_writer.render({"n": [number]})):
        assert repr(_read(text)["n"]) in (repr(number), repr([number]))


def test_a_reader_without_libyaml_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "events_of", yaml.SafeLoader)
    value = {"a": "18 °C\nlight rain\n\n", "b": {"c": [1, 2.5, None, True, "2026-10-21"]}, "😀": "\x85\u2028\t"}
    assert _read(yaml_writer.render(value)) == value
    with pytest.raises(CassetteError, match="nested deeper"):
        _read("[" * 1000)


def test_it_is_readable() -> None:
    value = {
        "url": "https://a.b/c",
        "headers": {"content-type": "text/event-stream; charset=utf-8", "v": "2026-10-21"},
        "messages": yaml_writer.Block([{"role": "user", "content": "What's up? ☀️"}]),
        "text": "18 °C \n\n\tlight 😀 rain\n",
        "took": yaml_writer.Seconds(0.31),
    }
    assert yaml_writer.render(value) == (
        'url: "https://a.b/c"\n'
        'headers: {content-type: text/event-stream; charset=utf-8, v: "2026-10-21"}\n'
        "messages:\n"
        '  - {role: user, content: "What\'s up? ☀️"}\n'
        "text: |\n"
        "  18 °C \n"
        "\n"
        "  \tlight 😀 rain\n"
        "took: 0.310\n"
    )


def test_what_yaml_cannot_hold() -> None:
    deep: Any = 1
    for _ in range(yaml_writer.MAX_DEPTH + 1):
        deep = [deep]
    assert not yaml_writer.holds(deep)
    assert not yaml_writer.holds({"a": ["\ud800"]})
    assert not yaml_writer.holds({"\udfff": 1})
    assert yaml_writer.holds({"a": ["😀"]})


NESTED = {
    "flow": "[",
    "block": "- ",
    "mapping": "{a: {a: ",
    "complex key": "? ",
    "after a key": "a: [",
    "json": '{"a":',
    "closed": "[" * 500 + "]" * 500,
}


@pytest.mark.parametrize("times", [10**5, 10**6])
@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_nesting_is_an_error_and_no_crash(text: str, times: int) -> None:
    data = (text * (2 * times // len(text) + 1)).encode()
    caught: list[BaseException] = []

    def read() -> None:
        try:
            yaml_reader.read(data, "c.yaml")
        except BaseException as error:
            caught.append(error)

    read()
    size = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    assert [type(error) for error in caught] == [CassetteError, CassetteError]


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _chain(levels: int) -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, levels))


HOSTILE = [
    (_bomb(12), "5,000,000 values", 7),
    (_chain(300), "nested deeper than 200 levels by aliases", 200),
    ("a: &a [*a]", "alias of nothing", 1),
    ("a: *b", "alias of nothing", 1),
    ("a: 1\nb: 2\na: 3\n", "'a' occurs twice", 3),
    ("a: {b: 1, b: 2}", "'b' occurs twice", 1),
    ("a: 1\n1: 2\n", "a key that is no string", 2),
    ("[a]: 1\n", "a key that is no string", 1),
    ("a: 1\n--- \nb: 2\n", "second document", 2),
    ("a: !!python/object/apply:os.system [ls]", "is not read", 1),
    ("a: !!python/name:os.system", "is not read", 1),
    ("a: !custom x", "is not read", 1),
    ("a: !!int x", "does not fit", 1),
    ("a:\n\t- b\n", "not YAML", 2),
    ("a: 'b", "not YAML", 1),
    ("a: b\n c: d\n", "not YAML", 2),
    ("".join(f"%TAG !t{n}! tag:x,2000:\n" for n in range(100)) + "--- a\n", "directives", 1),
    ("a: " + "9" * 5000, "4300", 1),
    ("", "empty", None),
    ("# only a comment\n", "empty", None),
    ("x:\n" + "  - {}\n" * 700_000, "memory", None),
]


@pytest.mark.parametrize(("text", "reason", "line"), HOSTILE, ids=[reason for _, reason, _ in HOSTILE])
def test_hostile_files_are_refused_with_their_line(text: str, reason: str, line: int | None) -> None:
    with pytest.raises(CassetteError, match=reason) as caught:
        _read(text)
    assert line is None or caught.value.line in (line, line + 1)


def test_limits_on_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MAX_LINE", 100)
    yaml_reader.guard_bytes((b"a" * 99 + b"\n") * 5, "c")
    with pytest.raises(CassetteError, match="a line of more than") as caught:
        yaml_reader.guard_bytes(b"a\n" * 200 + b"b" * 102 + b"\nc\n", "c")
    assert caught.value.line == 201
    monkeypatch.setattr(yaml_reader, "MAX_FILE", 100)
    with pytest.raises(CassetteError, match="at most 100"):
        yaml_reader.guard_bytes(b"a" * 101, "c")


def test_anchors_are_read() -> None:
    value = _read("a: &x {k: [1]}\nb: *x\n")
    assert value["b"] is value["a"]


def test_plain_words_are_text_unless_json_has_them() -> None:
    value = _read("a: [yes, No, on, 2026-10-21, 2026-10-21T10:00:00Z, 12:30, =, <<, 1_000, ~, null, true, 0x10, 1e3]")
    assert value["a"][:9] == ["yes", "No", "on", "2026-10-21", "2026-10-21T10:00:00Z", "12:30", "=", "<<", "1_000"]
    assert value["a"][9:] == [None, None, True, 16, 1000.0]
