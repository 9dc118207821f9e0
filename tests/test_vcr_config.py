"""What is said to vcrpy comes to the same here. vcrpy itself is asked what that is."""

from __future__ import annotations

import gzip
import inspect
import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import vcr
from vcr.cassette import Cassette as VcrCassette
from vcr.filters import decode_response
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serialize import deserialize, serialize
from vcr.serializers import jsonserializer, yamlserializer

from convo_replay import vcr_config
from convo_replay.adopted import AdoptedCassette, AdoptedConversation
from convo_replay.config import Config
from convo_replay.conversation import Budget
from convo_replay.errors import CassetteError, ConvoFailure
from convo_replay.exchange import Json, Request
from convo_replay.player import Play
from convo_replay.vcr_messages import VcrRequest, request_of

API = "https://api.example.com:8443/v1/messages"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json", "authorization": "Bearer sk-0123456789abcdef", "user-agent": "A/1"}


def asked(method="POST", uri=API, body=b"", headers=JSON):
    return vcr.request.Request(method, uri, body, headers)


def of_user(text, **more):
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


REQUESTS = [
    asked(body=of_user("a")),
    asked(body=of_user("b")),
    asked(body=of_user("a")),  # again
    asked(body=of_user("a", temperature=1)),
    asked(uri=API + "?key=AIzaSyA0123456789012345678901234567890&x=1", body=of_user("a")),
    asked(uri=API.replace("8443", "9443"), body=of_user("a")),
    asked(uri=API.replace("api.", "other."), body=of_user("a")),
    asked(body=of_user("a"), headers={**JSON, "user-agent": "B/2"}),
    asked(uri="https://api.example.com/login", body=b"user=me&password=secret", headers=FORM),
    asked("GET", "http://localhost:8000/health"),
    asked("GET", "https://bare.example.com"),
]
"""What the cassette holds, in this order."""

VARIANTS = [
    asked(body=of_user("a").replace(b": ", b":")),
    asked(body=b'{"temperature": 1, "messages": [{"role": "user", "content": "a"}]}'),
    asked(body=of_user("c")),
    asked("GET", API),
    asked(uri=API + "?x=1&key=AIzaSyA0123456789012345678901234567890", body=of_user("a")),
    asked(uri=API + "?key=AIzaSyA0123456789012345678901234567890&x=2", body=of_user("a")),
    asked(body=of_user("a"), headers={**JSON, "authorization": "Bearer another-key-0123456789"}),
    asked(uri="https://api.example.com/login", body=b"user=me&password=other", headers=FORM),
    asked("GET", "https://bare.example.com/"),
]
"""What differs in a place that some matchers look at, and some filters take out."""


def pop_temperature(request):
    if b"temperature" in request.body:
        body = json.loads(request.body)
        del body["temperature"]
        request.body = json.dumps(body)
    return request


def drop_health(request):
    return None if request.path == "/health" else request


def shout(response):
    assert set(response) == {"status", "headers", "body"}
    response["headers"]["X-Note"] = "seen"
    response["body"]["string"] = response["body"]["string"].upper()
    return response


def drop_b(response):
    return None if b"answer 1" in response["body"]["string"].lower() else response


CONFIGS = {
    "nothing": {},
    "method and uri": {"match_on": ["method", "uri"]},
    "body": {"match_on": ["method", "scheme", "host", "port", "path", "query", "body"]},
    "body alone": {"match_on": ["body"]},
    "raw body": {"match_on": ["uri", "raw_body"]},
    "raw body after a filter": {"filter_post_data_parameters": ["temperature"], "match_on": ["uri", "raw_body"]},
    "host without port": {"match_on": ["host", "path"]},
    "port without host": {"match_on": ["port", "body"]},
    "headers": {"match_on": ["headers", "body"]},
    "additional": {"additional_matchers": ["body"]},
    "filter headers": {
        "filter_headers": ["authorization", ("User-Agent", "UA"), ("x-none", "1")],
        "match_on": ["headers", "body"],
    },
    "filter by callables": {
        "filter_headers": [("user-agent", lambda key, value, request: value.partition("/")[0])],
        "filter_query_parameters": [("key", lambda key, value, request: "KEY")],
        "filter_post_data_parameters": [("temperature", lambda key, value, request: None)],
        "match_on": ["uri", "headers", "body"],
    },
    "filter query": {"filter_query_parameters": ["key"], "match_on": ["uri", "body"]},
    "filter form": {"filter_post_data_parameters": [("password", "hidden")], "match_on": ["path", "body"]},
    "filter nested": {
        "filter_post_data_parameters": [("content", "X")],
        "filter_nested_post_data_parameters": True,
        "match_on": ["path", "body"],
    },
    "ignored": {"ignore_localhost": True, "ignore_hosts": ["other.example.com"], "match_on": ["uri", "body"]},
    "before_record_request": {"before_record_request": [pop_temperature, drop_health], "match_on": ["uri", "body"]},
    "before_record": {"before_record": drop_health, "match_on": ["uri"]},
    "before_record_response": {
        "before_record_response": [drop_b, shout],
        "decode_compressed_response": True,
        "match_on": ["uri", "body"],
    },
    "repeats": {"allow_playback_repeats": True, "match_on": ["method", "path", "body"]},
    "repeats by callable": {"allow_playback_repeats": True, "match_on": ["uri", "headers"]},
    "own matcher": {"match_on": ["method", "loosely"]},
}


def loosely(r1, r2):
    assert (r1.host, len(r1.query), r1.headers.get("user-agent")) == (
        r2.host,
        len(r2.query),
        r2.headers.get("user-agent"),
    )


def own(engine):
    engine.register_matcher("loosely", loosely)


@pytest.fixture(params=[yamlserializer, jsonserializer], ids=["yaml", "json"])
def cassette_file(request, tmp_path):
    """The cassette as vcrpy writes it, with a compressed answer."""
    responses = []
    for number in range(len(REQUESTS)):
        body = b'{"text": "answer %d"}' % number
        headers = {"Content-Type": ["application/json"], "Set-Cookie": ["a=1", "b=2"]}
        if number == 3 and request.param is yamlserializer:
            body, headers["Content-Encoding"] = gzip.compress(body), ["gzip"]
        responses.append({"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": body}})
    text = serialize({"requests": REQUESTS, "responses": responses}, request.param)
    suffix = request.param.__name__.removesuffix("serializer").rpartition(".")[2]
    path = tmp_path / f"old.{suffix}"
    path.write_text(text)
    return path


def adopted(path, config, *, record="none", configure=own, **more):
    config = {"serializer": path.suffix[1:], **config} if path.suffix else config
    return vcr_config.adopt(
        [("vcr_config", config)], name=path.stem, directory=str(path.parent), record=record, configure=configure, **more
    )


def conversation(path, config, **more):
    """The conversation of a test with this `vcr_config`, loaded."""
    found = adopted(path, config, **more)
    settings = Config(
        validate="off",
        record=found.record,
        match_on=found.match_on,
        normalize=(),
        repeats=found.repeats,
        intercept=(lambda request: True,),
    )
    made = AdoptedConversation(found, settings, owner="t", budget=Budget(0), rerecord="x", also=[])
    made.load()
    return made


def theirs(path, config):
    engine = vcr.VCR(record_mode="none")
    own(engine)
    settings = engine.get_merged_config(**{"serializer": path.suffix[1:], **config})
    for name in ("path_transformer", "func_path_generator", "record_on_exception"):
        del settings[name]
    return VcrCassette.load(path=str(path), **settings)


def body_of_theirs(cassette, request):
    """What vcrpy answers: a body, a miss, or nothing, where it leaves the request to the network."""
    if cassette.can_play_response_for(request):
        return decode_response(cassette.play_response(request))["body"]["string"]
    return "miss" if cassette.filter_request(request) else None


def body_of_ours(made, request):
    sent = request_of(request, Request("", ""))
    if isinstance(sent.body, Json):  # as a transport reads it
        sent = replace(sent, body=made.read_body(request.body, "application/json"))
    if not made.claims(sent):
        return None
    made.failure = None
    try:
        decision = made.decide(sent)
    except ConvoFailure:
        return "miss"
    assert isinstance(decision, Play)
    return decision.exchange.body


@pytest.mark.parametrize("name", CONFIGS)
def test_vcrpy_and_we_answer_alike(cassette_file, name):
    config = CONFIGS[name]
    for seed in range(2):
        questions = [*REQUESTS, *VARIANTS]
        random.Random(seed).shuffle(questions)
        expected, made = theirs(cassette_file, config), conversation(cassette_file, config)
        facade = AdoptedCassette(made)
        assert len(facade) == len(expected) or config.get("allow_playback_repeats")
        for request in questions:
            assert body_of_ours(made, request) == body_of_theirs(expected, request), (seed, request, request.body)
        assert facade.play_count == expected.play_count
        if not config.get("allow_playback_repeats"):
            assert facade.play_counts == +expected.play_counts
            assert facade.all_played == (len(+expected.play_counts) == len(expected))


def test_the_facade_holds_what_vcrpys_cassette_holds(cassette_file):
    config = CONFIGS["filter query"] | {"before_record_response": shout}
    expected, made = theirs(cassette_file, config), AdoptedCassette(conversation(cassette_file, config))
    assert str(made) == str(expected)
    assert [request.uri for request in made.requests] == [request.uri for request in expected.requests]
    assert [json.loads(r.body or b"0") for r in made.requests if r.headers != FORM] == [
        json.loads(r.body or b"0") for r in expected.requests if r.headers != FORM
    ]
    assert [each["body"]["string"] for each in made.responses[4:]] == [
        each["body"]["string"] for each in expected.responses[4:]
    ]
    assert made.responses[0]["headers"]["Set-Cookie"] == ["a=1", "b=2"]
    assert made.responses_of(REQUESTS[1]) == [made.responses[1]]
    with pytest.raises(vcr.errors.UnhandledHTTPRequestError):
        made.responses_of(asked("GET", "https://nowhere.example.com"))
    assert (made.record_mode, made.write_protected, made.rewound, made.dirty) == ("none", True, True, False)
    before = body_of_ours(made.conversation, REQUESTS[1])
    assert body_of_ours(made.conversation, REQUESTS[1]) == "miss"
    made.rewind()
    assert (made.play_count, body_of_ours(made.conversation, REQUESTS[1]), made.play_count) == (0, before, 1)


def test_a_body_that_no_filter_looks_at_is_not_even_rendered():
    found = vcr_config.adopt(
        [("vcr_config", {"filter_headers": ["authorization"]})],
        name="x",
        directory="",
        record="none",
        configure=lambda engine: None,
    )
    request = Request("POST", API, (("authorization", "Bearer x"),), Json({"messages": []}))
    filtered = found.filters.request(request)
    assert filtered.headers == ()
    assert filtered.body is request.body
    assert found.filters.request(filtered) is filtered
    assert not vars(found.filters.asked).get("_body")


def test_vcrpys_settings_are_all_known():
    ours = {*vcr_config.HONOURED, *vcr_config.WITHOUT_EFFECT, *vcr_config.REFUSED}
    assert set(inspect.signature(vcr.VCR).parameters) <= ours
    assert set(inspect.signature(VcrCassette).parameters) - {"inject"} <= ours


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"custom_patches": (("a", "x", 1),)}, "vcr_config: custom_patches: not with convo_adopt_vcr: "),
        ({"drop_unused_requests": True}, "vcr_config: drop_unused_requests: "),
        ({"filter_sensitive_data": {"<A>": "b"}}, "vcr_config: filter_sensitive_data: *secrets"),
        ({"before_save_interaction": print}, "vcr_config: before_save_interaction: *before_record in convo_config"),
        ({"after_load_interaction": print}, "vcr_config: after_load_interaction: *before_record_response"),
        ({"skip_patchers": ["aiohttp"]}, "vcr_config: skip_patchers: *ignore_hosts"),
        ({"path": "x"}, "vcr_config: path: *default_cassette"),
        ({"persister": object}, "vcr_config: persister object: not with convo_adopt_vcr: cassettes are files"),
        ({"record_mode": "sometimes"}, "vcr_config: record_mode: expected one of none once "),
        ({"match_on": ["nobody"]}, "vcr_config: match_on: Matcher nobody doesn't exist"),
        ({"serializer": "toml"}, "vcr_config: serializer: Serializer toml doesn't exist"),
        ([], "vcr_config: expected a dict, got list"),
        (lambda engine: engine.register_persister(object()), "pytest_recording_configure: persister object: not with "),
        (
            lambda engine: setattr(engine, "record_mode", "any"),
            "pytest_recording_configure: record_mode: expected one ",
        ),
        (lambda engine: setattr(engine, "match_on", ["me"]), "pytest_recording_configure: match_on: Matcher me does"),
        (lambda engine: setattr(engine, "skip_patchers", ["aiohttp"]), "pytest_recording_configure: skip_patchers: "),
    ],
    ids=range(16),
)
def test_what_is_refused_says_where_it_was_said(tmp_path, config, said):
    layer, configure = ({}, config) if callable(config) else (config, own)
    with pytest.raises(ValueError) as raised:
        vcr_config.adopt([("vcr_config", layer)], name="x", directory=str(tmp_path), record="none", configure=configure)
    beginning, _, rest = said.partition("*")
    assert str(raised.value).startswith(beginning)
    assert rest in str(raised.value)


def test_falsy_settings_say_nothing(tmp_path):
    settings = {"custom_patches": (), "skip_patchers": (), "drop_unused_requests": False, "before_record": None}
    found = adopted(tmp_path / "x", settings)
    assert (found.notes, found.filters) == ((), None)
    assert found.match_on == ("method", "scheme", "host", "path", "query")


def test_the_hook_may_change_what_nobody_said(tmp_path):
    def configure(engine):
        engine.match_on = ["method", "uri"]
        engine.record_mode = "all"
        engine.filter_headers = ["authorization"]

    path = tmp_path / "x"
    found = adopted(path, {}, configure=configure)
    assert found.record == "all"
    assert found.filters is not None
    assert found.functions == (vcr.matchers.method, vcr.matchers.uri)
    assert adopted(path, {}, configure=configure, configured_record=False).record == "none"
    assert adopted(path, {"record_mode": vcr.mode.ONCE, "match_on": ["body"]}, configure=configure).record == "once"
    assert adopted(path, {}, record="rewrite").record == "rewrite"


NOTE = (
    "pytest_recording_configure: register_{}: it reads cassettes, but does not write them: a recording is one of ours"
)


class Reversed:
    """A serializer whose files nobody else can read."""

    @staticmethod
    def deserialize(text):
        return json.loads(text[::-1])

    @staticmethod
    def serialize(cassette):
        return json.dumps(cassette)[::-1]


class Elsewhere(FilesystemPersister):
    @classmethod
    def load_cassette(cls, cassette_path, serializer):
        assert serializer is yamlserializer
        return deserialize(Path(cassette_path).read_text()[::-1], jsonserializer)


class Shorter(FilesystemPersister):
    @staticmethod
    def save_cassette(cassette_path, cassette_dict, serializer):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("configure", "note"),
    [
        (lambda engine: engine.register_serializer("yaml", Reversed), NOTE.format("serializer")),
        (lambda engine: engine.register_persister(Elsewhere), None),
    ],
    ids=["serializer", "persister"],
)
def test_a_project_that_reads_its_own_way(tmp_path, configure, note):
    message = {"request": {"method": "GET", "uri": API, "body": None, "headers": {}}}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "hello"}}
    path = tmp_path / "x.yaml"
    path.write_text(Reversed.serialize({"interactions": [message | {"response": response}]}))
    made = conversation(path, {}, configure=configure)
    assert body_of_ours(made, asked("GET")) == b"hello"
    assert made.adopted.notes == ()
    notes = adopted(path, {}, record="once", configure=configure).notes
    assert list(notes) == ([] if note is None else [note])
    path.write_text("nothing of the kind")
    with pytest.raises(CassetteError, match=r"x\.yaml"):
        conversation(path, {}, configure=configure)


def test_a_persister_that_only_writes_its_own_way(cassette_file):
    made = conversation(cassette_file, {"persister": Shorter}, record="new_episodes")
    assert body_of_ours(made, REQUESTS[0]) == b'{"text": "answer 0"}'
    assert made.notes == [NOTE.format("persister")]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, "test_x"),
        ({}, "x" * 300),
        ({"serializer": "yaml"}, "x" * 251),
        ({"serializer": "json"}, "x" * 252),
        ({"cassette_library_dir": "/elsewhere"}, "test_x"),
        ({"path_transformer": lambda path: path + ".cassette"}, "test_x"),
        ({}, "named.yaml"),
        ({"serializer": "json"}, "named.yaml"),
    ],
    ids=range(8),
)
def test_paths_are_pytest_recordings(tmp_path, config, name):
    recording = pytest.importorskip("pytest_recording._vcr")
    session = SimpleNamespace(hook=SimpleNamespace(pytest_recording_configure=lambda config, vcr: None))
    settings = recording.use_cassette(name, str(tmp_path), "none", [], config, session)._args_getter()
    found = vcr_config.adopt(
        [("vcr_config", config)], name=name, directory=str(tmp_path), record="none", configure=lambda engine: None
    )
    assert str(found.path) == settings["path_transformer"](settings["path"])


def test_callables_that_go_wrong_are_named(tmp_path, cassette_file):
    def wrong(message):
        raise KeyError("nothing")

    sent = Request("GET", API)
    with pytest.raises(ConvoFailure, match=r"before_record_request \(.*test_vcr_config.py:\d+, in wrong\): KeyError"):
        conversation(tmp_path / "none.yaml", {"before_record_request": wrong}).decide(sent)
    with pytest.raises(ConvoFailure, match="returned int, expected vcr"):
        conversation(tmp_path / "none.yaml", {"before_record_request": lambda request: 1}).decide(sent)
    with pytest.raises(CassetteError, match=r"old\.\w+: before_record_response .*KeyError"):
        conversation(cassette_file, {"before_record_response": wrong})
    with pytest.raises(CassetteError, match="returned no response; expected a dict"):
        conversation(cassette_file, {"before_record_response": lambda response: {"status": 200}})


def test_requests_of_vcrpys_are_ours_and_back():
    for request in [*REQUESTS, *VARIANTS]:
        ours = request_of(request, Request("", ""))
        back = VcrRequest(ours)
        assert (back.method, back.uri, back.host, back.port) == (
            request.method,
            request.uri,
            request.host,
            request.port,
        )
        assert dict(back.headers) == {name.lower(): value for name, value in request.headers.items()}
        assert request_of(back, ours) is ours
        vcr.matchers.body(back, request)
