"""Settings: what may be said, what is made of it, and what is said where it may not."""

from __future__ import annotations

import re

import pytest

from convo_replay.config import Config, hosts, settings
from convo_replay.exchange import Request
from convo_replay.redaction.classes import BY_NAME, CLASSES
from convo_replay.redaction.overriding import overrides, parsed

WRONG = {
    "recrd": ({"recrd": "once"}, "there is no setting 'recrd'; there are before_record, cassette_dir"),
    "record": ({"record": "maybe"}, "record: expected one of none once new_episodes all rewrite live, got 'maybe'"),
    "match_on": ({"match_on": ["bdy"]}, "match_on: 'bdy' is no matcher; there are method scheme host"),
    "match_on type": ({"match_on": 3}, "match_on: expected names among method scheme"),
    "normalize": ({"normalize": ["dates"]}, "normalize: 'dates' is no preset"),
    "secrets": ({"secrets": [3, 4]}, "secrets: expected strings, compiled patterns, or callables"),
    "keep": ({"keep": ["all"]}, "keep: expected 'errors', or nothing, got"),
    "unplayed": ({"unplayed": "maybe"}, "unplayed: expected one of error warn ignore, got 'maybe'"),
    "timing word": ({"timing": "slow"}, "timing: expected 'none', 'recorded', or a factor of at least 0"),
    "timing": ({"timing": -1}, "timing: a factor on the recorded gaps is a finite number of at least 0"),
    "max_requests": ({"max_requests": -1}, "max_requests: expected a number of at least 0, got -1"),
    "a URL": ({"ignore": ["http://x/y"]}, "ignore: expected `host`, `host:port` or a callable, got 'http://x/y'"),
    "a port": ({"passthrough": "foo.com:abc"}, "passthrough: expected `host`, `host:port` or a callable"),
    "a class": ({"redact": {"requst-id": "keep"}}, "redact: there is no class 'requst-id'; near it: request-id"),
    "no class at all": ({"redact": {"?": "keep"}}, "redact: there is no class '?'; docs/redaction.md lists them"),
    "a policy": ({"redact": {"request-id": "kep"}},
                 "redact: request-id: expected one of keep placeholder drop, got 'kep'; did you mean 'keep'?"),
    "a key kept": ({"redact": {"anthropic-key": "keep"}}, "redact: anthropic-key gives access and cannot be kept"),
    "a cookie kept": ({"redact": {"cookie": "keep"}}, "redact: cookie gives access and cannot be kept"),
    "a text dropped": ({"redact": {"openai-user": "drop"}}, "redact: openai-user cannot be dropped, only headers can"),
    "ids of messages": ({"redact": {"message-id": "placeholder"}}, "redact: message-id is always kept"),
    "redact type": ({"redact": ["email"]}, "redact: expected a dict of classes, what becomes of each: "
                    "{'email': 'keep'}, got list"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_what_would_fit(given, said):
    with pytest.raises(ValueError, match=re.escape(f"here: {said}")) as caught:
        settings(("here", given))
    assert len(str(caught.value).splitlines()) == 1
    assert "Value error" not in str(caught.value)


def test_a_secret_is_never_shown():
    with pytest.raises(ValueError, match="secrets") as caught:
        settings(("here", {"secrets": [{"key": "hunter2-hunter2"}]}))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Config(secrets=("hunter2-hunter2",)))


WORDS = [
    "messages", "role", "content", "user", "assistant", "model", "max_tokens", "text", "type", "tool_use",
    "tool_result", "tool_use_id", "tool_calls", "system", "tools", "input_schema", "stream", "name", "id", "delta",
    "choices", "message_start", "content_block_delta", "partial_json", "thinking", "signature",
]  # fmt: skip
SPOILING = {
    "words": re.compile(r"\w+"),
    "anything": re.compile(".*"),
    "anything at all": re.compile(r"(?s).+"),
    "a sign": re.compile("."),
    "letters": re.compile("[a-z]{4}"),
    "ignoring case": re.compile("ROLE", re.IGNORECASE),
    "beside a secret": re.compile("hunter2-hunter2|content"),
    "many letters": re.compile(r"\b[a-z_]{20,}\b"),
    "nothing": re.compile(""),
    "perhaps": re.compile("(?:hunter2-hunter2)?"),
    "nothing or digits": re.compile(r"\d*"),
    "the end": re.compile("$"),
    "a part of a word": "tent",
    "an underscore": "_",
} | {f"pattern {word}": re.compile(word) for word in WORDS} | {f"text {word}": word for word in WORDS}  # fmt: skip


@pytest.mark.parametrize("secret", SPOILING.values(), ids=SPOILING)
def test_a_secret_that_is_in_the_api_s_own_words_is_refused(secret):
    with pytest.raises(
        ValueError, match=r"^convo_config: secrets: number 2 of 2, a (pattern|text of length)"
    ) as caught:
        settings(("convo_config", {"secrets": ["hunter2-hunter2", secret]}))
    text = str(caught.value)
    assert "hunter2" not in text
    assert isinstance(secret, re.Pattern) or repr(secret) not in text
    assert "Let it match the secret alone" in text or "Name more of it" in text
    assert len(text.splitlines()) == 1


HARMLESS = [
    "", "Projekt Nachtigall", "Claude", "sesame", "-1", re.compile(r"CUST-\d{5}"), re.compile(r"(?<=badge )\w+"),
    re.compile(r"\bsk-\w+"), re.compile(r"[\w.]+@[\w.]+"), re.compile(r"\b"), re.compile(r"\d{4,}"), str.split,
]  # fmt: skip


@pytest.mark.parametrize("secret", HARMLESS, ids=range(len(HARMLESS)))
def test_other_secrets_are_taken(secret):
    assert Config(secrets=[secret]).secrets == (secret,)


TOLD = {
    "a host": {"intercept": ["https://ada:hunter2-Zk3QmT9p@example.com/"]},
    "a mode": {"record": "sk-ant-api03-" + "Ex4mple" * 13},
    "a class": {"redact": {"sk-ant-api03-" + "Ex4mple" * 13: "keep"}},
}


@pytest.mark.parametrize("given", TOLD.values(), ids=TOLD)
def test_a_secret_in_the_wrong_place_is_not_told(given):
    for refused in (lambda: settings(("here", given)), lambda: Config(**given)):
        with pytest.raises(ValueError, match=r"expected|no class") as caught:
            refused()
        assert "hunter2" not in str(caught.value)
        assert "Ex4mple" not in str(caught.value)


def test_a_layer_says_of_redact_what_it_names_and_leaves_the_rest():
    made = settings(
        ("ini", {"redact": {"request-id": "keep", "openai-user": "keep"}}),
        ("convo_config", Config(redact={"request-id": "drop"})),
        ("marker", {"redact": {"workspace-id": "keep"}}),
    )
    assert made.redact == {"request-id": "drop", "openai-user": "keep", "workspace-id": "keep"}


LINES = {
    "one": (["request-id=keep"], {"request-id": "keep"}),
    "spaces": ([" request-id = drop "], {"request-id": "drop"}),
    "two": (["request-id=keep", "openai-user=keep"], {"request-id": "keep", "openai-user": "keep"}),
    "the same again": (["request-id=keep", "request-id=keep"], {"request-id": "keep"}),
    "no policy": (["request-id"], "expected lines class=policy, e.g. email=keep, got 'request-id'"),
    "no class": (["=keep"], "expected lines class=policy"),
    "two policies": (["request-id=keep", "request-id=drop"], "request-id is said to be keep and drop"),
    "a key": (["jwt=keep"], "jwt gives access and cannot be kept"),
}


@pytest.mark.parametrize(("lines", "made"), LINES.values(), ids=LINES)
def test_lines_of_an_ini_file(lines, made):
    if isinstance(made, dict):
        assert parsed(lines) == made
    else:
        with pytest.raises(ValueError, match=re.escape(made)):
            parsed(lines)


def test_every_class_may_be_told_what_it_is_anyway_and_none_that_gives_access_may_be_kept():
    error = {item.name for item in CLASSES if item.severity == "error"}
    assert error
    assert error != set(BY_NAME)
    for cls in BY_NAME:
        assert overrides({cls: BY_NAME[cls].policy})
        if cls in error:
            with pytest.raises(ValueError, match=f"{cls} gives access"):
                overrides({cls: "keep"})
        else:
            assert overrides({cls: "keep"}) == {cls: "keep"}


def test_later_layers_win_and_unset_ones_do_not():
    made = settings(("ini", {"record": "once", "repeats": True}), ("config", Config(record="all")), ("marker", None))
    assert (made.record, made.repeats) == ("all", True)


def test_one_is_a_list_of_one():
    assert Config(match_on="method", secrets="sesame-4711", ignore="localhost").match_on == ("method",)  # type: ignore[arg-type]


HOSTS = [
    ("example.com", "example.com", 443, True),
    ("EXAMPLE.com", "example.COM", 443, True),
    ("example.com:443", "example.com", 443, True),
    ("example.com:8000", "example.com", 443, False),
    ("example.com", "www.example.com", 443, False),
    ("127.0.0.1:4000", "127.0.0.1", 4000, True),
    ("::1", "::1", 80, True),
    ("localhost:4000", "127.0.0.1", 4000, True),
    ("127.0.0.1", "::1", 80, True),
    ("[::1]:80", "localhost", 81, False),
]


@pytest.mark.parametrize(("said", "host", "port", "listed"), HOSTS)
def test_hosts_are_matched_by_name_and_by_port_where_one_is_said(said, host, port, listed):
    made = Config(intercept=(said,))
    assert hosts(made.intercept)(host, port, None) is listed


def test_a_callable_is_asked_with_the_request():
    asked = hosts((lambda request: request.url.endswith("/v1"),))
    assert asked("h", 1, Request("GET", "http://h/v1"))
    assert not asked("h", 1, Request("GET", "http://h/v2"))
