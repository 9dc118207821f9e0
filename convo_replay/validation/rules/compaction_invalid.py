"""A22: a compaction block comes first, once, and with content or none.

There are two kinds. That of `compaction: {type: summarize}` (on demand) is signed and *replaces* the messages: it
is the first block of the conversation. That of `context_management` (`compact_20260112`) has no signature and
*follows* the messages, several times in a long conversation; it is the first block of its answer, or comes after
tools that ran at the API. Whether `content`, `signature` and `tool_changes` are unmodified is a matter of
comparing turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convo_replay.validation.asked import Asked
from convo_replay.validation.final_turn import SERVER_USES, is_server_result
from convo_replay.validation.findings import Finding, Path, Rule

RULE = Rule(
    name="compaction-invalid",
    number="A22",
    format="anthropic",
    severity="error",
    summary="A compaction block comes first, once, as it was received, and holds a summary (or null).",
    why="A `compaction` block from compaction on demand takes the place of the messages it summarizes: put it first "
    "and remove those messages; when the conversation is compacted again, only the newest block is sent. A block "
    "that the API made by itself stays where it was received: first in its answer. Clients that rebuild messages "
    "from their texts lose that order. Content `null` marks a failed compaction and is accepted; an empty text is "
    "not.",
    source="anthropic 2.12.0, types/compaction_block_ambiguous_error_details.py, "
    "compaction_block_misplaced_error_details.py, beta/beta_compaction_block_param.py; platform.claude.com "
    "build-with-claude/compaction-on-demand",
    api_error="`compaction` block must be sent first, in place of the messages it summarizes; remove those messages",
    needs=frozenset({"compaction"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    if not any("compaction" in message.types for _, message in asked.fresh):
        return
    signed = 0
    for index, message in enumerate(asked.messages):
        if "compaction" not in message.types:
            continue
        for at, kind in enumerate(message.types):
            if kind != "compaction":
                continue
            block = message.blocks[at]
            where = ("messages", index, "content", at)
            yield from _altered(asked, where, block)
            if block.get("content") == "":
                yield RULE.found(where, "expected a summary, or null for a compaction that failed, sent ''")
            elif message.role == "system":
                yield _misplaced(where, "in a `system` message")
            elif block.get("content") is not None and block.get("signature"):
                if signed:
                    yield _repeated(where)
                elif (index, at) != (0, 0):
                    yield _misplaced(where, "behind other messages" if index else "behind other content")
                signed += 1
            elif block.get("content") is not None and at and not _in_server_loop(message.types[:at]):
                yield (
                    _repeated(where)
                    if "compaction" in message.types[:at]
                    else _misplaced(where, "behind other content")
                )


def _altered(asked: Asked, where: Path, block: Mapping[str, Any]) -> Iterator[Finding]:
    """A block of which one half is as it was received, and the other is not."""
    signature, content = block.get("signature"), block.get("content")
    if not signature or any(each.get("signature") == signature for each in asked.compactions):
        known = [each for each in asked.compactions if signature and each.get("signature") == signature]
        if known and all(each.get("content") != content for each in known):
            message = "expected the `content` of the compaction block as it was received, sent another one"
            yield RULE.found(where, message, api_error="compaction_content_mismatch")
        elif known and all(each.get("tool_changes") != block.get("tool_changes") for each in known):
            message = "expected the `tool_changes` of the compaction block as they were received, sent others"
            yield RULE.found(where, message, api_error="compaction_tool_changes_mismatch")
    elif content and any(each.get("content") == content for each in asked.compactions):
        message = "expected the `signature` of the compaction block as it was received, sent another one"
        yield RULE.found(where, message, api_error="compaction_signature_invalid")


def _in_server_loop(kinds: list[str]) -> bool:
    """Whether tools of the API ran before: between their rounds a history may be compacted again."""
    return any(kind in SERVER_USES or is_server_result(kind) for kind in kinds)


def _misplaced(where: Path, place: str) -> Finding:
    return RULE.found(
        where, f"expected the compaction block before everything else, sent it {place}", api_error=RULE.api_error
    )


def _repeated(where: Path) -> Finding:
    return RULE.found(
        where,
        "expected one compaction block with content, sent another one: send only the newest",
        api_error="compaction_block_ambiguous",
    )
