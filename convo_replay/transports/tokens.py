"""Token endpoints: where SDKs fetch credentials before the first request to a model.

What they answer is a secret and nothing else, so it is never recorded; while a cassette replays they
get an answer that the credential code accepts (anthropic 2.12 `lib/credentials`, openai 3.54
`auth/_workload.py`, google-auth, botocore, msal) and that no server would. It expires soon and
carries no refresh token: anthropic's SDK writes it into the user's profile, where it must neither
last nor replace the real one.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from urllib.parse import urlsplit

from convo_replay.exchange import Headers
from convo_replay.standins import STAND_IN

EXPIRES_IN = 300
"""Seconds. Above the 120 s before expiry at which anthropic 2.12 begins to refresh."""

_FAR = "2099-01-01T00:00:00Z"
_FAR_EPOCH = "4070908800"

_POSTED = [
    re.compile(pattern)
    for pattern in (
        r"[^/]*/(.*/)?v1/oauth/token",  # Anthropic's, direct or behind any host
        r"(mtls\.)?auth\.openai\.com/oauth/token",
        r"oauth2\.(mtls\.)?googleapis\.com/token",
        r"accounts\.google\.com/o/oauth2/(v2/)?token",
        r"www\.googleapis\.com/oauth2/v\d+/token",
        r"sts\.googleapis\.com/v\d+(beta)?/token",
        r"iamcredentials\.googleapis\.com/.*:generate(Access|Id)Token",
        r"login\.(microsoftonline\.(com|us)|microsoft\.com|windows\.net|chinacloudapi\.cn)/.*oauth2/(v2\.0/)?token",
    )
]
_STS = re.compile(r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
_METADATA = {
    "169.254.169.254",  # AWS, Azure, Google
    "fd00:ec2::254",
    "metadata.google.internal",
    "169.254.170.2",  # credentials of an ECS task
    "169.254.170.23",  # credentials of an EKS pod
    "fd00:ec2::23",
}


@functools.lru_cache(256)
def is_token_endpoint(method: str, url: str) -> bool:
    """Whether a request fetches credentials rather than calls an API."""
    host, path = _host_and_path(url)
    if host in _METADATA or _STS.fullmatch(host) or path.startswith("/computeMetadata/"):
        return True
    return method.upper() == "POST" and any(pattern.fullmatch(host + path) for pattern in _POSTED)


def synthetic(url: str) -> tuple[int, Headers, bytes]:
    """`(status, headers, body)` that a token endpoint answers while a cassette replays."""
    host, path = _host_and_path(url)
    if _STS.fullmatch(host):
        return _text(_sts(), "text/xml")
    if host in ("169.254.170.2", "169.254.170.23", "fd00:ec2::23"):
        return _json(_AWS_CREDENTIALS)
    if "/computemetadata/" in path.lower() or host == "metadata.google.internal":
        return _google_metadata(path)
    if host in _METADATA and path.startswith("/latest/"):
        return _aws_metadata(path)
    if path.endswith(":generateAccessToken"):
        return _json({"accessToken": STAND_IN, "expireTime": _FAR})
    if path.endswith(":generateIdToken"):
        return _json({"token": _jwt()})
    if path.startswith("/metadata/"):  # Azure's, whose numbers are strings
        return _json({**_OAUTH, "expires_in": str(EXPIRES_IN), "expires_on": _FAR_EPOCH, "resource": ""})
    return _json({**_OAUTH, "id_token": _jwt()})


_OAUTH = {
    "access_token": STAND_IN,
    "expires_in": EXPIRES_IN,
    "token_type": "Bearer",
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
}
_AWS_CREDENTIALS = {
    "Code": "Success",
    "LastUpdated": "2026-01-01T00:00:00Z",
    "Type": "AWS-HMAC",
    "AccessKeyId": STAND_IN,
    "SecretAccessKey": STAND_IN,
    "Token": STAND_IN,
    "Expiration": _FAR,
    "RoleArn": f"arn:aws:iam::000000000000:role/{STAND_IN}",
}


def _google_metadata(path: str) -> tuple[int, Headers, bytes]:
    flavor = (("metadata-flavor", "Google"),)
    last = path.rstrip("/").rpartition("/")[2]
    if last == "token":
        return _json(_OAUTH, flavor)
    if last == "identity":
        return _text(_jwt(), "text/html", flavor)
    if "/service-accounts/" in path and last != "email":
        return _json({"aliases": ["default"], "email": f"{STAND_IN}@example.invalid", "scopes": []}, flavor)
    known = {"universe-domain": "googleapis.com", "universe_domain": "googleapis.com", "numeric-project-id": "0"}
    return _text(known.get(last, STAND_IN), "application/text", flavor)


def _aws_metadata(path: str) -> tuple[int, Headers, bytes]:
    if path.startswith("/latest/meta-data/iam/security-credentials/"):
        role = path.removeprefix("/latest/meta-data/iam/security-credentials/")
        return _json(_AWS_CREDENTIALS) if role else _text(STAND_IN)
    if path.startswith("/latest/dynamic/"):
        return _json({"region": "us-east-1", "accountId": "000000000000"})
    return _text("us-east-1" if path.endswith("/region") else STAND_IN)


def _sts() -> str:
    """All actions at once: which one was asked for is in the body, and a parser takes its own part."""
    credentials = (
        f"<Credentials><AccessKeyId>{STAND_IN}</AccessKeyId><SecretAccessKey>{STAND_IN}</SecretAccessKey>"
        f"<SessionToken>{STAND_IN}</SessionToken><Expiration>{_FAR}</Expiration></Credentials>"
    )
    arn = f"arn:aws:sts::000000000000:assumed-role/{STAND_IN}/{STAND_IN}"
    user = f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>{STAND_IN}</AssumedRoleId></AssumedRoleUser>"
    parts = "".join(
        f"<{action}Result>{credentials}{user}</{action}Result>"
        for action in ("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken")
    )
    who = f"<Arn>{arn}</Arn><UserId>{STAND_IN}</UserId><Account>000000000000</Account>"
    return (
        '<Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"{parts}<GetCallerIdentityResult>{who}</GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{STAND_IN}</RequestId></ResponseMetadata></Response>"
    )


def _jwt() -> str:
    """Three parts that decode, signed by nobody."""

    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": STAND_IN, "sub": STAND_IN, "aud": STAND_IN, "iat": 0, "exp": int(_FAR_EPOCH)}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.{STAND_IN}---"


def _json(value: object, more: Headers = ()) -> tuple[int, Headers, bytes]:
    return 200, (("content-type", "application/json"), *more), json.dumps(value).encode()


def _text(text: str, kind: str = "text/plain", more: Headers = ()) -> tuple[int, Headers, bytes]:
    return 200, (("content-type", kind), *more), text.encode()


def _host_and_path(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.path
