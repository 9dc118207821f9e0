"""Which way a request goes that a client other than httpx or httpx2 is about to send.

One function for all of these clients; each decision is the conversation's own (`claims`, `decide`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from convo_replay.call import Call
from convo_replay.conversation import Conversation
from convo_replay.exchange import Chunk, End, Exchange, Head, Request
from convo_replay.nesting import current
from convo_replay.player import Play
from convo_replay.transports import tokens
from convo_replay.transports.httpx import header_text, library_of, of_body, ours_to_explain


def may_be_ours(method: str, url: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request is claimed whatever its body is, which must be read first if so."""
    conversation = current()
    if conversation is None:
        return False
    with ours_to_explain():
        ours = _request(method, url, headers)
        return not _leaves_http(ours) and (tokens.is_token_endpoint(method, url) or conversation.claims(ours))


def routed(
    method: str, url: str, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> tuple[Conversation, Play | Call] | None:
    """What to play, or the call that takes down the live one; `None`: the request is not ours.

    Raises:
        ConvoFailure: nothing answers it, or what `Conversation.decide` raises besides.
    """
    conversation = current()
    if conversation is None:
        return None
    with ours_to_explain():
        ours = _request(method, url, headers)
        if _leaves_http(ours):
            return None
        if tokens.is_token_endpoint(method, url):
            if conversation.record != "none":
                return None
            conversation.refreshed()
            status, answered, content = tokens.synthetic(url)
            return conversation, Play(Exchange(ours, (Head(status, answered), Chunk(0.0, content), End())), -1)
        if body:
            ours = replace(ours, body=conversation.read_body(body, *of_body(ours)))
        if not conversation.claims(ours):
            return None
        decision = conversation.decide(ours)
    if isinstance(decision, Call):
        decision.decode = _decoded
    return conversation, decision


def _request(method: str, url: str, headers: Iterable[tuple[bytes, bytes]]) -> Request:
    return Request(method, url, tuple([(header_text(name).lower(), header_text(value)) for name, value in headers]))


def _leaves_http(request: Request) -> bool:
    return request.header("upgrade") is not None  # a WebSocket


def _decoded(head: Head, chunks: Sequence[Chunk]) -> tuple[list[Chunk], str | None]:
    if all(name != "content-encoding" for name, _ in head.headers):
        return list(chunks), None
    import httpx

    return library_of(httpx).decode(head, chunks)
