"""E-mail addresses, phone numbers, home folders: found as people write them, and not where they only look so."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from convo_replay.exchange import Json, Request
from convo_replay.redaction import Redactor

EMAIL = "redacted-email-1@example.com"
PHONE = "00-555-0000001"
NAME = "redacted-user-name-1"
AT = "@"  # apart from its neighbours, so that no scanner takes this file for an address book

EMAILS = [
    ("ada.lovelace{}corp.com", "{}"),
    ("ada+test{}mail.corp.co.uk.", "{}."),
    ("<Ada_L{}Corp.IO>", "<{}>"),
    ("ADA{}CORP.COM!", "{}!"),
    ("jörg{}bücher.de", "{}"),
    ("12345+ada{}users.noreply.github.com", "{}"),
    ("a{}b.dev", "{}"),
    ("mailto:ada{}corp.com?subject=x", "mailto:{}?subject=x"),
    ("write to ada{}corp.com.Please", "write to {}.Please"),
    ("[mail](mailto:ada{}corp.dev)", "[mail](mailto:{})"),
    ('{{"to":"ada{}corp.com"}}', '{{"to":"{}"}}'),
    (r'"x\nada{}corp.com\nb"', r'"x\n{}\nb"'),
    (r"CORP\ada{}corp.com", r"CORP\{}"),
    ("https://x.com/users/ada{}corp.com/x", "https://x.com/users/{}/x"),
    ("**ada{}corp.com**,", "**{}**,"),
    ("--ada{}corp.com", "--{}"),
]
PHONES = [
    "+1 (415) 555-2671", "+49 30 901820", "+44 20 7946 0958", "555-867-5309", "(415) 555-2671", "(415)555-2671",
    "415-555-2671", "415.555.2671", "+14155552671", "+1-202-555-0143", "+1.415.555.2671", "+33 6 12 34 56 78",
    "+49 (0)30 901820", "+49 151 23456789", "+86 138 0013 8000", "+91 98765 43210", "+353 1 234 5678", "+442079460958",
    "+7 495 123-45-67", "+1 415 555 2671", "+61 2 5550 1234", "+81-3-1234-5678", "+55 (11) 91234-5678",
]  # fmt: skip
HOMES = [
    ("/home/ada/src", "/home/{}/src"),
    ("in /home/ada.", "in /home/{}."),
    ("/Users/ada.lovelace/", "/Users/{}/"),
    ("file:///home/ada/x", "file:///home/{}/x"),
    (r"C:\Users\ada\x", r"C:\Users\{}\x"),
    (r"C:\Users\Ada Lovelace\Documents", r"C:\Users\{}\Documents"),
    (r"C:\\Users\\ada\\x", r"C:\\Users\\{}\\x"),
    (r"C:\\\\Users\\\\ada\\\\x", r"C:\\\\Users\\\\{}\\\\x"),
    (r"c:\users\ada\x", r"c:\users\{}\x"),
    ("C:/Users/ada/x", "C:/Users/{}/x"),
    ("/mnt/c/Users/ada", "/mnt/c/Users/{}"),
    (r"\/Users\/ada\/x", r"\/Users\/{}\/x"),
    (r'"a\n/home/ada\nb"', r'"a\n/home/{}\nb"'),
    ("/var/home/ada/x", "/var/home/{}/x"),
    ("gcc -I/home/ada/include", "gcc -I/home/{}/include"),
    ("PATH=/home/ada/bin:/usr/bin", "PATH=/home/{}/bin:/usr/bin"),
    ("~/.claude/projects/-Users-ada-work/x", "~/.claude/projects/-Users-{}-work/x"),
    ("https://x.com/go?next=%2Fhome%2Fada%2Fx", "https://x.com/go?next=%2Fhome%2F{}%2Fx"),
    ("https://x.com/go?next=C%3A%5CUsers%5Cada%5Cx", "https://x.com/go?next=C%3A%5CUsers%5C{}%5Cx"),
    ("https://x.com/go/%2Fhome%2Fada%2Fx", "https://x.com/go/%2Fhome%2F{}%2Fx"),
    ("https://x.com/go/C%3A%5CUsers%5Cada%5Cx/y", "https://x.com/go/C%3A%5CUsers%5C{}%5Cx/y"),
    ("%2Fhome%2Fada%2Fx", "%2Fhome%2F{}%2Fx"),
    ("C%3A%5CUsers%5Cada%5Cx", "C%3A%5CUsers%5C{}%5Cx"),
]


def _is(text: str, becomes: str) -> None:
    redactor = Redactor()
    assert redactor.text(text) == becomes
    assert redactor.text(becomes) == becomes
    assert Redactor().text(becomes) == becomes


@pytest.mark.parametrize(("text", "becomes"), EMAILS)
def test_an_address(text: str, becomes: str) -> None:
    _is(text.format(AT), becomes.format(EMAIL))


@pytest.mark.parametrize("number", PHONES)
@pytest.mark.parametrize(
    "around", ["{}", "Call {}.", "tel:{}", '{{"phone":"{}"}}', "phone={}&x=1", "\\n{}\\n", "a {}, b"]
)
def test_a_phone_number(number: str, around: str) -> None:
    _is(around.format(number), around.format(PHONE))


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("1-800-555-0199", "1-{}"),
        ("ring (212) 555-0187 x12", "ring {} x12"),
        ("since 2024-01-01: +44 20 7946 0958 2024-01-01", "since 2024-01-01: {} 2024-01-01"),
        ("my number is 415 555 2671", "my number is {}"),
        ("Call+%2B49+30+901820+now", "Call+{}+now"),
        ("Call+%28415%29+555-2671+now", "Call+{}+now"),
        ("/calls/+14155552671/x", "/calls/{}/x"),
        ("call_+14155552671_1.wav", "call_{}_1.wav"),
        ("+49 30 901820 or +49 30 901820", "{0} or {0}"),
    ],
)
def test_a_phone_number_among_others(text: str, becomes: str) -> None:
    _is(text, becomes.format(PHONE))


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("Phone: 030 901820", "Phone: {}"),
        ("his phone number is 020 7946 0958.", "his phone number is {}."),
        ("Tel.: (030) 901820", "Tel.: {}"),
        ("Telefon: 030/901820", "Telefon: {}"),
        ('{{"phone": "4155552671"}}', '{{"phone": "{}"}}'),
        ('{{"phone_number":"0151 23456789", "n":1}}', '{{"phone_number":"{}", "n":1}}'),
        ("phone=4155552671&n=1", "phone={}&n=1"),
    ],
)
def test_a_number_that_a_word_says_is_one(text: str, becomes: str) -> None:
    _is(text.format(), becomes.format(PHONE))


def test_such_a_number_is_known_from_then_on() -> None:
    redactor = Redactor()
    redactor.text('{"phone": "4155552671"}')
    made = redactor.request(Request("POST", "https://x.example.com/", (), Json({"phone": "4155552671"})))
    assert made.json == {"phone": PHONE}


@pytest.mark.parametrize(
    "text", ["iPhone 14 128 256", "iPhone: 2024-01-01", "phone: 15", "telephone 4155552671 items", "Tel Aviv 1909 2024"]
)
def test_a_word_alone_makes_no_number(text: str) -> None:
    assert Redactor().text(text) is text


@pytest.mark.parametrize(("text", "becomes"), HOMES)
def test_a_home_folder(text: str, becomes: str) -> None:
    _is(text, becomes.format(NAME))


@pytest.mark.parametrize(
    ("value", "placeholder"),
    [("ada.lovelace" + AT + "corp.com", EMAIL), ("+49 30 901820", PHONE), ("415-555-2671", PHONE)],
)
@pytest.mark.parametrize(
    ("encode", "as_long"),
    [
        (str, False),
        (lambda text: quote(text, safe=""), False),
        (quote_plus, False),
        (json.dumps, False),
        (lambda text: json.dumps(json.dumps({"a": text})), False),
        (lambda text: "".join(f"\\u{ord(char):04x}" for char in text), False),
        (lambda text: text.encode().hex(), False),
        (lambda text: base64.b64encode(f"to {text}, as said before".encode()).decode(), True),
        (lambda text: base64.b64encode(base64.b64encode(f"to {text}, as said before".encode())).decode(), True),
    ],
    ids=["raw", "percent", "form", "json", "json-twice", "unicode", "hex", "base64", "base64-twice"],
)
def test_in_any_encoding(value: str, placeholder: str, encode, as_long: bool) -> None:
    text = f"it says {encode(value)} there"
    made = Redactor().text(text)
    assert encode(value) not in made
    if as_long:  # base64 stays base64 of its length
        assert made != text
        assert len(made) == len(text)
    else:
        assert placeholder in made
    assert Redactor().text(made) == made


def test_each_person_has_a_number() -> None:
    text = f"ada{AT}corp.com, bob{AT}corp.com, ada{AT}corp.com; 415-555-2671, 415-555-2672"
    assert Redactor().text(text) == (
        "redacted-email-1@example.com, redacted-email-2@example.com, redacted-email-1@example.com; "
        "00-555-0000001, 00-555-0000002"
    )


NOBODY = [
    "Decimal('+35236450.6'), z +6073641856.9, or (+971/00971/0 prefix, (+65/0065/65 prefix",
    "git" + AT + "github.com:a/b.git", "git+ssh://git" + AT + "github.com/a/b", "noreply" + AT + "anthropic.com",
    "the" + AT + "agent.instructions and carried via" + AT + "agent.tool", "@pytest.mark.convo", r"x\n@app.get('/')",
    "pkg@1.2.3 @types/node@18.0.0 @scope/pkg@1.2", "actions/checkout@v4 python@3.11 image@sha256:abc model@20240229",
    "user@example.com ada@mail.example.org a@b.example x@y.test z@foo.invalid root@localhost",
    "q@k.transpose(1) x@y.to(device) W@x.T a@b.mT logits@w.at[0]", "a @ b, @ada, ada@",
    "https://x.com:8080/icon@2x.png",
    "2024-01-01 12:00:00 1700000000 1700000000000 1700000000.123456", "$1,234,567.89 €415.555.2671",
    "415-555-26715 1415-555-2671 9415-555-2671 415-555-2671-99 415.555.2671.3 id-415-555-2671 a415-555-2671",
    "+1 +1.5 +100 x+1234567890 a+4912345678 UTC+02:00 +0000 +0530", "2024-01-01T00:00:00+00:00 1e+10 6.02e+23",
    "123-456-7890 555-0100 +1 (555) 010-0199 900-555 1.800.555", "sizes 256 512 1024, 300 400 5000",
    "192.168.100.2000 250.300.4000.1 10.500.3000 1.2.3.4", "5ec2e7ed-0000-4001-8000-000000000001",
    "ISBN 978-3-16-148410-0",
    "u9xD8dt99oAd06CuTccC+2262281+ve8czjlwwh7n", "a = +1234567 + 7654321", "00-555-0000001",
    "+4915123456789n +14155552671abc", "+999 123 456 789 +210 555 123 456", "+49123456", "911-555-1234 (411) 555-2671",
    "https://x.com/#/home/overview https://x.com/a,/home/b",
    "https://home/ada https:\\/\\/home\\/ada",
    "https://x.com/home/products /home/index.html GET /home/ /home", "/home/runner/work /home/user/x /Users/Shared/x",
    "src/home/page.tsx app/Users/Services/x.php ~/home/foo ./home/foo", r"App\Users\Models\User",
    "/Users/{id} /Users/2819c223-7f76-453a-919d-413861904646 /Users/42 https://api.x.com/scim/Users/abc",
    "C:\\Users\\Public\\Documents /Users/<name>/x /home/$USER/x",
]  # fmt: skip


@pytest.mark.parametrize("text", NOBODY)
def test_what_is_nobodys_stays(text: str) -> None:
    redactor = Redactor()
    assert redactor.text(text) is text
    assert redactor.text(f"a {text} b") == f"a {text} b"


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        ("email", "ada" + AT + "corp.com"),
        ("phone", "+49 30 901820"),
        ("phone", "415-555-2671"),
        ("user-name", "/home/ada/"),
    ],
)
def test_a_class_may_be_kept(cls: str, text: str) -> None:
    assert Redactor(redact={cls: "keep"}).text(text) is text


BESIDE = ["写信给{}谢谢", "\x1b[31m{}\x1b[0m", "\x1b[01;31m\x1b[K{}\x1b[m\x1b[K", "\\u001b[1;31m{}\\u001b[0m"]


@pytest.mark.parametrize("around", BESIDE, ids=range(len(BESIDE)))
def test_beside_other_scripts_and_colours(around: str) -> None:
    home = ("/home/ada/x", f"/home/{NAME}/x")
    for value, becomes in ((f"ada{AT}corp.com", EMAIL), ("+49 151 23456789", PHONE), ("+4915123456789", PHONE), home):
        assert Redactor().text(around.format(value)) == around.format(becomes)
