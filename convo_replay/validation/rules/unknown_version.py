"""A version of the API that is known."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import VERSIONS, Asked
from convo_replay.validation.findings import Finding, Rule, value

RULE = Rule(
    name="unknown-version",
    number="§0",
    format="anthropic",
    severity="warn",
    summary="A request names a version of the API that is known.",
    why="The header `anthropic-version` (Bedrock and Vertex: `anthropic_version` in the body) holds a version that "
    "convo_replay does not know: a newer one, or a slip. What holds since a certain version is not looked at then. If "
    "it is newer, update convo_replay.",
    source="platform.claude.com api/versioning",
)


def check(asked: Asked) -> Iterator[Finding]:
    masked = "redact" in asked.version.lower() or "filter" in asked.version.lower()
    if asked.version and asked.version not in VERSIONS and not masked:
        known = ", ".join(sorted(VERSIONS))
        yield RULE.found((), f"expected one of the versions {known}, sent {value(asked.version)}")
