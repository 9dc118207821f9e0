"""What of a recording is kept, and what becomes of a file that holds others' (design.md §4.5)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convo_replay import keeping
from convo_replay.cassette import load
from convo_replay.errors import CassetteError, LeakFound
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.matching import Fingerprints
from convo_replay.redaction import Redactor

OWN, OTHER = "test_a.py::test_one", "test_a.py::test_two"
GOOD = b'{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":"end_turn","usage":{}}'


def exchange(text: str, status: int = 200, test: str = OWN, at: int = 0, **more: Any) -> Exchange:
    body = Json({"model": "m", "messages": [{"role": "user", "content": text}]})
    head = Head(status, (("content-type", "application/json"),))
    return Exchange(
        Request("POST", "https://api.anthropic.com/v1/messages", body=body),
        (head, Chunk(0.1, GOOD if status == 200 else b"{}"), End(at=0.1)),
        test=test, recorded=f"2026-11-22T10:00:{at:02}.000Z", **more,
    )  # fmt: skip


def texts(exchanges: list[Exchange]) -> list[str]:
    return [each.request.json["messages"][0]["content"] + ("" if each.test == OWN else "'") for each in exchanges]


ATTEMPTS = {
    "a retry that made it good": ([429, 200], (), [200]),
    "kept where that is asked for": ([429, 200], ("errors",), [429, 200]),
    "none made it good": ([429, 429, 429], (), [429, 429, 429]),
    "a redirect hop": ([307, 200], (), [307, 200]),
    "a 408 is no error to keep": ([408, 200], ("errors",), [200]),
    "a 400 is an answer": ([400], (), [400]),
}


@pytest.mark.parametrize(("statuses", "keep", "left"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_attempts_that_are_kept(statuses, keep, left):
    recorded = [exchange("q", status, at=at) for at, status in enumerate(statuses)]
    assert [each.status for each in keeping.kept(recorded, keep=keep)] == left


MERGES = {
    "once into nothing": ("once", [], ["a", "b"], ["a", "b"]),
    "once beside another test": ("once", ["x'"], ["a"], ["x'", "a"]),
    "rewrite in its place": ("rewrite", ["x'", "a", "b", "y'"], ["c"], ["x'", "c", "y'"]),
    "rewrite with nothing": ("rewrite", ["x'", "a"], [], ["x'"]),
    "all replaces what matches": ("all", ["a", "x'", "b"], ["b", "c"], ["a", "x'", "b", "c"]),
    "new episodes behind its own": ("new_episodes", ["a", "x'"], ["b"], ["a", "b", "x'"]),
}


def made(names: list[str]) -> list[Exchange]:
    return [exchange(name.rstrip("'"), test=OTHER if name.endswith("'") else OWN) for name in names]


@pytest.mark.parametrize(("mode", "before", "recorded", "after"), MERGES.values(), ids=MERGES)
def test_a_file_after_a_recording(mode, before, recorded, after):
    theirs = made(before)
    assert texts(keeping.merged(theirs, made(recorded), OWN, mode, theirs, Fingerprints())) == after


def test_what_another_run_of_the_same_test_added_meanwhile_is_not_doubled():
    known = made(["a"])
    assert texts(keeping.merged(made(["a", "b"]), made(["b"]), OWN, "new_episodes", known, Fingerprints())) == [
        "a",
        "b",
    ]


def save(
    path: Path,
    recorded: list[Exchange],
    mode: Any = "rewrite",
    *,
    failed: bool = False,
    redactor: Redactor | None = None,
) -> str:
    return keeping.save(
        path, recorded, owner=OWN, mode=mode, failed=failed, known=load(path).exchanges if path.exists() else [],
        redactor=redactor or Redactor(), resendable=True, fingerprints=Fingerprints(),
    )  # fmt: skip


def test_a_failed_run_destroys_nothing_and_accept_takes_what_it_left(tmp_path):
    path = tmp_path / "c.yaml"
    assert save(path, made(["a", "x'"])) == ""
    before = path.read_bytes()
    assert "convo-replay accept" in save(path, made(["b"]), failed=True)
    assert path.read_bytes() == before
    kept = load(tmp_path / "c.new.yaml").exchanges
    assert (texts(kept), {each.outcome for each in kept}) == (["b"], {"failed"})
    save(path, made(["z'"]), "new_episodes")  # another test goes on meanwhile
    assert keeping.accept(path) == (path, 1)
    assert sorted(texts(load(path).exchanges)) == ["b", "x'", "z'"]
    assert {each.outcome for each in load(path).exchanges} == {""}
    assert not (tmp_path / "c.new.yaml").exists()


def test_a_first_run_that_fails_says_so_and_is_no_recording(tmp_path):
    path = tmp_path / "c.yaml"
    assert "recorded by a test that failed; --convo-record=once records it again" in save(
        path, made(["a"]), failed=True
    )
    save(path, made(["b"]), "once")
    assert texts(load(path).exchanges) == ["b"]


def test_what_was_recorded_before_a_secret_was_named_is_redacted_with_the_next_recording(tmp_path):
    path = tmp_path / "c.yaml"
    save(path, [exchange("the tiger sleeps"), exchange("a tiger", test=OTHER), exchange("b", test=OTHER)])
    note = save(path, made(["new"]), "new_episodes", redactor=Redactor(secrets=["tiger"]))
    assert note.endswith("c.yaml: 2 exchange(s) recorded earlier held what is redacted by now: redacted")
    assert texts(load(path).exchanges) == ["the redacted-secret-1 sleeps", "new", "a redacted-secret-1'", "b'"]
    before = path.read_bytes()
    with pytest.raises(LeakFound):  # nothing but the next one is redacted on its way
        save(path, made(["a tiger"]), "new_episodes", redactor=Redactor(secrets=["tiger"]))
    assert path.read_bytes() == before


def test_before_record_changes_drops_and_is_held_to_its_word():
    def drop_a(one: Exchange) -> Exchange | None:
        return None if one.request.json["messages"][0]["content"] == "a" else one

    assert texts(keeping.through(made(["a", "b"]), [drop_a])) == ["b"]
    with pytest.raises(TypeError, match="returned str, expected Exchange or None"):
        keeping.through(made(["a"]), [lambda one: "gone"])


UNREADABLE = {
    "a fault": ({"after": "banana"}, "after: expected a fault such as cut:eof@t1.5, got 'banana'"),
    "a method": ({"request": Request("P O", "https://h/")}, "request.method: expected an HTTP method"),
    "a URL": ({"request": Request("GET", "https://[h/")}, "request.url: expected a URL"),
    "a status": ({"steps": (Head(0), End())}, "status: expected 100 to 999, got 0"),
    "a text as status": ({"steps": (Head("200"), End())}, "status: expected 100 to 999, got '200'"),  # type: ignore[arg-type]
    "an end": ({"steps": (Head(200), End("gone"))}, "an end of kind 'gone'"),  # type: ignore[arg-type]
    "nothing": ({"steps": ()}, "response.status: missing"),
    "a header": ({"request": Request("GET", "https://h/", (("a", 5),))}, ""),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_before_record_returns_what_can_be_read_again(change, reason):
    with pytest.raises(ValueError, match=f"returned an exchange that could not be read again: {re.escape(reason)}"):
        keeping.through(made(["a"]), [lambda one: replace(one, **change)])
    kept = {"extra": {"note": 1}, "outcome": "failed", "steps": (End("refused", 1),), "after": "429@t1"}
    [changed] = keeping.through(made(["a"]), [lambda one: replace(one, **kept)])
    assert changed.after == "429@t1"


def test_what_before_record_spoils_is_kept_aside(tmp_path):
    error = keeping.spoiled(tmp_path / "c.yaml", made(["a"]), Redactor(), RuntimeError("my callable is wrong"))
    assert isinstance(error, CassetteError)
    assert "before_record: RuntimeError('my callable is wrong')" in str(error)
    rescued = Path(str(error).partition("what was recorded is in ")[2].partition(":")[0])
    assert texts(load(rescued).exchanges) == ["a"]
    assert not (tmp_path / "c.yaml").exists()


def test_unsanitized_is_refused_inside_a_git_work_tree(tmp_path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(CassetteError, match="refused inside a git work tree"):
        keeping.refuse_in_git(tmp_path / "deep" / "c.yaml")


def test_where_a_file_is_written_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / ".git").mkdir(parents=True)
    outside.mkdir()
    (outside / "link").symlink_to(tree, target_is_directory=True)
    with pytest.raises(CassetteError, match="refused inside a git work tree"):
        keeping.refuse_in_git(outside / "link" / "c.yaml")
    monkeypatch.chdir(tree)
    keeping.refuse_in_git(Path("../outside/c.yaml"))
