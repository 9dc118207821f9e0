"""Tools that an assistant asks for and the turns that answer them, as the Messages API pairs them.

Messages of one role in a row are one turn (protocol.md §3, A1). `system` messages are looked through:
that they may not stand there is said by another rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked, Span
from convo_replay.validation.messages import Message

SERVER_USES = frozenset({"server_tool_use", "mcp_tool_use"})
"""Tools that run on the server, their results stand in an assistant turn."""

_BEFORE = frozenset({"text", "image", "document", "search_result", "container_upload"})
"""What may stand in a user turn, but not before its `tool_result` blocks. Of new block types nothing is known."""

_SHOWN = 20  # ids in one message


@dataclass(frozen=True, slots=True)
class Answers:
    """The tool results of one user turn.

    Attributes:
        first: ids answered before anything else in the turn.
        late: ids answered after something else.
        before: place and type of what stands before the late ones: `(message, block, type)`.
    """

    first: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    before: tuple[int, int, str] | None = None


def asking(asked: Asked) -> list[tuple[Span, Span | None]]:
    """Each assistant turn that asks for tools, with the user turn after it; `None` where no user turn follows.

    Without those that an earlier request had, too, those that are plainly answered, and those before a turn of
    a role that is not known.
    """
    known: list[tuple[Span, Span | None]] | None = asked.memo.get("asking")
    if known is None:
        known = asked.memo["asking"] = list(_asking(asked))
    return known


def _asking(asked: Asked) -> Iterator[tuple[Span, Span | None]]:
    pairs: list[tuple[Span, Span | None]] = []
    after: Span | None = None
    for span in reversed(asked.spans):
        if span.role == "system":
            continue
        if span.role == "assistant" and not _is_answered(span, after):
            pairs.append((span, after))
        after = span
    for span, after in reversed(pairs):
        if after is None or (after.role == "user" and after.end > asked.new):
            yield span, after
        elif after.role == "assistant":
            yield span, None


def _is_answered(span: Span, after: Span | None) -> bool:
    """Whether the turn asks for no tool, or its results stand right there: the most common cases, at little cost."""
    if len(span.messages) > 1:
        return not any(message.uses for message in span.messages)
    uses = span.messages[0].uses
    if not uses or after is None or len(after.messages) > 1:
        return not uses
    results = after.messages[0].results
    if len(uses) == 1 and results:
        return results[0] == (0, uses[0][1])
    return [(at, use[1]) for at, use in enumerate(uses)] == list(results[: len(uses)])


def answers(span: Span | None) -> Answers:
    """Which tools a user turn answers, and where in it."""
    if span is None:
        return Answers()
    if len(span.messages) == 1 and len(span.messages[0].results) == len(span.messages[0].blocks):
        return Answers(frozenset([ident for _, ident in span.messages[0].results]))
    first: set[str] = set()
    late: set[str] = set()
    before: tuple[int, int, str] | None = None
    for index, message in enumerate(span.messages, span.start):
        results = dict(message.results)
        for at, kind in enumerate(message.types):
            if at in results:
                (first if before is None else late).add(results[at])
            elif before is None and kind in _BEFORE:
                before = index, at, kind
    return Answers(frozenset(first), frozenset(late - first), before)


def asked_before(asked: Asked, index: int) -> frozenset[str] | None:
    """Ids of the tools that the turn before a message asks for; `None` where that turn is not known."""
    index -= 1
    while index >= 0 and asked.messages[index].role == "system":
        index -= 1
    if index < 0 and continues_thread(asked):
        return None
    if index >= 0 and asked.messages[index].role not in ("user", "assistant"):
        return None
    found: set[str] = set()
    while index >= 0 and asked.messages[index].role == "assistant":
        found.update(ident for _, ident in asked.messages[index].uses)
        index -= 1
    return frozenset(found)


def continues_thread(asked: Asked) -> bool:
    """Whether the API holds what came before the first message (beta, `types/beta/beta_thread_continue_params.py`)."""
    return wire.mapping(asked.body.get("thread")).get("type") == "continue"


def compares_ids(asked: Asked) -> bool:
    """Whether the API tells results apart by id: since early 2025. It counted them before.

    Recordings of June 2024 with other ids, as many as were asked for, were answered with 200; the words of that
    time (apify/tester-mcp-client #12) ask for "a matching number of tool_result blocks".
    """
    return not (asked.model.below(3, 5) or "" < asked.on < "2025")


def only_results(message: Message) -> bool:
    """Whether a user message holds tool results and nothing else: the assistant's turn stays open."""
    return bool(message.results) and len(message.results) == len(message.blocks)


def server_results(message: Message) -> Iterator[tuple[int, str, str]]:
    """Index, id, type of each result of a server tool in an assistant message."""
    for at, kind in enumerate(message.types):
        if kind.endswith("_tool_result"):
            ident = message.blocks[at].get("tool_use_id")
            if isinstance(ident, str) and ident:
                yield at, ident, kind


def server_uses(message: Message) -> Iterator[tuple[int, str, str]]:
    """Index, id, name of each server tool that an assistant message uses; the name of an MCP tool is empty."""
    for at, kind in enumerate(message.types):
        if kind in SERVER_USES:
            ident, name = message.blocks[at].get("id"), message.blocks[at].get("name")
            if isinstance(ident, str) and ident:
                yield at, ident, name if isinstance(name, str) and kind == "server_tool_use" else ""


def listed(idents: list[str]) -> str:
    """Ids as the API lists them, the first few of many."""
    return ", ".join(idents[:_SHOWN]) + (f", … ({len(idents)} in all)" if len(idents) > _SHOWN else "")
