"""Token endpoints are told from APIs, and what they answer satisfies the code that asks."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from convo_replay.standins import STAND_IN
from convo_replay.transports import tokens

IMDS = "http://169.254.169.254"
GOOGLE = "http://metadata.google.internal/computeMetadata/v1"

ENDPOINTS = [
    ("POST", "https://api.anthropic.com/v1/oauth/token"),
    ("POST", "http://127.0.0.1:4000/v1/oauth/token"),
    ("POST", "https://gateway.example.com/anthropic/v1/oauth/token?x=1"),
    ("POST", "https://auth.openai.com/oauth/token"),
    ("POST", "https://mtls.auth.openai.com/oauth/token"),
    ("POST", "https://oauth2.googleapis.com/token"),
    ("POST", "https://accounts.google.com/o/oauth2/token"),
    ("POST", "https://sts.googleapis.com/v1/token"),
    ("POST", "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.c:generateAccessToken"),
    ("POST", "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"),
    ("POST", "https://login.microsoftonline.com/tenant/oauth2/token"),
    ("POST", "https://sts.amazonaws.com/"),
    ("POST", "https://sts.eu-central-1.amazonaws.com/"),
    ("GET", "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity"),
    ("PUT", f"{IMDS}/latest/api/token"),
    ("GET", f"{IMDS}/latest/meta-data/iam/security-credentials/role"),
    ("GET", f"{IMDS}/metadata/identity/oauth2/token?resource=x"),
    ("GET", f"{GOOGLE}/instance/service-accounts/default/token"),
    ("GET", "http://169.254.170.2/v2/credentials/abc"),
    ("GET", "http://[fd00:ec2::254]/latest/meta-data/"),
]
OTHERS = [
    ("POST", "https://api.anthropic.com/v1/messages"),
    ("GET", "https://api.anthropic.com/v1/oauth/token"),
    ("POST", "https://api.example.com/oauth/token"),
    ("POST", "https://api.anthropic.com/v1/oauth/tokens"),
    ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/invoke"),
    ("POST", "https://sts.amazonaws.com.example.com/"),
    ("POST", "https://aiplatform.googleapis.com/token"),
    ("POST", "http://metadata/v1/messages"),
    ("POST", "https://example.com/?next=https://oauth2.googleapis.com/token"),
]


@pytest.mark.parametrize(("method", "url"), ENDPOINTS, ids=[f"{method} {url}" for method, url in ENDPOINTS])
def test_token_endpoints_are_recognized_and_answer_with_a_stand_in(method, url):
    assert tokens.is_token_endpoint(method, url)
    status, headers, body = tokens.synthetic(url)
    assert status == 200
    assert dict(headers)["content-type"]
    assert STAND_IN.encode() in body


@pytest.mark.parametrize(("method", "url"), OTHERS, ids=[f"{method} {url}" for method, url in OTHERS])
def test_other_requests_are_not(method, url):
    assert not tokens.is_token_endpoint(method, url)


def test_an_identity_token_decodes_as_a_jwt_of_the_future():
    header, claims, signature = tokens.synthetic(f"{GOOGLE}/instance/service-accounts/default/identity?audience=x")[
        2
    ].split(b".")
    assert json.loads(base64.urlsafe_b64decode(header + b"=="))["typ"] == "JWT"
    assert json.loads(base64.urlsafe_b64decode(claims + b"=="))["exp"] > time.time()
    base64.urlsafe_b64decode(signature)


@pytest.mark.parametrize("action", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetSessionToken"])
def test_sts_answers_every_action(action):
    root = ElementTree.fromstring(tokens.synthetic("https://sts.amazonaws.com/")[2])
    space = "{https://sts.amazonaws.com/doc/2011-06-15/}"
    credentials = root.find(f"{space}{action}Result/{space}Credentials")
    assert credentials is not None
    assert {child.tag.removeprefix(space) for child in credentials} == {
        "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
    }  # fmt: skip


def test_aws_metadata_names_a_role_and_then_its_credentials():
    root = f"{IMDS}/latest/meta-data/iam/security-credentials/"
    role = tokens.synthetic(root)[2].decode()
    assert json.loads(tokens.synthetic(root + role)[2]).keys() >= {
        "Code", "AccessKeyId", "SecretAccessKey", "Token", "Expiration",
    }  # fmt: skip


def test_a_synthetic_token_is_not_refreshed_before_each_request():
    constants = pytest.importorskip("anthropic.lib.credentials._constants")
    assert tokens.EXPIRES_IN > constants.ADVISORY_REFRESH_SECONDS


def test_google_metadata_says_its_flavor():
    for path in (
        "/instance/service-accounts/default/token",
        "/instance/service-accounts/default/",
        "/project/project-id",
    ):
        assert dict(tokens.synthetic(GOOGLE + path)[1])["metadata-flavor"] == "Google"


@pytest.fixture
def transport():
    httpx2 = pytest.importorskip("httpx2")

    def answer(request):
        assert tokens.is_token_endpoint(request.method, str(request.url))
        status, headers, body = tokens.synthetic(str(request.url))
        return httpx2.Response(status, headers=headers, content=body)

    return httpx2.MockTransport(answer)


def test_anthropic_accepts_the_answer_to_a_federated_identity(transport):
    credentials = pytest.importorskip("anthropic.lib.credentials")
    httpx2 = pytest.importorskip("httpx2")
    with httpx2.Client(transport=transport) as client:
        provider = credentials.WorkloadIdentityCredentials(
            identity_token_provider=lambda: "jwt", federation_rule_id="r", organization_id="o", http_client=client
        )
        assert provider().token == STAND_IN


@pytest.mark.skipif(os.name != "posix", reason="the SDK checks POSIX modes of the credentials file")
def test_anthropic_keeps_the_users_refresh_token_in_the_profile(transport, tmp_path: Path, monkeypatch):
    credentials = pytest.importorskip("anthropic.lib.credentials")
    httpx2 = pytest.importorskip("httpx2")
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    (tmp_path / "configs").mkdir(mode=0o700)
    (tmp_path / "credentials").mkdir(mode=0o700)
    config, secret = tmp_path / "configs/default.json", tmp_path / "credentials/default.json"
    config.write_text(json.dumps({"authentication": {"type": "user_oauth", "client_id": "c"}}))
    config.chmod(0o600)
    secret.write_text(json.dumps({"access_token": "old", "refresh_token": "the user's", "expires_at": 1}))
    secret.chmod(0o600)
    with httpx2.Client(transport=transport) as client:
        assert credentials.CredentialsFile("default", http_client=client)().token == STAND_IN
    written = json.loads(secret.read_text())
    assert written["refresh_token"] == "the user's"
    assert written["expires_at"] <= time.time() + tokens.EXPIRES_IN


@pytest.mark.parametrize("provider", ["azure_managed_identity_token_provider", "gcp_id_token_provider"])
def test_openai_accepts_the_answers_of_metadata_servers(provider, transport):
    auth = pytest.importorskip("openai.auth")
    httpx2 = pytest.importorskip("httpx2")
    with httpx2.Client(transport=transport) as client:
        assert getattr(auth, provider)(http_client=client)["get_token"]()
