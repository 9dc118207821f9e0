"""How an exchange ended, and what it cost, in words."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from convo_replay.exchange import Exchange
from convo_replay.providers import Usage

_PHRASES: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}


def status(exchange: Exchange) -> str:
    """`429 Too Many Requests`; empty where no status line arrived."""
    if exchange.status is None:
        return ""
    reason = exchange.head.reason if exchange.head else ""
    return f"{exchange.status} {reason or _PHRASES.get(exchange.status, '')}".strip()


def broken(exchange: Exchange) -> str:
    """`reset`, `timeout (read)`; empty where the exchange came to its end."""
    end = exchange.end
    return "" if end.kind == "complete" else end.kind + (f" ({end.phase})" if end.phase else "")


def unfinished(exchange: Exchange) -> str:
    """What is said of an answer that is not complete and holds no error."""
    if exchange.end.kind == "complete" and not exchange.is_stream:
        return "no message in the answer"
    return "incomplete: the answer has no proper end"


def tokens(used: Usage) -> str:
    """`1,234 tokens in (1,000 of them cached), 56 out`."""
    cached = used.cache_read_input_tokens
    note = f" ({cached:,} of them cached)" if cached else ""
    return f"{used.total_input_tokens:,} tokens in{note}, {used.output_tokens:,} out"


def number(count: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
