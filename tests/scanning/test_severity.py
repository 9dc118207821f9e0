"""`convo-replay scan`: how bad a finding is, where its value comes in pieces, in base64, or as words."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from convo_replay import scanning
from convo_replay.cli import main
from scan_cases import KEY, MAIL, events, interaction, vcrpy_yaml, write

PASSWORD = "JnG3r6pH" + "Zna9CzhU9C"
TOKEN = "q7Zt2Lw9" * 5


def found(path: Path, **settings: Any) -> set[tuple[str, str]]:
    """(class, severity) of what stands in bodies and texts."""
    hits = scanning.scan(path, environ={}, **settings).findings
    return {(hit.cls, hit.severity) for hit in hits if "headers" not in hit.path}


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def gemini(text: str) -> str:
    parts = [{"candidates": [{"content": {"parts": [{"text": piece}], "role": "model"}}]} for piece in pieces(text, 7)]
    return "".join(f"data: {json.dumps(part)}\r\n\r\n" for part in parts)


def arguments(text: str) -> str:
    made = ""
    for piece in pieces(json.dumps({"text": text}), 7):
        call = {"index": 0, "function": {"arguments": piece}}
        made += (
            f"data: {json.dumps({'id': 'chatcmpl-1', 'choices': [{'index': 0, 'delta': {'tool_calls': [call]}}]})}\n\n"
        )
    return made


def lines(text: str) -> str:
    return "".join(json.dumps({"message": {"content": piece}, "done": False}) + "\n" for piece in pieces(text, 5))


STREAMS = {
    "messages": lambda text: events(*pieces(text, 6)),
    "gemini": gemini,
    "arguments": arguments,
    "lines": lines,
}
SAID = {
    "password": (f"see postgres://svc:{PASSWORD}@db.internal.corp/app now", ("url-password", "error")),
    "named": (f"export ACME_API_TOKEN={TOKEN} and go on", ("named-secret", "error")),
    "dummy": ("see postgres://svc:fake-password-here@db.internal.corp/app now", ("masked", "info")),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_streamed_value_is_as_bad_as_one_in_one_piece(stream: str, said: str, tmp_path: Path) -> None:
    text, expected = SAID[said]
    kind = {"lines": "application/x-ndjson"}.get(stream, "text/event-stream")
    data = vcrpy_yaml(interaction({"a": 1}, STREAMS[stream](text), got={"Content-Type": kind}))
    assert found(write(tmp_path / "a.yaml", data)) == {expected}


def encoded(text: str, times: int) -> str:
    data = text.encode()
    for _ in range(times):
        data = base64.b64encode(data)
    return data.decode()


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"config: {KEY}\n", ("anthropic-key", "error")),
        (f"export ACME_API_TOKEN={TOKEN}\n", ("named-secret", "error")),
        (f"please mail {MAIL} today\n", ("email", "warn")),
    ],
    ids=["key", "named", "mail"],
)
def test_base64_is_as_bad_as_what_it_holds(text: str, expected: tuple[str, str], times: int, tmp_path: Path) -> None:
    said = encoded(text, times)
    asked = {"messages": [{"role": "user", "content": f"data {said}"}]}
    for data in (
        vcrpy_yaml(interaction(asked, {"b": 2})),
        vcrpy_yaml(interaction({"a": 1}, events(*pieces(said, 9)), got={"Content-Type": "text/event-stream"})),
    ):
        file = write(tmp_path / "a.yaml", data)
        assert found(file) == {expected}
        if expected[1] == "warn":
            assert found(file, redact={expected[0]: "keep"}) == set()
        scanning.fix(file, environ={})
        assert found(file) == set()


def test_a_key_in_an_opaque_field_is_a_key(tmp_path: Path) -> None:
    thought = {"type": "redacted_thinking", "data": encoded(f"\0\1 {KEY} \2", 1)}
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction({"a": 1}, {"content": [thought]})))
    assert found(file) == {("anthropic-key", "error")}


def test_what_is_opaque_may_stay(tmp_path: Path) -> None:
    thought = {"type": "redacted_thinking", "data": encoded("\0\1 3f0c9a52-8d1e-4b77-9c60-5e2d41ab73f8 \2\3", 1)}
    file = write(tmp_path / "a.yaml", vcrpy_yaml(interaction({"a": 1}, {"content": [thought]})))
    assert found(file) == {("opaque", "warn")}
    assert found(file, redact={"opaque": "keep"}) == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("extra-header-key", "Extra-Header-Value", {("masked", "info")}),
        ("custom-header-key", "custom-header-value", {("masked", "info")}),
        ("x-acme-key", "p9Xw2LrT5vQz8NfK3hYd", {("api-key", "error")}),
        ("x-api-key", "correct-horse-battery", {("api-key", "error")}),
        ("authorization", "Bearer correct-horse-battery", {("api-key", "error")}),
        ("api-key", "X-API-KEY-XXX", {("masked", "info")}),
    ],
    ids=["words", "words-of-a-custom", "random", "known-name", "authorization", "mask-of-a-class-with-a-pattern"],
)
def test_words_under_a_name_that_only_ends_in_key_are_no_key(
    name: str, value: str, expected: set[tuple[str, str]], tmp_path: Path
) -> None:
    pair = {"request": {"url": "https://a.example/", "headers": {name: value}}, "response": {"headers": {}}}
    hits = scanning.scan(write(tmp_path / "a.json", json.dumps(pair).encode()), environ={}).findings
    assert {(hit.cls, hit.severity) for hit in hits} == expected


def test_files_are_counted_by_class_and_severity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, agent in (("a", "curl/8.1"), ("b", "curl/8.1"), ("c", "***")):
        pair = {"request": {"url": "https://a.example/", "headers": {"user-agent": agent}}, "response": {}}
        write(tmp_path / f"{name}.json", json.dumps(pair).encode())
    main(["scan", str(tmp_path)])
    rows = [line.split()[:6] for line in capsys.readouterr().out.splitlines() if " machine " in line]
    assert rows[-3:-1] == [["warn", "machine", "2", "in", "2", "files"], ["info", "machine", "1", "in", "1", "file"]]


MASKS = [
    "***", "xxxx", "**REDACTED**", "[FILTERED]", "<your key>", "AUTHORIZATION-XXX", "test_openai_api_key",
    "test-api-key", "DUMMY_GOOGLE_API_KEY", "scrubbed", "fake", "fake-password-here", "my-api-key", "sk-ant-...",
    "EMPTY", "not-needed", "sk-" + "X" * 40, "<redacted>", "convo-replay-stand-in", "redacted-api-key-1",
]  # fmt: skip
REAL = [
    "test_9f8e7d6c5b4a3f2e1d", "<9f8e7d6c5b4a3f2e>", "redacted-9fj3kd83kd93kd", "my-company-master-key", "hunter2",
    "letmein", "raw-token-0123", "Ab3dEf6hIj9kLm2n" * 2 + "XXX", "0123456789abcdef" * 2, "sk-1234",
    "dev", "correct-horse",
]  # fmt: skip


@pytest.mark.parametrize("value", [*MASKS, *REAL])
def test_a_mask_says_that_it_is_one(value: str, tmp_path: Path) -> None:
    texts = [{"headers": {"x-api-key": value}}, {"headers": {"authorization": f"Bearer {value}"}}]
    if not value.startswith(("<", "[")):
        texts.append({"headers": {}, "note": f"see postgres://svc:{value}@db.corp.io/x"})
    for text in texts:
        hits = scanning.scan(write(tmp_path / "a.json", json.dumps(text).encode()), environ={}).failing
        assert [hit.severity for hit in hits] == ([] if value in MASKS else ["error"]), text.keys()
