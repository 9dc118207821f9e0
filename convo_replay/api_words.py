"""The words that requests and answers are made of: what is replaced in them is no request any more.

Redaction looks at keys, too: somebody may have put an e-mail address into one. A pattern of `secrets=` that matches
`role` would leave no conversation that can be validated, matched or replayed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_WORDS = """
    model messages role content type text system user assistant developer max_tokens max_completion_tokens stream
    stream_options include_usage temperature top_p top_k stop_sequences stop metadata thinking signature
    redacted_thinking budget_tokens tools tool_choice name description input_schema function parameters strict object
    properties required string array tool_use tool_result tool_use_id tool_calls tool_call_id tool arguments id input
    is_error image image_url document source media_type base64 data url cache_control ephemeral index delta choices
    message finish_reason stop_reason stop_sequence end_turn refusal usage input_tokens output_tokens prompt_tokens
    completion_tokens total_tokens cache_creation_input_tokens cache_read_input_tokens message_start message_delta
    message_stop content_block content_block_start content_block_delta content_block_stop text_delta input_json_delta
    thinking_delta signature_delta partial_json ping error event created request_id
"""
WORDS: tuple[str, ...] = tuple(_WORDS.split())
"""Keys and types of both wire formats (protocol.md §1, §2)."""


def problem(secrets: Sequence[Any]) -> str:
    """Which of the values of `secrets=` would spoil every request, and what to do; nothing where none does.

    What is looked for is not part of the text: neither a string nor a pattern, which may hold the secret itself.
    """
    for number, secret in enumerate(secrets):
        which = f"number {number + 1} of {len(secrets)}"
        if isinstance(secret, re.Pattern):
            if secret.search("") is not None:
                return f"{which}, a pattern, matches the empty text. {_NARROWER}"
            word = next((word for word in WORDS if any(match[0] for match in secret.finditer(word))), "")
            if word:
                spoilt = f"matches {word!r}, a word of the API: it would spoil every request"
                return f"{which}, a pattern, {spoilt}. {_NARROWER}"
        elif isinstance(secret, str) and secret and any(secret in word for word in WORDS):
            return (
                f"{which}, a text of length {len(secret)}, is part of a word of the API: it would spoil every request. "
                "Name more of it, or a pattern with what stands around it"
            )
    return ""


_NARROWER = "Let it match the secret alone, e.g. re.compile(r'CUST-\\d{5}') or re.compile(r'(?<=badge )\\d+')"
