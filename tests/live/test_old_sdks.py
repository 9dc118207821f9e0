"""The same tables under the SDK generation on httpx, with an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from live.callers import OLD
from live.project import ROOT

FILES = [
    (["test_record_replay.py", "test_nothing_leaves.py"], ["test_cuts.py"]),
    (["test_clients.py", "test_concurrency.py"], ["test_lockstep.py"]),
]
"""Which run one after the other, and beside them those that wait for most of their time."""


@pytest.mark.skipif(OLD, reason="this is the old generation")
@pytest.mark.parametrize("beside", FILES, ids=lambda beside: beside[0][0].removesuffix(".py"))
def test_under_anthropic_0_and_openai_2(beside, old_python: str, tmp_path: Path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    running = []
    for number, names in enumerate(beside):
        output = tmp_path / f"{number}.txt"
        command = [
            old_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
            f"--basetemp={tmp_path / str(number)}", *(str(Path(__file__).with_name(name)) for name in names),
        ]  # fmt: skip
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        running.append((process, output))
    try:
        codes = [process.wait(240) for process, _ in running]
    finally:
        for process, _ in running:
            process.kill()
            process.wait()
    for code, (_, output) in zip(codes, running, strict=True):
        assert code == 0, output.read_text("utf-8", "replace")[-6000:]
