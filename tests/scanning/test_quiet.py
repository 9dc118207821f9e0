"""`convo-replay scan` redacts only exchanges in which something may be, and finds what redacting all would find."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convo_replay import scanning
from convo_replay.cassette import Cassette, dump
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.redaction import Redactor, opaque
from convo_replay.scanning import findings, reading
from scan_cases import KEY, MAIL, ORGANIZATION, URL, write

TOKEN = "hk7fQ2mZ9xW4" + "aB8dE1cVt5Yb"
SIGNED = base64.b64encode(b"\x12\x34\x08" + ORGANIZATION.encode() + bytes(range(60))).decode()
CODED = base64.b64encode(f"password = {TOKEN}, {KEY}".encode()).decode()
PLAIN = base64.b64encode(bytes(range(120, 250))).decode()


def event(delta: dict[str, Any], index: int = 0) -> str:
    data = json.dumps({"type": "content_block_delta", "index": index, "delta": delta}, separators=(",", ":"))
    return f"event: content_block_delta\ndata: {data}\n\n"


def answer(*pieces: str, signature: str = PLAIN, arguments: Sequence[str] = ('{"city":', ' "Paris"}')) -> str:
    """A stream that thinks, signs, says the pieces, and asks for a tool."""
    return "".join([
        'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01","content":[]}}\n\n',
        event({"type": "thinking_delta", "thinking": "Which one?"}),
        event({"type": "signature_delta", "signature": signature}),
        *[event({"type": "text_delta", "text": piece}, 1) for piece in pieces],
        *[event({"type": "input_json_delta", "partial_json": piece}, 2) for piece in arguments],
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ])  # fmt: skip


def conversation(turns: int = 5) -> list[Exchange]:
    """Turns that hold nothing; each repeats all before it."""
    messages: list[Any] = []
    made = []
    for turn in range(turns):
        messages = [*messages, {"role": "user", "content": [{"type": "text", "text": f"Question {turn}?"}]}]
        head = Head(200, (("content-type", "text/event-stream"), ("request-id", f"req_REDACTED{turn}")), 0.1)
        steps = (head, Chunk(0.2, answer("It is ", f"{turn}", ".").encode()), End("complete", 0.3))
        asked = Request("POST", URL, (("anthropic-version", "2026-10-21"),), Json({"model": "m", "messages": messages}))
        made.append(Exchange(asked, steps, test="t.py::test_a"))
        said = [
            {"type": "thinking", "thinking": "Which one?", "signature": PLAIN},
            {"type": "text", "text": f"It is {turn}."},
        ]
        messages = [*messages, {"role": "assistant", "content": said}]
    return made


def said(exchange: Exchange, body: str) -> Exchange:
    first, _, last = exchange.steps
    return replace(exchange, steps=(first, Chunk(0.2, body.encode()), last))


def asked(exchange: Exchange, **more: Any) -> Exchange:
    return replace(exchange, request=replace(exchange.request, body=Json({**exchange.request.json, **more})))


def with_header(exchange: Exchange, name: str, value: str) -> Exchange:
    given = exchange.request.headers
    return replace(exchange, request=replace(exchange.request, headers=(*given, (name, value))))


def answered_with(exchange: Exchange, name: str, value: str) -> Exchange:
    first, *rest = exchange.steps
    assert isinstance(first, Head)
    return replace(exchange, steps=(replace(first, headers=(*first.headers, (name, value))), *rest))


Change = Callable[[Exchange], Exchange]
PLACES: dict[str, Change] = {
    "text": lambda one: said(one, answer(f"Write to {MAIL}.")),
    "text-escaped": lambda one: said(one, answer("Write to " + MAIL.replace("@", "\\u0040"))),
    **{
        f"text-split-at-{at}": lambda one, at=at: said(one, answer("Use " + KEY[:at], KEY[at:], " now"))
        for at in range(1, len(KEY), 7)
    },
    "arguments": lambda one: said(one, answer(arguments=['{"to": "ada', MAIL[3:] + '"}'])),
    "signature": lambda one: said(one, answer(signature=SIGNED)),
    "comment": lambda one: said(one, answer("Hi") + f": {KEY}\n\n"),
    "raw-event": lambda one: said(one, answer("Hi") + f"id: 7\ndata: {KEY}\n\n"),
    "name-of-event": lambda one: said(one, answer("Hi") + f"event: {KEY}\ndata: {{}}\n\n"),
    "metadata": lambda one: asked(one, metadata={"user_id": "somebody"}),
    "telling-name": lambda one: asked(one, api_key="hunter2-" + TOKEN),
    "tool": lambda one: asked(one, tools=[{"type": "mcp", "headers": {"Authorization": TOKEN}}]),
    "mcp": lambda one: asked(one, mcp_servers=[{"url": f"https://ada:{TOKEN}@mcp.invalid"}]),
    "document-in-a-text": lambda one: asked(one, system=json.dumps({"signature": SIGNED})),
    "message": lambda one: asked(one, messages=[*one.request.json["messages"], {"role": "user", "content": MAIL}]),
    "signature-sent": lambda one: asked(one, system=[{"type": "thinking", "thinking": "", "signature": SIGNED}]),
    "key-of-a-mapping": lambda one: asked(one, system={MAIL: 1}),
    "signature-that-is-a-text": lambda one: asked(
        one, system=[{"type": "thinking", "thinking": "", "signature": CODED}, {"type": "text", "text": CODED}]
    ),
    "url": lambda one: replace(one, request=replace(one.request, url=f"{URL}?key={TOKEN}")),
    "parameter": lambda one: replace(one, request=replace(one.request, url=f"{URL}?key=short")),
    "server's-parameter": lambda one: asked(one, mcp_servers=[{"url": "https://mcp.invalid?key=short"}]),
    "header": lambda one: with_header(one, "x-api-key", TOKEN),
    "header-kept": lambda one: with_header(one, "anthropic-beta", MAIL),
    "answered-header": lambda one: answered_with(one, "anthropic-organization-id", ORGANIZATION),
    "short-id": lambda one: answered_with(one, "openai-organization", "acme-inc"),
    "location": lambda one: answered_with(one, "location", f"{URL}?key={TOKEN}"),
    "request-id": lambda one: answered_with(one, "x-request-id", "req_011" + "Ex4mple" * 3),
    "rate-limit": lambda one: answered_with(one, "anthropic-ratelimit-requests-limit", "4000"),
    "test": lambda one: replace(one, test=f"t.py::test_a[{KEY}]"),
    "detail": lambda one: replace(one, steps=(*one.steps[:-1], End("reset", 0.3, "", KEY))),
    "reason": lambda one: replace(one, steps=(replace(one.head, reason=KEY), *one.steps[1:])) if one.head else one,
    "extra": lambda one: replace(one, extra={"note": KEY}),
    "json-answer": lambda one: said(answered_with(one, "x-kind", "json"), json.dumps({"content": MAIL})),
}  # fmt: skip
"""Where something may stand → an exchange in which it does."""


def written(path: Path, exchanges: Sequence[Exchange]) -> Path:
    return write(path, dump(Cassette(exchanges=list(exchanges))).text)


def found(file: Path, *, whole: bool, **settings: Any) -> list[dict[str, object]]:
    data = file.read_bytes()
    look = reading.read(
        data, file, environ=settings.get("environ", {}), secrets=settings.get("secrets", ()), whole=whole
    )
    return [hit.to_json() for hit in findings.found(look, file, len(data)).findings]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_found_is_what_redacting_every_exchange_finds(place: str, tmp_path: Path) -> None:
    exchanges = conversation()
    exchanges[2] = PLACES[place](exchanges[2])
    file = written(tmp_path / "a.yaml", exchanges)
    hits = found(file, whole=False)
    assert {hit["exchange"] for hit in hits} == {2}
    assert hits == found(file, whole=True)


LEARNED: dict[str, Callable[[list[Exchange]], None]] = {}


def learned(change: Callable[[list[Exchange]], None]) -> None:
    LEARNED[change.__name__] = change


@learned
def from_a_later_header(exchanges: list[Exchange]) -> None:
    exchanges[1] = said(exchanges[1], answer("It is ", TOKEN[:9], TOKEN[9:]))
    exchanges[4] = with_header(exchanges[4], "x-api-key", TOKEN)


@learned
def from_an_earlier_name(exchanges: list[Exchange]) -> None:
    exchanges[0] = asked(exchanges[0], system=f"password = {TOKEN}")
    exchanges[3] = said(exchanges[3], answer(f"{TOKEN}?"))


@learned
def one_from_the_other(exchanges: list[Exchange]) -> None:
    exchanges[4] = with_header(exchanges[4], "x-api-key", TOKEN)
    exchanges[2] = said(exchanges[2], answer(f"With {TOKEN} api_key: {TOKEN[::-1]}"))
    exchanges[0] = said(exchanges[0], answer(f"{TOKEN[::-1]}!"))


@learned
def into_a_header(exchanges: list[Exchange]) -> None:
    exchanges[0] = with_header(exchanges[0], "x-api-key", TOKEN)
    exchanges[3] = with_header(exchanges[3], "anthropic-beta", f"about-{TOKEN}")


@pytest.mark.parametrize("way", LEARNED)
def test_what_one_exchange_tells_is_found_in_the_others(way: str, tmp_path: Path) -> None:
    exchanges = conversation()
    LEARNED[way](exchanges)
    file = written(tmp_path / "a.yaml", exchanges)
    hits = found(file, whole=False)
    assert len({hit["exchange"] for hit in hits}) >= 2
    assert hits == found(file, whole=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"environ": {"SOME_API_KEY": "Question 3? It is"}},
        {"secrets": ["Question 3"]},
        {"secrets": [re.compile("Question [34]")]},
        {"secrets": [lambda text: [(at.start(), at.end()) for at in re.finditer("is 2", text)]]},
    ],
    ids=["environment", "text", "pattern", "function"],
)
def test_what_is_told_to_be_secret_is_found(settings: dict[str, Any], tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", conversation())
    hits = found(file, whole=False, **settings)
    assert hits == found(file, whole=True, **settings)
    assert hits


def test_only_exchanges_that_may_hold_something_are_redacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[str] = []
    redact = Redactor.exchange

    def noted(self: Redactor, exchange: Exchange) -> Exchange:
        asked_for.append(exchange.test)
        return redact(self, exchange)

    exchanges = [replace(one, test=f"t.py::test_{number}") for number, one in enumerate(conversation(30))]
    exchanges[7] = said(exchanges[7], answer(f"Write to {MAIL}."))
    file = written(tmp_path / "a.yaml", exchanges)
    monkeypatch.setattr(Redactor, "exchange", noted)
    assert [(hit.exchange, hit.cls) for hit in scanning.scan(file, environ={}).findings] == [(7, "email")]
    assert set(asked_for) == {"t.py::test_7"}


def test_an_opaque_value_that_is_a_text_elsewhere_stays_in_what_is_searched() -> None:
    once = json.dumps({"signature": PLAIN, "text": "Hi"})
    twice = json.dumps({"signature": PLAIN, "text": PLAIN})
    assert opaque.without(once, [PLAIN]) == once.replace(PLAIN, "")
    assert opaque.without(twice, [PLAIN]) == twice
    assert opaque.without(twice, [PLAIN, PLAIN]) == twice.replace(PLAIN, "")
