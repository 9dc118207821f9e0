"""What is asked and answered: the exchanges that every contender replays, and the bare SDK over ready bytes.

Nothing here imports a recorder, so that a process which measures the bare SDK holds nothing else.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import anthropic
import httpx2

HOST = "api.anthropic.com"
KEY = "sk-ant-api03-" + "bench-mark_" * 8
ANSWER = 'The answer to that is a sentence or two of ordinary length, with a little ünïcode ☀️ and "quotes".'
TOOLS: list[Any] = [{"name": "lookup", "description": "d" * 400, "input_schema": {"type": "object", "properties": {}}}]


Way = Literal["create", "stream", "events"]
"""Which call of the SDK: `messages.create`, `messages.stream`, or `messages.create(stream=True)`, the cheapest."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of the SDK and its answer: the body as it comes from a socket, one event per piece."""

    way: Way
    messages: list[Any]
    pieces: tuple[bytes, ...]
    text: str

    def put(self, client: anthropic.Anthropic) -> str:
        """The answer's text, as the SDK gives it."""
        return said(client, self.way, self.messages)


def said(client: anthropic.Anthropic, way: Way, messages: list[Any]) -> str:
    """The text of one answer, read to its end."""
    question: dict[str, Any] = {"model": "claude-x", "max_tokens": 99, "messages": messages, "tools": TOOLS}
    if way == "stream":
        with client.messages.stream(**question) as stream:
            return stream.get_final_text()
    if way == "create":
        text: str = client.messages.create(**question).content[0].text
        return text
    with client.messages.create(**question, stream=True) as events:
        return "".join([event.delta.text for event in events if event.type == "content_block_delta"])


def client(base_url: str = f"https://{HOST}", http_client: httpx2.Client | None = None) -> anthropic.Anthropic:
    """A client as users make it: unless told otherwise, the SDK makes its own HTTP client."""
    return anthropic.Anthropic(api_key=KEY, base_url=base_url, max_retries=0, http_client=http_client)


@dataclass(frozen=True, slots=True)
class Workload:
    """Cassettes, each with its exchanges in recorded order; and the order in which they are asked for."""

    cassettes: Sequence[Sequence[Ask]]
    asked: Sequence[Sequence[Ask]]

    @property
    def texts(self) -> list[str]:
        """What the SDK has to give, in the order it is asked for."""
        return [ask.text for asks in self.asked for ask in asks]


# --- the exchanges ---------------------------------------------------------------------------------


def small(cassettes: int) -> Workload:
    """One exchange per cassette, not streamed."""
    every = [[_asked([question(number)], f"{number:06} {ANSWER}")] for number in range(cassettes)]
    return Workload(every, every)


def streams(number: int, events: int, way: Way = "stream") -> Workload:
    """`number` separate streams of `events` events each, in one cassette."""
    words = ["word", "another", "one", "ünïcode", "☀️"]
    asks = []
    for nth in range(number):
        deltas = [f" {words[i % 5]}{nth}.{i}" for i in range(events - 5)]
        asks.append(_streamed([question(nth)], deltas, way))
    return Workload([asks], [asks])


def conversation(turns: int) -> Workload:
    """A streamed chat: request *k* repeats all turns before it, so what walks the history per turn is a square."""
    asks, history = [], []
    for number in range(turns):
        text = f"{number:06} {ANSWER}"
        history.append(question(number))
        asks.append(_streamed(history[:], [text[start : start + 20] for start in range(0, len(text), 20)]))
        history.append({"role": "assistant", "content": text})
    return Workload([asks], [asks])


def shuffled(number: int) -> Workload:
    """Separate exchanges in one cassette, asked for in another order than recorded; the same one in every run."""
    asks = [_asked([question(nth)], f"{nth:06} {ANSWER}") for nth in range(number)]
    asked = asks[:]
    random.Random(0).shuffle(asked)
    return Workload([asks], [asked])


def question(number: int) -> dict[str, Any]:
    """A user's message, another one for each number."""
    return {"role": "user", "content": f"Question {number:06}: " + "what about this? " * 8}


def _message(text: str, content: list[Any]) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 1}
    return {"id": f"msg_{zlib.crc32(text.encode()):010}", "type": "message", "role": "assistant", "model": "claude-x",
            "content": content, "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip


def _asked(messages: list[Any], text: str) -> Ask:
    message = _message(text, [{"type": "text", "text": text}]) | {"stop_reason": "end_turn"}
    return Ask("create", messages, (json.dumps(message, separators=(",", ":")).encode(),), text)


def _streamed(messages: list[Any], deltas: Sequence[str], way: Way = "stream") -> Ask:
    text = "".join(deltas)
    message = _message(text, [])
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": d}} for d in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": message["usage"]},
        {"type": "message_stop"},
    ]  # fmt: skip
    lines = [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events]
    return Ask(way, messages, tuple(line.encode() for line in lines), text)


# --- asking ----------------------------------------------------------------------------------------


class _Pieces(httpx2.SyncByteStream):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)


def ready(asks: Sequence[Ask], *, whole: bool) -> anthropic.DefaultHttpxClient:
    """The SDK's own HTTP client over a mock transport that answers with ready bytes, in the order of `asks`.

    Args:
        whole: each body as one block, instead of as one piece per event.
    """
    bodies = iter([((b"".join(ask.pieces),) if whole else ask.pieces, ask.way != "create") for ask in asks])

    def answer(_request: httpx2.Request) -> httpx2.Response:
        pieces, streamed = next(bodies)
        headers = {"content-type": "text/event-stream" if streamed else "application/json"}
        return httpx2.Response(200, headers=headers, stream=_Pieces(pieces))

    return anthropic.DefaultHttpxClient(transport=httpx2.MockTransport(answer))


def ask_all(
    workload: Workload,
    opening: Callable[[int], AbstractContextManager[Any]] = lambda _: nullcontext(),
    http_client: Callable[[Sequence[Ask]], httpx2.Client] | None = None,
) -> list[str]:
    """The texts of all answers; each cassette is opened, asked through a client of its own, and closed.

    Args:
        opening: what is open around the requests to cassette number *n*.
        http_client: what the SDK gets as its HTTP client; by default it makes its own, as users let it.
    """
    texts = []
    for number, asks in enumerate(workload.asked):
        with opening(number), client(http_client=http_client(asks) if http_client else None) as sdk:
            texts += [ask.put(sdk) for ask in asks]
    return texts


def bare(workload: Workload, *, whole: bool = True) -> list[str]:
    """The same without any recorder: the floor."""
    return ask_all(workload, http_client=lambda asks: ready(asks, whole=whole))
