"""A real gateway, LiteLLM's proxy, recorded through both SDKs, stopped, and replayed."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from live.callers import plain, use_cassette
from live.project import ROOT
from upstream import Upstream

MASTER = "sk-litellm-0123456789abcdef0123456789abcdef"
CONFIG = """
model_list:
  - model_name: claude-sonnet-4-6
    litellm_params: {{model: openai/fake, api_key: none, mock_response: "Hello from the gateway."}}
  - model_name: claude-forwarded
    litellm_params: {{model: anthropic/claude-sonnet-4-6, api_key: none, api_base: "{upstream}"}}
general_settings: {{master_key: {master}}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Gateway:
    """A LiteLLM proxy in a process of its own, and the Messages API upstream behind it."""

    def __init__(self, python: str, directory: Path) -> None:
        self.upstream = Upstream()
        config = directory / "litellm.yaml"
        config.write_text(CONFIG.format(upstream=self.upstream.url("text"), master=MASTER))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
        self.log = directory / "litellm.log"
        self.process = subprocess.Popen(
            [str(Path(python).with_name("litellm")), "--config", str(config), "--host", "127.0.0.1",
             "--port", str(self.port)],
            env={**environment, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"},
            stdin=subprocess.DEVNULL, stdout=self.log.open("wb"), stderr=subprocess.STDOUT, cwd=directory,
        )  # fmt: skip
        self.wait()

    def wait(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            try:
                with opener.open(self.url + "/health/liveliness", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        raise AssertionError("the gateway did not come up\n" + self.log.read_text()[-2000:])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.upstream.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Started once; the tests of this file record from it, then stop it, then replay: all in one test."""
    python = os.environ.get("CONVO_LITELLM_PYTHON") or str(ROOT / ".venv-litellm" / "bin" / "python")
    if not Path(python).exists():
        pytest.skip("no LiteLLM: `make gateway`, or name its interpreter in CONVO_LITELLM_PYTHON")
    running = Gateway(python, tmp_path_factory.mktemp("litellm"))
    yield running
    running.stop()


def hello(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hello ☀️"}], **more}


def chat_stream(url: str, model: str) -> list[Any]:
    with openai.OpenAI(base_url=url + "/v1", api_key=MASTER, max_retries=0) as api:
        return [plain(chunk) for chunk in api.chat.completions.create(**hello(model=model, stream=True))]


def chat(url: str, model: str) -> list[Any]:
    with openai.OpenAI(base_url=url + "/v1", api_key=MASTER, max_retries=0) as api:
        return [plain(api.chat.completions.create(**hello(model=model)))]


def messages(url: str, model: str) -> list[Any]:
    with anthropic.Anthropic(base_url=url, api_key=MASTER, max_retries=0) as api:
        return [plain(api.messages.create(**hello(model=model, max_tokens=99)))]


def messages_stream(url: str, model: str) -> list[Any]:
    with anthropic.Anthropic(base_url=url, api_key=MASTER, max_retries=0) as api:
        return [plain(event) for event in api.messages.create(**hello(model=model, max_tokens=99), stream=True)]


def refused(url: str, model: str) -> list[Any]:
    seen: list[Any] = []
    with anthropic.Anthropic(base_url=url, api_key=MASTER, max_retries=0) as api:
        with pytest.raises(anthropic.BadRequestError) as error:
            api.messages.create(**hello(model=model, max_tokens=99))
        seen.append(plain(error.value.body))
    with openai.OpenAI(base_url=url + "/v1", api_key=MASTER, max_retries=0) as other:
        with pytest.raises(openai.BadRequestError) as also:
            other.chat.completions.create(**hello(model=model))
        seen.append(plain(also.value.body))
    return seen


ROWS = {
    "chat stream": (chat_stream, "claude-sonnet-4-6"),
    "chat": (chat, "claude-sonnet-4-6"),
    "chat stream, forwarded": (chat_stream, "claude-forwarded"),
    "messages": (messages, "claude-sonnet-4-6"),
    "messages stream that is plain JSON": (messages_stream, "claude-sonnet-4-6"),
    "messages stream, forwarded": (messages_stream, "claude-forwarded"),
    "unknown model": (refused, "no-such-model"),
}


def test_recorded_stopped_replayed(gateway: Gateway, tmp_path: Path):
    recorded = {}
    for name, (call, model) in ROWS.items():
        with use_cassette(tmp_path / f"{name}.yaml", record="once"):
            recorded[name] = call(gateway.url, model)
    assert "".join(
        chunk["choices"][0]["delta"].get("content") or "" for chunk in recorded["chat stream"] if chunk["choices"]
    ) == "Hello from the gateway."  # fmt: skip
    assert recorded["messages stream, forwarded"][-1]["type"] == "message_stop"
    gateway.process.terminate()
    gateway.process.wait(20)
    for name, (call, model) in ROWS.items():
        cassette = tmp_path / f"{name}.yaml"
        assert MASTER not in cassette.read_text()
        assert MASTER[11:] not in cassette.read_text()
        with use_cassette(cassette) as convo:
            assert call(gateway.url, model) == recorded[name], name
        assert convo.live_requests == 0
