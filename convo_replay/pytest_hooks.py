"""The pytest plugin, as far as every session pays for it.

This module is imported at the start of every pytest run in an environment that has convo_replay, so
it knows pytest and the standard library and nothing else, and does per test nothing at all: options,
the marker, the fixtures, stand-ins for missing keys. The rest is `convo_replay.pytest_session`, which
is imported and registered when the first convo test has been collected. A session without one never
loads it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.pytest_session import PytestSession
    from convo_replay.pytest_session.fault_runs import FaultRuns
    from convo_replay.reporting.transcript import Transcript
    from convo_replay.standins import StandIns

RECORD_MODES = ("none", "once", "new_episodes", "all", "rewrite", "live")
DEFAULT_MAX_REQUESTS = 200
VALIDATE = ("error", "warn", "off")
CHECKED = (
    "convo_record", "convo_unplayed", "convo_max_requests", "convo_validate", "convo_ignore_rules", "convo_redact",
)  # fmt: skip

INI = {
    "convo_record": ("string", f"record mode: {' '.join(RECORD_MODES)} (none where CI is set)"),
    "convo_cassette_dir": ("string", "directory of the cassettes (default: cassettes/ beside each test file)"),
    "convo_unplayed": ("string", "what exchanges mean that no test asked for: error warn ignore"),
    "convo_validate": ("string", "what turns mean that the API would reject: error warn off (default: error)"),
    "convo_ignore_rules": ("args", "rules that say nothing (`convo-replay check --rules` lists them)"),
    "convo_redact": ("args", "class=policy lines where docs/redaction.md's table is to be overridden, e.g. email=keep"),
    "convo_intercept": ("args", "hosts claimed beyond what is recognized, as host or host:port"),
    "convo_ignore": ("args", "hosts never claimed, e.g. one's own server under test"),
    "convo_passthrough": ("args", "hosts that may be reached although a cassette replays"),
    "convo_max_requests": ("string", f"live requests that a session may make (default: {DEFAULT_MAX_REQUESTS})"),
    "convo_retry_modules": ("args", "modules whose waits are skipped while a cassette replays, beyond the known ones"),
    "convo_scan": ("bool", "search all cassettes of the project for secrets when a run is over (--convo-scan)"),
    "convo_adopt_vcr": ("bool", "run tests marked vcr, of vcrpy and pytest-recording, on this engine"),
}
MARKER = (
    "convo(cassette=, record=, match_on=, normalize=, secrets=, redact=, sanitize=, keep=, repeats=, unplayed=, "
    "timing=, validate=, ignore_rules=, intercept=, ignore=, passthrough=, before_record=, faults=, expect=): replay "
    "the test's conversation with an LLM API from its cassette, or record it. Taking the `convo` fixture does the "
    "same. With faults=['429', 'cut:eof@*'] it runs once more for each fault, and the client is judged."
)

_session_key: pytest.StashKey[PytestSession] = pytest.StashKey()
_faults_key: pytest.StashKey[FaultRuns] = pytest.StashKey()
_standins_key: pytest.StashKey[StandIns] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("convo_replay", "convo_replay: record and replay conversations with LLM APIs")
    group.addoption(
        "--convo-record",
        metavar="MODE",
        choices=RECORD_MODES,
        default=None,
        help="Record mode of every convo test: none (replay only), once (record what has no recording), new_episodes "
        "(replay, record what is new), all (record everything again), rewrite (replace the recordings), live (no "
        "cassette). Default: what marker, convo_config or ini say, else none.",
    )
    group.addoption(
        "--convo-validate",
        metavar="LEVEL",
        choices=VALIDATE,
        default=None,
        help="What turns mean that the API would reject: error (the test fails), warn (told at the end), off.",
    )
    group.addoption(
        "--convo-max-requests",
        metavar="N",
        type=_count,
        default=None,
        help=f"Live requests the session may make, over all xdist workers (default: {DEFAULT_MAX_REQUESTS}).",
    )
    group.addoption(
        "--convo-faults",
        metavar="SPECS",
        action="append",
        default=None,
        help="Run every convo test once more for each of these faults, and judge the client: e.g. "
        "--convo-faults='429 529 cut:reset@* cut:eof@*'. May be repeated. `convo-replay faults` lists them.",
    )
    group.addoption(
        "--convo-report",
        metavar="FILE.json",
        default=None,
        help="Write what became of each fault run to this file (docs/report-format.md).",
    )
    group.addoption(
        "--convo-scan",
        action="store_true",
        default=False,
        help="Search all cassettes of the project for secrets and identifying data when the run is over; what is found "
        "fails it.",
    )
    for name, (kind, text) in INI.items():
        parser.addini(name, text, type=kind, default=[] if kind == "args" else None)  # type: ignore[arg-type]


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


_count.__name__ = "count"  # argparse says "invalid count value: 'x'"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    # Before any conftest is imported: it may well build a client at module level.
    _stand_in(early_config, args)
    result = yield
    if adopts_vcr(early_config):
        from convo_replay import pytest_adoption

        # Now that a conftest may have brought pytest-recording; the command line is parsed next.
        pytest_adoption.add_options(early_config, parser)
    return result


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    if any(config.getini(name) for name in CHECKED):
        from convo_replay import pytest_options

        pytest_options.check(config)
    if config.option.convo_faults or config.option.convo_report:
        from convo_replay import pytest_matrix, pytest_options

        pytest_options.check_faults(config)
        pytest_matrix.of(config)
    if scans(config):
        from convo_replay import pytest_scan

        kind = pytest_scan.Asked if hasattr(config, "workerinput") else pytest_scan.Scan
        config.pluginmanager.register(kind(config), pytest_scan.NAME)
    if config.getoption("showlocals", default=False):
        from convo_replay import pytest_locals

        config.pluginmanager.register(pytest_locals.Hidden(), pytest_locals.NAME)
    if adopts_vcr(config):
        from convo_replay import pytest_adoption

        pytest_adoption.configure(config)
    if getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput"):
        from convo_replay import pytest_matrix, xdist_controller

        config.pluginmanager.register(xdist_controller.Controller(), "convo_replay_xdist")
        pytest_matrix.of(config)  # it is the workers that know whether there are faults
    _stand_in(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    standins = config.stash.get(_standins_key, None)
    if standins is not None:
        del config.stash[_standins_key]
        standins.take_back()


def _stand_in(config: pytest.Config, args: Sequence[str] = ()) -> None:
    if _standins_key in config.stash or record_mode(config, args) != "none":
        return
    from convo_replay.standins import StandIns

    standins = config.stash[_standins_key] = StandIns()
    standins.put()


def adopts_vcr(config: pytest.Config) -> bool:
    """Whether tests marked `vcr` are run here (`convo_adopt_vcr`).

    Raises:
        pytest.UsageError: the ini value is neither true nor false.
    """
    return _is_true(config, "convo_adopt_vcr")


def scans(config: pytest.Config) -> bool:
    """Whether all cassettes are searched when the run is over (`--convo-scan`, `convo_scan`).

    Raises:
        pytest.UsageError: the ini value is neither true nor false.
    """
    return bool(config.option.convo_scan) or _is_true(config, "convo_scan")


def _is_true(config: pytest.Config, name: str) -> bool:
    try:
        return bool(config.getini(name))
    except (ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{config.inipath or '-o'}: {name}: expected true or false: {error}") from None


def record_mode(config: pytest.Config, args: Sequence[str] = ()) -> str:
    """The record mode that command line and ini give the session; a marker may say otherwise.

    Args:
        args: the command line, while not every option is known.
    """
    # While conftests are loaded, options are known but not yet the config's.
    for options in (config.option, config.known_args_namespace):
        said = getattr(options, "convo_record", None)
        if said is not None:
            return str(said)
    if adopts_vcr(config):
        from convo_replay import pytest_adoption

        said = pytest_adoption.recording(config, args)
        if said is not None:
            return said
    if os.environ.get("CI") or not config.getini("convo_record"):
        return "none"
    from convo_replay import pytest_options

    return pytest_options.choice(config, "convo_record")


def pytest_report_header(config: pytest.Config) -> str | None:
    mode = record_mode(config)
    if mode == "none":
        return None
    from convo_replay import pytest_options

    return f"convo: recording ({mode}): live requests may be made, at most {pytest_options.max_requests(config)}"


# -- collection -----------------------------------------------------------------------------------


def is_convo(item: object) -> TypeGuard[pytest.Function]:
    """Whether a collected item is a test with a conversation: marked, or taking the `convo` fixture."""
    if not isinstance(item, pytest.Function):
        return False
    marked = item.get_closest_marker("convo") is not None
    return marked or ("convo" in item.fixturenames and not is_adopted(item))


def is_adopted(item: object) -> TypeGuard[pytest.Function]:
    """Whether a collected item is a test marked `vcr` that runs here; its `convo` is the conversation of that."""
    return (
        isinstance(item, pytest.Function)
        and item.get_closest_marker("vcr") is not None
        and adopts_vcr(item.config)
        and not item.config.getoption("--disable-recording", default=False)
    )


@pytest.hookimpl(wrapper=True, trylast=True)  # before `--lf` takes its choice
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.passed:
        convo_tests = [node for node in report.result if is_convo(node)]
        if convo_tests:
            from convo_replay.pytest_session.settings import collection_problems

            problems = collection_problems(collector.config, convo_tests)
            if not problems and _asks_for_faults(collector.config, convo_tests):
                report.result, problems = faults_of(collector.config).expanded(report.result)
            if problems:
                report.outcome = "failed"
                report.longrepr = "\n".join(problems)
                report.result = []
    return report


def _asks_for_faults(config: pytest.Config, convo_tests: Sequence[pytest.Item]) -> bool:
    return bool(config.option.convo_faults) or any(
        "faults" in mark.kwargs for test in convo_tests for mark in test.iter_markers("convo")
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.convo_faults:  # tests that a conftest has marked just now
        items[:], problems = faults_of(config).expanded(items)
        if problems:
            raise pytest.UsageError("\n".join(problems))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    convo_tests = [item for item in session.items if is_convo(item)]
    if _asks_for_faults(session.config, convo_tests):
        faults_of(session.config).collected(session.items)
    if convo_tests and not session.config.option.collectonly:
        running(session.config).prepare(convo_tests)
    elif "convo_replay.errors" in sys.modules:  # `use_cassette`: what it raises is pytest's failure, too
        from convo_replay.pytest_session import failures

        failures.install()


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | None:
    session = config.stash.get(_session_key, None)
    return session.recording_by_marker(items) if session is not None else None


def faults_of(config: pytest.Config) -> FaultRuns:
    """What makes the session's fault runs, started when a fault is asked for."""
    found = config.stash.get(_faults_key, None)
    if found is None:
        from convo_replay import pytest_matrix
        from convo_replay.pytest_session.fault_runs import FaultRuns

        found = config.stash[_faults_key] = FaultRuns(config)
        pytest_matrix.of(config)
    return found


def running(config: pytest.Config) -> PytestSession:
    """What runs the session's convo tests, started when it is first needed."""
    found = config.stash.get(_session_key, None)
    if found is None:
        from convo_replay.pytest_session import PytestSession

        found = config.stash[_session_key] = PytestSession(config)
        config.pluginmanager.register(found, "convo_replay_session")
    return found


def running_if_any(config: pytest.Config) -> PytestSession | None:
    """What runs the session's convo tests, where there are any."""
    return config.stash.get(_session_key, None)


# -- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def convo_config() -> dict[str, Any]:
    """Settings for the convo tests that see this fixture: override it, at any scope, with a dict or a Config."""
    return {}


@pytest.fixture
def _convo_open(request: pytest.FixtureRequest, convo_config: Any) -> Iterator[Conversation]:
    # Comes before every other function-scoped fixture (`prepare`), so that it is finalized after them.
    if is_adopted(request.node):
        yield request.getfixturevalue("vcr").conversation
        return
    with running(request.config).conversation_of(request.node, convo_config) as conversation:
        yield conversation


@pytest.fixture
def convo(_convo_open: Conversation) -> Conversation:
    """The running conversation: `.exchanges .turns .usage .cassette_path`."""
    return _convo_open


@pytest.fixture
def convo_transcript(convo: Conversation) -> Transcript:
    """The conversation as text, as far as it has come when it is compared: `assert convo_transcript == snapshot`."""
    from convo_replay.reporting.transcript import Transcript

    return Transcript(convo)
