"""What a turn's request adds to what earlier ones have said.

The API is stateless: request *k* repeats all earlier turns. Messages are compared as matching compares
them, without dates and cache marks, because clients move these from message to message.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from convo_replay.matching import canonical
from convo_replay.normalizing import normalized
from convo_replay.providers import find, wire
from convo_replay.reporting import blocks
from convo_replay.turns import Turn

_LOOK_BACK = 64  # turns that this one may go on from: conversations overlap
_ANSWERS = 3  # messages among which the last answer is: an application may add some in the model's name
_SYSTEM = ("system", "developer")


@dataclass(frozen=True, slots=True)
class News:
    """A turn's request.

    Attributes:
        turn: whose request it is.
        system: the system prompt; empty for none.
        tools: as they are offered.
        earlier: the turn that this one continues, or whose beginning it shares; `None` for neither.
        continues: whether it goes on where `earlier` ended.
        answered: whether the answer of `earlier` is sent back.
        known: how many messages of `earlier` come again.
        left_out: how many do not, though the conversation goes on.
        messages: the new ones; neither the system prompt nor the answer of `earlier` is among them.
        keys: one for each message of the history, equal where the messages say the same.
    """

    turn: Turn
    system: str
    tools: list[Any]
    messages: list[dict[str, Any]]
    keys: list[bytes]
    earlier: News | None = None
    continues: bool = False
    answered: bool = False
    known: int = 0
    left_out: int = 0


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
        news = self._compared(News(turn, system, wire.items(body.get("tools")), history, keys))
        self._heard.append(news)
        return news

    def _compared(self, whole: News) -> News:
        """`whole`, which holds all messages, with only those that the turn it goes on from has not said."""
        history, keys = whole.messages, whole.keys
        answers = [at for at, message in enumerate(history) if message.get("role") == "assistant"][: -_ANSWERS - 1 : -1]
        best, best_rank = whole, (0, False, 0)
        for other in reversed(self._heard[-_LOOK_BACK:]):
            theirs = set(other.keys)
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(keys, other.keys, strict=False)))
            # What both begin with may hold the same words, as an example.
            later = [at for at in answers if at >= shared and not theirs.isdisjoint(keys[:at])]
            answer = next((at for at in later if blocks.repeats(history[at], other.turn.response)), None)
            answered = answer is not None
            end = shared if answer is None else answer  # where both have come to
            continues = answered or shared == len(other.keys)
            new = [at for at in range(end) if keys[at] not in theirs]
            known = end - len(new)
            new += range(end + answered, len(keys))
            if not known or (not answered and not (continues and new) and _differ(whole.system, other.system)):
                continue
            rank = (end + answered, answered, known)
            if rank > best_rank:
                best_rank = rank
                best = replace(
                    whole,
                    messages=[history[at] for at in new],
                    earlier=other,
                    continues=continues,
                    answered=answered,
                    known=known,
                    left_out=len(other.keys) - known if continues else 0,
                )
            if answered and end == shared == len(other.keys):
                break  # no turn comes between the two
        return best

    def _key(self, message: dict[str, Any]) -> bytes:
        known = self._keys.get(id(message))
        if known is None or known[0] is not message:
            text = normalized(canonical(_bare(message)))
            known = message, hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            self._keys[id(message)] = known  # holds the message, so that its id() stays its own
        return known[1]


def _differ(system: str, other: str) -> bool:
    return system != other and normalized(system) != normalized(other)


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
