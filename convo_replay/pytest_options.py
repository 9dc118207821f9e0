"""What the ini file says, checked: read only where it says something, so that other sessions do not pay for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from convo_replay.pytest_hooks import DEFAULT_MAX_REQUESTS, RECORD_MODES

if TYPE_CHECKING:
    from convo_replay.redaction.classes import Policy

CHOICES = {
    "convo_record": RECORD_MODES,
    "convo_unplayed": ("error", "warn", "ignore"),
    "convo_validate": ("error", "warn", "off"),
}


def check(config: pytest.Config) -> None:
    """Reads every setting once.

    Raises:
        pytest.UsageError: one has a value it cannot have; names the file and the choices.
    """
    for name in CHOICES:
        if config.getini(name):
            choice(config, name)
    max_requests(config)
    names = config.getini("convo_ignore_rules")
    if names:
        from convo_replay.validation.catalogue import unknown

        problem = unknown(names)
        if problem:
            raise pytest.UsageError(f"{_ini_file(config)}: convo_ignore_rules: {problem}")
    if said := config.getini("convo_redact"):
        try:
            redact(config, said)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


def redact(config: pytest.Config, lines: Sequence[str]) -> dict[str, Policy]:
    """The ini file's `class=policy` lines.

    Raises:
        ValueError: one is wrong; names the file and what would fit.
    """
    from convo_replay.redaction.overriding import parsed

    try:
        return parsed(lines)
    except ValueError as error:
        raise ValueError(f"{_ini_file(config)}: convo_redact: {error}") from None


def check_faults(config: pytest.Config) -> None:
    """Reads what the command line says about faults and the report.

    Raises:
        pytest.UsageError: a spec that does not parse, or a file that cannot be written there.
    """
    said = config.option.convo_report
    if said:
        path = Path(config.invocation_params.dir, os.path.expanduser(said))  # noqa: PTH111
        if path.suffix != ".json":
            raise pytest.UsageError(f"--convo-report: expected a file named *.json, got {said!r}")
        if path.is_dir():
            raise pytest.UsageError(f"--convo-report: {said} is a directory; name a file in it")
        if not path.parent.is_dir():
            raise pytest.UsageError(f"--convo-report: there is no directory {path.parent}; make it, or name another")
    if config.option.convo_faults:
        from convo_replay.faults.specs import parse

        try:
            parse(list(config.option.convo_faults))
        except ValueError as error:
            raise pytest.UsageError(f"--convo-faults: {error}") from None


def choice(config: pytest.Config, name: str) -> str:
    """A setting that is one of a few words.

    Raises:
        pytest.UsageError: it is none of them.
    """
    value = str(config.getini(name))
    if value not in CHOICES[name]:
        raise pytest.UsageError(
            f"{_ini_file(config)}: {name}: expected one of {' '.join(CHOICES[name])}, got {value!r}"
        )
    return value


def max_requests(config: pytest.Config) -> int:
    """How many live requests command line and ini allow the session.

    Raises:
        pytest.UsageError: the ini value is no number.
    """
    said = config.getoption("--convo-max-requests", default=None)
    if said is not None:
        return int(said)
    text = str(config.getini("convo_max_requests") or DEFAULT_MAX_REQUESTS)
    if not (text.isascii() and text.isdigit()):
        raise pytest.UsageError(f"{_ini_file(config)}: convo_max_requests: expected a number of requests, got {text!r}")
    return int(text)


def _ini_file(config: pytest.Config) -> str:
    return str(config.inipath or "-o")
