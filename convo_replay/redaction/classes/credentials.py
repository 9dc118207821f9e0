"""What gives access: keys, tokens, passwords.

The most specific come first: at one place the first match names the class.
"""

from __future__ import annotations

from convo_replay.redaction.classes.entry import A_DIGIT, LEFT, Class, by_pattern

SOURCE = "protocol.md §5"

CREDENTIALS: tuple[Class, ...] = (
    by_pattern(
        "anthropic-admin-key", "sk-ant-admin", r"sk-ant-admin\d{2}-[\w-]{20,}",
        "sk-ant-admin01-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "anthropic-oauth-token", "sk-ant-oat", r"sk-ant-oat\d{2}-[\w-]{20,}",
        "sk-ant-oat01-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "anthropic-refresh-token", "sk-ant-ort", r"sk-ant-ort\d{2}-[\w-]{20,}",
        "sk-ant-ort01-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "anthropic-key", "sk-ant-", r"sk-ant-[a-z]{1,16}\d{2}-[\w-]{20,}",
        "sk-ant-api03-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "openrouter-key", "sk-or-", r"sk-or-v\d-[0-9A-Za-z]{32,}",
        "sk-or-v1-" + "0123456789abcdef" * 4, SOURCE,
    ),
    by_pattern(
        "openai-key", "sk-proj- sk-svcacct- sk-admin- sk-service-",
        LEFT + r"sk-(?:proj|svcacct|admin|service)-" + A_DIGIT + r"[\w-]{20,}",
        "sk-proj-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "openai-key", "sk-", LEFT + r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}[\w-]*",
        "sk-" + "Ex4mp" * 4 + "T3BlbkFJ" + "Ex4mp" * 4, SOURCE,
    ),
    by_pattern(
        "gateway-key", "sk-", LEFT + r"sk-" + A_DIGIT + r"[A-Za-z0-9]{32,}[\w-]*",
        "sk-" + "Ex4mpl" * 8, SOURCE + " (new-api, one-api, LiteLLM, DeepSeek)",
    ),
    by_pattern(
        "gateway-key", "sk-", LEFT + r"sk-(?:[a-z][a-z0-9]{1,15}-){1,2}" + A_DIGIT + r"[A-Za-z0-9]{32,}(?![\w-])",
        "sk-litellm-" + "Ex4mpl" * 8, "a master key as LiteLLM's documentation writes it",
    ),
    by_pattern("google-key", "AIza", LEFT + r"AIza[\w-]{30,64}(?![\w-])", "AIza" + "Ex4mple" * 5, SOURCE),
    by_pattern("google-token", "ya29.", LEFT + r"ya29\.[\w.-]{20,}", "ya29.a0" + "Ex4mple" * 5, SOURCE),
    by_pattern(
        "aws-key-id", "AKIA ASIA", LEFT + r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIAEXAMPLE234567ABC", SOURCE,
    ),
    by_pattern(
        "jwt", "eyJ", LEFT + r"eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLWV4YW1wbGU", SOURCE,
    ),
)  # fmt: skip
