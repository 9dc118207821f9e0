"""Headers and URLs: what stays, what becomes a placeholder, what goes; and what is learned from them."""

from __future__ import annotations

import base64

import pytest

from convo_replay.exchange import Binary, Head, Headers, Json, Request, Text
from convo_replay.redaction import Redactor, headers
from convo_replay.redaction.placeholders import make

KEY = "sk-ant-api03-" + "x1Y2z3W4" * 11
GONE = [
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization", "user-agent", "host",
    "x-amz-security-token", "x-amz-date", "x-stainless-os", "x-stainless-retry-count", "accept", "accept-encoding",
    "connection", "content-length", "idempotency-key", "http-referer", "x-title", "anything-else",
]  # fmt: skip
KEPT = [("anthropic-version", "2026-10-21"), ("anthropic-beta", "a-2026-01-01,b-2026-02-02"), ("openai-beta", "x=v2")]
IDS = [
    ("openai-organization", "org-A1b2C3d4E5f6G7h8I9j0K1l2", "org-REDACTED1"),
    ("openai-organization", "acme", "org-REDACTED1"),
    ("openai-project", "proj_A1b2C3d4E5f6G7h8I9j0K1l2", "proj_REDACTED1"),
    ("anthropic-workspace-id", "wrkspc_01A", "wrkspc_REDACTED1"),
    ("anthropic-user-profile-id", "uprof_01A", "uprof_REDACTED1"),
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
        *kept, ("request-id", "req_REDACTED1"), ("anthropic-organization-id", "5ec2e7ed-0000-4001-8000-000000000001"),
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
        assert redactor.text(f"<{secret}>") == f"<{make(cls, 1)}>"
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


def test_a_request_id_in_the_body_of_its_response_goes_with_the_header() -> None:
    from convo_replay.exchange import Chunk, End

    uuid = "0b1f9a3c-1111-4222-8333-944455556666"
    body = f'{{"error":{{"message":"failed (request id: {uuid})"}}}}'.encode()
    made = Redactor().steps((Head(500, (("x-request-id", uuid),)), Chunk(0.1, body), End()))
    assert made[1] == Chunk(0.1, b'{"error":{"message":"failed (request id: 5ec2e7ed-0000-4002-8000-000000000001)"}}')


CLASSES = [
    (
        "api-key",
        "authorization x-api-key X-Goog-Api-Key proxy-authorization x-acme-token x-webhook-signature helicone-auth",
    ),
    ("azure-key", "api-key ocp-apim-subscription-key"),
    ("aws-session-token", "x-amz-security-token"),
    ("cookie", "cookie Set-Cookie"),
    ("cf-ray", "cf-ray x-amz-cf-id llm_provider-cf-ray"),
    (
        "machine",
        "user-agent x-stainless-os x-stainless-lang x-goog-api-client x-forwarded-for cf-connecting-ip x-real-ip",
    ),
    ("rate-limit", "anthropic-ratelimit-tokens-limit x-ratelimit-reset-requests ratelimit-policy anthropic-priority-x"),
    (
        "request-id",
        "request-id x-request-id x-amzn-requestid apim-request-id x-ms-client-request-id amz-sdk-invocation-id"
        " traceparent x-amzn-trace-id mistral-correlation-id x-generation-id requestid"
        " mcp-session-id llm_provider-x-request-id",
    ),
    ("organization-id", "anthropic-organization-id x-databricks-org-id x-crewai-organization-id"),
    ("openai-organization", "openai-organization llm_provider-openai-organization"),
    ("openai-project", "openai-project"),
    ("workspace-id", "anthropic-workspace-id"),
    ("account-id", "chatgpt-account-id x-account-id x-tenant-id"),
    ("user-id", "x-user-id helicone-user-id x-user-email"),
    ("gcp-project", "x-goog-user-project"),
    (
        None,
        "content-type anthropic-version server date via location www-authenticate idempotency-key x-cache-key host"
        " access-control-allow-credentials access-control-allow-headers x-time-per-token accept"
        " x-amzn-bedrock-input-token-count retry-after sec-websocket-key content-length",
    ),
]


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for cls, names in CLASSES for name in names.split()])
def test_the_class_of_a_header(name: str, cls: str | None) -> None:
    assert headers.class_of(name, response=True) == cls


@pytest.mark.parametrize(
    ("redact", "given", "kept"),
    [
        ({"machine": "keep"}, ("x-stainless-os", "Linux"), ("x-stainless-os", "Linux")),
        (
            {"machine": "keep"},
            ("user-agent", "me/1 ada" + "@corp.com"),
            ("user-agent", "me/1 redacted-email-1@example.com"),
        ),
        ({"machine": "placeholder"}, ("x-stainless-os", "Linux"), ("x-stainless-os", "redacted-machine-1")),
        ({"cf-ray": "keep"}, ("cf-ray", "8c1d-CDG"), ("cf-ray", "8c1d-CDG")),
        ({"rate-limit": "drop"}, ("x-ratelimit-reset-tokens", "6ms"), None),
        ({"rate-limit": "placeholder"}, ("x-ratelimit-reset-tokens", "6ms"), "redacted-rate-limit-1"),
        ({"request-id": "drop"}, ("request-id", "req_1"), None),
        ({"request-id": "keep"}, ("request-id", "req_1"), ("request-id", "req_1")),
        ({"request-id": "keep"}, ("traceparent", "00-1-2-01"), ("traceparent", "00-1-2-01")),
        ({"organization-id": "keep"}, ("anthropic-organization-id", "a-b"), ("anthropic-organization-id", "a-b")),
        ({}, ("traceparent", "00-1-2-01"), None),
        ({}, ("x-user-id", "ada"), None),
        ({"user-id": "keep"}, ("x-user-id", "ada"), ("x-user-id", "ada")),
    ],
)
def test_what_becomes_of_a_class_is_the_users_to_say(redact, given: tuple[str, str], kept) -> None:
    redactor = Redactor(redact=redact)
    expected = () if kept is None else ((given[0], kept) if isinstance(kept, str) else kept,)
    made = _response(redactor, (given,))
    assert made == expected
    assert _response(Redactor(redact=redact), made) == made


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key", "x-amz-security-token", "x-acme-token"])
def test_no_setting_keeps_a_credential(name: str) -> None:
    redactor = Redactor(redact={"api-key": "keep", "azure-key": "keep", "aws-session-token": "keep"})
    assert redactor.request(_request((name, "value-123456"))).headers == ()
