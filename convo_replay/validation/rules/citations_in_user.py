"""A26: since version 2026-10-21 the text of a user message holds no citations."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

_SAID = "expected no citations in the text of a user message (since version 2026-10-21), sent {n}"

RULE = Rule(
    name="citations-in-user",
    number="A26",
    format="anthropic",
    severity="error",
    summary="Since API version 2026-10-21 the text blocks of user messages hold no citations.",
    why="Citations are what the model adds to its own text. Here they stand in a user message, usually because an "
    "answer was copied into a question of another conversation, block by block. Send the text without them. (A "
    "document or a search result may still say whether it wants to be cited.)",
    source="platform.claude.com api/versioning, api/migration-2026-10-21",
)


def check(asked: Asked) -> Iterator[Finding]:
    if not asked.since_2026_10_21:
        return
    for index, message in asked.fresh:
        if message.role != "user" or message.plain:
            continue
        for at, block in enumerate(message.blocks):
            where = ("messages", index, "content", at)
            kind = message.types[at]
            if kind == "text" and wire.items(block.get("citations")):
                yield RULE.found(where, _SAID.format(n=len(block["citations"])))
            elif kind == "search_result":
                for within, part in enumerate(wire.items(block.get("content"))):
                    if isinstance(part, dict) and part.get("type") == "text" and wire.items(part.get("citations")):
                        yield RULE.found((*where, "content", within), _SAID.format(n=len(part["citations"])))
