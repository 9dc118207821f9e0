"""A file's bytes → a look at it: ours, vcrpy's, other YAML and JSON, or a text, by what it looks like.

Exchanges are recognized by their keys; in a text HTTP may stand as on the wire. What cannot be parsed is text.
"""

from __future__ import annotations

import os
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any

from convo_replay.bodies import parse_json
from convo_replay.cassette import UnknownKeys, vcrpy, yaml_reader
from convo_replay.cassette import files as cassettes
from convo_replay.cassette.python_tags import TAGS
from convo_replay.errors import CassetteError
from convo_replay.exchange import Exchange, Request
from convo_replay.redaction import Redactor, placeholders
from convo_replay.redaction.classes import Policy
from convo_replay.redaction.detect import Secret
from convo_replay.scanning import recorded, recordings, surroundings, text_edits
from convo_replay.scanning.header_shapes import Header, headers, in_text, is_headers, wsgi_name
from convo_replay.scanning.looking import Look
from convo_replay.scanning.our_cassettes import ours
from convo_replay.scanning.source_tree import Tree


def read(
    data: bytes,
    file: File,
    redact: Mapping[str, Policy] | None = None,
    secrets: Sequence[Secret] = (),
    environ: Mapping[str, str] | None = None,
    *,
    blobs: Mapping[str, bytes] | None = None,
    whole: bool = False,
) -> Look:
    """Looks at the bytes of a file.

    Args:
        redact, secrets, environ: as in `scanning.scan`.
        blobs: of a cassette of ours, where they are not beside the file yet.
        whole: whether all exchanges of a cassette of ours are redacted, to be written.

    Raises:
        CassetteError: it says it is a cassette of ours, and is none that can be read.
    """
    known = dict(os.environ if environ is None else environ)

    def anew() -> Redactor:
        return Redactor(known, secrets, redact)

    look = Look(_decoded(data), anew())
    if data.startswith(BOMS):
        data = look.text.encode("utf-8", "replace")
    if cassettes.is_ours(data):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownKeys)
            ours(look, data, file, blobs, anew, whole=whole)
        look.images(None, "", look.text, None)
        return look
    value = _parsed(data, file, look)
    if value is None:
        _text(look)
        return look
    look.value = value
    _reserve(look)
    pairs = list(recordings.pairs(value))
    if look.format == "text" and not pairs and not _has_headers(value) and isinstance(value, (dict, list)):
        _document(look, value)
        return look
    recorded.exchanges(look, pairs)
    surroundings.rest(look, value, pairs)
    surroundings.between(look)
    return look


def read_text(data: bytes, redact: Mapping[str, Policy] | None = None) -> Look:
    """Looks at the bytes of a file as a text, whatever they should be."""
    look = Look(_decoded(data), Redactor(dict(os.environ), (), redact))
    _text(look)
    return look


BOMS = (b"\xff\xfe", b"\xfe\xff")
"""How UTF-16 begins."""


def _decoded(data: bytes) -> str:
    return data.decode("utf-16" if data.startswith(BOMS) else "utf-8", "replace").removeprefix("\ufeff")


def _reserve(look: Look) -> None:
    """Placeholders that the file has keep their numbers."""
    if placeholders.may_hold(look.text):
        look.redactor.reserve([Exchange(Request("", look.text), ())])


def _parsed(data: bytes, file: File, look: Look) -> Any:
    """The value of a YAML or JSON file, with its tree; `None` for a text."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    is_json = start in (b"{", b"[")
    try:
        if is_json:
            document = vcrpy.json_document(data, str(file))
            if document is not None:
                value = document.value
                look.tree = Tree(look.text, is_json=True)
                look.format = "vcrpy" if _is_vcrpy(value) else "text"
                return value
        if file.suffix not in (".yaml", ".yml") and not _YAML.search(data):
            return None
        value = yaml_reader.read(data, str(file), yaml11=True, tags=TAGS).value
    except CassetteError:
        if file.suffix in (".yaml", ".yml") and _VCRPYS.search(data):
            raise
        return None
    if not isinstance(value, (dict, list)):
        return None
    look.tree = Tree(look.text, is_json=False)
    look.format = "vcrpy" if _is_vcrpy(value) else "text"
    return value


_YAML = re.compile(rb"^(?:interactions|http_interactions|- request):", re.MULTILINE)
_VCRPYS = re.compile(rb"^interactions:", re.MULTILINE)


def _is_vcrpy(value: Any) -> bool:
    """Whether it is a cassette that vcrpy loads: `interactions` of requests with a `uri`."""
    items = value.get("interactions") if isinstance(value, dict) else None
    return isinstance(items, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("request"), dict)
        and isinstance(item["request"].get("uri"), str)
        and isinstance(item.get("response"), dict)
        for item in items
    )


def _has_headers(value: Any) -> bool:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if any(wsgi_name(key) if isinstance(key, str) else "" for key in item):
                return True
            if any(is_headers(key) and headers(held, ()) for key, held in item.items()):
                return True
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return False


def _document(look: Look, value: Any) -> None:
    """JSON or YAML that is no recording: the body of an answer, perhaps, or a fixture."""
    if look.tree is not None and look.tree.is_json:
        made = look.body(look.text.encode("utf-8"))
        look.tree = None
        look.text_part(None, "", look.text, made, None, paths=text_edits.paths_in("", look.text, value, whole=True))
        return
    surroundings.rest(look, value, [])
    surroundings.between(look)


def _text(look: Look) -> None:
    """A text: HTTP as on the wire, an event stream, lines of JSON, or anything."""
    text = look.text
    pairs = recordings.raw_pairs(text)
    if pairs:
        recorded.exchanges(look, pairs)
        return
    if text.startswith(("data:", "event:", ":", "id:")) or text_edits.is_lines(text):
        made = look.body(text.encode("utf-8"))
        look.text_part(None, "", text, made, None, paths=text_edits.paths_in("", text, None, whole=True))
        if text_edits.is_lines(text):
            _headers_in_lines(look)
        return
    made = look.redactor.text(text)
    look.text_part(None, "", text, made, None)
    edits = text_edits.between(text, made)
    for header in in_text(text):
        start = header.offset or 0
        following = bisect_right(edits, start, key=lambda edit: edit[1])
        if following == len(edits) or edits[following][0] >= start + len(header.value):
            look.header(None, "", header)


def _headers_in_lines(look: Look) -> None:
    offset = 0
    for number, line in enumerate(look.text.splitlines(keepends=True)):
        try:
            value = parse_json(line.encode("utf-8"))
        except ValueError:
            value = None
        for path, found in _header_maps(value, ""):
            side = "response" if "response" in path.lower() else "request"
            for header in found:
                look.header(number, side, Header(header.name, header.value, (), offset=offset))
        offset += len(line)


def _header_maps(value: Any, path: str) -> Iterator[tuple[str, list[Header]]]:
    if isinstance(value, dict):
        for key, held in value.items():
            if is_headers(key) and (found := headers(held, ())):
                yield path, found
            else:
                yield from _header_maps(held, f"{path}.{key}")
    elif isinstance(value, list):
        for held in value:
            yield from _header_maps(held, path)
