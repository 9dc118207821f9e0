"""Where the corpus of recorded exchanges is: `CONVO_CORPUS`, or beside the project."""

from __future__ import annotations

import os
from pathlib import Path

_PLACES = [os.environ.get("CONVO_CORPUS"), Path(__file__).parents[2] / "shared" / "corpus"]

CORPUS: Path | None = next((Path(place) for place in _PLACES if place and (Path(place) / "INDEX.json").is_file()), None)
