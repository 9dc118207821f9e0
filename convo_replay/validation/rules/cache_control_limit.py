"""A17: at most four cache breakpoints.

Counted are tools, system and the messages with what stands in their tool results. Automatic caching (a
`cache_control` at the top of the request) takes one of the four ("Prompt caching", "Automatic caching"), unless
the last message is marked already, when it does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule, shown

MOST = 4
_SHOWN = 20  # places
_TEXT = "A maximum of 4 blocks with cache_control may be provided. Found {n}."

RULE = Rule(
    name="cache-control-limit",
    number="A17",
    format="anthropic",
    severity="error",
    summary="A request holds at most four `cache_control` markers, over tools, system and messages together.",
    why="Each `cache_control` is a breakpoint of the prompt cache, and a request may have four. It usually goes wrong "
    "in a loop that marks the newest message each time and never takes the mark off the older ones. Keep the marks of "
    "tools and system, and move one mark along the messages. A `cache_control` at the top of the request counts as "
    "one.",
    source="anthropics/claude-code #8901 (the text); platform.claude.com build-with-claude/prompt-caching",
    api_error=_TEXT.format(n="N"),
)


def check(asked: Asked) -> Iterator[Finding]:
    count = sum([message.cached for message in asked.messages])
    count += sum([1 for _ in _marked(asked.body.get("tools"))]) + sum([1 for _ in _marked(asked.body.get("system"))])
    if count > MOST:
        yield RULE.found(
            (),
            f"expected at most {MOST} `cache_control` markers, sent {count}: {_told(asked)}",
            api_error=_TEXT.format(n=count),
        )
    elif count == MOST and asked.body.get("cache_control") and not (asked.messages and asked.messages[-1].cached):
        yield RULE.found(
            ("cache_control",),
            f"expected at most {MOST} `cache_control` markers, sent {MOST} ({_told(asked)}) and one at the top of the "
            "request",
            api_error=_TEXT.format(n=MOST + 1),
        )


def _told(asked: Asked) -> str:
    places = [shown(where) for where in _places(asked)]
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more


def _places(asked: Asked) -> Iterator[Path]:
    """Where the markers are, in the order of the prompt."""
    for key in ("tools", "system"):
        for at in _marked(asked.body.get(key)):
            yield key, at
    for index, message in enumerate(asked.messages):
        if not message.cached:
            continue
        for at, block in enumerate(message.blocks):
            if message.types[at] == "tool_result":
                for inner in _marked(block.get("content")):
                    yield "messages", index, "content", at, "content", inner
            if block.get("cache_control"):
                yield "messages", index, "content", at


def _marked(blocks: object) -> Iterator[int]:
    """Which of some blocks, or tools, are marked."""
    for at, block in enumerate(wire.items(blocks)):
        if isinstance(block, dict) and block.get("cache_control"):
            yield at
