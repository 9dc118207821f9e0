"""A18: the size of a request has a limit: 32 MB direct, 30 MB at Google, 20 MB at Bedrock.

A body that is known by its hash alone says its size. Of the others the length of all strings is a lower bound;
it is taken only when something large is new, so a history that grows past the limit by small messages
is not seen. "MB" is read as 2²⁰ bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convo_replay.exchange import Blob
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import platform
from convo_replay.validation.findings import Finding, Rule
from convo_replay.validation.messages import Message

_MB = 1 << 20
LIMITS = {"direct": 32 * _MB, "google": 30 * _MB, "bedrock": 20 * _MB}
_LARGE = 128 << 10  # characters of a message from which on the whole is measured

RULE = Rule(
    name="request-too-large",
    number="A18",
    format="anthropic",
    severity="error",
    summary="A request is at most 32 MB large (Google 30 MB, Bedrock 20 MB).",
    why="Requests hold the whole history, with every image and document in base64, and there is a limit to their size. "
    "Upload large files once with the Files API and name them by `file_id`, scale images down, or drop those of older "
    "turns. The 413 comes from the network in front of the API and may not be JSON.",
    source="platform.claude.com api/errors, api/overview",
    api_error="Request exceeds the maximum size",
    status=413,
)


def check(asked: Asked) -> Iterator[Finding]:
    place = platform(asked.request)
    limit = LIMITS.get(place, LIMITS["direct"])
    body = asked.request.body
    if isinstance(body, Blob):
        size = body.size
    elif any(_is_large(message) for _, message in asked.fresh):
        size = _characters(asked.body, limit + 1)
    else:
        return
    if size > limit:
        yield RULE.found(
            (),
            f"expected at most {limit // _MB} MB, sent {size / _MB:.1f} MB or more",
            api_error=RULE.api_error,
            severity="error" if place else "warn",
        )


def _is_large(message: Message) -> bool:
    """Whether a text, a result or a file of the message is large."""
    for block in message.blocks:
        held = block.get("text") or block.get("content") or block.get("source")
        if held and (len(held) if isinstance(held, str) else _characters(held, _LARGE)) >= _LARGE:
            return True
    return False


def _characters(value: Any, enough: int) -> int:
    """The length of all strings in a value, at least up to `enough`."""
    total = 0
    rest = [value]
    while rest and total < enough:
        each = rest.pop()
        if isinstance(each, str):
            total += len(each)
        elif isinstance(each, dict):
            rest.extend(each.values())
        elif isinstance(each, list):
            rest.extend(each)
    return total
