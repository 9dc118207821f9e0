"""Whose waits are skipped: code that retries requests to a model."""

from __future__ import annotations

import functools
from collections.abc import Sequence

RETRY_CODE = frozenset({
    # SDKs of models and gateways, by their top-level package
    "ai21", "anthropic", "boto3", "botocore", "aiobotocore", "cerebras", "cohere", "fireworks", "google.api_core",
    "google.auth", "google.genai", "google.generativeai", "groq", "huggingface_hub", "litellm", "llama_api_client",
    "mistralai", "ollama", "openai", "openrouter", "replicate", "together", "vertexai", "voyageai", "writerai",
    "xai_sdk",
    # what they and applications retry with
    "backoff", "stamina", "tenacity",
})  # fmt: skip
"""Packages whose waits are skipped without being named in `retry_modules`."""


@functools.lru_cache(maxsize=4096)
def retries(module: str, also: tuple[str, ...] = ()) -> bool:
    """Whether `module` (`anthropic._base_client`) is, or lies in, retry code or a package of `also`."""
    return any(_within(module, also_or_known) for also_or_known in (RETRY_CODE, also))


def _within(module: str, packages: frozenset[str] | Sequence[str]) -> bool:
    while module:
        if module in packages:
            return True
        module = module.rpartition(".")[0]
    return False
