"""pytest-recording's fixtures that say something, for where it is not installed."""

from __future__ import annotations

import os
from typing import Any

import pytest


@pytest.fixture(scope="session")
def record_mode(request: pytest.FixtureRequest) -> str:
    """What `--record-mode` says, else none."""
    return request.config.getoption("--record-mode") or "none"


@pytest.fixture(scope="session")
def disable_recording(request: pytest.FixtureRequest) -> bool:
    """Whether tests marked `vcr` go to the network, unrecorded."""
    return bool(request.config.getoption("--disable-recording"))


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """Settings of vcrpy's for the tests that see this fixture: override it, at any scope."""
    return {}


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest) -> list[str] | None:
    """Regular expressions of hosts that a blocked test may reach: marker, command line, vcr_config."""
    marker = request.node.get_closest_marker("block_network")
    said = (
        (marker.kwargs.get("allowed_hosts") if marker else None)
        or request.config.getoption("--allowed-hosts")
        or request.getfixturevalue("vcr_config").get("allowed_hosts")
    )
    return said.split(",") if isinstance(said, str) else said


@pytest.fixture
def vcr_markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """The test's `vcr` markers, the nearest first."""
    return list(request.node.iter_markers("vcr"))


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Where the cassettes of a module lie: cassettes/<module> beside it."""
    return os.path.join(request.path.parent, "cassettes", request.path.stem)  # noqa: PTH118 -- they join strings


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """The name of the test's cassette, without suffix: of its marker, or <Class>.<test>[<param>]."""
    marker = request.node.get_closest_marker("default_cassette")
    if marker is not None:
        if not marker.args:
            pytest.fail("@pytest.mark.default_cassette: expected the cassette's name as its argument", pytrace=False)
        return str(marker.args[0])
    name = f"{request.cls.__name__}.{request.node.name}" if request.cls else request.node.name
    return "".join("-" if char in _RESERVED else char for char in name)


_RESERVED = "<>?%*:|\"'/\\"
