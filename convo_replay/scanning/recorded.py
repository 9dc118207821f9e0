"""Exchanges that another recorder wrote, looked at: what in each message becomes something else, and where that stands.

A body is written back in the form that it has there: as text, by value, in base64, compressed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from convo_replay.bodies import parse_json
from convo_replay.exchange import Request
from convo_replay.redaction import json_text, opaque
from convo_replay.scanning.looking import Change, Look, redacted
from convo_replay.scanning.recordings import Message, Pair
from convo_replay.scanning.text_edits import paths_in


def exchanges(look: Look, pairs: Sequence[Pair]) -> None:
    """Looks at the exchanges of a file that is not ours."""
    given = [pair.exchange() for pair in pairs]
    made = redacted(look.redactor, given)
    look.exchanges = len(pairs)
    for index, (pair, old, new) in enumerate(zip(pairs, given, made, strict=True)):
        _message(look, index, pair.request, pair.request.url, new.request.url)
        if pair.request.text is not None and pair.request.text:
            _body(look, index, pair.request, *_request_texts(pair.request, old.request, new.request))
        elif pair.request.body:
            _bytes(look, index, pair.request, pair.request.body, _binary(new.request))
        _message(look, index, pair.response, pair.response.url, look.redactor.text(pair.response.url))
        if pair.response.text is not None:
            after = new.body.decode("utf-8", "replace")
            _body(look, index, pair.response, pair.response.text, after, pair.response.value, None)
        else:
            _bytes(look, index, pair.response, pair.response.body, new.body)


def _message(look: Look, index: int, message: Message, url: str, made: str) -> None:
    side = message.side
    if url and look.text_part(index, f"{side}.url", url, made, message.url_at, offset=message.url_offset or 0):
        look.urls_changed += side == "request"
    for header in message.headers:
        look.header(index, side, header)
    if message.unread:
        look.note(f"exchange {index}, {side}: {message.unread}")


def _body(look: Look, index: int, message: Message, old: str, new: str, value: Any, made: Any) -> None:
    side = message.side
    look.images(index, f"{side}.body", old, message.at, message.offset or 0)
    if old == new:
        return
    if message.form == "value" and message.at is not None:
        if made is None:
            made = parse_json(new.encode("utf-8"))
        if value is None:
            value = parse_json(old.encode("utf-8"))
        look.values(index, f"{side}.json", value, made, message.at)
        return
    if message.form == "pieces":
        look.note("a body in several pieces")
    in_clear = message.form == "text"
    fixable = in_clear or message.form in ("binary", "base64", "packed")
    paths = paths_in(side, old, value)
    some = look.text_part(
        index, f"{side}.body", old, new, message.at, offset=message.offset or 0, paths=paths, fixable=fixable,
        in_clear=in_clear,
    )  # fmt: skip
    if some and fixable and message.at is not None:
        if not in_clear:
            look.changes.append(_encoded(message, new))
        _sizes(look, message, len(new.encode("utf-8", "surrogateescape")))


def _sizes(look: Look, message: Message, size: int) -> None:
    """What headers say about a body that changed."""
    for header in message.headers:
        if header.name == "content-length" and header.value.isdecimal() and not header.encoded:
            if header.value != str(size):
                look.changes.append(Change(header.at, str(size), [(0, len(header.value), str(size))]))
        elif header.name == "content-encoding" and message.form == "packed" and header.owner is not None:
            look.changes.append(Change(header.owner, dropped=header.key))


def _bytes(look: Look, index: int, message: Message, old: bytes, new: bytes) -> None:
    if old == new:
        if old.startswith(_PICTURES) and opaque.identifies(old):
            where = f"{message.side}.body"
            look.add(index, "opaque", where, message.at, message.offset or 0, fixable=False, severity="info")
        return
    where = f"{message.side}.body"
    fixable = message.at is not None and message.form in ("binary", "base64")
    for cls in look.classes_in(old, message.header("content-type")):
        look.add(index, cls, where, message.at, message.offset or 0, fixable=fixable)
    if message.at is not None and fixable:
        look.changes.append(Change(message.at, _written(message.form, new)))
        _sizes(look, message, len(new))


def _request_texts(message: Message, old: Request, new: Request) -> tuple[str, str, Any, Any]:
    text = message.text or ""
    if message.value is None:
        after = getattr(new.body, "text", None)
        return text, text if after is None else after, None, None
    if new.json == old.json:  # an equal message may be another object: it is the one of the request before
        return text, text, message.value, message.value
    return text, json_text.edit(text, old.json, new.json), message.value, new.json


def _binary(request: Request) -> bytes:
    data = getattr(request.body, "data", b"")
    return bytes(data)


def _encoded(message: Message, new: str) -> Change:
    assert message.at is not None
    if message.form == "base64":
        return Change(message.at, _written("base64", new.encode("utf-8", "surrogateescape")))
    return Change(message.at, new)


def _written(form: str, data: bytes) -> str | bytes:
    if form == "base64":
        return base64.b64encode(data).decode()
    return data


_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"%PDF-")
