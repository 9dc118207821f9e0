"""What an SDK makes of a fault, as a table: which SDK, which call, what the application sees.

Keys are `anthropic create`, `openai stream` …; where the fault's word decides, it comes first: `reset openai raw`.
Calls: `create` without streaming, `raw` (the iterator of `create(stream=True)`), `stream` (`.stream()` and the final
message). A text begins with the class that the application gets, or with `normal` (as recorded), `result` (a value,
another one), `silent` (no exception, and less than was recorded).

Source: protocol.md §4.4, with anthropic 2.12 and openai 3.54.
"""

from __future__ import annotations

from collections.abc import Mapping

Said = str | tuple[str, str]
"""One text for both SDKs (`SDK` in it is the name of the module), or one for each."""

SDKS = ("anthropic", "openai")
CALLS = ("create", "raw", "stream")


def calls(*, create: Said = "", raw: Said = "", stream: Said = "") -> dict[str, str]:
    """By call; what is left out does not apply. `stream` is as `raw` where it is not given."""
    told: dict[str, str] = {}
    for call, said in zip(CALLS, (create, raw, stream or raw), strict=True):
        for sdk, text in zip(SDKS, (said, said) if isinstance(said, str) else said, strict=True):
            if text:
                told[f"{sdk} {call}"] = text.replace("SDK.", f"{sdk}.")
    return told


def every(said: Said) -> dict[str, str]:
    """The same for each call."""
    return calls(create=said, raw=said)


def by_word(**words: Mapping[str, str]) -> dict[str, str]:
    """Where the fault's word decides (`_` for `-`)."""
    return {f"{word.replace('_', '-')} {key}": text for word, told in words.items() for key, text in told.items()}


CONNECTION = "SDK.APIConnectionError"
TIMEOUT = "SDK.APITimeoutError"
BARE = "json.JSONDecodeError (bare)"
ASSERTION = "AssertionError (bare)"
