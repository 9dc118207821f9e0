"""The waits that were asked for while a conversation replayed: they were skipped, and are kept on record.

A wait belongs to the request before it, of the same thread or task: that is the one whose failure is waited for.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convo_replay.verdict.evidence import Wait

MOST = 10_000
"""Waits of one conversation; a client that asks for more does not come to an end."""

RETRY_MODULES = frozenset({
    # SDKs of models and of gateways to them
    "ai21", "aiobotocore", "anthropic", "boto3", "botocore", "cerebras", "cohere", "fireworks", "google.api_core",
    "google.auth", "google.genai", "google.generativeai", "groq", "huggingface_hub", "litellm", "llama_api_client",
    "mistralai", "openai", "openrouter", "replicate", "together", "vertexai", "voyageai", "writerai", "xai_sdk",
    # what they, and applications, retry with
    "backoff", "stamina", "tenacity",
})  # fmt: skip
"""Packages whose waits are for another attempt: SDKs, and libraries for retries."""


@functools.lru_cache(maxsize=4096)
def retries(module: str, also: tuple[str, ...] = ()) -> bool:
    """Whether a module (`anthropic._base_client`) is, or lies in, one of `RETRY_MODULES` or of `also`."""
    while module:
        if module in RETRY_MODULES or module in also:
            return True
        module = module.rpartition(".")[0]
    return False


_last: ContextVar[tuple[object, int] | None] = ContextVar("convo_replay_last_request", default=None)


class Pauses:
    """The waits of one conversation, by the place of the exchange that they followed."""

    def __init__(self) -> None:
        self._after: dict[int, list[Wait]] = {}
        self.count = 0
        """How many there were."""
        self._latest = -1

    def asked(self, slot: int) -> None:
        """A request was made here: what is waited for from now on, in this thread or task, follows it."""
        self._latest = slot
        _last.set((self, slot))

    def add(self, wait: Wait) -> tuple[int, bool]:
        """Keeps a wait; gives the exchange that it followed (-1: none), and whether there may be more of them."""
        slot = self.last()
        self._after.setdefault(slot, []).append(wait)
        self.count += 1
        return slot, self.count <= MOST

    def last(self) -> int:
        """The exchange that was asked for last in this thread or task, or, where none was, in any; -1: none."""
        last = _last.get()
        # A retry around `to_thread(call)` or a task waits where nothing was asked for.
        return last[1] if last is not None and last[0] is self else self._latest

    def seconds(self, slot: int) -> tuple[float, ...]:
        """What was waited for after an exchange."""
        return tuple([wait.seconds for wait in self._after.get(slot, ())])
