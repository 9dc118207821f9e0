"""The thinking blocks of the latest assistant message come back as they were received."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation import echo
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="thinking-modified",
    number="A6",
    format="anthropic",
    severity="error",
    summary="The thinking blocks of the latest assistant message are sent back unmodified, all of them, in order.",
    why="A thinking block is signed. The latest assistant message was sent back with the signature or the text of "
    "one changed, with one of several left out, or with one moved: often it was put together again from a stream "
    "whose signature_delta was not kept, a block with empty text was skipped, or the text was trimmed or re-encoded "
    "on its way through a store. Keep the content list of the answer and send that. Compared is with what was "
    "received at this place of the conversation.",
    source="platform.claude.com api/errors; anthropics/claude-code #19539",
    api_error="messages.N.content.M: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot "
    "be modified. These blocks must remain as they were in the original response.",
    needs=frozenset({"thinking", "redacted_thinking"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    for index, changes, _ in echo.sent_back(asked):
        if not is_latest(asked, index):
            continue
        for change in changes:
            if change.thinking and not change.gone:
                place = ".".join(map(str, change.where))
                yield RULE.found(
                    change.where,
                    f"expected the thinking of the latest assistant turn as it was received, sent it {change.said}",
                    api_error=RULE.api_error.replace("messages.N.content.M", place, 1),
                    severity=None if asked.model.family else "warn",
                )
                break


def is_latest(asked: Asked, index: int) -> bool:
    """Whether a message belongs to the last assistant turn of the history."""
    last = next((span for span in reversed(asked.spans) if span.role == "assistant"), None)
    return last is not None and last.start <= index < last.end
