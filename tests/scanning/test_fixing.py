"""`convo-replay scan --fix`: placeholders where findings were, nothing else changed, the reason where it cannot be."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml
from vcr.request import Request as VcrRequest
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

import corpus
from convo_replay import scanning
from convo_replay.cassette import load
from convo_replay.cli import main
from convo_replay.redaction.opaque import decoded
from scan_cases import (
    ANSWER,
    COOKIE,
    KEY,
    MAIL,
    ORGANIZATION,
    RECORDERS,
    SECRETS,
    URL,
    events,
    interaction,
    ours,
    vcrpy_yaml,
    write,
)  # fmt: skip

FIXABLE = [name for name, (*_, fixable) in RECORDERS.items() if fixable]


def fix(path: Path, **settings: Any) -> scanning.Fixed:
    return scanning.fix(path, environ={}, **settings)


def assert_clean(path: Path) -> bytes:
    """It holds none of the secrets, a scan finds nothing, and to fix it again changes nothing."""
    data = path.read_bytes()
    text = data.decode() + decoded(data.decode()).decode("latin-1")
    assert not [secret for secret in SECRETS if secret in text]
    assert scanning.scan(path, environ={}).failing == []
    again = fix(path)
    assert again.after is again.before
    assert path.read_bytes() == data
    return data


@pytest.mark.parametrize("recorder", FIXABLE)
def test_what_vcrpy_wrote_is_fixed_and_vcrpy_loads_it(recorder: str, tmp_path: Path) -> None:
    name, make, _ = RECORDERS[recorder]
    file = write(tmp_path / name, make())
    before = load(file).exchanges[0]
    fixed = fix(file)
    assert (fixed.count, list(fixed.reasons), fixed.after.failing) == (11, [], [])
    assert_clean(file)
    after = load(file).exchanges[0]
    dropped = {"user-agent", "x-stainless-os", "cookie", "cf-ray", "set-cookie"}
    encoding = {"content-encoding"}
    assert [key for key, _ in after.request.headers] == [key for key, _ in before.request.headers if key not in dropped]
    assert after.request.header("authorization") == "Bearer redacted-anthropic-key-1"
    assert [key for key, _ in after.head.headers] == [
        key for key, _ in before.head.headers if key not in dropped | encoding
    ]
    assert after.request.json["messages"][0]["content"][0]["text"] == (
        "I am redacted-email-1@example.com, my key is redacted-anthropic-key-1. ☀"
    )
    assert json.loads(after.body)["content"][0]["text"] == "Hi redacted-email-1@example.com!"
    if recorder not in ("vcrpy-tags", "vcrpy-parsed", "vcrpy-base64"):  # vcrpy itself asks for more than its package
        serializer = jsonserializer if name.endswith(".json") else yamlserializer
        requests, responses = deserialize(file.read_text(encoding="utf-8"), serializer)
        assert (len(requests), len(responses)) == (1, 1)


def test_vcrpy_replays_what_was_fixed(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", vcrpy_yaml())
    fix(tmp_path / "a.yaml")
    with vcr.use_cassette(str(tmp_path / "a.yaml"), record_mode="none") as cassette:
        played = cassette.play_response(VcrRequest("POST", URL, b"", {}))
    assert json.loads(played["body"]["string"])["content"][0]["text"] == "Hi redacted-email-1@example.com!"


HAND_EDITED = f"""\
# Recorded by hand, see the wiki.
version: 1
interactions:
- request:   # the question
    method: POST
    uri: {URL}
    # shortened
    headers:
      x-api-key: [{KEY}]   # from the vault
      user-agent:
      - curl/8.0
      accept: ['*/*']
    body: '{{"messages":[{{"role":"user","content":"it''s {MAIL},
      really"}}]}}'
  response:
    body:
      string: |-
        {{
          "text": "hi {MAIL}"
        }}
    headers: {{set-cookie: ["{COOKIE}; path=/"], content-length: ['99'], date: [today]}}
    status: {{code: 200, message: OK}}
  reviewed_by: nobody
"""


def test_comments_unknown_keys_and_layout_of_a_file_edited_by_hand_stay(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", HAND_EDITED.encode())
    assert fix(file).after.failing == []
    expected = HAND_EDITED.replace(KEY, "redacted-anthropic-key-1").replace(MAIL, "redacted-email-1@example.com")
    expected = expected.replace("      user-agent:\n      - curl/8.0\n", "")
    size = len('{\n  "text": "hi redacted-email-1@example.com"\n}')
    expected = expected.replace(f'set-cookie: ["{COOKIE}; path=/"], ', "").replace("'99'", f"'{size}'")
    assert file.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
def test_line_ends_and_a_byte_order_mark_stay(end: str, mark: bytes, tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", mark + vcrpy_yaml().decode().replace("\n", end).encode())
    fix(file)
    data = assert_clean(file)
    assert data.startswith(mark + b"interactions:" + end.encode())
    assert (b"\r" in data) == (end == "\r\n")
    assert data.count(b"\n") == data.count(end.encode())


STYLES = ["'{}'", '"{}"', "{}", "|\n        {}", "|2-\n        {}", ">-\n        {}", "!!str '{}'", "&a '{}'"]


@pytest.mark.parametrize("style", STYLES)
def test_a_scalar_is_edited_in_the_style_it_is_written_in(style: str, tmp_path: Path) -> None:
    value = style.format(f"to {MAIL}, é ☀")
    head = f"interactions:\n- request: {{method: GET, uri: '{URL}'}}\n  response:\n    status: {{code: 200}}\n"
    text = f"{head}    body:\n      string: {value}\n  # the end\nversion: 1\n"
    file = write(tmp_path / "a.yaml", text.encode())
    assert fix(file).after.failing == []
    made = file.read_text(encoding="utf-8")
    if style.startswith(">"):  # folded: written anew, in quotes
        assert "\n  # the end\n" in made
        assert load(file).exchanges[0].body.decode().startswith("to redacted-email-1@example.com, é ☀")
    else:
        assert made == text.replace(MAIL, "redacted-email-1@example.com")


def test_one_value_has_one_placeholder_and_another_value_another(tmp_path: Path) -> None:
    other = "grace.hopper@" + "compilers.co.uk"
    asked = {"messages": [{"role": "user", "content": f"{MAIL}, {other}, {MAIL} and redacted-email-3@example.com"}]}
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction(asked=asked), interaction(asked=asked)))
    fix(file)
    texts = {exchange.request.json["messages"][0]["content"] for exchange in load(file).exchanges}
    (text,) = texts
    first, second, third, there = re.findall(r"redacted-email-(\d)@example\.com", text)
    assert (first == third, there) == (True, "3")
    assert len({first, second, there}) == 3


def test_a_stream_keeps_its_events(tmp_path: Path) -> None:
    stream = events("Hi ", MAIL[:5], MAIL[5:9], MAIL[9:], " and bye")
    got = {"Content-Type": "text/event-stream; charset=utf-8"}
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction(answer=stream, got=got)))
    fix(file)
    assert_clean(file)
    body = load(file).exchanges[0].body.decode()
    assert body == events("Hi ", "redacted-email-1@example.com", "", "", " and bye")


SIGNATURE = "RXhhbXBsZSBzaWduYXR1cmUg" + "M2YwYzlhNTItOGQxZS00Yjc3LTljNjAtNWUyZDQxYWI3M2Y4" + "RXhhbXBsZSBzaWduYXR1cmUg"
"""Holds the organization's UUID."""


def test_a_signature_that_names_the_organization_goes_whole(tmp_path: Path) -> None:
    assert ORGANIZATION.encode() in decoded(SIGNATURE)
    answer = {**ANSWER, "content": [{"type": "thinking", "thinking": "hm", "signature": SIGNATURE}]}
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction(answer=answer)))
    fixed = fix(file)
    assert any("refuse the conversation" in note for note in fixed.notes)
    signature = json.loads(load(file).exchanges[0].body)["content"][0]["signature"]
    assert len(signature) == len(SIGNATURE)
    assert decoded(signature).startswith(b"redacted-opaque-1 ")


# --- ours ----------------------------------------------------------------------------------------------


def test_our_cassette_is_written_as_a_save_would(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", ours(f"I am {MAIL}", "and now?", f"my key is {KEY}"))
    fixed = fix(file)
    assert fixed.after.failing == []
    data = assert_clean(file)
    assert data == ours("I am redacted-email-1@example.com", "and now?", "my key is redacted-anthropic-key-1").replace(
        MAIL[:9].encode(), b"redacted-email-1@example.com"
    ).replace(MAIL[9:].encode(), b"")


@pytest.mark.parametrize("beside", ["", ", pin 918273645546372819"])
def test_a_number_that_is_a_secret_becomes_a_string(beside: str, tmp_path: Path) -> None:
    pin = 918273645546372819
    data = ours(f"hello{beside}").replace(
        b"max_tokens: 9", f"max_tokens: 9\n        pin: {pin}\n        pins: [{pin}]".encode()
    )
    file = write(tmp_path / "a.yaml", data)
    fixed = fix(file, secrets=[str(pin)])
    paths = {"request.json.pin", "request.json.pins[0]", *(["request.json.messages[0].content"] if beside else [])}
    assert {hit.path for hit in fixed.before.findings if hit.cls == "secret"} == paths
    assert fixed.after.failing == []
    asked = load(file).exchanges[0].request.json
    assert (asked["pin"], asked["pins"], asked["max_tokens"]) == ("redacted-secret-1", ["redacted-secret-1"], 9)


def test_our_cassette_edited_by_hand_keeps_its_comments(tmp_path: Path) -> None:
    text = ours(f"I am {MAIL}", f"still {MAIL}, my key is {KEY}", "bye").decode()
    text = text.replace("exchanges:\n", "# why this one is kept: see the wiki\nexchanges:\n", 1)
    text = text.replace("    request:\n", "    request:  # one\n    mood: good\n".replace("    mood", "      mood"), 1)
    file = write(tmp_path / "a.yaml", text.encode())
    with pytest.warns(UserWarning, match="mood"):
        before = load(file)
    assert fix(file).after.failing == []
    made = assert_clean(file).decode()
    assert "# why this one is kept: see the wiki\n" in made
    assert "request:  # one\n      mood: good\n" in made
    with pytest.warns(UserWarning, match="mood"):
        after = load(file)
    assert len(after.exchanges) == len(before.exchanges)
    assert [message["content"] for message in after.exchanges[2].request.json["messages"]] == [
        "I am redacted-email-1@example.com",
        "still redacted-email-1@example.com, my key is redacted-anthropic-key-1",
        "bye",
    ]


def test_a_signature_replaced_in_our_cassette_is_said_in_the_file(tmp_path: Path) -> None:
    text = """\
convo_replay: 1
# by hand
exchanges:
  - request:
      method: POST
      url: "https://api.anthropic.com/v1/messages"
      json: {model: m, messages: [{role: user, content: hi}]}
    response:
      status: 200
      json: {content: [{type: thinking, thinking: hm, signature: SIGNATURE}]}
""".replace("SIGNATURE", SIGNATURE)
    file = write(tmp_path / "a.yaml", text.encode())
    assert fix(file).after.failing == []
    assert "# by hand\nresendable: false\nexchanges:\n" in assert_clean(file).decode()


def test_a_blob_with_a_secret_is_replaced_and_taken_away(tmp_path: Path) -> None:
    from convo_replay.cassette import Cassette, update
    from convo_replay.exchange import Chunk, End, Exchange, Head, Request

    body = b"\0\xff" + b"x" * 70_000 + KEY.encode() + b"\0"
    steps = (Head(200, (("content-type", "application/octet-stream"),)), Chunk(0.0, body), End())
    file = tmp_path / "a.yaml"
    update(file, lambda _: Cassette(exchanges=[Exchange(Request("GET", "https://a.example/"), steps)]))
    (old,) = (tmp_path / "_blobs").iterdir()
    fixed = fix(file)
    assert fixed.after.failing == []
    (new,) = (tmp_path / "_blobs").iterdir()
    assert new != old
    assert KEY.encode() not in load(file).exchanges[0].body
    assert any("taken away" in note for note in fixed.notes)


# --- what cannot be fixed --------------------------------------------------------------------------------


def buffered() -> bytes:
    text = yaml.dump({"interactions": [interaction()], "version": 1})
    value = yaml.dump({"string": "@"}).strip()
    made = interaction()
    made["response"]["body"]["string"] = "@"
    text = yaml.dump({"interactions": [made], "version": 1})
    answer = json.dumps(ANSWER).replace("'", "''")
    return text.replace(value, f"string: !!python/object/new:_io.BytesIO\n        state: !!python/tuple\n"
                        f"        - '{answer}'\n        - 0\n        - null").encode()  # fmt: skip


STUCK = {
    "go-vcr": (RECORDERS["go-vcr"][1], "only cassettes of ours and vcrpy's are rewritten"),
    "text": (lambda: f"key {KEY}".encode(), "only cassettes of ours and vcrpy's are rewritten"),
    "alias": (
        lambda: vcrpy_yaml().replace(b"version: 1", f"version: 1\nmine: &a {KEY}\nagain: *a".encode()),
        "",
    ),
    "comment": (lambda: vcrpy_yaml() + f"# {KEY}\n".encode(), "a comment"),
}


@pytest.mark.parametrize("case", STUCK)
def test_what_cannot_be_fixed_is_named_with_the_reason(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, reason = STUCK[case]
    file = write(tmp_path / "a.yaml", make())
    before = file.read_bytes()
    code = main(["scan", str(file), "--fix"])
    out = capsys.readouterr().out
    assert not [secret for secret in SECRETS if secret in out]
    if reason:
        assert code == 1
        assert f"not fixed: {reason}" in out
    else:
        assert code == 0
        assert KEY not in file.read_text(encoding="utf-8")
    if "only" in reason:
        assert file.read_bytes() == before


def test_a_body_in_a_python_object_is_left_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", buffered())
    before = file.read_bytes()
    fixed = fix(file)
    assert fixed.after is fixed.before
    assert file.read_bytes() == before
    assert "Python object" in fixed.reasons[0]


def test_nothing_is_written_where_the_result_would_still_hold_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convo_replay.scanning import fixing

    file = write(tmp_path / "a.yaml", vcrpy_yaml())
    before = file.read_bytes()
    made = fixing._edits
    monkeypatch.setattr(fixing, "_edits", lambda look: made(look)[:-1])
    fixed = fix(file)
    assert fixed.after is fixed.before
    assert fixed.reasons
    assert file.read_bytes() == before


def test_nothing_is_written_where_something_else_would_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convo_replay.scanning import fixing

    file = write(tmp_path / "a.yaml", vcrpy_yaml())
    before = file.read_bytes()
    made = fixing.applied
    monkeypatch.setattr(fixing, "applied", lambda text, edits: made(text, edits).replace("version: 1", "version: 2"))
    fixed = fix(file)
    assert fixed.after is fixed.before
    assert "cannot be edited in place without changing something else" in fixed.reasons[0]
    assert file.read_bytes() == before


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convo_replay.scanning import fixing

    file = write(tmp_path / "a.yaml", vcrpy_yaml())
    gate = fixing._gate

    def gate_and_change(*arguments: Any) -> None:
        gate(*arguments)
        file.write_bytes(b"version: 1\ninteractions: []\n")

    monkeypatch.setattr(fixing, "_gate", gate_and_change)
    with pytest.raises(Exception, match="changed it meanwhile"):
        fix(file)
    assert file.read_bytes() == b"version: 1\ninteractions: []\n"


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    file = write(tmp_path / "deep" / "a.yaml", vcrpy_yaml())
    file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    fix(link)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert_clean(file)


def test_a_changed_url_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = "https://generativelanguage.googleapis.com/v1beta/models/x:generateContent?key=" + "AIza" + "Ex4mple" * 5
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction(uri=uri)))
    assert main(["scan", str(file), "--fix"]) == 0
    out = capsys.readouterr().out
    assert "fixed 12 findings (anthropic-key ×2, cf-ray ×1," in out
    assert "1 request URL(s) changed, by which vcrpy matches" in out


@corpus.needs_corpus
def test_published_cassettes_are_fixed_whole(tmp_path: Path) -> None:
    rows = corpus.index("vcrpy-yaml")
    every = 1 if os.environ.get("CONVO_CORPUS_ALL") else 120
    for row in rows[::every]:
        data = corpus.read(row)
        file = write(tmp_path / "a.yaml", data)
        fixed = fix(file)
        assert fixed.after.failing == [], (row["path"], fixed.reasons)
        again = fix(file)
        assert again.after is again.before, row["path"]
        events_before = [exchange.body.count(b"\ndata:") for exchange in scanning_load(data, tmp_path)]
        assert [exchange.body.count(b"\ndata:") for exchange in load(file).exchanges] == events_before, row["path"]


def scanning_load(data: bytes, folder: Path) -> list[Any]:
    return load(write(folder / "before.yaml", data)).exchanges
