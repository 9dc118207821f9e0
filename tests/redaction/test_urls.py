"""URLs: of requests, of forms, and inside any text; what is learned from them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from convo_replay.exchange import Json, Request, Text
from convo_replay.redaction import Redactor

KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
HEX = "c2c5f7bbfea072d8914f9500ba1d01f2" * 2
BASE64 = "Ab1/Cd2+Ef3/" * 3 + "Gh4="
AT = "@"


def _url(url: str, redactor: Redactor | None = None) -> str:
    return (redactor or Redactor()).request(Request("POST", url, ())).url


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://api.example.com/v1/messages?beta=true", "https://api.example.com/v1/messages?beta=true"),
        ("https://g.example.com/v1/m:go?alt=sse&key=abc", "https://g.example.com/v1/m:go?alt=sse&key=redacted-url-key-1"),
        ("https://g.example.com/?key=redacted-url-key-4", "https://g.example.com/?key=redacted-url-key-4"),
        ("https://ada:pw@g.example.com/", "https://redacted-url-userinfo-1@g.example.com/"),
        ("https://g.example.com/?access_token=a%2Fb#top", "https://g.example.com/?access_token=redacted-url-key-1#top"),
        ("https://s3.example.com/o?X-Amz-Signature=ab&X-Amz-Date=1", "https://s3.example.com/o?X-Amz-Signature=redacted-url-signature-1&X-Amz-Date=1"),
        ("https://g.example.com/?accessKey=abc", "https://g.example.com/?accessKey=redacted-url-key-1"),
        ("https://b.example.com/o?sv=2024&sig=a%2Bb%3D", "https://b.example.com/o?sv=2024&sig=redacted-url-signature-1"),
        ("https://c.example.com/o?Signature=a~b&Key-Pair-Id=K1", "https://c.example.com/o?Signature=redacted-url-signature-1&Key-Pair-Id=K1"),
        ("https://g.example.com/cb#access_token=abc&x=1", "https://g.example.com/cb#access_token=redacted-url-key-1&x=1"),
        ("https://g.example.com/?pageToken=CAoQAA&next_token=b", "https://g.example.com/?pageToken=CAoQAA&next_token=b"),
        ("https://g.example.com/?max_tokens=12&monkey=1&q", "https://g.example.com/?max_tokens=12&monkey=1&q"),
        ("https://g.example.com/?to=ada%40corp.com", "https://g.example.com/?to=redacted-email-1@example.com"),
        (
            "https://e.example.com/v1/projects/acme-42/locations/eu/x",
            "https://e.example.com/v1/projects/redacted-gcp-project-1/locations/eu/x",
        ),
        (
            "https://b.example.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ax/invoke",
            "https://b.example.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3Aredacted-aws-account-1%3Ax/invoke",
        ),
        (f"https://g.example.com/{KEY}/x", "https://g.example.com/redacted-anthropic-key-1/x"),
    ],
)  # fmt: skip
def test_of_a_request(url: str, redacted: str) -> None:
    assert _url(url) == redacted
    assert _url(redacted) == redacted


def test_which_key_was_live_does_not_show() -> None:
    urls = {
        _url(f"https://g.example.com/?key={key}")
        for key in (KEY, "AIza" + "x1Y2z3W" * 5, "convo-replay-stand-in", "dummy")
    }
    assert urls == {"https://g.example.com/?key=redacted-url-key-1"}


PASSWORD = "redacted-url-password-1"
SIGNATURE = "redacted-url-signature-1"
IN_TEXT = [
    ("postgres://ada:c0rrect-h0rse@db.corp.com/x", f"postgres://ada:{PASSWORD}@db.corp.com/x"),
    ("redis://:s3cret@cache:6379", f"redis://:{PASSWORD}@cache:6379"),
    ("https://ada:p%40ss@x.com/", f"https://ada:{PASSWORD}@x.com/"),
    ("ftp://ada:p@ss@x.com/", f"ftp://ada:{PASSWORD}@x.com/"),
    ("DB=mysql+pymysql://root:hunter2@10.0.0.1:3306/db", f"DB=mysql+pymysql://root:{PASSWORD}@10.0.0.1:3306/db"),
    ("mongodb+srv://u:Pw1!x$y@c.mongodb.net/?w=1", f"mongodb+srv://u:{PASSWORD}@c.mongodb.net/?w=1"),
    (r"https:\/\/ada:hunter2@x.com\/", rf"https:\/\/ada:{PASSWORD}@x.com\/"),
    ("https%3A%2F%2Fada%3Ahunter2%40x.com", f"https%3A%2F%2Fada%3A{PASSWORD}%40x.com"),
    ("https://p.com/https://u:hunter2@h/", f"https://p.com/https://u:{PASSWORD}@h/"),
    ("amqp://u:" + "x1" * 60 + "@h", f"amqp://u:{PASSWORD}@h"),
    ("https://" + "Ex4mpl" * 5 + "@git.corp.com/a.git", f"https://{PASSWORD}@git.corp.com/a.git"),
    (f"https://x.com/o?X-Amz-Signature={HEX}&x=1", f"https://x.com/o?X-Amz-Signature={SIGNATURE}&x=1"),
    (f"https://x.com/o?a=1&X-Goog-Signature={HEX}", f"https://x.com/o?a=1&X-Goog-Signature={SIGNATURE}"),
    (rf"x.com/o?a=1\u0026sig={quote(BASE64, safe='')}", rf"x.com/o?a=1\u0026sig={SIGNATURE}"),
    (f"x.com/o?a=1&amp;sig={BASE64}", f"x.com/o?a=1&amp;sig={SIGNATURE}"),
    (f"https://x.com/o?Signature={BASE64}&Key-Pair-Id=K", f"https://x.com/o?Signature={SIGNATURE}&Key-Pair-Id=K"),
    (quote(f"https://x.com/o?a=1&sig={BASE64}&b=2", safe=""), None),
    (f"AWS4-HMAC-SHA256 SignedHeaders=a, Signature={HEX}", f"AWS4-HMAC-SHA256 SignedHeaders=a, Signature={SIGNATURE}"),
]


@pytest.mark.parametrize(("text", "redacted"), IN_TEXT)
@pytest.mark.parametrize("around", ["{}", "see {} there", "({})", '"{}"', "<{}>", "a={} b"])
def test_in_a_text(text: str, redacted: str | None, around: str) -> None:
    made = Redactor().text(around.format(text))
    if redacted is None:
        assert SIGNATURE in made
        assert quote(BASE64, safe="") not in made
    else:
        assert made == around.format(redacted)
    assert Redactor().text(made) == made


@pytest.mark.parametrize(
    "text",
    [
        "https://user:password@host/", "postgres://user:pass@host/db", "http://<user>:<password>@h", "x://u:${PW}@h",
        "x://u:$PW@h", "x://{user}:{password}@h", "x://u:***@h", "x://u:your-password@h", "https://x.com:8080/@ada",
        "https://x.com/a:b@2x.png", "git" + AT + "github.com:a/b.git", "ssh://git" + AT + "github.com/a", "//x@y",
        "http://localhost:8000/@me", "signature=base64.b64encode(digest)", "sig=12 max_sig=0123456789abcdef0123456789",
        "def f(signature=inspect.signature(function_name_2)):", "https://x.com/?signature=none&sig=short1",
        f"https://ada:{PASSWORD}@x.com/", f"https://x.com/?sig={SIGNATURE}", "https://token@x.com/",
        "https://organization-of-mine@dev.azure.com/x", "npm:@scope/pkg@1",
    ],
)  # fmt: skip
def test_what_is_none_stays(text: str) -> None:
    assert Redactor().text(text) is text
    assert Redactor().text(f"a {text} b") == f"a {text} b"


def test_a_password_is_known_everywhere_once_a_url_told_it() -> None:
    redactor = Redactor()
    _url("https://ada:0pen-sesame-42" + AT + "x.example.com/", redactor)
    assert redactor.text("it is 0pen-sesame-42") == "it is redacted-url-password-1"
    redactor = Redactor()
    body = {
        "messages": [
            {"content": "postgres://ada:0pen-sesame-42-and-more" + AT + "db/x"},
            {"content": "0pen-sesame-42-and-more"},
        ]
    }
    made = redactor.request(Request("POST", "https://api.example.com/", (), Json(body))).json
    assert "sesame" not in json.dumps(made)


@pytest.mark.parametrize(
    ("body", "redacted"),
    [
        ("grant=x&password=abc&user=ada", "grant=x&password=redacted-url-key-1&user=ada"),
        ("client_secret=a%2Fb&x=1", "client_secret=redacted-url-key-1&x=1"),
        ("sig=a%2Bb%3D&x=1", "sig=redacted-url-signature-1&x=1"),
        ("token=YWJjZA==&x=1", "token=redacted-url-key-1&x=1"),
        ("to=ada%40corp.com&tel=%2B49+30+901820", "to=redacted-email-1@example.com&tel=00-555-0000001"),
        ("max_tokens=12&name=key", "max_tokens=12&name=key"),
    ],
)
def test_of_a_form(body: str, redacted: str) -> None:
    made = Redactor().request(Request("POST", "https://api.example.com/", (), Text(body))).body
    assert made == Text(redacted)
    assert Redactor().request(Request("POST", "https://api.example.com/", (), Text(redacted))).body == Text(redacted)
