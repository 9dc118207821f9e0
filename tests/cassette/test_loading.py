"""Files that are no cassette, or a broken one: an error with file, line and reason, and nothing else."""

from __future__ import annotations

import contextlib
import json
import random
import warnings
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from convo_replay.cassette import Cassette, UnknownKeys, dump, load, loads
from convo_replay.errors import CassetteError
from convo_replay.exchange import Binary, Blob, Chunk, End, Exchange, Head, Json, Part, Parts, Request, Text

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((resources.files("convo_replay.cassette") / "schema.json").read_text(encoding="utf-8"))
)

# The example of docs/cassette-format.md, by hand: what a reviewer may write must load.
BY_HAND = b"""
convo_replay: 1
clients: {anthropic: 2.12.0}
exchanges:
  - test: tests/test_weather.py::test_weather
    recorded: 2026-11-22T10:00:00Z
    request:
      method: POST
      url: "https://api.anthropic.com/v1/messages"
      headers: {anthropic-version: "2026-10-21"}
      json:
        model: claude-opus-4-7
        messages:
          - {role: user, content: hi}
    response:
      status: 200
      headers: {content-type: text/event-stream, set-cookie: [a, b]}
      head: 0.310
      took: 1.920
      sse: |
        +0.412 message_start {"type":"message_start"}
        +0.003 - [DONE]
        +0.1 : ping
        +0 = "data: cut"
"""


def test_a_cassette_by_hand() -> None:
    [exchange] = loads(BY_HAND, "c.yaml").exchanges
    assert exchange.recorded == "2026-11-22T10:00:00Z"
    assert exchange.steps == (
        Head(200, (("content-type", "text/event-stream"), ("set-cookie", "a"), ("set-cookie", "b")), 0.31),
        Chunk(0.722, b'event: message_start\ndata: {"type":"message_start"}\n\n'),
        Chunk(0.725, b"data: [DONE]\n\n"),
        Chunk(0.825, b": ping\n\n"),
        Chunk(0.825, b"data: cut"),
        End("complete", 1.92),
    )
    VALIDATOR.validate(
        json.loads(json.dumps(yaml.load(BY_HAND, yaml.BaseLoader))) | {"convo_replay": 1, "exchanges": []}
    )


NO_CASSETTES = [
    (b"", "empty", None),
    (b" \n\n", "empty", None),
    (b"# nothing\n", "empty", None),
    (b"\x89PNG\r\n\x1a\n\0\0", "not a text file", 1),
    (b"convo_replay: 1\nexchanges: []\nx: \xff\n", "not UTF-8", 3),
    ("convo_replay: 1\nexchanges: []\n".encode("utf-16"), "not UTF-8", 1),
    (b"hello\n", "no cassette", 1),
    (b"- a\n", "no cassette", 1),
    (b"[1, 2]", "no cassette", 1),
    (b'{"log": {"entries": []}}', "no cassette", 1),
    (b"interactions: 3\n", "no cassette", 1),
    (b"interactions:\n- request: {method: GET, url: x}\n  response: {code: 200}\n", "as vcrpy writes them", 2),
    (b"convo_replay: 1\n", "exchanges: missing", 1),
    (b"clients: {}\nconvo_replay: 2\nexchanges: []\n", "format 2, this version reads up to 1: upgrade", 2),
    (b"convo_replay: '1'\nexchanges: []\n", "expected a whole number, got text", 1),
    (b"convo_replay: true\nexchanges: []\n", "expected a whole number, got true or false", 1),
    (b"convo_replay: 0\nexchanges: []\n", "there is no format 0", 1),
]


@pytest.mark.parametrize(("data", "reason", "line"), NO_CASSETTES)
def test_no_cassette(tmp_path: Path, data: bytes, reason: str, line: int | None) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    with pytest.raises(CassetteError, match=reason) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.line == line
    assert path.read_bytes() == data


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="there is no such file; record it"):
        load(tmp_path / "c.yaml")
    with pytest.raises(CassetteError, match="cannot be read"):
        load(tmp_path)


# What replaces a part of BY_HAND, what the error says, and whether the schema sees it too.
WRONG: list[tuple[str, str, str, bool]] = [
    (
        "clients: {anthropic: 2.12.0}",
        "clients: {anthropic: 2.12}",
        "clients: anthropic: expected a version in quotes",
        True,
    ),
    ("clients: {anthropic: 2.12.0}", "clients: [a]", "clients: expected a mapping, got a list", True),
    ("clients: {anthropic: 2.12.0}", "resendable: 1", "resendable: expected true or false", True),
    (
        "exchanges:\n  - test",
        "exchanges:\n  - 5\n  - test",
        r"exchanges\[0\]: expected a mapping, got a whole number",
        True,
    ),
    ("test: tests/test_weather.py::test_weather", "test: 5", r"exchanges\[0\].test: expected text", True),
    ("recorded: 2026", "recorded: [2026]\n    x: 2026", "recorded: expected text, got a list", True),
    ("      method: POST\n", "", r"exchanges\[0\].request.method: missing", True),
    ("method: POST", "method: {a: b}", "method: expected text, got a mapping", True),
    ('headers: {anthropic-version: "2026-10-21"}', "headers: {a: 1}", "a: expected text or a list of texts", True),
    ('headers: {anthropic-version: "2026-10-21"}', "headers: {a: [b, null]}", "got nothing", True),
    ('headers: {anthropic-version: "2026-10-21"}', "text: x", "a body is one of json text .* there is json too", True),
    ("status: 200", "status: ok", "status: expected a whole number", True),
    ("status: 200", "status: 2000", "status: expected an HTTP status", True),
    ("      status: 200\n", "", "status: missing; without one there is an `end`", True),
    ("head: 0.310", "head: -1", "head: expected seconds", True),
    ("head: 0.310", "head: .nan", "head: expected seconds", False),
    ("took: 1.920", "took: soon", "took: expected a number", True),
    ("took: 1.920", "end: reset", "end: expected a mapping", True),
    ("took: 1.920", "end: {kind: exploded}", "kind: expected one of complete", True),
    ("took: 1.920", "text: x", "there is text too", True),
    ("took: 1.920", "framing: wide", "framing is one of", True),
    ("+0.003 - [DONE]", "- [DONE]", r"sse: event 1: expected `\+SECONDS NAME DATA`", True),
    ("+0.003 - [DONE]", "+0.003 -", "event 1: expected data after the name", False),
    ('= "data: cut"', "= data", "event 3: after `=` expected", False),
    ("    response:\n", "    reply:\n", "response: missing", True),
    (
        "      json:\n",
        "      blob: {sha256: abc, size: 1}\n      other:\n",
        "sha256: expected 64 hexadecimal digits",
        True,
    ),
    ("      json:\n", "      base64: 'a b ~'\n      other:\n", "base64: expected base64", True),
    ("      json:\n", "      json_text: '{'\n      other:\n", "json_text: no JSON document", False),
    ("      json:\n", "      parts: [{name: a}]\n      other:\n", r"parts\[0\].text: missing", True),
]


@pytest.mark.parametrize(("old", "new", "reason", "in_schema"), WRONG)
def test_a_wrong_value(old: str, new: str, reason: str, in_schema: bool) -> None:
    text = BY_HAND.decode()
    assert old in text
    broken = text.replace(old, new, 1)
    with pytest.raises(CassetteError, match=reason) as caught:
        loads(broken.encode(), "c.yaml")
    assert caught.value.line is not None
    assert abs(caught.value.line - (text[: text.index(old)].count("\n") + 1)) <= 10
    value = yaml.load(broken, _PlainLoader)
    assert VALIDATOR.is_valid(value) is not in_schema


class _PlainLoader(yaml.SafeLoader):
    """As YAML 1.2 readers do: no dates."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_the_line_of_a_broken_event() -> None:
    broken = BY_HAND.replace(b"+0.003 - [DONE]", b"[DONE]")
    with pytest.raises(CassetteError) as caught:
        loads(broken, "c.yaml")
    assert caught.value.line is not None
    assert broken.splitlines()[caught.value.line - 1].strip() == b"[DONE]"


def test_unknown_keys_warn_once_and_survive() -> None:
    text = BY_HAND.decode()
    for old in ("clients:", "    request:", "      method:", "      status:"):
        pad = old[: len(old) - len(old.lstrip())]
        text = text.replace(old, f"{pad}new_{old.strip(': ')}: [1, {{a: b}}]\n{old}", 1)
    text = text.replace("took: 1.920", "took: 1.920\n      end: {kind: reset, why: no}")
    with pytest.warns(UnknownKeys) as caught:
        cassette = loads(text.encode(), "c.yaml")
    assert len(caught) == 1
    assert "new_clients, exchanges[0].new_request, exchanges[0].request.new_method" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownKeys)
        again = loads(dump(cassette).text, "c.yaml")
    assert again == cassette
    assert cassette.extra == {"new_clients": [1, {"a": "b"}]}
    assert 'why: "no"' in dump(again).text.decode()


def test_every_kind_of_request_body() -> None:
    blob = Blob("ab" * 32, 2_000_000, "image/png", "89504e47")
    bodies: list[Any] = [
        None,
        Json(None),
        Json({"a": "\ud800"}),
        Json([1, 2.0, 2**70]),
        Text("a=b&c"),
        Binary(b"\0\xff" * 100),
        blob,
        Parts((Part("a", Text("x")), Part("f", blob, "a.png", "image/png"), Part("g", Binary(b"\xff"), ""))),
    ]
    made = [Exchange(Request("POST", "u", (), body), (End("refused", 0.002),)) for body in bodies]
    written = dump(Cassette(exchanges=made))
    assert repr(loads(written.text, "c.yaml").exchanges) == repr(made)
    assert "response: {took: 0.002, end: {kind: refused}}" in written.text.decode()
    assert written.blobs == {}


FORMATS = [
    (b'{"a":[1,2.5,"\xc3\xa4"]}', None),
    (b'{"a": 1, "b": "\\u00e4"}\n', "spaced+ascii+nl"),
    (b'{\n  "a": [\n    1\n  ]\n}', "indent2"),
    (b'{\n    "a": 1\n}\n', "indent4+nl"),
    (b'{"a":1}\n', "compact+nl"),
]


@pytest.mark.parametrize(("body", "format"), FORMATS)
def test_json_by_value_with_a_word_for_its_layout(body: bytes, format: str | None) -> None:
    head = Head(200, (("content-type", "application/json"),))
    text = dump(Cassette(exchanges=[Exchange(Request("GET", "u"), (head, Chunk(0, body), End()))])).text
    assert (f"format: {format}\n".encode() in text) if format else (b"format" not in text)
    assert b"      json:" in text
    assert loads(text, "c").exchanges[0].body == body


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"a":1,"a":2}', "text"),
        (b'{"a" : 1}', "text"),
        (b'{"a":1.50}', "text"),
        (b'{"a":"\\ud800"}', "json_text"),
        (b"[" * 180 + b"]" * 180, "json_text"),
        (b"<html>\r\n", "text"),
        (b"\xff\0", "base64"),
        (b"data: \xff\n\n", "base64"),
        (b"\xff" * 70_000, "blob"),
    ],
)
def test_other_bodies(body: bytes, key: str) -> None:
    head = Head(200, (("content-type", "application/json"),))
    written = dump(Cassette(exchanges=[Exchange(Request("GET", "u"), (head, Chunk(0, body), End()))]))
    assert f"      {key}:".encode() in written.text
    assert loads(written.text, "c", written.blobs).exchanges[0].body == body


def test_broken_bytes_never_raise_anything_else() -> None:
    dice = random.Random(7)
    for _ in range(1500):
        data = bytearray(BY_HAND)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(data))
            new = dice.choice([b"", b"\xff", b"\0", b"- ", b": ", b"[", b"{", b"}", b"'", b'"', b"\n", b"\t", b"&a ", b"*a", b"!!x ", b"9", b"-1", b"#", b"|", b"$"])  # fmt: skip  # noqa: E501
            data[at : at + dice.randrange(3)] = new
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownKeys)
            with contextlib.suppress(CassetteError):
                loads(bytes(data), "c.yaml")


def test_one_odd_event_does_not_spoil_the_others() -> None:
    body = 'data: {"a":"\u2028"}\n\nevent: ping\ndata: {"b":"😀 \t"}\n\nid: 1\ndata: x\n\n: \x7f\n\n'.encode()
    head = Head(200, (("content-type", "text/event-stream"),))
    text = dump(Cassette(exchanges=[Exchange(Request("GET", "u"), (head, Chunk(0, body), End()))])).text.decode()
    assert text[text.index("      sse:") :] == (
        "      sse: |\n"
        '        +0.000 = "data: {\\"a\\":\\"\\u2028\\"}\\n\\n"\n'
        '        +0.000 ping {"b":"😀 \t"}\n'
        '        +0.000 = "id: 1\\ndata: x\\n\\n"\n'
        '        +0.000 = ": \\u007f\\n\\n"\n'
        "...\n"
    )
    assert loads(text.encode(), "c").exchanges[0].body == body
