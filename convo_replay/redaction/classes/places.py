"""What is known by its place: a header (headers.py), a part of a URL (urls.py), the environment, `secrets=`."""

from __future__ import annotations

from convo_replay.redaction.classes.entry import Class

PLACES: tuple[Class, ...] = (
    Class("api-key", example="the value of `x-api-key`", source="headers.py"),
    Class("url-key", example="?key=…", source="urls.py"),
    Class("url-userinfo", example="https://user:password@host/", source="urls.py"),
    Class("password", example="of Basic authorization, of a URL", source="headers.py, urls.py"),
    Class("env", example="the value of `DB_PASSWORD`", source="environment.py"),
    Class("secret", example="`secrets=[…]`", source="settings"),
    Class("cookie", "drop", example="cookie, set-cookie", source="headers.py"),
    Class(
        "organization-id", severity="warn", shape="5ec2e7ed-0000-4001-8000-{n:012d}",
        example="anthropic-organization-id", source="headers.py",
    ),
    Class(
        "workspace-id", severity="warn", shape="wrkspc_REDACTED{n}",
        example="anthropic-workspace-id", source="headers.py",
    ),
    Class(
        "user-profile-id", severity="warn", shape="uprof_REDACTED{n}",
        example="anthropic-user-profile-id", source="headers.py",
    ),
    Class("opaque", severity="warn", example="a thinking signature that holds a UUID", source="design.md §7.2"),
    Class("message-id", "keep", "info", example="msg_… toolu_… resp_… call_… chatcmpl-…", source="design.md §7"),
)  # fmt: skip
