"""Files that are no cassette, or a broken one: an error with file, line and reason, and nothing else."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import operator
import random
import warnings
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from convo_replay.cassette import Cassette, UnknownKeys, dump, load, loads, stored, yaml_writer
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
    ("recorded: 2026-11-22T10:00:00Z", "recorded: yesterday", "recorded: expected a date and time such as 2026", True),
    (
        "recorded: 2026-11-22T",
        "recorded: 2026-13-22T",
        "recorded: expected a date .*, got '2026-13-22T10:00:00Z'",
        True,
    ),
    (
        "recorded: 2026-11-22T",
        "recorded: 2026-02-30T",
        "recorded: expected a date .*, got '2026-02-30T10:00:00Z'",
        False,
    ),
    ("recorded: 2026-11-22T10:00:00Z", "recorded: ''", "recorded: expected a date and time .*, got ''", True),
    ("22T10:00:00Z", "22T25:00:00Z", "recorded: expected a date and time", True),
    ("22T10:00:00Z", "22T10:00", "recorded: expected a date and time", True),
    ("recorded: 2026-11-22T10:00:00Z", "recorded: 2026", "recorded: expected text, got a whole number", True),
    ("    recorded:", "    outcome: banana\n    recorded:", "outcome: expected failed, got 'banana'", True),
    ("    recorded:", "    outcome: passed\n    recorded:", "outcome: expected failed, got 'passed'", True),
    ("    recorded:", "    outcome: [failed]\n    recorded:", "outcome: expected text, got a list", True),
    (
        "    recorded:",
        "    after: 'not a spec'\n    recorded:",
        "after: expected a fault such as cut:eof@t1.5, got",
        True,
    ),
    (
        "    recorded:",
        "    after: banana\n    recorded:",
        "after: expected a fault .*'banana'.*there is no fault",
        False,
    ),
    ("    recorded:", "    after: ''\n    recorded:", "after: expected a fault such as cut:eof@t1.5, got ''", True),
    ("    recorded:", "    after: 429 529\n    recorded:", "after: expected one run of faults such as", True),
    ("    recorded:", "    after: 429\n    recorded:", "after: expected text, got a whole number", True),
    ("clients: {anthropic: 2.12.0}", "resendable: maybe", "resendable: expected true or false, got text", True),
    ("clients: {anthropic: 2.12.0}", "clients: null", "clients: expected a mapping, got nothing", True),
    (
        "test: tests/test_weather.py::test_weather",
        "test: [a, b]",
        r"exchanges\[0\].test: expected text, got a list",
        True,
    ),
    ("exchanges:\n", "exchanges: {}\nothers:\n", "exchanges: expected a list, got a mapping", True),
    ("      method: POST\n", "", r"exchanges\[0\].request.method: missing", True),
    ("method: POST", "method: {a: b}", "method: expected text, got a mapping", True),
    ("method: POST", "method: ''", "method: expected an HTTP method", True),
    ("method: POST", "method: P O S T", "method: expected an HTTP method", True),
    ("https://api.anthropic.com", "https://[api.anthropic.com", "url: expected a URL", False),
    ('headers: {anthropic-version: "2026-10-21"}', "headers: {a: []}", "headers: a: .*, got an empty list", True),
    (
        "      json:\n        model",
        "      format: banana\n      json:\n        model",
        "format: expected compact",
        True,
    ),
    ("      json:\n", "      format: spaced\n      other:\n", "request.format: expected beside json alone", True),
    ('headers: {anthropic-version: "2026-10-21"}', "headers: {a: 1}", "a: expected text or a list of texts", True),
    ('headers: {anthropic-version: "2026-10-21"}', "headers: {a: [b, null]}", "got nothing", True),
    ('headers: {anthropic-version: "2026-10-21"}', "text: x", "a body is one of json text .* there is json too", True),
    ("status: 200", "status: ok", "status: expected a whole number", True),
    ("status: 200", "status: 2000", "status: expected an HTTP status, 100 to 999, got 2000", True),
    ("status: 200", "status: 1000", "status: expected an HTTP status, 100 to 999, got 1000", True),
    ("status: 200", "status: 0", "status: expected an HTTP status, 100 to 999, got 0", True),
    ("status: 200", "status: 99", "status: expected an HTTP status, 100 to 999, got 99", True),
    ("status: 200", "status: -200", "status: expected an HTTP status, 100 to 999, got -200", True),
    ("status: 200", "status: 200.0", "status: expected a whole number, got a number", False),
    ("status: 200", "status: " + "9" * 50, "status: expected an HTTP status, 100 to 999, got a huge number", True),
    ("      status: 200\n", "", "status: missing: without one there is an `end`", True),
    ("      status: 200\n", "      end: {kind: reset}\n", "response.headers: expected a status beside it", True),
    ("head: 0.310", "head: -1", "head: expected seconds", True),
    ("head: 0.310", "head: .nan", "head: expected seconds, at least 0, got nan", False),
    ("head: 0.310", "head: .inf", "head: expected seconds, at least 0, got inf", True),
    ("took: 1.920", "took: -0.5", "took: expected seconds, at least 0, got -0.5", True),
    ("took: 1.920", "took: .nan", "took: expected seconds, at least 0, got nan", False),
    ("took: 1.920", "took: 1e400", "took: expected seconds, at least 0, got inf", True),
    ("took: 1.920", "took: " + "9" * 400, "took: expected seconds, at least 0, got a huge number", True),
    ("took: 1.920", "took: true", "took: expected a number, got true or false", True),
    ("took: 1.920", "took: 0.2", "took: expected at least the 0.31 seconds of head, got 0.2", False),
    ("took: 1.920", "took: 0", "took: expected at least the 0.31 seconds of head, got 0", False),
    ("+0.003 - [DONE]", "-0.003 - [DONE]", r"sse: event 1: expected `\+SECONDS NAME DATA`, got another line", True),
    ("+0.003 - [DONE]", "+-0.003 - [DONE]", r"sse: event 1: expected `\+SECONDS NAME DATA`", True),
    ("+0.003 - [DONE]", "+nan - [DONE]", r"sse: event 1: expected `\+SECONDS NAME DATA`", True),
    ("+0.003 - [DONE]", "+inf - [DONE]", r"sse: event 1: expected `\+SECONDS NAME DATA`", True),
    ("+0.003 - [DONE]", "+1e5 - [DONE]", r"sse: event 1: expected `\+SECONDS NAME DATA`", True),
    ("+0.003 - [DONE]", "+999999999999 - x", r"sse: expected less than 1000000000 seconds, got 1e\+12", False),
    ("took: 1.920", "took: soon", "took: expected a number", True),
    ("took: 1.920", "end: reset", "end: expected a mapping", True),
    ("took: 1.920", "end: {kind: exploded}", "end.kind: expected one of complete .*, got 'exploded'", True),
    ("took: 1.920", "end: {kind: banana}", "end.kind: expected one of complete .*, got 'banana'", True),
    ("took: 1.920", "end: {kind: ''}", "end.kind: expected one of complete .*, got ''", True),
    ("took: 1.920", "end: {kind: reset, phase: moon}", "end.phase: expected one of connect .*, got 'moon'", True),
    ("took: 1.920", "end: {kind: reset, detail: 5}", "end.detail: expected text, got a whole number", True),
    ("took: 1.920", "format: spaced", "response.format: expected beside json alone", True),
    ("took: 1.920", "text: x", "there is text too", True),
    ("took: 1.920", "framing: wide", "framing: expected one of crlf nospace, got 'wide'", True),
    ("took: 1.920", "framing: ''", "framing: expected one of crlf nospace, got ''", True),
    ("      sse: |\n", "      framing: crlf\n      text: |\n", "framing: expected beside sse alone", True),
    ("      sse: |\n", "      framing: crlf\n      reason: |\n", "framing: expected beside sse alone", True),
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
    (
        "      json:\n",
        f"      blob: {{sha256: {'ab' * 32}, size: -1}}\n      other:\n",
        "size: expected bytes, at least 0, got -1",
        True,
    ),
    (
        "      json:\n",
        f"      blob: {{sha256: {'ab' * 32}, size: 1, starts: xyz}}\n      other:\n",
        "starts: expected at most 16 bytes in hex",
        True,
    ),
    ("      json:\n", "      base64: 'a b ~'\n      other:\n", "base64: expected base64", True),
    ("      json:\n", "      json_text: '{'\n      other:\n", "json_text: expected a JSON document", False),
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
    assert "; correct it, " in str(caught.value) or "$$" in str(caught.value)
    value = yaml.load(broken, _PlainLoader)
    assert VALIDATOR.is_valid(value) is not in_schema


IMAGE = b"\xff\xd8"
EVERY_KEY: dict[str, Any] = {
    "convo_replay": 1, "clients": {"anthropic": "2.12.0"}, "resendable": False,
    "exchanges": [
        {
            "test": "a.py::b", "recorded": "2026-11-22T10:00:00Z", "outcome": "failed", "after": "cut:eof@t1.5",
            "request": {
                "method": "POST", "url": "https://h/", "headers": {"a": "b", "c": ["d", "e"]},
                "json": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
            },
            "response": {
                "status": 200, "reason": "Fine", "http": "HTTP/2", "headers": {"content-type": "text/event-stream"},
                "head": 0.3, "took": 1.9, "framing": "crlf", "sse": "+0.1 ping {}\n",
                "end": {"kind": "reset", "phase": "read", "detail": "gone"},
            },
        },
        {
            "test": "a.py::b",
            "request": {
                "method": "POST", "url": "https://h/", "format": "spaced",
                "json": {"$base": -1, "$keep": 1, "$drop": ["model"], "messages": []},
            },
            "response": {"took": 0.002, "end": {"kind": "refused"}},
        },
        {
            "request": {
                "method": "POST", "url": "https://h/",
                "parts": [
                    {"name": "a", "filename": "f", "type": "t", "text": "x"},
                    {"name": "b", "blob": {"sha256": "ab" * 32, "size": 3, "type": "x", "starts": "00ff"}},
                    {"name": "c", "base64": "aGk="},
                ],
            },
            "response": {"status": 200, "format": "indent2+nl", "json": {"a": 1}},
        },
        {
            "request": {"method": "POST", "url": "https://h/", "json_text": "{}"},
            "response": {"status": 200, "blob": {"sha256": hashlib.sha256(IMAGE).hexdigest(), "size": 2}},
        },
    ],
}  # fmt: skip
ODD_VALUES: list[Any] = [None, -1, "banana"]


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, held in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*here, key)
        if isinstance(held, (dict, list)):
            yield from _places(held, (*here, key))


@pytest.mark.parametrize("odd", [*ODD_VALUES, "left out"], ids=repr)
def test_what_the_schema_refuses_is_refused_at_every_key(odd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one value changed, or one key left out, at a time."""
    monkeypatch.setattr("convo_replay.shown.quoted", str)  # which is most of what an error costs
    blobs = {f"_blobs/{hashlib.sha256(IMAGE).hexdigest()}.bin": IMAGE}
    taken = []
    for place in _places(EVERY_KEY):
        value = copy.deepcopy(EVERY_KEY)
        holder = functools.reduce(operator.getitem, place[:-1], value)
        if odd == "left out":
            del holder[place[-1]]
        else:
            holder[place[-1]] = odd
        if not VALIDATOR.is_valid(value):
            with contextlib.suppress(CassetteError):
                loads(yaml_writer.render(value).encode(), "c.yaml", blobs)
                taken.append(place)
    assert taken == []


NOTHING_ARRIVED = """\
convo_replay: 1
exchanges:
  - request: {method: GET, url: "https://h/"}
    response: {END}
"""
CONTRADICTIONS = [
    ("", "status: missing"),
    ("end: {}", "status: missing: without one nothing is complete"),
    ("end: {kind: complete}", "status: missing: without one nothing is complete"),
    ("end: {kind: reset}, text: x", "text: expected a status beside it"),
    ("end: {kind: reset}, head: 1", "head: expected a status beside it"),
    ("end: {kind: reset}, headers: {a: b}", "headers: expected a status beside it"),
    ("end: {kind: reset}, reason: x", "reason: expected a status beside it"),
    ("end: {kind: reset}, http: HTTP/2", "http: expected a status beside it"),
]


@pytest.mark.parametrize(("response", "reason"), CONTRADICTIONS)
def test_what_belongs_to_a_status_has_one(response: str, reason: str) -> None:
    text = NOTHING_ARRIVED.replace("END", response)
    with pytest.raises(CassetteError, match=rf"exchanges\[0\]\.response\.{reason}"):
        loads(text.encode(), "c.yaml")
    assert not VALIDATOR.is_valid(yaml.load(text, _PlainLoader))


GOOD = [
    *("recorded: 2026-11-22", "recorded: 2026-11-22T10:00:00.123Z", "recorded: 2026-11-22T10:00:00+02:00"),
    *("recorded: 2026-11-22 10:00:00", "recorded: 2026-11-22T10:00:00", "outcome: failed", "after: cut:eof@t1.5"),
    *("after: 429:retry_after=2+cut:reset@t1.b120#claude%2D5x2",),
]


@pytest.mark.parametrize("key", GOOD)
def test_what_may_stand_in_an_exchange(key: str) -> None:
    text = NOTHING_ARRIVED.replace("END", "end: {kind: refused}") + f"    {key}\n"
    VALIDATOR.validate(yaml.load(text, _PlainLoader))
    cassette = loads(text.encode(), "c.yaml")
    assert loads(dump(cassette).text, "c.yaml") == cassette
    name, _, value = key.partition(": ")
    assert getattr(cassette.exchanges[0], name) == value


def test_an_error_quotes_no_secret_and_no_page() -> None:
    for value in ("sk-ant-api03-" + "Ex4mple" * 13, "x" * 500):
        broken = BY_HAND.replace(b"2026-11-22T10:00:00Z", value.encode())
        with pytest.raises(CassetteError, match="recorded: expected a date") as caught:
            loads(broken, "c.yaml")
        assert value not in str(caught.value)
        assert len(str(caught.value)) < 250


def test_what_cannot_be_stored_is_left_out_so_that_what_is_written_can_be_read() -> None:
    odd = Exchange(
        Request("GET", "https://h/"), (Head(0, ((("a", "b")),)), Chunk(0.5, b"x"), End("complete", 1.5)),
        recorded="yesterday", outcome="banana",
    )  # fmt: skip
    [back] = loads(dump(Cassette(exchanges=[odd])).text, "c.yaml").exchanges
    assert back.steps == (End("truncated", 1.5, detail="the status line said 0"),)
    assert (back.recorded, back.outcome) == ("", "")
    assert back == stored(odd) == stored(stored(odd))
    odd = Exchange(Request("GET", "https://h/"), (Head(200), End("reset", 1, "moon")))
    assert stored(odd).end == End("reset", 1)
    request = Request("POST", "https://h/", (), Text("no JSON any more"))
    odd = Exchange(request, (End("refused"),), extra={"request": {"format": "spaced"}})
    assert loads(dump(Cassette(exchanges=[odd])).text, "c.yaml").exchanges[0].request == request


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


UNKNOWN_INSIDE = """\
convo_replay: 1
exchanges:
  - request:
      method: POST
      url: https://h/
      blob: {sha256: SHA, size: 2, new_a: 1}
    response: {end: {kind: refused}}
  - request:
      method: POST
      url: https://h/
      parts:
        - {name: a, text: x}
        - {name: b, new_b: [1], blob: {sha256: SHA, size: 2, new_c: {d: e}}}
    response: {end: {kind: refused}}
  - request: {method: GET, url: https://h/}
    response: {status: 200, blob: {sha256: OTHER, size: 70000, starts: ffffffffffffffffffffffffffffffff, new_d: 4}}
""".replace("SHA", "ab" * 32)


def test_unknown_keys_inside_a_body_survive_too() -> None:
    data = b"\xff" * 70_000
    sha256 = hashlib.sha256(data).hexdigest()
    with pytest.warns(UnknownKeys) as caught:
        cassette = loads(UNKNOWN_INSIDE.replace("OTHER", sha256).encode(), "c", {f"_blobs/{sha256}.bin": data})
    named = ("[0].request.blob.new_a", "[1].request.parts[1].new_b", "[1].request.parts[1].blob.new_c")
    named += ("[2].response.blob.new_d",)
    assert str(caught[0].message).endswith(": " + ", ".join(f"exchanges{name}" for name in named))
    written = dump(cassette)
    text = written.text.decode()
    assert ("new_a: 1" in text, "new_b: [1]" in text, "new_c: {d: e}" in text, "new_d: 4" in text) == (True,) * 4
    with pytest.warns(UnknownKeys):
        assert loads(written.text, "c", written.blobs) == cassette


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
