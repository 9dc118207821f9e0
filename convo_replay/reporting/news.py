"""What a turn's request adds to what earlier ones have said.

The API is stateless: request *k* repeats all earlier turns. Messages are compared as matching compares
them, without dates and cache marks, because clients move these from message to message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convo_replay.matching import canonical
from convo_replay.normalizing import normalized
from convo_replay.providers import find, wire
from convo_replay.reporting import blocks
from convo_replay.turns import Turn

_LOOK_BACK = 64  # turns that this one may continue: conversations overlap
_SYSTEM = ("system", "developer")


@dataclass(frozen=True, slots=True)
class News:
    """A turn's request.

    Attributes:
        turn: whose request it is.
        system: the system prompt; empty for none.
        tools: as they are offered.
        earlier: the turn that this one continues, or whose beginning it shares; `None` for neither.
        continues: whether all that `earlier` said last is still there.
        known: how many messages of `earlier` come again.
        left_out: how many do not, though the conversation goes on.
        messages: the new ones, the answer of `earlier` among them; the system prompt is not.
    """

    turn: Turn
    system: str
    tools: list[Any]
    earlier: News | None
    continues: bool
    known: int
    left_out: int
    messages: list[dict[str, Any]]
    keys: list[bytes]
    """One for each message of the history: equal where the messages say the same."""

    def is_answer(self, message: dict[str, Any]) -> bool:
        """Whether a message is the answer of `earlier`, sent back."""
        return self.earlier is not None and _is_answer(message, self.earlier.turn)


class Listener:
    """Hears the turns of one conversation, in order."""

    def __init__(self) -> None:
        self._heard: list[News] = []
        self._keys: dict[int, tuple[dict[str, Any], bytes]] = {}

    def hear(self, turn: Turn) -> News:
        """What is new in the next turn. The cost is that of its new messages, and of a look at the others."""
        body = wire.mapping(turn.request.json)
        provider = find(turn.request)
        history = [wire.mapping(message) for message in wire.items(body.get(provider.history))] if provider else []
        system = blocks.plain(body.get("system"))
        if not system:
            first = next((at for at, one in enumerate(history) if one.get("role") not in _SYSTEM), len(history))
            system = "\n".join(blocks.plain(message.get("content")) for message in history[:first])
            history = history[first:]
        keys = [self._key(message) for message in history]
        earlier, continues, known, left_out = None, False, 0, 0
        new = list(range(len(history)))
        found = self._earlier(system, history, keys)
        if found is not None:
            earlier, continues, new = found
            known = len(keys) - len(new)
            left_out = len(earlier.keys) - known if continues else 0
        messages = [history[at] for at in new]
        tools = wire.items(body.get("tools"))
        news = News(turn, system, tools, earlier, continues, known, left_out, messages, keys)
        self._heard.append(news)
        return news

    def _earlier(
        self, system: str, history: Sequence[dict[str, Any]], keys: list[bytes]
    ) -> tuple[News, bool, list[int]] | None:
        """The turn that has most in common with this one, whether this one continues it, and what is new."""
        there = set(keys)
        best: tuple[tuple[int, int, bool], News, bool, list[int]] | None = None
        for other in reversed(self._heard[-_LOOK_BACK:]):
            theirs, length = other.keys, len(other.keys)
            if not theirs:
                continue
            if keys[:length] == theirs:
                new = list(range(length, len(keys)))
                answered = bool(new) and _is_answer(history[length], other.turn)
                rank = (2, length, answered)
            elif theirs[-1] in there and len(there & set(theirs)) >= min(2, length):  # edited, or a window that moves
                last = len(keys) - 1 - keys[::-1].index(theirs[-1])
                said = set(theirs)
                new = [at for at, key in enumerate(keys) if at > last or key not in said]
                answered, rank = False, (1, len(keys) - len(new), False)
            else:
                shared = next(at for at in range(length) if at >= len(keys) or keys[at] != theirs[at])
                new, answered, rank = list(range(shared, len(keys))), False, (0, shared, False)
                if not shared:
                    continue
            if (rank[0] == 0 or not new) and normalized(system) != normalized(other.system):
                continue  # no word of an answer, and another role: a conversation of its own
            if best is None or rank > best[0]:
                best = (rank, other, rank[0] > 0, new)
            if answered and sum(history[at].get("role") == "assistant" for at in new) == 1:
                break  # no turn comes between the two
        return None if best is None else best[1:]

    def _key(self, message: dict[str, Any]) -> bytes:
        known = self._keys.get(id(message))
        if known is None or known[0] is not message:
            text = normalized(canonical(_bare(message)))
            known = message, hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            self._keys[id(message)] = known  # holds the message, so that its id() stays its own
        return known[1]


def _is_answer(message: dict[str, Any], turn: Turn) -> bool:
    return message.get("role") == "assistant" and blocks.repeats(message, turn.response)


def _bare(message: dict[str, Any]) -> dict[str, Any]:
    """A message in one form: its text as a block, without cache marks."""
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if isinstance(content, list) and any("cache_control" in wire.mapping(block) for block in content):
        content = [
            {key: part for key, part in block.items() if key != "cache_control"} if isinstance(block, dict) else block
            for block in content
        ]
    return {**message, "content": content}
