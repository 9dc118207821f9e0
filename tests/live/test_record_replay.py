"""Recorded against a server, replayed once it is gone: the same events, ids and bytes."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from convo_replay.redaction import placeholders
from live.callers import (
    LIBRARIES,
    RAW,
    STREAMING,
    anthropic_async_helper,
    anthropic_create,
    anthropic_stream,
    anthropic_thinking,
    anthropic_tool_loop,
    async_client,
    body,
    client,
    httpx,
    httpx2,
    openai_create,
    openai_stream,
    openai_tool_loop,
    plain,
    use_cassette,
)
from upstream import COOKIE, ORGANIZATION, SIGNATURE, Upstream

ROWS = {
    "anthropic create": (anthropic_create, "text", 1),
    "anthropic create, spaced JSON": (anthropic_create, "unicode,json=spaced", 1),
    "anthropic create, indented ASCII JSON, gzip": (anthropic_create, "unicode,json=indent2,gzip=1", 1),
    "anthropic create, read to the end": (anthropic_create, "text,close=1", 1),
    "anthropic create after 429 and 429": (anthropic_create, "text,fail=429,times=2", 3),
    "anthropic create after 529": (anthropic_create, "text,fail=529", 2),
    "anthropic create that fails for good": (anthropic_create, "text,fail=429,times=9", 3),
    "anthropic create, refused": (anthropic_create, "text,fail=400,times=9", 1),
    "anthropic create after a redirect": (anthropic_create, "text,redirect=307", 2),
    "anthropic stream after 529": (anthropic_stream, "text,fail=529", 2),
    "anthropic stream after a redirect": (anthropic_stream, "text,redirect=307", 2),
    "anthropic async messages.stream": (anthropic_async_helper, "tools", 1),
    "anthropic tool loop": (anthropic_tool_loop, "tools", 3),
    "anthropic tool loop, one character at a time": (anthropic_tool_loop, "tools,piece=1", 3),
    "anthropic thinking": (anthropic_thinking, "thinking", 2),
    "openai create": (openai_create, "tools", 1),
    "openai create after 503": (openai_create, "text,fail=503", 2),
    "openai tool loop": (openai_tool_loop, "tools", 3),
    **{f"{name}, {how}": (caller, how, 1) for name, caller in STREAMING.items() for how in ("text", "unicode,split=3")},
    "anthropic stream, gzip": (anthropic_stream, "unicode,gzip=1", 1),
    "anthropic stream, CRLF, comments, pings": (anthropic_stream, "unicode,crlf=1,comments=1,pings=1", 1),
    "anthropic stream, ended early": (anthropic_stream, "text,cut=eof,at=4", 1),
    "anthropic stream, ended inside an event": (anthropic_stream, "text,cut=eof,at=4,mid=30", 1),
    "openai stream, gzip, CRLF, comments": (openai_stream, "unicode,gzip=1,crlf=1,comments=1", 1),
}


@pytest.mark.parametrize(("caller", "scenario", "requests"), ROWS.values(), ids=ROWS)
def test_the_same_events(caller, scenario, requests, upstream: Upstream, cassette: Path):
    url, validate = upstream.url(scenario), level(scenario)
    with use_cassette(cassette, record="once", validate=validate) as convo:
        recorded = caller(url)
    assert convo.live_requests == requests == len(upstream.log())
    upstream.stop()
    written = cassette.read_bytes()
    with use_cassette(cassette, validate=validate) as convo:
        replayed = caller(url)
    assert convo.live_requests == 0
    assert join(replayed.events) == join(recorded.events)
    assert without_request_id(replayed.error) == without_request_id(recorded.error)
    assert cassette.read_bytes() == written


def level(scenario: str) -> str:
    """A stream that ends too early is recorded and played like any other, and is told of."""
    return "warn" if "cut=eof" in scenario else "error"


def join(events: list) -> list:
    """Raw bytes are compared as one: how TCP cut them is not kept."""
    return [events[0], b"".join(events[1:])] if len(events) > 1 and isinstance(events[1], bytes) else events


def without_request_id(error: tuple[str, str] | None) -> tuple[str, str] | None:
    """An error's text quotes the body, where the request id is a placeholder once sanitized."""
    return (error[0], error[1].partition("'request_id'")[0]) if error else None


BODIES = ["text", "unicode,split=3", "unicode,crlf=1,comments=1,pings=1", "unicode,gzip=1", "unicode,close=1", "tools",
          "thinking", "deltas,n=300,piece=3", "text,cut=eof,at=5,mid=17"]  # fmt: skip


@pytest.mark.parametrize("scenario", BODIES)
@pytest.mark.parametrize("caller", RAW.values(), ids=RAW)
def test_the_same_bytes_as_sent_where_nothing_is_sanitized(caller, scenario, upstream: Upstream, cassette: Path):
    url, validate = upstream.url(scenario), level(scenario)
    with use_cassette(cassette, record="once", sanitize="off", validate=validate):
        caller(url)
    sent = upstream.log()[0].sent
    upstream.stop()
    with use_cassette(cassette, sanitize="off", validate=validate):
        replayed = caller(url)
    assert b"".join(replayed.events[1:]) == sent


@pytest.mark.parametrize("form", ["compact", "spaced", "indent2"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_same_bytes_of_json(form, library, upstream: Upstream, cassette: Path):
    module = httpx2 if library == "httpx2" else httpx
    url = upstream.url(f"unicode,json={form}", "/v1/messages")
    with use_cassette(cassette, record="once", sanitize="off"):
        assert module.post(url, json=body()).content == upstream.log()[0].sent
    upstream.stop()
    with use_cassette(cassette, sanitize="off"):
        assert module.post(url, json=body()).content == upstream.log()[0].sent


def test_headers_are_sanitized_but_for_what_is_needed(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="once"), client(upstream.url("text,fail=429")) as api:
        recorded = api.messages.with_raw_response.create(**body())
        assert recorded.headers["request-id"].startswith("req_011")  # while recording the caller sees the real ones
        assert ORGANIZATION in recorded.headers["anthropic-organization-id"]
    text = cassette.read_text()
    assert "req_011" not in text
    assert ORGANIZATION not in text
    assert COOKIE.partition("=")[2] not in text
    assert "retry-after" not in text  # `keep=()`: an attempt that a later one made good is dropped
    upstream.stop()
    with use_cassette(cassette), client(upstream.url("text,fail=429")) as api:
        replayed = api.messages.with_raw_response.create(**body())
    assert plain(replayed.parse()) == plain(recorded.parse())
    assert replayed.headers["content-type"] == recorded.headers["content-type"]
    assert placeholders.found(replayed.headers["request-id"]) == [replayed.headers["request-id"]]


def test_attempts_are_kept_on_request(upstream: Upstream, cassette: Path):
    url = upstream.url("text,fail=429,after=0.01")
    with use_cassette(cassette, record="once", keep=("errors",)) as convo:
        anthropic_create(url)
    assert [exchange.status for exchange in convo.exchanges] == [429, 200]
    assert [len(turn.attempts) for turn in convo.turns] == [2]
    upstream.stop()
    with use_cassette(cassette) as convo:
        anthropic_create(url)
    assert [exchange.status for exchange in convo.exchanges] == [429, 200]
    assert convo.exchanges[0].header("retry-after") == "0.01"


def test_thinking_survives_word_for_word(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="once"):
        anthropic_thinking(upstream.url("thinking"))
    assert SIGNATURE in cassette.read_text()
    assert "resendable: false" not in cassette.read_text()


def test_ids_of_messages_and_tools_are_kept(upstream: Upstream, cassette: Path):
    with use_cassette(cassette, record="once") as convo:
        anthropic_tool_loop(upstream.url("tools"))
    text = cassette.read_text()
    assert "toolu_01AbCdEfGhJkLmNpQrStUv" in text
    assert [turn.response.tool_uses[0].name for turn in convo.turns[:2]] == ["get_weather", "get_time"]
    assert text.count("Weather and time in Paris?") == 1  # later requests name it by `$base`


def test_replay_needs_no_key_and_no_network(upstream: Upstream, cassette: Path):
    import anthropic
    import openai

    with use_cassette(cassette, record="once"):
        anthropic_create(upstream.url())
        openai_create(upstream.url())
    upstream.stop()
    with use_cassette(cassette):
        message = anthropic.Anthropic(base_url=upstream.url()).messages.create(**body())
        completion = openai.OpenAI(base_url=upstream.url("text", "/v1")).chat.completions.create(
            model="claude-sonnet-4-6", messages=body()["messages"]
        )
    assert message.content[0].text == completion.choices[0].message.content


def test_the_default_base_url_is_replayed_too(upstream: Upstream, cassette: Path):
    """The host is no part of what is matched: recorded behind a gateway, replayed for the API itself."""
    import anthropic

    upstream_root = f"http://127.0.0.1:{upstream.port}"
    with use_cassette(cassette, record="once"):
        recorded = anthropic_create(upstream_root)
    upstream.stop()
    with use_cassette(cassette):
        assert plain(anthropic.Anthropic().messages.create(**body())) == recorded.events[0]


def test_async_with_and_decorators(upstream: Upstream, cassette: Path):
    url = upstream.url()

    async def ask() -> str:
        async with async_client(url) as api:
            return (await api.messages.create(**body())).content[0].text

    async def record() -> str:
        async with use_cassette(cassette, record="once"):
            return await ask()

    @use_cassette(cassette)
    def decorated() -> str:
        return client(url).messages.create(**body()).content[0].text

    @use_cassette(cassette)
    async def decorated_async() -> str:
        return await ask()

    answer = asyncio.run(record())
    upstream.stop()
    assert decorated() == asyncio.run(decorated_async()) == decorated() == answer


def test_sanitize_off_is_refused_inside_a_git_work_tree(upstream: Upstream, tmp_path: Path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    cassette = tmp_path / "cassettes" / "conversation.yaml"
    with (
        pytest.raises(Exception, match="git") as caught,
        use_cassette(cassette, record="once", sanitize="off"),
    ):
        anthropic_create(upstream.url())
    assert "sanitize" in str(caught.value)
    assert not cassette.exists()
