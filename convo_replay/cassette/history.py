"""Request *k* repeats all earlier turns: how a cassette stays linear, on disk and in memory.

On disk a body names the exchange with the longest common prefix of messages (`$base`, `$keep`) and
holds what is new. In memory the messages of a conversation are the same objects wherever they occur.
Both rest on a digest of each message, exact to the order of keys and the types of numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..bodies import message_key
from .yaml_writer import Block, Tall, holds


@dataclass(slots=True)
class Digests:
    """Digests of JSON values, remembered by identity: a shared message is hashed once."""

    _known: dict[int, tuple[Any, bytes]] = field(default_factory=dict)
    _held: dict[int, tuple[Any, bool]] = field(default_factory=dict)

    def of(self, value: Any) -> bytes:
        """32 bytes, equal for values that are equal in every key, its place, and every type."""
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        try:
            text = orjson.dumps(value)
        except (TypeError, ValueError):  # integers beyond 64 bits, lone surrogates
            text = json.dumps(value, separators=(",", ":")).encode()
        digest = hashlib.sha256(text).digest()
        if isinstance(value, (dict, list)):
            self._known[id(value)] = (value, digest)  # holding the value keeps its id its own
        return digest

    def holds(self, body: Any) -> bool:
        """Whether YAML can hold a body, each shared message looked at once."""
        key = message_key(body)
        if key is None:
            return holds(body)
        rest = {name: item for name, item in body.items() if name != key and not isinstance(item, (dict, list))}
        large = [item for name, item in body.items() if name != key and isinstance(item, (dict, list))]
        names = list(body)
        return holds([rest, names]) and all(map(self._one_held, large)) and all(map(self._one_held, body[key]))

    def _one_held(self, value: Any) -> bool:
        known = self._held.get(id(value))
        if known is None:
            known = self._held[id(value)] = (value, holds(value, 2))
        return known[1]


@dataclass(slots=True)
class _Node:
    """A common beginning of message lists: the latest exchange that has it, and how it goes on."""

    latest: int = -1
    next: dict[bytes, _Node] = field(default_factory=dict)


@dataclass(slots=True)
class Prefixes:
    """Which earlier exchange of the same test shares the longest beginning of its messages."""

    digests: Digests = field(default_factory=Digests)
    _roots: dict[tuple[str, str], _Node] = field(default_factory=dict)

    def place(self, index: int, test: str, body: Mapping[str, Any]) -> tuple[int, int]:
        """(index of the base, messages kept), the latter 0 where there is none; remembers this body."""
        key = message_key(body)
        if key is None:
            return -1, 0
        node = self._roots.setdefault((test, key), _Node())
        base, keep, kept = -1, 0, 0
        for message in body[key]:
            digest = self.digests.of(message)
            following = node.next.get(digest)
            if following is None:
                following = node.next[digest] = _Node()
            else:
                kept += 1
                base, keep = following.latest, kept
            node = following
            node.latest = index
        return base, keep


def keeps_order(body: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether a body that is written as what `base` lacks comes back with its keys in order."""
    return [*(name for name in base if name in body), *(name for name in body if name not in base)] == list(body)


def write(body: Any, base: Any, distance: int, keep: int, digests: Digests) -> Any:
    """What stands in the file for a body: the whole of it where `keep` is 0, else what `base` lacks."""
    key = message_key(body)
    if not isinstance(body, dict) or not keep or key is None:
        written = escaped(body)
        if isinstance(written, dict) and key is not None:
            written = {**written, key: Block(written[key])}
        return Tall(written) if isinstance(written, dict) and written else written
    made: dict[str, Any] = Tall({"$base": -distance, "$keep": keep})
    dropped = [name for name in base if name not in body]
    if dropped:
        made["$drop"] = dropped
    for name in [*(name for name in base if name in body), *(name for name in body if name not in base)]:
        item = body[name]
        if name == key or (name in base and (item is base[name] or _same(item, base[name], digests))):
            continue
        made[_escape(name)] = escaped(item)
    made[key] = Block([escaped(message) for message in body[key][keep:]])
    return made


def _same(one: Any, other: Any, digests: Digests) -> bool:
    return type(one) is type(other) and digests.of(one) == digests.of(other)


def _escape(key: str) -> str:
    return "$" + key if key.startswith("$") else key


def escaped(value: Any) -> Any:
    """The value with each key that begins with `$` written `$$…`; the same object where there is none."""
    return _keys(value, _escape)


def unescaped(value: Any) -> Any:
    """The reverse of `escaped`."""
    return _keys(value, lambda key: key[1:] if key.startswith("$$") else key)


def _keys(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        made = {change(key): _keys(item, change) for key, item in value.items()}
        same = all(key in made and made[key] is item for key, item in value.items())
        return value if same else made
    if isinstance(value, list):
        items = [_keys(item, change) for item in value]
        return value if all(map(_is, items, value)) else items
    return value


def _is(one: Any, other: Any) -> bool:
    return one is other


def resolve(written: dict[str, Any], base: Any) -> dict[str, Any]:
    """The body that `written` (with `$base`) stands for. Messages of the base stay the same objects.

    Raises:
        ValueError: the base has no messages, or fewer than `$keep`; a `$` key that does not exist.
    """
    key = message_key(base)
    keep, dropped = written.get("$keep", 0), written.get("$drop", [])
    if key is None:
        raise ValueError("$base: that exchange has no messages")
    if type(keep) is not int or keep < 0:
        raise ValueError("$keep: expected the number of messages kept")
    if len(base[key]) < keep:
        raise ValueError(f"$keep: {keep}, but that exchange has {len(base[key])} messages")
    if not isinstance(dropped, list) or not all(isinstance(name, str) for name in dropped):
        raise ValueError("$drop: expected a list of keys")
    made = {name: item for name, item in base.items() if name not in dropped}
    for name, item in written.items():
        if name.startswith("$") and not name.startswith("$$"):
            continue
        made[name[1:] if name.startswith("$$") else name] = item
    new = written.get(key, [])
    if not isinstance(new, list):
        raise ValueError(f"{key}: expected a list")
    messages = base[key][:keep]
    messages += new
    made[key] = messages
    return made
