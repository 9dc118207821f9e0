"""`scan` over recordings in shapes that it was not written for: what is planted is found, what is harmless is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convo_replay.scanning import scan
from unseen import SECRETS, SHAPES

# What stands inside of base64 that no recorder is known for is found, and named by what becomes of it.
NAMED_SO = {"HAR in base64": {"opaque"}}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_planted_is_found(shape: str, tmp_path: Path) -> None:
    name, write = SHAPES[shape]
    file = tmp_path / name
    file.write_text(write(SECRETS), encoding="utf-8", newline="")
    found = {hit.cls for hit in scan(file, environ={}).failing}
    assert not {kind for kind, one in SECRETS.items() if not (one.classes | NAMED_SO.get(shape, set())) & found}, found


@pytest.mark.parametrize("shape", SHAPES)
def test_each_is_found_alone_and_never_shown(shape: str, tmp_path: Path) -> None:
    name, write = SHAPES[shape]
    missed = {}
    for number, (kind, one) in enumerate(SECRETS.items()):
        file = tmp_path / str(number) / name
        file.parent.mkdir()
        file.write_text(write({kind: one}), encoding="utf-8", newline="")
        scanned = scan(file, environ={})
        if not (one.classes | NAMED_SO.get(shape, set())) & {hit.cls for hit in scanned.failing}:
            missed[kind] = {hit.cls for hit in scanned.failing}
        assert one.value not in json.dumps([hit.to_json() for hit in scanned.findings])
    assert not missed


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_found_where_nothing_is(shape: str, tmp_path: Path) -> None:
    name, write = SHAPES[shape]
    file = tmp_path / name
    file.write_text(write({}), encoding="utf-8", newline="")
    assert scan(file, environ={}).failing == []
