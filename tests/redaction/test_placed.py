"""Values known by their place in a body: whatever they look like, and learned where they can be told from words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from convo_replay.exchange import Chunk, End, Head, Json, Request
from convo_replay.providers.anthropic import provider as anthropic
from convo_replay.providers.openai_chat import provider as openai_chat
from convo_replay.redaction import Redactor, placed

MESSAGES = "https://api.anthropic.com/v1/messages"
RESPONSES = "https://api.openai.com/v1/responses"
UUID = "0b1f9a3c-1111-4222-8333-944455556666"


def _request(url: str, body: Any, redactor: Redactor | None = None) -> Any:
    return (redactor or Redactor()).request(Request("POST", url, (), Json(body))).json


def _answer(body: bytes, content_type: str = "application/json", redactor: Redactor | None = None) -> bytes:
    steps = (Head(200, (("content-type", content_type),)), Chunk(0.1, body), End())
    redactor = redactor or Redactor()
    made = redactor.steps(steps)
    assert redactor.steps(made) is made
    assert Redactor().steps(made) is made
    chunk = made[1]
    assert isinstance(chunk, Chunk)
    return chunk.data


@pytest.mark.parametrize(
    ("url", "part", "becomes"),
    [
        (MESSAGES, {"metadata": {"user_id": "ada"}}, {"metadata": {"user_id": "redacted-user-id-1"}}),
        (MESSAGES, {"metadata": {"user_id": "", "n": 1}}, {"metadata": {"user_id": "", "n": 1}}),
        (MESSAGES, {"metadata": {"user_id": None}}, {"metadata": {"user_id": None}}),
        (MESSAGES, {"metadata": "x"}, {"metadata": "x"}),
        (MESSAGES, {"user_profile_id": "mine"}, {"user_profile_id": "uprof_REDACTED1"}),
        (MESSAGES, {"container": "c_1"}, {"container": "container_REDACTED1"}),
        (
            MESSAGES,
            {"container": {"id": "c_1", "skills": []}},
            {"container": {"id": "container_REDACTED1", "skills": []}},
        ),
        (
            MESSAGES,
            {
                "mcp_servers": [
                    {"url": "https://a:b@m.example.com/x?token=c", "authorization_token": "tk"},
                    {"name": "n"},
                ]
            },
            {
                "mcp_servers": [
                    {
                        "url": "https://redacted-url-userinfo-1@m.example.com/x?token=redacted-url-key-1",
                        "authorization_token": "redacted-api-key-1",
                    },
                    {"name": "n"},
                ]
            },
        ),
        (RESPONSES, {"user": "ada"}, {"user": "redacted-user-id-1"}),
        (RESPONSES, {"safety_identifier": "s"}, {"safety_identifier": "redacted-user-id-1"}),
        (RESPONSES, {"prompt_cache_key": "k"}, {"prompt_cache_key": "redacted-user-id-1"}),
        (
            RESPONSES,
            {"tools": [{"type": "mcp", "server_url": "https://m.example.com/?key=k", "authorization": "tk"}]},
            {
                "tools": [
                    {
                        "type": "mcp",
                        "server_url": "https://m.example.com/?key=redacted-url-key-1",
                        "authorization": "redacted-api-key-1",
                    }
                ]
            },
        ),
        (
            RESPONSES,
            {"tools": [{"headers": {"X-Api-Key": "tool-key-88", "X-Mode": "custom-mode-value"}}]},
            {"tools": [{"headers": {"X-Api-Key": "redacted-api-key-1", "X-Mode": "custom-mode-value"}}]},
        ),
        (
            RESPONSES,
            {"tools": [{"type": "code_interpreter", "container": "c_1"}, {"container": {"type": "auto"}}]},
            {
                "tools": [
                    {"type": "code_interpreter", "container": "container_REDACTED1"},
                    {"container": {"type": "auto"}},
                ]
            },
        ),
        ("https://gw.example.com/x", {"user": "ada"}, {"user": "redacted-user-id-1"}),
    ],
)
def test_in_a_request(url: str, part: dict[str, Any], becomes: dict[str, Any]) -> None:
    history = "input" if url == RESPONSES else "messages"
    body = {"model": "m", history: [{"role": "user", "content": "hello"}], **part}
    made = _request(url, body)
    assert made == {**body, **becomes}
    assert _request(url, made) == made


def test_a_dummy_reads_like_the_value_that_was_live() -> None:
    forms = {
        json.dumps(_request(MESSAGES, {"messages": [], "mcp_servers": [{"authorization_token": token}]}))
        for token in ("sk-ant-api03-" + "x1Y2z3W4" * 11, "dummy", "convo-replay-stand-in", "a-token-of-some-length")
    }
    assert len(forms) == 1


def test_what_can_be_told_from_words_is_known_everywhere() -> None:
    body = {
        "metadata": {"user_id": UUID},
        "mcp_servers": [{"url": "https://m.example.com/?token=mcp-url-token", "authorization_token": "mcp-token-77"}],
        "messages": [{"role": "user", "content": f"{UUID} mcp-token-77 mcp-url-token ada"}],
    }
    redactor = Redactor()
    text = _request(MESSAGES, body, redactor)["messages"][0]["content"]
    assert text == "redacted-user-id-1 redacted-api-key-1 redacted-api-key-2 ada"
    assert redactor.text(f"<{UUID}>") == "<redacted-user-id-1>"
    for name in ("ada", "ada-lovelace"):
        word = {"metadata": {"user_id": name}, "messages": [{"role": "user", "content": name}]}
        assert _request(MESSAGES, word)["messages"] == word["messages"]


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        (b'{"error": {"type": "x"}, "request_id": "gw-1"}', b'{"error": {"type": "x"}, "request_id": "req_REDACTED1"}'),
        (b'{"request_id":null,"user":null}', b'{"request_id":null,"user":null}'),
        (b'{"error":{"request_id":"gw-1"}}', b'{"error":{"request_id":"req_REDACTED1"}}'),
        (b'{"object":"response","user":"ada"}', b'{"object":"response","user":"redacted-user-id-1"}'),
        (b'{"container": {"id": "c"}}', b'{"container": {"id": "container_REDACTED1"}}'),
        (b'{"account_uuid":"' + UUID.encode() + b'"}', b'{"account_uuid":"acc0acc0-0000-4001-8000-000000000001"}'),
        (b'{"content":[{"user":"ada"}]}', b'{"content":[{"user":"ada"}]}'),
        (b'["request_id"]', b'["request_id"]'),
    ],
)
def test_in_an_answer(body: bytes, becomes: bytes) -> None:
    assert _answer(body) == becomes


def test_in_an_event() -> None:
    event = b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","user":"%s"}}\n\n'
    assert _answer(event % b"ada", "text/event-stream") == event % b"redacted-user-id-1"
    start = b'event: message_start\ndata: {"type":"message_start","message":{"container":{"id":"%s"}}}\n\n'
    assert _answer(start % b"c_1", "text/event-stream") == start % b"container_REDACTED1"


def test_the_same_user_has_one_placeholder_in_request_and_answer() -> None:
    redactor = Redactor()
    assert _request(RESPONSES, {"user": "ada", "input": []}, redactor)["user"] == "redacted-user-id-1"
    assert b"redacted-user-id-1" in _answer(b'{"user":"ada"}', redactor=redactor)


@pytest.mark.parametrize(
    ("redact", "body"),
    [
        ({"user-id": "keep"}, {"metadata": {"user_id": "ada"}, "messages": []}),
        ({"container-id": "keep"}, {"container": "c_1", "messages": []}),
    ],
)
def test_a_class_may_be_kept(redact: Mapping[str, Any], body: Any) -> None:
    redactor = Redactor(redact=redact)
    request = Request("POST", MESSAGES, (), Json(body))
    assert redactor.request(request) is request


class Other:
    """A provider of another package, as far as it is asked here."""

    secret_paths = ("auth.token", "keys[*]")


class Telling(Other):
    identifying_paths: Mapping[str, str] = {"who.*.mail": "user-id"}


BODY = {"auth": {"token": "t"}, "keys": ["a", 1, "b"], "who": {"x": {"mail": "m"}, "y": {"mail": "n"}}, "user": "ada"}


@pytest.mark.parametrize(
    ("provider", "found"),
    [
        (Other(), [(("auth", "token"), "api-key"), (("keys", 0), "api-key"), (("keys", 2), "api-key")]),
        (
            Telling(),
            [
                (("auth", "token"), "api-key"), (("keys", 0), "api-key"), (("keys", 2), "api-key"),
                (("who", "x", "mail"), "user-id"), (("who", "y", "mail"), "user-id"),
            ],
        ),
        (anthropic, []),
        (openai_chat, [(("user",), "user-id")]),
        (None, [(("user",), "user-id")]),
    ],
)  # fmt: skip
def test_places_are_the_providers_to_say(provider: Any, found: list[Any]) -> None:
    assert list(placed.found(provider, BODY)) == found


@pytest.mark.parametrize(
    "body", [None, [], "x", 1, {"mcp_servers": None, "tools": 3, "metadata": []}, {"tools": [None, 1]}]
)
def test_a_body_of_another_shape_has_none(body: Any) -> None:
    assert list(placed.found(None, body)) == []
    assert list(placed.learnable(None, body)) == []
    assert list(placed.found(None, body, response=True)) == []
