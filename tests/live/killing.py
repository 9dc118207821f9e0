"""Records a cassette again and again, each time in a child that is killed: `killing.py URL CASSETTE SPREAD SEED TURNS`.

Started as a process of its own and warmed up once, it forks a child for each kill, so that a kill
costs milliseconds. First SPREAD kills at seeded moments of a re-recording, then one right after
each write, fsync, rename, … that a re-recording makes. After each, a further child replays the
cassette. Prints one JSON object: what was killed where, and what replayed how.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

import convo_replay

URL, CASSETTE, SPREAD, SEED, TURNS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])


def converse(record: str) -> list[str]:
    answers: list[str] = []
    with convo_replay.use_cassette(CASSETTE, record=record, max_requests=10_000), httpx.Client() as api:
        messages: list[Any] = []
        for n in range(TURNS):
            messages.append({"role": "user", "content": f"Question {n} " + "word " * 50})
            body = {"model": "m", "max_tokens": 9, "messages": messages, "stream": True}
            text = api.post(URL + "/v1/messages", json=body).text
            answers.append(text)
            messages.append({"role": "assistant", "content": f"Answer {n}"})
    return answers


def child(work: Callable[[], Any]) -> tuple[int, str, float]:
    """Runs `work` in a fork: how it ended, what it said, seconds."""
    reading, writing = os.pipe()
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            said = work()
            os.write(writing, json.dumps(said).encode()[:60_000])
            code = 0
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}"[:2000].encode())
        finally:
            os._exit(code)
    os.close(writing)
    said = b""
    while data := os.read(reading, 65536):
        said += data
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    return status, said.decode(), time.perf_counter() - started


def record() -> int:
    return len(converse("rewrite"))


def kill_after(point: int) -> Callable[[], int]:
    """Dies right after the `point`-th operation on a file, counted while the cassette is saved or blobs are."""
    count = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            result = function(*arguments, **named)
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    class Watched:
        """An open file whose every call is an operation."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            value = getattr(self.file, name)
            return counted(value) if name in ("write", "writelines", "flush", "close", "truncate") else value

        def __enter__(self) -> Watched:
            self.file.__enter__()
            return self

        def __exit__(self, *error: Any) -> None:
            counted(self.file.__exit__)(*error)

    opening = io.open

    def watched(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        opened = opening(file, mode, *arguments, **named)
        return Watched(opened) if set(mode) & set("wax+") else opened

    def work() -> int:
        builtins.open = io.open = watched  # type: ignore[assignment]
        for name in ("write", "fsync", "fdatasync", "replace", "rename", "link", "unlink", "remove", "truncate",
                     "ftruncate", "mkdir", "pwrite", "writev", "open", "close"):  # fmt: skip
            if hasattr(os, name):
                setattr(os, name, counted(getattr(os, name)))
        return record()

    return work


def replay() -> list[str]:
    return converse("none")


def checked(where: str) -> dict[str, Any]:
    status, said, _ = child(replay)
    names = sorted(path.name for path in Path(CASSETTE).parent.iterdir())
    return {"where": where, "replayed": status == 0, "said": "" if status == 0 else said, "files": names}


def main() -> None:
    record()
    replay()  # everything is imported now, once for all children
    status, said, took = child(record)
    assert status == 0, said
    whole = checked("not killed")
    chance = random.Random(SEED)
    report = [whole]
    for n in range(SPREAD):
        moment = took * (chance.random() if n % 2 else 0.8 + 0.25 * chance.random())  # half of them near the save
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                record()
            finally:
                os._exit(0)
        time.sleep(moment)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        report.append(checked(f"after {moment:.3f} s of {took:.3f}"))
    point = 0
    while point < 400:
        point += 1
        status, said, _ = child(kill_after(point))
        if not os.WIFSIGNALED(status):
            report.append({"where": f"{point - 1} operations", "replayed": status == 0, "said": said, "files": []})
            break
        report.append(checked(f"after operation {point}"))
    print(json.dumps({"report": report, "points": point - 1}))


main()
