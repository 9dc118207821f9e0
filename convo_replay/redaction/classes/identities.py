"""What tells who, where or on which account: organizations, people, machines."""

from __future__ import annotations

from convo_replay.redaction.classes.entry import LEFT, Class, by_pattern

SOURCE = "protocol.md §5"

IDENTITIES: tuple[Class, ...] = (
    by_pattern(
        "openai-organization", "org-", LEFT + r"org-(?=[A-Za-z0-9]{0,32}\d)[A-Za-z0-9]{20,32}(?![\w-])",
        "org-" + "Ex4mpl" * 4, SOURCE + ", recorded traffic", severity="warn", shape="org-REDACTED{n}",
    ),
    by_pattern(
        "openai-project", "proj_", LEFT + r"proj_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{16,40}(?![\w-])",
        "proj_" + "Ex4mpl" * 4, SOURCE + ", recorded traffic", severity="warn", shape="proj_REDACTED{n}",
    ),
    by_pattern(
        "openai-user", "user-", LEFT + r"user-(?=[A-Za-z0-9]{0,24}\d)[A-Za-z0-9]{24}(?![\w-])",
        "user-" + "Ex4mpl" * 4, "recorded traffic (`user` of embeddings and files)", severity="warn",
        shape="user-REDACTED{n}",
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
        "request-id", "req_", LEFT + r"req_(?=[A-Za-z0-9]{0,40}\d)[A-Za-z0-9]{20,40}(?![\w-])",
        "req_011" + "Ex4mple" * 3, SOURCE + " (`request_id` of error bodies)", severity="warn",
        shape="req_REDACTED{n}",
    ),
)  # fmt: skip
