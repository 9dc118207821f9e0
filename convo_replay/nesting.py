"""Which conversation a request belongs to.

Conversations nest per context. A thread or task whose context has none, or one that is over, uses
the innermost one opened process-wide; where several are open that do not nest, that is ambiguous
and an error.
"""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from convo_replay import errors
from convo_replay.errors import ConvoFailure

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation

_current: ContextVar[Conversation | None] = ContextVar("convo_replay_conversation", default=None)
_active: list[Conversation] = []
_lock = threading.RLock()


def current() -> Conversation | None:
    """The conversation that a request made here and now belongs to.

    Raises:
        ConvoFailure: several conversations are open that do not nest, and this context has none.
    """
    conversation = _current.get()
    if conversation is not None and conversation.is_active:
        return conversation
    with _lock:
        if not _active:
            return None
        innermost = _active[-1]
        ancestors = set()
        parent: Conversation | None = innermost
        while parent is not None:
            ancestors.add(id(parent))
            parent = parent.parent
        if all(id(each) in ancestors for each in _active):
            return innermost
        names = [str(each.cassette_path or each.owner or "a conversation") for each in _active]
    raise errors.failure(ConvoFailure, errors.ambiguous(names))


def enter(conversation: Conversation) -> Token[Conversation | None]:
    """Makes a conversation the current one, here and for whoever has none."""
    with _lock:
        before = _current.get()
        conversation.parent = before if before is not None and before.is_active else _active[-1] if _active else None
        conversation.is_active = True
        _active.append(conversation)
    return _current.set(conversation)


def leave(conversation: Conversation, token: Token[Conversation | None]) -> None:
    """Takes back an `enter`."""
    with _lock:
        conversation.is_active = False
        if conversation in _active:
            _active.remove(conversation)
    with contextlib.suppress(ValueError):  # closed from another context than it was opened in
        _current.reset(token)
