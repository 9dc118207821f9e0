"""The examples in plugins/ as somebody outside the project uses them: installed into a fresh environment."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest

import convo_replay
from convo_replay import providers
from convo_replay.exchange import Exchange, Request
from convo_replay.providers import Reply
from convo_replay.providers.anthropic import Anthropic
from convo_replay.sse import Event

PLUGINS = Path(__file__).parents[1] / "plugins"
EXAMPLES = sorted(path.parent.name for path in PLUGINS.glob("*/pyproject.toml"))
missing = [name for name in ("pip", "hatchling") if importlib.util.find_spec(name) is None]


def run(*command: object, cwd: Path) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "PYTEST_"))}
    environment = {**plain, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.mark.skipif(bool(missing), reason=f"installing an example needs {' and '.join(missing)} here")
def test_the_examples_install_and_their_own_tests_pass(tmp_path: Path) -> None:
    plugins, fresh = [tmp_path / name for name in EXAMPLES], tmp_path / "fresh"
    for plugin in plugins:
        shutil.copytree(PLUGINS / plugin.name, plugin, ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(fresh, symlinks=True)
    (python,) = (fresh / folder for folder in ("bin", "Scripts") if (fresh / folder).exists())
    python /= Path(sys.executable).name
    # convo_replay and what it needs come from here, the examples alone are installed: no index is asked.
    paths = {"base": str(fresh), "platbase": str(fresh)}
    beside = Path(sysconfig.get_path("purelib", "venv", paths)) / "beside.pth"
    beside.write_text(f"{Path(convo_replay.__file__).parents[1]}\n{sysconfig.get_path('purelib')}\n")
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, *plugins, cwd=tmp_path)
    tests = [path for plugin in plugins for path in plugin.glob("test_*.py")]
    assert {path.parent for path in tests} == set(plugins)
    out = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=tmp_path)
    assert " passed" in out


def test_the_gateway_takes_no_more_than_twenty_lines() -> None:
    lines = (PLUGINS / "acme_gateway" / "convo_replay_acme_gateway.py").read_text("utf-8").splitlines()
    assert len(lines) <= 20


# --- one that raises ------------------------------------------------------------------------------


class Broken(Anthropic):
    """Raises in one method, with a text that holds what it was asked about."""

    name = "broken"

    def __init__(self, method: str) -> None:
        self.method = method

    def _may_raise(self, method: str, about: object) -> None:
        if method == self.method:
            raise KeyError(f"sk-ant-secret in {about}")

    def claims(self, request: Request) -> bool:
        self._may_raise("claims", request)
        return super().claims(request)

    def generates(self, request: Request) -> bool:
        self._may_raise("generates", request)
        return super().generates(request)

    def ends(self, event: Event) -> bool:
        self._may_raise("ends", event)
        return super().ends(event)

    def reply(self, exchange: Exchange) -> Reply:
        self._may_raise("reply", exchange.status)
        return super().reply(exchange) if self.method != "wrong reply" else None  # type: ignore[return-value]


STREAM = b'event: message_start\ndata: {"type":"message_start","message":{"content":[]}}\n\n' + (
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a provider that raises in a method the only one there is."""

    def only(method: str) -> None:
        monkeypatch.setattr(EntryPoint, "load", lambda self: Broken(method))
        monkeypatch.setattr(providers, "entry_points", lambda group: [EntryPoint("broken", "acme:provider", group)])
        known = [one for one in providers.providers.__wrapped__() if one.name == "broken"]
        monkeypatch.setattr(providers, "providers", lambda: known)

    return only


@pytest.mark.parametrize("method", ["generates", "claims"])
def test_a_provider_that_raises_fails_the_request_and_is_named(
    method: str, install: Callable[[str], None], tmp_path: Path
) -> None:
    install(method)
    with pytest.raises(convo_replay.ConvoFailure) as raised, convo_replay.use_cassette(tmp_path / "a.yaml"):
        httpx.post("https://gw.example/v1/other", json={}, headers={"x-api-key": "sk-ant-secret"})
    assert f"provider broken = acme:provider: {method}() raised KeyError at {__file__}:" in str(raised.value)
    assert "for POST /v1/other" in str(raised.value)
    assert "sk-ant-secret" not in str(raised.value)


def record_a_stream(cassette: Path) -> convo_replay.Conversation:
    """Records a stream that the client leaves after its last event."""

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield STREAM
            yield b": more\n\n"

    def serve(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    with (
        convo_replay.use_cassette(cassette, record="once", intercept=["gw.example"], validate="off") as convo,
        httpx.Client(transport=httpx.MockTransport(serve)) as client,
        client.stream("POST", "https://gw.example/v1/messages", json={"messages": []}) as response,
    ):
        next(response.iter_bytes())
    return convo


@pytest.mark.parametrize(
    ("method", "said"),
    [("reply", "reply() raised KeyError("), ("wrong reply", "reply() returned NoneType, expected Reply")],
)
def test_an_answer_that_a_provider_cannot_read_is_recorded_and_says_why(
    method: str, said: str, install: Callable[[str], None], tmp_path: Path
) -> None:
    install(method)
    convo = record_a_stream(tmp_path / "a.yaml")
    assert (tmp_path / "a.yaml").exists()
    error = convo.turns[0].response.error
    assert error is not None
    assert f"provider broken = acme:provider: {said}" in error["message"]


def test_a_stream_whose_end_a_provider_cannot_read_is_recorded_with_a_warning(
    install: Callable[[str], None], tmp_path: Path
) -> None:
    install("ends")
    with pytest.warns(RuntimeWarning, match=r"provider broken = acme:provider: ends\(\) raised KeyError"):
        convo = record_a_stream(tmp_path / "a.yaml")
    assert [exchange.end.kind for exchange in convo.exchanges] == ["cancelled"]
    assert (tmp_path / "a.yaml").exists()
