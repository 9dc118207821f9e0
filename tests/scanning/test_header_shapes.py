"""Headers in the shapes in which recorders, stub servers and logs write them: what gives access is found in each."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convo_replay import scanning
from scan_cases import write

NAMED = "p9Xw2LrT5vQz8NfK" + "3hYdB7mE"
BASIC = "Basic " + base64.b64encode(b"svc:" + b"Wn4hRt7QzX2c").decode()
SESSION = "session=" + "k3Jd8fQ2mZx7Lw9T" + "; theme=dark"
HEADERS = {"Api-Key": NAMED, "Proxy-Authorization": BASIC, "Cookie": SESSION, "x-rapidapi-key": NAMED[::-1]}
FOUND = {
    ("azure-key", "api-key"),
    ("api-key", "proxy-authorization"),
    ("cookie", "cookie"),
    ("api-key", "x-rapidapi-key"),
}
USUAL = {"Accept": "application/json", **HEADERS}

Made = Callable[[dict[str, str]], Any]


def pair(headers: Any) -> Any:
    return {"request": {"method": "POST", "url": "https://a.example/", "headers": headers}, "response": {"status": 200}}


def lines(given: dict[str, str], end: str = "\r\n", before: str = "") -> str:
    return "".join(f"{before}{name}: {value}{end}" for name, value in given.items())


SHAPES: dict[str, Made] = {
    "mapping": lambda given: pair(given),
    "lists": lambda given: pair({name: [value] for name, value in given.items()}),
    "WireMock": lambda given: pair({name: {"equalTo": value} for name, value in given.items()}),
    "Hoverfly": lambda given: pair({name: [{"matcher": "exact", "value": value}] for name, value in given.items()}),
    "MockServer": lambda given: [{"httpRequest": {"headers": [{"name": n, "values": [v]} for n, v in given.items()]}}],
    "Postman": lambda given: {"item": [{"request": {"header": [{"key": n, "value": v} for n, v in given.items()]}}]},
    ".NET": lambda given: {"Entries": [{"Request": {"Headers": [{"Name": n, "Value": v} for n, v in given.items()]}}]},
    "nock": lambda given: [{"scope": "https://a.example", "response": "{}", "reqheaders": given}],
    "nock, raw": lambda given: [{"response": "{}", "rawHeaders": [part for item in given.items() for part in item]}],
    "pairs": lambda given: pair([[name, value] for name, value in given.items()]),
    "list of lines": lambda given: pair([f"{name}: {value}" for name, value in given.items()]),
    "block": lambda given: pair("POST / HTTP/1.1\r\n" + lines(given)),
    "WSGI": lambda given: {"env": {"HTTP_" + name.upper().replace("-", "_"): value for name, value in given.items()}},
    "lines of JSON": lambda given: [{"ts": 1, "req": {"Headers": given}}, {"ts": 2}],
}
TEXTS: dict[str, Callable[[dict[str, str]], str]] = {
    "curl -v": lambda given: "* Connected\n> POST /v1 HTTP/2\n" + lines(given, "\n", "> ") + "< HTTP/2 200\n",
    "httpcore": lambda given: f"DEBUG send headers={[(n.encode(), v.encode()) for n, v in given.items()]}\n",
    "repr": lambda given: f"DEBUG Request options: {{'url': '/chat', 'headers': {given!r}}}\n",
    "curl -H": lambda given: "curl " + " ".join(f"-H '{n}: {v}'" for n, v in given.items()) + " https://a.example\n",
    "code": lambda given: "send(u, {headers: {" + ", ".join(f"'{n}': '{v}'" for n, v in given.items()) + "}})\n",
    "environ": lambda given: lines({"HTTP_" + n.upper().replace("-", "_"): v for n, v in given.items()}, "\n"),
    "indented": lambda given: "Headers:\n{\n" + lines(given, "\n", "  ") + "}\n",
    "toml": lambda given: "[headers]\n" + "".join(f'"{n}" = "{v}"\n' for n, v in given.items()),
}


def written(value: Any, shape: str) -> bytes:
    if shape == "lines of JSON":
        return "".join(json.dumps(item) + "\n" for item in value).encode()
    return json.dumps(value, indent=1).encode()


@pytest.mark.parametrize("shape", SHAPES)
def test_headers_are_found_in_each_shape(shape: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", written(SHAPES[shape](USUAL), shape))
    hits = scanning.scan(file, environ={}).findings
    found = {(hit.cls, re.sub(r".*headers\W+|\W+$", "", hit.path)) for hit in hits}
    if shape == "lines of JSON":  # the lines are searched as text, too, where a name beside a value tells
        assert {name for _, name in found} >= {name for _, name in FOUND}
    else:
        assert found == FOUND
    text = file.read_text().split("\n")
    for hit in hits:
        assert hit.severity == "error"
        assert any(value[:9] in text[hit.line - 1] for value in HEADERS.values()), (hit, text[hit.line - 1])


@pytest.mark.parametrize("shape", TEXTS)
def test_headers_are_found_in_texts(shape: str, tmp_path: Path) -> None:
    for name, value in HEADERS.items():
        text = TEXTS[shape]({"Accept": "application/json", name: value})
        hits = scanning.scan(write(tmp_path / "a.log", text.encode()), environ={}).findings
        assert [hit.severity for hit in hits] == ["error"], name
        assert name[:4] in text.split("\n")[hits[0].line - 1] or shape == "environ"


@pytest.mark.parametrize("shape", [*SHAPES, *TEXTS])
def test_masks_and_words_are_no_findings_in_any_shape(shape: str, tmp_path: Path) -> None:
    masked = {"Api-Key": "***", "Proxy-Authorization": "Basic [REDACTED]", "Cookie": "FILTERED", "x-next-key": "a-word"}
    given = {"Accept": "application/json", "Idempotency-Key": "5f0c9a52-8d1e-4b77-9c60-5e2d41ab73f8", **masked}
    data = TEXTS[shape](given).encode() if shape in TEXTS else written(SHAPES[shape](given), shape)
    assert scanning.scan(write(tmp_path / "a.json", data), environ={}).failing == []


PROSE = [
    "Set the header `Authorization: Bearer <your token>`, or `X-Api-Key: your-api-key-here`.",
    "Authorization: Bearer $OPENAI_API_KEY",
    "token: count, key: value, secret: false",
    "The Cookie: header holds name=value pairs, e.g. session=abc.",
    "authorization: basic credentials are sent as user:password",
    "cache-key: 3f0c9a528d1e4b779c605e2d41ab73f8",
    "keys = [key, author, authority]; author: ada-lovelace-1815-1852",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_about_headers_is_none(text: str, tmp_path: Path) -> None:
    assert scanning.scan(write(tmp_path / "a.md", text.encode()), environ={}).failing == []


def test_what_stands_between_headers_is_looked_at_too(tmp_path: Path) -> None:
    key = "sk-ant-api03-" + "Ex4mple" * 13
    for headers in ({"X-A": {"odd": f"see {key}"}}, [f"X-A {key}"], f"GET /?a={key} HTTP/1.1\r\nAccept: */*\r\n"):
        hits = scanning.scan(write(tmp_path / "a.json", json.dumps(pair(headers)).encode()), environ={}).findings
        assert [hit.cls for hit in hits] == ["anthropic-key"]


def archive(**lists: Any) -> dict[str, Any]:
    """A HAR archive with one entry; `request_cookies=[…]` says what stands where."""
    entry: dict[str, Any] = {
        "request": {"method": "GET", "url": "https://a.example/", "headers": [], "queryString": [], "cookies": []},
        "response": {"status": 200, "headers": [], "cookies": [], "content": {"text": "{}"}},
    }
    for place, value in lists.items():
        side, _, key = place.partition("_")
        entry[side][key] = value
    return {"log": {"version": "1.2", "entries": [entry]}}


BESIDE = {
    "query": (archive(request_queryString=[{"name": "api_key", "value": NAMED}]), "api-key"),
    "query, signature": (archive(request_queryString=[{"name": "sig", "value": NAMED}]), "url-signature"),
    "cookies sent": (archive(request_cookies=[{"name": "session", "value": NAMED, "httpOnly": True}]), "cookie"),
    "cookies set": (archive(response_cookies=[{"name": "sid", "value": NAMED}]), "cookie"),
    "form": (archive(request_postData={"params": [{"name": "client_secret", "value": NAMED}]}), "api-key"),
    "Postman": ({"auth": {"bearer": [{"key": "token", "value": NAMED}]}, "header": [USUAL["Accept"]]}, "named-secret"),
}


@pytest.mark.parametrize("place", BESIDE)
def test_a_value_beside_its_name(place: str, tmp_path: Path) -> None:
    value, cls = BESIDE[place]
    value = {"headers": {"accept": "*/*"}, **value}
    for text, found in ((json.dumps(value), [cls]), (json.dumps(value).replace(NAMED, "your-key-here"), [])):
        hits = scanning.scan(write(tmp_path / "a.har", text.encode()), environ={}).failing
        assert [hit.cls for hit in hits] == found
        assert all(hit.path.lower().endswith(".value") for hit in hits)


def test_a_name_beside_a_value_is_no_secret(tmp_path: Path) -> None:
    query = [{"name": "page_token", "value": NAMED}, {"name": "model", "value": NAMED}, {"name": "key", "value": "a"}]
    cookies = [{"name": "theme", "value": "dark-and-stormy"}]
    value = archive(request_queryString=query, request_cookies=cookies)
    assert scanning.scan(write(tmp_path / "a.har", json.dumps(value).encode()), environ={}).failing == []
