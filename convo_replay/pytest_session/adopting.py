"""The conversation of a test marked `vcr`: what pytest-recording's fixtures say, run on our engine.

Precedence is pytest-recording's: the nearest marker, other markers, `vcr_config`, `--record-mode`. Ours go
before and beneath: `--convo-record` overrides any mode, and what vcrpy has no word for (`secrets`,
`before_record`, `max_requests`, …) is taken from `convo_config` and ini. Where `CI` is set, the mode in
`vcr_config` is not heard.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from convo_replay import vcr_config
from convo_replay.adopted import AdoptedCassette, AdoptedConversation
from convo_replay.errors import shown_path
from convo_replay.pytest_hooks import running
from convo_replay.pytest_session import settings
from convo_replay.vcr_config import Layer

DEFAULTS = {"unplayed": "ignore", "keep": ("errors",), "validate": "off"}
"""As vcrpy has it: what is not asked for is no fault, failed attempts are kept, and nothing judges the turns."""


@contextlib.contextmanager
def cassette_of(
    request: pytest.FixtureRequest, markers: Sequence[pytest.Mark], directory: str, record_mode: str
) -> Iterator[AdoptedCassette]:
    """Opens the conversation of a test marked `vcr`; at the end closes and saves it. For the fixture `vcr`."""
    __tracebackhide__ = True
    item = request.node
    session = running(request.config)
    owner = settings.owner_of(item)
    try:
        layers = _layers(request)
        adopted = vcr_config.adopt(
            layers,
            name=request.getfixturevalue("default_cassette_name"),
            directory=directory,
            record=record_mode,
            configure=lambda engine: request.config.hook.pytest_recording_configure(config=request.config, vcr=engine),
            configured_record=not os.environ.get("CI"),
        )
        said = {
            "record": adopted.record,
            "match_on": adopted.match_on,
            "normalize": (),
            "repeats": adopted.repeats,
            "intercept": _every_host,
        }
        config = settings.effective(request.config, request.getfixturevalue("convo_config"), said, DEFAULTS)
    except ValueError as error:
        raise pytest.fail.Exception(f"{item.nodeid}: {error}", pytrace=False) from None
    # `--record-mode` does nothing where a mode is said.
    option = "--convo-record" if "record_mode" in vcr_config.merged(layers) else "--record-mode"
    conversation = AdoptedConversation(
        adopted,
        config,
        owner=owner,
        budget=session.budget(config),
        rerecord=f"pytest {shlex.quote(owner)} {option}=rewrite",
        also=[Path(directory, path) for marker in markers for path in marker.args],
    )
    with session.opened(item, conversation):
        yield AdoptedCassette(conversation)


def _every_host(_request: Any) -> bool:
    return True


def mode_of(request: pytest.FixtureRequest, record_mode: str) -> str:
    """The mode that decides whether a test may use the network: the command line's first, as in pytest-recording."""
    for option in ("--convo-record", "--record-mode"):
        said = request.config.getoption(option)
        if said is not None:
            return str(said)
    return str(vcr_config.merged(_layers(request)).get("record_mode", record_mode))


def _layers(request: pytest.FixtureRequest) -> list[Layer]:
    """What was said to vcrpy about a test, and where."""
    configured = request.getfixturevalue("vcr_config")
    if os.environ.get("CI") and isinstance(configured, dict):
        configured = {key: value for key, value in configured.items() if key != "record_mode"}
    function = request._get_active_fixturedef("vcr_config").func
    code = getattr(function, "__code__", None)
    place = f"vcr_config ({shown_path(code.co_filename)}:{code.co_firstlineno})" if code else "vcr_config"
    marked = list(request.node.iter_markers_with_node("vcr"))[::-1]
    return [(place, configured), *((f"@pytest.mark.vcr of {node.nodeid}", marker.kwargs) for node, marker in marked)]
