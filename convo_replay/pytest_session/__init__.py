"""What runs the convo tests of a pytest session. Imported when the first one has been collected.

A test's conversation is open from before its first function-scoped fixture until after the last
finalizer of one, so that the traffic of those fixtures belongs to the test. A fixture of a wider scope
that a convo test requests has a conversation of its own (`wide`), whichever test comes first.

The first failure of a conversation is reported once, in the phase in which it happened, whether or not
the application let it through. Conversations opened here are found process-wide and not through a
context variable: event loops that outlive a test (anyio's runner, pytest-asyncio's wide loops) keep
the context of the moment they were started in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest
from _pytest.outcomes import Exit

from convo_replay.config import Config
from convo_replay.conversation import Conversation
from convo_replay.errors import CassetteError, ConvoFailure, LeakFound
from convo_replay.pytest_hooks import faults_of, is_adopted, is_convo
from convo_replay.pytest_options import max_requests
from convo_replay.pytest_session import asserting, failures, settings
from convo_replay.pytest_session.tally import LiveRequests, SessionBudget, Tally, write_summary
from convo_replay.pytest_session.wide import WideFixtures

if TYPE_CHECKING:
    from convo_replay.pytest_session.fault_runs import FaultItem
    from convo_replay.redaction.classes import Policy
    from convo_replay.redaction.detect import Secret
    from convo_replay.verdict.judging import Verdict

T = TypeVar("T")


class Run:
    """One run of one test: setup, call, teardown."""

    def __init__(self) -> None:
        self.conversation: Conversation | None = None
        self.failed = True  # until a report says otherwise: an interrupted test has not passed
        self.reported: set[str] = set()
        """The phases that fail with the conversation's failure."""
        self.broken: ConvoFailure | None = None
        """What is wrong with the answers, or with the client; known when the call phase is over."""
        self.verdict: Verdict | None = None

    @property
    def failure(self) -> ConvoFailure | None:
        return self.broken or (self.conversation.failure if self.conversation else None)

    @property
    def missed(self) -> Sequence[ConvoFailure]:
        """Misses that were the application's to handle (`AdoptedConversation`)."""
        return getattr(self.conversation, "missed", ())


_run_key = pytest.StashKey[Run]()


def scope_of(definitions: Sequence[pytest.FixtureDef[Any]] | None) -> str:
    """The scope that pytest sorts a fixture name by; of one that it does not know, too."""
    return definitions[-1].scope if definitions else "function"


class PytestSession:
    """The plugin that is registered once there are convo tests."""

    def __init__(self, config: pytest.Config) -> None:
        failures.install()
        self._look_away = asserting.watch()
        self.config = config
        self.tally = Tally()
        budget_file = getattr(config, "workerinput", {}).get("convo_budget_file")
        self.live_requests = LiveRequests(Path(budget_file) if budget_file else None)
        self.wide = WideFixtures(self)
        self.cassettes: dict[str, Mapping[str, Policy]] = {}
        """The cassettes of the conversations so far, each with what was overridden in the table of classes."""
        self.secrets: dict[int, Secret] = {}
        """What they said is secret, by identity."""
        self._failed: set[str] = set()
        """Tests that failed without a fault."""

    # -- collection ---------------------------------------------------------------------------------

    def prepare(self, items: Sequence[pytest.Function]) -> None:
        """Puts our fixture before every other function-scoped one, and notes the wider ones."""
        for item in items:
            definitions = item._fixtureinfo.name2fixturedefs
            for name in item.fixturenames:
                self.wide.wanted.update(definitions.get(name, ()))
            names = [name for name in item.fixturenames if name != "_convo_open"]
            first = next(
                (i for i, name in enumerate(names) if scope_of(definitions.get(name)) == "function"), len(names)
            )
            item.fixturenames = [*names[:first], "_convo_open", *names[first:]]

    def recording_by_marker(self, items: Sequence[pytest.Item]) -> str | None:
        """What is to be said before the run about tests that record though the session does not."""
        if self.config.getoption("--convo-record") is not None:
            return None
        modes: dict[str, int] = {}
        for item in filter(is_convo, items):
            if self._fault_of(item) is not None:
                continue
            with contextlib.suppress(ValueError):
                mode = settings.marker_settings(item).get("record", "none")
                modes[mode] = modes.get(mode, 0) + (mode != "none")
        recording = {mode: count for mode, count in modes.items() if count}
        if not recording:
            return None
        counted = ", ".join(f"{count} ({mode})" for mode, count in recording.items())
        return f"convo: tests that record by their marker: {counted}; at most {max_requests(self.config)} live requests"

    # -- the conversation of a test -----------------------------------------------------------------

    @contextlib.contextmanager
    def conversation_of(self, item: pytest.Item, convo_config: Any) -> Iterator[Conversation]:
        """Opens the conversation of a test; at the end closes and saves it. For the fixture."""
        __tracebackhide__ = True
        try:
            marker = settings.marker_settings(item)
            config = settings.effective(self.config, convo_config, marker)
        except ValueError as error:
            raise pytest.fail.Exception(f"{item.nodeid}: {error}", pytrace=False) from None
        conversation = self._conversation_of(item, settings.cassette_of(item, marker), config, marker)
        with self.opened(item, conversation):
            yield conversation

    def _conversation_of(
        self, item: pytest.Item, path: Path, config: Config, marker: Mapping[str, Any]
    ) -> Conversation:
        expect, fault = marker.get("expect", ""), self._fault_of(item)
        if fault is None:
            return self.conversation(path, config, settings.owner_of(item), expect=expect)
        from convo_replay.pytest_session.fault_runs import REPLAYED, unrecorded
        from convo_replay.pytest_session.judged import again

        if config.record not in REPLAYED:  # `convo_config` says so, which is not known before
            raise pytest.skip.Exception(unrecorded(item, path, config.record), _use_item_location=True)
        load = faults_of(self.config).cassettes.load
        return self.conversation(
            path,
            config,
            settings.owner_of(item),
            load=load,
            plan=fault.plan,
            expect=expect,
            again=again(item, fault),
        )

    @staticmethod
    def _fault_of(item: pytest.Item) -> FaultItem | None:
        """What a fault run breaks; `None` for any other test."""
        if settings.plain_name_key not in item.stash:
            return None
        from convo_replay.pytest_session.fault_runs import fault_key

        return item.stash[fault_key]

    @contextlib.contextmanager
    def opened(self, item: pytest.Item, conversation: Conversation) -> Iterator[None]:
        """Opens a test's conversation; at the end closes and saves it."""
        __tracebackhide__ = True
        run = item.stash.setdefault(_run_key, Run())
        # A context of its own: `open` sets its variable there, and nobody inherits it by chance.
        context = copy_context()
        with said_by_pytest():
            context.run(conversation.open)
        run.conversation = conversation
        try:
            yield
        finally:
            with said_by_pytest():
                self.close(conversation, context.run, failed=run.failed)

    def conversation(self, path: Path, config: Config, owner: str, **more: Any) -> Conversation:
        """A conversation on the session's budget; it is not open yet. `more`: see `Conversation`."""
        return Conversation(path, config, owner=owner, budget=self.budget(config), **more)

    def budget(self, config: Config) -> SessionBudget:
        """The limit that a conversation was told, on the count of the session."""
        return SessionBudget(config.max_requests, self.live_requests)

    def close(self, conversation: Conversation, run: Callable[[Callable[[], None]], None], *, failed: bool) -> None:
        """Closes and saves a conversation, and counts it."""
        try:
            run(lambda: conversation.close(failed=failed))
        finally:
            self.tally.add(conversation)
            if conversation.save_path is not None:
                self.cassettes[str(conversation.save_path)] = conversation.config.redact
            self.secrets.update((id(secret), secret) for secret in conversation.config.secrets)

    # -- the phases ---------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, T, T]:
        __tracebackhide__ = True
        if is_convo(item) or is_adopted(item):
            item.stash[_run_key] = Run()
            fault = self._fault_of(item)
            if fault is not None:
                reason = fault.reason
                if not reason and settings.owner_of(item) in self._failed:
                    reason = "the test fails without a fault, and did so in this run"
                if reason:
                    item.add_marker(pytest.mark.skip(reason=reason))
        return (yield from self._phase(item, "setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, T, T]:
        __tracebackhide__ = True
        return (yield from self._phase(item, "call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, T, T]:
        __tracebackhide__ = True
        return (yield from self._phase(item, "teardown"))

    def _phase(self, item: pytest.Item, when: str) -> Generator[None, T, T]:
        """Lets the phase fail with the conversation's failure: once, and whoever swallowed or wrapped it."""
        __tracebackhide__ = True
        run = item.stash.get(_run_key, None)
        if run is None:
            return (yield)
        raised: BaseException | None = None
        result: T | None = None
        try:
            result = yield
        except (KeyboardInterrupt, Exit):
            raise
        except BaseException as error:
            raised = error
        if run.conversation is not None and (when == "call" or (when == "setup" and raised is not None)):
            raised = self._judged(item, run, when, raised)
        failure = run.failure
        if failure is None and when != "setup" and run.conversation is not None and self._fault_of(item) is None:
            failure = run.broken = run.conversation.broken_answers()
        if failure is not None and not run.reported:
            run.reported.add(when)
            raise failures.beside(failure, [raised] if raised is not None else [])
        if raised is not None and run.reported:
            # The conversation raises its failure again for each later request; that is no news.
            raised = failures.without(raised, self._is_again)
        if raised is not None:
            raise raised
        return cast("T", result)

    def _judged(self, item: pytest.Item, run: Run, when: str, raised: BaseException | None) -> BaseException | None:
        """What a phase ended with, less what the client may do about a fault; a bad verdict is the run's failure."""
        conversation = run.conversation
        if conversation is None or conversation.run is None:
            return raised
        from convo_replay.pytest_session import judged

        ended = judged.ended_with(item, raised)
        verdict = run.verdict = judged.verdict_of(item, conversation, raised)
        if verdict is None:
            return raised
        if not verdict.good:
            run.broken = judged.failure(item, verdict, conversation, self._fault_of(item))
            return ended
        if when == "call":
            # What is known to fail has failed with the fault's exception.
            return raised if item.get_closest_marker("xfail") else None
        what = f"{verdict.outcome} in a fixture's set-up: {type(ended).__name__}"
        return pytest.skip.Exception(what, _use_item_location=True)

    def _is_again(self, error: BaseException) -> bool:
        return isinstance(error, ConvoFailure) and error not in self.wide.failures

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        run = item.stash.get(_run_key, None)
        if run is not None and (report.when == "call" or (report.when == "setup" and report.skipped)):
            run.failed = report.failed
        if report.failed:
            raised = call.excinfo.value if call.excinfo else None
            failure = failures.find(raised)
            if failure is not None and failure is not raised and raised is not None:
                failure = failures.beside(failure, [raised])  # hypothesis's group
            if failure is None and run is not None and run.failure is not None and report.when in run.reported:
                failure = failures.beside(run.failure, [raised] if raised is not None else [])  # unittest's own
            if run is not None and run.missed:
                failure = getattr(failures.origin(raised), "miss", failure)
            if failure is not None:
                report.longrepr = failures.longrepr(failure, item)
            elif run is not None and run.missed:
                report.sections.append(("convo", str(run.missed[0])))
        if run is not None and (report.when == "call" or (report.when == "setup" and not report.passed)):
            self._tell(item, run, report)
        return report

    def _tell(self, item: pytest.Item, run: Run, report: pytest.TestReport) -> None:
        """Notes what became of a run: for the fault runs of the same test, and for the matrix."""
        fault = self._fault_of(item)
        if fault is None and report.failed:
            self._failed.add(settings.owner_of(item))
        if fault is None and run.verdict is None:
            return
        from convo_replay import pytest_matrix
        from convo_replay.pytest_session import judged

        pytest_matrix.of(self.config)
        report.convo_fault = judged.told(item, report, run.verdict, fault)  # type: ignore[attr-defined]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        worker_output = getattr(self.config, "workeroutput", None)
        if worker_output is not None:
            worker_output["convo_sums"] = self.tally.sums()

    def pytest_unconfigure(self) -> None:
        self._look_away()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write_summary(terminalreporter, [self.tally.sums()])

    # -- fixtures of a wider scope ------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> Generator[None, T, T]:
        __tracebackhide__ = True
        if self.wide.covers(fixturedef, request):
            return (yield from self.wide.setup(fixturedef, request))
        if not (is_convo(request._pyfuncitem) or is_adopted(request._pyfuncitem)):
            return (yield)
        before = len(fixturedef._finalizers)
        try:
            return (yield)
        finally:
            fixturedef.addfinalizer(lambda: failures.raise_one(failures.finalize(fixturedef, before)))


@contextlib.contextmanager
def said_by_pytest() -> Iterator[None]:
    """Errors of a cassette as failures of pytest's, by their text: no frame of ours helps to mend a file."""
    __tracebackhide__ = True
    try:
        yield
    except (CassetteError, LeakFound) as error:
        raise pytest.fail.Exception(f"{type(error).__name__}: {error}", pytrace=False) from error
