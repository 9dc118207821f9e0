"""Reads what came back: a stream, a JSON document, or neither.

A status of 400 or more, a redirect, no status, a connection that broke: outcomes, which applications have to
live with; nothing is said about them here. What is judged is an answer that claims to be one, also
where an SDK stays silent about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from convo_replay import sse
from convo_replay.exchange import Exchange
from convo_replay.providers import Provider, Reply, anthropic, find, openai_chat, wire
from convo_replay.validation import stream_rules as rules
from convo_replay.validation import streams
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, value
from convo_replay.validation.gateways import severities_of
from convo_replay.validation.grammars.anthropic import AnthropicStream
from convo_replay.validation.grammars.openai_chat import ChatStream
from convo_replay.validation.stream_rules import RULES

__all__ = ["GRAMMARS", "RULES", "Read", "read"]

GRAMMARS: Final[Mapping[str, type[streams.Reading]]] = {"anthropic": AnthropicStream, "openai_chat": ChatStream}
_BUILT_IN: Final[Mapping[str, anthropic.Anthropic | openai_chat.OpenAIChat]] = {
    "anthropic": anthropic.provider,
    "openai_chat": openai_chat.provider,
}
_FIELD: Final = re.compile(rb"(?:^|[\r\n]|\xbf)(?:data|event|id|retry):")
"""The first line of an event, also after comments or a byte order mark."""
_MESSAGE_KEY: Final = {"anthropic": "content", "openai_chat": "choices"}


@dataclass(frozen=True, slots=True)
class Read:
    """What came back.

    Attributes:
        findings: what is wrong with it; empty where the outcome is no answer (an error, a broken connection).
        reply: the answer as far as it came; `None` where no success came.
    """

    findings: list[Finding]
    reply: Reply | None


def read(exchange: Exchange, asked: Asked) -> Read:
    """The answer to a request, judged.

    Where the client left before the end (`cancelled`) what it read is judged, not what it left unread.
    """
    if not 200 <= (exchange.status or 0) < 300 or exchange.content_type == wire.FRAMES:
        return Read([], None)
    provider: Provider = find(exchange.request) or _BUILT_IN[asked.format]
    told = streams.Told(severities_of(exchange, provider))
    body, end = exchange.body, exchange.end.kind
    is_events = wire.is_events(exchange, body.removeprefix(sse.BOM))
    if end not in ("complete", "cancelled"):
        if end == "undecodable":
            rule = rules.UNDECODABLE if is_events or _wants_events(asked) else rules.RESPONSE_UNDECODABLE
            encoding = exchange.header("content-encoding") or "its content-encoding"
            told.tell(rule, (), f"expected a body in {value(encoding)[1:-1]}, got one that cannot be decompressed")
        return Read(told.findings, provider.reply(exchange))
    whole = end == "complete"
    if is_events:
        reply = _read_events(exchange, body, asked, provider, told, whole)
    else:
        reply = provider.reply(exchange)
        _read_document(body, asked, told, whole)
    cut = told.has(rules.TOOL_JSON) or told.has(rules.UNTERMINATED)
    if reply.tool_uses and reply.error is None and whole and not cut:
        from convo_replay.validation import tool_inputs

        told.add(tool_inputs.check(reply, asked))
    return Read(told.findings, reply)


def _wants_events(asked: Asked) -> bool | None:
    """Whether the request asks for a stream; `None` where its body is not known."""
    if not asked.body:
        return None
    if ":streamrawpredict" in wire.address(asked.request)[1]:
        return True
    return asked.body.get("stream") is True


def _read_events(
    exchange: Exchange, body: bytes, asked: Asked, provider: Provider, told: streams.Told, whole: bool
) -> Reply:
    grammar = GRAMMARS[asked.format]
    events = streams.received(body, told, grammar.names)
    rest = streams.rest_of(body)
    if not events and not (rest and _FIELD.search(body)):
        if whole:
            told.tell(rules.NOT_EVENTS, (), f"expected events, got {_shown(body)}", "error")
        return provider.reply(exchange)
    if events and _wants_events(asked) is False:
        told.tell(rules.STREAM_NOT_ASKED, (), f"expected one JSON document, got a stream of {len(events)} events")
    grammar(asked, told, whole=whole, rest=rest).walk(events)
    from convo_replay.validation import schema

    datas = [None if data.__class__ is not dict or data.get("error") else data for _, _, data in events]
    told.add(schema.event_findings(asked.format, datas, beta=asked.beta))
    # A provider of another package puts its answers together itself.
    own = isinstance(provider, anthropic.Anthropic | openai_chat.OpenAIChat)
    return provider.joined(events) if own else provider.reply(exchange)  # type: ignore[attr-defined]


def _read_document(body: bytes, asked: Asked, told: streams.Told, whole: bool) -> None:
    streamed = _wants_events(asked)
    document = wire.parse(body)
    broken = document is None and body.strip() != b"null"
    if streamed and (whole or not broken):
        # Plain JSON in place of a stream is a habit of gateways; anything else is an answer to nobody.
        plain = isinstance(document, dict) and not document.get("error")
        what = "plain JSON" if plain else _shown(body)
        told.tell(rules.NOT_EVENTS, (), f"expected events (`stream: true`), got {what}", None if plain else "error")
        if not plain:
            return
    elif broken:
        if whole:
            told.tell(rules.RESPONSE_NOT_JSON, (), f"expected a JSON document, got {_shown(body)}")
        return
    if not isinstance(document, dict):
        told.tell(rules.RESPONSE_NOT_MESSAGE, (), f"expected a JSON object, got {value(document)}")
        return
    if document.get("error") and (document.get("type") == "error" or not document.get(_MESSAGE_KEY[asked.format])):
        told.tell(
            rules.RESPONSE_ERROR,
            ("error",),
            f"expected an answer, for the status is 200, got the error {value(document['error'])}",
        )
        return
    from convo_replay.validation import schema

    told.add(schema.response_findings(asked.format, document, beta=asked.beta))


def _shown(body: bytes) -> str:
    """What a body is that is not what it should be."""
    if not body.strip():
        return "an empty body"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"bytes that are no UTF-8: {body[error.start : error.start + 4].hex(' ')} at {error.start}"
    kind = "HTML" if text.lstrip().startswith("<") else "JSON" if wire.parse(text) is not None else "text"
    return f"{kind}: {_start(text)}"


def _start(text: str) -> Any:
    return value(text[:160])
