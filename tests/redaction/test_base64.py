"""A secret in base64 leaves nothing beside its placeholder, whatever its length, and matches another one's."""

from __future__ import annotations

import base64

import pytest

from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.matching import Fingerprints
from convo_replay.player import Play, Player
from convo_replay.redaction import Redactor, placeholders

LENGTHS = range(12, 24)
TEMPLATES = {
    "alone": ("", ""),
    "basic authorization": ("user:", ""),
    "in the middle": ("user:", ":realm and more"),
    "at another offset": ("ab", "c"),
}


def encoded(before: str, secret: str, after: str, urlsafe: bool) -> str:
    data = f"{before}{secret}{after}".encode()
    text = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(data).decode()
    return text.rstrip("=") if urlsafe else text


def request(text: str) -> Request:
    return Request("POST", "https://h/v1/messages", body=Json({"messages": [{"role": "user", "content": text}]}))


def secret(length: int, seed: str) -> str:
    return (seed * length)[:length]


@pytest.mark.parametrize("urlsafe", [False, True], ids=["standard", "urlsafe"])
@pytest.mark.parametrize(("before", "after"), TEMPLATES.values(), ids=TEMPLATES)
def test_recorded_with_one_it_is_played_with_another_and_with_none(before, after, urlsafe):
    for length in LENGTHS:
        one = secret(length, "s3cret-A")
        there = Redactor({"MY_TOKEN": one})
        sent = f"curl -H 'Authorization: Basic {encoded(before, one, after, urlsafe)}' and {one}"
        stored = there.request(request(sent))
        assert one[:8] not in str(stored.json)
        recorded = Exchange(stored, (Head(200), Chunk(0.1, b"{}"), End(at=0.1)))
        for other, environ in (
            (secret(length + 1, "Zz9-other"), True),
            (secret(length, "s3cret-B"), True),
            (one, False),
        ):
            player = Player([recorded], owner="", mode="none", fingerprints=Fingerprints())
            here = Redactor({"MY_TOKEN": other} if environ else {})
            live = request(f"curl -H 'Authorization: Basic {encoded(before, other, after, urlsafe)}' and {other}")
            assert isinstance(player.decide(here.request(live), live), Play), (length, other)


def test_what_follows_in_the_run_shifts_with_the_secret_and_goes_with_it() -> None:
    before = base64.b64encode(b"a header of 30 bytes, no more.").decode()
    text = before + encoded("", "s3cret-value-1", "", False).rstrip("=") + "A" * 4000
    (message,) = Redactor({"MY_TOKEN": "s3cret-value-1"}).request(request(f"{text} and more")).json["messages"]
    made, rest = message["content"].split(" ", 1)
    assert rest == "and more"
    assert len(made) == len(text)
    assert made.startswith(before + placeholders.OPAQUE_MARK)
    assert "AAAA" not in made
