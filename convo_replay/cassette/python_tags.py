"""Python's own YAML tags in vcrpy's cassettes, as functions of plain values.

PyYAML builds such values by calling what the tag names. Here each tag that recordings hold is listed with what it
makes of the plain value behind it, no name is ever looked up, and any other tag is refused by the reader.

Sources: vcrpy 9.4 `serializers/yamlserializer.py` (`str unicode tuple BytesIO iter`) and `migration.py` (`Request`,
`frozenset`: its format before 1.0); PyYAML 6.0 `constructor.py`; what PyYAML writes for multidict 6 and 7.
"""

from __future__ import annotations

from typing import Any

from .yaml_reader import Tag, binary

_PYTHON = "tag:yaml.org,2002:python/"


def _arguments(value: Any) -> list[Any]:
    """The arguments of a call, which is a list of them, or a mapping with `args`."""
    found = value.get("args") if isinstance(value, dict) else value
    if not isinstance(found, list):
        raise ValueError("expected a list of arguments")
    return found


def _text(value: Any) -> str:
    """A subclass of `str`, made of one text."""
    (text,) = _arguments(value)
    return str(text)


def _buffer(value: Any) -> bytes:
    """A `BytesIO`: the first item of its state is its content."""
    state = value.get("state") if isinstance(value, dict) else value
    content = next(iter(state or [b""])) or b""
    return content if isinstance(content, bytes) else str(content).encode()


def _bytearray(value: Any) -> bytes:
    text, encoding = _arguments(value) or ("", "latin-1")
    return str(text).encode({"latin-1": "latin-1"}[encoding])


def _iterated(value: Any) -> list[Any]:
    """An iterator: what it goes over."""
    items: Any = next(iter(_arguments(value)), [])
    return list(items) if isinstance(items, (list, tuple)) else [items]


def _multidict(value: Any) -> dict[str, list[Any]]:
    """Pairs of (name, value); a name may be there several times."""
    made: dict[str, list[Any]] = {}
    for name, item in next(iter(_arguments(value)), []):
        made.setdefault(name, []).append(item)
    return made


def _ordered(value: Any) -> dict[Any, Any]:
    return dict(next(iter(_arguments(value)), []))


_MULTIDICT = ("multidict", "multidict._multidict", "multidict._multidict_py")
_CALLED = ("object/apply:", "object/new:")

TAGS: dict[str, Tag] = {
    "tag:yaml.org,2002:binary": binary,
    "tag:yaml.org,2002:timestamp": str,
    _PYTHON + "str": str,
    _PYTHON + "unicode": str,
    _PYTHON + "bytes": binary,
    _PYTHON + "tuple": list,
    _PYTHON + "list": list,
    _PYTHON + "dict": dict,
    _PYTHON + "int": int,
    _PYTHON + "long": int,
    _PYTHON + "float": float,
    _PYTHON + "bool": lambda text: {"true": True, "false": False}[str(text).lower()],
    _PYTHON + "none": lambda _: None,
    _PYTHON + "object/new:_io.BytesIO": _buffer,
    _PYTHON + "object/new:io.BytesIO": _buffer,
    _PYTHON + "object/apply:_io.BytesIO": _buffer,
    _PYTHON + "object/apply:builtins.iter": _iterated,
    _PYTHON + "object/apply:builtins.bytearray": _bytearray,
    _PYTHON + "object/apply:collections.OrderedDict": _ordered,
    _PYTHON + "object/apply:builtins.frozenset": _multidict,
    _PYTHON + "object/apply:__builtin__.frozenset": _multidict,
    _PYTHON + "object:vcr.request.Request": dict,
    **{
        f"{_PYTHON}{called}{module}.{name}": make
        for called in _CALLED
        for module in _MULTIDICT
        for name, make in (("istr", _text), ("CIMultiDict", _multidict), ("MultiDict", _multidict))
    },
}
"""Tag → what it makes of its scalar, list or mapping. `ValueError` (or `TypeError`, `KeyError`) where it cannot."""
