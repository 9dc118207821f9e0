"""Headers: an allow-list. What is not named here does not reach the cassette.

Kept: what a client acts upon (retry, rate limits, content type, deprecation) or what decides whether a
request is valid (API version, betas). Ids of requests, organizations, projects become placeholders, so
that their presence can be tested. Dropped: everything else, credentials and cookies first
(authorization, x-api-key, cookie, set-cookie), what names the machine (user-agent, x-stainless-*), the
edge (cf-ray, via, server), and what describes an encoding of the body that the cassette does not have
(content-encoding, content-length, transfer-encoding).

Sources: protocol.md §4.3 and §5; recorded traffic.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator

from convo_replay.exchange import Binary, Blob, Body, Headers, Text
from convo_replay.redaction.placeholders import PLACEHOLDER
from convo_replay.standins import STAND_IN

REQUEST_KEPT = frozenset({
    "anthropic-version",  # decides which validation rules apply
    "anthropic-beta",  # decides which fields and blocks are valid
    "openai-beta",
    "x-amz-target",  # the operation, where the URL does not say it
    "prefer",
    "range",
})  # fmt: skip
# A JSON or multipart body says what it is; the type of anything else would be lost.
_REQUEST_TYPE = "content-type"

RESPONSE_KEPT = frozenset({
    "content-type",
    "retry-after", "retry-after-ms", "x-should-retry",  # both SDKs' retry policy reads them
    "location", "www-authenticate", "allow",
    "openai-version", "openai-processing-ms", "openai-model", "anthropic-version",
    "content-disposition", "content-range", "accept-ranges",
    "deprecation", "sunset", "warning",
    "x-amzn-errortype",  # names the exception class in AWS clients
})  # fmt: skip
RESPONSE_KEPT_PREFIXES = (
    "anthropic-ratelimit-",
    "anthropic-priority-",
    "anthropic-fast-",
    "x-ratelimit-",
    "ratelimit-",
    "x-amzn-bedrock-",  # token counts, latency
)

IDS = {
    "request-id": "request-id",
    "x-request-id": "request-id",
    "x-amzn-requestid": "request-id",
    "apim-request-id": "request-id",
    "x-generation-id": "request-id",
    "x-litellm-call-id": "request-id",
    "x-oneapi-request-id": "request-id",
    "anthropic-organization-id": "organization-id",
    "anthropic-workspace-id": "workspace-id",
    "anthropic-user-profile-id": "user-profile-id",
    "openai-organization": "openai-organization",
    "openai-project": "openai-project",
    "x-goog-user-project": "gcp-project",
}
"""Header → class of the placeholder that stands for its whole value."""

_CREDENTIAL = re.compile(r"auth|api-?key|token|secret|password|credential|(?:^|-)key$", re.IGNORECASE)
_NO_CREDENTIAL = re.compile(r"ratelimit|priority|anthropic-fast|bedrock|token-count|idempotency|tokens", re.IGNORECASE)
_TELLING = frozenset({"cookie", "set-cookie", "cf-ray", "user-agent"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\s+(?=\S)")
LEAST = 8
_NO_SECRETS = frozenset({
    "placeholder", "anything", "dummy-key", "dummykey", "dummy_key", "test-key", "test_key", "testkey", "fake-key",
    "fake_key", "fakekey", "not-needed", "not_needed", "notneeded", "not-used", "not_used", "no-key-required",
    "unused-key", "unused_key", "your-api-key", "your_api_key", "api-key", "api_key", "lm-studio", "ollama-key",
    "undefined", "[filtered]", "[redacted]", "redacted", "filtered", "<redacted>", "<filtered>", "scrubbed",
    "masked",
})  # fmt: skip


def kept(name: str, body: Body, *, response: bool) -> bool:
    """Whether the header's value is written (its text redacted like any other)."""
    if response:
        return name in RESPONSE_KEPT or name.startswith(RESPONSE_KEPT_PREFIXES)
    if name == _REQUEST_TYPE:
        return isinstance(body, (Text, Binary, Blob))
    return name in REQUEST_KEPT


def tells(name: str) -> bool:
    """Whether a header gives away who or where: one that may not be in a cassette, whoever put it there."""
    if name in _TELLING or name.startswith("x-stainless-"):
        return True
    return _CREDENTIAL.search(name) is not None and _NO_CREDENTIAL.search(name) is None


def credentials(headers: Headers) -> Iterator[tuple[str, str]]:
    """Pairs (value, class) of what `headers` carry that is a secret wherever else it appears.

    Authorization schemes are stripped, the password of a Basic one is a value of its own, stand-ins
    and values under 8 characters are none.
    """
    for name, value in headers:
        name = name.lower()
        if name in IDS or kept(name, None, response=False) or kept(name, None, response=True):
            continue
        if name in ("cookie", "set-cookie"):
            pairs = value.split(";") if name == "cookie" else [value.partition(";")[0]]
            found = [(pair.partition("=")[2].strip().strip('"'), "cookie") for pair in pairs]
            yield from ((text, cls) for text, cls in found if len(text) >= 16 and is_secret(text))
        elif _CREDENTIAL.search(name) and not _NO_CREDENTIAL.search(name):
            yield from ((text, cls) for text, cls in _authorization(value.strip()) if is_secret(text))


def is_secret(text: str) -> bool:
    """Whether a value at a credential's place is worth looking for elsewhere."""
    return (
        len(text) >= LEAST
        and STAND_IN not in text
        and text.strip("'\"").lower() not in _NO_SECRETS
        and PLACEHOLDER.search(text) is None
        and len(set(text)) > 2
    )


def is_distinctive(text: str) -> bool:
    """Whether an identifier can be looked for in texts without hitting words: long, with a digit."""
    return len(text) >= 16 and any(c.isdigit() for c in text) and is_secret(text)


def _authorization(value: str) -> Iterator[tuple[str, str]]:
    scheme = _SCHEME.match(value)
    if scheme is None:
        yield value, "api-key"
        return
    rest = value[scheme.end() :].strip()
    word = scheme[0].strip().lower()
    if word.startswith("aws4-"):
        # The signature is new in every request; the key id is found by its pattern.
        return
    yield rest, "api-key"
    if word == "basic":
        try:
            decoded = b64decode(rest, validate=True).decode("utf-8")
        except ValueError:
            return
        yield decoded.partition(":")[2], "password"
