"""A file that is no cassette is named, with line and reason, and stays as it is, in every mode."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from convo_replay import CassetteError, ConvoFailure
from live.callers import body, client, use_cassette
from upstream import Upstream

HEAD = b"convo_replay: 1\n"
EXCHANGE = b"""\
convo_replay: 1
exchanges:
  - request:
      method: POST
      url: "https://api.anthropic.com/v1/messages"
      json: {model: m}
    response:
      status: 200
      headers: {content-type: application/json}
      json: {}
"""
BAD = {
    "empty": b"",
    "blank": b"\n\n",
    "binary": bytes(range(256)) * 8,
    "NUL bytes": b"\0" * 4096,
    "invalid UTF-8": HEAD + b"exchanges: []\n# \xff\xfe\n",
    "UTF-16": HEAD.decode().encode("utf-16"),
    "plain text": b"this is no cassette",
    "a list": b"- 1\n- 2\n",
    "another YAML": b"version: 3\nservices: {web: {image: nginx}}\n",
    "JSON": b'{"name": "package", "version": "1.0.0"}',
    "broken YAML": HEAD + b"exchanges: [\n",
    "a tab as indent": HEAD + b"exchanges:\n\t- request: {}\n",
    "future version": EXCHANGE.replace(b"convo_replay: 1", b"convo_replay: 2"),
    "far future version": EXCHANGE.replace(b"convo_replay: 1", b"convo_replay: 99"),
    "no version": EXCHANGE.replace(b"convo_replay: 1\n", b""),
    "a word as version": EXCHANGE.replace(b"convo_replay: 1", b"convo_replay: latest"),
    "true as version": EXCHANGE.replace(b"convo_replay: 1", b"convo_replay: true"),
    "exchanges are no list": HEAD + b"exchanges: {a: 1}\n",
    "an exchange is a word": HEAD + b"exchanges: [word]\n",
    "no request": EXCHANGE.replace(b"request", b"reqest"),
    "no method": EXCHANGE.replace(b"      method: POST\n", b""),
    "a status that is a word": EXCHANGE.replace(b"status: 200", b"status: fine"),
    "a status out of range": EXCHANGE.replace(b"status: 200", b"status: 99999"),
    "headers as a list": EXCHANGE.replace(b"{content-type: application/json}", b"[1, 2]"),
    "a duplicate key": EXCHANGE.replace(b"      status: 200\n", b"      status: 200\n      status: 201\n"),
    "two bodies": EXCHANGE + b"      text: also\n",
    "two documents": EXCHANGE + b"---\n" + EXCHANGE,
    "a base that is missing": EXCHANGE.replace(b"{model: m}", b"{$base: -3, $keep: 1, messages: []}"),
    "a base that counts forward": EXCHANGE.replace(b"{model: m}", b"{$base: 1, $keep: 1, messages: []}"),
    "a Python object": HEAD + b"exchanges: !!python/object/apply:os.system ['true']\n",
    "100,000 nested brackets": HEAD + b"exchanges: " + b"[" * 100_000,
    "100,000 nested dashes": HEAD + b"exchanges:\n" + b"- " * 100_000,
    "a billion laughs": HEAD + b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"%c: &%c [%b]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 108)),
    "an SSE line without time": EXCHANGE.replace(b"      json: {}\n", b"      sse: |\n        message_start {}\n"),
    "a blob outside": EXCHANGE.replace(b"json: {model: m}", b"blob: {sha256: ../../etc/passwd, size: 1}"),
    "a response blob outside": EXCHANGE.replace(b"      json: {}\n", b"      blob: ../../../etc/passwd\n"),
    "an end of no kind": EXCHANGE + b"      end: {kind: explosion}\n",
    "an outcome of no kind": EXCHANGE + b"    outcome: banana\n",
    "an end before the head": EXCHANGE + b"      head: 2\n      took: 1\n",
    "no moment": EXCHANGE + b"    recorded: yesterday\n",
    "a fault that does not exist": EXCHANGE + b"    after: banana\n",
}  # fmt: skip


def ask(upstream: Upstream) -> None:
    with client(upstream.url()) as api:
        api.messages.create(**body())


@pytest.mark.parametrize("record", ["none", "once", "new_episodes", "all", "rewrite"])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_file(data, record, upstream: Upstream, cassette: Path):
    cassette.parent.mkdir()
    cassette.write_bytes(data)
    with pytest.raises(CassetteError) as caught, use_cassette(cassette, record=record):
        ask(upstream)
    assert str(cassette) in str(caught.value)
    assert len(str(caught.value)) > len(str(cassette)) + 10
    assert len(str(caught.value)) < 2000
    assert cassette.read_bytes() == data
    assert upstream.connections() == 0
    assert [path.name for path in cassette.parent.iterdir() if path.suffix == ".yaml"] == [cassette.name]


def test_a_good_file_of_that_shape_opens(cassette: Path):
    """The control of the table above."""
    cassette.parent.mkdir()
    cassette.write_bytes(EXCHANGE)
    with use_cassette(cassette, unplayed="ignore"):
        pass


def test_a_cassette_cut_off_anywhere(upstream: Upstream, cassette: Path):
    """Named as such, or as what it still is; never taken for a cassette to record over."""
    url = upstream.url("text,piece=4")

    def ask_thrice() -> None:
        with client(url) as api:
            for n in range(3):
                with api.messages.stream(**body(f"Question {n}")) as stream:
                    stream.get_final_message()

    with use_cassette(cassette, record="once"):
        ask_thrice()
    whole = cassette.read_bytes()
    upstream.stop()
    silent = []
    for size in range(1, len(whole) - 1, max(1, len(whole) // 60)):
        cassette.write_bytes(whole[:size])
        try:
            with use_cassette(cassette):
                ask_thrice()
        except (CassetteError, ConvoFailure):
            pass
        except Exception as error:
            silent.append((size, type(error).__name__))
        else:
            silent.append((size, "replayed"))
        assert cassette.read_bytes() == whole[:size]
    assert silent == []


def test_a_directory_in_its_place(cassette: Path, upstream: Upstream):
    cassette.mkdir(parents=True)
    with pytest.raises(CassetteError, match=r"conversation\.yaml"), use_cassette(cassette, record="once"):
        ask(upstream)
    assert cassette.is_dir()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_directory(cassette: Path, upstream: Upstream):
    cassette.parent.mkdir()
    cassette.parent.chmod(0o500)
    try:
        with pytest.raises(CassetteError, match=r"conversation\.yaml"), use_cassette(cassette, record="once"):
            client(upstream.url()).messages.create(**body())
    finally:
        cassette.parent.chmod(0o700)


def test_a_directory_that_is_a_file(tmp_path: Path, upstream: Upstream):
    (tmp_path / "cassettes").write_text("a file")
    with (
        pytest.raises(CassetteError, match="cassettes"),
        use_cassette(tmp_path / "cassettes" / "c.yaml", record="once"),
        client(upstream.url()) as api,
    ):
        api.messages.create(**body())
    assert (tmp_path / "cassettes").read_text() == "a file"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk(upstream: Upstream, cassette: Path, monkeypatch):
    """Every way to write to a file says there is no space left: the old cassette stays whole."""
    url = upstream.url("counter")
    with use_cassette(cassette, record="once"), client(url) as api:
        api.messages.create(**body())
    whole = cassette.read_bytes()

    def full(*arguments: object, **named: object) -> int:
        raise OSError(28, "No space left on device")

    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(CassetteError, match="space"))
        stack.enter_context(use_cassette(cassette, record="rewrite"))
        with client(url) as api:
            api.messages.create(**body())
        for name in ("fsync", "replace", "write", "rename"):
            monkeypatch.setattr(os, name, full)
    monkeypatch.undo()
    assert cassette.read_bytes() == whole
