"""What a test's conversation is told, and where its cassette lies: the layers of pytest (design.md §2.2).

Command line, marker, `convo_config`, ini, default. Where `CI` is set, what `convo_config` and ini say
about recording is not heard, so that a forgotten `record="once"` fails there instead of spending money.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from convo_replay import pytest_options
from convo_replay.cassette import default_path
from convo_replay.config import Config, added, settings

MARKER_SETTINGS = (
    "cassette", "record", "match_on", "normalize", "secrets", "redact", "sanitize", "keep", "repeats", "unplayed",
    "timing", "validate", "ignore_rules", "intercept", "ignore", "passthrough", "before_record", "faults", "expect",
)  # fmt: skip
OF_MARKERS = ("cassette", "faults", "expect")
"""What only a marker can say."""
EXPECTED = ("recovered", "raised", "handled")
CONFIG_SETTINGS = (*(name for name in MARKER_SETTINGS if name not in OF_MARKERS), "max_requests", "retry_modules")
INI_SETTINGS = (
    "record", "unplayed", "validate", "ignore_rules", "intercept", "ignore", "passthrough", "max_requests",
    "retry_modules",
)  # fmt: skip

_seen_key = pytest.StashKey[dict[Path, str]]()
plain_name_key = pytest.StashKey[str]()
"""Of a fault run: the name of the test without the fault."""


def marker_settings(node: pytest.Item) -> dict[str, Any]:
    """The settings of a test's `convo` markers, the nearest of each.

    Raises:
        ValueError: a positional argument or an unknown setting; says which there are.
    """
    merged: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("convo"))):
        if marker.args:
            raise ValueError(
                f"@pytest.mark.convo: expected settings by name, got the positional argument {marker.args[0]!r}; "
                "a cassette is named by cassette=…"
            )
        _only(marker.kwargs, MARKER_SETTINGS, "@pytest.mark.convo")
        merged |= {name: added(merged, name, value) for name, value in marker.kwargs.items()}
    cassette = merged.get("cassette")
    if cassette is not None and not (isinstance(cassette, (str, os.PathLike)) and str(cassette)):
        raise ValueError(f"@pytest.mark.convo: cassette: expected a path, got {cassette!r}")
    if merged.get("expect", "") not in ("", *EXPECTED):
        raise ValueError(f"@pytest.mark.convo: expect: expected one of {' '.join(EXPECTED)}, got {merged['expect']!r}")
    return merged


def _only(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{where}: there is no setting {name!r}; there are {', '.join(sorted(known))}")


def effective(
    config: pytest.Config,
    convo_config: Any,
    marker: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Config:
    """The settings of one conversation.

    Args:
        convo_config: what the fixture of that name returned, a dict or a `Config`.
        marker: what `marker_settings` returned; `None` for the conversation of a fixture.
        defaults: where they are not those of `Config`.

    Raises:
        ValueError: a setting that does not exist or cannot have that value; says where it was said.
    """
    ini = {name: value for name in INI_SETTINGS if (value := config.getini(f"convo_{name}")) not in (None, "", [])}
    if redact := config.getini("convo_redact"):
        ini["redact"] = pytest_options.redact(config, redact)
    if isinstance(convo_config, Config):
        convo_config = convo_config.said()
    if not isinstance(convo_config, Mapping):
        raise ValueError(f"convo_config: expected a dict or a Config, got {type(convo_config).__name__}")
    _only(convo_config, CONFIG_SETTINGS, "convo_config")
    if os.environ.get("CI"):
        settings(("convo_config", convo_config))  # a wrong mode is said here as well
        ini.pop("record", None)
        convo_config = {name: value for name, value in convo_config.items() if name != "record"}
    options = {"record": "--convo-record", "validate": "--convo-validate", "max_requests": "--convo-max-requests"}
    said = {name: value for name, option in options.items() if (value := config.getoption(option)) is not None}
    return settings(
        ("default", defaults),
        ("ini", ini),
        ("convo_config", convo_config),
        ("@pytest.mark.convo", {name: value for name, value in (marker or {}).items() if name not in OF_MARKERS}),
        ("command line", said),
    )


def owner_of(item: pytest.Item) -> str:
    """A test's node id, without its fault and the group that xdist appends (a parameter may hold an `@`, too)."""
    return f"{item.parent.nodeid}::{_plain_name(item)}" if item.parent is not None else item.nodeid


def _plain_name(item: pytest.Item) -> str:
    return item.stash.get(plain_name_key, item.name)


def cassette_of(item: pytest.Item, marker: Mapping[str, Any]) -> Path:
    """The path of a test's cassette. One named by the marker is relative to the test's file."""
    named = marker.get("cassette")
    if named is not None:
        return item.path.parent / Path(named)
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    plain = _plain_name(item)
    name = getattr(item, "originalname", plain)
    param = plain[len(name) + 1 : -1] if plain.startswith(f"{name}[") else None
    return _default(item.config, item.path, classes, name, param)


def cassette_of_fixture(config: pytest.Config, file: Path, name: str, param: str | None) -> Path:
    """The path of a fixture's cassette: as if it were a test of the file that defines it."""
    return _default(config, file, (), name, param)


def _default(config: pytest.Config, file: Path, classes: Sequence[str], name: str, param: str | None) -> Path:
    said = config.getini("convo_cassette_dir")
    if said:
        directory = (config.inipath.parent if config.inipath else config.rootpath) / str(said)
    else:
        directory = file.parent / "cassettes"
    return default_path(directory, file.stem, classes, name, param)


def collection_problems(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """What is wrong with the markers of newly collected convo tests, one text each."""
    seen = config.stash.setdefault(_seen_key, {})
    problems = []
    for item in items:
        if plain_name_key in item.stash:  # of a test that was looked at
            continue
        try:
            marker = marker_settings(item)
            effective(config, {}, marker)
            if config.getini("convo_adopt_vcr") and item.get_closest_marker("vcr") is not None:
                raise ValueError("is marked convo and vcr; under convo_adopt_vcr a test has one of the two markers")
        except ValueError as error:
            problems.append(f"{item.nodeid}: {error}")
            continue
        if marker.get("cassette") is None:
            path = cassette_of(item, marker)
            other = seen.setdefault(path, item.nodeid)
            if other != item.nodeid:
                problems.append(
                    f"{item.nodeid}: has the same cassette as {other}: {path}\n"
                    "Give one of them another name, or name the cassette: @pytest.mark.convo(cassette=…)"
                )
    return problems
