"""Recordings in shapes that nobody has shown us: other recorders, other vendors, other spellings of headers, logs.

Each is made with planted values or without any, so that what `scan` has to say of it is known.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import yaml

HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Planted:
    """A made-up value, the header it travels in, and the classes that name it rightly."""

    value: str
    header: str
    classes: frozenset[str]


def _planted(value: str, header: str, *classes: str) -> Planted:
    return Planted(value, header, frozenset(classes))


SECRETS: dict[str, Planted] = {
    "an Anthropic key": _planted("sk-ant-api03-" + "Zx9Kq2Lm" * 11 + "AA", "X-Api-Key", "anthropic-key"),
    "an OpenAI key": _planted("sk-proj-" + "pQ7rT2vW9y" * 6, "Authorization", "openai-key"),
    "a key of a gateway": _planted("sk-" + "h4J8k1M5n9P3q7R2" * 3, "AUTHORIZATION", "gateway-key"),
    "a Google key": _planted("AIza" + "Sy7Dk3Qm9" * 3 + "Xv2Bn5Lp", "x-goog-api-key", "google-key"),
    "an AWS key id": _planted("AKIA" + "Q3EGU5LM7ZT2WXYN", "X-Aws-Key-Id", "aws-key-id"),
    "a JWT": _planted("eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI0MjQyNDIiLCJpc3MiOiJ4In0.c2lnbmVkLWJ5LW1lLTEyMw",
                      "Proxy-Authorization", "jwt"),
    "a GitHub token": _planted("ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6", "X-GitHub-Token", "github-token"),
    "a Slack token": _planted("xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKlMnOpQrSt", "X-Slack", "slack-token"),
    "a Hugging Face token": _planted("hf_" + "QwErTyUiOpAsDfGhJkLzXcVbNmQwErTyUi", "X-HF", "huggingface-token"),
    "a Groq key": _planted("gsk_" + "T7yU3iO9pA2sD5fG8hJ1kL4zX6cV0bN3mQ7wE2rT5yU8iO1pA4sD", "X-Groq", "groq-key"),
    "a Stripe key": _planted("sk_live_" + "51HqLyjWDarjtT1zdp7dcXyZ9", "Stripe-Key", "stripe-key"),
    "an organization": _planted("org-" + "k3Lm9QrT2vXy7ZaB4cDe6FgH", "OpenAI-Organization", "openai-organization"),
    "a project of OpenAI": _planted("proj_" + "W8nB3vC6xZ1mK4jH7gF2dS5a", "openai-project", "openai-project"),
    "an id of a request": _planted("req_" + "011CSq8kPm3Zt6Wv9YbNcXdE", "Request-Id", "request-id"),
    "an e-mail address": _planted("grace.hopper@navy-compilers.com", "From", "email"),
    "a home directory": _planted("/home/ghopper/projects/cobol", "X-Cwd", "user-name"),
}  # fmt: skip
HARMLESS: dict[str, str] = {
    "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "mail": "someone@example.com",
    "version": "openai@4.77.0, 1.2.3.4",
    "note": "risk-averse, sk-learn, task-12, ask for your token; the password is required",
    "when": "2026-03-04T05:06:07Z 1755523902123",
    "used": '{"max_tokens": 1024, "prompt_tokens": 1755523902}',
    "model": "mistral-large-2411",
}
"""What stands in every file, and is nobody's."""

Values = Mapping[str, Planted]


def _headers(values: Values) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        **{one.header: f"Bearer {one.value}" if "auth" in one.header.lower() else one.value for one in values.values()},
    }


def _body(values: Values) -> dict[str, object]:
    said = "; ".join(f"{kind}: {one.value}" for kind, one in values.items())
    return {"model": "mistral-large-2411", "input": f"Remember this. {said}.", "seen": dict(HARMLESS)}


def _answer(values: Values) -> dict[str, object]:
    return {"id": "cmpl-1", "choices": [{"message": {"content": [f"It was {one.value}" for one in values.values()]}}],
            "seen": dict(HARMLESS)}  # fmt: skip


def _pairs(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


URL = "https://api.mistral.ai/v1/chat/completions"


def har(values: Values) -> str:
    """An HTTP archive, as browsers and Polly.js write it."""
    request = {"method": "POST", "url": URL, "httpVersion": "HTTP/1.1", "headers": _pairs(_headers(values)),
               "postData": {"mimeType": "application/json", "text": json.dumps(_body(values))}}  # fmt: skip
    response = {"status": 200, "headers": _pairs({"content-type": "application/json"}),
                "content": {"mimeType": "application/json", "text": json.dumps(_answer(values))}}  # fmt: skip
    entry = {"startedDateTime": HARMLESS["when"][:20], "request": request, "response": response}
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}}, indent=2)


def har_base64(values: Values) -> str:
    """The same, with the answer in base64."""
    archive = json.loads(har({}))
    text = base64.b64encode(json.dumps(_answer(values)).encode()).decode()
    archive["log"]["entries"][0]["response"]["content"] = {"encoding": "base64", "text": text}
    return json.dumps(archive)


def ruby_vcr_json(values: Values) -> str:
    """Ruby's VCR with its JSON serializer."""
    spread = {name: [value] for name, value in _headers(values).items()}
    request = {"method": "post", "uri": URL, "headers": spread,
               "body": {"encoding": "UTF-8", "string": json.dumps(_body(values))}}  # fmt: skip
    response = {"status": {"code": 200, "message": "OK"}, "headers": {"Content-Type": ["application/json"]},
                "body": {"encoding": "UTF-8", "string": json.dumps(_answer(values))}}  # fmt: skip
    return json.dumps({"http_interactions": [{"request": request, "response": response}], "recorded_with": "VCR 6.2.0"})


def flow_yaml(values: Values) -> str:
    """A cassette of vcrpy that somebody wrote in flow style."""
    request = {"method": "POST", "uri": URL, "headers": {k: [v] for k, v in _headers(values).items()},
               "body": json.dumps(_body(values))}  # fmt: skip
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {},
        "body": {"string": json.dumps(_answer(values))},
    }
    whole = {"version": 1, "interactions": [{"request": request, "response": response}]}
    return yaml.safe_dump(whole, default_flow_style=True, width=100)


def betamax(values: Values) -> str:
    """Betamax: bodies in base64, header values in lists."""
    sent, came = (base64.b64encode(json.dumps(one).encode()).decode() for one in (_body(values), _answer(values)))
    request = {"method": "POST", "uri": URL, "headers": {k: [v] for k, v in _headers(values).items()},
               "body": {"encoding": "utf-8", "base64_string": sent}}  # fmt: skip
    response = {"status": {"code": 200, "message": "OK"}, "body": {"encoding": None, "base64_string": came}}
    return json.dumps({"http_interactions": [{"request": request, "response": response}], "recorded_with": "betamax"})


def nock(values: Values) -> str:
    """nock for Node.js: headers as one list of names and values."""
    raw = [text for pair in _headers(values).items() for text in pair]
    return json.dumps(
        [{"scope": "https://api.mistral.ai:443", "method": "POST", "path": "/v1/chat/completions", "status": 200,
          "body": _body(values), "reqheaders": _headers(values), "response": _answer(values), "rawHeaders": raw}],
        indent=2,
    )  # fmt: skip


def wiremock(values: Values) -> str:
    """A stub mapping of WireMock."""
    return json.dumps({
        "request": {"url": "/v1/chat/completions", "method": "POST",
                    "headers": {name: {"equalTo": value} for name, value in _headers(values).items()},
                    "bodyPatterns": [{"equalToJson": json.dumps(_body(values))}]},
        "response": {"status": 200, "jsonBody": _answer(values)},
    })  # fmt: skip


def curl_log(values: Values) -> str:
    """What `curl -v` prints."""
    sent = "".join(f"> {name}: {value}\n" for name, value in _headers(values).items())
    return (
        f"*   Trying 127.0.0.1:443\n* Connected to localhost\n> POST /v1/chat/completions HTTP/2\n> Host: localhost\n"
        f"{sent}> \n{json.dumps(_body(values))}\n< HTTP/2 200 \n< content-type: application/json\n< \n"
        f"{json.dumps(_answer(values))}\n"
    )


def curl_command(values: Values) -> str:
    """Commands in a note."""
    sent = " \\\n".join(f"  -H '{name}: {value}'" for name, value in _headers(values).items())
    return f"# How it was recorded\n\n```sh\ncurl {URL} \\\n{sent} \\\n  -d '{json.dumps(_body(values))}'\n```\n"


def python_log(values: Values) -> str:
    """A debug log of an HTTP library."""
    return (
        f"DEBUG:openai._base_client:Request options: {{'method': 'post', 'headers': {_headers(values)!r}, "
        f"'json_data': {_body(values)!r}}}\nDEBUG:httpx:HTTP Request: POST {URL} \"HTTP/1.1 200 OK\"\n"
        f"DEBUG:app:answer {json.dumps(_answer(values))}\n"
    )


def json_lines(values: Values) -> str:
    """A trace, one span in a line, the bodies in strings."""
    spans = [
        {
            "span": "request",
            "attributes": {"http.request.headers": _headers(values), "body": json.dumps(_body(values))},
        },
        {"span": "response", "attributes": {"body": json.dumps(json.dumps(_answer(values)))}},
    ]
    return "".join(json.dumps(span) + "\n" for span in spans)


def split_stream(values: Values) -> str:
    """A bare stream in which every value comes in pieces of five characters."""
    text = "; ".join(one.value for one in values.values()) + "; " + HARMLESS["note"]
    events = [{"choices": [{"index": 0, "delta": {"content": text[at : at + 5]}}]} for at in range(0, len(text), 5)]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def raw_http(values: Values) -> str:
    """Messages as they are on the wire."""
    sent = "".join(f"{name}: {value}\r\n" for name, value in _headers(values).items())
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{sent}\r\n{json.dumps(_body(values))}\r\n\r\n"
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{json.dumps(_answer(values))}\r\n"
    )


def toml_fixture(values: Values) -> str:
    """A fixture in a format that nobody parses."""
    lines = [f'"{name.lower()}" = "{value}"' for name, value in _headers(values).items()]
    return "[request.headers]\n" + "\n".join(lines) + f"\n\n[request]\nbody = '''{json.dumps(_body(values))}'''\n"


SHAPES: dict[str, tuple[str, Callable[[Values], str]]] = {
    "HAR": ("a.har", har),
    "HAR in base64": ("a.har", har_base64),
    "Ruby VCR": ("a.json", ruby_vcr_json),
    "YAML in flow style": ("a.yaml", flow_yaml),
    "Betamax": ("a.json", betamax),
    "nock": ("a.json", nock),
    "WireMock": ("mapping.json", wiremock),
    "curl -v": ("a.log", curl_log),
    "a curl command": ("NOTES.md", curl_command),
    "a Python log": ("debug.log", python_log),
    "JSON lines": ("spans.jsonl", json_lines),
    "a stream in pieces": ("a.sse", split_stream),
    "raw HTTP": ("a.http", raw_http),
    "TOML": ("a.toml", toml_fixture),
}
"""File name and text, by what it is."""
