"""Which values of the environment are credentials.

By the name, then by the value: a telling name with a path, a word or a number in it is a setting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from convo_replay.redaction.words import is_place
from convo_replay.standins import STAND_IN

LEAST = 12
"""Characters; shorter values are words more often than secrets."""

_TELLING = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH(?!OR)|BEARER|COOKIE|SIGNATURE|WEBHOOK|(?:^|_)(?:PASS|PAT|PWD)$",
    re.IGNORECASE,
)
# A name that ends so holds the thing itself, not a setting of it: words in it are a passphrase.
_THE_VALUE = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASS|PASSWORD|PASSWD|PWD|PASSPHRASE|CREDENTIALS?)(?:_?\d+)?$", re.IGNORECASE
)
_PASSWORD = re.compile(r"(?:PASS|PASSWORD|PASSWD|PWD|PASSPHRASE)(?:_?\d+)?$", re.IGNORECASE)
_NO_SECRET_NAMES = frozenset({
    "SSH_AUTH_SOCK", "XAUTHORITY", "GPG_KEY", "GPG_KEYS", "KEYBOARD", "KEYMAP", "KEYTIMEOUT", "XKB_DEFAULT_LAYOUT",
    "TOKENIZERS_PARALLELISM", "GIT_ASKPASS", "SSH_ASKPASS", "SUDO_ASKPASS", "PWD", "OLDPWD",
    "PYTHON_KEYRING_BACKEND", "KEYRING_BACKEND", "AUTHSOCK", "GNOME_KEYRING_CONTROL",
})  # fmt: skip
_URL_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@:]*:([^/?#\s@]+)@")
_WORDS = re.compile(r"[A-Za-z]+(?:[-_. ,:;/][A-Za-z]+)*")
_WORD = re.compile(r"[A-Z]?[a-z]{1,15}|[A-Z]{1,15}")
_NUMBER = re.compile(r"[-+]?[\d.,_:\sTZ-]+")


def credentials(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of `environ` that no file may hold: credential-like ones, and passwords in URLs."""
    for name, value in environ.items():
        value = value.strip()
        for password in _URL_PASSWORD.findall(value):
            if len(password) >= 8 and not is_plain(password):
                yield password
                if unquote(password) != password:
                    yield unquote(password)
        if _TELLING.search(name) and name.upper() not in _NO_SECRET_NAMES and is_credential(name, value):
            yield value


_seen: tuple[Any, Mapping[str, str]] = (None, {})
_last: tuple[Mapping[str, str], tuple[str, ...]] = ({}, ())


def current() -> Mapping[str, str]:
    """The environment without stand-ins; the same object as before where nothing has changed."""
    global _seen
    raw = getattr(os.environ, "_data", None)  # to compare this takes a twentieth of decoding every value
    if raw is None or raw != _seen[0]:
        held = None if raw is None else dict(raw)
        _seen = (held, {name: value for name, value in os.environ.items() if STAND_IN not in value})
    return _seen[1]


def found_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """`credentials`, remembered: from one test to the next the environment stays as it is."""
    global _last
    if environ != _last[0]:
        _last = (dict(environ), tuple(credentials(environ)))
    return _last[1]


def is_credential(name: str, value: str) -> bool:
    """Whether a value under a telling name is a secret, and no path, URL, word, number or stand-in."""
    if len(value) < LEAST or STAND_IN in value or is_place(value):
        return False
    if _PASSWORD.search(name):
        return True
    if _THE_VALUE.search(name):
        return not _NUMBER.fullmatch(value) and not _WORD.fullmatch(value)
    return not is_plain(value)


def is_plain(value: str) -> bool:
    """Words, numbers, booleans, and what stands in for a key: replacing them would damage texts."""
    if STAND_IN in value or value.startswith("redacted-") or _NUMBER.fullmatch(value):
        return True
    # Random letters without a digit exist; but they mix cases inside a word, and words do not.
    return _WORDS.fullmatch(value) is not None and not re.search(r"[a-z][A-Z].*[a-z][A-Z]", value)
