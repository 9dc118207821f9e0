"""Why an answer cannot have a fault: sentences that several faults share. Empty where it can."""

from __future__ import annotations

from convo_replay.exchange import Exchange
from convo_replay.faults import positions
from convo_replay.providers import find, wire

_FORMATS = {"anthropic": "the Messages API", "openai_chat": "chat completions"}


def described(exchange: Exchange) -> str:
    """A recorded answer in a few words: `200 application/json`."""
    if exchange.head is None:
        return f"none (the recorded attempt ended {exchange.end.kind})"
    return f"{exchange.status} {exchange.content_type or 'without content-type'}"


def wants_answer(exchange: Exchange) -> str:
    """For faults of the head or the body."""
    if exchange.head is None:
        return f"wants an answer; the recorded one is {described(exchange)}"
    return ""


def wants_stream(exchange: Exchange) -> str:
    """For faults of events."""
    if positions.events(exchange):
        return ""
    return f"wants an event stream; the recorded answer is {described(exchange)}"


def wants_json(exchange: Exchange) -> str:
    """For faults of a JSON document."""
    if exchange.head is None or positions.events(exchange) or wire.parse(exchange.body) is None:
        return f"wants a JSON answer; the recorded one is {described(exchange)}"
    return ""


def wants_body(exchange: Exchange) -> str:
    """For faults of bytes, whatever they say."""
    if not exchange.body:
        return f"wants an answer with a body; the recorded one is {described(exchange)}"
    return ""


def wants_format(exchange: Exchange, *formats: str) -> str:
    """For faults that know what an event or an answer means."""
    spoken = wire_format(exchange)
    if spoken in formats:
        return ""
    wanted = " or ".join(_FORMATS[one] for one in formats)
    return (
        f"wants {wanted}; this turn speaks {_FORMATS.get(spoken, spoken or 'a format that its provider does not name')}"
    )


def wire_format(exchange: Exchange) -> str:
    """`anthropic`, `openai_chat`, another one of a provider from outside, or empty where nobody says."""
    provider = find(exchange.request)
    return str(getattr(provider, "format", "") or "") if provider is not None else ""
