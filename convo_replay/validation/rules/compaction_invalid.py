"""A22: the compaction block that stands for a summarized history comes first, once, and with content.

There are two kinds. That of `compaction: {type: summarize}` (compaction on demand) is signed and *replaces* the
messages; these rules are about it. That of `context_management` (`compact_20260112`) is not signed and
*follows* the messages; a request that asks for it is left alone. A block without a signature in a request
that asks for neither may be either: a warning. Whether `content`, `signature` and `tool_changes` are
unmodified is a matter of comparing turns.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule, Severity
from convo_replay.validation.messages import Block

RULE = Rule(
    name="compaction-invalid",
    number="A22",
    format="anthropic",
    severity="error",
    summary="A compaction block stands first in the conversation, is the only one, and holds content.",
    why="A `compaction` block from compaction on demand takes the place of the messages it summarizes: put it first "
    "and remove those messages. When the conversation is compacted again, only the newest block is sent. It may not "
    "stand in a `system` message. Content `null` marks a failed compaction and is accepted; an empty text is not.",
    source="anthropic 2.12.0, types/compaction_block_ambiguous_error_details.py, "
    "compaction_block_misplaced_error_details.py, beta/beta_compaction_block_param.py; platform.claude.com "
    "build-with-claude/compaction-on-demand",
    api_error="`compaction` block must be sent first, in place of the messages it summarizes; remove those messages",
)


def check(asked: Asked) -> Iterator[Finding]:
    if not any("compaction" in message.types for _, message in asked.fresh):
        return
    edits = wire.items(wire.mapping(asked.body.get("context_management")).get("edits"))
    threshold = any(wire.string(wire.mapping(edit).get("type")).startswith("compact_") for edit in edits)
    known: list[tuple[Path, Block]] = []
    for index, message in enumerate(asked.messages):
        for at, kind in enumerate(message.types):
            if kind != "compaction":
                continue
            block = message.blocks[at]
            where: Path = ("messages", index, "content", at)
            if block.get("content") == "":
                yield RULE.found(
                    where,
                    "expected a summary, or null for a compaction that failed, sent ''",
                )
            elif block.get("content") is not None:
                known.append((where, block))
    if threshold:
        return
    for number, (where, block) in enumerate(known):
        severity: Severity = "error" if block.get("signature") else "warn"
        system = asked.messages[where[1]].role == "system" if isinstance(where[1], int) else False
        if number:
            yield RULE.found(
                where,
                "expected one compaction block with content, sent another one: send only the newest",
                api_error="compaction_block_ambiguous",
                severity=severity,
            )
        elif system or where != ("messages", 0, "content", 0):
            place = "in a `system` message" if system else "behind other content"
            yield RULE.found(
                where,
                f"expected the compaction block first in the conversation, sent it {place}",
                api_error=RULE.api_error,
                severity=severity,
            )
