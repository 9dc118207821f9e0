"""A request holds at most 100,000 messages."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

MOST = 100_000

RULE = Rule(
    name="messages-limit",
    number="§1.1",
    format="anthropic",
    severity="error",
    summary="A request holds at most 100,000 messages.",
    why="A history that only ever grows ends here, long after it has become slow and dear. Summarize or drop its "
    "oldest turns. No other rule looks at such a request.",
    source="anthropic 2.12.0, resources/messages/messages.py, docstring of `messages`",
)


def check(asked: Asked) -> Iterator[Finding]:
    count = len(wire.items(asked.body.get("messages")))
    if count > MOST:
        yield RULE.found(("messages",), f"expected at most {MOST:,} messages, sent {count:,}")
