"""What each Claude model takes of the parameters that models differ in: one table, read by several rules.

Sources: the vendor's pages "Troubleshooting thinking" (the per-model table), "Effort", "What's new in …" of
Opus 5.5, Sonnet 5.5, Haiku 5.5 and Fable 5.2, "Mid-conversation system messages", as stored in
Sep-Nov 2026; the texts of real 400s. What no page says is `None` here, and a model that is not in the
table has no row: rules say nothing then. State: 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from convo_replay.exchange import Request
from convo_replay.validation.findings import Severity
from convo_replay.validation.models import Model

LEVELS: Final = ("low", "medium", "high", "xhigh", "max")
_TO_MAX: Final = ("low", "medium", "high", "max")

Off = Literal[
    "accepted",
    "to_high",  # accepted with an effort of high or below
    "between_tools",  # rejected; `between_tools` is the lowest setting
    "rejected",
    "rejected_or_budget",  # rejected; the text offers a budget
]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model takes.

    Attributes:
        budget: thinking `enabled` with a budget.
        adaptive: thinking `adaptive`.
        off: what it answers to thinking `disabled`.
        thinks: it thinks where the request does not say.
        forced_tools: `tool_choice` `any` and `tool`.
        prefill: a conversation that ends with a part of the answer.
        efforts: levels of `output_config.effort`; empty where it takes none.
        sampling: `temperature`, `top_p`, `top_k` other than the default (before version 2026-10-21).
        one_sampling: not `temperature` and `top_p` together.
        system_role: `role: system` among the messages.
        output: largest `max_tokens`; 0 where not known.
    """

    budget: bool = False
    adaptive: bool = True
    off: Off = "accepted"
    thinks: bool = False
    forced_tools: bool | None = True
    prefill: bool = False
    efforts: tuple[str, ...] = LEVELS
    sampling: bool = False
    one_sampling: bool = False
    system_role: bool | None = True
    output: int = 128_000

    @property
    def between_tools(self) -> bool:
        """Whether it takes thinking `between_tools`."""
        return self.off == "between_tools"


_OLD: Final = Capabilities(adaptive=False, prefill=True, efforts=(), sampling=True, system_role=False, output=4096)
_BUDGETS: Final = replace(_OLD, budget=True, output=64_000)
_BUDGETS_4_1: Final = replace(_BUDGETS, one_sampling=True)
_BOTH: Final = Capabilities(budget=True, efforts=_TO_MAX, sampling=True, one_sampling=True, system_role=False)
_ADAPTIVE: Final = Capabilities(system_role=False)
_ALWAYS: Final = Capabilities(off="rejected", thinks=True)
_ALWAYS_FREE: Final = replace(_ALWAYS, forced_tools=False)

_TABLE: Final[dict[tuple[str, tuple[int, int]], Capabilities]] = {
    ("claude", (2, 0)): _OLD,
    ("claude", (2, 1)): _OLD,
    ("haiku", (3, 0)): _OLD,
    ("sonnet", (3, 0)): _OLD,
    ("opus", (3, 0)): _OLD,
    ("haiku", (3, 5)): replace(_OLD, output=8192),
    ("sonnet", (3, 5)): replace(_OLD, output=8192),
    ("sonnet", (3, 7)): replace(_BUDGETS, output=128_000),  # with its beta header; 64,000 without
    ("sonnet", (4, 0)): _BUDGETS,
    ("opus", (4, 0)): replace(_BUDGETS, output=32_000),
    ("opus", (4, 1)): replace(_BUDGETS_4_1, output=32_000),
    ("sonnet", (4, 5)): _BUDGETS_4_1,
    ("haiku", (4, 5)): _BUDGETS_4_1,
    ("opus", (4, 5)): replace(_BUDGETS_4_1, efforts=("low", "medium", "high")),
    ("opus", (4, 6)): _BOTH,
    ("sonnet", (4, 6)): _BOTH,
    ("opus", (4, 7)): _ADAPTIVE,
    ("opus", (4, 8)): Capabilities(),
    ("sonnet", (5, 0)): replace(_ADAPTIVE, thinks=True),
    ("opus", (5, 0)): Capabilities(off="to_high", thinks=True),
    ("haiku", (5, 5)): Capabilities(off="to_high", thinks=True, forced_tools=None),
    ("sonnet", (5, 5)): replace(_ALWAYS_FREE, off="between_tools"),
    ("opus", (5, 5)): _ALWAYS_FREE,
    ("fable", (5, 0)): _ALWAYS,
    ("mythos", (5, 0)): _ALWAYS,
    ("fable", (5, 1)): _ALWAYS_FREE,
    ("mythos", (5, 1)): _ALWAYS_FREE,
    ("fable", (5, 2)): _ALWAYS_FREE,
    ("mythos", (5, 2)): _ALWAYS_FREE,
    ("mythos", (0, 0)): Capabilities(  # claude-mythos-preview
        budget=True, off="rejected_or_budget", thinks=True, forced_tools=None, efforts=_TO_MAX,
        system_role=None, output=0,
    ),
}  # fmt: skip


def capabilities(model: Model) -> Capabilities | None:
    """The model's row; `None` where the name says too little, or the model is younger than the table."""
    return _TABLE.get((model.family, model.version))


TRANSLATED: Final[Mapping[str, Severity]] = {"openrouter": "warn"}
"""Of rules about what a model takes: OpenRouter leaves out what it does not, or sends something like it."""


def severity_at(request: Request) -> Severity:
    """How severe it is that a model does not take a parameter."""
    return TRANSLATED.get(platform(request), "error")


def platform(request: Request) -> str:
    """Whose servers a request goes to: `direct`, `bedrock`, `google`, `openrouter`; empty for any other host."""
    try:
        host = urlsplit(request.url).hostname or ""
    except ValueError:
        return ""
    if host == "api.anthropic.com":
        return "direct"
    if host.endswith(".amazonaws.com"):
        return "bedrock"
    if host == "openrouter.ai" or host.endswith(".openrouter.ai"):
        return "openrouter"
    return "google" if host.endswith("googleapis.com") else ""
