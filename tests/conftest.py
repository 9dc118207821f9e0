"""What every test stands on: an environment without keys, proxies and settings of whoever runs it."""

from __future__ import annotations

import os
import re

import pytest

_PERSONAL = re.compile(
    r"(ANTHROPIC|OPENAI|AZURE_OPENAI|AWS|GOOGLE|GEMINI|CONVO)_.*|.*_(API_KEY|AUTH_TOKEN)"
    r"|(http|https|all|no|ftp)_proxy|CI|PYTEST_ADDOPTS",
    re.IGNORECASE,
)
_OURS = {"CONVO_CORPUS", "CONVO_LITELLM_PYTHON", "CONVO_OLD_SDK_PYTHON"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key can be spent, no proxy asked and no `CI` believed by accident, here or in a subprocess."""
    for name in [name for name in os.environ if _PERSONAL.fullmatch(name) and name not in _OURS]:
        monkeypatch.delenv(name)
