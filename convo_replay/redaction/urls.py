"""URLs: userinfo and credential parameters go by their place, the rest is text.

By place, whatever the value is: a stand-in key in `?key=` then reads like the live one did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, unquote, unquote_plus

from convo_replay.redaction.headers import is_secret
from convo_replay.redaction.placeholders import PLACEHOLDER

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:)?//(?P<authority>[^/?#]*)")
_CREDENTIAL = re.compile(
    r"(?:^|[-_.\[])(?:key|apikey|api[-_]key|token|secret|sig|signature|password|passwd|pwd|credential|security-token"
    r"|code_verifier|client_secret|assertion)\]?$|token$|apikey$|secret$",
    re.IGNORECASE,
)


_KEY = re.compile(r"(?:x[-_])?(?:api[-_]?)?key|access_token", re.IGNORECASE)


def compared(query: str) -> list[tuple[str, str]]:
    """The parameters by which queries are told apart: the key of the account is none, be it there or taken out."""
    return sorted(pair for pair in parse_qsl(query, keep_blank_values=True) if not _KEY.fullmatch(pair[0]))


def credentials(url: str) -> Iterator[tuple[str, str]]:
    """Pairs (value, class): the password of the userinfo, values of credential parameters."""
    match = _URL.match(url)
    if match is not None and "@" in match["authority"]:
        password = unquote(match["authority"].rpartition("@")[0].partition(":")[2])
        if is_secret(password):
            yield password, "password"
    for name, value in _parameters(url):
        if _CREDENTIAL.search(name) and is_secret(value):
            yield value, "api-key"


def redact(url: str, text: Callable[[str], str], place: Callable[[str, str], str]) -> str:
    """`url` with placeholders: `text` redacts a stretch, `place` names a value known by its place."""
    head, question, query = url.partition("?")
    query, sharp, fragment = query.partition("#")
    match = _URL.match(head)
    if match is not None and "@" in match["authority"]:
        userinfo, _, host = match["authority"].rpartition("@")
        if PLACEHOLDER.fullmatch(userinfo) is None:
            userinfo = place("url-userinfo", userinfo)
        head = head[: match.start("authority")] + userinfo + "@" + host + head[match.end("authority") :]
    made = text(head) + question + _fields(query, text, place) + sharp + (text(fragment) if fragment else "")
    return url if made == url else made


_FORM = re.compile(r"[^\s=&{\[\"]+=[^\s&=]*(?:&[^\s=&]+=[^\s&=]*)*")


def redact_form(body: str, text: Callable[[str], str], place: Callable[[str, str], str]) -> str:
    """A text body: where it is a form (`a=1&password=…`), as the query of a URL; anything else as text."""
    if _FORM.fullmatch(body) is None:
        return text(body)
    made = _fields(body, text, place)
    return body if made == body else made


def _fields(query: str, text: Callable[[str], str], place: Callable[[str, str], str]) -> str:
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if value and _CREDENTIAL.search(unquote_plus(name)):
            if PLACEHOLDER.fullmatch(value) is None:
                value = place("url-key", unquote_plus(value))
            parts.append(name + equals + value)
        else:
            parts.append(text(part))
    return "&".join(parts)


def _parameters(url: str) -> Iterator[tuple[str, str]]:
    query = url.partition("?")[2].partition("#")[0]
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals:
            yield unquote_plus(name), unquote_plus(value)
