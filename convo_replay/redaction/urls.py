"""URLs: userinfo and credential parameters go by their place, the rest is text.

By place, whatever the value is: a stand-in key in `?key=` then reads like the live one did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, unquote, unquote_plus

from convo_replay.redaction import naming
from convo_replay.redaction.headers import is_secret
from convo_replay.redaction.placeholders import PLACEHOLDER

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:)?//(?P<authority>[^/?#]*)")
_CREDENTIAL = re.compile(
    r"(?:^|[-_.\[])(?:key|apikey|api[-_]key|token|secret|sig|signature|password|passwd|pwd|credential|security-token"
    r"|code_verifier|client_secret|assertion)\]?$|token$|apikey$|secret$",
    re.IGNORECASE,
)
# A place in a list: pages of it are different requests.
_CURSOR = re.compile(
    r"(?:page|next|continuation|sync|cursor|prev(?:ious)?|scroll|pagination|resume|start|delta|skip)[-_]?token$",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"(?:^|-)(?:sig|signature)$|^x-(?:amz|goog|oss|cos)-security-token$", re.IGNORECASE)
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
            yield password, "url-password"
    for name, value in _parameters(url):
        if is_secret(value) and _class_of(name) is not None:
            yield value, "url-signature" if _SIGNATURE.search(name) else "api-key"


def _class_of(name: str) -> str | None:
    """The class of a parameter that is a credential by its name."""
    if _SIGNATURE.search(name):
        return "url-signature"
    credential = _CREDENTIAL.search(name) is not None and _CURSOR.search(name) is None
    return "url-key" if credential or naming.telling(name) else None


def redact(url: str, text: Callable[[str], str], place: Callable[[str, str], str]) -> str:
    """`url` with placeholders: `text` redacts a stretch, `place` names a value known by its place."""
    rest, sharp, fragment = url.partition("#")
    head, question, query = rest.partition("?")
    match = _URL.match(head)
    if match is not None and "@" in match["authority"]:
        userinfo, _, host = match["authority"].rpartition("@")
        if PLACEHOLDER.fullmatch(userinfo) is None:
            userinfo = place("url-userinfo", userinfo)
        head = head[: match.start("authority")] + userinfo + "@" + host + head[match.end("authority") :]
    made = text(head) + question + _fields(query, text, place) + sharp + _fields(fragment, text, place)
    return url if made == url else made


_FORM = re.compile(r"[^\s=&{\[\"]+=[^\s&]*(?:&[^\s=&]+=[^\s&]*)*")


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
        plain = unquote_plus(value)
        cls = _class_of(unquote_plus(name)) if value else None
        if cls is None:
            parts.append(text(part) if part else "")
        else:
            parts.append(name + equals + (value if PLACEHOLDER.fullmatch(value) else place(cls, plain)))
    return "&".join(parts)


def _parameters(url: str) -> Iterator[tuple[str, str]]:
    rest, _, fragment = url.partition("#")
    for part in [*rest.partition("?")[2].split("&"), *fragment.split("&")]:
        name, equals, value = part.partition("=")
        if equals:
            yield unquote_plus(name), unquote_plus(value)
