"""A played answer says the values of its own request; nothing else does."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convo_replay import use_cassette
from convo_replay.cassette import Cassette, update
from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request, Step
from convo_replay.restoring import restored

URL = "https://api.anthropic.com/v1/messages"
PERSON = re.compile(r"person-\d+")
STREAM = (("content-type", "text/event-stream"),)


def asked(text: str, *before: tuple[str, str]) -> dict[str, Any]:
    messages = [{"role": role, "content": said} for role, said in (*before, ("user", text))]
    return {"model": "claude-sonnet-4-6", "max_tokens": 64, "messages": messages}


def event(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


def streamed(*texts: str) -> list[bytes]:
    deltas = [
        event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        for text in texts
    ]
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    return [
        event({"type": "message_start", "message": message}),
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *deltas,
        event({"type": "content_block_stop", "index": 0}),
        event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
        event({"type": "message_stop"}),
    ]


def cassette(folder: Path, *told: tuple[dict[str, Any], list[bytes]]) -> Path:
    exchanges = [
        Exchange(
            Request("POST", URL, (), Json(body)),
            (Head(200, STREAM), *(Chunk(0.1 * at, data) for at, data in enumerate(chunks, 1)), End(at=9)),
        )
        for body, chunks in told
    ]
    path = folder / "told.yaml"
    update(path, lambda _: Cassette(clients={}, exchanges=exchanges))
    return path


def say(body: dict[str, Any]) -> str:
    with httpx.Client() as client, client.stream("POST", URL, json={**body, "stream": True}) as response:
        return "".join(
            json.loads(line[6:])["delta"]["text"]
            for line in response.iter_lines()
            if line.startswith("data: ") and '"text_delta"' in line
        )


def with_stream(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "stream": True}


FIRST = with_stream(asked("Write to redacted-secret-1 and redacted-secret-2."))
SECOND = with_stream(
    asked("And again?", ("user", "Write to redacted-secret-1 and redacted-secret-2."),
          ("assistant", "redacted-secret-2, then redacted-secret-1; redacted-secret-7 never."))
)  # fmt: skip
TOLD = (
    (FIRST, streamed("redacted-secret-2", ", then redacted-secret-1", "; redacted-secret-7 never.")),
    (SECOND, streamed("As redacted-secret-1 said.")),
)


@pytest.mark.parametrize("names", [("person-1", "person-2"), ("person-900", "person-7")])
def test_an_answer_says_what_its_request_said(names: tuple[str, str], tmp_path: Path):
    with use_cassette(cassette(tmp_path, *TOLD), secrets=[PERSON], unplayed="error") as convo:
        first = f"Write to {names[0]} and {names[1]}."
        answer = say(asked(first))
        # What no request of this run said stays a placeholder.
        assert answer == f"{names[1]}, then {names[0]}; redacted-secret-7 never."
        assert say(asked("And again?", ("user", first), ("assistant", answer))) == f"As {names[0]} said."
        # What the test and everyone else may see is the redacted form, with the cassette's numbers.
        assert names[0] not in repr(convo.exchanges)
        assert convo.turns[1].response.text == "As redacted-secret-1 said."
        assert "redacted-secret-2, then redacted-secret-1" in json.dumps(convo.exchanges[1].request.json)


def test_a_value_that_nothing_knows_for_a_secret_is_not_said(tmp_path: Path):
    with use_cassette(cassette(tmp_path, *TOLD[:1])):
        assert say(asked("Write to her and him.")).startswith("redacted-secret-2, then redacted-secret-1")


@pytest.mark.parametrize("spec", ["rechunk:1", "crlf", "comments", "429", "cut:eof@4"])
def test_in_a_fault_run_too(spec: str, tmp_path: Path):
    body = asked("Write to person-31 and person-4711.")
    expect = "recovered" if spec == "429" else "handled" if spec.startswith("cut") else ""
    with (
        use_cassette(cassette(tmp_path, *TOLD[:1]), secrets=[PERSON]) as convo,
        convo.replay(spec, expect=expect) as run,
    ):
        answer = ""
        for _ in range(2):
            try:
                answer = say(body)
            except (KeyError, httpx.HTTPError):
                continue
            if answer:
                break
        if spec.startswith("cut"):
            assert answer == "person-4711, then person-31"
        else:
            assert answer == "person-4711, then person-31; redacted-secret-7 never."
    assert run.verdict is not None
    assert run.verdict.good
    assert "person" not in str(run.verdict) + repr(run.exchanges)


@given(
    st.lists(st.sampled_from(["é", "abc", "redacted-secret-1", "redacted-secret-2", " ", "redacted-secret-12"])),
    st.dictionaries(
        st.sampled_from(["redacted-secret-1", "redacted-secret-2"]), st.sampled_from(["x", "long value ü", "0" * 40])
    ),
    st.lists(st.integers(0, 80)),
)  # fmt: skip
def test_every_byte_stands_for_one_of_the_recorded_body(parts: list[str], values: dict[str, str], cuts: list[int]):
    body = "".join(f"{part}|" for part in parts).encode()
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks: list[Step] = [Chunk(0.1, body[a:b]) for a, b in pairwise(places)]
    exchange = Exchange(Request("GET", URL), (Head(200), *chunks, End()))
    made = restored(exchange, values)
    expected = "".join(f"{values.get(part) or part}|" for part in parts).encode()
    if made is None:
        assert expected == body
        return
    assert made.exchange.body == expected
    measured = [made.recorded(count) for count in range(len(expected) + 1)]
    assert measured == sorted(measured)
    assert measured[0] == 0
    assert measured[-1] == len(body)
    untouched = [at for at in range(len(expected)) if measured[at + 1] == measured[at] + 1]
    assert all(expected[at] == body[measured[at]] for at in untouched)


def test_a_value_that_would_need_escapes_stays_a_placeholder():
    exchange = Exchange(Request("GET", URL), (Head(200), Chunk(0, b'{"a": "redacted-secret-1"}'), End()))
    assert restored(exchange, {"redacted-secret-1": 'say "x"'}) is None


def test_a_value_found_by_its_text_and_one_found_by_its_class_are_one(tmp_path: Path):
    """The second request is recognized by wildcards only: what redacts it is not known any more in one place of it."""
    told = (
        (asked("Write to redacted-secret-1."), streamed("To redacted-secret-1.")),
        (asked("Write to redacted-secret-1 about redacted-env-1."), streamed("To redacted-secret-1, redacted-env-1.")),
        (asked("Write to redacted-secret-2 about redacted-env-1."), streamed("Other.")),
        (asked("Again redacted-secret-1."), streamed("Again, redacted-secret-1.")),
    )
    with use_cassette(cassette(tmp_path, *((with_stream(body), events) for body, events in told)), secrets=[PERSON]):
        assert say(asked("Write to person-5.")) == "To person-5."
        assert say(asked("Write to person-5 about the weather.")) == "To person-5, redacted-env-1."
        assert say(asked("Write to person-6 about the weather.")) == "Other."
        assert say(asked("Again person-5.")) == "Again, person-5."


def test_an_answer_never_says_what_another_request_said(tmp_path: Path):
    """Requests that differ only in redacted values are one request, answered in recorded order."""
    told = [(with_stream(asked("Write to redacted-secret-1.")), streamed("Wrote to redacted-secret-1."))] * 3
    later = (with_stream(asked("To whom?")), streamed("To redacted-secret-1."))
    with use_cassette(cassette(tmp_path, *told, later), secrets=[PERSON]):
        for name in ("person-1", "person-2", "person-1"):
            assert say(asked(f"Write to {name}.")) == f"Wrote to {name}."
        assert say(asked("To whom?")) == "To redacted-secret-1."
