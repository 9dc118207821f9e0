"""Headers: an allow-list. What is not named here does not reach the cassette.

Kept: what a client acts upon (retry, rate limits, content type, deprecation) or what decides whether a
request is valid (API version, betas). Ids of requests, organizations, projects become placeholders, so
that their presence can be tested. Dropped: everything else, credentials and cookies first
(authorization, x-api-key, cookie, set-cookie), what names the machine (user-agent, x-stainless-*), the
edge (cf-ray, via, server), and what describes an encoding of the body that the cassette does not have
(content-encoding, content-length, transfer-encoding).

A header has a class where its name says what its value tells (`class_of`). What becomes of a class is the
user's to say (`redact={"machine": "keep", "rate-limit": "drop"}`), except that credentials never stay.

Sources: protocol.md §4.3 and §5; recorded traffic.
"""

from __future__ import annotations

import functools
import re
from base64 import b64decode
from collections.abc import Callable, Iterator

from convo_replay.exchange import Binary, Blob, Body, Headers, Text
from convo_replay.redaction.classes import BY_NAME, Policy
from convo_replay.redaction.placeholders import PLACEHOLDER, may_hold
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
RATE_LIMITS = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-", "x-ratelimit-", "ratelimit-")
RESPONSE_KEPT_PREFIXES = (*RATE_LIMITS, "x-amzn-bedrock-")  # the last: token counts, latency

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

_CLASSES = {
    **IDS,
    "cookie": "cookie",
    "cookie2": "cookie",
    "set-cookie": "cookie",
    "cf-ray": "cf-ray",
    "x-amz-cf-id": "cf-ray",
    "user-agent": "machine",
    "x-hostname": "machine",
    "x-goog-api-client": "machine",
    "via": "",
    "forwarded": "machine",
    "x-real-ip": "machine",
    "x-amz-security-token": "aws-session-token",
    "api-key": "azure-key",
    "ocp-apim-subscription-key": "azure-key",
    "x-amz-id-2": "request-id",
    "traceparent": "request-id",
    "tracestate": "request-id",
    "traceresponse": "request-id",
    "baggage": "request-id",
    "sentry-trace": "request-id",
    "x-cloud-trace-context": "request-id",
    "requestid": "request-id",
    "x-datadog-parent-id": "request-id",
    "chatgpt-account-id": "account-id",
}
"""Header → class, of those whose name follows no rule."""
_NAMES = (
    (re.compile(r"x-stainless-|sec-ch-ua"), "machine"),
    (re.compile(r"(?:anthropic-(?:ratelimit|priority|fast)|(?:x-)?ratelimit)(?:-|$)"), "rate-limit"),
    (re.compile(r".*(?:user-?agent|-forwarded-for|client-ip|connecting-ip|cluster-client-ip)$"), "machine"),
    (
        re.compile(
            r"(?:.*-)?(?:request|req|correlation|invocation|trace|span|generation|call|session|transaction)[-_]?id$"
        ),
        "request-id",
    ),
    (re.compile(r"(?:.*-)?org(?:anization)?(?:-id)?$"), "organization-id"),
    (re.compile(r"(?:.*-)?workspace(?:-id)?$"), "workspace-id"),
    (re.compile(r"(?:.*-)?(?:account|tenant|customer)-id$"), "account-id"),
    (re.compile(r"(?:.*-)?user-(?:id|email|name)$"), "user-id"),
)
_PASSED_ON = "llm_provider-"
"""What LiteLLM puts before the headers of the upstream."""
_CREDENTIAL = re.compile(
    r"auth(?!or(?!iz))|api-?key|token|secret|password|passwd|credential|signature|(?:^|-)key$", re.IGNORECASE
)
_NO_CREDENTIAL = re.compile(
    r"ratelimit|priority|anthropic-fast|bedrock|token-count|tokens|per-token|^access-control-|^www-authenticate$|^proxy-authenticate$"
    r"|(?:idempotency|cache|surrogate|websocket|partition|routing)-key$",
    re.IGNORECASE,
)
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
    if name == _REQUEST_TYPE and not response:
        return isinstance(body, (Text, Binary, Blob))
    return is_functional(name, response=response)


def is_functional(name: str, *, response: bool) -> bool:
    """Whether clients act upon the header, or it decides whether a request is valid."""
    if response:
        return name in RESPONSE_KEPT or name.startswith(RESPONSE_KEPT_PREFIXES)
    return name in REQUEST_KEPT


@functools.lru_cache(1024)
def class_of(name: str, *, response: bool) -> str | None:
    """The class of a header that is known by its name; `None` where the name tells nothing.

    Args:
        name: in any case.
        response: whether it is one of an answer.
    """
    name = name.lower().removeprefix(_PASSED_ON)
    if name in _CLASSES:
        return _CLASSES[name] or None
    if is_functional(name, response=response):
        return "rate-limit" if name.startswith(RATE_LIMITS) else None
    for pattern, cls in _NAMES:
        if pattern.match(name):
            return cls
    return "api-key" if _says_credential(name) else None


def decide(name: str, body: Body, policy: Callable[[str], Policy], *, response: bool) -> tuple[str | None, Policy]:
    """The class of a header and what becomes of it; `keep`: its text is redacted like any other.

    Args:
        name: in lower case.
        body: of the request that it belongs to.
        policy: class → what becomes of it (`Values.policy`).
        response: whether it is one of an answer.
    """
    cls = class_of(name, response=response)
    if cls is None:
        return None, "keep" if kept(name, body, response=response) else "drop"
    if BY_NAME[cls].severity == "error":
        return cls, "drop"
    asked = policy(cls)
    # An id that nothing acts upon is noise, even as a placeholder.
    if asked == "placeholder" and name not in IDS and cls != "rate-limit" and BY_NAME[cls].policy == "placeholder":
        return cls, "drop"
    return cls, asked


def tells(name: str) -> bool:
    """Whether a header gives away who or where: one that may not be in a cassette, whoever put it there."""
    cls = class_of(name, response=True)
    return cls is not None and BY_NAME[cls].severity != "info" and name not in IDS


def credentials(headers: Headers) -> Iterator[tuple[str, str]]:
    """Pairs (value, class) of what `headers` carry that is a secret wherever else it appears.

    Authorization schemes are stripped, the password of a Basic one is a value of its own, stand-ins
    and values under 8 characters are none.
    """
    for name, value in headers:
        kind = _credential_of(name)
        if kind == "cookie":
            pairs = value.split(";") if name.lower() == "cookie" else [value.partition(";")[0]]
            found = [(pair.partition("=")[2].strip().strip('"'), "cookie") for pair in pairs]
            yield from ((text, cls) for text, cls in found if len(text) >= 16 and is_secret(text))
        elif kind:
            yield from credential_values(name, value)


@functools.lru_cache(1024)
def _credential_of(name: str) -> str:
    """`cookie`, `credential`, or nothing: what a header of this name carries."""
    low = name.lower()
    if low in ("cookie", "set-cookie"):
        return "cookie"
    if low in IDS or is_functional(low, response=False) or is_functional(low, response=True):
        return ""
    return "credential" if _says_credential(low) else ""


@functools.lru_cache(1024)
def _says_credential(name: str) -> bool:
    return _CREDENTIAL.search(name) is not None and _NO_CREDENTIAL.search(name) is None


def credential_values(name: str, value: str) -> Iterator[tuple[str, str]]:
    """Pairs (value, class) of one header; none where its name says nothing of a credential."""
    if _says_credential(name):
        named = _CLASSES.get(name.lower(), "api-key")
        for text, cls in _authorization(value.strip()):
            if is_secret(text):
                yield text, named if cls == "api-key" else cls


def is_secret(text: str) -> bool:
    """Whether a value at a credential's place is worth looking for elsewhere."""
    return (
        len(text) >= LEAST
        and STAND_IN not in text
        and text.strip("'\"").lower() not in _NO_SECRETS
        and not (may_hold(text) and PLACEHOLDER.search(text) is not None)
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
