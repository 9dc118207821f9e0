"""A16: no empty text, no turn of nothing but whitespace.

As measured (experientiallabs/experiential PR #804, and again by others in Jul 2026). Legal are an assistant's `""`
and `[]`, any empty result of a tool, `system: ""`, and whitespace beside something else in the same turn. What
stands inside a `tool_result` is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked, Span
from convo_replay.validation.findings import Finding, Path, Rule, value

_EMPTY = "{part}: text content blocks must be non-empty"
_WHITE = "{part}: text content blocks must contain non-whitespace text"
_CACHED = "{path}.text: cache_control cannot be set for empty text blocks"
_USER = "messages.{n}: user messages must have non-empty content"

RULE = Rule(
    name="content-empty",
    number="A16",
    format="anthropic",
    severity="error",
    summary="Text blocks hold text, user messages hold something, and a turn is not whitespace alone.",
    why="The API rejects an empty text block anywhere, a user message without content, and a turn whose only text is "
    "whitespace. They come about where a stream began with an empty text block, where a tool or a template gave "
    "nothing, or where somebody pressed Enter. Leave the block out, or the message. (An empty assistant message and "
    "an empty tool result are accepted.)",
    source="experientiallabs/experiential PR #804 (payload table, measured)",
    api_error=_EMPTY.format(part="messages"),
)


def check(asked: Asked) -> Iterator[Finding]:
    for index, message in asked.fresh:
        if message.role not in ("user", "assistant", "system"):
            continue
        content = message.value.get("content")
        if content == "" or content == []:
            if message.role == "user":
                yield RULE.found(
                    ("messages", index),
                    f"expected content in the user message, sent {content!r}",
                    api_error=_USER.format(n=index),
                )
            continue
        for at, block in enumerate(message.blocks):
            if message.types[at] == "text" and block.get("text") == "":
                yield _empty(("messages", index, "content", at), block)
    for span in asked.spans:
        if span.end > asked.new:
            yield from _whitespace(span)
    yield from _system(asked)


def _empty(where: Path, block: dict[str, object]) -> Finding:
    text = _EMPTY.format(part=where[0])
    if block.get("cache_control"):
        text = _CACHED.format(path=".".join(map(str, where)))
    return RULE.found(where, "expected a text that is not empty, sent ''", api_error=text)


def _whitespace(span: Span) -> Iterator[Finding]:
    """A turn whose only content is text, and that text whitespace."""
    first: Path = ()
    for offset, message in enumerate(span.messages):
        for at, block in enumerate(message.blocks):
            text = block.get("text")
            if block.get("type") != "text" or not isinstance(text, str) or text.strip():
                return
            if text and not first:
                index = span.start + offset
                first = ("messages", index, "content") if message.plain else ("messages", index, "content", at)
    if first and span.role in ("user", "assistant", "system"):
        yield RULE.found(
            first,
            f"expected more than whitespace in the {span.role} turn, sent nothing else",
            api_error=_WHITE.format(part="messages"),
        )


def _system(asked: Asked) -> Iterator[Finding]:
    system = asked.body.get("system")
    if isinstance(system, str):
        if system and system.isspace():
            yield RULE.found(
                ("system",),
                f"expected more than whitespace, or no system prompt, sent {value(system)}",
                api_error=_WHITE.format(part="system"),
            )
        return
    blocks = [wire.mapping(block) for block in wire.items(system)]
    texts = [block.get("text") for block in blocks]
    for at, text in enumerate(texts):
        if text == "":
            yield _empty(("system", at), blocks[at])
    if texts and all(isinstance(text, str) and text.isspace() for text in texts):
        yield RULE.found(
            ("system", 0),
            f"expected more than whitespace, or no system prompt, sent {value(texts[0])}",
            api_error=_WHITE.format(part="system"),
        )
