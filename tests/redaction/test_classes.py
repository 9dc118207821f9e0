"""The table: every class finds its example where it stands, and nothing that only looks like one."""

from __future__ import annotations

import base64
import json
import random
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from convo_replay.redaction import Redactor
from convo_replay.redaction.classes import CLASSES, classify
from convo_replay.redaction.classes.entry import APART
from convo_replay.redaction.placeholders import make

EXAMPLES = [(item.name, item.example) for item in CLASSES if item.pattern]
WHOLE = [(name, example) for name, example in EXAMPLES if classify(example)]


def test_an_example_is_found_in_prose() -> None:
    for name, example in EXAMPLES:
        redacted = Redactor().text(f"It is {example}, I think.")
        assert make(name, 1) in redacted, name
        assert redacted.startswith("It is "), name
        assert redacted.endswith(", I think."), name


AROUND = {
    "parameter": ("key={}", str),
    "option": ("--api-key={} --verbose", str),
    "bearer": ("Bearer {}", str),
    "brackets": ("({})", str),
    "json": ('{{"k":"{}"}}', str),
    "curl": ("curl -H 'x-api-key: {}'", str),
    "url": ("https://example.com/?k={}&x=1", lambda text: quote(text, safe="")),
    "percent": ("a%20{}%20b", str),
    "line": ("line\\n{}\\nline", str),
    "line twice": ("line\\\\n{}\\\\nline", str),
    "escape": ("\\u0022{}\\u0022", str),
    "json twice": ("{}", lambda text: json.dumps(json.dumps(f"a\n{text}\nb"))),
    "code": ("`{}`", str),
    "xml": ("<k>{}</k>", str),
    "lines": ("{}\nnext line", str),
}


@pytest.mark.parametrize(("around", "encode"), AROUND.values(), ids=AROUND)
def test_a_whole_example_goes_wherever_it_stands(around: str, encode) -> None:
    for name, example in WHOLE:
        text = around.format(encode(example))
        assert Redactor().text(text) == text.replace(encode(example), encode(make(name, 1))), name


def _base64url(size: int) -> str:
    return base64.urlsafe_b64encode(random.Random(size).randbytes(size)).decode()


TRAPS = [
    "c71b222f0e6f4d1e302a5d6cc65b80b134e81b81",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "pip install sk-learn scikit-learn",
    "from sklearn import svm  # sk-learn, not sk-",
    "task-0123456789abcdef0123456789abcdef0123",
    "risk-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCd",
    "the prefix sk- is followed by letters",
    "sk-something-here",
    "sk-your-key-here and sk-...",
    "disk-sk-2 ask-me mask-0",
    "msg_01XFDUDYJgAACzvnptvVoYEL",
    "toolu_01A09q90qw90lq917835lq9",
    "srvtoolu_01A09q90qw90lq917835lq9",
    "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "call_DdmO9pD3xa9XTPNJ32zg2hcA",
    "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "fp_44709d6fcb",
    "req_short req_id required",
    '{"$id": "urn:uuid:550e8400-e29b-41d4-a716-446655440000"}',
    "version 1.2.3-rc.4+build.20260101, python 3.11.7",
    "user@example.com and 555-0100, +1 (555) 010-0199",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "org-mode org-chart proj_name user-agent projects/readme arn:aws:s3:::bucket/key",
    "eyJ alone, eyJhbGci without dots, v1.eyJ",
    "AKIA alone, AKIAlowercase, ASIAN markets, ASIA-PACIFIC",
    "gAAAAAB" + _base64url(900),
    *(_base64url(size) for size in (3000, 3001, 3002)),
    "AbC-sk-" + "a1B2c3D4" * 5 + _base64url(600),
    "x" * 40 + "AKIAEXAMPLE234567ABC" + "y" * 40,
    "x_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2ln",
]


def test_what_only_looks_like_one_stays() -> None:
    redactor = Redactor()
    for text in TRAPS:
        assert redactor.text(text) is text
        assert redactor.text(f"a {text} b") == f"a {text} b"


def test_lookalikes_of_keys_are_told_apart_by_their_class() -> None:
    table = {name: example for name, example in EXAMPLES if name.endswith(("key", "token"))}
    for name, example in table.items():
        assert classify(example) == name


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" * 40_000,
        "eyJaaaaaaa." * 10_000,
        "sk-" * 40_000,
        "sk-ant-" * 20_000,
        "sk-ant-aaaaaaaaaaaaaaaaaa" * 5_000,
        "AKIA" * 30_000,
        "redacted-" * 15_000,
        "redacted-a" * 15_000,
        "redacted-a-" * 15_000,
        "projects/" * 15_000,
        "arn:aws:" * 15_000,
        "a" * 120_000,
        "sk-" + "a" * 120_000,
        "proj_" * 20_000,
    ],
    ids=lambda text: text[:12],
)
def test_long_unfriendly_texts_are_bounded_by_the_patterns(text: str) -> None:
    Redactor(secrets=["no such secret"]).text(text)


def test_every_class_is_documented_for_users() -> None:
    page = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert named == {item.name for item in CLASSES}


@pytest.mark.parametrize("before", ["KEY_", "prod-", "v1_", "a_b-"])
def test_what_looks_like_nothing_else_may_stand_behind_an_underscore_or_a_dash(before: str) -> None:
    told = [item for item in CLASSES if item.pattern.startswith(APART)]
    assert len(told) > 8
    for item in told:
        assert Redactor().text(f"the {before}{item.example} here") == f"the {before}redacted-{item.name}-1 here"
