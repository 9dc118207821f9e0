"""What of a recording is kept, and where it goes when it is saved (design.md §4.5).

Nothing is lost: a failed run leaves the previous cassette whole, a file that another process wrote
meanwhile is read again under a lock and merged into, and a recording is thrown away only when the
gate refuses it.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from convo_replay.cassette import Cassette, UnknownKeys, Written, dump, load, loads, rescue, update
from convo_replay.config import RecordMode
from convo_replay.errors import CassetteError, LeakFound, shown_path
from convo_replay.exchange import Chunk, Exchange
from convo_replay.matching import Fingerprints
from convo_replay.player import is_failure
from convo_replay.redaction import Redactor, leaks, leaks_in_text
from convo_replay.turns import failed, turns

ERROR_STATUSES = frozenset({401, 403, 429})
"""With 5xx, the attempts that `keep=["errors"]` keeps."""

CLIENTS = ("anthropic", "openai", "httpx", "httpx2")


def refuse_in_git(path: Path) -> None:
    """Raises `CassetteError` where a cassette that is not sanitized would lie in a git work tree."""
    # Where it lies by its name, and where it is written: a folder may be a link into a work tree.
    folders = {Path(os.path.normpath(path.absolute())).parent, path.resolve().parent}
    for parent in sorted({parent for folder in folders for parent in (folder, *folder.parents)}, reverse=True):
        if (parent / ".git").exists():
            raise CassetteError(
                path,
                f"sanitize='off' is refused inside a git work tree ({parent}): the file would hold keys and could be "
                "committed. Use a path outside of it, or sanitize='on'.",
            )


def kept(recorded: Sequence[Exchange], *, keep: Sequence[str]) -> list[Exchange]:
    """The exchanges without the attempts that a later attempt of their turn made good."""
    dropped: set[int] = set()
    for turn in turns(recorded):
        if failed(turn):
            continue  # no attempt made the others good, and a client that replays will retry as it did
        for attempt in turn.attempts[:-1]:
            status = attempt.status
            redirect = status is not None and 300 <= status < 400
            error = status is not None and (status in ERROR_STATUSES or status >= 500)
            if not redirect and not (error and "errors" in keep):
                dropped.add(id(attempt))
    return [exchange for exchange in recorded if id(exchange) not in dropped]


def through(recorded: Iterable[Exchange], before_record: Sequence[Callable[[Exchange], Any]]) -> list[Exchange]:
    """The exchanges after the user's callables; one that returns `None` drops the exchange."""
    return [changed for exchange in recorded if (changed := _through(exchange, before_record)) is not None]


def spoiled(path: Path, recorded: Sequence[Exchange], redactor: Redactor | None, error: Exception) -> Exception:
    """What to raise where a user's `before_record` raised: the recording is kept aside, if it is safe."""
    reason = f"before_record: {error!r}"
    if redactor is not None:
        reason = redactor.text(reason)
        places = leaks(recorded, redactor)
        if places:
            return LeakFound(redactor.label(str(path)), places)
    return rescue(path, Cassette(clients=client_versions(), exchanges=list(recorded)), reason)


def _through(exchange: Exchange, before_record: Sequence[Callable[[Exchange], Any]]) -> Exchange | None:
    for call in before_record:
        changed = call(exchange)
        if changed is None:
            return None
        if not isinstance(changed, Exchange):
            raise TypeError(f"before_record: {call!r} returned {type(changed).__name__}, expected Exchange or None")
        if changed is not exchange and (reason := _unreadable(changed)):
            raise ValueError(f"before_record: {call!r} returned an exchange that could not be read again: {reason}")
        exchange = changed
    return exchange


def _unreadable(exchange: Exchange) -> str:
    """Why a cassette with this exchange could not be loaded; its bodies, which can be anything, are not looked at."""
    bare = replace(
        exchange,
        request=replace(exchange.request, body=None),
        steps=tuple([step for step in exchange.steps if not isinstance(step, Chunk)]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownKeys)
        try:
            [back] = loads(dump(Cassette(exchanges=[bare])).text, "").exchanges
        except CassetteError as error:
            return error.reason.partition(";")[0].removeprefix("exchanges[0].")
        except (AttributeError, TypeError, ValueError) as error:
            return str(error)
    return "" if back.status == exchange.status else f"status: expected 100 to 999, got {exchange.status!r}"


def save(
    path: Path,
    recorded: Sequence[Exchange],
    *,
    owner: str,
    mode: RecordMode,
    failed: bool,
    known: Sequence[Exchange],
    redactor: Redactor | None,
    resendable: bool,
    fingerprints: Fingerprints,
) -> str:
    """Merges what one conversation recorded into its cassette; returns a note for the user, or nothing.

    Args:
        known: the cassette's exchanges when the conversation began.
        redactor: gates the save; `None` where sanitizing is off.

    Raises:
        CassetteError, LeakFound: see `Conversation.close`.
    """
    had_own = any(exchange.test == owner and exchange.outcome != "failed" for exchange in known)
    if not recorded and not (mode == "rewrite" and had_own and not failed):
        return ""
    # Milliseconds told calls apart that ran at once; in the file they would only make diffs longer.
    recorded = [replace(exchange, recorded=f"{exchange.recorded[:19]}Z") for exchange in recorded]
    if failed:
        recorded = [replace(exchange, outcome="failed") for exchange in recorded]
    aside = failed and had_own
    target = path.with_name(f"{path.stem}.new{path.suffix}") if aside else path

    mended = 0

    def change(previous: Cassette | None, redact: Redactor | None = None) -> Cassette:
        nonlocal mended
        before = previous or Cassette(clients={}, exchanges=[])
        theirs = before.exchanges
        if redact is not None:
            theirs = [redact.exchange(exchange) for exchange in theirs]
            mended = sum(a is not b and a != b for a, b in zip(theirs, before.exchanges, strict=True))
        if aside:
            theirs = [exchange for exchange in theirs if exchange.test != owner]
            mine = merged(
                [exchange for exchange in known if exchange.test == owner], recorded, owner, mode, (), fingerprints
            )
            exchanges = [*theirs, *mine]
        else:
            exchanges = merged(theirs, recorded, owner, mode, known, fingerprints)
        return replace(
            before,
            clients={**before.clients, **client_versions()},
            resendable=before.resendable and resendable and (redact is None or redact.resendable),
            exchanges=exchanges,
        )

    def check(written: Written, cassette: Cassette) -> None:
        if redactor is not None:
            mine = [exchange for exchange in cassette.exchanges if exchange.test == owner]
            gate(target, written, mine, redactor)

    try:
        update(target, change, check)
    except LeakFound:
        # Recorded before a setting named it, perhaps; what was recorded just now is not thrown away for that.
        update(target, functools.partial(change, redact=redactor), check)
    told = f"{shown_path(str(target))}: {mended} exchange(s) recorded earlier held what is redacted by now: redacted"
    if not failed:
        return told if mended else ""
    shown = shown_path(str(target))
    if aside:
        return f"{shown_path(str(path))}: the test failed; its recording is kept beside it: convo-replay accept {shown}"
    return f"{shown}: recorded by a test that failed; --convo-record=once records it again"


def gate(path: Path, written: Written, exchanges: Sequence[Exchange], redactor: Redactor) -> None:
    """Searches what is about to be written once more: the exchanges, the text, the blobs.

    Raises:
        LeakFound: something would have reached the file.
    """
    places = [*leaks(exchanges, redactor), *leaks_in_text(written.text, redactor)]
    for name, data in written.blobs.items():
        places += [(cls, name) for cls, _ in leaks_in_text(data, redactor)]
    if places:
        raise LeakFound(redactor.label(str(path)), places)


def merged(
    theirs: Sequence[Exchange],
    recorded: Sequence[Exchange],
    owner: str,
    mode: RecordMode,
    known: Sequence[Exchange],
    fingerprints: Fingerprints,
) -> list[Exchange]:
    """The exchanges of a file after a conversation of `owner` recorded `recorded` in `mode`.

    What is replaced gives its place to what replaces it, so that a diff shows the change alone.
    """
    if mode in ("rewrite", "once"):
        gone = {index for index, exchange in enumerate(theirs) if exchange.test == owner and not exchange.after}
    elif mode == "all":
        new = {fingerprints.of(exchange.request).loose for exchange in recorded}
        gone = {
            index
            for index, exchange in enumerate(theirs)
            if exchange.test == owner and not exchange.after and fingerprints.of(exchange.request).loose in new
        }
    else:  # new_episodes: only what another run of the same test has added meanwhile
        at_start = sum(exchange.test == owner for exchange in known)
        own = [index for index, exchange in enumerate(theirs) if exchange.test == owner]
        new_after = {(exchange.after, fingerprints.of(exchange.request).loose) for exchange in recorded}
        gone = {
            index
            for index in own[at_start:]
            if (theirs[index].after, fingerprints.of(theirs[index].request).loose) in new_after
        }
        gone |= {index for index in own if is_failure(theirs[index])}
    if not gone:
        last_own = max(
            (index for index, exchange in enumerate(theirs) if exchange.test == owner), default=len(theirs) - 1
        )
        return [*theirs[: last_own + 1], *recorded, *theirs[last_own + 1 :]]
    first = min(gone)
    before = [exchange for index, exchange in enumerate(theirs[:first]) if index not in gone]
    after = [exchange for index, exchange in enumerate(theirs[first:], first) if index not in gone]
    return [*before, *recorded, *after]


def accept(path: Path) -> tuple[Path, int]:
    """Takes a kept `NAME.new.yaml` as the cassette: its tests' exchanges replace theirs, other tests' stay.

    Args:
        path: the kept file or the cassette.

    Returns:
        the cassette, and how many exchanges it took.

    Raises:
        CassetteError: one of the two cannot be read or written; nothing is changed then.
    """
    kept_path = path if path.stem.endswith(".new") else path.with_name(f"{path.stem}.new{path.suffix}")
    target = kept_path.with_name(kept_path.stem.removesuffix(".new") + kept_path.suffix)
    taken = load(kept_path)
    owners = {exchange.test for exchange in taken.exchanges}
    fresh = [replace(exchange, outcome="") for exchange in taken.exchanges]

    def change(previous: Cassette | None) -> Cassette:
        before = previous or Cassette(clients={}, exchanges=[])
        others = [exchange for exchange in before.exchanges if exchange.test not in owners]
        return replace(
            before,
            clients={**before.clients, **taken.clients},
            resendable=before.resendable and taken.resendable,
            exchanges=[*others, *fresh],
        )

    update(target, change)
    kept_path.unlink()
    return target, len(fresh)


def client_versions() -> dict[str, str]:
    """The versions of the clients that are imported, for the cassette's head."""
    versions: dict[str, str] = {}
    for name in CLIENTS:
        if name not in sys.modules:
            continue
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
