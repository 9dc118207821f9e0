"""`kill -9` at any moment of a re-recording: the cassette replays, as it was or as it became.

CONVO_KILLS sets how many kills are spread over the recording (default 8).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from live.project import ROOT
from upstream import Upstream


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_killed_recording_leaves_a_cassette_that_replays(upstream: Upstream, cassette: Path):
    cassette.parent.mkdir()
    kills = os.environ.get("CONVO_KILLS", "8")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killing.py")), upstream.url(), str(cassette), kills, "7", "12"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [each for each in said["report"] if not each["replayed"]] == []
    assert said["points"] >= 3  # at least a write, an fsync and a rename
    assert len(said["report"]) == 1 + int(kills) + said["points"] + 1
