"""Counts, not seconds: what must hold on a machine of any speed. Exits 1 where it does not.

python -m benchmarks.smoke
"""

from __future__ import annotations

import ssl
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import convo_replay
from benchmarks import conversation
from convo_replay import cassette

PACKAGE = str(Path(str(convo_replay.__file__)).parent)


def calls(work: Callable[[], Any]) -> int:
    """How many of our own functions `work` calls."""
    count = 0

    def profile(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            count += 1

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def main() -> int:
    failed = []

    def check(what: str, measured: float, limit: float) -> None:
        good = measured <= limit
        print(f"{'ok  ' if good else 'FAIL'}  {what}: {measured:,.2f} (at most {limit:,.2f})")
        if not good:
            failed.append(what)

    with tempfile.TemporaryDirectory() as directory:
        sizes: dict[int, int] = {}
        loads: dict[int, int] = {}
        replays: dict[int, int] = {}
        for turns in (50, 200):
            path = Path(directory) / f"{turns}.yaml"
            recorded = conversation.record(path, turns)
            assert conversation.replay(path, turns) == recorded, "what was replayed is not what was recorded"
            sizes[turns] = path.stat().st_size
            loads[turns] = calls(lambda path=path: cassette.load(path))
            replays[turns] = calls(lambda path=path, turns=turns: conversation.replay(path, turns))
        read: list[int] = []
        original = ssl.SSLContext.load_verify_locations
        ssl.SSLContext.load_verify_locations = lambda *_, **__: read.append(1)  # type: ignore[method-assign, assignment]
        try:
            conversation.replay(Path(directory) / "50.yaml", 50)
        finally:
            ssl.SSLContext.load_verify_locations = original  # type: ignore[method-assign]
    check("bytes of a cassette of 200 turns", sizes[200], 1_000_000)
    check("bytes, 200 turns over 50, beyond proportional", abs(sizes[200] / sizes[50] / 4 - 1), 0.05)
    check("our calls to load, 200 turns over 50", loads[200] / loads[50], 4.8)
    # A request has to be read to be matched: turn k sends 2k + 1 messages, a conversation n² of them.
    check("our calls to replay 200 turns, per message sent", replays[200] / 200**2, 8)
    check("trust stores read in replay", len(read), 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
