"""Cassettes on disk: loading one, and changing one so that no moment leaves it torn (design.md §4.5).

A save writes a hidden file beside the cassette, flushes it to the disk, and renames it over the old one:
whoever reads, and whoever is killed, finds the previous cassette or the new one. Writers take turns by a
lock that lives in the system's temporary folder, so nothing but cassettes lies beside cassettes. What was
paid for is not thrown away when a disk is full or a folder read-only: the text goes to a private folder,
and the error says where.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..errors import CassetteError
from . import plain_yaml, reading, vcrpy, writing, yaml_reader
from .model import Cassette, Written

LOCK_SECONDS = 120.0
# At the beginning of a line: indented, it may be a text that a foreign file quotes.
_OURS = re.compile(
    rb"""(?:^(?:\xef\xbb\xbf)?(?:---[ \r\n])?|\A(?:\xef\xbb\xbf)?\s*\{\s*)["']?convo_replay["']?\s*:""", re.MULTILINE
)
_MARKED = re.compile(rb'\s*convo_replay: *\d+ +# whole if its last line is "\.\.\."')


def load(path: str | os.PathLike[str]) -> Cassette:
    """The cassette in a file, ours or vcrpy's.

    Raises:
        CassetteError: it is missing, empty, cut off, no text, something else, of a future version, or
            beyond a limit. The file is left as it is.
    """
    file = Path(path)
    try:
        mode = file.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a pipe would be waited for; opening a folder says itself
            raise CassetteError(file, "no regular file but a pipe, a socket or a device, not read; name a cassette")
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size > yaml_reader.MAX_FILE:
                raise CassetteError(file, f"over {yaml_reader.MAX_FILE:,} bytes (256 MB)")
            data = opened.read(yaml_reader.MAX_FILE + 1)
    except FileNotFoundError:
        raise CassetteError(file, "there is no such file; record it with --convo-record=once") from None
    except OSError as error:
        raise CassetteError(file, f"cannot be read: {error.strerror or error}") from None
    return loads(data, file)


def is_ours(data: bytes) -> bool:
    """Whether a file says that it is a cassette of ours."""
    return b"convo_replay" in data and _OURS.search(data) is not None


def loads(
    data: bytes,
    path: str | os.PathLike[str],
    blobs: Mapping[str, bytes] | None = None,
    left: reading.Left | None = None,
) -> Cassette:
    """The cassette that a file's bytes are.

    Args:
        data: the bytes.
        path: its name in errors; blobs are read from the folder it is in.
        blobs: where given, blobs come from here instead, by name (`_blobs/<sha256>.<ext>`).
        left: where given, of a cassette of ours the value and the event streams are left in it.

    Raises:
        CassetteError: as `load`.
    """
    name = str(path)
    if not data.strip():
        raise CassetteError(name, "the file is empty")
    if not is_ours(data):
        return vcrpy.read(data, name)
    if _MARKED.match(data) and not re.search(rb"\n\.\.\.\s*\Z", data[-64:]):
        reason = 'cut off: its last line is not "..."; restore it, or record again'
        raise CassetteError(name, reason, data.count(b"\n") + 1)
    read_blob = reading.blobs_in(blobs) if blobs is not None else _blobs_beside(Path(path))
    with no_collection():
        written = plain_yaml.read(data)
        if written is not None:
            with contextlib.suppress(CassetteError):  # `yaml_reader` knows the line of what is wrong
                document = yaml_reader.Document(written, name, yaml_reader.room(len(data)))
                return _read(document, read_blob, data, left)
        return _read(yaml_reader.read(data, name), read_blob, data, left)


def _read(
    document: yaml_reader.Document, read_blob: reading.ReadBlob, data: bytes, left: reading.Left | None
) -> Cassette:
    if left is not None:
        left.value = document.value
        left.streams.clear()
    return reading.cassette_of(document, read_blob, has_dollars=b"$$" in data, left=left)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Many objects are made and none dies: collecting garbage meanwhile only walks them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _blobs_beside(path: Path) -> reading.ReadBlob:
    def read_blob(sha256: str, name: str) -> bytes:
        folder = Path(os.path.realpath(path)).parent
        file = folder / name
        if not file.exists():
            # Written by a version that knew another extension for the type.
            file = next(iter(sorted((folder / "_blobs").glob(f"{sha256}.*"))), file)
        if not stat.S_ISREG(file.stat().st_mode):
            raise OSError(22, "no regular file")
        with file.open("rb") as opened:
            return opened.read(yaml_reader.MAX_FILE)

    return read_blob


def update(
    path: str | os.PathLike[str],
    change: Callable[[Cassette | None], Cassette | None],
    gate: Callable[[Written, Cassette], None] | None = None,
) -> None:
    """Re-reads a cassette under its lock, changes it, and saves it whole.

    Args:
        path: the file; a symbolic link stays one, its target is replaced.
        change: gets what is on disk (`None` where there is no file), returns what should be (`None`:
            nothing is written).
        gate: called with what would be written; what it raises stops the save before a byte is on disk.

    Raises:
        CassetteError: the file on disk is no cassette, or cannot be replaced; it is then as it was, and
            the error names the private folder that holds what would have been saved.
    """
    file = Path(path)
    real = Path(os.path.realpath(file))
    with _locked(real):
        problem: CassetteError | None = None
        try:
            before = load(file) if os.path.lexists(real) else None
            if before is not None and before.format != "convo":
                reason = (
                    f"it is {before.format}'s, which is replayed as it is and never written; record to another file"
                )
                problem, before = CassetteError(file, reason), None
        except CassetteError as error:
            problem, before = error, None
        after = change(before)
        if after is None:
            if problem is not None:
                raise problem
            return
        try:
            written = writing.dump(after)
        except (ValueError, TypeError) as error:
            raise CassetteError(file, f"not saved: {error}") from error
        if gate is not None:
            gate(written, after)
        if problem is not None:
            raise _rescued(file, written, f"not overwritten ({problem.reason})") from problem
        if len(written.text) > yaml_reader.MAX_FILE:
            raise _rescued(file, written, "not saved: over 256 MB")
        try:
            _replace(real, written)
        except OSError as error:
            raise _rescued(file, written, f"not saved: {error.strerror or error}") from error


def create(path: str | os.PathLike[str], written: Written) -> None:
    """Writes a new file whole, with its blobs.

    Raises:
        CassetteError: there is a file already, or it cannot be written.
    """
    file = Path(path)
    real = Path(os.path.realpath(file))
    with _locked(real):
        if os.path.lexists(file):
            raise CassetteError(file, "there is a file of this name already, which is not overwritten")
        try:
            _replace(real, written)
        except OSError as error:
            raise CassetteError(file, f"not written: {error.strerror or error}") from error


def rewrite(path: str | os.PathLike[str], before: bytes, written: Written) -> None:
    """Puts another text in the place of a file's, whole, with its blobs.

    Args:
        path: the file; a symbolic link stays one, its target is replaced.
        before: what `written` was made of.

    Raises:
        CassetteError: another process has changed the file meanwhile, or it cannot be written. It is then as it was.
    """
    real = Path(os.path.realpath(path))
    with _locked(real):
        try:
            if real.read_bytes() != before:
                raise CassetteError(path, "not written: another process has changed it meanwhile; try again")
            _replace(real, written)
        except OSError as error:
            raise CassetteError(path, f"not written: {error.strerror or error}") from error


def _replace(real: Path, written: Written) -> None:
    real.parent.mkdir(parents=True, exist_ok=True)
    mode = None
    if real.exists():
        if not os.access(real, os.W_OK):
            raise PermissionError(13, "the file is read-only")
        mode = stat.S_IMODE(real.stat().st_mode)
    for name, data in written.blobs.items():
        blob = real.parent / name
        if not (blob.is_file() and blob.stat().st_size == len(data) and blob.read_bytes() == data):
            blob.parent.mkdir(exist_ok=True)
            _write_then_rename(blob, data, None)
    _write_then_rename(real, written.text, mode)


def _write_then_rename(target: Path, data: bytes, mode: int | None) -> None:
    part = _part_of(target)
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "wb", buffering=0) as opened:  # noqa: PTH123 -- a descriptor, not a path
            view = memoryview(data)
            while view:
                view = view[opened.write(view) :]
            os.fsync(opened.fileno())
        if mode is not None:
            part.chmod(mode)
        part.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _part_of(target: Path) -> Path:
    """The hidden name a save is written under: always the same, so killed runs leave one at most."""
    name = f".{target.name}.part"
    if len(name.encode("utf-8", "surrogateescape")) > 200:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}.part"
    return target.with_name(name)


def _sync_folder(folder: Path) -> None:
    # The rename has happened: a file system that cannot sync a folder is no reason to report a failed save.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rescued(path: Path, written: Written, reason: str) -> CassetteError:
    """Puts what could not be saved into a private folder; the error that says so."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="convo_replay-rescued-"))  # 0700
        for name, data in {path.name: written.text, **written.blobs}.items():
            file = folder / name
            file.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with open(descriptor, "wb") as opened:  # noqa: PTH123 -- a descriptor, not a path
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
    except OSError as error:
        lost = f"what was recorded is lost: the temporary folder takes no file either ({error.strerror})"
        return CassetteError(path, f"{reason}; {lost}")
    kept = f"what was recorded is in {folder / path.name}: move it here, or record again"
    return CassetteError(path, f"{reason}. The previous file is untouched; {kept}")


def rescue(path: str | os.PathLike[str], cassette: Cassette, reason: str) -> CassetteError:
    """Puts a recording that cannot be saved into a private folder; the error that says so.

    Raises:
        CassetteError: it cannot be written as a cassette at all.
    """
    try:
        written = writing.dump(cassette)
    except (ValueError, TypeError) as error:
        raise CassetteError(path, f"{reason}; not kept: {error}") from error
    return _rescued(Path(path), written, reason)


@contextlib.contextmanager
def _locked(real: Path) -> Iterator[None]:
    """Holds the lock of a cassette; between processes and between threads."""
    from filelock import FileLock, SoftFileLock, Timeout  # here, as replay needs none

    key = hashlib.sha256(os.fsencode(os.path.normcase(real))).hexdigest()[:32]
    try:
        file = _lock_folder() / f"{key}.lock"
    except OSError as error:
        raise CassetteError(real, f"cannot be locked: {error.strerror or error}") from None
    try:
        lock: FileLock | SoftFileLock = FileLock(file, timeout=LOCK_SECONDS)
        try:
            lock.acquire()
        except NotImplementedError:  # a file system without flock
            lock = SoftFileLock(f"{file}.soft", timeout=LOCK_SECONDS)
            lock.acquire()
    except Timeout:
        raise CassetteError(real, f"another process has held its lock for {LOCK_SECONDS:.0f} s ({file})") from None
    except OSError as error:
        raise CassetteError(real, f"cannot be locked: {error.strerror or error} ({file})") from None
    try:
        yield
    finally:
        lock.release()


def _lock_folder() -> Path:
    """A folder of this user's own: in a shared temporary folder nobody else can put files in the way."""
    user = getattr(os, "getuid", lambda: "user")()
    folder = Path(tempfile.gettempdir()) / f"convo_replay-locks-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise PermissionError(13, f"{folder} belongs to someone else")
    return folder
