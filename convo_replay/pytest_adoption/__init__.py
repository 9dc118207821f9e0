"""`convo_adopt_vcr = true`: tests marked `vcr` run on our engine, with pytest-recording installed or without.

Imported only where the ini file says so. pytest-recording's options, markers, fixtures and its hook are
registered here unless it does that itself; where it does, only the two fixtures that act are overridden:
`vcr`, which would open its cassette, and `block_network`, which has to know whether we record. What else it
offers is read through its own fixtures, so that a project's overrides count as they do there.

Source: pytest-recording 0.14, `plugin.py`, `hooks.py`, `validation.py`.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

import pytest

from convo_replay.pytest_adoption import acting_fixtures

RECORD_MODES = ("once", "new_episodes", "none", "all", "rewrite")
MARKERS = (
    "vcr(*paths, **config): replay the test's HTTP traffic from its cassette; paths: further cassettes.",
    "block_network(allowed_hosts=): no connection leaves the test, except while it records.",
    "default_cassette(name): the name of the test's cassette.",
    "allowed_hosts(patterns): hosts that may be reached nevertheless.",
)


class Hooks:
    """pytest-recording's hook."""

    @staticmethod
    @pytest.hookspec
    def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
        """Called with the `vcr.VCR` of each test, to register matchers and change defaults."""


def is_recording_there(pluginmanager: pytest.PytestPluginManager) -> bool:
    """Whether pytest-recording takes part, under whatever name it was loaded."""
    return any(getattr(plugin, "__name__", "") == "pytest_recording.plugin" for plugin in pluginmanager.get_plugins())


OTHERS = {
    "pytest_vcr": (
        "pytest-vcr is installed, and its marker and fixtures have the same names. Uninstall it, or add `-p no:vcr` to "
        "addopts. Its cassettes lie in cassettes/ without a folder per module: return that from a fixture "
        "vcr_cassette_dir in conftest.py."
    ),
    "cassetter": (
        "cassetter is installed, and its marker, fixture and options have the same names. Uninstall it, or add "
        "`-p no:cassetter` to addopts."
    ),
}
"""Packages whose pytest plugin wants what pytest-recording has, and what to say."""


def refuse_others(config: pytest.Config) -> None:
    """Looks for other plugins that claim the marker `vcr`.

    Raises:
        pytest.UsageError: there is one.
    """
    modules = {str(getattr(plugin, "__name__", "")).partition(".")[0] for plugin in config.pluginmanager.get_plugins()}
    for package, said in OTHERS.items():
        if package in modules:
            raise pytest.UsageError(f"convo_adopt_vcr: {said}")


def add_options(config: pytest.Config, parser: pytest.Parser) -> None:
    """Registers pytest-recording's options and hook, if it has not.

    Raises:
        pytest.UsageError: as `refuse_others`.
    """
    refuse_others(config)
    if is_recording_there(config.pluginmanager):
        return
    config.pluginmanager.add_hookspecs(Hooks)
    group = parser.getgroup("convo_replay")
    group.addoption(
        "--record-mode", choices=RECORD_MODES, default=None, help="Record mode of tests marked vcr. Default: none."
    )
    group.addoption(
        "--block-network", action="store_true", default=False, help="Let no test connect, except while it records."
    )
    group.addoption(
        "--allowed-hosts", default=None, help="Regular expressions, separated by commas: hosts that may be reached."
    )
    group.addoption(
        "--disable-recording", action="store_true", default=False, help="Leave tests marked vcr to the network."
    )


def recording(config: pytest.Config, args: Sequence[str]) -> str | None:
    """What the command line says with `--record-mode`; `args` while that is no option yet."""
    known = [config.option, config.known_args_namespace]
    if not any(hasattr(options, "record_mode") for options in known):
        early = ArgumentParser(add_help=False, allow_abbrev=False)
        early.add_argument("--record-mode", default=None)
        known = [early.parse_known_args(list(args))[0]]
    said = [getattr(options, "record_mode", None) for options in known]
    return next((str(mode) for mode in said if mode is not None), None)


def configure(config: pytest.Config) -> None:
    """Registers markers and fixtures.

    Raises:
        pytest.UsageError: as `refuse_others`.
    """
    refuse_others(config)
    if not is_recording_there(config.pluginmanager):
        for line in MARKERS:
            config.addinivalue_line("markers", line)
        from convo_replay.pytest_adoption import recording_fixtures

        config.pluginmanager.register(recording_fixtures, "convo_replay_recording")
    config.pluginmanager.register(acting_fixtures, "convo_replay_adoption")
