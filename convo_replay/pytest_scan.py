"""`--convo-scan`: every cassette of the project is searched for secrets, once, when the run is over.

All of them, not those of the tests that ran: what is committed is in no test's hands. Where tests are
distributed the workers tell which cassettes theirs are and what is secret, and the controller searches. Imported when
asked for.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.pathlib import fnmatch_ex

from convo_replay.errors import CassetteError, shown_path

if TYPE_CHECKING:
    from convo_replay.redaction.classes import Policy
    from convo_replay.redaction.detect import Secret
    from convo_replay.scanning import Hit

NAME = "convo_replay_scan"
FOLDER = "cassettes"
_SHOWN = 3
"""Places of one class in one file that are listed without `-v`."""
_NAMED = 8
"""Files that a command names; of more it names the folders."""
_SAID = "secret"
"""The class of what `secrets=` names."""
_NO_SOURCES = ("node_modules", "site-packages", "__pycache__")

Held = Mapping[str, Mapping[str, "Policy"]]
"""Cassette → what its test overrides in the table of classes."""


class Asked:
    """What the tests of one process say of their cassettes; in a worker of xdist, for the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.folders: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.folders = {str(item.path.parent / FOLDER) for item in session.items}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            held = self.held(session.items if session.testscollected else ())
            output["convo_cassettes"] = {path: dict(redact) for path, redact in held.items()}
            output["convo_folders"] = sorted(self.folders)
            output["convo_secrets"] = _sent(self.secrets())

    def secrets(self) -> Iterable[Secret]:
        """What the tests that ran said is secret."""
        from convo_replay.pytest_hooks import running_if_any

        session = running_if_any(self.config)
        return () if session is None else session.secrets.values()

    def held(self, items: Iterable[pytest.Item]) -> Held:
        """The cassettes of the tests that were collected, and of those that ran with what held for them."""
        from convo_replay.pytest_hooks import is_convo, running_if_any
        from convo_replay.pytest_session import settings

        found: dict[str, Mapping[str, Policy]] = {}
        for item in filter(is_convo, items):
            marker = settings.marker_settings(item)
            told = settings.effective(self.config, {}, marker)
            found[str(settings.cassette_of(item, marker))] = told.redact
        session = running_if_any(self.config)
        return found if session is None else {**found, **session.cassettes}


class Scan:
    """Searches when the run is over, and says what it found; where tests are distributed, in the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.asked = Asked(config)
        self._held: dict[str, Mapping[str, Policy]] = {}
        self._folders: set[str] = set()
        self._secrets: list[Secret] = []
        self._unasked: set[str] = set()
        """Functions of `secrets=` that only workers know."""
        self._searched = 0
        self._hits: dict[Path, list[Hit]] = {}
        self._kept: dict[Path, tuple[str, ...]] = {}
        """Classes that may stay, of each file in which something was found."""
        self._unread: list[str] = []
        self._over = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.asked.pytest_collection_finish(session)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})
        self._held.update(output.get("convo_cassettes", {}))
        self._folders.update(output.get("convo_folders", ()))
        secrets, functions = _received(output.get("convo_secrets", ""))
        self._secrets += [secret for secret in secrets if secret not in self._secrets]
        self._unasked.update(functions)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        ended = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.TESTS_FAILED)
        if self.config.option.collectonly or session.exitstatus not in ended:
            return
        self._held.update(self.asked.held(getattr(session, "items", ())))
        self._folders.update(self.asked.folders)
        self._secrets += self.asked.secrets()
        self._search()
        if self._failed and session.exitstatus != pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _failed(self) -> bool:
        return bool(self._hits or self._unread)

    def _search(self) -> None:
        from convo_replay import converting, scanning

        said = self.config.getini("convo_redact")
        if said:
            from convo_replay.redaction.overriding import parsed

            said = parsed(said)
        held = {os.path.realpath(path): redact for path, redact in self._held.items()}
        for file, named in scanning.files(self._paths()):
            try:
                redact = held.get(os.path.realpath(file), said or {})
                scanned = scanning.scan(file, redact=redact, secrets=self._secrets)
            except CassetteError as error:
                if named or converting.is_expected(file, error):
                    self._unread.append(str(error))
                continue
            self._searched += not scanned.skipped
            if scanned.failing:
                self._hits[file] = scanned.failing
                self._kept[file] = tuple(sorted(cls for cls, policy in redact.items() if policy == "keep"))
        self._over = True

    def _paths(self) -> list[Path]:
        """Folders of cassettes, and cassettes that lie elsewhere; each is there, and none in another."""
        said = self.config.getini("convo_cassette_dir")
        root = self.config.rootpath
        folders = {*self._folders, *map(str, _folders(root, list(self.config.getini("norecursedirs"))))}
        if said:
            folders.add(os.path.normpath((self.config.inipath.parent if self.config.inipath else root) / str(said)))
        paths = {*folders, *self._held}
        outer = [path for path in paths if not any(str(parent) in folders for parent in Path(path).parents)]
        return sorted(path for path in map(Path, outer) if path.exists())

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._over:
            return
        terminal = terminalreporter
        terminal.section("convo scan")
        everything = terminal.verbosity > 0
        for file, hits in self._hits.items():
            terminal.write_line(shown_path(str(file)), bold=True)
            for line in _lines(hits, everything=everything):
                terminal.write_line(f"  {line}")
        for reason in self._unread:
            terminal.write_line(f"not searched: {reason}", red=True)
        terminal.write_line(self._summary(), red=self._failed, green=not self._failed)
        for line in _commands(self._hits, self._kept):
            terminal.write_line(line)

    def _summary(self) -> str:
        searched = f"{self._searched} cassette{'s' if self._searched != 1 else ''} searched"
        if self._unasked:
            count = len(self._unasked)
            functions = f"the function{'s' if count > 1 else ''} of secrets= ({count})"
            searched += f" without {functions}, which cannot be sent from the workers (-n 0 asks them)"
        if not self._hits:
            return f"{searched}, nothing found"
        counts: dict[str, int] = {}
        for hit in (hit for hits in self._hits.values() for hit in hits):
            counts[hit.cls] = counts.get(hit.cls, 0) + 1
        told = ", ".join(
            f"{cls} {count}" for cls, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        return f"{searched}; found in {len(self._hits)}: {told}"


def _sent(secrets: Iterable[Secret]) -> str:
    """What a worker tells of `secrets=`; of functions, which cannot travel, that they are there."""
    told: dict[str, list[Any]] = {"strings": [], "patterns": [], "functions": []}
    for secret in secrets:
        if isinstance(secret, str):
            told["strings"].append(secret)
        elif isinstance(secret, re.Pattern):
            told["patterns"].append([secret.pattern, int(secret.flags & ~re.DEBUG)])
        else:
            told["functions"].append(_where_from(secret))
    return json.dumps(told)


def _received(sent: str) -> tuple[list[Secret], list[str]]:
    """The strings and patterns of a worker, and which functions it has; none of one that died."""
    if not sent:
        return [], []
    told = json.loads(sent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is to be said of a pattern was said where it was compiled first
        return [*told["strings"], *(re.compile(*pattern) for pattern in told["patterns"])], told["functions"]


def _where_from(function: Any) -> str:
    """What tells a function from others in every worker; a `partial` or an object may hold what it looks for."""
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{type(function).__module__}.{type(function).__qualname__}"
    return f"{code.co_filename}:{code.co_firstlineno}:{code.co_qualname}"


def _lines(hits: Iterable[Hit], *, everything: bool) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for hit in hits:
        place = hit.path if hit.exchange is None else f"exchanges[{hit.exchange}].{hit.path}"
        places.setdefault(hit.cls, []).append(place or f"line {hit.line}")
    for cls, found in sorted(places.items()):
        shown = found if everything else found[:_SHOWN]
        yield from (f"{cls}: {place}" for place in shown)
        if len(found) > len(shown):
            yield f"{cls}: {len(found) - len(shown)} more (-v lists them)"


def _commands(hits: Mapping[Path, Iterable[Hit]], kept: Mapping[Path, tuple[str, ...]]) -> Iterator[str]:
    """What is to be done about it: for files that can be mended, with what may stay in them, and for the others."""
    mended: dict[tuple[str, ...], list[Path]] = {}
    for file, found in hits.items():
        if any(_can_mend(hit) for hit in found):
            mended.setdefault(kept.get(file, ()), []).append(file)
    for classes, files in mended.items():
        keep = "".join(f" --keep {cls}" for cls in classes)
        yield f"to fix: convo-replay scan --fix{keep} {_named(files)}"
    left = [file for file, found in hits.items() if not all(map(_can_mend, found))]
    if left:
        yield f"to be fixed by hand, or recorded again: {_named(left)}"
    if any(hit.cls == _SAID for found in hits.values() for hit in found):
        yield "`scan` does not know what `secrets=` of a test names"
    if hits:
        yield "what may stay: convo_redact = CLASS=keep in the ini file (docs/redaction.md)"


def _can_mend(hit: Hit) -> bool:
    """Whether the command replaces it: it has no way to know what only the tests say is secret."""
    return hit.fixable and hit.cls != _SAID


def _named(files: Iterable[Path]) -> str:
    files = list(files)
    if len(files) > _NAMED:
        files = sorted({file.parent for file in files})
    if len(files) > _NAMED:
        files = [Path(os.path.commonpath(files))]
    return shlex.join(shown_path(str(file)) for file in files)


def _folders(root: Path, skipped: list[str]) -> Iterator[Path]:
    """Every folder named `cassettes` below `root`: where pytest would look for tests, and no installed packages."""
    for place, folders, files in os.walk(root):
        if "pyvenv.cfg" in files or "conda-meta" in folders:
            folders.clear()
            continue
        if FOLDER in folders:
            yield Path(place, FOLDER)
        folders[:] = [
            name
            for name in folders
            if name != FOLDER
            and name not in _NO_SOURCES
            and not any(fnmatch_ex(pattern, Path(place, name)) for pattern in skipped)
        ]
