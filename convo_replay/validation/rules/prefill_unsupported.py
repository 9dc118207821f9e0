"""A14: newer models do not continue an answer that was begun for them.

From 4.6 on, and Mythos Preview. A paused server-tool turn is no prefill: its content is sent back last, as it
is, and ends with the call or the result of such a tool; so does a turn that ends with a compaction block.
Where a server tool's block stands before the end it may be one or the other: a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.validation.asked import Asked
from convo_replay.validation.capabilities import TRANSLATED, capabilities, severity_at
from convo_replay.validation.final_turn import SERVER_USES, final_turn, is_server_result
from convo_replay.validation.findings import Finding, Rule

RULE = Rule(
    name="prefill-unsupported",
    number="A14",
    format="anthropic",
    severity="error",
    summary="A conversation with a model from 4.6 on ends with a user message.",
    why="The last message is the assistant's, so the model is asked to go on writing it (a prefill); models from 4.6 "
    "on do not do that. Usually a loop sends its own last answer back without a new question, or a prompt begins the "
    "answer with `{` to get JSON. End with a user message; for JSON use `output_config.format`. A turn that stopped "
    "with `pause_turn` is sent back as it is, which is no prefill.",
    source="platform.claude.com api/errors (prefill not supported), build-with-claude/handling-stop-reasons",
    api_error="This model does not support assistant message prefill. The conversation must end with a user message.",
    severities=TRANSLATED,
)


def check(asked: Asked) -> Iterator[Finding]:
    if not asked.messages or asked.messages[-1].role != "assistant":
        return
    model = capabilities(asked.model)
    unsupported = asked.model.at_least(4, 6) if model is None else not model.prefill
    turn = final_turn(asked) if unsupported else None
    if turn is None:
        return
    kinds = [kind for message in asked.messages[turn.start :] for kind in message.types]
    last = kinds[-1] if kinds else ""
    if not last or last == "compaction" or last in SERVER_USES or is_server_result(last):
        return
    paused = any(kind in SERVER_USES or is_server_result(kind) for kind in kinds)
    yield RULE.found(
        ("messages", turn.end),
        f"expected a user message at the end ({asked.model.name} takes no prefill), sent an assistant message "
        f"that ends with `{last}`",
        api_error=RULE.api_error,
        severity="warn" if paused or model is None else severity_at(asked.request),
    )
