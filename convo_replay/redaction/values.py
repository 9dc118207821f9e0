"""Redaction of values: strings, JSON values, opaque fields, pieces of streamed values.

What holds nothing to redact is returned itself, so that nothing is copied and `is` tells. Placeholders
are named and numbered here; while a probe is set nothing is, and what would have been is listed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from operator import is_
from typing import Any, NamedTuple

from convo_replay.bodies import parse_json
from convo_replay.redaction import encodings, json_text, logprobs, naming, opaque, placeholders, skimming, streams
from convo_replay.redaction.classes import BY_NAME, Policy, classify
from convo_replay.redaction.detect import Detector, Secret
from convo_replay.redaction.headers import is_distinctive
from convo_replay.redaction.streams import Span

SHORT = 64
"""Characters of a text that is searched once and then remembered by itself."""
LEAST_NUMBER = 9
"""Characters of a phone number that are looked for without the word beside it."""
_MOST_CLEAN = 50_000
_LONGEST_KEY = 256
_TOGETHER = 256
"""How many short texts are searched as one."""
_PHONES = ("hone", "Tel", "tel")
_ROUNDS = 4  # a replacement may complete a user's pattern; what is still found then stays for the gate

_OPENS = re.compile(r"\s*[\[{]")
_ARGUMENTS = frozenset({"partial_json", "arguments", "input", "delta"})
"""Fields whose pieces make up JSON."""

Pieces = Mapping[tuple[int, str], Any]
"""(id of an object, field) → what the value there becomes, where that was decided in a joined value."""


class Joined(NamedTuple):
    """What becomes of the pieces of a stream, and which events change at all, by their position."""

    pieces: Pieces
    touched: set[int]


class Values:
    """What one conversation knows as secrets, and the placeholders it gave them.

    Args:
        secrets: as in `Detector`.
        redact: class → what becomes of it, where that is not what the table says.
    """

    def __init__(self, secrets: Sequence[Secret] = (), redact: Mapping[str, Policy] | None = None) -> None:
        self.redact: Mapping[str, Policy] = redact or {}
        self.detector = Detector(secrets, [name for name, policy in self.redact.items() if policy == "keep"])
        self.resendable = True
        self.probe: list[str] | None = None
        """Classes found, while only looking."""
        self.local: dict[str, str] = {}
        """Value → class of what is looked for in the response at hand only."""
        self.streamed = skimming.Memory()
        self.lock = threading.RLock()
        self._names: dict[tuple[str, str], str] = {}
        self._stands_for: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}
        self._opaque: dict[str, str] = {}
        self._held: dict[int, str] = {}
        """Number of an opaque placeholder → class of what was found in it."""
        self._clean: set[str] = set()
        self._harmless: set[bytes] = set()
        """Hashes of opaque values that identify nobody: each comes back with every request that follows."""
        self._harmless_at = 0
        self._unwritten: tuple[bytes, ...] = ()
        """Known UUIDs as programs write them into opaque values: as 16 bytes, and without their dashes."""

    def __repr__(self) -> str:
        return f"<Values: {len(self._names)} placeholders>"

    def policy(self, cls: str) -> Policy:
        """What becomes of a value of this class."""
        return self.redact.get(cls) or BY_NAME[cls].policy

    def learn(self, value: str, cls: str) -> None:
        """`value` is a secret from now on."""
        if self.detector.learn(value, cls):
            self._clean.clear()
            if opaque.UUID.fullmatch(value.encode("utf-8", "replace")):
                bare = value.replace("-", "").lower()
                self._unwritten += (bytes.fromhex(bare), bare.encode(), bare.upper().encode())

    def string(self, text: str) -> str:
        """`text` with placeholders."""
        if self.local and self.is_local(text):
            plain = False
        elif text in self._clean:
            return text
        else:
            plain = self._is_plain(text)
        if not plain:
            for _ in range(_ROUNDS):
                found = self.spans(text)
                if not found:
                    break
                text = json_text.applied(text, found)
        if len(text) <= SHORT:
            self._keep_clean((text,))
        return text

    def _is_plain(self, text: str) -> bool:
        """Whether a text is known to hold nothing, whoever asks; cheap."""
        return self.detector.is_plain(text) and not placeholders.may_hold(text) and _OPENS.match(text) is None

    def spans(self, text: str, *, cut: bool = False) -> list[Span]:
        """What is to be replaced in `text`, in order and apart from each other.

        A text that is a JSON document, as the arguments of a tool are, is searched by its values: so that it
        comes to the same as those values do where a client sends them parsed.

        Args:
            cut: the text may be the beginning of such a document.
        """
        self.sight(text)
        inside = self._in_document(text, cut) if _OPENS.match(text) else None
        if inside is None:
            return self._in_text(text)
        # What only the text tells is replaced where it is part of a string: the document stays one.
        return inside or json_text.in_strings(text, self._in_text(text))

    def _in_text(self, text: str) -> list[Span]:
        made = []
        for finding in self.detector.find(text, self.local):
            if finding.context and not finding.opaque:
                self._learn_distinctive(finding.value, finding.cls)
            if finding.opaque:
                replacement = self._stand_in(text[finding.start : finding.end], finding.cls)
            else:
                replacement = self.place(finding.cls, finding.value)
            made.append((finding.start, finding.end, replacement))
        return made

    def label(self, text: str) -> str:
        """A name (of a test, of a file) without what gives access; whom it names, the sources name, too."""
        found = [one for one in self.detector.find(text) if BY_NAME[one.cls].severity == "error"]
        return json_text.applied(text, [(one.start, one.end, self.place(one.cls, one.value)) for one in found])

    def _learn_distinctive(self, value: str, cls: str) -> None:
        """What stands beside a value told its class; elsewhere the value alone must tell it."""
        number = cls == "phone" and len(value) >= LEAST_NUMBER
        if number or is_distinctive(value) or (BY_NAME[cls].severity == "error" and naming.is_secret_value(value)):
            self.learn(value, cls)

    def _in_document(self, text: str, cut: bool) -> list[Span] | None:
        """Replacements inside the strings of a JSON document; `None` for any other text."""
        source = text
        try:
            if text.rstrip()[-1] not in "}]":
                raise ValueError("not closed")
            value = parse_json(source.encode("utf-8"))
        except ValueError:
            completed = json_text.completed(text) if cut else None
            if completed is None:
                return None
            source = completed[0] + completed[1]
            try:
                value = parse_json(source.encode("utf-8"))
            except ValueError:
                return None
        try:
            made = self.value(value)
            return [] if made is value else json_text.edits(source, value, made, spans=self._in_string)
        except (ValueError, RecursionError):
            return None

    def _in_string(self, was: str, becomes: str) -> list[Span]:
        found = self.spans(was)
        return found if json_text.applied(was, found) == becomes else [(0, len(was), becomes)]

    def data(self, data: bytes) -> bytes:
        """Bytes of an unknown kind, as the text they may be; of an image or an archive, what gives access alone."""
        text = data.decode("utf-8", "surrogateescape")
        made = self.label(text) if encodings.are_medium(data) else self.string(text)
        return data if made is text else made.encode("utf-8", "surrogateescape")

    def part(self, value: Any, data: bytes, *, nothing: bool | None = None) -> Any:
        """A JSON value, by one look at `data`, its text: in most nothing could be found at all.

        Args:
            nothing: whether nothing is in it, but in opaque fields perhaps (`is_nothing`), where that is known.
        """
        text = data.decode()
        if nothing is False or (nothing is None and self.may_find(_unsigned(value, text))):
            return self.value(value)
        return self._opaque_in(value) if opaque.may_hold(text) else value

    def is_nothing(self, shorts: Iterable[str], parts: Iterable[tuple[Any, bytes]]) -> bool:
        """Whether nothing could be found in any of these texts, searched as one, but in opaque fields.

        Args:
            shorts: strings.
            parts: JSON values with their texts.
        """
        asked = [text for text in dict.fromkeys(shorts) if text not in self._clean]
        if any(map(_OPENS.match, asked)) or any(map(placeholders.may_hold, asked)):
            return False
        # No value holds a line break that stands between two texts, so none goes unseen.
        joined = "\n".join([*asked, *(_unsigned(value, data.decode()) for value, data in parts)])
        if joined and self.may_find(joined):
            return False
        self._keep_clean(asked)
        return True

    def _opaque_in(self, value: Any) -> Any:
        """A JSON value in whose text nothing is found, but in opaque fields perhaps."""
        if isinstance(value, list):
            items = [self._opaque_in(item) if isinstance(item, (dict, list)) else item for item in value]
            return value if all(map(is_, items, value)) else items
        made: dict[str, Any] = {}
        for key, held in value.items() if isinstance(value, dict) else ():
            out = held
            if isinstance(held, (dict, list)):
                out = self._opaque_in(held)
            elif isinstance(held, str) and (key in opaque.FIELDS or naming.telling(key)):
                out = self.field(value, key, held)
            if out is not held:
                made[key] = out
                if _is_bound(key, value):
                    self.resendable = False
        return {**value, **made} if made else value

    def value(self, value: Any, pieces: Pieces | None = None) -> Any:
        """A JSON value."""
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, list):
            items = [self.value(item, pieces) for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        if isinstance(value, (int, float)):
            return self.number(value)
        if not isinstance(value, dict):
            return value
        made: dict[str, Any] = {}
        changed = False
        for key, held in value.items():
            out = held
            if pieces is not None and (id(value), key) in pieces:
                out = pieces[id(value), key]
            elif isinstance(held, str):
                out = self.field(value, key, held)
            elif isinstance(held, (dict, list)):
                out = self.value(held, pieces)
            elif isinstance(held, (int, float)):
                out = self.number(held, key)
            if out is not held:
                changed = True
                if _is_bound(key, value):
                    self.resendable = False
            name = self.string(key)
            changed = changed or name is not key
            made[name] = out
        return made if changed else value

    def number(self, held: float, key: str = "") -> Any:
        """A number: itself, or a string with a placeholder where it is a secret, or the phone number of its key."""
        if -self.detector.least_number < held < self.detector.least_number or held != held:
            return held
        text = str(held)
        made = self.string(text)
        if made == text and any(part in key for part in _PHONES):
            start = len(key) + 2
            found = [one for one in self.detector.find(f"{key}: {text}") if one.start >= start]
            if found:
                self._learn_distinctive(text, found[0].cls)
                made = self.place(found[0].cls, text)
        return held if made == text else made

    def field(self, owner: dict[str, Any], key: str, held: str) -> str:
        """The string `owner[key]`, which its key may say is opaque, or a credential."""
        if opaque.is_opaque(key, held, owner) and not _is_key(held):
            return self.whole(held)
        cls = naming.named(key, held) if naming.says(owner, key) else None
        made = self.string(held)
        if cls is None or placeholders.PLACEHOLDER.fullmatch(made):
            return made
        self._learn_distinctive(held, cls)
        return self.place(cls, held)

    def whole(self, text: str) -> str:
        """An opaque value: itself, or what stands for the whole of it."""
        if self.policy(placeholders.OPAQUE_CLASS) == "keep":
            return text
        if text not in self._opaque and not self._identifies(text):
            return text
        self.resendable = False
        return self._stand_in(text, self._key_in(text))

    def _key_in(self, text: str) -> str:
        """The class of what gives access in an opaque value; `opaque` where there is no such thing."""
        data = opaque.decoded(text).decode("latin-1")
        found = self.detector.find(data, custom=False, context=False)
        errors = [finding.cls for finding in found if BY_NAME[finding.cls].severity == "error"]
        return errors[0] if errors else placeholders.OPAQUE_CLASS

    def _stand_in(self, text: str, cls: str) -> str:
        """Base64 of the length of `text`, which holds something of a class; the same at every occurrence."""
        if self.probe is not None:
            self.probe.append(cls)
        made = self._opaque.get(text)
        if made is None:
            if self.probe is not None:
                return placeholders.make_opaque(text, 0)
            number = self._next(placeholders.OPAQUE_CLASS)
            self._held[number] = cls
            made = self._opaque[text] = placeholders.make_opaque(text, number)
        return made

    def held(self, number: int) -> str:
        """The class of what an opaque placeholder of this number stands for."""
        return self._held.get(number, placeholders.OPAQUE_CLASS)

    def _identifies(self, text: str) -> bool:
        if text.startswith(placeholders.OPAQUE_MARK):
            self.sight(text)
            return False
        if self._harmless_at != self.detector.generation:
            self._harmless.clear()
            self._harmless_at = self.detector.generation
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._harmless:
            return False
        data = opaque.decoded(text)
        if (
            opaque.identifies(data)
            or any(form in data for form in self._unwritten)
            or self.detector.known(text)
            or self.detector.find(data.decode("latin-1"), custom=False, context=False)
        ):
            return True
        self._harmless.add(digest)
        return False

    def joined(self, values: Sequence[Any], kinds: Sequence[str] = (), *, tokens: bool = False) -> Joined:
        """What becomes of the pieces in `values`, decided in the values they make up.

        Args:
            values: the JSON values of the events of a stream, or of one document.
            kinds: the type of each event, where the values do not say it.
            tokens: log probabilities may be among them.
        """
        surveys = [streams.Survey(value, kinds[at] if kinds else "") for at, value in enumerate(values)]
        groups: dict[streams.Address, list[tuple[int, streams.Piece]]] = {}
        for at, survey in enumerate(surveys):
            for piece in survey.pieces:
                groups.setdefault(piece.address, []).append((at, piece))
        made: dict[tuple[int, str], Any] = {}
        touched: set[int] = set()
        for group in groups.values():
            becomes = self._group([piece for _, piece in group])
            for (at, piece), text in zip(group, becomes, strict=True):
                made[id(piece.owner), piece.field] = text
                if text is not piece.text:
                    touched.add(at)
        if tokens:
            changes = logprobs.changes(values, self.spans)
            made.update(changes)
            touched.update(range(len(values)) if changes else ())
        found = self._found({text for survey in surveys for text in (*survey.texts, *survey.fields)})
        for at, survey in enumerate(surveys):
            named = [(text, cls) for key, text in survey.named if (cls := naming.named(key, text))]
            for text, cls in named:
                self._learn_distinctive(text, cls)
            if named or not found.isdisjoint(survey.texts) or not found.isdisjoint(survey.fields):
                touched.add(at)
        return Joined(made, touched)

    def _found(self, texts: set[str]) -> set[str]:
        """Those of many short texts in which something is found, or may be: most often none."""
        local = tuple(self.local)
        asked = [text for text in texts if text not in self._clean or any(value in text for value in local)]
        found = {text for text in asked if _OPENS.match(text)}
        asked = [text for text in asked if text not in found]
        for start in range(0, len(asked), _TOGETHER):
            some = asked[start : start + _TOGETHER]
            # No value holds a line break that stands between two texts, so none goes unseen.
            if self.detector.find("\n".join(some), self.local):
                found.update(text for text in some if self.detector.find(text, self.local))
            self._keep_clean(text for text in some if text not in found)
        return found

    def _keep_clean(self, texts: Iterable[str]) -> None:
        if self.probe is None and len(self._clean) < _MOST_CLEAN:
            self._clean.update(text for text in texts if len(text) <= SHORT)

    def _group(self, group: Sequence[streams.Piece]) -> list[str]:
        texts = [piece.text for piece in group]
        if _is_opaque(group, "".join(texts)):
            becomes = self._opaque_pieces(texts)
        elif group[0].field in _ARGUMENTS:
            becomes = streams.write_back(texts, partial(self.spans, cut=True))
        else:
            becomes = streams.write_back(texts, self.spans)
        return [was if was == text else text for was, text in zip(texts, becomes, strict=True)]

    def may_hold(self, text: str) -> bool:
        """Whether anything could be found in `text`, of which it is the JSON text; generous."""
        return self.may_find(text) or opaque.may_hold(text)

    def may_find(self, text: str) -> bool:
        """As `may_hold`, of what is not in opaque fields."""
        if self.detector.may_hold(text):
            return True
        return bool(self.local) and self.is_local(text)

    def finds(self, text: str) -> bool:
        """Whether anything is found in the texts that `text` holds one in a line; generous, and asks twice at most."""
        detector = self.detector
        return detector.may_hold(text) and (detector.is_unsure(text) or bool(detector.find(text)))

    def is_local(self, text: str) -> bool:
        """Whether something stands in `text` that is looked for in the response at hand only."""
        for value in self.local:  # noqa: SIM110, asked of every text
            if value in text:
                return True
        return False

    def replaces(self, text: str) -> bool:
        """Whether an opaque value has to be replaced."""
        if self.policy(placeholders.OPAQUE_CLASS) == "keep":
            return False
        return text in self._opaque or _is_key(text) or self._identifies(text)

    def _opaque_pieces(self, texts: list[str]) -> list[str]:
        whole = "".join(texts)
        made = self.whole(whole)
        if made == whole:
            return [self.whole(text) if text else text for text in texts]
        parts, at = [], 0
        for text in texts:
            parts.append(made[at : at + len(text)])
            at += len(text)
        parts[-1] += made[at:]  # a short value's placeholder is longer
        return parts

    def place(self, cls: str, value: str) -> str:
        """The placeholder of a value: one for each pair of class and value."""
        if self.probe is not None:
            self.probe.append(cls)
            return placeholders.make(cls, 0)
        name = self._names.get((cls, value))
        if name is None:
            name = self._names[cls, value] = placeholders.make(cls, self._next(cls), value)
            self._stands_for[name] = (cls, value)
            if BY_NAME[cls].severity == "error" and is_distinctive(value):
                self.learn(value, cls)  # elsewhere it may stand inside of a word
            if self.detector.met(value, cls):
                self._clean.clear()
        return name

    def value_of(self, placeholder: str) -> str | None:
        """The value that a placeholder of this conversation stands for; `None` for one of a cassette."""
        key = self._stands_for.get(placeholder)
        return None if key is None else key[1]

    def is_named(self, placeholder: str, value: str) -> bool:
        """Whether `value` has a placeholder of the class of this one."""
        return (placeholders.places(placeholder)[0].cls, value) in self._names

    def adopt(self, recorded: str, value: str) -> bool:
        """From now on `value`, where it is known, is called what a cassette calls it; whether that changes its name."""
        key = placeholders.places(recorded)[0].cls, value
        name = self._names.get(key)
        if name is None or name == recorded or recorded in self._stands_for:
            return False
        self._stands_for.pop(name, None)
        self._names[key] = recorded
        self._stands_for[recorded] = key
        return True

    def sight(self, text: str) -> None:
        """Numbers that occur in `text` are taken: a new placeholder never looks like one met before."""
        if placeholders.may_hold(text):
            for place in placeholders.places(text):
                if place.number > self._numbers.get(place.cls, 0):
                    self._numbers[place.cls] = place.number

    def _next(self, cls: str) -> int:
        number = self._numbers[cls] = self._numbers.get(cls, 0) + 1
        return number


def _is_opaque(group: Sequence[streams.Piece], whole: str) -> bool:
    """Whether the pieces make up an opaque value, or each of them is one."""
    first = group[0]
    if opaque.is_opaque(first.field, whole, first.owner):
        return not _is_key(whole)
    filled = [piece for piece in group if piece.text]
    return bool(filled) and all(opaque.is_opaque(piece.field, piece.text, piece.owner) for piece in filled)


def _unsigned(value: Any, text: str) -> str:
    """The JSON text of a value without what is opaque in it: nobody looks for a text in that."""
    return opaque.without(text, _opaque_values(value)) if opaque.may_hold(text) else text


def _opaque_values(value: Any) -> Iterator[str]:
    """The opaque values anywhere in a JSON value that are no keys."""
    for held in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        if isinstance(held, (list, dict)):
            yield from _opaque_values(held)
    for field in opaque.FIELDS.intersection(value) if isinstance(value, dict) else ():
        held = value[field]
        if isinstance(held, str) and opaque.is_opaque(field, held, value) and not _is_key(held):
            yield held


def _is_key(text: str) -> bool:
    """Whether the whole of a value in an opaque field is a key after all."""
    return len(text) <= _LONGEST_KEY and classify(text) is not None


def _is_bound(key: str, owner: Mapping[str, Any]) -> bool:
    """Whether a signature or an encrypted twin binds `owner[key]` (protocol.md §5, "never alter")."""
    return (key == "thinking" and isinstance(owner[key], str)) or owner.get("type") in (
        "compaction",
        "compaction_delta",
    )
