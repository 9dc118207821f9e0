"""Keys that are not there, stood in for while a cassette replays.

`openai.OpenAI()` at module level raises without a key, and so does `os.environ["OPENROUTER_API_KEY"]`:
replay has to need neither. Only what is missing is set, and only where it shadows no credential that
the user has: anthropic 2.12 prefers `ANTHROPIC_API_KEY` to a bearer token, a profile and workload
identity (and 0.125 sends both key and token); openai 3.54 refuses its module-level client where
OpenAI and Azure keys are both set; google-genai prefers `GOOGLE_API_KEY` to `GEMINI_API_KEY`. A
profile that is merely on disk *is* shadowed: it holds refresh tokens, and the SDK writes what the
token endpoint answers back into it. `AWS_BEARER_TOKEN_BEDROCK` and AWS keys are left alone: botocore
would take them for the user's wish.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

STAND_IN = "convo-replay-stand-in"
"""Part of every value that stands in for a credential: a key, a token."""


def _always(_environment: Mapping[str, str]) -> bool:
    return True


def _anthropic(environment: Mapping[str, str]) -> bool:
    federated = (
        environment.get("ANTHROPIC_FEDERATION_RULE_ID")
        and environment.get("ANTHROPIC_ORGANIZATION_ID")
        and (environment.get("ANTHROPIC_IDENTITY_TOKEN") or environment.get("ANTHROPIC_IDENTITY_TOKEN_FILE"))
    )
    return not (environment.get("ANTHROPIC_AUTH_TOKEN") or environment.get("ANTHROPIC_PROFILE") or federated)


def _azure(environment: Mapping[str, str]) -> bool:
    chosen = environment.get("OPENAI_API_TYPE", "").startswith("azure")
    configured = environment.get("AZURE_OPENAI_ENDPOINT") or environment.get("OPENAI_API_VERSION")
    return bool(chosen or configured) and not environment.get("AZURE_OPENAI_AD_TOKEN")


def _gemini(environment: Mapping[str, str]) -> bool:
    return not (environment.get("GOOGLE_API_KEY") or environment.get("GOOGLE_GENAI_USE_VERTEXAI"))


KEYS: dict[str, tuple[str, Callable[[Mapping[str, str]], bool]]] = {
    "ANTHROPIC_API_KEY": (f"sk-ant-api03-{STAND_IN}", _anthropic),
    "OPENAI_API_KEY": (f"sk-{STAND_IN}", _always),
    "AZURE_OPENAI_API_KEY": (STAND_IN, _azure),
    "OPENROUTER_API_KEY": (f"sk-or-v1-{STAND_IN}", _always),
    "DEEPSEEK_API_KEY": (f"sk-{STAND_IN}", _always),
    "GROQ_API_KEY": (f"gsk_{STAND_IN}", _always),
    "MISTRAL_API_KEY": (STAND_IN, _always),
    "XAI_API_KEY": (f"xai-{STAND_IN}", _always),
    "GEMINI_API_KEY": (STAND_IN, _gemini),
}
"""Variable → (value in the shape of such a key, whether it does no harm in a given environment)."""

_lock = threading.RLock()
_live: list[StandIns] = []


class StandIns:
    """Puts stand-ins for missing API keys into the environment, and takes them back.

    A variable that is unset or empty counts as missing. `put` and `take_back` may be nested and be
    called from several threads; each `StandIns` counts its own. Taken back is exactly what was put:
    a value that the application set meanwhile stays, and one that another `StandIns` still relies on
    stays until that one leaves.
    """

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[str, str | None] = {}

    def put(self) -> None:
        """Set what is missing. Each `put` wants its `take_back`."""
        with _lock:
            self._count += 1
            if self._count > 1:
                return
            _live.append(self)
            wanted = [name for name, (_, harmless) in KEYS.items() if not os.environ.get(name) and harmless(os.environ)]
            for name in wanted:
                self._before[name] = os.environ.get(name)
                os.environ[name] = KEYS[name][0]

    def take_back(self) -> None:
        """Restore what this `put` found, with the last one of them; one too many does nothing."""
        with _lock:
            if self._count == 0:
                return
            self._count -= 1
            if self._count:
                return
            later = _live[_live.index(self) + 1 :]
            _live.remove(self)
            while self._before:
                name, before = self._before.popitem()
                if later:
                    later[0]._before.setdefault(name, before)
                elif os.environ.get(name) == KEYS[name][0]:
                    _restore(name, before)

    def __enter__(self) -> StandIns:
        self.put()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.take_back()


def _restore(name: str, before: str | None) -> None:
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before
