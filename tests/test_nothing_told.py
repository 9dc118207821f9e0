"""Secrets of many kinds stand wherever they may, in a cassette and in what is sent; nothing we say repeats one."""

from __future__ import annotations

import contextlib
import json
import traceback
import unittest
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from convo_replay import (
    CassetteError,
    CassetteMiss,
    Config,
    ConvoFailure,
    Exchange,
    InvalidTurn,
    LeakFound,
    faults,
    use_cassette,
)
from convo_replay.cli import main
from convo_replay.exchange import Binary, Chunk, End, Head, Json, Part, Parts, Request, Text
from convo_replay.redaction import Redactor
from convo_replay.reporting.transcript import Transcript
from convo_replay.vcr_messages import VcrRequest
from planted_everywhere import (
    ELSEWHERE,
    EVERYTHING,
    HEADERS,
    HOST,
    PLANTED,
    SECRETS,
    URL,
    asked,
    assert_silent,
    interaction,
    message,
    stream,
    told,
)  # fmt: skip


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A cassette of vcrpy's that nobody has redacted: a stream, a document, an error."""
    error = json.dumps({"type": "error", "error": {"type": "api_error", "message": EVERYTHING}})
    items = [
        interaction(asked(stream=True), stream(EVERYTHING), "text/event-stream"),
        interaction(asked(f"again {EVERYTHING}"), json.dumps(message(EVERYTHING))),
        interaction(asked("wrong"), error, status={"code": 400, "message": "Bad Request"}),
    ]
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps({"version": 1, "interactions": items}))
    return path


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", PLANTED["environment"])


def post(body: dict[str, Any]) -> httpx.Response:
    return httpx.post(URL, json=body, headers=HEADERS)


def everything_of(convo: Any) -> Iterator[str]:
    yield from (repr(convo), repr(convo.turns), repr(convo.exchanges), repr(convo.usage), repr(convo.config))
    yield from (str(convo.notes), repr(convo.findings), str(convo.warnings()), str(Transcript(convo)))
    for turn in convo.turns:
        yield from (repr(turn.request), repr(turn.response), repr(turn.request.headers), repr(turn.request.json))
        yield repr([(one.headers if isinstance(one, Head) else one) for one in turn.exchange.steps])
    for exchange in convo.exchanges:
        yield from (repr(exchange.body), repr(exchange.request.body), exchange.request.url, exchange.end.detail)


def failing(error: BaseException) -> Iterator[str]:
    """All that somebody prints of an exception: its text, its notes, what it was raised from, our frames' locals."""
    yield "".join(traceback.format_exception(error))
    yield repr(error)
    seen: list[BaseException] = [error]
    for one in seen:
        seen += [other for other in (one.__cause__, one.__context__) if other is not None and other not in seen]
        yield str(vars(one))


CHANNELS: dict[str, Callable[[Path, Any], Iterator[object]]] = {}


def channel(function: Callable[[Path, Any], Iterator[object]]) -> Callable[[Path, Any], Iterator[object]]:
    CHANNELS[function.__name__.replace("_", " ")] = function
    return function


@channel
def a_conversation(foreign: Path, _capsys: Any) -> Iterator[object]:
    with use_cassette(foreign, secrets=SECRETS) as convo:
        assert EVERYTHING in post(asked(f"again {EVERYTHING}")).text
        post(asked(stream=True))
        yield from everything_of(convo)
    yield from convo.notes


@channel
def a_miss(foreign: Path, _capsys: Any) -> Iterator[object]:
    for body in (asked(f"{EVERYTHING} and more"), asked(), asked("?", system=EVERYTHING), asked("?", key=EVERYTHING)):
        with pytest.raises(CassetteMiss) as caught, use_cassette(foreign, secrets=SECRETS):
            post(body)
        yield from failing(caught.value)


@channel
def a_miss_at_another_place(foreign: Path, _capsys: Any) -> Iterator[object]:
    for url in (
        f"{URL}&also={EVERYTHING}",
        URL.replace("?", "/count_tokens?"),
        URL.replace("/v1", f"/{EVERYTHING}/v1"),
    ):
        match_on = ["method", "scheme", "host", "path", "query", "body", "headers"]
        with pytest.raises(ConvoFailure) as caught, use_cassette(foreign, secrets=SECRETS, match_on=match_on):
            httpx.post(url, json=asked(), headers=HEADERS)
        yield from failing(caught.value)


@channel
def an_invalid_turn(foreign: Path, _capsys: Any) -> Iterator[object]:
    for messages in (
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": EVERYTHING, "content": "x"}]}],
        [{"role": EVERYTHING, "content": "x"}],
        [{"role": "user", "content": [{"type": EVERYTHING, EVERYTHING: 1}]}],
    ):
        with pytest.raises((InvalidTurn, CassetteMiss)) as caught, use_cassette(foreign, secrets=SECRETS):
            post({**asked(), "messages": messages})
        yield from failing(caught.value)


@channel
def what_was_not_played(foreign: Path, _capsys: Any) -> Iterator[object]:
    with use_cassette(foreign, secrets=SECRETS) as convo:
        pass
    assert convo.notes
    yield from convo.notes
    with pytest.raises(ConvoFailure) as caught, use_cassette(foreign, secrets=SECRETS, unplayed="error"):
        pass
    yield from failing(caught.value)


@channel
def a_refused_request(foreign: Path, _capsys: Any) -> Iterator[object]:
    query = f"key={ELSEWHERE['another key']}&q={EVERYTHING}"
    elsewhere = f"https://ada:{ELSEWHERE['another password']}@elsewhere.invalid/x?{query}"
    for played in (False, True):
        with contextlib.ExitStack() as stack:
            caught = stack.enter_context(pytest.raises(ConvoFailure))
            convo = stack.enter_context(use_cassette(foreign, secrets=SECRETS))
            if played:
                post(asked(f"again {EVERYTHING}"))
            httpx.get(elsewhere, headers=HEADERS)
        yield from failing(caught.value)
        yield from everything_of(convo)


def record(path: Path, *, then: Exception | None = None, **settings: Any) -> BaseException:
    """What a recording of a request that nobody answers ends with."""
    try:
        with use_cassette(path, secrets=SECRETS, **settings):
            with contextlib.suppress(httpx.ConnectError):
                httpx.post(URL.replace(HOST, "127.0.0.1:9"), json=asked(), headers=HEADERS)
            if then is not None:
                raise then
    except (ConvoFailure, LeakFound, CassetteError, RuntimeError) as error:
        return error
    raise AssertionError("it was saved")


@channel
def too_many_requests(foreign: Path, _capsys: Any) -> Iterator[object]:
    yield from failing(record(foreign.with_name("new.yaml"), record="once", max_requests=0))


@channel
def a_connection_that_fails_while_recording(foreign: Path, _capsys: Any) -> Iterator[object]:
    path = foreign.with_name("new.yaml")
    with use_cassette(path, record="once", secrets=SECRETS) as convo, contextlib.suppress(httpx.ConnectError):
        httpx.post(URL.replace(HOST, "127.0.0.1:9"), json=asked(), headers=HEADERS)
    assert len(convo.exchanges) == 1
    yield from everything_of(convo)
    yield path.read_text()


@channel
def a_leak(foreign: Path, _capsys: Any) -> Iterator[object]:
    def careless(exchange: Exchange) -> Exchange:
        body = Json({"system": EVERYTHING, EVERYTHING: {EVERYTHING: [EVERYTHING]}})
        headers = (*exchange.request.headers, *HEADERS.items())
        return replace(exchange, request=Request("POST", URL, headers, body), test=EVERYTHING)

    path = foreign.with_name("new.yaml")
    path.write_text("convo_replay: 1\nexchanges: []\n")
    before = path.read_bytes()
    leak = record(path, record="new_episodes", before_record=careless)
    assert isinstance(leak, LeakFound)
    assert "anthropic-key" in str(leak)
    assert path.read_bytes() == before
    yield from failing(leak)


@channel
def a_leak_in_a_key(foreign: Path, _capsys: Any) -> Iterator[object]:
    def careless(exchange: Exchange) -> Exchange:
        body = Json({PLANTED["pattern"]: {EVERYTHING: [EVERYTHING]}})
        return replace(exchange, request=replace(exchange.request, body=body))

    yield from failing(record(foreign.with_name("new.yaml"), record="once", before_record=careless))


def careless_matcher(_recorded: Request, _sent: Request) -> bool:
    raise RuntimeError(EVERYTHING)


@channel
def a_matcher_that_fails(foreign: Path, _capsys: Any) -> Iterator[object]:
    with pytest.raises(ConvoFailure) as caught, use_cassette(foreign, secrets=SECRETS, match_on=[careless_matcher]):
        post(asked(stream=True))
    assert "could not handle a request: RuntimeError" in str(caught.value)
    yield str(caught.value)


@channel
def callables_that_fail(foreign: Path, _capsys: Any) -> Iterator[object]:
    def careless(_exchange: Exchange) -> Exchange:
        raise RuntimeError(EVERYTHING)

    yield str(record(foreign.with_name("a.yaml"), record="once", before_record=careless))
    said = RuntimeError(f"the application says {EVERYTHING}")
    error = record(foreign.with_name("b.yaml"), record="once", before_record=lambda _: 1, then=said)
    assert error.__notes__
    yield from (str(error), str(error.__notes__))


SPECS = [
    "429", "500", "error:overloaded_error@4", "json_instead_of_stream", "html", "malformed@5", "timeout:read",
    "connect:refused", "cut:reset@5", "drop@6", "duplicate@6", "truncated_json", "cut:eof@b1500", "cut:eof@b2990",
    *(f"cut:eof@{event}" for event in range(3, 30, 3)),
]  # fmt: skip


def run_client(then: str) -> None:
    try:
        text = post(asked(stream=True)).text
    except httpx.HTTPError as error:
        text = str(error)
    if then == "raise":
        raise RuntimeError(f"{'x' * 141} {EVERYTHING} {text}")
    if then == "ask":
        post(asked(f"another {EVERYTHING}"))


@channel
def verdicts(foreign: Path, _capsys: Any) -> Iterator[object]:
    with use_cassette(foreign, secrets=SECRETS, unplayed="ignore") as convo:
        failed = 0
        for spec in SPECS:
            for then in ("raise", "ask", "pass"):
                ended: BaseException | None = None
                try:
                    with convo.replay(spec) as run:
                        run_client(then)
                except (ConvoFailure, RuntimeError) as error:
                    ended = error
                if isinstance(ended, ConvoFailure):  # the other one is the application's own
                    failed += 1
                    yield from (str(ended), repr(ended))
                yield from (str(run.verdict), repr(run.verdict), repr(run.run), str(getattr(ended, "__notes__", ())))
                yield from everything_of(run)
        assert failed > len(SPECS)


@channel
def plans_and_faults(foreign: Path, _capsys: Any) -> Iterator[object]:
    with use_cassette(foreign, secrets=SECRETS, unplayed="ignore") as convo:
        plans = faults.plans(convo)
        yield repr(plans)
        import hypothesis

        slow = [hypothesis.HealthCheck.too_slow]

        @hypothesis.settings(max_examples=5, database=None, derandomize=True, suppress_health_check=slow)
        @hypothesis.given(plans)
        def run(plan: Any) -> None:
            made.append(repr(plan) + str(plan))

        made: list[str] = []
        run()
        yield from made
        with pytest.raises(ValueError) as caught:
            convo.inject(f"cut:eof@t9.{99}")
        yield str(caught.value)


@channel
def show_and_check(foreign: Path, capsys: Any) -> Iterator[object]:
    for arguments in (["show"], ["show", "--turn", "0"], ["show", "--events"], ["check"], ["check", "--json"]):
        main([*arguments[:1], str(foreign), *arguments[1:]])
        captured = capsys.readouterr()
        yield (captured.out + captured.err).replace(SECRETS[0], "")  # of which the command line knows nothing
    # What the first exchange repeats is known by a header of the second alone.
    first = interaction(asked(PLANTED["header"]), json.dumps(message(PLANTED["header"])))
    first["request"]["headers"] = {}
    recorded = json.loads(foreign.read_text())
    foreign.write_text(json.dumps({**recorded, "interactions": [first, *recorded["interactions"]]}))
    main(["show", str(foreign), "--turn", "0"])
    yield capsys.readouterr().out


@channel
def show_and_check_of_ours(foreign: Path, capsys: Any) -> Iterator[object]:
    """One of ours into which somebody has written by hand."""
    path = foreign.with_name("ours.yaml")
    key = PLANTED["pattern"]
    body = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"role": key, "content": key}]})
    path.write_text(
        f"convo_replay: 1\nexchanges:\n  - request:\n      method: POST\n      url: https://{HOST}/v1/messages\n"
        f"      json: {body}\n    response:\n      status: 200\n      headers: {{content-type: application/json}}\n"
        f"      took: 0.1\n      json: {json.dumps(message(key))}\n"
    )
    for arguments in (["show"], ["show", "--turn", "0"], ["check"], ["check", "--json"]):
        assert main([*arguments[:1], str(path), *arguments[1:]]) in (0, 1)
        captured = capsys.readouterr()
        assert captured.out
        yield captured.out + captured.err
    with pytest.raises(ConvoFailure) as caught, use_cassette(path, secrets=SECRETS):
        httpx.post(f"https://{HOST}/v1/messages", json=asked("?"))
    yield from failing(caught.value)


@channel
def scan(foreign: Path, capsys: Any) -> Iterator[object]:
    key = PLANTED["pattern"]
    plain = foreign.with_name("notes.txt")
    plain.write_text(f"x-api-key: {key}\n{EVERYTHING}\n{json.dumps({key: {key: key}})}")
    for arguments in ((), ("--json",), ("--sarif",), ("--fix",)):
        assert main(["scan", *arguments, str(foreign), str(plain)]) == 1
        captured = capsys.readouterr()
        assert "notes.txt" in captured.out
        yield captured.out + captured.err


@channel
def convert(foreign: Path, capsys: Any) -> Iterator[object]:
    for name in ("a.yaml", "b.yaml"):
        main(["convert", str(foreign), str(foreign.with_name(name))])
        foreign = foreign.with_name(name)
        captured = capsys.readouterr()
        yield captured.out + captured.err


@channel
def files_that_cannot_be_read(foreign: Path, capsys: Any) -> Iterator[object]:
    key, long = PLANTED["pattern"], f"{'x' * 62} {PLANTED['environment']}"
    texts = [
        f"convo_replay: 1\nexchanges:\n  - {long}: 1\n    {long}: 2\n",
        f"convo_replay: 1\nexchanges:\n  - {key}: {key}\n    {key}: [",
        f"convo_replay: 1\nexchanges:\n  - {key}: 1\n    {key}: 2\n",
        f"convo_replay: 1\n{key}: {key}\nexchanges: []\n",
        f"convo_replay: {key}\nexchanges: {key}\n",
        f"convo_replay: 1\nexchanges:\n  - request: {{method: POST, url: 'https://x/', json_text: '{key}'}}\n",
        f"convo_replay: 1\nexchanges:\n  - request: !!{key} x\n",
        f"convo_replay: 1\nexchanges:\n  - request: !{key} x\n",
        f"convo_replay: 1\nexchanges:\n  - request: *{key}\n",
        f"convo_replay: 1\nexchanges:\n  - request: {{method: GET, url: 'x://x'}}\n    response: {{status: {key}}}\n",
        f"convo_replay: 1\nexchanges:\n  - request: {{method: POST, url: 'https://x/', json: {{$base: {key}}}}}\n",
        f"interactions:\n- request: {{method: POST, uri: {key}, body: {{{key}: 1}}}}\n  response: {key}\nversion: 1\n",
        json.dumps({"interactions": [{"request": {"method": key, "uri": [key], key: 1}}], "version": 1})[:-9],
    ]
    for number, text in enumerate(texts):
        path = foreign.with_name(f"broken{number}.yaml")
        path.write_text(text)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                with use_cassette(path):
                    pass
            except CassetteError as error:
                yield str(error)
        yield from (str(one.message) for one in warned)
        for command in ("show", "check"):
            main([command, str(path)])
            captured = capsys.readouterr()
            yield captured.out + captured.err


@channel
def requests_of_vcrpy(_foreign: Path, _capsys: Any) -> Iterator[object]:
    yield repr(VcrRequest(Request("POST", URL, tuple(HEADERS.items()), Json(asked()))))
    assert str(VcrRequest(Request("GET", "https://a.example:8000/x?y"))) == "<Request (GET) https://a.example:8000/x>"


@channel
def settings_that_are_wrong(_foreign: Path, _capsys: Any) -> Iterator[object]:
    key = PLANTED["pattern"]
    for given in (
        {"record": key}, {"secrets": [{"a": EVERYTHING}]}, {"redact": {key: "keep"}}, {"redact": {"jwt": key}},
        {"normalize": [key]}, {"match_on": [key]}, {"ignore_rules": [key]}, {key: 1}, {"max_requests": key},
        {"intercept": [f"https://ada:{key}@x/"]}, {"before_record": [key]}, {"timing": key},
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            use_cassette("x.yaml", **given)
        yield str(caught.value)


@channel
def reprs(_foreign: Path, _capsys: Any) -> Iterator[object]:
    headers = tuple(HEADERS.items())
    raw = Request("POST", URL, headers, Json(asked()))
    parts = Parts((Part(EVERYTHING, Text(EVERYTHING), EVERYTHING), Part("file", Binary(EVERYTHING.encode()))))
    steps = (Head(200, headers, 0.1), Chunk(0.2, EVERYTHING.encode()), End("reset", 0.3, detail=EVERYTHING))
    yield from map(repr, (raw, parts, steps, steps[0], Exchange(raw, steps), raw.body, Text(EVERYTHING)))
    config = Config(
        secrets=[*SECRETS, *PLANTED.values()], before_record=[partial(print, EVERYTHING)], match_on=["body"]
    )
    yield from (repr(config), str(config), f"{config}")
    redactor = Redactor({"MY_SERVICE_TOKEN": PLANTED["environment"]}, list(PLANTED.values()))
    redactor.exchange(Exchange(raw, steps))
    yield repr(redactor)
    yield repr(use_cassette("x.yaml", secrets=SECRETS))


@channel
def assertions_of_unittest(foreign: Path, _capsys: Any) -> Iterator[object]:
    with use_cassette(foreign, secrets=SECRETS, unplayed="ignore") as convo:
        post(asked(f"again {EVERYTHING}"))
        (exchange,) = convo.exchanges
        other = replace(exchange, test="x", request=replace(exchange.request, url="https://x/"))
        case = unittest.TestCase()
        case.maxDiff = None
        for left, right in (
            (exchange, other),
            (exchange.request, other.request),
            (convo.turns, []),
            (exchange.request.json, {}),
            (exchange.steps, other.steps[:1]),
        ):
            with pytest.raises(AssertionError) as caught:
                case.assertEqual(left, right)  # noqa: PT009
            yield str(caught.value)


@pytest.mark.parametrize("name", CHANNELS)
def test_it_repeats_no_secret(name: str, foreign: Path, capsys: pytest.CaptureFixture[str], caplog: Any):
    caplog.set_level(0)
    count = 0
    for said in CHANNELS[name](foreign, capsys):
        assert_silent(said)
        count += 1
    assert count
    assert_silent("\n".join(record.getMessage() for record in caplog.records if record.name.startswith("convo")))
    assert_silent(capsys.readouterr().out)


def test_what_is_planted_would_be_found():
    for kind, secret in PLANTED.items():
        assert kind in told(f"so {secret}!")
    assert told(EVERYTHING).keys() == PLANTED.keys()
    assert told("nothing of the kind") == {}
