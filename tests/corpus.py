"""Recordings that other projects publish, where a copy of them lies beside the project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def _found() -> Path | None:
    given = os.environ.get("CONVO_CORPUS")
    place = Path(given) if given else _BESIDE
    return place if (place / "INDEX.json").is_file() else None


CORPUS: Path | None = _found()
needs_corpus = pytest.mark.skipif(CORPUS is None, reason="no corpus of recordings here; name one in CONVO_CORPUS")


def index(format: str | None = None) -> list[dict[str, Any]]:
    """The rows of the corpus's index, of one format or of all; empty where there is no corpus."""
    if CORPUS is None:
        return []
    rows: list[dict[str, Any]] = json.loads((CORPUS / "INDEX.json").read_text(encoding="utf-8"))
    return [row for row in rows if format in (None, row["format"])]


def read(row: dict[str, Any]) -> bytes:
    """The bytes of a row's file."""
    assert CORPUS is not None
    return (CORPUS / row["path"]).read_bytes()
