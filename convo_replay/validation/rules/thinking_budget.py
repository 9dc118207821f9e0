"""A13: 1024 ≤ `budget_tokens` < `max_tokens`.

With the beta `interleaved-thinking-2025-05-14` the budget is one for the whole turn and may be larger than
`max_tokens`. Recordings often lack the beta header (filtered out), so where a request to the beta API names
no beta, the second half is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import capabilities
from convo_replay.validation.findings import Finding, Rule

LEAST = 1024
_INTERLEAVED = "interleaved-thinking"

RULE = Rule(
    name="thinking-budget",
    number="A13",
    format="anthropic",
    severity="error",
    summary="`thinking.budget_tokens` is at least 1024 and less than `max_tokens`.",
    why="Thinking is paid from `max_tokens`: with a budget as large as that, nothing would be left for the answer. "
    "Often `max_tokens` keeps a small default while thinking is switched on. Raise `max_tokens` above the budget, or "
    "lower the budget, not below 1024. (With the beta `interleaved-thinking-2025-05-14` a larger budget is accepted.)",
    source="anthropic 2.12.0, types/thinking_config_enabled_param.py; platform.claude.com build-with-claude/"
    "extended-thinking; texts as quoted in public issues",
    api_error="`max_tokens` must be greater than `thinking.budget_tokens`.",
)


def check(asked: Asked) -> Iterator[Finding]:
    if asked.thinking != "enabled":
        return
    budget = wire.mapping(asked.body.get("thinking")).get("budget_tokens")
    if not isinstance(budget, int) or isinstance(budget, bool):
        return
    where = ("thinking", "budget_tokens")
    if budget < LEAST:
        yield RULE.found(
            where,
            f"expected a budget of at least {LEAST} tokens, sent {budget}",
            api_error=f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST}",
        )
        return
    most = asked.body.get("max_tokens")
    if not isinstance(most, int) or isinstance(most, bool) or budget < most:
        return
    if any(name.startswith(_INTERLEAVED) for name in asked.betas):
        return
    model = capabilities(asked.model)
    if model is not None and not model.budget:
        return  # `thinking-unsupported` has said it
    yield RULE.found(
        where,
        f"expected a budget less than `max_tokens`, which is {most}, sent {budget}",
        api_error=RULE.api_error,
        severity="warn" if asked.beta and not asked.betas else "error",
    )
