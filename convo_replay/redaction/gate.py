"""The gate before every save: the redacted form, looked through again with the same detectors.

Redacting is idempotent, so whatever it would still change is a leak. Where is found only then, by
descending into what holds one. A leak is named by its class and place, never by its value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange, Head, Json, Request
from convo_replay.redaction import responses
from convo_replay.redaction.redactor import Redactor

Leak = tuple[str, str]
"""(class, where): `("anthropic-key", "exchanges[2].response.sse[14]")`."""


def leaks(exchanges: Iterable[Exchange], redactor: Redactor) -> list[Leak]:
    """What redacted exchanges still hold, values split over stream events included; empty when safe."""
    found: list[Leak] = []
    for at, exchange in enumerate(exchanges):
        with redactor.probing() as classes:
            redactor.exchange(exchange)
            redactor.text(exchange.test)
        if classes:
            places = [
                *_in_request(exchange, f"exchanges[{at}]", redactor),
                *_in_response(exchange, f"exchanges[{at}]", redactor),
            ]
            found += places or [(cls, f"exchanges[{at}]") for cls in classes]
    return list(dict.fromkeys(found))


def leaks_in_text(data: bytes, redactor: Redactor) -> list[Leak]:
    """What the text of a file holds, as it is written: known values in any form, table patterns."""
    text = data.decode("utf-8", "replace")
    return [(cls, f"line {text.count(chr(10), 0, start) + 1}") for start, cls in redactor.known_in(text)]


def _in_request(exchange: Exchange, where: str, redactor: Redactor) -> list[Leak]:
    request = exchange.request
    found = _probe(lambda: redactor.text(exchange.test), f"{where}.test", redactor)
    found += _probe(lambda: redactor.request(Request("", request.url)), f"{where}.request.url", redactor)
    for name, value in request.headers:
        only = Request("", "", ((name, value),), request.body if not isinstance(request.body, Json) else None)
        found += _probe(
            lambda only=only: redactor._headers(only.headers, only.body, response=False),
            f"{where}.request.headers.{name}",
            redactor,
        )  # type: ignore[misc]
    if isinstance(request.body, Json):
        found += _descend(request.body.value, f"{where}.request.json", redactor)
    else:
        found += _probe(lambda: redactor._body(request.body), f"{where}.request.body", redactor)
    return found


def _in_response(exchange: Exchange, where: str, redactor: Redactor) -> list[Leak]:
    where = f"{where}.response"
    found: list[Leak] = []
    head = exchange.head
    for name, value in head.headers if head else ():
        found += _probe(
            lambda h=((name, value),): redactor._headers(h, None, response=True), f"{where}.headers.{name}", redactor
        )  # type: ignore[misc]
    body = exchange.body
    with redactor.probing() as classes:
        made = responses.redact(head, [Chunk(0.0, body)], redactor) if body else []
    if classes and exchange.is_stream:
        raws = [event.raw for event in sse.split(body)]
        with redactor.probing():
            again = responses.events(raws, redactor)
        places = [at for at, (raw, new) in enumerate(zip(raws, again, strict=True)) if raw != new]
        found += [(cls, f"{where}.sse[{at}]") for at in places for cls in dict.fromkeys(classes)]
    elif classes:
        try:
            found += _descend(exchange.response_json(), f"{where}.json", redactor)
        except ValueError:
            found += [(cls, f"{where}.body") for cls in classes]
    del made
    found += _probe(lambda: redactor.text(exchange.end.detail), f"{where}.end", redactor)
    return found


def _probe(run: Any, where: str, redactor: Redactor) -> list[Leak]:
    with redactor.probing() as classes:
        run()
    return [(cls, where) for cls in classes]


def _descend(value: Any, where: str, redactor: Redactor) -> list[Leak]:
    with redactor.probing() as classes:
        redactor._value(value)
    if not classes:
        return []
    found: list[Leak] = []
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(f"{where}.{key}", held) for key, held in value.items()]
    elif isinstance(value, list):
        children = [(f"{where}[{at}]", held) for at, held in enumerate(value)]
    for place, held in children:
        if isinstance(held, (dict, list, str)):
            found += _descend(held, place, redactor)
    return found or [(cls, where) for cls in classes]


_ = Head
