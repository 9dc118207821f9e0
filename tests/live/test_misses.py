"""One word changed in what `turns[1]` sends: wherever it happens, one failed test that says where and what."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import pytest

from forking import SDKS
from live.project import Outcome, Project
from upstream import Upstream

PRELUDE = '''
import asyncio, contextlib, os, threading
import anthropic, pytest
from pathlib import Path

WORD = os.environ.get("WORD", "Paris")

def messages(answer):
    return [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": [{"type": "text", "text": "And in " + WORD + "?"}]},
    ]

def agent():
    """Two turns; the second says the word."""
    with anthropic.Anthropic(api_key="sk-ant-api03-none") as api:
        first = api.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=messages("")[:1])
        return api.messages.create(
            model="claude-sonnet-4-6", max_tokens=9, messages=messages(first.content[0].text)).content[0].text

async def async_agent():
    async with anthropic.AsyncAnthropic(api_key="sk-ant-api03-none") as api:
        first = await api.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=messages("")[:1])
        return await api.messages.create(
            model="claude-sonnet-4-6", max_tokens=9, messages=messages(first.content[0].text))

@pytest.fixture
def finalizer(request):
    yield
    with open(os.environ["FINALIZED"], "a") as log:
        log.write(request.node.name + "\\n")
'''

PLAIN_PRELUDE = (
    PRELUDE[: PRELUDE.index("def agent")].replace("import anthropic, pytest", "import httpx, pytest")
    + '''
def agent(**more):
    """The same two turns without an SDK, which takes a second to import."""
    url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
    answer = ""
    for count in (1, 3):
        body = {"model": "claude-sonnet-4-6", "max_tokens": 9, **more, "messages": messages(answer)[:count]}
        answer = httpx.post(url, json=body).json()["content"][0]["text"]
    return answer

@pytest.fixture
def finalizer():
    yield
'''
)

TESTS = {
    "plain": "def test_plain(finalizer):\n    agent()",
    "suppressed": "def test_suppressed(finalizer):\n    with contextlib.suppress(Exception):\n        agent()",
    "bare_except": "def test_bare_except(finalizer):\n    try:\n        agent()\n    except:\n        pass",
    "pytest_raises": """
def test_pytest_raises(finalizer):
    with pytest.raises(BaseException) if WORD != "Paris" else contextlib.nullcontext():
        agent()""",
    "task_group": """
def test_task_group(finalizer):
    async def call():
        async with asyncio.TaskGroup() as group:
            group.create_task(async_agent())
            group.create_task(asyncio.sleep(0.01))
    asyncio.run(call())""",
    "gather": """
def test_gather(finalizer):
    async def call():
        await asyncio.gather(async_agent(), asyncio.sleep(0.01), return_exceptions=True)
    asyncio.run(call())""",
    "lost_task": """
def test_lost_task(finalizer):
    async def call():
        task = asyncio.ensure_future(async_agent())
        while not task.done():
            await asyncio.sleep(0.01)
    asyncio.run(call())""",
    "thread": """
def test_thread(finalizer):
    thread = threading.Thread(target=agent)
    thread.start()
    thread.join()""",
    "executor": """
def test_executor(finalizer):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(1) as pool:
        pool.submit(agent).exception()""",
    "group": """
def test_group(finalizer):
    try:
        agent()
    except BaseException as error:
        raise BaseExceptionGroup("several", [error, ValueError("another")])""",
    "retried": """
def test_retried(finalizer):
    for _ in range(3):
        try:
            agent()
        except BaseException as error:
            last = error
            continue
        break
    else:
        raise RuntimeError("gave up") from last""",
    "own_fixture": """
@pytest.fixture
def answer(convo, finalizer):
    return agent()

def test_own_fixture(answer):
    assert answer""",
    "class": """
class TestClass:
    def test_class(self, finalizer):
        agent()""",
    "parametrized": """
@pytest.mark.parametrize("value", ["a/b", "ü"])
def test_parametrized(value, finalizer):
    agent()""",
    "teardown": """
@pytest.fixture
def cleaner(convo, finalizer):
    yield
    agent()

def test_teardown(cleaner):
    pass""",
}
GIVEN = """
from hypothesis import given, settings, strategies, HealthCheck

@settings(max_examples=5, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.integers(0, 3))
def test_given(finalizer, n):
    agent()
"""
ASYNC = """
@pytest.mark.asyncio
async def test_asyncio(finalizer):
    await async_agent()
"""
ANYIO = """
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(anyio_backend, finalizer):
    await async_agent()
"""
MODULE_FIXTURE = """
@pytest.fixture(scope="module")
def shared():
    import convo_replay
    return agent()

@pytest.mark.convo
def test_module_fixture(shared, finalizer):
    assert shared
"""


def recorded(
    project: Project, upstream: Upstream, text: str, prelude: str, plugins: str = "", also: Sequence[str] = ()
) -> dict[str, str]:
    """Writes the tests, records them, stops the upstream; the environment for replay."""
    marked = "pytestmark = pytest.mark.convo\n"
    project.write("test_agent.py", prelude + marked + text)
    environment = {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{upstream.port}",
        "FINALIZED": str(project.directory / "finalized.txt"),
    }
    outcome = project.run("--convo-record=once", plugins=plugins, also=also, **environment)
    assert outcome.code == 0, outcome.output
    upstream.stop()
    (project.directory / "finalized.txt").unlink(missing_ok=True)
    return environment


def assert_explained(text: str) -> None:
    assert "messages[2].content[0].text" in text
    assert "And in Paris?" in text
    assert "And in London?" in text
    assert "turns[1]" in text or "turn 1" in text


def assert_one_failure_each(outcome: Outcome, names: set[str], project: Project) -> None:
    assert set(outcome.tests) == names
    for name, said in outcome.tests.items():
        assert [kind for kind, _ in said] in (["failure"], ["error"]), (name, said)
        assert_explained(said[0][1])
        first = said[0][1].split("\n\n")[0]
        assert "messages[2]" in first, f"{name}: the miss is not on top:\n{said[0][1]}"
    finalized = (project.directory / "finalized.txt").read_text().split()
    assert sorted(finalized) == sorted(names)


def test_one_failed_test_each_with_the_miss_on_top(project: Project, upstream: Upstream):
    text = "\n\n".join(TESTS.values())
    names = {f"test_{name}" for name in TESTS} - {"test_parametrized"}
    names |= {"test_parametrized[a/b]", "test_parametrized[\\xfc]"}
    extra = {"hypothesis": ("_hypothesis_pytestplugin", "test_given", GIVEN),
             "pytest_asyncio": ("pytest_asyncio.plugin", "test_asyncio", ASYNC),
             "anyio": ("anyio.pytest_plugin", "test_anyio[asyncio]", ANYIO)}  # fmt: skip
    plugins = ""
    for module, (plugin, name, source) in extra.items():
        if importlib.util.find_spec(module):
            plugins += " " + plugin
            text += "\n\n" + source
            names.add(name)
    environment = recorded(project, upstream, text, PRELUDE, plugins, SDKS)
    outcome = project.run(plugins=plugins, also=SDKS, WORD="London", **environment)
    assert_one_failure_each(outcome, names, project)
    assert outcome.code == 1
    assert upstream.log()  # it was recorded from


def test_a_module_scoped_fixture(project: Project, upstream: Upstream):
    environment = recorded(project, upstream, MODULE_FIXTURE, PLAIN_PRELUDE)
    outcome = project.run(WORD="London", **environment)
    assert outcome.code == 1
    said = outcome.tests["test_module_fixture"]
    assert len(said) == 1
    assert_explained(said[0][1])


def test_a_session_scoped_fixture_shared_by_tests(project: Project, upstream: Upstream):
    text = MODULE_FIXTURE.replace('"module"', '"session"') + (
        "\n@pytest.mark.convo\ndef test_second(shared):\n    assert shared\n\ndef test_third():\n    agent()\n"
    )
    environment = recorded(project, upstream, text, PLAIN_PRELUDE)
    for order in (
        ["test_agent.py::test_second"],
        ["test_agent.py::test_third"],
        ["test_agent.py::test_module_fixture"],
    ):
        outcome = project.run(*order, **environment)
        assert outcome.code == 0, outcome.output


@pytest.mark.parametrize("change", ["model", "system"])
def test_other_differences_are_named(change, project: Project, upstream: Upstream):
    text = f"""
def test_it():
    agent(**{{"system": "Be short.", {change!r}: "before " + WORD}})
"""
    environment = recorded(project, upstream, text, PLAIN_PRELUDE)
    (said,) = project.run(WORD="London", **environment).tests["test_it"]
    for part in (change, "before Paris", "before London", "test_it.yaml", "none", "--convo-record"):
        assert part in said[1]
