"""The gate before every save: the redacted form, looked through again with the same detectors.

Redacting is idempotent, so whatever it would still change is a leak. Where is asked only then, by
looking at each part on its own. A leak is named by its class and place, never by its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from convo_replay import sse
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Steps
from convo_replay.redaction.redactor import Redactor

Leak = tuple[str, str]
"""(class, where): `("anthropic-key", "exchanges[2].response.sse[14]")`."""


def leaks(exchanges: Iterable[Exchange], redactor: Redactor) -> list[Leak]:
    """What redacted exchanges still hold, values split over stream events included; empty when safe."""
    found: list[Leak] = []
    for at, exchange in enumerate(exchanges):
        where = f"exchanges[{at}]"
        classes = _found(redactor, redactor.exchange, exchange) + _found(redactor, redactor.label, exchange.test)
        if classes:
            places = list(_in_request(exchange, where, redactor))
            places += _in_response(exchange.steps, f"{where}.response", redactor)
            found += places or [(cls, where) for cls in classes]
    return list(dict.fromkeys(found))


def leaks_in_text(data: bytes, redactor: Redactor) -> list[Leak]:
    """What the text of a file holds, as it is written: known values in any form, table patterns."""
    text = data.decode("utf-8", "replace")
    found = [(cls, f"line {text.count(chr(10), 0, start) + 1}") for start, cls in redactor.known_in(text)]
    return list(dict.fromkeys(found))


def _found(redactor: Redactor, redact: Callable[[Any], object], what: object) -> list[str]:
    with redactor.probing() as classes:
        redact(what)
    return list(dict.fromkeys(classes))


def _in_request(exchange: Exchange, where: str, redactor: Redactor) -> Iterator[Leak]:
    request = exchange.request
    for cls in _found(redactor, redactor.label, exchange.test):
        yield cls, f"{where}.test"
    for cls in _found(redactor, redactor.request, Request("", request.url)):
        yield cls, f"{where}.request.url"
    other = None if isinstance(request.body, Json) else request.body
    for header in request.headers:
        for cls in _found(redactor, redactor.request, Request("", "", (header,), other)):
            yield cls, f"{where}.request.headers.{header[0]}"
    if isinstance(request.body, Json):
        yield from _in_value(request.body.value, f"{where}.request.json", redactor)
    else:
        for cls in _found(redactor, redactor.request, Request("", "", (), other)):
            yield cls, f"{where}.request.body"


def _in_response(steps: Steps, where: str, redactor: Redactor) -> Iterator[Leak]:
    exchange = Exchange(Request("", ""), steps)
    head, body = exchange.head or Head(0), exchange.body
    for header in head.headers:
        for cls in _found(redactor, redactor.steps, (Head(0, (header,)),)):
            yield cls, f"{where}.headers.{header[0]}"
    for cls in _found(redactor, redactor.steps, (End(detail=exchange.end.detail),)):
        yield cls, f"{where}.end"
    typed = Head(0, tuple([(name, value) for name, value in head.headers if name == "content-type"]))
    raws = [event.raw for event in sse.split(body)] if exchange.is_stream else [body]
    parts: Steps = (typed, *[Chunk(0.0, raw) for raw in raws])
    with redactor.probing() as classes:
        made = redactor.steps(parts)
    if not classes:
        return
    places: list[Leak] = []
    if exchange.is_stream and len(made) == len(parts):
        changed = [at for at, (a, b) in enumerate(zip(parts[1:], made[1:], strict=True)) if a != b]
        places = [(cls, f"{where}.sse[{at}]") for at in changed for cls in dict.fromkeys(classes)]
    elif not exchange.is_stream:
        with suppress(ValueError):
            places = list(_in_value(exchange.response_json(), f"{where}.json", redactor))
    yield from places or [(cls, f"{where}.body") for cls in classes]


def _in_value(value: Any, where: str, redactor: Redactor) -> Iterator[Leak]:
    """Descends to the smallest part that is found to leak on its own."""
    classes = _found(redactor, redactor.request, Request("", "", (), Json([value])))
    if not classes:
        return
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(f"{where}.{redactor.text(key)}", held) for key, held in value.items()]
    elif isinstance(value, list):
        children = [(f"{where}[{at}]", held) for at, held in enumerate(value)]
    inner = [leak for place, held in children for leak in _in_value(held, place, redactor)]
    yield from inner or [(cls, where) for cls in classes]
