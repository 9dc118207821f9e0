"""Projects with a convo test or two, run by a pytest in a process of its own against the scripted upstream."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

import convo_replay
import forking
from upstream import Upstream

AGENT = """
import os
import httpx

def _request(text, scenario):
    body = {"model": "claude-opus-4-7", "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
    return f"{os.environ['UPSTREAM']}/{scenario}/v1/messages", {"json": body}

def ask(text, scenario="text"):
    url, body = _request(text, scenario)
    return httpx.post(url, **body).json()["content"][0]["text"]

async def ask_async(text, scenario="text"):
    url, body = _request(text, scenario)
    async with httpx.AsyncClient() as client:
        return (await client.post(url, **body)).json()["content"][0]["text"]
"""


class Project:
    """A directory with tests that talk to the upstream."""

    def __init__(self, pytester: pytest.Pytester, upstream: Upstream) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.upstream = upstream
        self._writes = 0
        self.write("agent.py", AGENT)
        self.ini()

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self._writes += 1  # compiled files go by the second
        os.utime(path, (1_800_000_000 + self._writes,) * 2)

    def ini(self, *lines: str) -> None:
        head = ["[pytest]", "pythonpath = ."]
        self.write("pytest.ini", "\n".join([*head, *lines]) + "\n")

    def run(self, *args: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        """Runs pytest with ours and the named plugins alone; each one that is installed costs start-up time.

        It is a process of its own, forked where that can be.
        """
        if "-n2" in args:
            plugins = (*plugins, "xdist")
        load = [part for name in ("convo_replay.plugin", *plugins) for part in ("-p", name)]
        return self.pytester.runpytest_subprocess(*load, "-p", "no:cacheprovider", "-rA", *args)

    def cassettes(self) -> list[str]:
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*.yaml"))

    def sent(self) -> list[str]:
        """What reached the upstream since this was last asked: the last user texts."""
        texts = [re.findall(r'"content": ?"([^"]*)"', entry.body.decode())[-1] for entry in self.upstream.log()]
        self.upstream.clear()
        return texts


def forked(arguments: Sequence[str], *, stdout: IO[str], stderr: IO[str], **_stdin: Any) -> Any:
    """`pytester.popen`, by a fork."""
    assert list(arguments[:2]) == [sys.executable, "-mpytest"]
    path = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return forking.popen(
        ["-m", "pytest", *arguments[2:]], cwd=Path.cwd(), env=environment, stdout=stdout, stderr=stderr
    )


@pytest.fixture
def from_scratch() -> bool:
    """Whether the project's pytests start with nothing imported: overridden where that is what is tested."""
    return False


@pytest.fixture(scope="session")
def scripted_upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    scripted_upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    from_scratch: bool,
) -> Iterator[Project]:
    if not from_scratch:
        monkeypatch.setattr(pytester, "popen", forked)
    for name in ("CI", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UPSTREAM", scripted_upstream.url().rpartition("/")[0])
    # The package that is tested here, wherever it was imported from.
    monkeypatch.setenv("PYTHONPATH", str(Path(convo_replay.__file__).parents[1]), prepend=os.pathsep)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "pycache"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    scripted_upstream.clear()
    yield Project(pytester, scripted_upstream)
    scripted_upstream.clear()
