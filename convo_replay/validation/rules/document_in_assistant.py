"""A26: since version 2026-10-21 a document does not stand in an assistant message."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="document-in-assistant",
    number="A26",
    format="anthropic",
    severity="error",
    summary="Since API version 2026-10-21 documents stand in user messages and in results of tools only.",
    why="An assistant message of the history holds a `document` block. Models never answer with one; somebody has put "
    "it there, for instance to show a file that the assistant is supposed to have made. Put it into a user message.",
    source="platform.claude.com api/versioning, api/migration-2026-10-21",
    needs=frozenset({"document"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    if not asked.since_2026_10_21:
        return
    for index, message in asked.fresh:
        if message.role == "assistant" and "document" in message.types:
            for at, kind in enumerate(message.types):
                if kind == "document":
                    yield RULE.found(
                        ("messages", index, "content", at),
                        "expected no document in an assistant message (since version 2026-10-21), sent one",
                    )
