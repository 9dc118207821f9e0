"""A15: on models that take a prefill, it does not end with whitespace.

The text is quoted in many issues and by live runs of 2025 and 2026; no page of the vendor holds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import capabilities
from convo_replay.validation.findings import Finding, Rule, value

_SHOWN = 20

RULE = Rule(
    name="prefill-whitespace",
    number="A15",
    format="anthropic",
    severity="error",
    summary="The beginning of an answer that the model shall continue does not end with whitespace.",
    why="The last message is the assistant's, so the model goes on right after its last character; a space or a line "
    "break there makes it continue badly, and the API refuses it. Strip the text on the right before it is sent.",
    source="text as quoted in public issues of litellm, cody, firecrawl (2024-2026)",
    api_error="messages: final assistant content cannot end with trailing whitespace",
)


def check(asked: Asked) -> Iterator[Finding]:
    last = asked.messages[-1] if asked.messages else None
    if last is None or last.role != "assistant" or not last.types or last.types[-1] != "text":
        return
    model = capabilities(asked.model)
    if model is None or not model.prefill:
        return
    text = wire.string(last.blocks[-1].get("text"))
    if not text[-1:].isspace() or not text.strip():
        return
    index = len(asked.messages) - 1
    where = ("messages", index, "content") if last.plain else ("messages", index, "content", len(last.blocks) - 1)
    yield RULE.found(
        where,
        f"expected a text that does not end with whitespace, sent one that ends with {value(text[-_SHOWN:])}",
        api_error=RULE.api_error,
    )
