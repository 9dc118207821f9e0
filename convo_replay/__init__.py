"""Record exchanges with LLM APIs, replay them offline, test the conversation.

Public names are loaded when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convo_replay import faults
    from convo_replay.config import Config
    from convo_replay.conversation import Conversation
    from convo_replay.errors import CassetteError, CassetteMiss, ConvoFailure, InvalidTurn, LeakFound
    from convo_replay.exchange import Exchange
    from convo_replay.providers import Provider
    from convo_replay.turns import Turn
    from convo_replay.use import use_cassette

__version__ = "0.1.0"

_HOMES = {
    "CassetteError": "errors",
    "CassetteMiss": "errors",
    "Config": "config",
    "Conversation": "conversation",
    "ConvoFailure": "errors",
    "Exchange": "exchange",
    "InvalidTurn": "errors",
    "LeakFound": "errors",
    "Provider": "providers",
    "Turn": "turns",
    "use_cassette": "use",
}

__all__ = [
    "CassetteError",
    "CassetteMiss",
    "Config",
    "Conversation",
    "ConvoFailure",
    "Exchange",
    "InvalidTurn",
    "LeakFound",
    "Provider",
    "Turn",
    "__version__",
    "faults",
    "use_cassette",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "faults":
        return import_module("convo_replay.faults")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'convo_replay' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"convo_replay.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
