"""The blocks of the Messages API as they are streamed (protocol.md §2.1): what starts them, and which deltas fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from convo_replay.providers import wire


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of block as it is streamed.

    Attributes:
        empty: what its start holds of the values that the deltas fill.
        deltas: the types of deltas that fit it.
    """

    empty: Mapping[str, Any] = field(default_factory=dict)
    deltas: frozenset[str] = frozenset()


_JSON = Kind({"input": {}}, frozenset({"input_json_delta"}))
_WHOLE = Kind()

BLOCKS: Final[Mapping[str, Kind]] = {
    "text": Kind({"text": ""}, frozenset({"text_delta", "citations_delta"})),
    "thinking": Kind({"thinking": ""}, frozenset({"thinking_delta", "signature_delta"})),
    "tool_use": _JSON,
    "server_tool_use": _JSON,
    "mcp_tool_use": _JSON,
    "compaction": Kind({"content": None}, frozenset({"compaction_delta"})),
    # These come whole, in their start.
    "redacted_thinking": _WHOLE,
    "web_search_tool_result": _WHOLE,
    "web_fetch_tool_result": _WHOLE,
    "code_execution_tool_result": _WHOLE,
    "bash_code_execution_tool_result": _WHOLE,
    "text_editor_code_execution_tool_result": _WHOLE,
    "tool_search_tool_result": _WHOLE,
    "mcp_tool_result": _WHOLE,
    "mcp_tool_listing": _WHOLE,
    "advisor_tool_result": _WHOLE,
    "container_upload": _WHOLE,
    "fallback": _WHOLE,
}
DELTAS: Final = frozenset(delta for kind in BLOCKS.values() for delta in kind.deltas)
"""Those that are known; another one may be new, and fits anywhere."""


class Block:
    """A block while it is streamed; `at` is the event that started it."""

    __slots__ = ("at", "fits", "json", "name", "signed", "start", "type")

    def __init__(self, start: Mapping[str, Any], at: int = -1) -> None:
        self.at = at
        self.start = start
        self.type = wire.string(start.get("type"))
        self.name = wire.string(start.get("name"))
        kind = BLOCKS.get(self.type)
        self.fits = kind.deltas if kind is not None else DELTAS
        self.json: list[str] = []
        self.signed = bool(start.get("signature"))
