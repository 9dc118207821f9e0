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
    from convo_replay.faults.catalogue import catalogue
    from convo_replay.faults.cut import Cut
    from convo_replay.faults.expansion import FaultRun, NoFit, expand
    from convo_replay.faults.fault import Fault
    from convo_replay.faults.noop import Noop
    from convo_replay.faults.plans import plans
    from convo_replay.faults.specs import Plan, Spec, Where, parse

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
    "Cut",
    "Fault",
    "FaultRun",
    "NoFit",
    "Noop",
    "Plan",
    "Spec",
    "Where",
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
