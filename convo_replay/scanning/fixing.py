"""`convo-replay scan --fix`: what was found is replaced by placeholders in the file, and nothing else is touched.

A cassette of ours that is exactly as the writer wrote it is written anew. Any other, and vcrpy's, is edited in its
text, so that comments, unknown keys, tags, order and layout stay. Either way the result is read back before it is
saved: its value must be the old one but for the placeholders, and a scan of it must find nothing but what was said to
stay. What cannot be fixed is left as it is, with the reason.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convo_replay.cassette import UnknownKeys, Written, dump, files, yaml_reader
from convo_replay.cassette.python_tags import TAGS
from convo_replay.errors import CassetteError
from convo_replay.redaction import leaks_in_text
from convo_replay.redaction.classes import Policy
from convo_replay.redaction.detect import Secret
from convo_replay.scanning import findings as scanning
from convo_replay.scanning.findings import Scanned
from convo_replay.scanning.looking import Change, Look
from convo_replay.scanning.reading import read
from convo_replay.scanning.source_tree import Edit, applied, kind, quoted


@dataclass(frozen=True, slots=True)
class Fixed:
    """What became of a file.

    Attributes:
        before: what was found.
        after: what is found now; `before` where nothing was written.
        reasons: why something was left as it is.
        notes: what its owner should know.
    """

    before: Scanned
    after: Scanned
    reasons: Sequence[str] = ()
    notes: Sequence[str] = field(default=())

    @property
    def file(self) -> Path:
        return self.before.file

    @property
    def count(self) -> int:
        """How many findings are gone."""
        return len(self.before.failing) - len(self.after.failing)


class _Stuck(Exception):
    """The file stays as it is; the text says why."""


def fix(
    file: Path,
    *,
    redact: Mapping[str, Policy] | None = None,
    secrets: Sequence[Secret] = (),
    environ: Mapping[str, str] | None = None,
) -> Fixed:
    """Writes placeholders where findings are, in a cassette of ours or of vcrpy's. Doing it twice changes nothing.

    Raises:
        CassetteError: the file cannot be read, or not be written. It is then as it was.
    """
    data = scanning.contents(file)
    if reason := scanning.binary(data):
        left = Scanned(file, size=len(data), skipped=reason)
        return Fixed(left, left)
    look = read(data, file, redact, secrets, environ, whole=True)
    before = scanning.found(look, file, len(data))
    if not before.failing:
        return Fixed(before, before)
    if not look.can_fix:
        return Fixed(before, before, ["only cassettes of ours and vcrpy's are rewritten: edit it, or record it again"])
    try:
        written = _written(look, data)
        again = read(written.text, file, redact, secrets, environ, blobs=written.blobs)
        after = scanning.found(again, file, len(written.text))
        _gate(before, after, written, look)
    except (_Stuck, CassetteError, ValueError) as error:
        reason = error.reason if isinstance(error, CassetteError) else str(error)
        return Fixed(before, before, [reason])
    if written.text == data:
        return Fixed(before, before, [*look.stuck])
    files.rewrite(file, data, written)
    reasons = [*look.stuck] if after.failing else []
    notes = _notes(look) + (_old_blobs(file, look, written) if look.format == "convo" else [])
    return Fixed(before, after, reasons or (["no reason is known"] if after.failing else []), notes)


def _notes(look: Look) -> list[str]:
    notes = []
    if look.urls_changed and look.format == "vcrpy":
        notes.append(
            f"{look.urls_changed} request URL(s) changed, by which vcrpy matches: let `before_record_request` change "
            "them likewise, or convert the file"
        )
    if not look.redactor.resendable:
        notes.append("a signature was replaced: it replays, but the API would refuse the conversation if sent again")
    return notes


def _gate(before: Scanned, after: Scanned, written: Written, look: Look) -> None:
    """Refuses what still holds something that was to be replaced."""
    stays = {(hit.exchange, hit.cls, hit.path) for hit in before.failing if not hit.fixable}
    left = [hit for hit in after.failing if (hit.exchange, hit.cls, hit.path) not in stays]
    if left:
        raise _Stuck(
            f"left as it is: {_places((hit.cls, hit.path or f'line {hit.line}') for hit in left)} would remain"
        )
    if not after.failing:
        leaks = leaks_in_text(written.text, look.redactor)
        for name, data in written.blobs.items():
            leaks += [(cls, name) for cls, _ in leaks_in_text(data, look.redactor)]
        if leaks:
            raise _Stuck(f"left as it is: {_places(leaks)} would remain in the text of the file")


def _places(leaks: Iterable[tuple[str, str]]) -> str:
    told = list(dict.fromkeys(f"{cls} at {where}" for cls, where in leaks))
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


# --- what is written ----------------------------------------------------------------------------------


def _written(look: Look, data: bytes) -> Written:
    if look.cassette is not None:
        anew = _anew(look, data)
        if anew is not None:
            return anew
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    if mark + look.text.encode("utf-8", "replace") != data:
        raise _Stuck("it is no UTF-8")
    edits = _edits(look)
    if look.cassette is not None and look.cassette.resendable and not look.redactor.resendable:
        edits.append(_not_resendable(look))
    text = applied(look.text, edits)
    _verify(look, mark + text.encode())
    return Written(mark + text.encode())


def _anew(look: Look, data: bytes) -> Written | None:
    """A cassette of ours written by its writer, where that loses nothing: where the writer wrote the one at hand."""
    cassette = look.cassette
    assert cassette is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownKeys)
        if dump(cassette).text != data and dump(cassette, in_order=True).text != data:
            return None
    redactor = look.redactor
    exchanges = [replace(exchange, test=redactor.label(exchange.test)) for exchange in look.made]
    return dump(
        replace(
            cassette,
            exchanges=exchanges,
            extra=redactor.value(cassette.extra),
            resendable=cassette.resendable and redactor.resendable,
        )
    )


def _edits(look: Look) -> list[Edit]:
    """The edits of the file's text that the changes come to."""
    tree = look.tree
    assert tree is not None
    edits: list[Edit] = []
    dropped: dict[Any, list[Any]] = {}
    for change in look.changes:
        if change.dropped is not None:
            dropped.setdefault(change.at, []).append(change.dropped)
    for at, keys in dropped.items():
        made = tree.removal(at, keys)
        if not made:
            raise _Stuck(f"{_shown(at)} is a Python object that is not edited in place; convert the file")
        edits += made
    gone = {(*at, key) for at, keys in dropped.items() for key in keys}
    for change in look.changes:
        if change.dropped is None and not any(change.at[:length] in gone for length in range(len(change.at) + 1)):
            edits += _edit(look, change)
    return edits


def _edit(look: Look, change: Change) -> list[Edit]:
    tree = look.tree
    assert tree is not None
    node = tree.node(change.at)
    if node is not None and kind(node) == "mapping" and "python/" not in str(node.tag):
        raise _Stuck(f"it is the name of a key of {_shown(change.at) or 'the file'}, and names are not edited")
    if node is None or kind(node) != "scalar":
        raise _Stuck(f"{_shown(change.at)} is a Python object that is not edited in place; convert the file")
    if isinstance(change.value, bytes):
        try:
            value = change.value.decode("utf-8")
        except UnicodeDecodeError:
            start, end, _ = tree.whole(node, "")
            feed = "\n" if tree.text[start:end].endswith("\n") else ""
            return [(start, end, f"!!binary {quoted(base64.b64encode(change.value).decode())}{feed}")]
        return [tree.whole(node, value)]
    if not change.edits or str(node.tag).endswith(":binary"):
        return [tree.whole(node, change.value)]
    return tree.edits(node, change.edits, change.value)


def _not_resendable(look: Look) -> Edit:
    if isinstance(look.value, dict) and "resendable" not in look.value:
        match = re.search(r"^exchanges:", look.text, re.MULTILINE)
        if match is not None:
            return match.start(), match.start(), "resendable: false\n"
    raise _Stuck("a signature would be replaced: write `resendable: false` into the file first")


def _shown(at: Sequence[Any]) -> str:
    path = ""
    for step in at:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


# --- proof --------------------------------------------------------------------------------------------


def _verify(look: Look, data: bytes) -> None:
    """Refuses a text whose value is not the old one with the changes made in it."""
    expected = copy.deepcopy(look.value)
    for change in look.changes:
        _make(expected, change)
    if look.format == "convo":
        made = yaml_reader.read(data, "").value
        if look.cassette is not None and look.cassette.resendable and not look.redactor.resendable:
            expected = {
                name: item
                for key, held in expected.items()
                for name, item in ([("resendable", False)] if key == "exchanges" else []) + [(key, held)]
            }
    elif look.tree is not None and look.tree.is_json:
        import json

        made = json.loads(data.decode("utf-8-sig"))
    else:
        made = yaml_reader.read(data, "", yaml11=True, tags=TAGS).value
    if not _equal(made, expected):
        raise _Stuck("its text cannot be edited in place without changing something else; convert the file")


def _make(value: Any, change: Change) -> None:
    try:
        holder = value
        for step in change.at if change.dropped is not None else change.at[:-1]:
            holder = holder[step]
        if change.dropped is not None:
            holder.pop(change.dropped, None)
            return
        last = change.at[-1]
        if isinstance(holder, dict) and last not in holder:
            return  # taken out with its key
        new: Any = change.value
        if isinstance(holder[last], int) and isinstance(new, str) and new.isdecimal():
            new = int(new)
        if isinstance(new, bytes):
            with contextlib.suppress(UnicodeDecodeError):
                new = new.decode("utf-8")
        holder[last] = new
    except (KeyError, IndexError, TypeError):
        if change.dropped is None:
            return
        raise _Stuck(f"{_shown(change.at)} is not edited in place; convert the file") from None


def _equal(one: Any, other: Any) -> bool:
    """Equality that takes NaN for equal to itself and keeps types apart."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other) or (one != one and other != other)


def _old_blobs(file: Path, look: Look, written: Written) -> list[str]:
    """Takes away blobs that the file named and no file of its folder names any more; the secret is in them."""
    folder = Path(os.path.realpath(file)).parent
    named = set(re.findall(r"sha256: \"?([0-9a-f]{64})", look.text))
    named -= set(re.findall(r"sha256: \"?([0-9a-f]{64})", written.text.decode("utf-8")))
    notes = []
    for sha256 in sorted(named):
        users = [other.name for other in sorted(folder.glob("*.y*ml")) if sha256.encode() in scanning.contents(other)]
        for blob in sorted((folder / "_blobs").glob(f"{sha256}.*")):
            if users:
                notes.append(f"{blob.name} stays, {users[0]} names it too: fix that file")
            else:
                blob.unlink()
                notes.append(f"{blob.parent.name}/{blob.name} taken away, its redacted form is beside it")
    return notes
