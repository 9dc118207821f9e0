"""Faults: a recorded conversation, broken on purpose (design.md §5). One fault, one file.

Each fault of the catalogue is a class here, under its name in CamelCase: `faults.Cut("reset").at(5)` is
`cut:reset@5`, `faults.TruncatedJson()` is `truncated_json`. Everything is loaded when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convo_replay.faults.bad_utf8 import BadUtf8
    from convo_replay.faults.bom import Bom
    from convo_replay.faults.catalogue import catalogue
    from convo_replay.faults.choices_empty import ChoicesEmpty
    from convo_replay.faults.choices_null import ChoicesNull
    from convo_replay.faults.comments import Comments
    from convo_replay.faults.connect import Connect
    from convo_replay.faults.content_type import ContentType
    from convo_replay.faults.cr import Cr
    from convo_replay.faults.crlf import Crlf
    from convo_replay.faults.cut import Cut
    from convo_replay.faults.disconnect import Disconnect
    from convo_replay.faults.drop import Drop
    from convo_replay.faults.duplicate import Duplicate
    from convo_replay.faults.empty import Empty
    from convo_replay.faults.empty_data import EmptyData
    from convo_replay.faults.error import Error
    from convo_replay.faults.error_text import ErrorText
    from convo_replay.faults.error_unnamed import ErrorUnnamed
    from convo_replay.faults.expansion import FaultRun, NoFit, expand
    from convo_replay.faults.fault import Fault
    from convo_replay.faults.foreign_json import ForeignJson
    from convo_replay.faults.gzip import Gzip
    from convo_replay.faults.html import Html
    from convo_replay.faults.json_instead_of_stream import JsonInsteadOfStream
    from convo_replay.faults.json_value import JsonValue
    from convo_replay.faults.junk import Junk
    from convo_replay.faults.keepalive import Keepalive
    from convo_replay.faults.malformed import Malformed
    from convo_replay.faults.multiline import Multiline
    from convo_replay.faults.no_content import NoContent
    from convo_replay.faults.no_terminal import NoTerminal
    from convo_replay.faults.noop import Noop
    from convo_replay.faults.null_data import NullData
    from convo_replay.faults.pings import Pings
    from convo_replay.faults.plans import plans
    from convo_replay.faults.rechunk import Rechunk
    from convo_replay.faults.redirect import Redirect
    from convo_replay.faults.reorder import Reorder
    from convo_replay.faults.repeat import Repeat
    from convo_replay.faults.slow import Slow
    from convo_replay.faults.specs import Plan, Spec, Where, parse
    from convo_replay.faults.stall import Stall
    from convo_replay.faults.status import Status
    from convo_replay.faults.timeout import Timeout
    from convo_replay.faults.tool_arguments import ToolArguments
    from convo_replay.faults.tool_truncated import ToolTruncated
    from convo_replay.faults.truncated_json import TruncatedJson
    from convo_replay.faults.unknown_block import UnknownBlock
    from convo_replay.faults.unknown_delta import UnknownDelta
    from convo_replay.faults.unknown_event import UnknownEvent
    from convo_replay.faults.unknown_tool import UnknownTool
    from convo_replay.faults.unnamed import Unnamed
    from convo_replay.faults.usage_missing import UsageMissing
    from convo_replay.faults.wrong_index import WrongIndex

_HOMES = {
    "Fault": "fault",
    "FaultRun": "expansion",
    "NoFit": "expansion",
    "Plan": "specs",
    "Spec": "specs",
    "Where": "specs",
    "catalogue": "catalogue",
    "expand": "expansion",
    "parse": "specs",
    "plans": "plans",
}

__all__ = [
    "BadUtf8",
    "Bom",
    "ChoicesEmpty",
    "ChoicesNull",
    "Comments",
    "Connect",
    "ContentType",
    "Cr",
    "Crlf",
    "Cut",
    "Disconnect",
    "Drop",
    "Duplicate",
    "Empty",
    "EmptyData",
    "Error",
    "ErrorText",
    "ErrorUnnamed",
    "Fault",
    "FaultRun",
    "ForeignJson",
    "Gzip",
    "Html",
    "JsonInsteadOfStream",
    "JsonValue",
    "Junk",
    "Keepalive",
    "Malformed",
    "Multiline",
    "NoContent",
    "NoFit",
    "NoTerminal",
    "Noop",
    "NullData",
    "Pings",
    "Plan",
    "Rechunk",
    "Redirect",
    "Reorder",
    "Repeat",
    "Slow",
    "Spec",
    "Stall",
    "Status",
    "Timeout",
    "ToolArguments",
    "ToolTruncated",
    "TruncatedJson",
    "UnknownBlock",
    "UnknownDelta",
    "UnknownEvent",
    "UnknownTool",
    "Unnamed",
    "UsageMissing",
    "Where",
    "WrongIndex",
    "catalogue",
    "expand",
    "parse",
    "plans",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is not None:
        value = getattr(import_module(f"{__name__}.{home}"), name)
    elif name[:1].isupper():
        catalogue = import_module(f"{__name__}.catalogue").catalogue()
        value = next((fault for fault in catalogue.values() if fault.__name__ == name), None)
    else:
        value = None
    if value is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """`plans` and `catalogue` are functions here, also once the modules that they live in have been imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _HOMES.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
