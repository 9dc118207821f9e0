"""Whose fault an exception is: `raised` or `crashed`."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anthropic
import httpx2
import pytest

from convo_replay.errors import ConvoFailure
from fault_scenes import CHAT_TOOL, Scene, answered, ask, chat, text, use, user

ASKED = user("What's the weather in Paris?")
ONE = answered(ask([ASKED]), text('{"degrees": 18, "sunny": true}'))
CHAT = answered(chat([ASKED], tools=[CHAT_TOOL]), use("call_1"))
WHOLE = answered(ask([ASKED], stream=False), text("It is 18 degrees."))


class Broken(Exception):
    """Whatever a transport raises."""


def caught(code: Callable[[], object]) -> BaseException:
    try:
        code()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def chained(error: BaseException, how: str) -> BaseException:
    """Another exception that came of one, in each of the ways there are."""
    if how == "group":
        return ExceptionGroup("two", [ValueError("mine"), ExceptionGroup("one", [error])])  # type: ignore[list-item]

    def wrapping() -> None:
        try:
            raise error
        except BaseException as caught_:
            if how == "cause":
                raise AssertionError("no answer") from caught_
            if how == "from None":
                raise AssertionError("no answer") from None
            raise AssertionError("no answer")  # noqa: B904

    return caught(wrapping)


def outcome(scene: Scene, error: BaseException) -> str:
    return scene.judge(error).outcome


def scene(fault: str = "cut:reset@4", recorded: Any = ONE, **other: Any) -> Scene:
    made = Scene(recorded, plan=fault)
    made.play(0, fault, **other)
    return made


@pytest.mark.parametrize("how", ["cause", "context", "from None", "group"])
def test_what_the_transport_raised_and_what_came_of_it(how: str) -> None:
    error = Broken()
    made = scene(error=error)
    assert outcome(made, error) == "raised"
    assert outcome(made, chained(error, how)) == "raised"
    assert outcome(made, chained(Broken(), how)) == "crashed"
    assert outcome(made, chained(chained(error, how), "cause")) == "raised"


def test_an_exception_that_holds_itself_comes_to_an_end() -> None:
    error = Broken()
    error.__cause__ = error.__context__ = error
    assert outcome(scene(), error) == "crashed"


def test_a_response_says_whose_it_is() -> None:
    made, other = scene("529"), scene("529")
    for run, expected in ((made, "raised"), (other, "crashed")):
        error = Broken()
        error.response = SimpleNamespace(extensions={"convo_replay_fault": run.run.attempts[0]})  # type: ignore[attr-defined]
        assert outcome(made, error) == expected


def test_text_of_the_answer_that_cannot_be_read() -> None:
    half = '{"degrees": 18'
    made = scene("cut:eof@3")
    assert outcome(made, caught(lambda: json.loads(half))) == "crashed"
    assert outcome(made, caught(lambda: json.loads('{"degrees": 18,'))) == "raised"
    event = scene("malformed@3")
    data = event.run.attempts[0].exchange.body.decode().split("data: ")[4].split("\n")[0]  # type: ignore[union-attr]
    assert outcome(event, caught(lambda: json.loads(data))) == "raised"
    document = scene("truncated_json", WHOLE)
    body = document.run.attempts[0].exchange.body.decode()  # type: ignore[union-attr]
    assert outcome(document, caught(lambda: json.loads(body))) == "raised"
    arguments = scene("cut:eof@3", CHAT)
    assert outcome(arguments, caught(lambda: json.loads('{"city":'))) == "raised"
    assert outcome(arguments, caught(lambda: json.loads('{"town":'))) == "crashed"


def test_bytes_of_the_answer_that_are_no_text() -> None:
    made = scene("bad_utf8@3")
    body = made.run.attempts[0].exchange.body  # type: ignore[union-attr]
    assert outcome(made, caught(lambda: body.decode())) == "raised"
    assert outcome(made, caught(lambda: b"\xff\xfe".decode())) == "crashed"


def test_what_is_raised_inside_an_sdk() -> None:
    made = scene("529")
    assert outcome(made, caught(lambda: httpx2.URL(7))) == "raised"  # type: ignore[arg-type]
    assert outcome(made, caught(lambda: anthropic.Anthropic(api_key="k", auth_token="t"))) == "raised"
    assert outcome(made, caught(lambda: [][0])) == "crashed"
    assert outcome(made, AssertionError("expected 18 in ''")) == "crashed"
    assert outcome(made, http.client.RemoteDisconnected()) == "raised"


def test_a_deadline_over_a_faulted_answer() -> None:
    waiting = scene("stall@3", state="left")
    assert outcome(waiting, TimeoutError()) == "raised"
    assert outcome(waiting, asyncio.CancelledError()) == "raised"
    assert outcome(waiting, type("TooSlowError", (Exception,), {})()) == "raised"
    answered_ = scene("cut:eof@3")
    assert outcome(answered_, TimeoutError()) == "crashed"


def test_what_we_raise_ourselves_is_nobodys_fault() -> None:
    inside: dict[str, Any] = {"__name__": "httpx2._client"}
    exec("def fail(error):\n    raise error", inside)
    assert outcome(scene(), caught(lambda: inside["fail"](Broken()))) == "raised"
    assert outcome(scene(), caught(lambda: inside["fail"](ConvoFailure("mine")))) == "crashed"
    made = scene("stall@3", state="open")
    made.run.hung.append(made.run.attempts[0])
    assert outcome(made, ConvoFailure("would hang")) == "crashed"
