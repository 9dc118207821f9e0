"""Headers and URLs: what stays, what becomes a placeholder, what goes; and what is learned from them."""

from __future__ import annotations

import base64

import pytest

from convo_replay.exchange import Binary, Head, Headers, Json, Request, Text
from convo_replay.redaction import Redactor

KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
GONE = [
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization", "user-agent", "host",
    "x-amz-security-token", "x-amz-date", "x-stainless-os", "x-stainless-retry-count", "accept", "accept-encoding",
    "connection", "content-length", "idempotency-key", "http-referer", "x-title", "anything-else",
]  # fmt: skip
KEPT = [("anthropic-version", "2026-10-21"), ("anthropic-beta", "a-2026-01-01,b-2026-02-02"), ("openai-beta", "x=v2")]
IDS = [
    ("openai-organization", "org-A1b2C3d4E5f6G7h8I9j0K1l2", "redacted-openai-organization-1"),
    ("openai-organization", "acme", "redacted-openai-organization-1"),
    ("openai-project", "proj_A1b2C3d4E5f6G7h8I9j0K1l2", "redacted-openai-project-1"),
    ("anthropic-workspace-id", "wrkspc_01A", "redacted-workspace-id-1"),
    ("anthropic-user-profile-id", "uprof_01A", "redacted-user-profile-id-1"),
    ("x-goog-user-project", "acme-123456", "redacted-gcp-project-1"),
]


def _request(*headers: tuple[str, str], url: str = "https://api.example.com/v1/messages", body=None) -> Request:
    return Request("POST", url, headers, body)


def _response(redactor: Redactor, headers: Headers) -> Headers:
    (head,) = redactor.steps((Head(200, headers),))
    assert isinstance(head, Head)
    return head.headers


@pytest.mark.parametrize("name", GONE)
def test_request_headers_that_go(name: str) -> None:
    assert Redactor().request(_request((name, "value-123456"), *KEPT)).headers == tuple(KEPT)


@pytest.mark.parametrize(("name", "value", "placeholder"), IDS)
def test_ids_become_placeholders(name: str, value: str, placeholder: str) -> None:
    assert Redactor().request(_request((name, value))).headers == ((name, placeholder),)
    assert Redactor().request(_request((name, placeholder))).headers == ((name, placeholder),)


@pytest.mark.parametrize(
    ("body", "stays"), [(Json({}), False), (None, False), (Text("a=b"), True), (Binary(b"\0"), True)]
)
def test_a_request_keeps_its_type_only_where_the_body_does_not_say_it(body, stays: bool) -> None:
    redacted = Redactor().request(_request(("content-type", "text/x"), body=body))
    assert redacted.headers == ((("content-type", "text/x"),) if stays else ())


def test_response_headers() -> None:
    kept = (
        ("content-type", "text/event-stream; charset=utf-8"),
        ("retry-after", "2"), ("retry-after-ms", "1500"), ("x-should-retry", "true"),
        ("anthropic-ratelimit-requests-remaining", "49"), ("anthropic-ratelimit-tokens-reset", "2026-11-22T10:00:00Z"),
        ("anthropic-priority-input-tokens-limit", "1"), ("anthropic-fast-input-tokens-limit", "1"),
        ("x-ratelimit-reset-tokens", "6ms"), ("openai-version", "2020-10-01"), ("openai-processing-ms", "120"),
        ("x-amzn-errortype", "ThrottlingException"), ("warning", "299"), ("warning", "199"),
    )  # fmt: skip
    gone = (
        ("set-cookie", "__cf_bm=abc.def-123456789; path=/"), ("cf-ray", "8c1d-CDG"), ("server", "cloudflare"),
        ("content-encoding", "gzip"), ("content-length", "12"), ("transfer-encoding", "chunked"), ("via", "1.1 google"),
        ("date", "Sun, 22 Nov 2026 10:00:00 GMT"), ("x-litellm-model-id", "abc"), ("strict-transport-security", "x"),
    )  # fmt: skip
    ids = (
        ("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"),
        ("anthropic-organization-id", "a1b2c3d4-0000-4000-8000-0123456789ab"),
    )
    assert _response(Redactor(), kept + gone + ids) == (
        *kept, ("request-id", "redacted-request-id-1"), ("anthropic-organization-id", "redacted-organization-id-1"),
    )  # fmt: skip


def test_a_location_is_a_url() -> None:
    location = "https://ada:s3cret@x.example.com/a?key=abc&page=2"
    assert _response(Redactor(), (("location", location),)) == (
        ("location", "https://redacted-url-userinfo-1@x.example.com/a?key=redacted-url-key-1&page=2"),
    )


@pytest.mark.parametrize(
    ("header", "secret", "cls"),
    [
        (("authorization", f"Bearer {KEY}"), KEY, "anthropic-key"),
        (("authorization", "Bearer sk-1234"), "", ""),
        (("Authorization", "Bearer sk-litellm-master"), "sk-litellm-master", "api-key"),
        (("authorization", "raw-token-0123"), "raw-token-0123", "api-key"),
        (("authorization", "Basic " + base64.b64encode(b"ada:opensesame").decode()), "opensesame", "password"),
        (("x-api-key", "my-own-key-1"), "my-own-key-1", "api-key"),
        (("x-goog-api-key", "AIza" + "x1Y2z3W" * 5), "AIza" + "x1Y2z3W" * 5, "google-key"),
        (("x-acme-token", "acme/token/1"), "acme/token/1", "api-key"),
        (("cookie", "theme=dark; sid=0123456789abcdef0"), "0123456789abcdef0", "cookie"),
        (("openai-organization", "org-slug-long-enough-1"), "org-slug-long-enough-1", "openai-organization"),
    ],
)
def test_a_credential_of_a_header_is_known_in_every_text(header: tuple[str, str], secret: str, cls: str) -> None:
    redactor = Redactor()
    redactor.learn_request(_request(header))
    if secret:
        assert redactor.text(f"<{secret}>") == f"<redacted-{cls}-1>"
    else:
        assert redactor.text("it is sk-1234") == "it is sk-1234"


@pytest.mark.parametrize(
    "value",
    ["Bearer sk-convo-replay-stand-in", "convo-replay-stand-in", "Bearer placeholder", "Bearer redacted-api-key-1"],
)
def test_stand_ins_and_dummies_are_not_learned(value: str) -> None:
    redactor = Redactor()
    redactor.learn_request(_request(("authorization", value), ("x-api-key", value)))
    text = f"<{value}> placeholder"
    assert redactor.text(text) == text


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://api.example.com/v1/messages?beta=true", "https://api.example.com/v1/messages?beta=true"),
        ("https://g.example.com/v1/m:go?alt=sse&key=abc", "https://g.example.com/v1/m:go?alt=sse&key=redacted-url-key-1"),
        ("https://g.example.com/?key=redacted-url-key-4", "https://g.example.com/?key=redacted-url-key-4"),
        ("https://ada:pw@g.example.com/", "https://redacted-url-userinfo-1@g.example.com/"),
        ("https://g.example.com/?access_token=a%2Fb#top", "https://g.example.com/?access_token=redacted-url-key-1#top"),
        ("https://s3.example.com/o?X-Amz-Signature=ab&X-Amz-Date=1", "https://s3.example.com/o?X-Amz-Signature=redacted-url-key-1&X-Amz-Date=1"),
        ("https://g.example.com/?max_tokens=12&monkey=1&q", "https://g.example.com/?max_tokens=12&monkey=1&q"),
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
def test_urls(url: str, redacted: str) -> None:
    assert Redactor().request(_request(url=url)).url == redacted
    assert Redactor().request(_request(url=redacted)).url == redacted


def test_which_key_was_live_does_not_show_in_a_url() -> None:
    urls = {
        Redactor().request(_request(url=f"https://g.example.com/?key={key}")).url
        for key in (KEY, "AIza" + "x1Y2z3W" * 5, "convo-replay-stand-in")
    }
    assert urls == {"https://g.example.com/?key=redacted-url-key-1"}


def test_an_mcp_token_in_the_body_is_known() -> None:
    body = {
        "mcp_servers": [{"type": "url", "url": "https://mcp.example.com", "authorization_token": "mcp-token-77"}],
        "tools": [{"type": "mcp", "headers": {"X-Api-Key": "tool-key-88", "X-Mode": "custom-mode-value"}}],
        "messages": [{"role": "user", "content": "mcp-token-77 tool-key-88 custom-mode-value"}],
    }
    redacted = Redactor().request(_request(body=Json(body))).json
    assert redacted["messages"][0]["content"] == "redacted-api-key-2 redacted-api-key-1 custom-mode-value" or (
        redacted["messages"][0]["content"] == "redacted-api-key-1 redacted-api-key-2 custom-mode-value"
    )
    assert "mcp-token-77" not in str(redacted)


def test_a_request_id_in_the_body_of_its_response_goes_with_the_header() -> None:
    from convo_replay.exchange import Chunk, End

    uuid = "0b1f9a3c-1111-4222-8333-944455556666"
    body = f'{{"error":{{"message":"failed (request id: {uuid})"}}}}'.encode()
    made = Redactor().steps((Head(500, (("x-request-id", uuid),)), Chunk(0.1, body), End()))
    assert made[1] == Chunk(0.1, b'{"error":{"message":"failed (request id: redacted-request-id-1)"}}')
