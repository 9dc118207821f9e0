"""The fault runs of a test, as items that follow it (design.md §5). Imported when a fault is asked for.

What there is to break is known from the cassette alone, so a test's runs are made as soon as the test has been
collected: before anything selects, deselects, shuffles or distributes tests. A fault run is the test once more
under another id; it has its fixtures, parameters and markers, its owner and its cassette.
"""

from __future__ import annotations

import hashlib
import itertools
import shlex
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from _pytest import python
from _pytest.unittest import TestCaseFunction

from convo_replay import cassette, pytest_matrix, sources
from convo_replay.conversation import Conversation
from convo_replay.errors import CassetteError
from convo_replay.faults.expansion import NoFit, expand, own
from convo_replay.faults.specs import Plan, parse
from convo_replay.pytest_hooks import is_adopted, is_convo
from convo_replay.pytest_session import settings
from convo_replay.pytest_session.judged import RECORD_FIRST

if TYPE_CHECKING:
    from convo_replay.cassette import Cassette
    from convo_replay.config import Config
    from convo_replay.exchange import Exchange

_HELD_BYTES = 64 << 20
_CallSpec: Any = getattr(python, "CallSpec", None) or python.CallSpec2  # its name before pytest 9.1
_REASONS = 3  # of tests that a spec does not fit
REPLAYED = ("none", "once", "new_episodes")
"""The modes in which a recording is played, and so can be broken."""


@dataclass(frozen=True)
class FaultItem:
    """What one item that was added to a test is.

    Attributes:
        spec: what stands in the item's id.
        asked: the spec that it came from: `cut:eof@*` of `cut:eof@5`.
        by_option: whether `--convo-faults` asked for it, and the marker did not.
        plan: what to break; `None` where there is nothing to run.
        kind: `n/a`: the fault of the command line does not fit this test. `unrecorded`: there is nothing to break yet.
        reason: why the item is skipped.
        place: its place among all fault runs that this process has collected.
    """

    spec: str
    asked: str = ""
    by_option: bool = False
    plan: Plan | None = None
    kind: Literal["run", "n/a", "unrecorded"] = "run"
    reason: str = ""
    place: int = 0


fault_key = pytest.StashKey[FaultItem]()


@dataclass
class Fitting:
    """What has become of a spec of the command line, over the tests of a process."""

    fits: int = 0
    unknown: int = 0
    """Tests without a recording: whether it fits is not known."""
    reasons: list[str] = field(default_factory=list)


class Cassettes:
    """Cassettes that are read once for all fault runs, and again when the file has changed."""

    def __init__(self) -> None:
        self._read: OrderedDict[Path, tuple[bytes, int, Cassette]] = OrderedDict()

    def load(self, path: Path) -> Cassette:
        """As `cassette.load`; the same file gives the same object.

        Raises:
            CassetteError: as `cassette.load`.
        """
        try:
            data = path.read_bytes()
        except OSError:
            return cassette.load(path)  # which says what is wrong
        digest = hashlib.sha256(data).digest()
        known = self._read.pop(path, None)
        if known is None or known[0] != digest:
            known = (digest, len(data), cassette.load(path))
        self._read[path] = known
        while len(self._read) > 1 and sum(size for _, size, _ in self._read.values()) > _HELD_BYTES:
            self._read.popitem(last=False)
        return known[2]


class FaultRuns:
    """The fault runs of a session: from the markers, and from `--convo-faults`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.cassettes = Cassettes()
        self._places = itertools.count()
        self.asked: tuple[Plan, ...] = parse(list(config.getoption("--convo-faults") or ()))
        """The specs of the command line."""
        self.fitting = {str(plan): Fitting() for plan in self.asked}

    def expanded(self, nodes: Sequence[Any]) -> tuple[list[Any], list[str]]:
        """Collected nodes with the fault runs of each after it, and what is wrong with what was asked for.

        Args:
            nodes: what a collector found: items, collectors.
        """
        found: list[Any] = []
        problems: list[str] = []
        for node in nodes:
            found.append(node)
            if is_convo(node) and fault_key not in node.stash and _looked_at not in node.stash:
                try:
                    found += [_clone(node, replace(each, place=next(self._places))) for each in self._of(node)]
                except (ValueError, CassetteError) as error:
                    problems.append(f"{node.nodeid}: {error}")
        return found, problems

    def _of(self, item: pytest.Function) -> list[FaultItem]:
        marker = settings.marker_settings(item)
        item.stash[_looked_at] = True
        marked = _parsed(marker.get("faults"))
        told = {str(plan) for plan in marked}
        optional = [plan for plan in self.asked if str(plan) not in told]
        if not marked and not optional:
            return []
        config = settings.effective(self.config, {}, marker)
        path = settings.cassette_of(item, marker)
        if config.record not in REPLAYED:
            return self._unrecorded(unrecorded(item, path, config.record))
        exchanges = self._exchanges(path, config, settings.owner_of(item))
        if not exchanges:
            return self._unrecorded(unrecorded(item, path, ""))
        items: dict[str, FaultItem] = {}
        for plan in marked:
            try:
                found = expand([plan], exchanges)
            except NoFit as error:
                raise ValueError(f"@pytest.mark.convo: faults: {error}\nThe cassette is {path}") from None
            for run in found:
                items.setdefault(run.id, FaultItem(run.id, run.asked, plan=run.plan))
            if str(plan) in self.fitting:
                self.fitting[str(plan)].fits += 1
        for plan in optional:
            fitting = self.fitting[str(plan)]
            try:
                found = expand([plan], exchanges)
            except NoFit as error:
                fitting.reasons.append(f"{item.nodeid}: {error}")
                spec = str(plan)
                items.setdefault(spec, FaultItem(spec, spec, True, None, "n/a", str(error)))
                continue
            fitting.fits += 1
            for run in found:
                items.setdefault(run.id, FaultItem(run.id, run.asked, True, run.plan))
        return list(items.values())

    def _exchanges(self, path: Path, config: Config, owner: str) -> list[Exchange]:
        if not path.exists() and not sources.beside(path).exists():
            return []
        found = sources.read(path, (), None, self.cassettes.load)
        if found.foreign and found.saved:  # what was recorded anew takes the place of some
            return Conversation(path, config, owner=owner, load=self.cassettes.load).recorded_exchanges
        return own(found.exchanges, owner)

    def _unrecorded(self, reason: str) -> list[FaultItem]:
        for fitting in self.fitting.values():
            fitting.unknown += 1
        return [FaultItem("faults", kind="unrecorded", reason=reason)]

    def collected(self, items: Sequence[pytest.Item]) -> None:
        """All tests are known: what fits none of them is told to whoever writes the end of the run.

        Raises:
            pytest.UsageError: a test was marked so late that its faults were not looked at.
        """
        for item in items:
            if is_convo(item) and fault_key not in item.stash and _looked_at not in item.stash:
                faults = settings.marker_settings(item).get("faults")
                if faults:
                    raise pytest.UsageError(
                        f"{item.nodeid}: faults={faults!r} was marked in pytest_collection_modifyitems, when the fault "
                        "runs of a test have been made; mark the function, its class or its module"
                    )
        unfit = {
            spec: fitting.reasons[:_REASONS]
            for spec, fitting in self.fitting.items()
            if not fitting.fits and (fitting.reasons or not fitting.unknown)
        }
        notes = []
        adopted = sum(map(is_adopted, items)) if self.asked else 0
        if adopted:
            count = f"{adopted} test{'s' if adopted > 1 else ''}"
            notes.append(
                f"--convo-faults: no fault runs of {count} marked vcr: mark them convo, their cassettes will do"
            )
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output.update(convo_unfit=unfit, convo_fault_notes=notes)
        matrix = pytest_matrix.of(self.config)
        if matrix is not None:
            matrix.know(unfit, notes)


_looked_at = pytest.StashKey[bool]()


def unrecorded(item: pytest.Item, path: Path, mode: str) -> str:
    """Why a test has no fault runs yet, and the command that changes it.

    Args:
        mode: the mode that plays no recording; empty where there is none to play.
    """
    if mode in ("rewrite", "all"):
        return f"{RECORD_FIRST}: mode {mode!r} plays no recording; when it is done, run without that mode"
    what = f"mode {mode!r} plays no recording" if mode else f"there is none of this test in {path}"
    return f"{RECORD_FIRST}: {what}; pytest {shlex.quote(settings.owner_of(item))} --convo-record=once"


def _parsed(faults: Any) -> tuple[Plan, ...]:
    if not faults:
        return ()
    try:
        return parse(faults)
    except (ValueError, TypeError) as error:
        raise ValueError(f"@pytest.mark.convo: faults: {error}") from None


def _clone(item: pytest.Function, fault: FaultItem) -> pytest.Function:
    """The item once more, under an id with the fault as its last parameter."""
    callspec = getattr(item, "callspec", None) or _CallSpec()
    callspec = replace(callspec, _idlist=[*callspec._idlist, fault.spec])
    made = type(item).from_parent(
        item.parent,
        name=f"{item.originalname}[{callspec.id}]",
        callspec=callspec,
        callobj=item.obj,
        keywords={name: item.keywords[name] for name in item.keywords if name != item.name},
        fixtureinfo=item._fixtureinfo,
        originalname=item.originalname,
    )
    made.own_markers[:] = item.own_markers  # those that plugins added, too
    made.extra_keyword_matches.update(item.extra_keyword_matches)
    if item.cls is not None:  # an instance of the class for each run
        made.__dict__.pop("_obj", None)
        made.__dict__.pop("_instance", None)
    if isinstance(item, TestCaseFunction):  # which would look for a method of the item's name
        made.__dict__["_getinstance"] = lambda: item.cls(item.originalname)
    made.stash[fault_key] = fault
    made.stash[settings.plain_name_key] = item.name
    return made
