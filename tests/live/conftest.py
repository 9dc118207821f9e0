"""Fixtures of the tests that record from a real server: the server, a cassette, another interpreter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.project import ROOT, Project
from upstream import Upstream

CREDENTIALS = (
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS", "OPENAI_API_KEY",
    "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
    "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
)  # fmt: skip


@pytest.fixture(scope="session")
def upstream_process() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def upstream(upstream_process: Upstream) -> Upstream:
    """The scripted model server, listening on a port that no earlier test knows, with an empty log."""
    upstream_process.start()
    upstream_process.clear()
    return upstream_process


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """Where a cassette may be written: outside any git work tree."""
    return tmp_path / "cassettes" / "conversation.yaml"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keys, no proxies, no CI: what a test needs of these it sets itself."""
    for name in (*CREDENTIALS, "CI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def old_python() -> str:
    """An interpreter with the SDK generation on httpx (anthropic 0.x, openai 2.x)."""
    named = os.environ.get("CONVO_OLD_SDK_PYTHON")
    made = ROOT / ".venv-old" / "bin" / "python"
    if named:
        return named
    if made.exists():
        return str(made)
    pytest.skip("no interpreter with anthropic 0.x: `make old-sdks`, or name one in CONVO_OLD_SDK_PYTHON")


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in list(os.environ):
        if name.startswith(("PYTEST_", "COV_")):
            monkeypatch.delenv(name)
    directory = tmp_path / "project"
    directory.mkdir()
    return Project(directory, tmp_path_factory.getbasetemp().parent / "compiled")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Clients that an application leaves open, streams that it abandons: part of what is tested here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
