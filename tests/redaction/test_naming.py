"""`named-secret`: what looks random beside a name that says it is a credential, and next to nothing else."""

from __future__ import annotations

import json

import pytest

from convo_replay.exchange import Json, Request
from convo_replay.redaction import Redactor, naming
from tests.corpus import CORPUS, index, needs_corpus, read

TELLING = [
    "password",
    "passwd",
    "DB_PASSWORD",
    "pgpassword",
    "apiKey",
    "api_key",
    "API-KEY",
    "x-api-key",
    "openai_api_key",
    "ANTHROPIC_API_KEY_2",
    "token",
    "access_token",
    "accessToken",
    "refreshToken",
    "session_token",
    "clientSecret",
    "client_secret",
    "secretAccessKey",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
    "signing-key",
    "webhook_secret",
    "pwd",
    "passphrase",
    "credentials",
    "bearer",
    "Authorization",
    "github_pat",
    "GITHUB_TOKEN",
]
NOT_TELLING = [
    "key",
    "keys",
    "name",
    "id",
    "max_tokens",
    "tokens",
    "token_count",
    "input_tokens",
    "next_page_token",
    "nextPageToken",
    "pageToken",
    "eos_token",
    "primary_key",
    "foreign_key",
    "sort_key",
    "public_key",
    "cache_key",
    "prompt_cache_key",
    "idempotency_key",
    "keyboard",
    "monkey",
    "author",
    "token_type",
    "secret_name",
    "password_field",
    "tokenizer",
    "signature",
    "redacted-api-key-1",
    "object_key",
    "key_id",
    "access_key_id",
]


def test_names() -> None:
    assert [name for name in TELLING if not naming.telling(name)] == []
    assert [name for name in NOT_TELLING if naming.telling(name)] == []


RANDOM = [
    "Xk9#mP2$vL",
    "Zx81kQ93mLp2",
    "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z",
    "0f9e8d7c6b5a49382716f5e4d3c2b1a0",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
    "AbCdEfGhIjKlMnOpQrStUvWx",
    "Tr0ub4dor&3xyz",
    "5ec2e7ed-9b1c-4f7a-8d3e-2c6b5a4f3e2d",
    "/e6OHiAFsAxjWn4cc1Bp/KXZm4O7CAqipPR" + "+kKaz",
    "~/e6OHiAFsAxjWn4cc1BpKXZm4O7CAqipPR==",
    "aB!cD@eF$gh",
]
NOT_RANDOM = [
    "short1A",
    "password",
    "changeme1234",
    "your-api-key-here-1",
    "my-service-key-2024",
    "getUserTokenFromService2",
    "12345678901234567890",
    "2026-11-22T10:00:00Z",
    "/run/secrets/db_password1",
    "/usr/local/lib/MyService2024/tokens/store",
    "/Users/AdaLovelace2024/keys/id1",
    "~/projects/2024/Application7/token",
    "C:\\keys\\Service7key",
    "Foo.bar!",
    "https://example.com/a1B2c3",
    "${API_KEY_2}",
    "<your-token-1A>",
    "{{token_1A2b3c}}",
    "sk-****************abcd",
    "xxxxxxxxxxxxxxxx1A",
    "[FILTERED]",
    "redacted-env-1",
    "REDACTED1234abcd",
    "a1A a1A a1A a1A a1A",
    "application/json",
    "os.environ.get",
    "undefined",
    "AWS4-HMAC-SHA256",
    "aaaaaaaaaaaaaaaaaaaa1A",
    "client_secret_basic",
    "eastus2-production-01",
]


def test_values() -> None:
    assert [value for value in RANDOM if not naming.is_secret_value(value)] == []
    assert [value for value in NOT_RANDOM if naming.is_secret_value(value)] == []


V = "Zx81kQ93mLp2"
FOUND = [
    f"password={V}",
    f"password = '{V}'",
    f'"api_key": "{V}"',
    f'\\"api_key\\": \\"{V}\\"',
    f"api_key: {V}",
    f"export MY_TOKEN={V}",
    f'os.environ["API_KEY"] = "{V}"',
    f'os.getenv("API_KEY", "{V}")',
    f"--password {V} --x",
    f"--api-key={V}",
    f"<password>{V}</password>",
    f"my password is {V}.",
    f"my API key is {V}, and that is it",
    f"Secret key: {V}",
    f"The+password+is+{V}&x=1",
    f"Authorization: Bearer {V}",
    f"Bearer {V}",
    f'api_key=SecretStr("{V}")',
    f'{{"name": "API_KEY", "value": "{V}"}}',
    f"- name: API_KEY\n  value: {V}",
    f"mysql -u root -p{V}",
    f"docker login -u ada -p {V}",
    f"curl -u ada:{V} https://h",
    f"?access_token={V}&x=1",
    f"\\npassword={V}\\n",
    f"Token: {V}, and more",
    f'password: str = "{V}"',
    f"\0\udcfeTOKEN={V}\0\udcfe",
    f"密码password：{V}，",
    f"password={V}。",
    f"export DB_PASS='{V}'",
    f"\x1b[33mpassword=\x1b[0m\x1b[1;31m{V}\x1b[m",
    f"\x1b[33mpassword\x1b[0m: {V}",
    f'"\\u001b[33mpassword\\u001b[0m=\\u001b[31m{V}\\u001b[0m"',
]
NOT_FOUND = [
    f"the pass={V}",
    "a[ -pow(2,128): 3 ]",
    "arn:aws:secretsmanager:us-west-2:x:secret:MyTestDatabaseSecret-a1b2c3",
    "max_tokens=4096",
    '"max_tokens": 1024, "x"',
    "token_count: 123456789",
    "password: string",
    'password=os.environ["PW"]',
    "api_key=settings.api_key_2",
    "password = get_password()",
    '"token": "JavaScript"',
    "secret = None",
    "key = 'primary'",
    '"next_page_token": "Zx81kQ93mLp2"',
    "The token Zx81kQ93mLp2 is",
    "-p 8080:8080",
    "mkdir -p build/Release-01",
    "password=********",
    "api_key=YOUR_API_KEY_1",
    "Authorization: AWS4-HMAC-SHA256 Credential=x",
    "token=redacted-env-1",
    "git clone -p Zx8",
    "password: redacted-named-secret-1",
    '"type": "password", "id": "field-12Ab"',
]


def test_texts() -> None:
    for text in FOUND:
        assert {text[start:end] for start, end, _ in naming.in_text(text)} == {V}, text
        assert naming.may_hold(text), text
    for text in NOT_FOUND:
        assert list(naming.in_text(text)) == [], text


def test_the_name_says_the_class() -> None:
    aws = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz1Aq8Lm3t"
    assert naming.named("secretAccessKey", aws) == "aws-secret"
    assert naming.named("aws_session_token", "IQoJb3JpZ2lu" + aws * 3) == "aws-session-token"
    assert naming.named("AZURE_OPENAI_API_KEY", "0f9e8d7c6b5a49382716f5e4d3c2b1a0") == "azure-key"
    assert naming.named("twilio_auth_token", "0f9e8d7c6b5a49382716f5e4d3c2b1a0") == "twilio-key"
    assert naming.named("api_key", V) == "named-secret"
    assert naming.named("name", V) is None


@pytest.mark.parametrize("key", ["api key", "pat", "dbPass", "db pass 2", "key of", "path"])
@pytest.mark.parametrize("beside", ["", "signature"])
def test_a_key_of_several_words_in_a_message(key: str, beside: str) -> None:
    for value in ({key: V}, json.dumps({key: V}), json.dumps({"a": [{key: V}]}, indent=1)):
        message = {"role": "user", "content": [{"type": "x", beside: "Ex4mple" * 8}, {"type": "y", "input": value}]}
        made = Redactor().request(Request("POST", "https://a.b/v1", (), Json({"messages": [message]}))).json
        assert (V in json.dumps(made)) == (not naming.telling(key)), value


@needs_corpus
def test_over_recorded_traffic_only_credentials_are_found() -> None:
    assert CORPUS is not None
    found = []
    for row in index():
        text = read(row).decode("utf-8", "replace")
        found += [text[max(0, start - 24) : start] for start, _, _ in naming.in_text(text)]
    other = [
        before for before in found if not before.lower().endswith(('token":"', 'token": "', "ice-pwd:", 'secret": "'))
    ]
    assert other == []
    assert len(found) <= 20
