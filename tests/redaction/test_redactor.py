"""Laws: redacting twice changes nothing, nothing is copied, formatting stays, turn k costs what it added."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.bodies import body_of
from convo_replay.exchange import Blob, Chunk, End, Exchange, Head, Json, Parts, Request, Text
from convo_replay.redaction import Redactor, leaks
from convo_replay.redaction.classes import CLASSES, classify

SECRETS = [*[item.example for item in CLASSES if classify(item.example)][:6], "tiger-stripe", 'a"b\\c d1']
WORDS = [
    *SECRETS, *(secret[: len(secret) // 2] for secret in SECRETS), "redacted-secret-1", "redacted-", "-1", "7", "sk-",
    "sk-proj-", "a", " ", '"', "\\", "\n", "é", "☀️", "%20", "-", "_",
]  # fmt: skip
COMPACT = {"separators": (",", ":")}
texts = st.lists(st.sampled_from(WORDS), max_size=7).map("".join)
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def _redactor() -> Redactor:
    return Redactor(secrets=["tiger-stripe", 'a"b\\c d1'])


def _request(value: Any) -> Request:
    return Request("POST", "https://api.example.com/v1/messages", (), Json(value))


def _response(data: bytes, type: str = "application/json") -> tuple[Any, ...]:
    return (Head(200, (("content-type", type),)), Chunk(0.5, data), End("complete", 0.6))


@given(texts)
@settings(max_examples=150, deadline=None)
def test_redacting_a_text_twice_changes_nothing(text: str) -> None:
    redactor = _redactor()
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert _redactor().text(once) == once
    for secret in SECRETS:
        if not secret.startswith("sk-proj-"):  # those may stand in a word here, where they are none
            assert secret not in once


@given(values)
@settings(max_examples=100, deadline=None)
def test_redacting_an_exchange_twice_changes_nothing(value: Any) -> None:
    redactor = _redactor()
    exchange = Exchange(_request({"messages": [value], "x": value}), _response(json.dumps(value).encode()))
    once = redactor.exchange(exchange)
    assert redactor.exchange(once) is once
    fresh = _redactor()
    assert fresh.exchange(once) == once
    assert leaks([once], fresh) == []


@given(
    values,
    st.sampled_from([{}, COMPACT, {"indent": 2}, {"indent": 4, "ensure_ascii": False}, {"ensure_ascii": False}]),
)
@settings(max_examples=100, deadline=None)
def test_a_json_body_keeps_its_formatting(value: Any, how: dict[str, Any]) -> None:
    redactor = _redactor()
    redacted = redactor.request(_request([value])).json[0]
    steps = redactor.steps(_response(json.dumps(value, **how).encode()))
    assert steps[1].data.decode() == json.dumps(redacted, **how)


@given(st.lists(texts, max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_stream_accumulates_to_the_redacted_text(pieces: list[str]) -> None:
    redactor = _redactor()
    values = [{"type": "content_block_delta", "index": 0, "delta": {"text": piece}} for piece in pieces]
    events = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values]
    made = redactor.steps((Head(200), *[Chunk(0, event) for event in events], End()))
    chunks = [step.data for step in made if isinstance(step, Chunk)]
    assert len(chunks) == len(events)
    assert "".join(json.loads(chunk[6:])["delta"]["text"] for chunk in chunks) == redactor.text("".join(pieces))


ODD_BODIES = [
    b'{"a": 1.0, "b": 1e3, "c": 12345678901234567890, "d": "tiger-stripe", "e": "\\/ \\u00e9 \\ud83d\\ude00 \\ud800"}',
    b'{"tiger-stripe":"tiger-stripe \\u00e9","b":[{}, [ ] ,"x"]}\n',
    '{"é":"é tiger-stripe \\n\\t\\" é"}'.encode(),
    b'{"a":"tiger-stripe","a":"b"}',
    b'{"a":NaN,"b":"tiger-stripe"}',
    b'  ["\\u0074iger-stripe"] ',
    b"\xef\xbb\xbf{\"a\":\"tiger-stripe\"}",
    b"tiger-stripe \xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("body", ODD_BODIES)
def test_only_the_secret_is_edited(body: bytes) -> None:
    made = _redactor().steps(_response(body))[1].data
    assert made == body.replace(b"\\u0074iger-stripe", b"tiger-stripe").replace(b"tiger-stripe", b"redacted-secret-1")


@pytest.mark.parametrize(
    "stream",
    [
        b"data: {\"a\":  \"tiger-stripe\"}\r\n\r\ndata:[DONE]\r\n\r\n",
        b"\xef\xbb\xbfid: 1\nevent: x\ndata:{\ndata:\"a\": \"tiger-stripe\"\ndata:}\n: c tiger-stripe\n\n",
        b": tiger-stripe\n\nretry: 5\n\ndata: tiger-stripe\ndata: b\n\ndata: {\"a\":\"tiger-stripe\"",
        b"data: {\"a\":\"b\",\"text\":\"tiger-stripe\xff\"}\n\n",
        b"event: tiger-stripe\rdata: {\"text\":\"a\"}\r\r",
    ],
)  # fmt: skip
def test_a_stream_keeps_its_framing(stream: bytes) -> None:
    made = _redactor().steps(_response(stream, "text/event-stream"))
    assert b"".join(step.data for step in made if isinstance(step, Chunk)) == stream.replace(
        b"tiger-stripe", b"redacted-secret-1"
    )


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
def test_chunks_of_any_size_hold_the_events_that_end_in_them(size: int) -> None:
    stream = b"".join(b'data: {"n":%d,"text":"tiger-stripe"}\n\n' % n for n in range(5))
    chunks = [Chunk(at / 10, stream[at : at + size]) for at in range(0, len(stream), size)]
    steps = (Head(200, (("content-type", "text/event-stream"),)), *chunks, End())
    made = [step for step in _redactor().steps(steps) if isinstance(step, Chunk)]
    assert b"".join(chunk.data for chunk in made) == stream.replace(b"tiger-stripe", b"redacted-secret-1")
    ends = [(stream.index(b"\n\n", 0) + 2) * (n + 1) - 1 for n in range(5)]
    assert [chunk.at for chunk in made] == sorted({chunks[end // size].at for end in ends})


CLEAN: list[Callable[[], Any]] = [
    lambda: _request(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}], "n": 1, "x": None}
    ),
    lambda: Request("GET", "https://x/y?z=1"),
]


@pytest.mark.parametrize("make", CLEAN)
def test_what_holds_nothing_is_returned_itself(make: Callable[[], Request]) -> None:
    redactor, request = _redactor(), make()
    assert redactor.request(request) is request
    steps = _response(b'data: {"text":"hello"}\n\n', "text/event-stream")
    assert redactor.steps(steps) is steps
    exchange = Exchange(request, steps, extra={"note": ["x"]})
    assert redactor.exchange(exchange) is exchange


def _turn(k: int, secret: str = "tiger-stripe") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": f"turn {k} of {secret}, " + "word " * 20}]}


def test_equal_messages_are_one_object_and_turn_k_costs_what_it_added() -> None:
    redactor = _redactor()
    costs, kept = [], None
    for k in range(1, 41):
        history = json.loads(
            json.dumps({"model": "m", "tools": [{"name": "t"}], "messages": [_turn(n) for n in range(k)]})
        )
        before = redactor.scanned
        redacted = redactor.request(_request(history)).json
        costs.append(redactor.scanned - before)
        if kept is not None:
            assert all(a is b for a, b in zip(kept["messages"], redacted["messages"], strict=False))
            assert redacted["tools"][0] is kept["tools"][0]
        kept = redacted
    assert max(costs[2:]) <= costs[1] + 2
    assert "tiger" not in json.dumps(kept)


def test_the_gate_costs_what_is_new_too() -> None:
    redactor = _redactor()
    exchanges = [
        Exchange(_request({"messages": [json.loads(json.dumps(_turn(n, "x"))) for n in range(k)]}), (End(),))
        for k in range(1, 31)
    ]
    assert leaks(exchanges, redactor) == []
    assert redactor.scanned < 30 * 20


def test_a_value_learned_later_is_found_in_what_was_seen_before() -> None:
    redactor = _redactor()
    request = _request({"messages": [_turn(0, "later-secret"), _turn(1, "x")]})
    before = redactor.request(request)
    assert before is request
    assert leaks([Exchange(before, (End(),))], redactor) == []
    redactor.learn("later-secret", "api-key")
    assert leaks([Exchange(before, (End(),))], redactor) == [
        ("api-key", "exchanges[0].request.json.messages[0].content[0].text")
    ]
    after = redactor.request(before)
    assert "redacted-api-key-1" in after.json["messages"][0]["content"][0]["text"]
    assert after.json["messages"][1] is request.json["messages"][1]


def test_reserved_numbers_are_not_given_again() -> None:
    loaded = [
        Exchange(_request({"a": "redacted-secret-3"}), _response(b'{"x":"redacted-api-key-7"}')),
        Exchange(Request("GET", "https://redacted-url-userinfo-2@x/"), (End("refused"),)),
    ]
    redactor = _redactor()
    redactor.reserve(loaded)
    redactor.learn("bearer-token-1", "api-key")
    assert redactor.text("tiger-stripe bearer-token-1") == "redacted-secret-4 redacted-api-key-8"
    assert redactor.request(Request("GET", "https://u:p@x/")).url == "https://redacted-url-userinfo-3@x/"


def test_a_request_is_looked_through_for_placeholders_before_the_first_is_given() -> None:
    request = _request({"messages": ["tiger-stripe", "and redacted-secret-1"]})
    assert _redactor().request(request).json["messages"] == ["redacted-secret-2", "and redacted-secret-1"]


def test_what_was_received_is_sent_back_unchanged() -> None:
    redactor = Redactor()
    redactor.learn_request(Request("GET", "https://x", (("x-api-key", "my-own-key-1"),)))
    body = {"messages": [{"role": "assistant", "content": "redacted-api-key-1 and redacted-secret-12"}]}
    request = _request(body)
    assert redactor.request(request) is request


def test_two_environments_give_one_form_up_to_numbers() -> None:
    keys = ["sk-ant-api03-" + "x1Y2z3W4" * 11, "sk-ant-api03-" + "q9R8s7T6" * 11]
    forms = []
    for key in keys:
        redactor = Redactor({"ANTHROPIC_API_KEY": key})
        request = Request(
            "POST", "https://x", (("authorization", f"Bearer {key}"),), Json({"messages": [f"my key: {key}"]})
        )
        forms.append(redactor.request(request))
    assert forms[0] == forms[1]


def test_nothing_shows_a_secret() -> None:
    redactor = _redactor()
    redactor.learn("learned-value-1", "api-key")
    redactor.text("tiger-stripe learned-value-1")
    for shown in (repr(redactor), str(redactor), repr(redactor._values), repr(redactor._values.detector)):
        assert "tiger" not in shown
        assert "learned" not in shown


def test_lone_surrogates_and_huge_integers_pass() -> None:
    value = {"messages": [{"a": "\ud800 tiger-stripe", "n": 10**30}]}
    redacted = _redactor().request(_request(value)).json
    assert redacted == {"messages": [{"a": "\ud800 redacted-secret-1", "n": 10**30}]}


@pytest.mark.parametrize(
    ("body", "gone", "stays"),
    [
        ("api_key=abcdefgh1234&password=geheimgeheim1&q=weather", ("geheimgeheim1", "abcdefgh1234"), "q=weather"),
        ("grant_type=client_credentials&client_secret=s%2Fx-0123456789", ("s%2Fx-0123456789",), "grant_type="),
        ("the password=geheim1 is what I typed", (), "password=geheim1 is what"),
        ("a == b && token != c", (), "a == b && token != c"),
    ],
)
def test_fields_of_a_form_go_by_their_name(body, gone, stays):
    redacted = Redactor().request(Request("POST", "https://api.example.com/x", (), Text(body))).body
    assert stays in redacted.text
    assert not any(value in redacted.text for value in gone)


@pytest.mark.parametrize("other", ["tiger-stripe-9", "another one of quite another length"])
def test_a_large_body_is_known_by_the_hash_of_its_redacted_form(other: str) -> None:
    def asked(secret: str) -> Blob:
        value = {"messages": [{"role": "user", "content": f"{secret}: " + "long " * 300_000}]}
        body = body_of(json.dumps(value).encode())
        assert isinstance(body, Blob)
        redacted = Redactor(secrets=[secret]).request(Request("POST", "https://x", (), body)).body
        assert isinstance(redacted, Blob)
        assert redacted.sha256 != body.sha256
        return redacted

    one = asked("tiger-stripe-1")
    assert one == asked(other)
    assert Redactor(secrets=["tiger-stripe-1"]).request(Request("POST", "https://x", (), one)).body == one


@pytest.mark.parametrize("other", ["tiger-stripe-9", "another one of quite another length"])
def test_a_large_text_file_is_known_by_the_hash_of_its_redacted_form(other: str) -> None:
    def sent(secret: str) -> Any:
        lines = f"{secret}\n" + "a line of text\n" * 100_000
        data = f'--b\r\ncontent-disposition: form-data; name="f"; filename="a.txt"\r\n\r\n{lines}\r\n--b--\r\n'
        body = body_of(data.encode(), "multipart/form-data; boundary=b")
        redacted = Redactor(secrets=[secret]).request(Request("POST", "https://x", (), body)).body
        assert isinstance(body, Parts)
        assert isinstance(redacted, Parts)
        assert isinstance(redacted.parts[0].body, Blob)
        assert redacted != body
        return redacted

    assert sent("tiger-stripe-1") == sent(other)


def test_a_large_body_without_a_secret_keeps_its_hash() -> None:
    body = body_of(json.dumps({"messages": [{"role": "user", "content": "long " * 300_000}]}).encode())
    redacted = Redactor(secrets=["tiger-stripe"]).request(Request("POST", "https://x", (), body)).body
    assert isinstance(redacted, Blob)
    assert isinstance(body, Blob)
    assert redacted.sha256 == body.sha256


KEY = "q7Rw9Zt2Lk4Xv8Bn1Mc6"


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": KEY},
        {"note": f"use {KEY}", "api_key": KEY},
        {"messages": [{"role": "user", "content": f"use {KEY}"}], "client": {"api_key": KEY}},
        {"messages": [{"role": "user", "content": f"use {KEY}"}, {"role": "user", "content": f"api_key={KEY}"}]},
    ],
    ids=["at the top", "beside it", "before it", "in a later message"],
)
def test_what_its_name_gives_away_is_found_wherever_it_stands(body: Any) -> None:
    redactor = Redactor()
    redacted = redactor.request(_request(body))
    assert KEY not in json.dumps(redacted.json)
    assert json.dumps(redacted.json).count("redacted-named-secret-1") == json.dumps(body).count(KEY)
    assert redactor.request(redacted) is redacted


def test_a_key_that_was_found_is_found_inside_of_words_too() -> None:
    token = "ghp_" + "Ex4mple" * 5 + "1"
    redactor = Redactor()
    asked = {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{token}"}]},
                          {"role": "user", "content": f"k {token}"}]}  # fmt: skip
    assert token not in json.dumps(redactor.request(_request(asked)).json)


PICTURES = [
    b"\x89PNG\r\n\x1a\n\0\0\0\x20tEXt%s\xa1\xb2", b"GIF89a\0\x01%s\xff", b"PK\x03\x04\x14\0%s\xfe",
    b"%%PDF-1.7\n%s\xfe\xff", b"RIFF\x20\0\0\0WEBP%s\xff",
]  # fmt: skip


@pytest.mark.parametrize("picture", PICTURES)
def test_the_bytes_of_a_picture_stay_unless_they_give_access(picture: bytes) -> None:
    """An e-mail in its metadata would cost the picture; a key is worth it."""
    told = picture % (b" ada@" + b"corp.com ")
    steps = (Head(200, (("content-type", "image/png"),)), Chunk(0, told), End())
    assert Redactor().steps(steps) is steps
    made = Redactor().steps((Head(200), Chunk(0, picture % (b" sk-ant-api03-" + b"Ex4mple" * 5)), End()))
    assert made[1] == Chunk(0, picture % b" redacted-anthropic-key-1")


def test_a_span_of_a_callable_ends_with_the_text() -> None:
    assert Redactor(secrets=[lambda text: [(0, 10**6)]]).text("all of it") == "redacted-secret-1"
