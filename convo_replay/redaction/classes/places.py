"""What is known by its place: a header (headers.py), a part of a URL (urls.py), a path in a body (placed.py), the
environment, `secrets=`."""

from __future__ import annotations

from convo_replay.redaction.classes.entry import Class, by_pattern
from convo_replay.redaction.locators import is_cookie, is_password, is_signature, is_token

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_USERINFO = _LETTERS + _LETTERS.upper() + "0123456789:/\\%._~!$&()*+,;=^|{}[]-"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,20}(?::|%3A)(?:\\{0,4}/|%2F){2}"
_BEFORE = r"[^@]{0,200}?"
_HOST_BEGINS = r"\w\[{$"
_HOST = rf"@(?=[{_HOST_BEGINS}])"
_PARAMETER = r"(?:=|%3D)"
_VALUE = r"(?P<value>(?:[A-Za-z0-9+/_~.-]|%(?!2[0236]|3D|5C|7D|25(?:26|3D))[0-9A-Fa-f]{2})+(?:=|%(?:25)?3D){0,2})"
_QUOTE = r"(?:\\*[\"'])"
_PAIR = r"[\w.%-]{1,80}(?:=[^;,\s\"'\\]*)?"

PLACES: tuple[Class, ...] = (
    by_pattern(
        "url-password", "@",
        rf"(?u:{_BEFORE}{_SCHEME}(?:[^\s/?#:@\"'<>%]|%(?!3A|2F|40)[0-9A-Fa-f]{{2}}){{0,64}}(?::|%3A)"
        rf"(?P<value>[^\s/?#\"'<>\\]{{1,200}}?){_HOST}(?![^\s/?#\"'<>\\]*@))",
        "postgres://ada:" + "c0rrect-h0rse" + "@db.example.com/", "RFC 3986 §3.2.1", check=is_password,
        before=_USERINFO, context=True, after=_HOST_BEGINS, needs=":%",
    ),
    by_pattern(
        "url-password", "@",
        rf"(?u:{_BEFORE}{_SCHEME}(?P<value>[\w.~+-]{{16,200}}){_HOST})",
        "https://" + "Ex4mpl" * 5 + "@git.example.com/", "a token in place of the user, as git hosts take it",
        check=is_token, before=_USERINFO, context=True, after=_HOST_BEGINS, needs=":%",
    ),
    by_pattern(
        "url-signature", "ignature= ignature%3D sig= sig%3D ecurity-Token= ecurity-Token%3D",
        rf"(?:ignature|ecurity-Token|sig){_PARAMETER}{_VALUE}",
        "https://example.com/?sig=" + "Ex4mpl" * 6, "AWS SigV4, Google signed URLs, Azure SAS, CloudFront",
        check=is_signature, context=True,
    ),
    Class("api-key", example="the value of `x-api-key`", source="headers.py"),
    Class("url-key", example="?key=…", source="urls.py"),
    Class("url-userinfo", example="https://user:password@host/", source="urls.py"),
    Class("password", example="of Basic authorization", source="headers.py"),
    Class("env", example="the value of `DB_PASSWORD`", source="environment.py"),
    Class("secret", example="`secrets=[…]`", source="settings"),
    Class("cookie", "drop", example="cookie, set-cookie", source="headers.py"),
    by_pattern(
        "cookie", "ookie",
        rf"ookie{_QUOTE}?:\s?{_QUOTE}?(?P<value>{_PAIR}(?:;\s?{_PAIR})*+)",
        "Cookie: session=" + "Ex4mpl" * 6, "what tools print of a request: RFC 6265", check=is_cookie, context=True,
    ),
    Class(
        "organization-id", severity="warn", shape="5ec2e7ed-0000-4001-8000-{n:012d}",
        example="anthropic-organization-id", source="headers.py",
    ),
    Class(
        "account-id", severity="warn", shape="acc0acc0-0000-4001-8000-{n:012d}",
        example="`account_uuid`", source="placed.py",
    ),
    Class(
        "workspace-id", severity="warn", shape="wrkspc_REDACTED{n}",
        example="anthropic-workspace-id", source="headers.py",
    ),
    Class(
        "user-profile-id", severity="warn", shape="uprof_REDACTED{n}",
        example="anthropic-user-profile-id", source="headers.py",
    ),
    Class("user-id", severity="warn", example="`metadata.user_id`", source="placed.py"),
    Class("cf-ray", "drop", "warn", example="cf-ray", source="headers.py"),
    Class("machine", "drop", "warn", example="user-agent, x-stainless-os", source="headers.py"),
    Class("rate-limit", "keep", "info", example="anthropic-ratelimit-tokens-limit", source="headers.py"),
    Class("masked", "keep", "info", example="authorization: Bearer ***", source="headers.py"),
    Class("opaque", severity="warn", example="a thinking signature that holds a UUID", source="design.md §7.2"),
    Class("message-id", "keep", "info", example="msg_… toolu_… resp_… call_… chatcmpl-…", source="design.md §7"),
)  # fmt: skip
