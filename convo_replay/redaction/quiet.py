"""Exchanges that hold nothing to redact and teach nothing, told by their texts, many of them at once.

To redact an exchange is to walk through it; a scan of cassettes needs that only where something is. So the texts of
which redaction would decide, each once, are searched together: what is new in requests, headers that stay, bodies,
the pieces of streams joined by address and every other kind of event. It is generous: what it does not know for sure
is redacted, and what it knows is what redaction asks before it walks (`Values.may_find`, `Values.finds`).

What is found later, in another exchange, is a value to look for here, too: `again` asks for those alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from convo_replay import providers
from convo_replay.bodies import parse_json
from convo_replay.exchange import Exchange, Headers, Json, Request
from convo_replay.redaction import headers, logprobs, naming, opaque, placed, placeholders, skimming, urls
from convo_replay.redaction.values import Values

Lines = Sequence[tuple[str, str, str]]
"""(anything, name or `-` or `:`, data) of the events of a stream."""

_TOGETHER, _PARTS = 1 << 15, 8
"""Characters that are searched as one text, and into how many parts it goes where something is found in it."""
_OPAQUE = re.compile(r"ignature|encrypted|redacted(?!-)")
"""JSON text without any of these holds no opaque field."""
_OPENS = re.compile(r"\s*[\[{]")
_MASKED = re.compile(rf'"(?:{placeholders.PLACEHOLDER.pattern})"')
_BY_PLACE = ("server_url", "headers")
"""Keys of a tool whose values are redacted by their place."""


class Quiet:
    """What is known of the exchanges of one conversation.

    Args:
        values: of its redactor. Nothing is learned here.
        before: what took the texts already.
    """

    def __init__(self, values: Values, before: Quiet | None = None) -> None:
        self._values = values
        self._loud: set[int] = set(before._loud) if before is not None else set()
        self._json: dict[str, list[int]] = before._json if before is not None else {}
        self._plain: dict[str, list[int]] = before._plain if before is not None else {}
        self._opaque: dict[str, list[int]] = before._opaque if before is not None else {}
        """Texts, and the values of opaque fields, with the exchanges they stand in."""
        self._urls: dict[str, list[str] | None] = {}
        self._headers: dict[tuple[str, str, bool], bool | None] = {}

    def add(self, index: int, exchange: Exchange, written: Any, lines: Lines | None = None) -> None:
        """Takes the texts of an exchange.

        Args:
            index: by which `loud` names it.
            written: what is new in the JSON of its request; the rest stands in earlier ones.
            lines: its event stream, where the exchange has none of its chunks.
        """
        told = exchange.extra or exchange.end.detail
        if told or not (self._asked(index, exchange.request, written) and self._answered(index, exchange, lines)):
            self._loud.add(index)

    def loud(self) -> set[int]:
        """The exchanges in which something may be redacted, or learned."""
        self._search(self._json, self._values.may_find)
        self._search(self._plain, self._values.finds)
        return self._loud_by_opaque()

    def again(self) -> set[int]:
        """The same, once values were learned elsewhere."""
        for texts in (self._json, self._plain):
            self._search(texts, self._values.detector.knows)
        return self._loud_by_opaque()

    def _search(self, texts: Mapping[str, Sequence[int]], holds: Callable[[str], bool]) -> None:
        asked = [text for text, owners in texts.items() if not self._loud.issuperset(owners)]
        for text in _holding(asked, holds):
            self._loud.update(texts[text])

    def _loud_by_opaque(self) -> set[int]:
        for text, owners in self._opaque.items():
            if not self._loud.issuperset(owners) and self._values.replaces(text):
                self._loud.update(owners)
        return set(self._loud)

    # --- requests -----------------------------------------------------------------------------------

    def _asked(self, index: int, request: Request, written: Any) -> bool:
        if not (self._url(index, request.url) and self._stay(index, request.headers, response=False)):
            return False
        if request.body is None:
            return True
        if not isinstance(request.body, Json) or not isinstance(request.json, dict) or _is_placed(request):
            return False
        try:
            text = orjson.dumps(written).decode()
        except (TypeError, ValueError):  # lone surrogates, integers beyond 64 bits
            return False
        return self._document(index, text, written)

    def _url(self, index: int, url: str) -> bool:
        if url not in self._urls:
            self._urls[url] = _texts_of(url)
        found = self._urls[url]
        for text in found or ():
            self._plain.setdefault(text, []).append(index)
        return found is not None

    def _stay(self, index: int, given: Headers, *, response: bool) -> bool:
        """Takes headers; `False` where one is redacted."""
        for name, value in given:
            asked = name, value, response
            if asked not in self._headers:
                self._headers[asked] = self._stays(*asked)
            stays = self._headers[asked]
            if stays is None:
                return False
            if stays:
                self._plain.setdefault(value, []).append(index)
        return True

    def _stays(self, spelled: str, value: str, response: bool) -> bool | None:
        """Whether a header's value is kept as a text; `None` where it is redacted, or tells something."""
        name = spelled.lower()
        learned = headers.credentials(((name, value),)) if not response or name == "set-cookie" else iter(())
        if next(learned, None) is not None or (name in headers.IDS and headers.is_distinctive(value)):
            return None
        cls, policy = headers.decide(name, None, self._values.policy, response=response)
        if policy == "placeholder" and cls is not None:
            return False if placeholders.PLACEHOLDER.fullmatch(value) else None
        if policy == "keep":
            return None if (response and name == "location") or _OPENS.match(value) else True
        return False

    def _document(self, index: int, text: str, value: Any) -> bool:
        """Takes the text of a JSON value, and its opaque fields by themselves."""
        if _OPAQUE.search(text) is not None and self._values.policy(placeholders.OPAQUE_CLASS) != "keep":
            signed = []
            for field, held, owner in _strings(value):
                if opaque.is_opaque(field, held, owner):
                    self._opaque.setdefault(held, []).append(index)
                    signed.append(held)
                elif _OPENS.match(held) and _OPAQUE.search(held):
                    return False
            text = opaque.without(text, signed)
        if placeholders.may_hold(text):
            text = _MASKED.sub('""', text)
        self._json.setdefault(text, []).append(index)
        return True

    # --- answers ------------------------------------------------------------------------------------

    def _answered(self, index: int, exchange: Exchange, lines: Lines | None) -> bool:
        head = exchange.head
        if head is not None and (head.reason or not self._stay(index, head.headers, response=True)):
            return False
        if lines is not None:
            return self._stream(index, lines)
        body = exchange.body
        return not body or (not exchange.content_type.startswith("text/event-stream") and self._body(index, body))

    def _body(self, index: int, body: bytes) -> bool:
        if body[:1] != b"{" or b"\n{" in body or b"\r{" in body or logprobs.may_hold(body):
            return False
        try:
            text, value = body.decode("utf-8"), parse_json(body)
        except ValueError:
            return False
        return not (placed.may_hold(text) and placed.is_placed(value, self._values)) and self._document(
            index, text, value
        )

    def _stream(self, index: int, lines: Lines) -> bool:
        text = "\n\n".join(
            [f"event: {name}\ndata: {data}" if name not in _MARKS else _unnamed(name, data) for _, name, data in lines]
        )
        skim = None if '"logprobs' in text and logprobs.may_hold(text.encode()) else skimming.taken(text, self._values)
        if skim is None:
            return False
        for other in skim.others:
            self._plain.setdefault(other, []).append(index)
        for address, parts in skim.pieces.items():
            whole = "".join(parts)
            if whole and address[-1] in opaque.FIELDS:
                self._opaque.setdefault(whole, []).append(index)
                whole = "" if opaque.is_opaque(str(address[-1]), whole, _NOWHERE) else whole
            if whole:
                self._plain.setdefault(whole, []).append(index)
        return True


_NOWHERE: dict[str, Any] = {"type": "redacted_thinking"}


def _holding(texts: Sequence[str], holds: Callable[[str], bool]) -> Iterator[str]:
    """Those of many texts in which something may be; many are asked as one, as no value goes over a line break."""
    start = size = 0
    for at, text in enumerate(texts):
        size += len(text)
        if size >= _TOGETHER or at + 1 == len(texts):
            yield from _narrowed(texts[start : at + 1], holds)
            start, size = at + 1, 0


def _narrowed(texts: Sequence[str], holds: Callable[[str], bool]) -> Iterator[str]:
    if holds("\n".join(texts)):
        if len(texts) == 1:
            yield texts[0]
        else:
            size = -(-len(texts) // _PARTS)
            for start in range(0, len(texts), size):
                yield from _narrowed(texts[start : start + size], holds)


def _texts_of(url: str) -> list[str] | None:
    """What of a URL is redacted as a text; `None` where something is known by its place."""
    texts: list[str] = []
    known = False

    def text(part: str) -> str:
        texts.append(part)
        return part

    def place(_: str, value: str) -> str:
        nonlocal known
        known = True
        return value

    urls.redact(url, text, place)
    return None if known or any(map(_OPENS.match, texts)) else texts


def _is_placed(request: Request) -> bool:
    """Whether something in the JSON of a request is redacted for where it stands, and is no placeholder."""
    value = request.json
    tools = value.get("tools")
    named = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    if "mcp_servers" in value or any(key in tool for tool in named for key in _BY_PLACE):
        return True
    if any(isinstance(held, str) and naming.telling(key) for key, held in value.items()):
        return True
    return any(not _is_placeholder(value, path) for path, _ in placed.found(providers.find(request), value))


def _is_placeholder(value: Any, path: placed.Path) -> bool:
    for step in path:
        value = value[step]
    return placeholders.PLACEHOLDER.fullmatch(value) is not None


def _strings(value: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(key, text, mapping) of each string of a JSON value; no key where it stands in a list."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key, held in item.items():
                if isinstance(held, str):
                    yield key, held, item
                else:
                    stack.append(held)
        elif isinstance(item, list):
            for held in item:
                if isinstance(held, str):
                    yield "", held, {}
                else:
                    stack.append(held)


_MARKS = ("-", ":")


def _unnamed(name: str, data: str) -> str:
    return f"data: {data}" if name == "-" else f": {data}"
