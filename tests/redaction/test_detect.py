"""Known values in the encodings they travel in, and what stands beside a placeholder."""

from __future__ import annotations

import base64
import json
import re

import pytest

from convo_replay.exchange import Request
from convo_replay.redaction import Redactor, placeholders
from convo_replay.redaction.detect import Detector
from convo_replay.redaction.json_text import completed
from convo_replay.redaction.opaque import decoded

SECRET = "tiger?stripe>ö"


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_at_any_offset(before: str, encode) -> None:
    text = encode(f"{before}{SECRET}, and more".encode()).decode()
    made = Redactor(secrets=[SECRET]).text(f"x {text} y")
    rest = made.removeprefix("x ").removesuffix(" y")
    assert len(rest) == len(text)
    stands = len(before) // 3 * 4
    assert rest[:stands] == text[:stands]
    assert rest[stands:].startswith(placeholders.OPAQUE_MARK)


@pytest.mark.parametrize(
    "encode",
    [
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps(json.dumps(text)),
        lambda text: json.dumps(text).replace("/", "\\/"),
    ],
)
def test_json_escapes(encode) -> None:
    secret = 'a/b "c"\\d\né'
    redactor = Redactor(secrets=[secret])
    assert re.fullmatch(r'"(\\")?redacted-secret-1(\\")?"', redactor.text(encode(secret)))


def test_a_known_value_that_is_part_of_a_placeholder_leaves_it_whole() -> None:
    redactor = Redactor(secrets=["secret", "-1"])
    assert redactor.text("redacted-secret-1") == "redacted-secret-1"
    assert redactor.text("a secret redacted-secret-1") == "a redacted-secret-2 redacted-secret-1"


@pytest.mark.parametrize("text", ["xredacted-env-1", "redacted-env-1 x", "redacted-env-1redacted-env-2"])
def test_a_pattern_over_a_placeholder_takes_it_whole(text: str) -> None:
    redactor = Redactor(secrets=[re.compile(r"x?redacted-env-1.?x?(?:edacted)?")])
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert not re.search(r"redacted-redacted|redacted-env-1", once) or once == text


def test_findings_that_overlap_are_one() -> None:
    key = "sk-ant-api03-" + "x1Y2z3W4" * 11
    redactor = Redactor(secrets=[key[20:40], "api03", key[60:] + " tail"])
    assert redactor.text(f"a {key} tail b") == "a redacted-anthropic-key-1 b"


def test_a_signature_of_a_request_is_not_learned_and_its_key_id_is_found() -> None:
    redactor = Redactor()
    value = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE234567ABC/20261122/eu/bedrock/aws4_request, Signature=0a1b2c3d4e5f"
    redactor.learn_request(Request("POST", "https://x", (("authorization", value),)))
    assert redactor.generation == 0
    assert "AKIA" not in redactor.text(value)


@pytest.mark.parametrize(
    ("source", "text", "closers", "rest"),
    [
        ('{"a":"b', '{"a":"b', '"}', ""),
        ('{"a":["b",{"c":1', '{"a":["b",{"c":1', "}]}", ""),
        ('{"a":"b\\', '{"a":"b', '"}', "\\"),
        ('{"a":"b\\u00', '{"a":"b', '"}', "\\u00"),
        ('{"a":"b","c', '{"a":"b"', "}", ',"c'),
        ('{"a":"b","c":', '{"a":"b"', "}", ',"c":'),
        ('{"a":{"b":"x, y"},"c":tr', '{"a":{"b":"x, y"}', "}", ',"c":tr'),
    ],
)
def test_a_document_that_was_cut(source: str, text: str, closers: str, rest: str) -> None:
    assert completed(source) == (text, closers, rest)


@pytest.mark.parametrize("source", ["", "abc", "}", '{"a', '{"a":1}', "[}"])
def test_what_was_cut_too_early_or_not_at_all(source: str) -> None:
    assert completed(source) is None


@pytest.mark.parametrize("cut", range(4))
def test_base64_of_any_length_decodes_as_far_as_it_goes(cut: int) -> None:
    data = b"a1b2c3d4-0000-4000-8000-0123456789ab!!!"
    text = base64.b64encode(data).decode()
    assert decoded(text[: len(text) - cut]).startswith(data[: len(data) - 3])


HALF = "Zq8vLw3Rt6Yb1Nc5Pd2K"
HALVES = [
    # known value, text, what is found in it
    (HALF, f"it is {HALF[:15]}", HALF[:15]),
    (HALF, f"it is {HALF[:8]}", HALF[:8]),
    (HALF, f"it is {HALF[:7]}", ""),
    (HALF, f"it is {HALF[:15]} or so", ""),
    (HALF, f"{HALF[:9]} {HALF[:10]}", HALF[:10]),
    ("sk-ant-api03-" + "Ex4mple" * 13, "keys look like sk-ant-api03-", ""),
    ("sk-ant-api03-" + "Ex4mple" * 13, "mine is sk-ant-api03-Ex4m", "sk-ant-api03-Ex4m"),
    ("too short", "too shor", ""),
]


def test_a_known_value_that_the_end_of_a_text_cuts_in_two() -> None:
    for value, text, half in HALVES:
        detector = Detector([value])
        found = detector.find(text)
        assert [text[one.start : one.end] for one in found] == ([half] if half else []), text
        assert detector.may_hold(json.dumps({"a": text, "b": 1})) or not half
        redactor = Redactor(secrets=[value])
        once = redactor.text(text)
        assert (half in once) is (half == "")
        assert redactor.text(once) == once


@pytest.mark.parametrize("value", ["ada.lovelace@engines.co.uk", "ghp_" + "Ex4mple" * 5 + "1", "q7Rw9Zt2Lk4Xv8Bn1Mc6"])
def test_half_of_a_value_that_the_conversation_held_before(value: str) -> None:
    redactor = Redactor()
    asked = f"password: {value}" if value.startswith("q7") else f"use {value} please"
    assert value not in redactor.text(asked)
    for cut in range(8, len(value)):
        half = value[:cut] if not value.startswith("ghp_") or cut >= 16 else ""
        once = redactor.text(f"it is {half}")
        assert not half or half not in once, cut
        assert redactor.text(once) == once
    assert redactor.text("it is " + value[:7]) == "it is " + value[:7]


BESIDE = [
    "密钥{}", "{}谢谢", "ключ{}ß", "\x1b[31m{}\x1b[0m", "\x1b[1;31m{}", "\x1b[38;5;196m{}\x1b[m",
    "\x1b[K{}\x1b[m\x1b[K", r'"\u001b[31m{}\u001b[0m"', "\x1b[m{}",
]  # fmt: skip
"""Scripts that write no blanks, and colours of a terminal."""
VALUES = {
    "github-token": "ghp_" + "Ex4mple" * 5 + "A",
    "gateway-key": "sk-" + "Ex4mpl" * 8,
    "google-key": "AIza" + "Ex4mple" * 5,
    "aws-key-id": "AKIAEXAMPLE234567ABC",
    "openai-key": "sk-proj-" + "Ex4mple" * 5,
    "stripe-key": "sk_live_" + "Ex4mple" * 4,
    "huggingface-token": "hf_" + "ExaMple" * 5,
    "request-id": "req_011" + "Ex4mple" * 3,
    "file-id": "file_011" + "Ex4mple" * 3,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLWV4YW1wbGU",
    "telegram-token": "1234567890:AA" + "Ex4mp" * 6 + "Ex4",
}


@pytest.mark.parametrize("around", BESIDE, ids=range(len(BESIDE)))
def test_what_stands_beside_a_value_is_no_part_of_it(around: str) -> None:
    for cls, value in VALUES.items():
        text = around.replace("{}", value)
        start = around.index("{")
        found = [(finding.cls, finding.start, finding.end) for finding in Detector().find(text)]
        assert found == [(cls, start, start + len(value))]
        assert Detector().may_hold(json.dumps(text)), cls


UUID = "83a1eb39-1009-4f7a-8d3e-2c6b5a4f3e2d"
SESSION = "aB3dE5fG7hJ9kL1mN2pQ" * 2
BOT = VALUES["telegram-token"]
BY_CONTEXT = [
    ("organization-id", UUID, "rate limit for your organization ({}) of 40,000 input tokens"),
    ("organization-id", UUID, "organization: {}"),
    ("organization-id", UUID, 'said {"organization_uuid": "{}"}, and'),
    ("organization-id", UUID, r"\"organizationId\": \"{}\""),
    ("cookie", f"session={SESSION}", "> cookie: {}\n> host: x"),
    ("cookie", f"sid={SESSION}; Path=/", "< Set-Cookie: {}"),
    ("cookie", f"a=1; session={SESSION}", 'said {"Cookie": "{}"}'),
    ("telegram-token", BOT, "https://api.telegram.org/bot{}/getMe"),
]
NOTHING = [f"in the organisation {UUID}", f"id: {UUID}", "Cookie: theme=dark; lang=de", "cookie: see docs, cookies=2"]


def test_what_stands_before_a_value_tells_its_class() -> None:
    for cls, value, around in BY_CONTEXT:
        text = around.replace("{}", value)
        assert [(finding.cls, finding.value) for finding in Detector().find(text)] == [(cls, value)]
        assert Detector().may_hold(text)
        made = Redactor().text(text)
        assert made == around.replace("{}", placeholders.make(cls, 1))
        assert Redactor().text(made) == made
    assert [text for text in NOTHING if Detector().find(text)] == []
