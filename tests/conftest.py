"""What every test stands on: an environment without keys, proxies and settings of whoever runs it."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest import pytester as pytester_module

import convo_replay

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


_INSTALLED = (sys.prefix, sys.base_prefix, str(Path(convo_replay.__file__).parent))


def _is_installed(name: str) -> bool:
    return str(getattr(sys.modules[name], "__file__", None) or sys.prefix).startswith(_INSTALLED)


@pytest.fixture(autouse=True, scope="session")
def imported_once() -> Iterator[None]:
    """What a run of pytest inside a test is the first to import stays imported after it.

    pytester forgets it, and the next one to import it gets a second copy: of httpcore, for one, whose exceptions are
    not those that httpx has learned to wrap. Which test comes first differs with each distribution over processes.
    """
    with pytest.MonkeyPatch.context() as patched:
        keeping = functools.partial(pytester_module.SysModulesSnapshot, preserve=_is_installed)
        patched.setattr(pytester_module, "SysModulesSnapshot", lambda preserve=None: keeping())
        yield
