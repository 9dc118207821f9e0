"""Whatever happens while a cassette is saved, what is on disk is the previous one or the new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from convo_replay.cassette import Cassette, Written, load, loads, update
from convo_replay.errors import CassetteError, LeakFound
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request


def _exchange(name: str, body: bytes = b'{"ok":true}', type: str = "application/json") -> Exchange:
    head = Head(200, (("content-type", type),))
    return Exchange(Request("POST", "http://h/", (), Json({"n": name})), (head, Chunk(0, body), End()), test=name)


def _append(name: str, **how: Any) -> Any:
    def change(cassette: Cassette | None) -> Cassette:
        before = cassette.exchanges if cassette else []
        return Cassette(exchanges=[*before, _exchange(name, **how)])

    return change


def _names(path: Path) -> list[str]:
    return [exchange.test for exchange in load(path).exchanges]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_nothing_but_the_cassette_lies_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "c.yaml"
    update(path, _append("a"))
    update(path, _append("b"))
    assert _names(path) == ["a", "b"]
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_written_without_a_change(tmp_path: Path) -> None:
    update(tmp_path / "c.yaml", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_writers_in_threads_and_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    code = f"import sys; sys.path[:0] = {[str(Path(__file__).parent)]!r}; import test_saving as t, pathlib\n"
    code += f"for n in range(4): t.update(pathlib.Path({str(path)!r}), t._append(f'{{sys.argv[1]}}-{{n}}'))"
    others = [subprocess.Popen([sys.executable, "-c", code, str(n)], env=_environment()) for n in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: update(path, _append(f"thread-{n}")), range(8)))
    assert [other.wait() for other in others] == [0, 0]
    assert sorted(_names(path)) == sorted(
        [f"{p}-{n}" for p in range(2) for n in range(4)] + [f"thread-{n}" for n in range(8)]
    )


def _environment() -> dict[str, str]:
    import convo_replay

    root = str(Path(convo_replay.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}


def test_the_gate_stops_everything(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "c.yaml"
    seen: list[Written] = []

    def gate(written: Written, cassette: Cassette) -> None:
        assert len(cassette.exchanges) == 1
        seen.append(written)
        raise LeakFound(path, [("anthropic-key", "exchanges[0].response")])

    with pytest.raises(LeakFound):
        update(path, _append("a", body=os.urandom(100_000), type="image/png"), gate)
    assert [len(data) for data in seen[0].blobs.values()] == [100_000]
    assert not path.exists()
    assert not (tmp_path / "_blobs").exists()
    assert not list(temporary.glob("*rescued*"))


def test_a_blob_is_written_first_and_read_back(tmp_path: Path) -> None:
    path, image = tmp_path / "c.yaml", os.urandom(70_000)
    update(path, _append("a", body=image, type="image/png"))
    [blob] = (tmp_path / "_blobs").iterdir()
    assert blob.suffix == ".png"
    assert load(path).exchanges[0].body == image
    assert len(path.read_bytes()) < 1000
    blob.write_bytes(image[:-1] + b"x")
    with pytest.raises(CassetteError, match="is not the file that was recorded"):
        load(path)
    blob.unlink()
    with pytest.raises(CassetteError, match=r"_blobs/\w+\.png beside the cassette cannot be read"):
        load(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no device of that kind")
def test_a_blob_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    update(path, _append("a", body=os.urandom(70_000), type="image/png"))
    [blob] = (tmp_path / "_blobs").iterdir()
    blob.unlink()
    blob.symlink_to(os.devnull)
    with pytest.raises(CassetteError, match=r"cannot be read \(no regular file\); restore it"):
        load(path)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "c.yaml"
    try:
        link.symlink_to(tmp_path / "real" / "c.yaml")
    except OSError:
        pytest.skip("no symbolic links here")
    update(link, _append("a"))
    update(tmp_path / "real" / "c.yaml", _append("b"))
    assert link.is_symlink()
    assert _names(link) == ["a", "b"]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no permission bits")
def test_permission_bits_stay(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    update(path, _append("a"))
    path.chmod(0o640)
    update(path, _append("b"))
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\1\2",
        b"hello: world\n",
        b"convo_replay: 2\nexchanges: []\n",
        b"convo_replay: 1\n",
        b"interactions: []\nversion: 1\n",
    ],
)
def test_what_is_no_cassette_is_never_overwritten(tmp_path: Path, temporary: Path, content: bytes) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(CassetteError, match="not overwritten"):
        update(path, _append("a"))
    assert path.read_bytes() == content
    [rescued] = temporary.glob("*rescued*/c.yaml")
    assert _names(rescued) == ["a"]


FAILING = ["open", "fsync", "replace", "mkdir"]


@pytest.mark.parametrize("call", FAILING)
def test_what_cannot_be_saved_is_rescued(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    folder = tmp_path / "cassettes"
    path = folder / "c.yaml"
    if call != "mkdir":
        update(path, _append("a"))
    before = path.read_bytes() if path.exists() else None
    _fail_under(monkeypatch, folder, call)
    image = os.urandom(66_000)
    with pytest.raises(CassetteError, match="No space left on device") as caught:
        update(path, _append("b", body=image, type="image/png"))
    monkeypatch.undo()
    [rescued] = temporary.glob("*rescued*/c.yaml")
    assert str(rescued) in str(caught.value)
    assert load(rescued).exchanges[-1].body == image
    if os.name != "nt":
        assert rescued.stat().st_mode & 0o777 == 0o600
        assert rescued.parent.stat().st_mode & 0o777 == 0o700
    assert (path.read_bytes() if path.exists() else None) == before
    assert not list(folder.rglob("*.part")) if folder.exists() else True


def _fail_under(monkeypatch: pytest.MonkeyPatch, folder: Path, call: str) -> None:
    """A full disk, seen first by one kind of call on files of this folder."""
    real_open, real_fsync, real_replace, real_mkdir = os.open, os.fsync, os.replace, os.mkdir
    ours: set[int] = set()
    full = OSError(28, "No space left on device")

    def open(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        inside = str(path).startswith(str(folder))
        if call == "open" and inside and flags & os.O_CREAT:
            raise full
        descriptor = real_open(path, flags, *rest, **options)
        ours.discard(descriptor)
        if inside and flags & os.O_CREAT:
            ours.add(descriptor)
        return descriptor

    def fsync(descriptor: int) -> None:
        if call == "fsync" and descriptor in ours:
            raise full
        real_fsync(descriptor)

    def replace(source: Any, target: Any, **options: Any) -> None:
        if call == "replace" and str(target).startswith(str(folder)):
            raise full
        real_replace(source, target, **options)

    def mkdir(path: Any, *rest: Any, **options: Any) -> None:
        if call == "mkdir" and str(path).startswith(str(folder)):
            raise full
        real_mkdir(path, *rest, **options)

    for name, function in (("open", open), ("fsync", fsync), ("replace", replace), ("mkdir", mkdir)):
        monkeypatch.setattr(os, name, function)


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def open(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if Path(path) == tmp_path:
            raise OSError(22, "Invalid argument")
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", open)
    update(tmp_path / "c.yaml", _append("a"))
    assert _names(tmp_path / "c.yaml") == ["a"]


KILLED = """
    import json, os, pathlib, signal, sys
    sys.path[:0] = [{here!r}]
    import test_saving as t

    path = pathlib.Path(sys.argv[1])
    count = last = 0

    def counted(function):
        def call(*args, **options):
            global count
            result = function(*args, **options)
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return call

    while True:
        last += 1
        path.unlink(missing_ok=True)
        t.update(path, t._append("old"))
        child = os.fork()
        if not child:
            for name in ("open", "fsync", "replace", "unlink", "chmod", "mkdir", "close"):
                setattr(os, name, counted(getattr(os, name)))
            t.update(path, t._append("new", body=bytes(range(256)) * 300, type="image/png"))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        parts = [str(part) for part in path.parent.rglob(".*.part")]
        print(json.dumps([t._names(path), status, parts]), flush=True)
        if status == 0:
            break
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_killed_after_any_call(tmp_path: Path) -> None:
    code = textwrap.dedent(KILLED).format(here=str(Path(__file__).parent))
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c.yaml")],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    names = [found for found, _, _ in outcomes]
    assert len(names) > 8
    assert ["old"] in names
    assert names == sorted(names, key=len), "once the new one is there it stays"
    assert names[-1] == names[-2] == ["old", "new"]
    assert {status for _, status, _ in outcomes[:-1]} == {9}
    assert all(len(parts) <= 2 for _, _, parts in outcomes), "one for the cassette, one for a blob"
    assert outcomes[-1][2] == [], "the next save takes the killed one's file away"


def test_cut_off_anywhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    update(path, _append("a"))
    update(path, _append("b", body=b"data: 1\n\ndata: 2\n\n", type="text/event-stream"))
    data = path.read_bytes()
    for size in range(len(data.rstrip()) - 1):
        with pytest.raises(CassetteError):
            loads(data[:size], "c.yaml")
