"""The same tables under the SDK generation on httpx, with an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from live.callers import OLD
from live.project import ROOT

FILES = [
    "test_record_replay.py",
    "test_lockstep.py",
    "test_cuts.py",
    "test_clients.py",
    "test_concurrency.py",
    "test_nothing_leaves.py",
]


@pytest.mark.skipif(OLD, reason="this is the old generation")
@pytest.mark.parametrize("name", FILES)
def test_under_anthropic_0_and_openai_2(name, old_python: str):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [old_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         str(Path(__file__).with_name(name))],
        cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)}, text=True, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
