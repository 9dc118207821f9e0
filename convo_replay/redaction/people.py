"""Whether what looks like an e-mail address, a phone number or a home folder is one.

The patterns of the table (classes/identities.py) say what a text looks like; what decides here is outside
of the stretch itself (is it the userinfo of a URL, a call in code, a route of a web site?) or a list:
domains nobody can have, codes of countries, accounts that are nobody's.

Sources: RFC 2606 and RFC 6761 (reserved domains), ITU-T E.164 (at most 15 digits), the North American
Numbering Plan (area and exchange begin with 2 to 9, no area is N11).
"""

from __future__ import annotations

import re

from convo_replay.redaction import colours
from convo_replay.redaction.registries import ACCOUNTS, ATTRIBUTES, CALLING_CODES

_RESERVED = re.compile(r"(?:^|[@.])(?:example\.(?:com|org|net|edu)|(?:example|test|invalid|localhost))$", re.IGNORECASE)
_NOBODY = frozenset({"git", "hg", "svn", "noreply", "no-reply", "donotreply", "do-not-reply"})
_IN_USERINFO = re.compile(r"(?::|%3A)(?:\\{0,4}/|%2F){2}(?:(?!%2F|%3F)[^\s/?#\"'<>\\])*$", re.IGNORECASE)


def is_email(match: re.Match[str]) -> bool:
    """Whether an address is somebody's: not of a reserved domain, no part of a URL's userinfo, no call in code."""
    text, start, end = match.string, match.start("value"), match.end("value")
    local, _, domain = match["value"].partition("@")
    top = domain.rpartition(".")[2]
    if top not in (top.lower(), top.upper(), top.title()) or _RESERVED.search(domain):
        return False
    if local.lower() in _NOBODY or not any(char.isalnum() for char in local):
        return False
    if text[end : end + 1] in ("(", "[") and top in ATTRIBUTES and domain.count(".") == 1 and local.isidentifier():
        return False
    return _IN_USERINFO.search(text, max(0, start - 100), start) is None


_CALLED = re.compile(
    r"phone|mobile|cell|call|tel\b|fax|dial|reach|contact|whatsapp|sms|text|number|\+1 ?$|\b1 $", re.IGNORECASE
)
_DATE = re.compile(r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?(?!\d)|\d\d?[-./]\d\d?[-./](?:19|20)\d\d(?!\d)")
# A number with a sign and a fraction; the same prefix in several spellings (`+65/0065/65`).
_NUMBER = re.compile(r"\+\d{4,}\.\d+|\+\d+/00.*")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|\\{1,2}u[0-9A-Fa-f]{4}")
_ESCAPE_BEFORE = re.compile(r"(?:\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|[\[;]\d{0,3}[mK])$")


def is_international(match: re.Match[str]) -> bool:
    """Whether what follows a plus sign is a number of E.164: a country code, at most 15 digits."""
    text, start, end = match.string, match.start(), match.end()
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    # A sum has a name or a number before the sign. In base64 nine digits in a row come once in 10 MB.
    if _is_letter(before) and not _after_escape(text, start):
        return False
    if _is_letter(after) or _NUMBER.fullmatch(match[0]) is not None:
        return False
    digits = _digits_of(match[0])
    if digits[0] == "1":
        return _in_north_america(digits[1:])
    # With nothing between the digits it needs the length of a number; sums and offsets are shorter.
    least = 8 if len(digits) != len(match[0]) - 1 else 9
    return (
        least <= len(digits) <= 15
        and len(set(digits)) > 2
        and any(digits[:size] in CALLING_CODES for size in (1, 2, 3))
    )


def is_american(match: re.Match[str]) -> bool:
    """Whether ten digits in groups of 3, 3 and 4 are a number of North America, and stand by themselves.

    With nothing but spaces between them they are a row of a table more often, unless a word before says otherwise.
    """
    text, start, end = match.string, match.start(), match.end()
    before, after = text[max(0, start - 3) : start], text[end : end + 2]
    if before and (_is_letter(before[-1]) or before[-1] in "$€£#@%") and not _after_escape(text, start):
        return False
    if before[-1:] == "." and ((before[-2:-1].isdigit() and before[-2:] != "1.") or before[-3:-1].isdigit()):
        return False
    if before[-1:] == "-" and before[-2:-1].isalnum() and (before[-2] != "1" or before[-3:-2].isalnum()):
        return False
    if after and (_is_letter(after[0]) or after[0] == "@"):
        return False
    if after[:1] in ("-", ".", ":", ",") and after[1:].isdigit():
        return False
    if match[0][3:8:4] == "  " and not _CALLED.search(text, max(0, start - 40), start):
        return False
    return _in_north_america(_digits_of(match[0]))


def is_said_to_be_phone(match: re.Match[str]) -> bool:
    """Whether digits behind a word for it (`Phone: 030 901820`) are as many as a number has, and no date."""
    digits = _digits_of(match["value"])
    return 7 <= len(digits) <= 15 and len(set(digits)) > 2 and _DATE.match(match["value"]) is None


def _is_letter(char: str) -> bool:
    """Whether it would belong to a word with what stands beside it: a letter or digit of the Latin script."""
    return char.isalnum() and char < "\u0250"


def _digits_of(text: str) -> str:
    return "".join(char for char in _ESCAPED.sub(" ", text) if char in "0123456789")


def _after_escape(text: str, at: int) -> bool:
    return _ESCAPE_BEFORE.search(text, max(0, at - 6), at) is not None


def _in_north_america(digits: str) -> bool:
    return (
        len(digits) == 10
        and digits[0] in "23456789"
        and digits[3] in "23456789"
        and digits[1:3] != "11"
        and len(set(digits)) > 2
    )


_FILE = re.compile(r"\.(?:html?|php|aspx?|[jt]sx?|vue|svelte|json|md|py|rb|go|rs|txt|s?css|png|jpe?g|svg|xml|ya?ml)$")
_HEX = re.compile(r"[0-9a-fA-F-]{16,}|\d+")
_ROUTE = re.compile(r"(?:https?|wss?)(?::|%3A)(?:\\{0,4}/|%2F){2}[^\s\"'<>?]*$", re.IGNORECASE)
# A route of a site stands behind one slash; a path that is part of a URL's brings its own.
_WHOLE_PATH = re.compile(
    r"(?:(?<![:/\\])\\{0,4}/\\{0,4}/|[/=]\\{0,4}[A-Za-z]:\\{1,4})(?:home|[Uu]sers)(?:/|\\{1,4}/?)$"
)
_ROOT = re.compile(
    r"(?:[A-Za-z](?::|%3A)|\\{2,32}[\w.-]+(?:\\{1,16}\w\$)?)(?:\\{1,16}/?|/)?$"
    r"|(?:(?<![A-Za-z0-9_.)\]}~*/\\-])|(?<=//)|(?<=\*\*)|(?<= -[ILCFB])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})"
    rf"|(?<=\\x[0-9A-Fa-f]{{2}})|(?<=%[0-9A-Fa-f]{{2}})|{colours.END_BEFORE})"
    r"(?:/(?:mnt/|host_mnt/)?[a-z]|/(?:var|usr|export|mnt|data|nfs|private|System/Volumes/Data|Volumes/[\w ]{1,30}))?"
    r"(?:\\{1,16}/?|/)?$"
)


def is_home(match: re.Match[str]) -> bool:
    """Whether the folder in `/home/…`, `\\Users\\…` is a person's.

    A shared account is none, nor a route of a web site, nor a folder of a project that happens to be called so.
    """
    text, start, name = match.string, match.start(), match["value"].lower()
    if name in ACCOUNTS or _FILE.search(name) or _HEX.fullmatch(name):
        return False
    low, end = max(0, start - 200), match.start("value")
    before = text[low:end].lower()
    if ("http" in before or "ws" in before) and _ROUTE.search(text, low, end) is not None:
        return _WHOLE_PATH.search(text, max(0, start - 8), match.start("value")) is not None
    return _ROOT.search(text, max(0, start - 48), start) is not None
