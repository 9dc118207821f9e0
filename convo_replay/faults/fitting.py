"""Why an answer cannot have a fault: sentences that several faults share. Empty where it can."""

from __future__ import annotations

from convo_replay.exchange import Exchange
from convo_replay.providers import find, wire


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
    if not exchange.is_stream:
        return f"wants an event stream; the recorded answer is {described(exchange)}"
    return "" if exchange.body else "wants an event stream; the recorded one is empty"


def wants_json(exchange: Exchange) -> str:
    """For faults of a JSON answer."""
    if exchange.head is None or exchange.is_stream or wire.parse(exchange.body) is None:
        return f"wants a JSON answer; the recorded one is {described(exchange)}"
    return ""


def wire_format(exchange: Exchange) -> str:
    """`anthropic`, `openai_chat`, another one of a provider from outside, or empty where nobody says."""
    provider = find(exchange.request)
    return str(getattr(provider, "format", "") or "") if provider is not None else ""
