"""A25: what may not stand beside `thread` (beta).

The error class names `cache_control`, `context_management`, `fallbacks` and `thinking`; which values of them,
no page that was read says, so this warns. That a response is continued only once, that a thread exists, and
that its fields stay the same, only the API knows: what one client sends does not show what another has sent.
(For the same reason there is no rule about `container` ids, A24: only the API knows whether one has expired.)
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

_FEATURES = ("cache_control", "context_management", "fallbacks", "thinking")

RULE = Rule(
    name="thread-unsupported",
    number="A25",
    format="anthropic",
    severity="warn",
    summary="A request with `thread` has no `cache_control`, `context_management`, `fallbacks` or `thinking`.",
    why="Threads keep the conversation at the API, and do not go together with some other parameters; the API then "
    "answers `thread_unsupported_request` and names them. Leave the parameter out, or send the whole conversation "
    "without `thread`.",
    source="anthropic 2.12.0, types/thread_unsupported_request_error_details.py, thread_unsupported_feature_name.py",
    api_error="thread_unsupported_request",
)


def check(asked: Asked) -> Iterator[Finding]:
    if not wire.mapping(asked.body.get("thread")):
        return
    for name in _FEATURES:
        if asked.body.get(name):
            yield RULE.found((name,), f"expected no `{name}` beside `thread`, sent one", api_error=RULE.api_error)
