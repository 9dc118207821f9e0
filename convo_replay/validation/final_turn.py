"""The final assistant turn: the one that a request goes on from, if it goes on from one."""

from __future__ import annotations

from dataclasses import dataclass

from convo_replay.validation.asked import Asked

THINKING = frozenset({"thinking", "redacted_thinking"})
SERVER_USES = frozenset({"server_tool_use", "mcp_tool_use"})
"""Blocks of tools that run at the API; their results stand in the same turn."""


@dataclass(frozen=True, slots=True)
class FinalTurn:
    """An assistant turn that the answer will continue.

    Attributes:
        start: its first message.
        end: its last message.
        looping: tool results follow it; otherwise it ends the history.
    """

    start: int
    end: int
    looping: bool


def final_turn(asked: Asked) -> FinalTurn | None:
    """The assistant turn at the end of the history, or the one whose tool results end it; `None` where neither is."""
    messages = asked.messages
    at = len(messages) - 1
    while at >= 0 and messages[at].role == "system":
        at -= 1
    looping = at >= 0 and messages[at].role == "user"
    if looping:
        at = _before_results(asked, at)
    if at < 0 or messages[at].role != "assistant":
        return None
    return FinalTurn(_turn_start(asked, at), at, looping)


def loop_start(asked: Asked, start: int) -> int:
    """The first assistant message of the tool loop that the turn stands in: there the model began to answer."""
    while True:
        before = _before_results(asked, start - 1)
        if before < 0 or asked.messages[before].role != "assistant":
            return start
        start = _turn_start(asked, before)


def is_server_result(kind: str) -> bool:
    """Whether a block is the result of a tool that ran at the API."""
    return kind.endswith("_tool_result")


def _turn_start(asked: Asked, at: int) -> int:
    while at > 0 and asked.messages[at - 1].role == "assistant":
        at -= 1
    return at


def _before_results(asked: Asked, at: int) -> int:
    """The message before a user turn that is an answer to tools; -1 where the turn at this place is none."""
    messages = asked.messages
    while at >= 0 and messages[at].role == "system":
        at -= 1
    answers = False
    while at >= 0 and messages[at].role == "user":
        answers = answers or bool(messages[at].results)
        at -= 1
    return at if answers else -1
