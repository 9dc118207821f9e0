"""What a file holds beside its redacted form: findings with their places, and the changes that would write it.

Parts of a file (a URL, a header, a body, a string anywhere) are compared with what redaction makes of each; the
placeholders say the class, the difference of the two texts the place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from convo_replay.cassette import Cassette
from convo_replay.exchange import Chunk, Exchange, Head
from convo_replay.redaction import Redactor, opaque, placeholders
from convo_replay.redaction.classes import BY_NAME, Severity, classify
from convo_replay.scanning import recordings, text_edits
from convo_replay.scanning.header_shapes import Header
from convo_replay.scanning.masks import is_mask
from convo_replay.scanning.recordings import Message
from convo_replay.scanning.source_tree import Edit, Path, Tree


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with where it stands: a path in the file's value and an offset there, or an offset in its text."""

    exchange: int | None
    cls: str
    path: str
    severity: Severity
    fixable: bool
    at: Path | None = None
    offset: int = 0


@dataclass(slots=True, repr=False)
class Change:
    """What a value becomes: `edits` of its text and the whole `value`, or, `dropped`, nothing, key and all."""

    at: Path
    value: str | bytes = ""
    edits: Sequence[Edit] = field(default=(), repr=False)
    dropped: Any = None


_BY_PLACE = frozenset({"api-key", "named-secret", "url-key", "url-password", "url-signature", "url-userinfo"})
"""Classes of what is one for where it stands: a mask may stand there."""


class Look:
    """What was found in one file.

    Attributes:
        format: `convo`, `vcrpy` or `text`.
        value: the file's value, `None` where it is a text.
        changes: what would make it clean.
        stuck: why something cannot be changed in place, each reason once.
        cassette, made: of one of ours, what it is and what its exchanges become.
    """

    def __init__(self, text: str, redactor: Redactor) -> None:
        self.text = text
        self.redactor = redactor
        self._lines = Tree(text, is_json=False)
        self.format = "text"
        self.value: Any = None
        self.tree: Tree | None = None
        self.exchanges = 0
        self.findings: list[Found] = []
        self.changes: list[Change] = []
        self.stuck: list[str] = []
        self.urls_changed = 0
        self.cassette: Cassette | None = None
        self.made: list[Exchange] = []
        self._silent: dict[tuple[str, str, str], int] = {}
        """Headers that give nothing away, with what the redactor knew then."""

    def line(self, one: Found) -> int:
        """The line of a finding in the file, from 1."""
        if one.at is None or self.tree is None:
            return self._lines.line(one.offset)
        node = self.tree.node(one.at) if one.offset else None
        places = self.tree.content(node) if node is not None else None
        if places is not None and one.offset < len(places):
            place = next((place for place in places[one.offset :: -1] if place >= 0), 0)
            return self.tree.line(place)
        return self.tree.line(self.tree.nearest(one.at))

    @property
    def can_fix(self) -> bool:
        return self.format != "text"

    # --- what is found ------------------------------------------------------------------------------

    def add(
        self,
        exchange: int | None,
        cls: str,
        path: str,
        at: Path | None,
        offset: int = 0,
        *,
        fixable: bool | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Notes a finding, as severe as its class."""
        severity = severity or BY_NAME[cls].severity
        fixable = self.can_fix if fixable is None else fixable and self.can_fix
        shown = self.redactor.text(path)  # a key of an object is a text of the file, too
        self.findings.append(Found(exchange, cls, shown, severity, fixable and severity != "info", at, offset))

    def text_part(
        self,
        exchange: int | None,
        path: str,
        old: str,
        new: str,
        at: Path | None,
        *,
        offset: int = 0,
        paths: Any = None,
        fixable: bool = True,
        in_clear: bool = True,
        is_part: bool = False,
    ) -> bool:
        """Notes what differs between a text and its redacted form; whether anything does.

        Args:
            offset: where the text begins, in the file's text or in the value at `at`.
            paths: offsets → the path of each, where the text has parts.
            in_clear: whether the text is the value at `at`, character by character.
            is_part: whether what goes may be the rest of a value that is named elsewhere.
        """
        edits = text_edits.between(old, new)
        if not edits:
            return False
        named = paths([start for start, _, _ in edits]) if paths is not None else [path] * len(edits)
        some = False
        for (start, end, text), where in zip(edits, named, strict=True):
            place = offset + start if in_clear or at is None else offset
            for cls in self._classes(old[start:end], text):
                some = True
                self.add(exchange, cls, where, at, place, fixable=fixable)
        if not some and not is_part:
            for cls in self.classes_in(old.encode("utf-8", "surrogatepass")):
                self.add(exchange, cls, named[0], at, offset, fixable=fixable)
        if at is not None and fixable and in_clear:
            self.changes.append(Change(at, new, edits))
        return True

    def _classes(self, old: str, text: str) -> list[str]:
        """The classes of a stretch, by what took its place; of a part of a value, by the whole."""
        before = placeholders.found(old)
        made = []
        for placeholder in placeholders.found(text):
            if placeholder not in before:
                cls, value = self.redactor.stands_for(placeholder)
                masked = cls in _BY_PLACE and value is not None and is_mask(value)
                made.append("masked" if masked else cls)
        return list(dict.fromkeys(made))

    def header(self, exchange: int | None, side: str, header: Header) -> None:
        """Notes what a header gives away: known by its name, or by its value."""
        asked = side, header.name, header.value
        if self._silent.get(asked) != self.redactor.generation:
            known = len(self.findings)
            self._header(exchange, side, header)
            if len(self.findings) == known:
                self._silent[asked] = self.redactor.generation

    def are_silent(self, side: str, headers: Iterable[tuple[str, str]]) -> bool:
        """Whether all of these headers are known to give nothing away."""
        generation, silent = self.redactor.generation, self._silent
        for name, value in headers:  # noqa: SIM110, a generator takes three times as long
            if silent.get((side, name, value)) != generation:
                return False
        return True

    def _header(self, exchange: int | None, side: str, header: Header) -> None:
        path = f"{side}.headers" if side else "headers"
        path = text_edits.joined(path, header.name) if header.name else path
        value = header.value
        at = header.at if self.tree is not None else None
        offset = header.offset or 0
        made = self.redactor.text(value)
        cls = recordings.class_of(header.name, response=side == "response")
        if not value.strip() or (cls is not None and _is_redacted(value)):
            return
        policy = self.redactor.policy(cls) if cls is not None else "keep"
        if cls is None or policy == "keep":
            if cls is not None and BY_NAME[cls].policy == "keep" and BY_NAME[cls].severity == "info":
                self.add(exchange, cls, path, at, offset)
            self.text_part(
                exchange, path, value, made, at, offset=offset, in_clear=not header.encoded, fixable=not header.part
            )
            return
        is_pattern = any(self._is_pattern(placeholder, value) for placeholder in placeholders.found(made))
        if not is_pattern and recordings.is_masked(header, side):
            self.add(exchange, "masked" if BY_NAME[cls].severity == "error" else cls, path, at, offset, severity="info")
            return
        if policy == "drop":
            self.add(exchange, cls, path, at, offset, fixable=header.owner is not None)
            if header.owner is not None:
                self.changes.append(Change(header.owner, dropped=header.key))
            else:
                self.note("headers that are a list: one of them cannot be taken out")
            return
        if BY_NAME[cls].severity == "error":
            scheme = re.match(r"[A-Za-z][\w-]*[ \t]+(?=\S)", value)
            start = scheme.end() if scheme else 0
            inner = [place.cls for place in placeholders.places(made)]
            cls = next(iter(inner), cls)
        else:
            start = 0
        new = value[:start] + self.redactor.place(cls, value[start:])
        self.add(exchange, cls, path, at, offset + start, fixable=not header.part)
        if header.part:
            self.note("headers in one text")
        elif at is not None:
            self.changes.append(Change(at, new, () if header.encoded else [(start, len(value), new[start:])]))

    def _is_pattern(self, placeholder: str, value: str) -> bool:
        """Whether what a placeholder stands for in a header's value is known by its look, not for standing there."""
        cls, held = self.redactor.stands_for(placeholder)
        if cls not in BY_NAME or not BY_NAME[cls].pattern:
            return False
        return held is None or not value.endswith(held) or classify(held) is not None

    def note(self, reason: str) -> None:
        """A reason why something cannot be fixed."""
        if reason not in self.stuck:
            self.stuck.append(reason)

    def images(self, exchange: int | None, path: str, text: str, at: Path | None, offset: int = 0) -> None:
        """Notes pictures and documents in base64 whose metadata tell who made them. They are never changed."""
        for match in _pictures(text):
            if opaque.identifies(opaque.decoded(match[0])):
                self.add(
                    exchange, "opaque", path, at, offset + match.start() if at is None else 0, fixable=False,
                    severity="info",
                )  # fmt: skip

    def classes_in(self, body: bytes, content_type: str = "") -> list[str]:
        """The classes of what redaction finds in a body."""
        media = (("content-type", content_type),) if content_type else ()
        with self.redactor.probing() as classes:
            self.redactor.steps((Head(200, media), Chunk(0.0, body)))
        return list(dict.fromkeys(classes)) or [placeholders.OPAQUE_CLASS]

    def values(self, exchange: int | None, path: str, old: Any, new: Any, at: Path) -> None:
        """Notes the strings by which two JSON values differ."""
        for below, before, after in text_edits.strings(old, new):
            where = path
            for step in below:
                where = text_edits.joined(where, step)
            self.text_part(exchange, where, before, after, (*at, *below))

    def string(self, exchange: int | None, path: str, value: str, at: Path) -> None:
        """Looks at one string: a body of its own where it looks like one, else a text."""
        if (len(value) > 40 and value.lstrip()[:1] in ("{", "[")) or value.startswith(("data:", "event:")):
            message = Message("", at=at)
            recordings.understand(message, value.encode("utf-8", "surrogatepass"))
            made = self.body(message.body)
            paths = text_edits.paths_in(path, value, message.value, whole=True)
            self.text_part(exchange, path, value, made, at, paths=paths)
            return
        self.text_part(exchange, path, value, self.redactor.text(value), at)

    def body(self, data: bytes) -> str:
        """A body, redacted."""
        steps = self.redactor.steps((Head(200), Chunk(0.0, data)))
        return b"".join([step.data for step in steps if isinstance(step, Chunk)]).decode("utf-8", "replace")


def redacted(redactor: Redactor, exchanges: Sequence[Exchange], some: Collection[int] | None = None) -> list[Exchange]:
    """As a recording is: what a later exchange gave away is looked for in the earlier ones, too.

    Args:
        some: those that are redacted, where the others are known to stay as they are.
    """
    made: list[Exchange] = []
    knew = 0
    for index, exchange in enumerate(exchanges):
        made.append(redactor.exchange(exchange) if some is None or index in some else exchange)
        knew = knew if index else redactor.generation
    if redactor.generation != knew:
        for index in range(len(made)) if some is None else sorted(some):
            made[index] = redactor.exchange(made[index])
    return made


def _is_redacted(value: str) -> bool:
    """Whether a header's value is a placeholder, behind a scheme perhaps."""
    last = value.rpartition(" ")[2]
    return placeholders.PLACEHOLDER.fullmatch(last) is not None


_STARTS = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR", "JVBERi0")
_PICTURE = re.compile(rf"(?:{'|'.join(_STARTS)})[A-Za-z0-9+/]{{200,}}+={{0,2}}")


def _pictures(text: str) -> Iterator[re.Match[str]]:
    """Base64 that begins as that of a picture or of a document does."""
    end = 0
    for at in sorted([match.start() for start in _STARTS if start in text for match in re.finditer(start, text)]):
        match = _PICTURE.match(text, at) if at >= end else None
        if match is not None:
            end = match.end()
            yield match
