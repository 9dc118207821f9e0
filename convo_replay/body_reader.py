"""Reads the requests of one conversation, each at the cost of what it adds.

The API is stateless: request *k* repeats all earlier turns, to the byte, because it is the same
client that writes them. So a reader remembers, of the last requests, the bytes up to the end of
their messages. A request that begins with the same bytes has the same messages there, *the same
objects*, and only what follows is parsed. That makes everything behind it incremental as well: the
redactor and the fingerprints remember messages by identity.

Where a client writes JSON in another form than the compact one, or repeats itself with a change,
the body is read whole, as by `body_of`; nothing but time is lost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import orjson

from convo_replay.bodies import LARGE, MESSAGE_KEYS, body_of, message_key, parse_json
from convo_replay.exchange import Body, Json

REMEMBERED = 8
"""Conversations that may go on at once before one is read whole again."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The bytes of a request up to the end of its last message, and what they say."""

    prefix: bytes
    head: dict[str, Any]
    key: str
    messages: list[Any]


class BodyReader:
    """Reads request bodies; remembers the last few by what they began with. Not thread-safe."""

    def __init__(self) -> None:
        self._told: deque[_Told] = deque(maxlen=REMEMBERED)

    def read(self, data: bytes, content_type: str = "") -> Body:
        """What a request of these bytes holds: equal to `body_of(data, content_type)`."""
        known = max(
            (told for told in self._told if data.startswith(told.prefix)),
            key=lambda told: len(told.prefix),
            default=None,
        )
        if known is not None:
            value = self._continued(known, data)
            if value is not None:
                return Json(value)
        body = body_of(data, content_type)
        if isinstance(body, Json) and (key := message_key(body.value)) is not None:
            self._remember(data, body.value, key)
        return body

    def _continued(self, known: _Told, data: bytes) -> dict[str, Any] | None:
        rest = data[len(known.prefix) :]
        if len(rest) > LARGE or rest[:1] not in (b",", b"]"):
            return None
        more = rest.removeprefix(b",")
        try:
            parsed = parse_json(b'{"%s":[%s' % (known.key.encode(), more))
        except ValueError:
            return None
        new = parsed.pop(known.key)
        if rest[:1] == b"," and not new:
            return None  # a comma that nothing follows
        if known.head.keys() & parsed.keys() or any(key in parsed or key in known.head for key in _before(known.key)):
            return None  # a key twice, or another key that would hold the messages: the whole is read
        value = {**known.head, known.key: [*known.messages, *new], **parsed}
        if new:
            try:
                added = orjson.dumps(new)[1:-1]
            except TypeError:  # integers over 64 bits, lone surrogates
                return value
            if not more.startswith(added):
                return value
            prefix = data[: len(known.prefix) + (len(rest) - len(more)) + len(added)]
            self._told.remove(known)
            self._told.append(_Told(prefix, known.head, known.key, value[known.key]))
        return value

    def _remember(self, data: bytes, value: dict[str, Any], key: str) -> None:
        keys = list(value)
        head = {name: value[name] for name in keys[: keys.index(key)]}
        try:
            begun = orjson.dumps({**head, key: value[key]})[:-2]
        except TypeError:
            return
        if value[key] and data.startswith(begun) and data[len(begun) : len(begun) + 1] == b"]":
            self._told.append(_Told(begun, head, key, value[key]))


def _before(key: str) -> tuple[str, ...]:
    return MESSAGE_KEYS[: MESSAGE_KEYS.index(key)]
