"""Which requests a provider takes for its own, and which of them are turns."""

from __future__ import annotations

import pytest

from convo_replay import providers
from convo_replay.exchange import Binary, Blob, Body, Json, Request, Text
from convo_replay.providers import Provider, find

TURN = Json({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
LARGE = Blob("0" * 64, 2_000_000, "application/json", value=TURN.value)
VERSION = (("anthropic-version", "2026-10-21"), ("x-stainless-lang", "python"))
STAINLESS = (("x-stainless-lang", "python"),)
OPENAI = (("x-stainless-lang", "python"), ("user-agent", "AsyncOpenAI/Python 3.54.0"))

# method, URL, headers, body → provider, is it a turn
CASES: list[tuple[str, str, tuple[tuple[str, str], ...], Body, str | None, bool]] = [
    ("POST", "https://api.anthropic.com/v1/messages", (), TURN, "anthropic", True),
    ("POST", "https://api.anthropic.com/v1/messages?beta=true", VERSION, TURN, "anthropic", True),
    ("POST", "https://x.services.ai.azure.com/anthropic/v1/messages/", (), TURN, "anthropic", True),
    ("POST", "http://127.0.0.1:4000/V1/Messages", (), TURN, "anthropic", True),
    ("POST", "https://e-aiplatform.googleapis.com/v1/projects/p/locations/e/publishers/anthropic/models/"
     "claude-opus-4-6:streamRawPredict", (), TURN, "anthropic", True),
    ("POST", "https://api.anthropic.com/v1/chat/completions", (), TURN, "openai_chat", True),
    ("POST", "https://api.openai.com/v1/chat/completions", (), TURN, "openai_chat", True),
    ("POST", "https://openrouter.ai/api/v1/chat/completions", (), TURN, "openai_chat", True),
    ("POST", "https://api.deepseek.com/chat/completions", (), TURN, "openai_chat", True),
    ("POST", "https://r.openai.azure.com/openai/deployments/x/chat/completions?api-version=1", (), TURN,
     "openai_chat", True),
    # The vendor's, but no turn.
    ("POST", "https://api.anthropic.com/v1/messages", (), None, "anthropic", False),
    ("POST", "https://gw.example/v1/messages", VERSION, Blob("0" * 64, 2_000_000), "anthropic", False),
    ("POST", "http://127.0.0.1:4000/v1/messages", (), LARGE, "anthropic", False),
    ("POST", "http://127.0.0.1:4000/v1/messages/count_tokens", (), LARGE, "anthropic", False),
    ("POST", "https://gw.example/v1/messages/count_tokens", (), TURN, "anthropic", False),
    ("POST", "https://api.anthropic.com/v1/messages/batches", VERSION, Json({"requests": []}), "anthropic", False),
    ("GET", "https://gw.example/v1/messages/batches/b1/results", VERSION, None, "anthropic", False),
    ("GET", "https://gw.example/v1/models", VERSION, None, "anthropic", False),
    ("GET", "https://gw.example/v1/models?limit=1", STAINLESS, None, "openai_chat", False),
    ("GET", "https://gw.example/v1/models/gpt-5.5", STAINLESS, None, "openai_chat", False),
    ("POST", "https://gw.example/custom/path", OPENAI, Json({}), "openai_chat", False),
    ("POST", "https://gw.example/v1/responses", OPENAI, Json({"input": "hi"}), "openai_chat", False),
    ("POST", "https://us.api.openai.com/v1/embeddings", (), Json({"input": "hi"}), "openai_chat", False),
    ("POST", "https://gw.example/v1/audio/speech", STAINLESS, Json({"input": "hi"}), "openai_chat", False),
    ("POST", "https://gw.example/v1/chat/completions", (), Text("{oops"), "openai_chat", False),
    ("GET", "https://api.openai.com/v1/chat/completions", (), None, "openai_chat", False),
    # Nobody's.
    ("POST", "https://api.anthropic.com/v1/oauth/token", VERSION, Json({"grant_type": "x"}), None, False),
    ("POST", "https://sms.example/v1/messages", (), Json({"to": "+1", "text": "hi"}), None, False),
    ("POST", "https://gw.example/v1/messages", (), Blob("0" * 64, 2_000_000, value={"to": "+1"}), None, False),
    ("GET", "https://gw.example/v1/messages", (), None, None, False),
    ("GET", "http://127.0.0.1:8000/v1/models", (), None, None, False),
    ("GET", "https://sdk.example/v1/customers", STAINLESS, None, None, False),
    ("POST", "https://api.anthropic.com.evil.example/x", (), None, None, False),
    ("POST", "http://[::1/v1/other", (), Binary(b"\xff"), None, False),
]  # fmt: skip


@pytest.mark.parametrize(("method", "url", "headers", "body", "name", "turn"), CASES)
def test_who_speaks_a_request(
    method: str, url: str, headers: tuple[tuple[str, str], ...], body: Body, name: str | None, turn: bool
) -> None:
    request = Request(method, url, headers, body)
    found = find(request)
    assert (found.name if found else None) == name
    assert (found is not None and found.generates(request)) is turn


class Point:
    """An entry point as `importlib.metadata` gives it."""

    dist = None

    def __init__(self, name: str, value: object, module: str = "outside") -> None:
        self.name = name
        self.value = f"{module}:provider"
        self.module = module
        self._value = value

    def load(self) -> object:
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


def registered(monkeypatch: pytest.MonkeyPatch, *points: Point) -> list[Provider]:
    monkeypatch.setattr(providers, "entry_points", lambda group: list(points))
    return list(providers.providers.__wrapped__())


def test_built_in_ones_work_without_installed_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [known.name for known in registered(monkeypatch)] == ["anthropic", "openai_chat"]


def test_installed_metadata_of_ours_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Point("anthropic", RuntimeError("never loaded"), "convo_replay.providers.anthropic")
    assert [known.name for known in registered(monkeypatch, own)] == ["anthropic", "openai_chat"]


def test_a_provider_from_outside_is_asked_first_and_may_take_a_built_in_ones_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from convo_replay.providers.anthropic import Anthropic

    class Acme(Anthropic):
        name = "acme"

    known = registered(monkeypatch, Point("anthropic", Acme()))
    assert [one.name for one in known] == ["acme", "openai_chat"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (ImportError("no module named acme"), "cannot be imported: ImportError('no module named acme')"),
        (object(), "it has no name, history, terminal_events"),
        (providers.BUILT_IN, "it has no name"),
    ],
)
def test_a_broken_provider_is_named(monkeypatch: pytest.MonkeyPatch, value: object, said: str) -> None:
    with pytest.raises(RuntimeError, match=r"convo_replay\.providers: acme = outside:provider") as raised:
        registered(monkeypatch, Point("acme", value))
    assert said in str(raised.value)
