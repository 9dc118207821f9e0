"""Every fault there is, by name: the files of this package, and what others register under `convo_replay.faults`.

A fault of another package that has the name of a built-in one takes its place.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from convo_replay import faults
from convo_replay.faults.fault import Fault, expected, kinds

GROUP = "convo_replay.faults"
_ABOUT = frozenset(
    {"asking", "catalogue", "expansion", "fault", "places", "plans", "positions", "running", "specs"}
)  # these hold none
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WHERE = {"none": "", "events": "@EVENT", "any": "@EVENT or @bBYTE"}
_ORDER = ("connect", "head", "status", "body", "stream", "tools", "benign")


@functools.cache
def catalogue() -> Mapping[str, type[Fault]]:
    """The faults by name, in the order in which an answer arrives, then by name; benign ones last.

    Raises:
        RuntimeError: a package registers something that is no fault; says which.
    """
    found = {fault.name: fault for fault in _built_in()}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        found[point.name] = _load(point)
    ordered = sorted(found.values(), key=lambda fault: (_ORDER.index(fault.kind), fault.name))
    return types.MappingProxyType({fault.name: fault for fault in ordered})


def read(name: str, arguments: Sequence[tuple[str, str]]) -> Fault:
    """The fault that a spec names, with its settings.

    Args:
        name: as in the spec; a bare number is a status.
        arguments: key and value of each; the key is empty where the spec gives a word alone.

    Raises:
        ValueError: there is no such fault, setting or value; says what there is.
    """
    if name.isdecimal():
        name, arguments = "status", [("", name), *arguments]
    known = catalogue()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        meant = f"; do you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"there is no fault {name!r}{meant} (all: convo-replay faults)")
    fault = known[name]
    settings = {field.name: field for field in dataclasses.fields(fault)}
    words = [field for field in settings.values() if field.metadata.get("word")]
    given: dict[str, Any] = {}
    for key, text in arguments:
        if not key and len(words) <= sum(field.name in given for field in words):
            raise ValueError(f"{name} takes no word {text!r}: {usage(fault)}")
        setting = settings.get(key) if key else next(field for field in words if field.name not in given)
        if setting is None:
            near = difflib.get_close_matches(key, settings, n=1, cutoff=0.5)
            meant = f"; do you mean {near[0]}=?" if near else ""
            raise ValueError(f"{name} has no setting {key!r}{meant}: {usage(fault)}")
        if setting.name in given:
            raise ValueError(f"{name} has {setting.name}= twice")
        given[setting.name] = _value(fault, setting, text)
    for setting in settings.values():
        if setting.name not in given and setting.default is dataclasses.MISSING:
            raise ValueError(f"{name} needs {_one_of(setting)}: {usage(fault)}")
    return fault(**given)


def usage(fault: type[Fault]) -> str:
    """How the fault is written: `cut:reset|eof|chunk|length|garbage@POSITION`."""
    words, keys = [], []
    for field in dataclasses.fields(fault):
        choices = "|".join(field.metadata.get("choices", ()))
        if "bool" in kinds(field):
            choices = "true|false"
        optional = field.default is not dataclasses.MISSING
        if field.metadata.get("word"):
            text = choices or field.name.upper()
            words.append(f"[:{text}]" if optional else f":{text}")
        else:
            keys.append(f"{field.name}={choices or '…'}")
    written = fault.name + "".join(words)
    if keys:
        written += f"[{',' if words else ':'}{','.join(keys)}]"
    place = _WHERE[fault.positions]
    return written + (place if fault.position_needed or not place else f"[{place}]")


def _value(fault: type[Fault], setting: dataclasses.Field[Any], text: str) -> Any:
    choices = setting.metadata.get("choices", ())
    if choices and text not in choices:
        near = difflib.get_close_matches(text, choices, n=1, cutoff=0.5)
        meant = f"; do you mean {near[0]}?" if near else ""
        raise ValueError(f"{fault.name}: {setting.name} is {text!r}, expected {_one_of(setting)}{meant}")
    known = kinds(setting)
    if "str" in known or not known:
        return text
    try:
        if "bool" in known:
            return {"true": True, "false": False}[text]
        return int(text) if "int" in known else float(text)
    except (KeyError, ValueError):
        raise ValueError(f"{fault.name}: {setting.name} is {text!r}, expected {expected(setting)}") from None


def _one_of(setting: dataclasses.Field[Any]) -> str:
    choices = setting.metadata.get("choices", ())
    return f"one of {', '.join(choices)}" if choices else f"{setting.name} ({setting.metadata.get('help', '')})"


def _built_in() -> Iterator[type[Fault]]:
    for name in sorted(module.name for module in pkgutil.iter_modules(faults.__path__)):
        if name not in _ABOUT:
            module = importlib.import_module(f"{faults.__name__}.{name}")
            for one in vars(module).values():
                own = isinstance(one, type) and one.__module__ == module.__name__
                if own and issubclass(one, Fault) and one is not Fault:
                    yield one


def _load(point: EntryPoint) -> type[Fault]:
    said = f"{point.name} = {point.value}" + (f" (of {point.dist.name})" if point.dist else "")
    try:
        loaded = point.load()
    except Exception as error:
        raise RuntimeError(f"entry point {GROUP}: {said} cannot be imported: {error!r}; fix or uninstall it") from error
    if wrong := _wrong(loaded, point.name):
        raise RuntimeError(f"entry point {GROUP}: {said} is no fault: {wrong}")
    return typing.cast("type[Fault]", loaded)


def _wrong(loaded: Any, name: str) -> str:
    if not isinstance(loaded, type) or not issubclass(loaded, Fault):
        return "expected a subclass of convo_replay.faults.fault.Fault"
    parameters = vars(loaded).get("__dataclass_params__")  # its own, not the base's
    if parameters is None or not parameters.frozen:
        return "expected a frozen dataclass: @dataclass(frozen=True)"
    missing = [each for each in ("name", "kind", "summary") if not getattr(loaded, each, None)]
    if missing:
        return f"it has no {', '.join(missing)}"
    if loaded.name != name or not _NAME.fullmatch(name):
        return f"its name is {loaded.name!r}: expected the entry point's, in small letters, digits and _"
    if loaded.kind not in _ORDER:
        return f"its kind is {loaded.kind!r}, expected one of {', '.join(_ORDER)}"
    if loaded.positions not in _WHERE:
        return f"its positions are {loaded.positions!r}, expected one of {', '.join(_WHERE)}"
    return ""
