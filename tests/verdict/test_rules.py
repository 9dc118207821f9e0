"""What each rule says of a run, and what it does not say: runs put together by hand."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convo_replay.exchange import End, Exchange, Json, Request, Text
from convo_replay.validation.catalogue import unknown
from convo_replay.verdict import catalogue
from convo_replay.verdict.judging import Verdict
from convo_replay.verdict.telling import MEANING
from fault_scenes import CHAT as CHAT_URL
from fault_scenes import (
    CHAT_TOOL,
    MESSAGES,
    TOOL,
    Scene,
    answered,
    ask,
    assistant,
    call,
    chat,
    result,
    rules,
    text,
    thinking,
    tool,
    use,
    user,
)

ASKED = user("What's the weather in Paris?")
CALLING = [thinking(), text("I will look that up for you."), use()]
FINAL = text("It is 18 degrees in Paris, and the sun is shining.")
FIRST = ask([ASKED], tools=[TOOL])
SECOND = ask([ASKED, assistant(*CALLING), user([result()])], tools=[TOOL])
CHAT_CALLED = {"role": "assistant", "content": "I will look that up for you.", "tool_calls": [call()]}
CHAT_FIRST = chat([ASKED], tools=[CHAT_TOOL])
CHAT_SECOND = chat([ASKED, CHAT_CALLED, tool()], tools=[CHAT_TOOL])

ONE = [answered(ask([ASKED]), FINAL)]
WHOLE = [answered(ask([ASKED], stream=False), FINAL)]
CHAT = [answered(chat([ASKED]), FINAL)]
LOOP = [answered(FIRST, *CALLING), answered(SECOND, FINAL)]
CHAT_LOOP = [answered(CHAT_FIRST, text("I will look that up for you."), use("call_1")), answered(CHAT_SECOND, FINAL)]

Build = Callable[[], Verdict]
CASES: list[tuple[str, Build, str, list[str]]] = []


def case(name: str, outcome: str, *found: str) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        CASES.append((name, build, outcome, list(found)))
        return build

    return add


def tried(
    fault: str,
    *gaps: float,
    recorded: list[Exchange] = ONE,
    passes: bool = True,
    **other: object,
) -> Scene:
    """One turn: a faulted attempt, one more after each gap; the last one is answered if it passes."""
    scene = Scene(*recorded, plan=fault)
    scene.play(0, fault, **other)
    for at, gap in enumerate(gaps):
        last = passes and at == len(gaps) - 1
        scene.play(0, "" if last else fault, after=gap)
    return scene


# --- asking again ----------------------------------------------------------------------------------

RETRIES = [
    # name, fault, gaps, found
    ("retry-after kept", "429:retry_after=2", [2.0], []),
    ("retry-after kept but for the clock", "429:retry_after=2", [1.992], []),
    ("retry-after missed by 20 ms", "429:retry_after=2", [1.98], ["error retry-after-ignored"]),
    ("retry-after-ms", "429:retry_after_ms=500", [0.4], ["error retry-after-ignored"]),
    ("retry-after-ms goes first", "429:retry_after=9,retry_after_ms=500", [0.5], []),
    ("retry-after 0 asks for nothing", "429:retry_after=0", [0.0, 0.0, 0.0], []),
    ("negative asks for nothing", "429:retry_after=-1", [0.0, 0.0], ["error no-backoff"]),
    ("garbage", "429:retry_after=soon", [1.0], []),
    ("each time at once, where it says when", "429:retry_after=2", [0, 0, 0], ["error retry-after-ignored"]),
    ("backoff of the SDKs", "429", [0.375, 0.75], []),
    ("two at once", "429", [0.0, 0.09], ["error no-backoff"]),
    ("one at once", "529", [0.05], ["warn no-backoff"]),
    ("one at once, one not, one at once", "529", [0.0, 1.0, 0.0], ["warn no-backoff"]),
    ("at once after no connection", "connect:refused", [0.0, 0.0, 0.0], ["error no-backoff"]),
    ("at once after a cut", "cut:reset@2", [0.0, 0.0], ["error no-backoff"]),
    ("400 again", "400", [1.0], ["error non-retryable-retried"]),
    ("401 again, at once, many times", "401", [0.0] * 5, ["error non-retryable-retried"]),
    ("413 again", "413", [9.0], ["error non-retryable-retried"]),
    ("what the SDKs retry", "408", [0.5], []),
    ("409, too", "409", [0.5], []),
    ("425 may pass", "status:425", [0.5], []),
    ("400 with x-should-retry: true", "400:should_retry=true", [0.5], []),
    ("500 with x-should-retry: false", "500:should_retry=false", [0.5], ["error non-retryable-retried"]),
    ("429 with both", "429:retry_after=2,should_retry=false", [0.1], ["error non-retryable-retried"]),
    ("20 attempts", "529", [0.5] * 19, []),
    ("21 attempts in 10 s", "529", [0.5] * 20, ["error retry-storm"]),
    ("21 attempts, at once", "529", [0.0] * 20, ["error retry-storm"]),
    ("21 attempts in 10 s, not one of them waited for", "429:retry_after=2", [0.5] * 20, ["error retry-storm"]),
    ("21 attempts in a minute and a half", "529", [4.5] * 20, []),
    ("400 for ever", "400", [0.0] * 25, ["error non-retryable-retried"]),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "gaps", "found"), [row[1:] for row in RETRIES], ids=[row[0] for row in RETRIES])
def test_asking_again(fault: str, gaps: list[float], found: list[str]) -> None:
    verdict = tried(fault, *gaps).judge()
    assert rules(verdict) == found
    assert verdict.outcome == "recovered"
    assert verdict.good is not any(one.startswith("error") for one in found)


def test_evidence_says_when_and_what() -> None:
    [finding] = tried("429:retry_after=2", 0.5).judge().findings
    assert (finding.turn, finding.attempt) == (0, 1)
    assert finding.evidence == ("attempt 1 came 0.50 s after attempt 0 was answered 429, which asked for 2 s",)


@case("the next attempt is another task's: this one waited", "recovered")
def _() -> Verdict:
    scene = Scene(*ONE, plan="429:retry_after=2")
    first = scene.play(0, "429:retry_after=2")
    scene.play(0, after=0.0)
    first.waits += _waits(2.0)
    return scene.judge()


@case("retried with another key, at once", "recovered")
def _() -> Verdict:
    scene = tried("401")
    scene.play(0, key=b"another")
    return scene.judge()


@case("asked side by side", "recovered")
def _() -> Verdict:
    scene = Scene(*ONE, plan="429")
    first = scene.play(0, "429")
    scene.play(0).began = first.began
    scene.play(0, after=1.0)
    return scene.judge()


@case("hops of a redirect are one try", "recovered")
def _() -> Verdict:
    scene = Scene(*ONE, plan="redirectx*")
    for _ in range(25):
        scene.play(0, "redirect")
    scene.play(0)
    return scene.judge()


@case("stopped after 10,000 waits", "crashed", "error retry-storm")
def _() -> Verdict:
    scene = tried("529", 0.5, 0.5, passes=False)
    scene.run.stopped = "retry-storm"
    return scene.judge(RuntimeError())


@case("a conversation that starts over asks the same again", "recovered")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.play(0, after=1.0, again=True)
    return _answered(scene, 1)


def _answered(scene: Scene, turn: int) -> Verdict:
    # The tool of the first turn is not answered anew: its result is of the first time.
    scene.recorded = (*scene.recorded[:-1], answered(ask([ASKED]), FINAL))
    scene.play(turn)
    return scene.judge()


def _waits(*seconds: float):
    scene = Scene(*ONE)
    scene.play(0)
    scene.play(0, waits=seconds)
    return scene.run.attempts[0].waits


# --- giving up, waiting for ever -------------------------------------------------------------------


class Fault(Exception):
    """What the transport raised."""


def raised_by(scene: Scene) -> Verdict:
    """The last attempt's exception comes out of the test."""
    error = scene.run.attempts[-1].raised = Fault("broken")
    return scene.judge(error)


GAVE_UP = [
    ("429", {}, True), ("529", {}, True), ("408", {}, True), ("connect:refused", {}, True),
    ("timeout:connect", {}, True), ("disconnect:eof", {}, True), ("500:should_retry=false", {}, False),
    ("400:should_retry=true", {}, True), ("400", {}, False), ("status:425", {}, False),
    ("429:retry_after=120", {}, True), ("429:retry_after=121", {}, False),
    ("cut:reset@3", {}, False), ("cut:reset@b40", {"recorded": WHOLE}, True),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "other", "found"), GAVE_UP, ids=[row[0] for row in GAVE_UP])
def test_giving_up(fault: str, other: dict[str, list[Exchange]], found: bool) -> None:
    verdict = raised_by(tried(fault, **other))
    assert (verdict.outcome, verdict.good) == ("raised", True)
    assert rules(verdict) == ["warn gave-up"] * found


@case("two attempts are not giving up", "raised")
def _() -> Verdict:
    return raised_by(tried("529", 0.5, passes=False))


@case("a deadline while it waits for the next attempt", "raised")
def _() -> Verdict:
    scene = tried("429:retry_after=60")
    scene.run.attempts[0].waits += _waits(60.0)
    return raised_by(scene)


@case("silent is not giving up", "silent", "error error-swallowed")
def _() -> Verdict:
    return tried("529").judge()


@case("no timeout", "crashed", "error no-read-timeout")
def _() -> Verdict:
    scene = tried("stall@3", state="open")
    scene.run.hung.append(scene.run.attempts[0])
    return scene.judge()


# --- silent ----------------------------------------------------------------------------------------

SILENT = [
    # what came last, and of what
    ("cut:eof@4", ONE, "truncated-stream-accepted"),
    ("cut:eof@b100", ONE, "truncated-stream-accepted"),
    ("cut:reset@4", ONE, "truncated-stream-accepted"),
    ("cut:chunk@4", CHAT, "truncated-stream-accepted"),
    ("stall@4", ONE, "truncated-stream-accepted"),
    ("cut:eof@0", CHAT, "truncated-stream-accepted"),
    ("empty", ONE, "truncated-stream-accepted"),
    ("cut:eof@3", CHAT, "truncated-stream-accepted"),
    ("cut:eof@9", LOOP[:1], "truncated-stream-accepted"),
    ("429", ONE, "error-swallowed"),
    ("400", CHAT, "error-swallowed"),
    ("connect:refused", ONE, "error-swallowed"),
    ("disconnect:reset", ONE, "error-swallowed"),
    ("timeout:read", WHOLE, "error-swallowed"),
    ("error:overloaded_error@4", ONE, "error-swallowed"),
    ("error_text@4", ONE, "error-swallowed"),
    ("error_unnamed@4", ONE, "error-swallowed"),
    ("error_unnamed@4", CHAT, "error-swallowed"),
    ("cut:eof@b40", WHOLE, "error-swallowed"),
    ("cut:reset@b40", WHOLE, "error-swallowed"),
    ("html", WHOLE, "error-swallowed"),
    ("foreign_json", WHOLE, "malformed-event-ignored"),
    ("html", ONE, "error-swallowed"),
    ("json_instead_of_stream", LOOP[:1], "malformed-event-ignored"),
    ("unnamed", ONE, "malformed-event-ignored"),
    ("malformed@4", ONE, "malformed-event-ignored"),
    ("malformed@3", CHAT, "malformed-event-ignored"),
    ("drop@1", ONE, "malformed-event-ignored"),
    ("duplicate@1", ONE, "malformed-event-ignored"),
    ("gzip:corrupt", ONE, "error-swallowed"),
    ("gzip:plain", ONE, "error-swallowed"),
    ("tool_arguments", LOOP[:1], "malformed-event-ignored"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "recorded", "rule"), SILENT, ids=[row[0] for row in SILENT])
def test_silent(fault: str, recorded: list[Exchange], rule: str) -> None:
    verdict = tried(fault, recorded=recorded).judge()
    assert (verdict.outcome, verdict.good, rules(verdict)) == ("silent", False, [f"error {rule}"])
    declared = tried(fault, recorded=recorded).judge(expected="handled")
    assert (declared.outcome, declared.good, rules(declared)) == ("handled", True, [])


COMPLETE = [
    ("noop", ONE), ("rechunk", CHAT), ("crlf", ONE), ("cr", CHAT), ("comments", ONE), ("multiline", ONE),
    ("pings", ONE), ("no_terminal", ONE), ("no_terminal", CHAT), ("cut:eof@6", ONE), ("unknown_event@3", ONE),
    ("unknown_delta@3", ONE), ("choices_null", CHAT), ("choices_empty", CHAT), ("junk", CHAT),
    ("usage_missing", ONE), ("slow", ONE), ("content_type:none", CHAT), ("content_type:text/plain", WHOLE),
    ("keepalive@3", ONE), ("duplicate@6", ONE),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "recorded"), COMPLETE, ids=[row[0] for row in COMPLETE])
def test_an_answer_that_says_the_same_is_complete(fault: str, recorded: list[Exchange]) -> None:
    verdict = tried(fault, recorded=recorded).judge()
    assert (verdict.outcome, rules(verdict)) == ("recovered", [])


UNSEEN = [("drop@3", ONE), ("duplicate@3", ONE), ("drop@2", CHAT), ("duplicate@2", CHAT), ("reorder@2", ONE)]


@pytest.mark.parametrize(("fault", "recorded"), UNSEEN, ids=[row[0] for row in UNSEEN])
def test_what_nobody_can_see_is_told_as_a_warning(fault: str, recorded: list[Exchange]) -> None:
    verdict = tried(fault, recorded=recorded).judge()
    assert (verdict.outcome, verdict.good, rules(verdict)) == ("recovered", True, ["warn malformed-event-ignored"])
    assert rules(tried(fault, recorded=recorded).judge(expected="handled")) == []


@case("completed by a later attempt", "recovered")
def _() -> Verdict:
    return tried("cut:eof@4", 0.5).judge()


@case("completed as it was recorded: with a refusal", "recovered")
def _() -> Verdict:
    head, *body = WHOLE[0].steps
    refused = replace(WHOLE[0], steps=(replace(head, status=400), *body))  # type: ignore[type-var]
    scene = Scene(refused, plan="529")
    scene.play(0, "529")
    scene.play(0, after=0.5)
    return scene.judge()


@case("completed as it was recorded: with a broken stream", "recovered")
def _() -> Verdict:
    scene = Scene(replace(ONE[0], steps=(*ONE[0].steps[:4], End("reset", 0.5))), plan="529")
    scene.play(0, "529")
    scene.play(0, after=0.5)
    return scene.judge()


@case("not completed by a failure before the recorded answer", "silent", "error error-swallowed")
def _() -> Verdict:
    head, *body = WHOLE[0].steps
    refused = replace(WHOLE[0], steps=(replace(head, status=429), *body))  # type: ignore[type-var]
    answer = replace(WHOLE[0], recorded="2026-11-23T10:00:09Z")
    scene = Scene(refused, answer, plan="529")
    scene.play(0, "529")
    scene.play(0, after=0.5)
    return scene.judge()


@case("left before the fault could be seen", "recovered")
def _() -> Verdict:
    took = len(b"".join(step.data for step in ONE[0].steps[1:4]))
    return tried("cut:reset@5", state="left", took=took).judge()


@case("left while nothing came", "silent", "error truncated-stream-accepted")
def _() -> Verdict:
    return tried("stall@3", state="left").judge()


@case("an error's body is left unread", "silent", "error error-swallowed")
def _() -> Verdict:
    return tried("429", state="left", took=0).judge()


@case("a fallback model, recorded as a branch", "recovered")
def _() -> Verdict:
    scene = tried("529")
    scene.branch(answered(ask([ASKED], model="claude-haiku-5-5"), text("18 degrees.")), after=1.0)
    return scene.judge()


@case("the same, while it is being recorded", "recovered")
def _() -> Verdict:
    scene = tried("529")
    scene.branch(answered(ask([ASKED], model="claude-haiku-5-5"), text("18 degrees.")), live=True)
    return scene.judge()


@case("a branch about something else completes nothing", "silent", "error error-swallowed")
def _() -> Verdict:
    scene = tried("529")
    scene.branch(answered(ask([user("Hello?")]), text("Hello!")))
    return scene.judge()


# --- what only the conversation shows --------------------------------------------------------------

BEGUN = "It is 18 degrees in Paris"


def cut_and_sent(
    fault: str, *more: object, recorded: list[Exchange] = ONE, made: Callable[..., object] = ask
) -> Verdict:
    scene = Scene(*recorded, plan=fault)
    scene.play(0, fault)
    scene.diverge(made([ASKED, *more]))
    return scene.judge(BaseException())


@case("continue", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    return cut_and_sent("cut:eof@3", assistant(text(BEGUN)), user("continue"))


@case("continue, as prefill, trimmed", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    return cut_and_sent("cut:reset@3", {"role": "assistant", "content": "It is 18 degrees in"})


@case("continue, with a mark", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    return cut_and_sent("cut:eof@3", assistant(text(BEGUN + " [interrupted]")), user("continue"))


@case("continue after an error in the stream", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    return cut_and_sent("error:overloaded_error@3", assistant(text(BEGUN)), user("continue"))


@case("continue, chat", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    sent = {"role": "assistant", "content": BEGUN}
    return cut_and_sent("cut:eof@2", sent, user("continue"), recorded=CHAT, made=chat)


@case("half a thought is sent back", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    half = {"type": "thinking", "thinking": "They ask for the weat", "signature": ""}
    return cut_and_sent("cut:eof@3", assistant(half), user("go on"), recorded=LOOP)


@case("a tool call that never began its input", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    sent = assistant(thinking(), CALLING[1], {**use(), "input": {}})
    failed = user([result(content="no input", is_error=True)])
    return cut_and_sent("cut:eof@11", sent, failed, recorded=LOOP)


@case("an excuse of the client's own is no partial turn", "diverged")
def _() -> Verdict:
    return cut_and_sent("cut:eof@3", assistant(text("Something went wrong.")), user("again, please"))


@case("what a later attempt brought whole", "diverged")
def _() -> Verdict:
    scene = tried("cut:eof@3", 0.5)
    scene.diverge(ask([ASKED, assistant(FINAL), user("And in Rome?")]))
    return scene.judge(BaseException())


@case("a fallback model, not recorded", "diverged")
def _() -> Verdict:
    scene = tried("529")
    scene.diverge(ask([ASKED], model="claude-haiku-5-5"))
    return scene.judge(BaseException())


@case("a fallback model, in the middle of a conversation", "diverged")
def _() -> Verdict:
    return lost(ASKED, recorded=LATER, turn=0, model="claude-haiku-5-5")


@case("continue, recorded as a branch", "recovered", "warn partial-turn-sent-back")
def _() -> Verdict:
    scene = tried("cut:eof@3")
    scene.branch(answered(ask([ASKED, assistant(text(BEGUN)), user("continue")]), text(", sunny.")))
    return scene.judge()


@case("a tool ran on half its input", "diverged", "error tool-ran-on-partial-input")
def _() -> Verdict:
    sent = assistant(thinking(), CALLING[1], {**use(), "input": {"city": "Pa"}})
    return cut_and_sent("cut:eof@12", sent, user([result()]), recorded=LOOP)


@case("a tool ran on no input", "diverged", "error tool-ran-on-partial-input")
def _() -> Verdict:
    sent = assistant(thinking(), CALLING[1], {**use(), "input": {}})
    return cut_and_sent("cut:reset@11", sent, user([result()]), recorded=LOOP)


@case("a tool ran on half its input, chat", "diverged", "error tool-ran-on-partial-input")
def _() -> Verdict:
    sent = {**CHAT_CALLED, "tool_calls": [call(arguments='{"city": ')]}
    return cut_and_sent("cut:eof@5", sent, tool(), recorded=CHAT_LOOP, made=chat)


@case(
    "a tool ran though its input broke off in a stream that ended well", "diverged", "error tool-ran-on-partial-input"
)
def _() -> Verdict:
    sent = assistant(thinking(), CALLING[1], {**use(), "input": {"city": "Pa"}})
    return cut_and_sent("tool_truncated", sent, user([result()]), recorded=LOOP)


@case("a tool whose input was malformed is answered with an error", "diverged")
def _() -> Verdict:
    sent = assistant(thinking(), CALLING[1], {**use(), "input": {}})
    failed = user([result(content="Invalid JSON", is_error=True)])
    return cut_and_sent("tool_arguments", sent, failed, recorded=LOOP)


@case("the same, chat", "diverged")
def _() -> Verdict:
    sent = {**CHAT_CALLED, "tool_calls": [call(arguments='{"city": ')]}
    failed = tool(content="Error: the arguments are no JSON")
    return cut_and_sent("tool_arguments", sent, failed, recorded=CHAT_LOOP, made=chat)


@case("a tool that does not exist is answered with an error", "diverged")
def _() -> Verdict:
    sent = assistant(thinking(), CALLING[1], {**use(), "name": "no_such_tool"})
    failed = user([result(content="there is no such tool", is_error=True)])
    return cut_and_sent("unknown_tool", sent, failed, recorded=LOOP)


@case("the first of two tools had come whole", "diverged", "error partial-turn-sent-back")
def _() -> Verdict:
    both = [text("Both."), use("toolu_1"), use("toolu_2", city="Rome")]
    recorded = [answered(FIRST, *both)]
    return cut_and_sent("cut:eof@9", assistant(*both[:2]), user([result()]), recorded=recorded)


@case("a tool ran after the retry had brought its input", "recovered")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="cut:eof@12")
    scene.play(0, "cut:eof@12")
    scene.play(0, after=0.5)
    scene.play(1)
    return scene.judge()


@case("a tool ran again, with another result", "diverged", "error tool-ran-twice")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.diverge(ask([ASKED, assistant(*CALLING), user([result(content="19 degrees")])], tools=[TOOL]), after=1.0)
    return scene.judge(BaseException())


@case("a tool ran again, chat", "diverged", "error tool-ran-twice")
def _() -> Verdict:
    scene = Scene(*CHAT_LOOP, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.diverge(chat([ASKED, CHAT_CALLED, tool(content="19 degrees")], tools=[CHAT_TOOL]), after=1.0)
    return scene.judge(BaseException())


@case("two results for one call", "diverged", "error tool-ran-twice")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.diverge(ask([ASKED, assistant(*CALLING), user([result(), result()])], tools=[TOOL]), after=1.0)
    return scene.judge(BaseException())


@case("started over, and the tool was answered anew", "recovered", "warn tool-ran-twice")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.play(0, again=True)
    scene.play(1)
    return scene.judge()


@case("started over again and again, at once", "recovered", "error no-backoff", "warn tool-ran-twice")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="529@t1x2")
    scene.play(0)
    for _ in range(2):
        scene.play(1, "529")
        scene.play(0, again=True)
    scene.play(1)
    return scene.judge()


@case("the same request again holds the same result", "recovered")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.play(1, after=1.0)
    return scene.judge()


@case("two conversations whose gateway numbers calls anew", "recovered")
def _() -> Verdict:
    other = user("And in Rome?")
    rome = [
        answered(ask([other]), use()),
        answered(ask([other, assistant(use()), user([result(content="25")])]), FINAL),
    ]
    scene = Scene(*LOOP, *rome, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.play(2, after=1.0)
    scene.play(3)
    scene.play(1)
    return scene.judge()


NEXT = user("And tomorrow?")
LATER = [*ONE, answered(ask([ASKED, assistant(FINAL), NEXT]), text("Rain."))]


def lost(
    *messages: object, recorded: list[Exchange] = LATER, turn: int = 1, expected: str = "", **body: object
) -> Verdict:
    scene = Scene(*recorded, plan=f"529@t{turn}")
    for at in range(turn):
        scene.play(at)
    scene.play(turn, "529")
    scene.diverge(ask(messages, **body), after=1.0)
    return scene.judge(BaseException(), expected)  # type: ignore[arg-type]


@case("without the answer", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(ASKED, NEXT)


@case("without the question", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(ASKED, assistant(FINAL))


@case("the last message only", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(NEXT)


@case("without the tool loop", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(ASKED, user([result()]), recorded=LOOP, tools=[TOOL])


@case("on to the next question, though the last was not answered", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(ASKED, user("Forget it. Tell me a joke."), recorded=ONE, turn=0)


@case("a question that was never answered is dropped, and the next one asked", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(NEXT, recorded=LATER, turn=0)


@case("the same, where the user was told", "diverged")
def _() -> Verdict:
    return lost(NEXT, recorded=LATER, turn=0, expected="handled")


@case("what was answered may not be dropped, whatever the user was told", "diverged", "error turn-lost")
def _() -> Verdict:
    return lost(NEXT, recorded=LATER, turn=1, expected="handled")


@case("another question altogether", "diverged")
def _() -> Verdict:
    return lost(user("Tell me a joke."))


@case("an answer that was lost after it had come on the second attempt", "diverged", "error turn-lost")
def _() -> Verdict:
    scene = Scene(*LATER, plan="cut:eof@3")
    scene.play(0, "cut:eof@3")
    scene.play(0, after=0.5)
    scene.diverge(ask([ASKED, NEXT]))
    return scene.judge(BaseException())


@case("a retry without its thinking", "diverged", "error thinking-lost-on-retry")
def _() -> Verdict:
    return lost(ASKED, assistant(*CALLING[1:]), user([result()]), recorded=LOOP, tools=[TOOL])


@case("a retry with the thinking cut", "diverged", "error thinking-lost-on-retry")
def _() -> Verdict:
    half = {**CALLING[0], "signature": ""}
    return lost(ASKED, assistant(half, *CALLING[1:]), user([result()]), recorded=LOOP, tools=[TOOL])


@case("thinking that the fault itself has spoiled", "diverged", "warn malformed-event-ignored")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="drop@2")
    scene.play(0, "drop@2")
    half = {**CALLING[0], "thinking": CALLING[0]["thinking"][len(CALLING[0]["thinking"]) // 2 :]}
    scene.diverge(ask([ASKED, assistant(half, *CALLING[1:]), user([result()])], tools=[TOOL]))
    return scene.judge(BaseException())


@case(
    "thinking that the client has dropped, of an answer that the fault has spoiled",
    "diverged",
    "error thinking-lost-on-retry",
    "warn malformed-event-ignored",
)
def _() -> Verdict:
    scene = Scene(*LOOP, plan="drop@2")
    scene.play(0, "drop@2")
    scene.diverge(ask([ASKED, assistant(*CALLING[1:]), user([result()])], tools=[TOOL]))
    return scene.judge(BaseException())


@case("reasoning_content, chat", "diverged", "error thinking-lost-on-retry")
def _() -> Verdict:
    with_ = {**CHAT_CALLED, "reasoning_content": "They ask for the weather."}
    recorded = [CHAT_LOOP[0], answered(chat([ASKED, with_, tool()], tools=[CHAT_TOOL]), FINAL)]
    scene = Scene(*recorded, plan="529@t1")
    scene.play(0)
    scene.play(1, "529")
    scene.diverge(CHAT_SECOND, after=1.0)
    return scene.judge(BaseException())


@case(
    "deltas of a tool's input in another order, which the client puts right",
    "silent",
    "error malformed-event-ignored",
)
def _() -> Verdict:
    scene = Scene(*LOOP, plan="reorder@12")
    scene.play(0, "reorder@12")
    scene.play(1, after=0.01)
    return scene.judge()


@case("a byte order mark that costs nothing, chat", "recovered")
def _() -> Verdict:
    scene = Scene(*CHAT_LOOP, plan="bom")
    scene.play(0, "bom")
    scene.play(1, after=0.01)
    return scene.judge()


@case("a byte order mark that costs the start of a message", "silent", "error malformed-event-ignored")
def _() -> Verdict:
    scene = Scene(*LOOP, plan="bom")
    scene.play(0, "bom")
    scene.play(1, after=0.01)
    return scene.judge()


@case("another model gets no thinking of this one", "diverged")
def _() -> Verdict:
    return lost(ASKED, assistant(*CALLING[1:]), user([result()]), recorded=LOOP, tools=[TOOL], model="claude-haiku-5-5")


@case("a damaged answer is sent back, and nobody could see it", "diverged", "warn malformed-event-ignored")
def _() -> Verdict:
    half = FINAL["text"][: len(FINAL["text"]) // 2]
    scene = Scene(*LATER, plan="drop@3")
    scene.play(0, "drop@3")
    scene.diverge(ask([ASKED, assistant(text(half)), NEXT]))
    return scene.judge(BaseException())


@case("a damaged answer is sent back, and it showed", "diverged", "error malformed-event-ignored")
def _() -> Verdict:
    half = FINAL["text"][: len(FINAL["text"]) // 2]
    scene = Scene(*LATER, plan="malformed@3")
    scene.play(0, "malformed@3")
    scene.diverge(ask([ASKED, assistant(text(half)), NEXT]))
    return scene.judge(BaseException())


@pytest.mark.parametrize(("build", "outcome", "found"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_runs(build: Build, outcome: str, found: list[str]) -> None:
    verdict = build()
    assert (verdict.outcome, rules(verdict)) == (outcome, found), str(verdict)


# --- outcomes --------------------------------------------------------------------------------------


def test_a_fault_that_never_fired() -> None:
    scene = Scene(*LOOP, plan="429@t1")
    scene.play(0)
    verdict = scene.judge()
    assert (verdict.outcome, verdict.good, rules(verdict)) == ("not-fired", False, [])
    assert str(verdict).startswith("not-fired: 429@t1 never applied")
    assert scene.judge(AssertionError("no")).outcome == "not-fired"


def test_one_of_two_that_never_fired() -> None:
    scene = Scene(*ONE, plan="noop+429")
    scene.play(0, "noop")
    scene.run.fired = {0}
    assert scene.judge().outcome == "not-fired"
    scene = Scene(*ONE, plan="cut:eof@3+429@t0")
    scene.play(0, "cut:eof@3")
    scene.run.fired = {0}
    assert scene.judge().outcome == "silent"


def test_what_was_declared_decides_what_is_good() -> None:
    good = {
        (outcome, expected): verdict.good
        for expected in ("", "recovered", "raised", "handled")
        for outcome, verdict in (
            ("recovered", tried("529", 0.5).judge(expected=expected)),
            ("raised", raised_by_with(expected)),
            ("silent", tried("529").judge(expected=expected)),
        )
    }
    assert good == {
        ("recovered", ""): True, ("raised", ""): True, ("silent", ""): False,
        ("recovered", "recovered"): True, ("raised", "recovered"): False, ("silent", "recovered"): False,
        ("recovered", "raised"): False, ("raised", "raised"): True, ("silent", "raised"): False,
        ("recovered", "handled"): True, ("raised", "handled"): False, ("silent", "handled"): True,
    }  # fmt: skip


def raised_by_with(expected: str) -> Verdict:
    scene = tried("529", 0.5, passes=False)
    error = scene.run.attempts[-1].raised = Fault()
    return scene.judge(error, expected)  # type: ignore[arg-type]


def test_rules_that_are_ignored_say_nothing_and_let_no_other_speak() -> None:
    verdict = tried("529", *[0.0] * 20).judge(ignore=["retry-storm"])
    assert rules(verdict) == []
    assert verdict.good


ODD = [
    {"messages": [None, 7, "text", [], {}]},
    {"messages": [{"role": "assistant", "content": [None, 7, {"type": "tool_use"}, {"type": "tool_result"}]}] * 2},
    {"messages": [{"role": "assistant", "tool_calls": [None, {"function": None}]}, {"role": "tool", "content": 7}]},
    {"messages": [user([{"type": "tool_result", "tool_use_id": 7, "content": [None, {"text": None}]}])]},
    {"messages": None},
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("url", [MESSAGES, CHAT_URL])
def test_no_request_is_too_odd(url: str, body: object) -> None:
    odd = Request("POST", url, (), Json(body))
    for request in (odd, Request("POST", url, (), Text("{")), Request("GET", "http://[", (), None)):
        for fault in ("cut:eof@3", "529", "connect:refused"):
            made = Scene(*LOOP, plan=fault)
            made.play(0, fault)
            made.diverge(request)
            assert made.judge(BaseException()).outcome == "diverged"
        broken = Scene(replace(LOOP[0], request=request), plan="529")
        broken.play(0, "529").turn = None
        broken.play(0).turn = None
        assert str(broken.judge())


# --- the catalogue, and what is read ---------------------------------------------------------------


def test_each_rule_is_named_as_its_file_and_can_be_looked_up() -> None:
    known = catalogue.all_rules()
    assert set(known) == catalogue.names()
    assert len(known) == 14
    for name, (rule, _) in known.items():
        assert rule.name == name
        assert set(rule.levels) <= {"error", "warn"}
        assert rule.yields_to <= set(known)
        assert min(len(rule.summary), len(rule.why) / 3, len(rule.todo), len(rule.source)) > 15
    assert unknown(known) == ""
    assert "do you mean retry-storm" in unknown(["retry-strom"])


def test_the_page_lists_each_rule_as_it_is() -> None:
    path = Path(__file__).parents[2] / "tools" / "verdict_table.py"
    spec = importlib.util.spec_from_file_location("verdict_table", path)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    written = tool.PAGE.read_text("utf-8")
    assert written == tool.page(written), "rules changed: run `python tools/verdict_table.py`"
    assert all(f"\n| `{name}` | " in written for name in (*catalogue.names(), *MEANING))


def test_a_verdict_can_be_read() -> None:
    scene = Scene(*LOOP, plan="cut:eof@t1.4")
    scene.play(0)
    scene.play(1, "cut:eof@4")
    read = str(scene.judge())
    for said in (
        "silent: the test passed, but a turn that a fault hit was never completed: turns[1]:",
        "200, 4 of 7 events, then a clean end",
        "error truncated-stream-accepted (turns[1], attempt 0)",
        "stop_reason is not set",
        "to do: use an answer only if its stop_reason",
        "0.000 s  turns[0] attempt 0: 200",
        "turns[1] attempt 0 [cut:eof@4]: 200, 4 of 7 events",
    ):
        assert said in read


def test_a_crash_says_what_came_before() -> None:
    read = str(tried("cut:eof@3").judge(AssertionError("assert '18' in ''")))
    assert read.startswith(
        "crashed: the test failed with another exception than the fault's: AssertionError: assert '18' in '' "
        "(after turns[0]: 200, 3 of 7 events, then a clean end)\n  to do: raise where an answer is not whole"
    )


def test_another_model_is_named() -> None:
    scene = tried("529")
    scene.diverge(ask([ASKED], model="claude-haiku-5-5"))
    read = str(scene.judge(BaseException()))
    assert "the client sent (to claude-haiku-5-5, recorded is claude-sonnet-5-5) after the fault\n" in read
    assert (
        "to do: a fallback model? A branch like that can be recorded: run it with --convo-record=new_episodes" in read
    )


def test_a_long_run_is_told_by_its_beginning_and_its_end() -> None:
    read = str(tried("529", *[1.0] * 60).judge())
    assert len(read.splitlines()) < 45
    assert "… 31 more" in read


def test_values_are_quoted_short() -> None:
    long = text("word " * 5000)
    scene = Scene(answered(ask([ASKED]), long), plan="cut:eof@3")
    scene.play(0, "cut:eof@3")
    assert len(str(scene.judge())) < 2000
    assert json.dumps(long) not in str(scene.judge())
