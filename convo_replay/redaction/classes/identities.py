"""What tells who, where or on which account: organizations, people, machines."""

from __future__ import annotations

from convo_replay.redaction.classes.entry import LEFT, Class, by_pattern
from convo_replay.redaction.people import is_american, is_email, is_home, is_international, is_said_to_be_phone
from convo_replay.redaction.registries import TOP

SOURCE = "protocol.md §5"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LOCAL = _LETTERS + _LETTERS.upper() + "0123456789_.%+-" + "".join(map(chr, range(0xC0, 0x180)))
"""What the local part of an e-mail address is made of; `%` of its escapes."""
_ESCAPE_BEFORE = (
    r"(?:(?<!\\)|(?<=\\)[bfnrt]|(?<=\\)u[0-9A-Fa-f]{4}|(?<=\\)(?![bfnrt]|u[0-9A-Fa-f]{4}))"
    r"(?:[\w.%+-]{0,60}%(?!2[BbDdEe]|5[Ff])[0-9A-Fa-f]{2}|(?<=[\[;])\d{1,3}m|(?<=1[bB]\[)[mK]|(?<=\x1b\[)[mK])?"
)
"""Letters before an address that end an escape: `\\nada@…`, `%3Dada@…`."""
_BETWEEN = r"(?:[ .\-/()+\u00a0\u2011\u202f])"
_SEPARATOR = r"(?:/|\\{1,16}/?)"
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z"
_NAME = r"(?u:\w(?:[\w.@+-]{0,62}\w)?)"

IDENTITIES: tuple[Class, ...] = (
    by_pattern(
        "openai-organization", "org-", LEFT + r"org-(?=[A-Za-z0-9]{0,32}\d)[A-Za-z0-9]{20,32}(?![\w-])",
        "org-" + "Ex4mpl" * 4, SOURCE + ", recorded traffic", severity="warn", shape="org-REDACTED{n}", dense=True,
    ),
    by_pattern(
        "organization-id", "rganization org_id org_uuid org:",
        r"(?:rganizations?(?:_?[Ii]d|_?[Uu]uid| ID| UUID)?|org_(?:uu)?id|org)"
        r"(?:\\*[\"'])?(?:\s?[:=]\s?|\s\(?|/)(?:\\*[\"'])?"
        r"(?P<value>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})(?![\w-])",
        "your organization (" + "83a1eb39-1009-4f7a-8d3e-2c6b5a4f3e2d)", "errors of the API (429), exports",
        severity="warn", shape="5ec2e7ed-0000-4001-8000-{n:012d}", context=True,
    ),
    by_pattern(
        "account-id", "ccount_ ccountU ccountI",
        r"ccount(?:_uuid|_id|Uuid|Id)(?:\\*[\"'])?\s?[:= ]\s?(?:\\*[\"'])?"
        r"(?P<value>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})(?![\w-])",
        "account_uuid: " + "83a1eb39-1009-4f7a-8d3e-2c6b5a4f3e2d", "exports, settings of clients", severity="warn",
        shape="acc0acc0-0000-4001-8000-{n:012d}", context=True,
    ),
    by_pattern(
        "openai-project", "proj_", LEFT + r"proj_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{16,40}(?![\w-])",
        "proj_" + "Ex4mpl" * 4, SOURCE + ", recorded traffic", severity="warn", shape="proj_REDACTED{n}", dense=True,
    ),
    by_pattern(
        "openai-user", "user-", LEFT + r"user-(?=[A-Za-z0-9]{0,24}\d)[A-Za-z0-9]{24}(?![\w-])",
        "user-" + "Ex4mpl" * 4, "recorded traffic (`user` of embeddings and files)", severity="warn",
        shape="user-REDACTED{n}", dense=True,
    ),
    by_pattern(
        "gcp-project", "projects/ projects%2F",
        r"projects(?:/|%2F)(?P<value>[a-z0-9][a-z0-9:.-]{3,40})(?=(?:/|%2F)locations(?:/|%2F))",
        "projects/example-123456/locations/", SOURCE, severity="warn",
    ),
    by_pattern(
        "aws-account", "arn:aws arn%3Aaws",
        r"arn(?::|%3A)aws(?:-[a-z]+)*(?::|%3A)[a-z0-9-]*(?::|%3A)[a-z0-9-]*(?::|%3A)(?P<value>\d{12})(?=:|%3A)",
        "arn:aws:bedrock:us-east-1:123456789012:", SOURCE, severity="warn",
    ),
    by_pattern(
        "request-id", "req_", LEFT + r"req_(?:vrtx_|bdrk_)?(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{20,40}(?![\w-])",
        "req_011" + "Ex4mple" * 3, SOURCE + " (`request_id` of error bodies)", severity="warn",
        shape="req_REDACTED{n}", dense=True,
        shapes=(
            ("req_vrtx_", "req_vrtx_REDACTED{n}"), ("req_bdrk_", "req_bdrk_REDACTED{n}"), ("gen-", "gen-REDACTED{n}"),
            (_UUID, "5ec2e7ed-0000-4002-8000-{n:012d}"),
        ),
    ),
    by_pattern(
        "workspace-id", "wrkspc_", LEFT + r"wrkspc_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{20,40}(?![\w-])",
        "wrkspc_011" + "Ex4mple" * 3, "anthropic-workspace-id", severity="warn", shape="wrkspc_REDACTED{n}", dense=True,
    ),
    by_pattern(
        "user-profile-id", "uprof_", LEFT + r"uprof_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{20,40}(?![\w-])",
        "uprof_011" + "Ex4mple" * 3, "anthropic-user-profile-id", severity="warn", shape="uprof_REDACTED{n}",
        dense=True,
    ),
    by_pattern(
        "container-id", "container_ cntr_",
        LEFT + r"(?:container|cntr)_(?=[A-Za-z0-9]{0,64}\d)[A-Za-z0-9]{20,64}(?![\w-])",
        "container_011" + "Ex4mple" * 3, SOURCE + "; OpenAI code interpreter", severity="warn",
        shape="container_REDACTED{n}", dense=True, shapes=(("cntr_", "cntr_REDACTED{n}"),),
    ),
    by_pattern(
        "file-id", "file_ file-", LEFT + r"file[_-](?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{20,40}(?![\w-])",
        "file_011" + "Ex4mple" * 3, SOURCE + "; OpenAI files", severity="warn", shape="file_REDACTED{n}", dense=True,
        shapes=(("file-", "file-REDACTED{n}"),),
    ),
    by_pattern(
        "email", "@",
        "(?u:" + _ESCAPE_BEFORE + r"[.%+-]{0,8}(?P<value>\w[\w.%+-]{0,63}@"
        rf"(?:[^\W_][\w-]{{0,62}}\.){{1,8}}(?i:{TOP})(?![A-Za-z0-9\u00c0-\u024f])))",
        "ada.lovelace@" + "analytical.engines.co.uk", "RFC 5322", severity="warn",
        shape="redacted-email-{n}@example.com", check=is_email, before=_LOCAL, after=r"\w",
    ),
    by_pattern(
        "phone", "",
        rf"\+(?:1(?:{_BETWEEN}{{0,3}}\d){{10}}|[2-9]\d{{0,2}}(?:{_BETWEEN}{{0,3}}\d){{6,12}})(?!\d)",
        "+44 20 " + "7946 0958", "ITU E.164", severity="warn", shape="00-555-{n:07d}", check=is_international,
    ),
    by_pattern(
        "phone", "", r"\([2-9]\d\d\)[ .+-]?[2-9]\d\d[ .-]?\d{4}(?!\d)",
        "(212) " + "555-0187", "North American Numbering Plan", severity="warn", shape="00-555-{n:07d}",
        check=is_american,
    ),
    by_pattern(
        "phone", "", r"[2-9]\d\d[ .-][2-9]\d\d[ .-]\d{4}(?!\d)",
        "212-" + "555-0187", "North American Numbering Plan", severity="warn", shape="00-555-{n:07d}",
        check=is_american, looks="000-000-0000",
    ),
    by_pattern(
        "phone", "hone Tel tel:",
        r"(?:(?:hone|Tel(?:efon)?)(?:[ _-]?(?:[Nn]umber|[Nn]o|[Nn]r)\b)?[\"'\\]{0,4}\.?(?:\s{0,2}[:=]| is| at)|tel:)"
        r"[\s\"'\\]{0,6}(?P<value>[(+]{0,2}\d(?:[ ()./-]{0,3}\d){6,14})(?![\w-])",
        "Phone: 030 " + "901820", "a word for it before", severity="warn", shape="00-555-{n:07d}",
        check=is_said_to_be_phone, context=True, after="^A-MO-Za-df-mo-z",  # `Telefon`, `phone number`, no `Telegram`
    ),
    by_pattern(
        "user-name", "/home",
        rf"/home{_SEPARATOR}(?P<value>{_NAME})", "/home/ada-lovelace", "FHS 3.8", severity="warn", check=is_home,
    ),
    by_pattern(
        "user-name", "Users users\\",
        rf"(?<=[/\\])[Uu]sers(?:/|\\{{1,16}}/?(?!/))(?P<value>{_NAME}(?: (?u:[\w.-]{{1,30}})){{1,2}}(?=\\)|{_NAME})",
        r"C:\Users\ada-lovelace", "home folders of macOS and Windows", severity="warn", check=is_home,
    ),
    by_pattern(
        "user-name", "-Users-",
        r"(?<=[/\\\s\"'])-Users-(?P<value>[A-Za-z][A-Za-z0-9_.]{1,31})-",
        "/projects/-Users-ada-work", "folders of Claude Code, named after the path of a project", severity="warn",
    ),
)  # fmt: skip
