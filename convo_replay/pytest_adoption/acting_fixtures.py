"""The fixtures that run tests marked `vcr`; registered late, so that they override pytest-recording's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from convo_replay.pytest_hooks import is_adopted, running


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly and any(map(is_adopted, session.items)):
        running(session.config)


@pytest.fixture(autouse=True)
def block_network(request: pytest.FixtureRequest, record_mode: str, vcr_markers: list[pytest.Mark]) -> Iterator[None]:
    """No connection leaves a test marked `block_network`, or any with `--block-network`, unless it records."""
    marker = request.node.get_closest_marker("block_network")
    if marker is not None and (marker.args or list(marker.kwargs) not in ([], ["allowed_hosts"])):
        pytest.fail(
            "Invalid arguments to `block_network`. It accepts only the following keyword arguments: "
            f"`allowed_hosts`. Got args: {marker.args!r}; kwargs: {marker.kwargs!r}",
            pytrace=False,
        )
    if marker is None and not request.config.getoption("--block-network"):
        yield
        return
    from convo_replay.pytest_session import adopting, blocking

    if vcr_markers and adopting.mode_of(request, record_mode) != "none":
        yield
        return
    with blocking.blocked(request.config, request.getfixturevalue("allowed_hosts")):
        yield


@pytest.fixture(autouse=True)
def vcr(
    request: pytest.FixtureRequest,
    vcr_markers: list[pytest.Mark],
    vcr_cassette_dir: str,
    record_mode: str,
    disable_recording: bool,
) -> Iterator[Any]:
    """The cassette of a test marked `vcr`; otherwise None."""
    __tracebackhide__ = True
    if disable_recording or not vcr_markers:
        yield None
        return
    from convo_replay.pytest_session import adopting

    with adopting.cassette_of(request, vcr_markers, vcr_cassette_dir, record_mode) as cassette:
        yield cassette
