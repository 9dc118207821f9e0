"""Chat completions: `web_search_options` goes with search models.

The text is a recorded one (gpt-4o, in the corpus), and gpt-4o-search-preview is recorded with 200; of other models
nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

_WITHOUT = re.compile(r"gpt-4o(-mini)?(-\d{4}-\d{2}-\d{2})?")

RULE = Rule(
    name="web-search-unsupported",
    number="O3",
    format="openai_chat",
    severity="error",
    summary="`web_search_options` is sent to search models only, such as `gpt-4o-search-preview`.",
    why="In chat completions only the search models search the web; an ordinary model refuses the option. Use the "
    "model's search variant, or leave the option out.",
    source="a recorded 400 of gpt-4o (pydantic-ai)",
    api_error="Web search options not supported with this model.",
)


def check(asked: Asked) -> Iterator[Finding]:
    model = wire.string(asked.body.get("model"))
    if asked.body.get("web_search_options") is not None and _WITHOUT.fullmatch(model):
        yield RULE.found(
            ("web_search_options",),
            f"expected no `web_search_options` for {model}, sent some",
            api_error=RULE.api_error,
        )
