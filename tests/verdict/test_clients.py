"""Real clients under faults: what each bad one is told, and what good ones are not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from convo_replay import CassetteError, Conversation, breaking, sse, use_cassette
from convo_replay.cassette import Cassette, update
from convo_replay.exchange import Exchange
from convo_replay.faults.catalogue import catalogue
from convo_replay.verdict.evidence import Expected
from convo_replay.verdict.judging import Verdict
from convo_replay.waiting import clocks
from fault_scenes import (
    CHAT_MODEL,
    CHAT_TOOL,
    MODEL,
    TOOL,
    Message,
    answered,
    ask,
    assistant,
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
FINAL = text("It is 18 degrees in Paris, and the sun is shining.")
CALLING = [thinking(), text("I will look that up for you."), use()]
CHAT_CALLED = {
    "role": "assistant",
    "content": "I will look that up for you.",
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    ],
}
RECORDED: list[Exchange] = [
    answered(ask([ASKED]), FINAL),
    answered(ask([ASKED], stream=False), FINAL),
    answered(chat([ASKED]), FINAL),
    answered(chat([ASKED], stream=False), FINAL),
]
LOOP = [
    answered(ask([ASKED], tools=[TOOL]), *CALLING),
    answered(ask([ASKED, assistant(*CALLING), user([result()])], tools=[TOOL]), FINAL),
]
CHAT_LOOP = [
    answered(chat([ASKED], tools=[CHAT_TOOL]), text("I will look that up for you."), use("call_1")),
    answered(chat([ASKED, CHAT_CALLED, tool()], tools=[CHAT_TOOL]), FINAL),
]
EVERY = {
    "create": answered(ask([ASKED], tools=[TOOL], stream=False), *CALLING),
    "stream": LOOP[0],
    "chat_create": answered(chat([ASKED], tools=[CHAT_TOOL], stream=False), CALLING[1], use("call_1")),
    "chat_stream": CHAT_LOOP[0],
}
NEXT = user("And tomorrow?")
LATER = [answered(ask([ASKED]), FINAL), answered(ask([ASKED, assistant(FINAL), NEXT]), text("Rain, I am afraid."))]

Client = Callable[[], object]


@pytest.fixture(autouse=True)
def nobody_else_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts passes what the client computes and waits, and not what other processes take."""
    monkeypatch.setattr(clocks, "_monotonic", time.thread_time)


@pytest.fixture(scope="module")
def cassettes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One cassette per call; `loop` and `chat_loop` hold two turns."""
    where = tmp_path_factory.mktemp("cassettes")
    held = {"stream": RECORDED[:1], "create": RECORDED[1:2], "chat_stream": RECORDED[2:3], "chat_create": RECORDED[3:]}
    held |= {f"every_{name}": [exchange] for name, exchange in EVERY.items()}
    held |= {"loop": LOOP, "chat_loop": CHAT_LOOP, "later": LATER}
    paths = {}
    for name, exchanges in held.items():
        paths[name] = where / f"{name}.yaml"
        update(paths[name], lambda _, kept=exchanges: Cassette(clients={}, exchanges=list(kept)))
    return paths


@contextlib.contextmanager
def playing(path: Path) -> Iterator[Conversation]:
    with use_cassette(path, unplayed="ignore", validate="off", retry_modules=[__name__]) as convo:
        yield convo


def judged(convo: Conversation, spec: str, client: Client, *, expect: Expected = "") -> Verdict:
    """The verdict on a client under a fault."""
    run = None
    try:
        with convo.replay(faults=spec, expect=expect) as run:
            client()
    except BaseException:
        if run is None:  # it fits nothing
            raise
    verdict = run.verdict
    assert isinstance(verdict, Verdict)
    return verdict


@cache
def messages(**options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="sk-none", **options)


@cache
def completions(**options: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-none", **options)


# --- calls -----------------------------------------------------------------------------------------


def create(history: Any = None, *, client: Any = None, **body: Any) -> Any:
    return (client or messages()).messages.create(
        model=MODEL, max_tokens=1024, messages=history or [ASKED], **{"stream": False, **body}
    )


def raw(history: Any = None, *, client: Any = None, **body: Any) -> list[Any]:
    return list(create(history, client=client, stream=True, **body))


def helper(history: Any = None, **body: Any) -> Any:
    with messages().messages.stream(model=MODEL, max_tokens=1024, messages=history or [ASKED], **body) as stream:
        return stream.get_final_message()


def chat_create(history: Any = None, *, client: Any = None, **body: Any) -> Any:
    return (client or completions()).chat.completions.create(
        model=CHAT_MODEL, messages=history or [ASKED], **{"stream": False, **body}
    )


def chat_raw(history: Any = None, *, client: Any = None, **body: Any) -> list[Any]:
    return list(chat_create(history, client=client, stream=True, **body))


def chat_helper(history: Any = None, **body: Any) -> Any:
    with completions().chat.completions.stream(model=CHAT_MODEL, messages=history or [ASKED], **body) as stream:
        return stream.get_final_completion()


def stubborn(times: int, call: Client, pause: float | None = None) -> Client:
    """A loop around a call, which waits the same time each time, or not at all."""

    def client() -> object:
        for _ in range(times - 1):
            try:
                return call()
            except Exception:
                if pause is not None:
                    time.sleep(pause)
        return call()

    return client


def computing(call: Client) -> Client:
    """Takes a while, and waits for nothing."""

    def client() -> object:
        until = time.thread_time() + 0.15
        while time.thread_time() < until:
            pass
        return call()

    return client


def later(call: Client) -> Client:
    """Swallows what is raised, and raises something of its own that knows nothing of that."""

    def client() -> None:
        swallowing(call)()
        raise LookupError("nothing to show")

    return client


def swallowing(call: Client) -> Client:
    def client() -> None:
        with contextlib.suppress(Exception):
            call()

    return client


BARE: Any = {"max_retries": 0}


def bare_create() -> object:
    return create(client=messages(max_retries=0))


def bare_chat() -> object:
    return chat_create(client=completions(max_retries=0))


# --- bad clients -----------------------------------------------------------------------------------


def continuing() -> None:
    """Asks the model to go on where half an answer ended."""
    said = "".join(event.delta.text for event in raw() if event.type == "content_block_delta")
    raw([ASKED, assistant(text(said)), user("continue")])


def continuing_chat() -> None:
    chunks = chat_raw()
    if chunks[-1].choices[0].finish_reason is None:
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        chat_raw([ASKED, {"role": "assistant", "content": said}, user("continue")])


def eager() -> None:
    """Runs whatever tool stands in the message."""
    answer = helper(tools=[TOOL])
    calls = [block for block in answer.content if block.type == "tool_use"]
    if calls:
        raw([ASKED, answer.to_dict() | {"id": None} and assistant(*answer.to_dict()["content"]),
             user([result(call.id) for call in calls])], tools=[TOOL])  # fmt: skip


def eager_chat() -> None:
    parts = [chunk.choices[0].delta for chunk in chat_raw(tools=[CHAT_TOOL])]
    calls = [call for part in parts for call in part.tool_calls or ()]
    if calls:
        arguments = "".join(call.function.arguments or "" for call in calls)
        function = {"name": calls[0].function.name, "arguments": arguments}
        called = {**CHAT_CALLED, "tool_calls": [{"id": calls[0].id, "type": "function", "function": function}]}
        chat_raw([ASKED, called, tool()], tools=[CHAT_TOOL])


class Agent:
    """A tool loop, which does one thing wrong where the last call fails."""

    def __init__(self) -> None:
        self.ran = 0
        self.history: list[Message] = [ASKED]

    def step(self, **other: Any) -> Any:
        return create(self.history, stream=True, tools=[TOOL], client=messages(max_retries=0), **other)

    def run_tool(self) -> Message:
        self.ran += 1
        return user([result(content="18 degrees" if self.ran == 1 else "19 degrees")])

    def __call__(self) -> None:
        list(self.step())
        self.history += [assistant(*CALLING), self.run_tool()]
        try:
            list(self.step())
        except anthropic.APIError:
            self.recover()
            time.sleep(1.0)
            list(self.step())

    def recover(self) -> None:
        """Asks again, as it should."""


class RunsAgain(Agent):
    def recover(self) -> None:
        self.history[-1] = self.run_tool()


def starts_over() -> None:
    """A retry around the whole loop, in which the tool runs again."""

    def whole() -> None:
        agent = Agent()
        list(agent.step())
        agent.history += [assistant(*CALLING), agent.run_tool()]
        list(agent.step())

    stubborn(2, whole)()


class Forgets(Agent):
    def recover(self) -> None:
        self.history = self.history[-1:]


class ForgetsThinking(Agent):
    def recover(self) -> None:
        self.history[1] = assistant(*CALLING[1:])


class Thoughtless(Agent):
    """Keeps texts and tools only, whatever happens."""

    def __call__(self) -> None:
        stubborn(2, lambda: list(self.step()), 1.0)()
        self.history += [assistant(*CALLING[1:]), self.run_tool()]
        list(self.step())


def goes_on() -> None:
    """The next question, though the last was not answered."""
    swallowing(bare_stream)()
    raw([ASKED, NEXT])


def bare_stream() -> object:
    return raw(client=messages(max_retries=0))


def waiting_for_ever() -> None:
    with httpx2.Client(timeout=None) as client:
        client.post("https://api.anthropic.com/v1/messages", json=RECORDED[1].request.json,
                    headers={"anthropic-version": "2026-10-21"})  # fmt: skip


BAD: list[tuple[str, str, str, Client, str, list[str]]] = [
    # name, cassette, spec, client, outcome, findings
    ("early", "create", "429:retry_after=5x2", stubborn(3, bare_create, 1.0), "recovered",
     ["error retry-after-ignored"]),
    ("early, chat", "chat_create", "429:retry_after=5", stubborn(2, bare_chat), "recovered",
     ["error retry-after-ignored"]),
    ("400", "create", "400x*", stubborn(3, bare_create, 1.0), "raised", ["error non-retryable-retried"]),
    ("401, chat", "chat_create", "401x*", stubborn(4, bare_chat), "raised", ["error non-retryable-retried"]),
    ("nested retries", "create", "529x*", stubborn(8, create), "raised", ["error retry-storm"]),
    ("storm", "chat_create", "503x*", stubborn(40, bare_chat, 1.0), "raised", ["error retry-storm"]),
    ("without end", "create", "connect:refusedx*", stubborn(5000, bare_create), "crashed", ["error retry-storm"]),
    ("no wait", "create", "529x3", stubborn(4, bare_create), "recovered", ["error no-backoff"]),
    ("no wait, chat", "chat_create", "disconnect:eofx2", stubborn(3, bare_chat), "recovered", ["error no-backoff"]),
    ("one retry at once", "create", "500", stubborn(2, bare_create), "recovered", ["warn no-backoff"]),
    ("builds itself anew", "create", "529x3", stubborn(4, computing(bare_create)), "recovered", ["error no-backoff"]),
    ("something else, after a status", "create", "400", later(bare_create), "crashed", []),
    ("something else, later", "stream", "cut:reset@3", later(raw), "crashed", []),
    ("gave up", "create", "529", bare_create, "raised", ["warn gave-up"]),
    ("gave up, chat", "chat_stream", "connect:refused", lambda: chat_raw(client=completions(max_retries=0)), "raised",
     ["warn gave-up"]),
    ("for ever", "create", "timeout:read", waiting_for_ever, "crashed", ["error no-read-timeout"]),
    ("half a stream", "stream", "cut:eof@3", raw, "silent", ["error truncated-stream-accepted"]),
    ("half a stream, helper", "stream", "cut:eof@3", helper, "silent", ["error truncated-stream-accepted"]),
    ("half a stream, chat", "chat_stream", "cut:eof@3", chat_raw, "silent", ["error truncated-stream-accepted"]),
    ("half a stream, swallowed", "stream", "cut:reset@3", swallowing(raw), "silent",
     ["error truncated-stream-accepted"]),
    ("swallowed", "create", "529x*", swallowing(create), "silent", ["error error-swallowed"]),
    ("swallowed, chat", "chat_create", "400", swallowing(chat_create), "silent", ["error error-swallowed"]),
    ("error event swallowed", "stream", "error:overloaded_error@3", swallowing(raw), "silent",
     ["error error-swallowed"]),
    ("unnamed error", "stream", "error_unnamed@3", raw, "silent", ["error error-swallowed"]),
    ("no names", "stream", "unnamed", raw, "silent", ["error malformed-event-ignored"]),
    ("JSON in place of a stream", "chat_stream", "json_instead_of_stream", chat_raw, "silent",
     ["error malformed-event-ignored"]),
    ("continue", "stream", "cut:eof@3", continuing, "diverged", ["error partial-turn-sent-back"]),
    ("continue, chat", "chat_stream", "cut:eof@2", continuing_chat, "diverged", ["error partial-turn-sent-back"]),
    ("eager", "loop", "cut:eof@12", eager, "diverged", ["error tool-ran-on-partial-input"]),
    ("eager, truncated", "loop", "tool_truncated", eager, "diverged", ["error tool-ran-on-partial-input"]),
    ("eager, chat", "chat_loop", "cut:eof@5", eager_chat, "diverged", ["error tool-ran-on-partial-input"]),
    ("runs the tool again", "loop", "529@t1", lambda: RunsAgain()(), "diverged", ["error tool-ran-twice"]),
    ("starts over", "loop", "529@t1", starts_over, "recovered", ["warn tool-ran-twice"]),
    ("forgets", "loop", "529@t1", lambda: Forgets()(), "diverged", ["error turn-lost"]),
    ("goes on", "later", "529", goes_on, "diverged", ["error turn-lost"]),
    ("thoughtless, nothing broken", "loop", "noop@t0", lambda: Thoughtless()(), "diverged",
     ["error thinking-lost-on-retry"]),
    ("thoughtless, a ping more", "loop", "pings@t0", lambda: Thoughtless()(), "diverged",
     ["error thinking-lost-on-retry"]),
    ("thoughtless after a status", "loop", "529@t0", lambda: Thoughtless()(), "diverged",
     ["error thinking-lost-on-retry"]),
    ("forgets its thinking", "loop", "529@t1", lambda: ForgetsThinking()(), "diverged",
     ["error thinking-lost-on-retry"]),
]  # fmt: skip


@pytest.mark.parametrize(("cassette", "spec", "client", "outcome", "found"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_a_bad_client_is_told_just_that(
    cassettes: dict[str, Path],
    cassette: str,
    spec: str,
    client: Client,
    outcome: str,
    found: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaking, "MOST_ATTEMPTS", 50)
    with playing(cassettes[cassette]) as convo:
        verdict = judged(convo, spec, client)
    assert (verdict.outcome, rules(verdict)) == (outcome, found), str(verdict)


# --- good ones -------------------------------------------------------------------------------------


def with_another_key() -> None:
    try:
        create()
    except anthropic.AuthenticationError:
        create(client=anthropic.Anthropic(api_key="sk-another"))


EVENTS = len(sse.split(RECORDED[0].body))
AFTER_ITS_END = [f"{fault}@{EVENTS}" for fault in ("cut:reset", "cut:chunk", "cut:length", "stall", "error")] + [
    "gzip:crc"
]


def until_its_end() -> None:
    """Whatever comes behind the terminal event."""
    seen = []
    with contextlib.suppress(anthropic.APIError, httpx2.HTTPError):
        for event in create(stream=True):
            seen.append(event.type)
    assert seen[-1] == "message_stop"


def stops_for_a_reason() -> None:
    assert helper().stop_reason


def first(count: int) -> None:
    with create(stream=True) as stream:
        for _, _ in zip(range(count), stream, strict=False):
            pass


GOOD: list[tuple[str, str, str, Client, str]] = [
    ("asks again", "loop", "529@t1", lambda: Agent()(), "recovered"),
    ("another key", "create", "401", with_another_key, "recovered"),
    ("waits as asked", "create", "429:retry_after=5x2", create, "recovered"),
    ("waits as asked, chat", "chat_create", "429:retry_after_ms=700x2", chat_create, "recovered"),
    ("asked to wait too long", "chat_create", "429:retry_after=300", chat_create, "raised"),
    ("stops at 400", "create", "400", create, "raised"),
    ("hops", "create", "redirectx*", create, "raised"),
    ("wraps it", "create", "529x*", lambda: wrapping(create), "raised"),
    ("another model", "create", "529x*", lambda: fallback("claude-haiku-5-5"), "diverged"),
    *((f"had it all, {spec}", "stream", spec, until_its_end, "recovered") for spec in AFTER_ITS_END),
    (
        "asks again unless there is a stop_reason",
        "stream",
        f"error_unnamed@{EVENTS - 1}",
        stops_for_a_reason,
        "recovered",
    ),
    ("leaves in time", "stream", "cut:eof@3", lambda: first(3), "recovered"),
    ("leaves before", "stream", "cut:eof@4", lambda: first(3), "recovered"),
    ("a deadline", "stream", "stall@3", lambda: asyncio.run(in_time()), "raised"),
]


def wrapping(call: Client) -> None:
    try:
        call()
    except anthropic.APIError:
        raise LookupError("no answer")  # noqa: B904  # the context alone says what it came of


def fallback(model: str) -> None:
    try:
        create()
    except anthropic.APIError:
        messages().messages.create(model=model, max_tokens=1024, messages=[ASKED], stream=False)


async def in_time() -> None:
    client = anthropic.AsyncAnthropic(api_key="sk-none", timeout=None)
    async with asyncio.timeout(30):
        async for _ in await client.messages.create(model=MODEL, max_tokens=1024, messages=[ASKED], stream=True):
            pass


@pytest.mark.parametrize(("cassette", "spec", "client", "outcome"), [row[1:] for row in GOOD],
                         ids=[row[0] for row in GOOD])  # fmt: skip
def test_a_good_client_is_told_nothing(
    cassettes: dict[str, Path], cassette: str, spec: str, client: Client, outcome: str
) -> None:
    with playing(cassettes[cassette]) as convo:
        verdict = judged(convo, spec, client)
    assert (verdict.outcome, rules(verdict)) == (outcome, []), str(verdict)


def every_fault(place: str) -> Iterator[str]:
    """Each fault of the catalogue, at a place where it wants one; of streams one of those that come before them."""
    for fault in catalogue().values():
        wants = fault.positions != "none" and fault.position_needed
        early = fault.kind in ("status", "connect", "head") and place[1] != "b"
        for sample in fault.samples()[: 1 if early else None]:
            if not wants or fault.positions == "any" or place[1] != "b":
                yield f"{sample}{place if wants else ''}"


ANY_CREATE = {
    "error-swallowed": "no_content foreign_json:error html",
    "malformed-event-ignored": "foreign_json json_value:null json_value:list json_value:string tool_arguments",
}
ANY_RAW = {
    "truncated-stream-accepted": "cut:eof@5 empty gzip:truncated",
    "error-swallowed": "no_content foreign_json:error html html:application/json",
    "malformed-event-ignored": "foreign_json json_instead_of_stream json_value:null "
    "json_value:list json_value:string drop@5 null_data@5 tool_arguments tool_truncated",
}
DEFAULT: dict[str, tuple[Client, dict[str, str], dict[str, str]]] = {
    # What SDKs do not notice, for each way to call them: rules, and the faults under which they are told.
    "create": (lambda: create(tools=[TOOL]), ANY_CREATE, {}),
    "chat_create": (
        lambda: chat_create(tools=[CHAT_TOOL]),
        ANY_CREATE,
        {"malformed-event-ignored": "tool_truncated"},
    ),
    "stream": (
        lambda: raw(tools=[TOOL]),
        ANY_RAW,
        {
            "error-swallowed": "error_unnamed@5",
            "malformed-event-ignored": "bom empty_data@5 reorder@5 repeat unnamed wrong_index@5",
        },
    ),
    "chat_stream": (lambda: chat_raw(tools=[CHAT_TOOL]), ANY_RAW, {"malformed-event-ignored": "duplicate@5"}),
    "helper": (
        lambda: helper(tools=[TOOL]),
        {
            "truncated-stream-accepted": "cut:eof@5 gzip:truncated",
            "error-swallowed": "error_unnamed@5",
            "malformed-event-ignored": "drop@5 empty_data@5 reorder@5 repeat tool_truncated",
        },
        {},
    ),
    "chat_helper": (
        lambda: chat_helper(tools=[CHAT_TOOL]),
        {
            "truncated-stream-accepted": "cut:eof@5 gzip:truncated",
            "malformed-event-ignored": "drop@5 duplicate@5 tool_arguments tool_truncated",
        },
        {},
    ),
}


@pytest.mark.parametrize("call", DEFAULT)
def test_the_default_clients_are_told_what_is_true_of_them(cassettes: dict[str, Path], call: str) -> None:
    client, *known = DEFAULT[call]
    expected = {spec: f"error {rule}" for each in known for rule, names in each.items() for spec in names.split()}
    told: dict[str, str] = {}
    ran = 0
    with playing(cassettes["every_" + call.replace("helper", "stream")]) as convo:
        for spec in every_fault("@b60" if "create" in call else "@5"):
            with contextlib.suppress(CassetteError):  # it fits no answer of this kind
                verdict = judged(convo, spec, client)
                ran += 1
                if verdict.outcome not in ("recovered", "raised") or verdict.findings:
                    told[spec] = " ".join(rules(verdict))
    assert told == expected
    assert ran > 40


def careful(call: Callable[..., list[Any]], is_whole: Callable[[list[Any]], bool]) -> Client:
    """Asks again, later each time, until the answer has its end; tells its user where there is none."""

    def client() -> str:
        for attempt in range(3):
            try:
                events = call()
                if is_whole(events):
                    return "answered"
            except (anthropic.APIError, openai.APIError, httpx2.HTTPError, ValueError) as error:
                if getattr(error, "status_code", None) in (400, 401, 402, 403, 404, 413, 422):
                    break
            time.sleep(2.0**attempt)
        return "There is no answer now."

    return client


def has_stop_reason(events: list[Any]) -> bool:
    return any(event is not None and event.type == "message_delta" and event.delta.stop_reason for event in events)


def has_finish_reason(chunks: list[Any]) -> bool:
    return any(chunk is not None and chunk.choices and chunk.choices[0].finish_reason for chunk in chunks)


@pytest.mark.parametrize("call", ["stream", "chat_stream"])
def test_a_careful_client_is_told_nothing(cassettes: dict[str, Path], call: str) -> None:
    if call == "stream":
        client = careful(lambda: raw(tools=[TOOL]), has_stop_reason)
    else:
        client = careful(lambda: chat_raw(tools=[CHAT_TOOL]), has_finish_reason)
    told = {}
    with playing(cassettes[f"every_{call}"]) as convo:
        for spec in [*every_fault("@5"), "429x*", "cut:eof@3x*", "401x*"]:
            with contextlib.suppress(CassetteError):
                verdict = judged(convo, spec, client, expect="handled")
                if not verdict.good or verdict.findings:
                    told[spec] = f"{verdict.outcome}: {' '.join(rules(verdict))}"
    assert told == {}
