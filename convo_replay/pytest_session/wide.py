"""Fixtures of class, module, package or session scope that talk to the API.

Such a fixture is set up by whichever test comes first: another one in random order, in another xdist
worker, or when a test runs alone. So its traffic belongs to no test. Its set-up and tear-down run in
a conversation of its own, which is read from a cassette beside the file that defines the fixture
(`cassettes/<file>/<fixture>[<param>].yaml`), and only if the fixture makes a request at all. Several
instances (a class fixture used by two classes) share the file and own their exchanges each.

Markers speak for tests, so they do not reach it: it is told by the command line, by ini, and by a
`convo_config` that is at least as wide as the fixture and visible where the fixture is defined.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from _pytest.compat import NOTSET
from _pytest.fixtures import SubRequest
from _pytest.outcomes import Exit

from convo_replay.errors import ConvoFailure
from convo_replay.pytest_hooks import is_convo
from convo_replay.pytest_session import failures, settings

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.pytest_session import PytestSession

T = TypeVar("T")

SCOPES = ("function", "class", "module", "package", "session")
NO_TRAFFIC = ("_pytest", "anyio", "convo_replay", "pytest_asyncio", "pytest_recording", "xdist")
"""Whose own fixtures make no request; opening a conversation for each would only cost time."""
_XUNIT = re.compile(r"_(?:unittest|xunit)_(setUpClass|setup_module|setup_class)_fixture_")


class WideFixtures:
    """The conversations of a session's wide-scoped fixtures."""

    def __init__(self, session: PytestSession) -> None:
        self._session = session
        self.wanted: set[pytest.FixtureDef[Any]] = set()
        """The fixtures that some convo test requests, known since collection."""
        self.failures: set[ConvoFailure] = set()
        self._asks_config = False

    def covers(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> bool:
        """Whether a fixture that is being set up gets a conversation of its own."""
        if fixturedef.scope == "function" or not (fixturedef in self.wanted or is_convo(request._pyfuncitem)):
            return False
        if _XUNIT.match(fixturedef.argname):
            return True
        return str(getattr(fixturedef.func, "__module__", "")).partition(".")[0] not in NO_TRAFFIC and (
            fixturedef.argname != "convo_config"
        )

    def setup(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> Generator[None, T, T]:
        """Sets a fixture up inside its conversation, and has it torn down there."""
        __tracebackhide__ = True
        file, name = _home(fixturedef, request, self._session.config)
        owner = f"fixture:{name}"
        try:
            config = settings.effective(self._session.config, self._config_for(fixturedef, request))
        except ValueError as error:
            raise pytest.fail.Exception(f"{owner}: {error}", pytrace=False) from None
        path = settings.cassette_of_fixture(self._session.config, file, *_readable(fixturedef, request))
        rerecord = f"pytest {shlex.quote(settings.owner_of(request._pyfuncitem))} --convo-record=rewrite"
        conversation = self._session.conversation(path, config, owner, rerecord=rerecord)
        region = _Region(conversation)
        before = len(fixturedef._finalizers)
        passed = False

        def tear_down() -> None:
            __tracebackhide__ = True
            raised: list[BaseException] = []
            try:
                with region:
                    raised += failures.finalize(fixturedef, before)
                failure = conversation.failure
                if failure in self.failures:  # told when the fixture was set up
                    raised = [rest for error in raised if (rest := failures.without(error, failures.is_ours))]
                elif failure is not None:
                    self.failures.add(failure)
                    raised.append(failure)
            finally:
                try:
                    self._close(region, failed=not passed or conversation.failure is not None)
                except pytest.fail.Exception as error:
                    raised.append(error)
            failures.raise_one(raised)

        try:
            with region:
                value = yield
            if conversation.failure is not None:
                raise conversation.failure
            passed = True
            return value
        except BaseException as error:
            failure = conversation.failure
            if failure is not None and not isinstance(error, (KeyboardInterrupt, Exit)):
                # Every test that needs the fixture fails with it, although the fixture swallowed it, or
                # pytest does not know what it made of it.
                self.failures.add(failure)
                fixturedef.cached_result = (None, fixturedef.cache_key(request), (failure, failure.__traceback__))
                if failure is not error:
                    raise failures.beside(failure, [error]) from None
            elif fixturedef.cached_result is None:  # interrupted: pytest runs no finalizer of this fixture
                self._close(region, failed=True)
            raise
        finally:
            fixturedef.addfinalizer(tear_down)

    def _close(self, region: _Region, *, failed: bool) -> None:
        from convo_replay.pytest_session import said_by_pytest

        if region.closed:
            return
        region.closed = True
        with said_by_pytest():
            self._session.close(region.conversation, region.run, failed=failed)

    def _config_for(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> Any:
        """What the nearest `convo_config` says that every test sees which may set this fixture up.

        Nothing, to the fixtures that `convo_config` is made of.
        """
        if self._asks_config or fixturedef.argname in _closure("convo_config", request):
            return {}
        self._asks_config = True
        try:
            return self._nearest_config(fixturedef, request)
        finally:
            self._asks_config = False

    def _nearest_config(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> Any:
        definitions = request._fixturemanager.getfixturedefs("convo_config", request._pyfuncitem) or []
        seen = [
            each
            for each in definitions
            if (each.baseid == "" or fixturedef.baseid == each.baseid or _inside(fixturedef.baseid, each.baseid))
            and SCOPES.index(each.scope) >= SCOPES.index(fixturedef.scope)
        ]
        if not seen:
            return {}
        if seen[-1] is definitions[-1]:
            return request.getfixturevalue("convo_config")
        scope = seen[-1]._scope
        return seen[-1].execute(SubRequest(request, scope, NOTSET, 0, seen[-1], _ispytest=True))


class _Region:
    """A conversation that is the current one only while its fixture's code runs, in a context of its own."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.closed = False
        self._context: Context = copy_context()
        self._active: AbstractContextManager[None]

    def run(self, function: Callable[[], None]) -> None:
        self._context.run(function)

    def __enter__(self) -> None:
        self._active = self.conversation.activate()
        self._context.run(self._active.__enter__)

    def __exit__(self, *error: object) -> None:
        # Not told of the exception: `activate` only ends, whatever ended it.
        self._context.run(self._active.__exit__, None, None, None)


def _closure(name: str, request: Any) -> set[str]:
    """The names of all fixtures that a fixture's arguments lead to, itself included."""
    names, todo = {name}, [name]
    while todo:
        for fixturedef in request._fixturemanager.getfixturedefs(todo.pop(), request._pyfuncitem) or ():
            todo += set(fixturedef.argnames) - names
            names.update(fixturedef.argnames)
    return names


def _inside(baseid: str, outer: str) -> bool:
    return baseid.startswith((f"{outer}/", f"{outer}::"))


def _home(fixturedef: pytest.FixtureDef[Any], request: Any, config: pytest.Config) -> tuple[Path, str]:
    """The file that a fixture belongs to, and the name of this instance of it.

    A fixture that a test module or class has is named by it, wherever its code stands: it is imported
    or inherited, and each of them has its own.
    """
    module = fixturedef.baseid.partition("::")[0]
    if module.endswith(".py"):
        file = config.rootpath / module
        name = fixturedef.baseid
    else:
        file = _defining_file(fixturedef.func, config.rootpath / module / "conftest.py")
        if file.is_relative_to(config.rootpath) and not failures.is_installed(str(file)):
            name = file.relative_to(config.rootpath).as_posix()
        else:  # an installed plugin's
            name = str(getattr(fixturedef.func, "__module__", file.stem))
            file = config.rootpath / f"{name.rpartition('.')[2]}.py"
    argname, param = _readable(fixturedef, request)
    name = f"{name}::{argname}" + ("" if param is None else f"[{param}]")
    where = request.node.nodeid
    if where not in ("", ".", fixturedef.baseid):
        name += f" for {where}"
    return file, name


def _defining_file(function: Any, default: Path) -> Path:
    try:
        return Path(inspect.getfile(inspect.unwrap(function)))
    except TypeError:  # a callable object, or built in
        return default


def _readable(fixturedef: pytest.FixtureDef[Any], request: Any) -> tuple[str, str | None]:
    """The fixture's name, and what parameters it is made with as pytest would show them: its own, and those of the
    fixtures that it stands on. Each instance has exchanges of its own.
    """
    xunit = _XUNIT.match(fixturedef.argname)
    name = xunit[1] if xunit else fixturedef.argname
    shown = []
    if hasattr(request, "param"):
        shown.append(_shown_param(name, fixturedef, request.param, request.param_index))
    callspec = getattr(request._pyfuncitem, "callspec", None)
    if callspec is not None:
        for below, definition in _standing_on(fixturedef, request._pyfuncitem):
            if below in callspec.params:
                shown.append(_shown_param(below, definition, callspec.params[below], callspec.indices[below]))
    return name, "-".join(shown) if shown else None


def _standing_on(
    fixturedef: pytest.FixtureDef[Any], item: pytest.Function
) -> list[tuple[str, pytest.FixtureDef[Any] | None]]:
    """The fixtures that a fixture asks for, directly or not, each once, in the order of asking."""
    definitions = item._fixtureinfo.name2fixturedefs
    found: dict[str, pytest.FixtureDef[Any] | None] = {}
    names = list(fixturedef.argnames)
    while names:
        name = names.pop(0)
        if name != fixturedef.argname and name not in found:
            known = definitions.get(name)
            found[name] = known[-1] if known else None
            names += known[-1].argnames if known else ()
    return list(found.items())


def _shown_param(name: str, fixturedef: pytest.FixtureDef[Any] | None, param: Any, index: int) -> str:
    ids = fixturedef.ids if fixturedef is not None else None
    shown: Any = None
    if callable(ids):
        shown = ids(param)
    elif ids is not None and index < len(ids):
        shown = ids[index]
    if shown is None:
        shown = param if isinstance(param, (str, int, float, bool, type(None))) else f"{name}{index}"
    return str(shown)
