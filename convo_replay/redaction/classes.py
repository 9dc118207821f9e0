"""The one table of what is redacted: class, policy, how it is recognized, example, where the fact is from.

A class with a `pattern` is looked for in every text. Search is by *anchor*, a literal that each match
begins with: `str.find` walks a text at memory speed, and only where an anchor stands is the pattern
tried, so that a text without one costs a handful of `in` tests. Patterns are loose about lengths (a
vendor may change them) and strict about what stands to the left: a word character there means that
the anchor is the middle of something else (`task-…`, base64url), except where it ends an escape of
the text itself (`\\n`, `\\u0022`, `%3D`), and except before prefixes that occur nowhere by chance.

Classes without a pattern are known by their place: a header (headers.py), a part of a URL (urls.py),
a value of the environment, `secrets=`. docs/redaction.md shows this table to users.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Policy = Literal["keep", "placeholder", "drop"]

# Not inside a word, unless the "word" is the end of an escape: JSON in a string, percent-encoding.
_LEFT = r"(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_A_DIGIT = r"(?=[\w-]{0,200}\d)"


@dataclass(frozen=True, slots=True)
class Class:
    """One kind of value.

    Attributes:
        name: the word in its placeholder, `redacted-NAME-1`.
        policy: `keep`; `placeholder`; `drop` (headers only).
        anchors: literals, one of which begins every match of `pattern`.
        pattern: tried with `match` at an anchor; group `value`, where there is one, is what is replaced.
        example: one that the pattern takes (made up).
        source: where the shape is documented.
    """

    name: str
    policy: Policy
    anchors: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    example: str = ""
    source: str = ""


def _class(name: str, anchors: str, pattern: str, example: str, source: str, policy: Policy = "placeholder") -> Class:
    return Class(name, policy, tuple(anchors.split()), re.compile(pattern), example, source)


_KEYS = "protocol.md §5"

CLASSES: tuple[Class, ...] = (
    # ---- keys and tokens, the most specific first: at one place the first match names the class
    _class(
        "anthropic-admin-key", "sk-ant-admin", r"sk-ant-admin\d{2}-[\w-]{20,}",
        "sk-ant-admin01-" + "Ex4mple" * 5, _KEYS,
    ),
    _class(
        "anthropic-oauth-token", "sk-ant-oat", r"sk-ant-oat\d{2}-[\w-]{20,}",
        "sk-ant-oat01-" + "Ex4mple" * 5, _KEYS,
    ),
    _class(
        "anthropic-refresh-token", "sk-ant-ort", r"sk-ant-ort\d{2}-[\w-]{20,}",
        "sk-ant-ort01-" + "Ex4mple" * 5, _KEYS,
    ),
    _class(
        "anthropic-key", "sk-ant-", r"sk-ant-[a-z]{1,16}\d{2}-[\w-]{20,}",
        "sk-ant-api03-" + "Ex4mple" * 5, _KEYS,
    ),
    _class(
        "openrouter-key", "sk-or-", r"sk-or-v\d-[0-9A-Za-z]{32,}",
        "sk-or-v1-" + "0123456789abcdef" * 4, _KEYS,
    ),
    _class(
        "openai-key", "sk-proj- sk-svcacct- sk-admin- sk-service-",
        _LEFT + r"sk-(?:proj|svcacct|admin|service)-" + _A_DIGIT + r"[\w-]{20,}",
        "sk-proj-" + "Ex4mple" * 5, _KEYS,
    ),
    _class(
        "openai-key", "sk-", _LEFT + r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}[\w-]*",
        "sk-" + "Ex4mp" * 4 + "T3BlbkFJ" + "Ex4mp" * 4, _KEYS,
    ),
    _class(
        "gateway-key", "sk-", _LEFT + r"sk-" + _A_DIGIT + r"[A-Za-z0-9]{32,}[\w-]*",
        "sk-" + "Ex4mpl" * 8, _KEYS + " (new-api, one-api, LiteLLM, DeepSeek)",
    ),
    _class(
        "gateway-key", "sk-", _LEFT + r"sk-(?:[a-z][a-z0-9]{1,15}-){1,2}" + _A_DIGIT + r"[A-Za-z0-9]{32,}(?![\w-])",
        "sk-litellm-" + "Ex4mpl" * 8, "a master key as LiteLLM's documentation writes it",
    ),
    _class("google-key", "AIza", _LEFT + r"AIza[\w-]{30,64}(?![\w-])", "AIza" + "Ex4mple" * 5, _KEYS),
    _class("google-token", "ya29.", _LEFT + r"ya29\.[\w.-]{20,}", "ya29.a0" + "Ex4mple" * 5, _KEYS),
    _class(
        "aws-key-id", "AKIA ASIA", _LEFT + r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIAEXAMPLE234567ABC", _KEYS,
    ),
    _class(
        "jwt", "eyJ", _LEFT + r"eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLWV4YW1wbGU", _KEYS,
    ),
    # ---- who it was: organizations, projects, accounts
    _class(
        "openai-organization", "org-", _LEFT + r"org-(?=[A-Za-z0-9]{0,32}\d)[A-Za-z0-9]{20,32}(?![\w-])",
        "org-" + "Ex4mpl" * 4, _KEYS + ", recorded traffic",
    ),
    _class(
        "openai-project", "proj_", _LEFT + r"proj_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{16,40}(?![\w-])",
        "proj_" + "Ex4mpl" * 4, _KEYS + ", recorded traffic",
    ),
    _class(
        "openai-user", "user-", _LEFT + r"user-(?=[A-Za-z0-9]{0,24}\d)[A-Za-z0-9]{24}(?![\w-])",
        "user-" + "Ex4mpl" * 4, "recorded traffic (`user` of embeddings and files)",
    ),
    _class(
        "gcp-project", "projects/ projects%2F",
        r"projects(?:/|%2F)(?P<value>[a-z0-9][a-z0-9:.-]{3,40})(?=(?:/|%2F)locations(?:/|%2F))",
        "projects/example-123456/locations/", _KEYS,
    ),
    _class(
        "aws-account", "arn:aws arn%3Aaws",
        r"arn(?::|%3A)aws(?:-[a-z]+)*(?::|%3A)[a-z0-9-]*(?::|%3A)[a-z0-9-]*(?::|%3A)(?P<value>\d{12})(?=:|%3A)",
        "arn:aws:bedrock:us-east-1:123456789012:", _KEYS,
    ),
    _class(
        "request-id", "req_", _LEFT + r"req_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{20,40}(?![\w-])",
        "req_011" + "Ex4mple" * 3, _KEYS + " (`request_id` of error bodies)",
    ),
    # ---- known by their place
    Class("api-key", "placeholder", example="the value of `x-api-key`", source="headers.py"),
    Class("url-key", "placeholder", example="?key=…", source="urls.py"),
    Class("url-userinfo", "placeholder", example="https://user:password@host/", source="urls.py"),
    Class("password", "placeholder", example="of Basic authorization, of a URL", source="headers.py, urls.py"),
    Class("env", "placeholder", example="the value of `DB_PASSWORD`", source="environment.py"),
    Class("secret", "placeholder", example="`secrets=[…]`", source="settings"),
    Class("cookie", "drop", example="cookie, set-cookie", source="headers.py"),
    Class("organization-id", "placeholder", example="anthropic-organization-id", source="headers.py"),
    Class("workspace-id", "placeholder", example="anthropic-workspace-id", source="headers.py"),
    Class("user-profile-id", "placeholder", example="anthropic-user-profile-id", source="headers.py"),
    Class("opaque", "placeholder", example="a thinking signature that holds a UUID", source="design.md §7.2"),
    Class("message-id", "keep", example="msg_… toolu_… resp_… call_… chatcmpl-…", source="design.md §7"),
)  # fmt: skip


def by_anchor() -> dict[str, tuple[tuple[str, re.Pattern[str]], ...]]:
    """Anchor → its (class, pattern) pairs, in the order of the table.

    An anchor that another begins with takes over its entries: each place of a text is tried once.
    """
    entries = [
        (anchor, item.name, item.pattern) for item in CLASSES if item.pattern is not None for anchor in item.anchors
    ]
    anchors = {anchor for anchor, _, _ in entries}
    shortest = {a: min((b for b in anchors if a.startswith(b)), key=len) for a in anchors}
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for anchor, name, pattern in entries:
        pairs = table.setdefault(shortest[anchor], [])
        if (name, pattern) not in pairs:
            pairs.append((name, pattern))
    return {anchor: tuple(pairs) for anchor, pairs in table.items()}


ANCHORS = by_anchor()


def classify(value: str) -> str | None:
    """The class whose pattern takes the whole of `value`, or `None`."""
    for anchor, pairs in ANCHORS.items():
        if value.startswith(anchor):
            for name, pattern in pairs:
                match = pattern.match(value)
                if match is not None and match.end() == len(value) and "value" not in pattern.groupindex:
                    return name
    return None
