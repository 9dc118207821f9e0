"""What looks like a secret and is none: nothing may become of it, wherever it stands."""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.redaction import Redactor
from convo_replay.scanning import scan

_NOISE = random.Random(11)


def _png() -> bytes:
    data = zlib.compress(_NOISE.randbytes(600))
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10" + data + b"a1b2c3d4-0000-4000-8000-0123456789ab ada@acme-corp.com"


def _blob(middle: str, size: int = 90) -> str:
    """Base64url of noise with a stretch in it that reads like a key."""
    noise = base64.urlsafe_b64encode(_NOISE.randbytes(size)).decode()
    return noise + middle + noise[::-1] + "A" * (-len(noise * 2 + middle) % 4)


TRAPS: dict[str, str] = {
    "git SHA": "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 (HEAD -> main), parent "
    "ca82a6dff817ec66f44342007202690a93763949",
    "git SHA of 64": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "UUID": "default 123e4567-e89b-12d3-a456-426614174000, nil 00000000-0000-0000-0000-000000000000",
    "sk- in prose": "sk-learn and sk-image are not sk-based; ask-me-anything, task-1, risk-averse, "
    "desk-2024-09-14-notes",
    "sk- in code": "pip install sk-build && git checkout sk-feature-1234 # <sk-button id='sk-1'>, "
    'class="sk-cube-grid"',
    "example addresses": "ada@example.com, bob@example.org, eve@mail.example.net, x@host.example, "
    "y@a.test, z@a.invalid",
    "localhost": "http://localhost:8000, http://127.0.0.1:11434/v1, root@localhost, http://[::1]:4000/",
    "versions": "left-pad@1.2.3 lodash@^4.17.21 @types/node@20.1.0 1.2.3.4 v10.0.19045.3570 python@3.12.1-slim",
    "git remotes": "git@github.com:owner/repo.git, ssh://git@gitlab.com/owner/repo.git, npm:@scope/package@latest",
    "decorators": "@app.route('/x') @pytest.mark.parametrize @dataclass @property @override def "
    "f(self): return a @ b.T",
    "timestamps": "1755523902 1755523902123 2025-08-18T13:31:43.123Z 20250818133143 13:31:43 2025-08-18 18.08.2025",
    "phone-like numbers": "1234567890 555-0100-22-1 123-456 3.14159265358979 4,294,967,296 0x1F600 "
    "12 34 56 78 (1) 2-3 [10-20]",
    "prices and ranges": "$1,234.56 – 10-12 items, 100-200-300, 192.168.100.200, 255.255.255.0, "
    "2001:db8::1, ISBN 978-3-16-148410-0",
    "counts": '{"max_tokens": 4096, "token_count": 123456789, "tokens": 1755523902, "key": "value", "token": "end"}',
    "masks": "api_key=****************, password: <redacted>, token=[FILTERED], Authorization: Bearer $OPENAI_API_KEY",
    "templates": "password={{ password }} api_key=${API_KEY} secret=%(secret)s key=YOUR_API_KEY "
    "token=<your-token-here>",
    "code about keys": "api_key = os.environ['OPENAI_API_KEY']; password = getpass.getpass(); token "
    "= tokenizer.encode(text)",
    "words beside names": "the password is required; your token has expired; secret: none; key: not "
    "found; passwd: unset",
    "tool names": "get_api_key, refresh_token, rotate_secret, max_output_tokens, tokenize, keyboard, "
    "monkey, passwordless",
    "file names": "/usr/lib/python3.12/site-packages, /home, /Users, C:\\Windows\\System32, ~/notes.txt, /etc/passwd",
    "kept ids": "msg_01XFDUDYJgAACzvnptvVoYEL toolu_01A09q90qw90lq917835lq9 resp_67ccd2bed1ec8190b14f964abc0542670bb6 "
    "call_abc123DEF456ghi789JKL012 chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "AKIA in a word": "AKIAKIAKIAKI, AKIA, ASIA-PACIFIC, ASIATIC, the AKIA prefix, AIzawa, ya29, "
    "eyJ, hf_hub, npm_lifecycle",
    "other prefixes in words": "ghp_ is a prefix; xoxb- too; glpat-; SG.; r8_; dapi; github_pat_; "
    "whsec_; sk_live_; AC; SK; hf_",
    "base64url with a key in it": _blob("sk-" + "a1B2c3D4" * 5),
    "base64url with an AWS id in it": _blob("AKIAEXAMPLE234567ABC"),
    "a cookie's value": "v3_" + _blob("AIza" + "x1Y2z3W" * 5).replace("=", ""),
    "hex of noise": _NOISE.randbytes(120).hex(),
    "CSS and math": "a:b@media (min-width: 1px) { x: 1 } f@x=1 3@4 user@ @host a@b, @@ -1,7 +1,7 @@",
    "URLs": "https://example.org/a?page=2&sort=key#token "
    "https://docs.python.org/3/library/secrets.html?highlight=token",
    "data URL": "data:image/png;base64," + base64.b64encode(_png()).decode(),
    "image": base64.b64encode(_png()).decode(),
    "document": base64.b64encode(b"%PDF-1.7\n" + _NOISE.randbytes(900)).decode(),
    "unicode": "пароль: нет, 密码：无, mot de passe : aucun — ☀️ \u0000\ufffe \u2028",
}
STREAM = (("content-type", "text/event-stream"),)


def _said(text: str) -> Any:
    return {"messages": [{"role": "user", "content": text}]}


def _tool(text: str) -> Any:
    schema = {"type": "object", "properties": {"id": {"type": "string", "description": text, "default": text}}}
    return {"tools": [{"name": "f", "description": text, "input_schema": schema}], "messages": []}


def _result(text: str) -> Any:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": json.dumps({"out": text})}
    return {"messages": [{"role": "user", "content": [block]}]}


PLACES: dict[str, Callable[[str], Any]] = {"a message": _said, "a tool's schema": _tool, "JSON in a result": _result}


@pytest.mark.parametrize("name", TRAPS)
def test_it_stays_in_a_request(name: str) -> None:
    for place, body in PLACES.items():
        request = Request("POST", "https://x/v1/messages", (), Json(body(TRAPS[name])))
        assert Redactor({}).request(request) is request, place


@pytest.mark.parametrize("name", TRAPS)
def test_it_stays_in_a_stream_whatever_its_pieces(name: str) -> None:
    text = TRAPS[name]
    for size in (1, 7, len(text)):
        deltas = [{"type": "text_delta", "text": text[at : at + size]} for at in range(0, len(text), size)]
        events = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
        chunks = [Chunk(0.0, b"data: " + json.dumps(event).encode() + b"\n\n") for event in events]
        steps = (Head(200, STREAM), *chunks, End())
        assert Redactor({}).steps(steps) is steps, size


@pytest.mark.parametrize("name", TRAPS)
def test_scan_says_nothing_of_it(name: str, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    file.write_text(json.dumps({"content": TRAPS[name]}), encoding="utf-8")
    assert scan(file, environ={}).findings == []


def test_what_is_beside_a_trap_is_found_all_the_same() -> None:
    key = "sk-ant-api03-" + "Ex4mple" * 13
    for name, text in TRAPS.items():
        request = Request("POST", "https://x/v1/messages", (), Json(_said(f"{text} {key} {text}")))
        made = Exchange(Redactor({}).request(request), ())
        said = made.request.json["messages"][0]["content"]
        assert said == f"{text} redacted-anthropic-key-1 {text}", name
