"""Bedrock fetches nothing: images and documents come in base64.

The text is a recorded one (chatlas, claude-sonnet-4-5 through Bedrock).
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import platform
from convo_replay.validation.findings import Finding, Rule

_TEXT = "{path}.{kind}.source.base64.data: URL sources are not supported"

RULE = Rule(
    name="url-source-unsupported",
    number="§7",
    format="anthropic",
    severity="error",
    summary="Through Bedrock's `invoke`, images and documents are sent in base64, not as a URL.",
    why="The API itself can fetch an image by its URL, Bedrock's `invoke` cannot. The same code works with the direct "
    "API. Download the file and send it in base64.",
    source="a recorded 400 of Bedrock (posit-dev/chatlas)",
    api_error=_TEXT.format(path="messages.N.content.M", kind="image"),
)


def check(asked: Asked) -> Iterator[Finding]:
    if platform(asked.request) != "bedrock" or "/invoke" not in asked.request.url:
        return
    for index, message in asked.fresh:
        for at, kind in enumerate(message.types):
            if kind in ("image", "document") and wire.mapping(message.blocks[at].get("source")).get("type") == "url":
                where = ("messages", index, "content", at)
                yield RULE.found(
                    where,
                    f"expected the {kind} in base64 (Bedrock), sent a URL",
                    api_error=_TEXT.format(path=".".join(map(str, where)), kind=kind),
                )
