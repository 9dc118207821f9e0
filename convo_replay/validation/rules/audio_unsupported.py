"""Chat completions: `input_audio` goes to models that listen.

The text is a recorded one (gpt-5-mini, pydantic-ai's audio tests of 2026; `file` and `image_url` parts get 200 there).
Of other models nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

_DEAF = re.compile(r"gpt-5(\.\d+)?(-mini|-nano)?(-\d{4}-\d{2}-\d{2})?")

RULE = Rule(
    name="audio-unsupported",
    number="O3",
    format="openai_chat",
    severity="error",
    summary="`input_audio` is sent to models that listen only, such as `gpt-audio`.",
    why="A model that takes text and images refuses a message with sound in it. Send the sound to an audio model, or "
    "its transcript to this one.",
    source="a recorded 400 of gpt-5-mini (pydantic-ai)",
    api_error="Invalid 'messages[N]'. Content blocks are expected to be either text or image_url type.",
    needs=frozenset({"input_audio"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    model = wire.string(asked.body.get("model"))
    if not _DEAF.fullmatch(model) or wire.address(asked.request)[0] != "api.openai.com":
        return
    for index, message in asked.fresh:
        if message.role == "user" and "input_audio" in message.types:
            yield RULE.found(
                ("messages", index),
                f"expected text, images and files for {model}, sent `input_audio`",
                api_error=RULE.api_error.replace("[N]", f"[{index}]"),
            )
