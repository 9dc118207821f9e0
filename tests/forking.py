"""Python processes forked from one that has already imported what nearly every test project needs.

A pytest of its own costs half a second, most of which goes into importing pytest, httpx, pydantic and us once more. So
one process imports these and forks. What runs in the fork is a process like any other, with arguments, environment,
directory and output of its own; pytest's plugins, ours among them, are imported there. Where forking is not to be had
(anywhere but on Linux), where CONVO_FORK=0 says so, and where the environment asks for another interpreter, processes
are started the ordinary way.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import importlib.util
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from _pytest.config import default_plugins

PRELOADED = (
    *(f"_pytest.{name}" for name in default_plugins), "httpx", "concurrent.futures.thread", "jsonschema",
    "rich.console", "xml.dom.minidom", "convo_replay.conversation", "convo_replay.use", "convo_replay.replaying",
    "convo_replay.transports.interception",
)  # fmt: skip
"""What forks find imported. No plugin of pytest that a project names, and nothing that imports an SDK."""
SDKS = ("anthropic", "openai")
"""What projects have imported beforehand that use one of them: it takes a second."""
TAKEN_OVER = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Settings of the interpreter that a fork takes over from its environment."""
FORKS = sys.platform == "linux" and os.environ.get("CONVO_FORK") != "0"


def popen(
    arguments: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    stdout: IO[str],
    stderr: IO[str],
    also: Sequence[str] = (),
) -> subprocess.Popen[bytes] | Fork:
    """`python ARGUMENTS`, which begin with `-m MODULE` or with the path of a script. Its input is empty.

    `also` are modules that a fork finds imported beyond `PRELOADED`.
    """
    if not FORKS or _interpreter(env) != (forks := _forks(tuple(also))).interpreter:
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
    return Fork(forks, Request(tuple(arguments), str(cwd), dict(env)), stdout, stderr)


def run(
    arguments: Sequence[str], *, cwd: str | Path, env: Mapping[str, str], timeout: float, also: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """The same, to its end, with what it printed.

    Raises:
        subprocess.TimeoutExpired: it ran for more than `timeout` seconds, and was killed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        process = popen(arguments, cwd=cwd, env=env, stdout=out, stderr=err, also=also)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        printed = [file.read() for file in (out, err) if not file.seek(0)]
    return subprocess.CompletedProcess(list(arguments), code, *printed)


class Request(NamedTuple):
    """What a fork is to be."""

    arguments: tuple[str, ...]
    cwd: str
    environment: dict[str, str]


class Fork:
    """A forked process, with as much of `subprocess.Popen` as tests ask for. One at a time: wait for it."""

    stdin = None

    def __init__(self, forks: Forks, request: Request, stdout: IO[str], stderr: IO[str]) -> None:
        self._forks = forks
        text = json.dumps(request).encode()
        forks.socket.settimeout(None)
        socket.send_fds(forks.socket, [len(text).to_bytes(8)], [stdout.fileno(), stderr.fileno()])
        forks.socket.sendall(text)
        self.pid = forks.number()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative where a signal ended it.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        self._forks.socket.settimeout(timeout)
        try:
            return self._forks.number()
        except TimeoutError:
            raise subprocess.TimeoutExpired("a fork", timeout or 0) from None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class Forks:
    """The process that forks, seen from here. It ends with the one that started it."""

    def __init__(self, also: Sequence[str]) -> None:
        self.interpreter = _interpreter(os.environ)
        self.socket, its = socket.socketpair()
        ours = importlib.util.find_spec("convo_replay")
        assert ours is not None
        assert ours.origin is not None
        beside = str(Path(ours.origin).parents[1])
        with its:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(its.fileno()), beside, *also], pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name not in TAKEN_OVER},
            )  # fmt: skip
        atexit.register(self.close)

    def number(self) -> int:
        """The next one that it says: a process's id, then its exit code."""
        said = self.socket.recv(8, socket.MSG_WAITALL)
        if len(said) < 8:
            raise RuntimeError(f"the process that forks has ended, with {self.process.wait()}")
        return int.from_bytes(said, signed=True)

    def close(self) -> None:
        self.socket.close()
        self.process.wait()


@functools.cache
def _forks(also: Sequence[str]) -> Forks:
    return Forks(also)


def _interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter reads when it starts, and never again."""
    begins = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC")
    return {name: value for name, value in environment.items() if name.startswith(begins) and name not in TAKEN_OVER}


def _serve(connection: socket.socket, modules: Sequence[str]) -> tuple[Request, list[int]] | None:
    """Fork for each request. In the fork: what is asked of it, and its output. None at the end."""
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while True:
        size, files, _, _ = socket.recv_fds(connection, 8, 2)
        if not size:
            return None
        request = Request(*json.loads(connection.recv(int.from_bytes(size), socket.MSG_WAITALL)))
        if (pid := os.fork()) == 0:
            connection.close()
            return request, files
        for file in files:
            os.close(file)
        connection.sendall(pid.to_bytes(8, signed=True))
        _, status = os.waitpid(pid, 0)
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, signed=True))


def _become(request: Request, files: list[int]) -> None:
    """Turn this fork into what was asked for, and run it."""
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environment)
    random.seed()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX") or None
    named = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    first, *rest = request.arguments
    sys.path[:] = [request.cwd if first == "-m" else str(Path(first).resolve().parent), *named, *sys.path]
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _, _number, sys.path[0], *_also = sys.argv
    if found := _serve(socket.socket(fileno=int(_number)), [*PRELOADED, *_also]):
        _become(*found)
