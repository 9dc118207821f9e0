"""The record modes that tests go through whose every case starts several processes."""

from __future__ import annotations

import os

RECORDING = ("once", "rewrite", "new_episodes", "all") if os.environ.get("CONVO_MODES") else ("once", "rewrite")
"""One that adds to a cassette and one that replaces it; all four where CONVO_MODES is set."""
