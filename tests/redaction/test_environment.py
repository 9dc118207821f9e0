"""Which variables of the environment are secrets."""

from __future__ import annotations

import pytest

from convo_replay.redaction import Redactor
from convo_replay.redaction.environment import credentials

SECRETS = [
    ("DB_PASSWORD", "correct-horse-7-battery"),
    ("PGPASSWORD", "Tr0ub4dor&3xyz"),
    ("MY_SERVICE_TOKEN", "0f9e8d7c6b5a49382716"),
    ("GITHUB_PAT", "ghp_A1b2C3d4E5f6G7h8"),
    ("session_secret", "zQ8!kk-2-xv-77-aa"),
    ("GOOGLE_CREDENTIALS", '{"private_key": "x1"}'),
    ("PROXY_AUTH", "dXNlcjpwYXNzd29yZDE="),
    ("SSH_KEY_PASSPHRASE", "a b c d e f 1 2 3"),
    ("X_API_KEY", "AbCdEfGhIjKlMnOpQr"),
    ("SLACK_WEBHOOK_KEY", "B0123456789abcdef"),
]
SECRETS += [
    ("AWS_SECRET_ACCESS_KEY", "/e6OHiAFsAxjWn4cc1Bp/KXZm4O7CAqipPR" + "+kKaz"),
    ("DB_PASSWORD", "correct horse battery staple"),
    ("ADMIN_PASSWORD", "123456789012"),
    ("MY_API_KEY", "super-secret-words"),
]
SETTINGS = [
    ("SSH_AUTH_SOCK", "/tmp/ssh-XXXX/agent.1234"),
    ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"),
    ("KEYBOARD_LAYOUT", "us international"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("MAX_TOKENS", "000000000000128000"),
    ("KEY_FILE", "/home/me/keys/id_ed25519.pub"),
    ("AUTH_URL", "https://login.example.com/oauth2/v2"),
    ("AUTHOR_NAME", "Ada Lovelace 1815"),
    ("GIT_AUTHOR_EMAIL", "ada1815@example.com"),
    ("TOKEN_PATH", "~/.config/tool/token-1"),
    ("WINDOWS_KEY_PATH", "C:\\Users\\ada\\key1.pem"),
    ("SECRET_BACKEND", "vault-kubernetes"),
    ("OPENAI_API_KEY", "sk-convo-replay-stand-in"),
    ("SECRET_MODE", "aws-secrets-manager"),
    ("TOKEN", "undocumented"),
    ("SHORT_TOKEN", "abc123"),
    ("PATH", "/usr/bin:/bin:/home/ada/k3y"),
    ("HOME", "/home/ada-lovelace-1815"),
    ("TOKEN_EXPIRES", "2026-11-22T10:00:00Z"),
]


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_credentials_are_secrets_wherever_they_appear(name: str, value: str) -> None:
    assert list(credentials({name: value})) == [value]
    assert value not in Redactor({name: value}).text(f"it is {value}!")


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_settings_are_not(name: str, value: str) -> None:
    assert list(credentials({name: value})) == []


def test_the_password_in_a_url_is_a_secret_and_the_url_is_not() -> None:
    environ = {"DATABASE_URL": "postgres://ada:s3cr3t%21pass@db.example.com/prod"}
    assert list(credentials(environ)) == ["s3cr3t%21pass", "s3cr3t!pass"]
    assert Redactor(environ).text("postgres://ada:s3cr3t%21pass@db.example.com") == (
        "postgres://ada:redacted-env-1@db.example.com"
    )


def test_a_key_of_a_known_shape_is_named_by_its_shape_not_by_where_it_was_learned() -> None:
    key = "sk-ant-api03-" + "x1Y2z3W4" * 11
    assert Redactor({"ANTHROPIC_API_KEY": key}).text(key) == Redactor().text(key) == "redacted-anthropic-key-1"
