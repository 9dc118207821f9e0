"""Log probabilities: a text that is told once more, token by token, each also as bytes.

A secret in an answer stands split over the tokens, in a list or over the events of a stream. Tokens of
one list are pieces of one value, found and written back as in streams; the `bytes` of a token say what
the token says, and the alternatives at a place that was touched, which may show the secret's next
characters, are emptied.

Shapes: OpenAI chat (`logprobs.content`, `logprobs.refusal`) and Responses (`logprobs`), lists of
`{token, bytes, top_logprobs}`; OpenAI completions (`logprobs.tokens`, `text_offset`, and `top_logprobs`
as objects with tokens for keys); Gemini (`logprobsResult`, without bytes).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from convo_replay.redaction import streams
from convo_replay.redaction.streams import Address, Span

_MARK = re.compile(rb'"logprobs(?:Result)?"\s*:\s*(?:\[\s*[^\]\s]|\{)')

Changes = dict[tuple[int, str], Any]
"""(id of an object, field) → what becomes of the value there."""


class _Token(NamedTuple):
    data: bytes
    owner: dict[str, Any]
    """The token's own object, or the one that holds the lists of a completion."""
    at: int = -1
    """Its place in those lists."""
    others: dict[str, Any] | None = None
    """What holds the alternatives, where that is not the token's own object."""

    def __repr__(self) -> str:
        return f"<token of {len(self.data)} bytes>"


def may_hold(body: bytes) -> bool:
    """Whether there are log probabilities in a body; cheap."""
    return _MARK.search(body) is not None


def changes(values: Iterable[Any], spans: Callable[[str], Sequence[Span]]) -> Changes:
    """What becomes of the tokens in `values`, the events of a stream or one document.

    Args:
        spans: what is to be replaced in a text, in order and apart from each other.
    """
    groups: dict[Address, list[_Token]] = {}
    for value in values:
        if isinstance(value, dict):
            for address, token in _tokens(value, streams.root(value)):
                groups.setdefault(address, []).append(token)
    made: Changes = {}
    for tokens in groups.values():
        texts, links = _texts(tokens)
        becomes = streams.write_back(texts, spans)
        shift = 0
        for token, text, new, touched in zip(tokens, texts, becomes, _touched(texts, becomes, links), strict=True):
            if token.at >= 0:
                _change_listed(token, new if touched else None, shift, made)
            elif touched:
                _change_own(token, new, made)
            shift += len(new) - len(text)
    return made


def _tokens(value: Any, path: Address) -> Iterator[tuple[Address, _Token]]:
    if isinstance(value, list):
        for position, item in enumerate(value):
            if isinstance(item, (dict, list)):
                numbered = isinstance(item, dict) and isinstance(item.get("index"), int)
                yield from _tokens(item, (*path, None if numbered else position))
    elif isinstance(value, dict):
        here = streams.indexed(value, path)
        for key, held in value.items():
            if key in ("logprobs", "logprobsResult"):
                yield from _in_field(held, (*here, key))
            elif isinstance(held, (dict, list)):
                yield from _tokens(held, (*here, key))


def _in_field(held: Any, address: Address) -> Iterator[tuple[Address, _Token]]:
    if isinstance(held, list):
        yield from ((address, token) for token in _own(held))
    elif isinstance(held, dict):
        for name in ("content", "refusal"):
            if isinstance(held.get(name), list):
                yield from (((*address, name), token) for token in _own(held[name]))
        tokens = held.get("tokens")
        if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
            yield from ((address, _Token(_bytes(token), held, at)) for at, token in enumerate(tokens))
        chosen, tops = held.get("chosenCandidates"), held.get("topCandidates")
        if isinstance(chosen, list):
            above = tops if isinstance(tops, list) else []
            for at, token in enumerate(_own(chosen)):
                others = above[at] if at < len(above) and isinstance(above[at], dict) else None
                yield (*address, "chosen"), token._replace(others=others)


def _own(entries: list[Any]) -> Iterator[_Token]:
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("token"), str):
            yield _Token(_said(entry), entry)


def _said(entry: dict[str, Any]) -> bytes:
    held = entry.get("bytes")
    if isinstance(held, list) and held and all(type(one) is int and 0 <= one < 256 for one in held):
        return bytes(held)
    return _bytes(entry["token"])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _texts(tokens: Sequence[_Token]) -> tuple[list[str], list[bool]]:
    """What each token adds to the text, and whether it ends inside a character, which is the next one's then."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    texts, links = [], []
    for at, token in enumerate(tokens):
        texts.append(decoder.decode(token.data, final=at == len(tokens) - 1))
        links.append(bool(decoder.getstate()[0]))
    return texts, links


def _touched(texts: Sequence[str], becomes: Sequence[str], links: Sequence[bool]) -> list[bool]:
    """Which tokens are written anew: those that share a character with a changed one, too."""
    touched = [text != new for text, new in zip(texts, becomes, strict=True)]
    for at in range(1, len(touched)):
        touched[at] = touched[at] or (links[at - 1] and touched[at - 1])
    for at in range(len(touched) - 2, -1, -1):
        touched[at] = touched[at] or (links[at] and touched[at + 1])
    return touched


def _change_own(token: _Token, new: str, made: Changes) -> None:
    entry = token.owner
    _say(entry, new, made)
    others = token.others or entry
    for key in ("top_logprobs", "candidates"):
        if isinstance(others.get(key), list):
            for other in others[key]:
                if isinstance(other, dict) and isinstance(other.get("token"), str):
                    _say(other, new if other["token"] == entry["token"] else "", made)


def _say(entry: dict[str, Any], text: str, made: Changes) -> None:
    made[id(entry), "token"] = text
    if isinstance(entry.get("bytes"), list):
        made[id(entry), "bytes"] = list(_bytes(text))
    if isinstance(entry.get("tokenId"), int):
        made[id(entry), "tokenId"] = 0


def _change_listed(token: _Token, new: str | None, shift: int, made: Changes) -> None:
    lists, at = token.owner, token.at
    offsets, tops = lists.get("text_offset"), lists.get("top_logprobs")
    if shift and isinstance(offsets, list) and at < len(offsets) and type(offsets[at]) is int:
        made.setdefault((id(lists), "text_offset"), offsets.copy())[at] = max(0, offsets[at] + shift)
    if new is None:
        return
    made.setdefault((id(lists), "tokens"), lists["tokens"].copy())[at] = new
    if isinstance(tops, list) and at < len(tops) and isinstance(tops[at], dict):
        made.setdefault((id(lists), "top_logprobs"), tops.copy())[at] = {
            new if name == lists["tokens"][at] else "*" * (number + 1): held
            for number, (name, held) in enumerate(tops[at].items())
        }
